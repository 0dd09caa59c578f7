//! How agentctl ends: exit codes, and errors in words for people or as a problem for programs.

use std::io::{self, Write};
use std::process::ExitCode;

use osmoda_client::CallError;
use osmoda_types::chain;

/// What a verb comes to.
pub(crate) type Outcome = anyhow::Result<Exit>;

/// Exit codes, the worse ones last; those above 63 are sysexits.h's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    Ok,
    Failed,
    Usage,
    Absent,
    Denied,
    /// The verdict of `verify-ledger`: 0 to 4.
    Verdict(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::Failed => 1,
            Exit::Usage => 64,
            Exit::Absent => 69,
            Exit::Denied => 77,
            Exit::Verdict(code) => code,
        })
    }
}

/// An error of the person who typed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Misuse(pub(crate) String);

/// Says on stderr what went wrong and what can be done; a reader that went away needs to be told nothing.
pub(crate) fn report(error: &anyhow::Error, json: bool) -> Exit {
    if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
        return Exit::Ok;
    }
    let call = error.downcast_ref::<CallError>();
    let exit = match call {
        Some(call) => exit_of(call),
        None if error.is::<Misuse>() => Exit::Usage,
        None => Exit::Failed,
    };
    let text = match call {
        Some(call) if json => serde_json::to_string(&call.problem()).expect("a problem is plain data"),
        Some(call) => in_words(call),
        None => format!("{error:#}"),
    };
    let name = if json && call.is_some() { "" } else { "agentctl: " };
    let _ = writeln!(io::stderr(), "{name}{text}");
    exit
}

/// The exit code of a call that failed.
pub(crate) fn exit_of(error: &CallError) -> Exit {
    match error {
        CallError::Absent { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => Exit::Denied,
        CallError::Absent { .. } => Exit::Absent,
        CallError::Untrusted { .. } => Exit::Denied,
        CallError::Problem(problem) if problem.status == 403 => Exit::Denied,
        _ => Exit::Failed,
    }
}

/// The error, and below it what to do.
pub(crate) fn in_words(error: &CallError) -> String {
    match error {
        CallError::Absent { source, .. } => format!("{error}: {source}\n  {}", error.remedy()),
        CallError::Problem(problem) => match &problem.instance {
            Some(request) => format!("{problem}\n  request {request}"),
            None => problem.to_string(),
        },
        other => format!("{:#}\n  {}", chain(other), other.remedy()),
    }
}

#[cfg(test)]
mod tests {
    use osmoda_types::{Code, Daemon};

    use super::*;

    #[test]
    fn a_socket_that_may_not_be_opened_is_a_denial_not_an_absence() {
        let absent = |kind: io::ErrorKind| CallError::Absent {
            daemon: Daemon::Agentd,
            socket: "/run/osmoda/agentd.sock".into(),
            source: kind.into(),
        };
        assert_eq!(exit_of(&absent(io::ErrorKind::NotFound)), Exit::Absent);
        assert_eq!(exit_of(&absent(io::ErrorKind::PermissionDenied)), Exit::Denied);
        assert_eq!(exit_of(&CallError::Problem(Box::new(Code::AuthRing.into()))), Exit::Denied);
        assert_eq!(exit_of(&CallError::Problem(Box::new(Code::RequestField.into()))), Exit::Failed);
    }
}
