//! Everything the privileged half can be asked.

use osmoda_types::Text;
use osmoda_types::UnitName;
use osmoda_types::api::agentd::firewall::OpenPorts;
use osmoda_types::api::agentd::process::Signal;
use osmoda_types::api::agentd::sysctl::SysctlKey;
use serde::{Deserialize, Serialize};

use crate::file::{FileAnswer, FileVerb};
use crate::service::{Act, Job};
use crate::spawn::{Ended, Spawn};

/// One request. There is no other.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Verb {
    /// Something about a file.
    File(FileVerb),
    /// Run a program to its end.
    Spawn(Spawn),
    /// Starts, stops, restarts or reloads a unit and waits for the end of the job.
    Service {
        /// The unit, by any of its names.
        unit: UnitName,
        /// What to do with it.
        act: Act,
    },
    /// Writes a parameter of the kernel.
    Sysctl {
        /// Its name; only those that [`SysctlKey::is_adjustable`] allows.
        key: SysctlKey,
        /// What to write.
        value: Text<256>,
    },
    /// Sends a signal.
    Signal {
        /// The process.
        pid: u32,
        /// Field 22 of its stat: another process that got its pid is left alone.
        start_time: u64,
        /// The signal.
        signal: Signal,
    },
    /// Lists the openings of the firewall, which the kernel shows to root only.
    FirewallList {},
    /// Opens ports.
    FirewallAllow {
        /// Which, for whom, for how long.
        ports: OpenPorts,
    },
    /// Closes ports that were opened.
    FirewallRevoke {
        /// Which, as they were opened.
        ports: OpenPorts,
    },
}

/// What came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// What came of a file verb.
    File(FileAnswer),
    /// How a program ended.
    Ended(Ended),
    /// A job of systemd ended.
    Job(Job),
    /// A parameter of the kernel was written.
    Sysctl {
        /// The value before, where it can be read.
        before: Option<String>,
        /// The value read back.
        after: Option<String>,
    },
    /// A signal was sent.
    Signalled {
        /// Name of the program that got it.
        name: String,
        /// The unit it runs in.
        unit: Option<String>,
    },
    /// The openings of the firewall.
    Openings {
        /// All of them, by protocol and port.
        openings: Vec<OpenPorts>,
    },
    /// An opening of the firewall was changed.
    Opening {
        /// As it was.
        before: Option<OpenPorts>,
        /// As it is.
        after: Option<OpenPorts>,
    },
}
