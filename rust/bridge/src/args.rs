//! What the bridge is told on its command line.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Parser;
use osmoda_types::{Actor, Toolset};

/// Serves osModa's tools over MCP.
#[derive(Clone, Debug, Parser)]
#[command(disable_version_flag = true)]
pub(crate) struct Args {
    /// Serve streamable HTTP here instead of stdio: unix:PATH, or a loopback address with --token-file.
    #[arg(long, value_name = "unix:PATH|127.0.0.1:PORT", value_parser = Address::from_str)]
    pub(crate) http: Option<Address>,
    /// File with the bearer token that HTTP clients must send; a loopback address needs one.
    #[arg(long, value_name = "FILE", requires = "http")]
    pub(crate) token_file: Option<PathBuf>,
    /// Offer only these toolsets.
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', value_parser = toolset)]
    pub(crate) toolsets: Vec<Toolset>,
    /// List only the core tools; the others are found by tool_search and called by tool_call.
    #[arg(long)]
    pub(crate) lean: bool,
    /// Name of the agent in the ledger.
    #[arg(long, value_name = "LABEL", default_value = "main", value_parser = agent)]
    pub(crate) actor: Actor,
    /// The conversation that calls belong to in the ledger; a new one for each start unless told.
    #[arg(long, value_name = "ID", value_parser = session)]
    pub(crate) session: Option<String>,
    /// Where the daemons' sockets are.
    #[arg(long, value_name = "DIR")]
    pub(crate) run_dir: Option<PathBuf>,
    /// Print the release.
    #[arg(long, short = 'V')]
    pub(crate) version: bool,
    /// With --version: as JSON.
    #[arg(long, requires = "version")]
    pub(crate) json: bool,
}

impl Args {
    pub(crate) fn version_text(&self) -> String {
        let version = env!("CARGO_PKG_VERSION");
        if !self.json {
            return format!("osmoda-bridge {version}");
        }
        serde_json::json!({"name": "osmoda-bridge", "version": version, "features": []}).to_string()
    }
}

fn toolset(name: &str) -> Result<Toolset, String> {
    let found = Toolset::ALL.iter().find(|toolset| toolset.name() == name);
    let all = || Toolset::ALL.iter().map(|toolset| toolset.name()).collect::<Vec<_>>().join(", ");
    found.copied().ok_or_else(|| format!("there are: {}", all()))
}

fn agent(label: &str) -> Result<Actor, String> {
    format!("agent:{label}").parse().map_err(|error: osmoda_types::ActorError| error.to_string())
}

/// What a daemon takes as a session; it would refuse every call for another one.
fn session(label: &str) -> Result<String, &'static str> {
    let fits = (1..=128).contains(&label.len()) && label.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    if fits { Ok(label.to_owned()) } else { Err("not 1 to 128 printable ASCII characters") }
}

/// Where HTTP is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Unix(PathBuf),
    Loopback(SocketAddr),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() {
                Err("unix: needs a path".into())
            } else {
                Ok(Self::Unix(path.into()))
            };
        }
        match text.parse::<SocketAddr>() {
            Ok(address) if address.ip().is_loopback() => Ok(Self::Loopback(address)),
            Ok(_) => {
                Err("not a loopback address: tools that run this machine are not served to the network"
                    .into())
            }
            Err(_) => Err("neither unix:PATH nor 127.0.0.1:PORT nor [::1]:PORT".into()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Loopback(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_a_socket_file_or_loopback_is_served() {
        assert_eq!("unix:/run/x".parse(), Ok(Address::Unix("/run/x".into())));
        assert!("127.0.0.1:18792".parse::<Address>().is_ok() && "[::1]:0".parse::<Address>().is_ok());
        for bad in ["0.0.0.0:80", "[::]:80", "192.168.0.1:80", "localhost:80", "unix:", "", "127.0.0.1"] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_address_that_reads_back_or_is_refused(text in ".*") {
            if let Ok(address) = text.parse::<Address>() {
                prop_assert_eq!(address.to_string().parse(), Ok(address));
            }
        }
    }
}
