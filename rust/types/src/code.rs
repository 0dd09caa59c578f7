//! The error codes: one append-only list, printed as `docs/errors.md`.

use std::borrow::Cow;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

macro_rules! codes {
    ($($name:ident = $code:literal, $status:literal, $title:literal, $next:literal;)*) => {
        /// A stable `area.reason`; programs match on it, people read the title.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code {$(
            #[doc = $title]
            $name,
        )*}

        impl Code {
            /// Every code there is.
            pub const ALL: &[Code] = &[$(Code::$name),*];

            /// The code as it stands on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            /// The HTTP status it is sent with.
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status),* }
            }

            /// What it means, in one line.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title),* }
            }

            /// What the caller can do about it, unless the daemon knows better.
            pub const fn next_step(self) -> &'static str {
                match self { $(Self::$name => $next),* }
            }
        }
    };
}

codes! {
    RequestSyntax = "request.syntax", 400, "the request is not well-formed", "send one JSON object without duplicate keys; integers beyond 2^53 - 1 as strings";
    RequestId = "request.id", 400, "an id or name in the request is malformed", "take the id from a list or from the call that made it";
    RequestPath = "request.path", 404, "there is no such endpoint", "GET /openapi.json lists the endpoints of this daemon";
    RequestMethod = "request.method", 405, "the endpoint does not take this method", "use a method from the Allow header";
    RequestTimeout = "request.timeout", 408, "the call took longer than its limit", "narrow the call, or try again later";
    RequestTooLarge = "request.too_large", 413, "the request body is over its limit", "send less, or send it in parts";
    RequestType = "request.type", 415, "the body is not application/json", "send Content-Type: application/json";
    RequestField = "request.field", 422, "a field is missing, unknown or has a wrong value", "correct the fields named in errors; GET /openapi.json has the shapes";
    AuthRing = "auth.ring", 403, "this caller may not make this call", "an operator or the named daemon can; agentctl status shows who you are";
    AuthToken = "auth.token", 401, "the token is missing or wrong", "send Authorization: Bearer with the token the server was given";
    IdempotencyKey = "idempotency.key", 400, "the Idempotency-Key is malformed", "send 8 to 128 printable ASCII characters";
    IdempotencyMismatch = "idempotency.mismatch", 422, "the Idempotency-Key was used for another call", "make a new key for a new call";
    IdempotencyBusy = "idempotency.busy", 409, "the call with this Idempotency-Key is still running", "repeat it with the same key in a moment";
    OutcomeUnknown = "outcome.unknown", 500, "the call was interrupted; whether it took effect is not known", "look for its intent in the ledger: without one nothing happened; with one, look at the state it would have changed before repeating it";
    LedgerUnavailable = "ledger.unavailable", 503, "the ledger cannot record, so nothing was done", "see the ledger check in agentd's /health; start osmoda-agentd if it is down";
    LedgerGap = "ledger.gap", 409, "events of this source are missing before this one", "post from the expected sequence number on";
    LedgerFork = "ledger.fork", 409, "the source's chain does not continue what was recorded", "keep the outbox as evidence and ask an operator: its past was changed";
    LedgerTooLarge = "ledger.too_large", 413, "an event is over 64 KiB", "record a digest and keep the content elsewhere";
    LedgerNotFound = "ledger.not_found", 404, "there is no such event", "GET /ledger/head says how many events there are";
    LedgerType = "ledger.type", 403, "a source may only append events of its own prefix", "name events <daemon>.<noun>.<past participle>";
    StateUnwritable = "state.unwritable", 503, "the state directory cannot be written", "make it writable for the daemon's user; it is tried again by itself";
    StateFull = "state.full", 507, "the disk is full", "free space below the state directory; it is tried again by itself";
    StateCorrupt = "state.corrupt", 503, "a state file is damaged", "keep a copy, then restore it from a backup";
    StateNewerSchema = "state.newer_schema", 503, "the state was written by a newer release", "go back to that release; this one only reads";
    HostUnreadable = "host.unreadable", 503, "the kernel did not give this information", "see the daemon's log; /proc may be hidden from it";
    SystemdAbsent = "systemd.absent", 503, "this machine is not run by systemd", "ask for processes or ports instead, or run it on a machine with systemd";
    NixAbsent = "nix.absent", 503, "this machine is not NixOS", "install NixOS, or use what does not need generations";
    DaemonAbsent = "daemon.absent", 503, "the daemon does not answer on its socket", "start its unit, or osmoda up";
    DaemonUntrusted = "daemon.untrusted", 502, "the socket belongs to another user than the daemon's", "do not use it; find out who made it";
    LimitRate = "limit.rate", 429, "too many calls", "wait as long as retry_after_secs says";
    LimitSize = "limit.size", 413, "the answer is larger than can be given at once", "ask for less: a smaller limit, a filter, a part";
    LimitBusy = "limit.busy", 503, "the daemon serves as many connections as it may", "try again in a moment";
    IncidentNotFound = "incident.not_found", 404, "there is no such incident", "GET /incidents lists them";
    IncidentClosed = "incident.closed", 409, "the incident is closed", "open a new one and name the old one in it";
    IncidentFull = "incident.full", 409, "the incident holds as many steps as it may", "close it with what is known and open a new one that names it";
    ReceiptNotFound = "receipt.not_found", 404, "there is no such receipt", "GET /receipts lists them; a call that only looked leaves none";
    CardNotFound = "card.not_found", 404, "no agent card was generated on this machine yet", "POST /agent/card/generate with a name and a description makes it";
    BackupNotFound = "backup.not_found", 404, "there is no such backup in the backups folder", "GET /backup/list lists them; a backup that was kept elsewhere is copied into the folder first";
    BackupBusy = "backup.busy", 409, "another backup or restore is under way", "wait until it has ended, then try again";
    BackupAgeAbsent = "backup.age_absent", 503, "the program age is not installed", "install the package age (Debian: apt-get install age), then try again";
    BackupLocked = "backup.locked", 409, "no identity on this machine opens the backup", "name the age identity file that belongs to its recipients as backup.identity_file in agentd's configuration";
    BackupDamaged = "backup.damaged", 422, "the backup is tampered with, truncated or no backup", "do not use it: take an older one, and find out who could write it";
    BackupForeign = "backup.foreign", 409, "the backup is of another machine", "restore it on the machine it names; docs/backups.md says how a replaced machine keeps its id";
    BackupUnrecorded = "backup.unrecorded", 409, "the ledger does not say that this machine made the backup", "if you know where it comes from, repeat the call with accept_unrecorded";
    InternalPanic = "internal.panic", 500, "a defect stopped the call", "report it with the request id; the daemon goes on";
    InternalBug = "internal.bug", 500, "a defect: the daemon broke one of its own rules", "report it with the request id";
    PolicyDenied = "policy.denied", 403, "the policy does not let this caller do this", "ask an operator to do it, or to change what is declared";
    RootAbsent = "root.absent", 503, "the privileged half of agentd does not answer", "start osmoda-agentd-root, or osmoda up --system";
    FileNotFound = "file.not_found", 404, "there is no such file or folder", "list the folder to see what is there";
    FileKind = "file.kind", 409, "this is not the kind of file the call is for", "list the folder to see what it is";
    FileLink = "file.link", 409, "the path leads over a link", "use the real path of the file; files with several names are not touched";
    FileDenied = "file.denied", 403, "the system does not let agentd at this file", "its owner or an operator can change its mode or ownership";
    FileReadOnly = "file.read_only", 409, "the file system is mounted read-only", "write somewhere else; /nix/store changes only by a deploy";
    FileExists = "file.exists", 409, "something stands there already", "choose another name, or move away what is there";
    FileChanged = "file.changed", 409, "the file changed meanwhile", "read it again, then decide again";
    FileFailed = "file.failed", 500, "the system could not do this to the file", "see the detail; the file is as it was";
    FileWriteOnly = "file.write_only", 403, "secrets can be written and never read", "ask the person who gave the secret";
    ShellAbsent = "shell.absent", 503, "programs cannot be run apart from the rest of the machine here", "install util-linux, and allow user namespaces (sysctl kernel.unprivileged_userns_clone=1) or run agentd as root";
    ShellFailed = "shell.failed", 422, "the program could not be started", "see the detail; check the folder and the shell";
    UndoNotFound = "undo.not_found", 404, "there is nothing to undo there", "event_log shows what was done; only outcomes with an undo id can be taken back";
    ServiceNotFound = "service.not_found", 404, "systemd knows no such unit", "GET /service lists the units there are";
    ServiceProtected = "service.protected", 403, "this unit is protected", "leave it as it is, or ask an operator to act on it at the machine";
    ServiceRefused = "service.refused", 409, "systemd does not do this with the unit", "read the detail and the unit's state; a masked or broken unit must be mended first";
    ServiceFailed = "service.failed", 409, "the unit did not do what was asked", "read its last journal lines in the detail; journal_logs has more";
    ServicePending = "service.pending", 504, "systemd still works at it", "look at the unit with service_status until its state settles";
    ServiceUnprivileged = "service.unprivileged", 503, "agentd has no right to act on units", "run osModa as root or with its privileged half; reading works without";
    JournalAbsent = "journal.absent", 503, "this machine has no journal", "look for log files instead, or run it on a machine with systemd-journald";
    JournalDenied = "journal.denied", 503, "agentd may not read the journal", "add agentd's user to the group systemd-journal and restart agentd";
    MemoryNotFound = "memory.not_found", 404, "there is no such memory", "GET /memory lists the memories there are";
    RootRequired = "root.required", 403, "this needs root, which agentd does not have here", "run it as a system: osmoda up --system, or the distribution's unit";
    SysctlNotFound = "sysctl.not_found", 404, "the kernel has no such parameter", "look below /proc/sys; a module that is not loaded has none";
    SysctlRejected = "sysctl.rejected", 422, "the kernel does not take this value", "read the parameter to see its form, then send one like it";
    ProcessNotFound = "process.not_found", 404, "there is no such process", "system_query processes lists those that run";
    ProcessReused = "process.reused", 409, "the pid is another process than the one that was meant", "ask system_query processes again and look at its command";
    FirewallAbsent = "firewall.absent", 503, "the table inet osmoda is not loaded", "load docs/osmoda.nft, as docs/network.md says; the NixOS module does it";
    FirewallNotFound = "firewall.not_found", 404, "there is no such opening", "firewall_list shows the openings; all of protocol, ports and source must be the same";
    FirewallOverlaps = "firewall.overlaps", 409, "it overlaps another opening in part", "revoke the other one first, or name other ports; firewall_list shows both";
    CgroupAbsent = "cgroup.absent", 503, "this machine has no control groups of version 2", "ask for processes instead";
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl FromStr for Code {
    type Err = NoSuchCode;

    fn from_str(text: &str) -> Result<Self, NoSuchCode> {
        Self::ALL.iter().copied().find(|code| code.as_str() == text).ok_or(NoSuchCode)
    }
}

/// The text is no code of this release.
#[derive(Debug, thiserror::Error)]
#[error("not an error code of this release")]
pub struct NoSuchCode;

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Code {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Code".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": "^[a-z_]+\\.[a-z_]+$"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_area_dot_reason_and_unique() {
        let mut seen = std::collections::BTreeSet::new();
        for code in Code::ALL {
            let (area, reason) = code.as_str().split_once('.').unwrap();
            assert!(
                [area, reason]
                    .iter()
                    .all(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
            );
            assert!(seen.insert(code.as_str()), "{} twice", code.as_str());
            assert_eq!(code.as_str().parse::<Code>().unwrap(), *code);
        }
    }
}
