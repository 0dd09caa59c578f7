//! Sending a signal to exactly the process that was meant.

use osmoda_types::api::agentd::process::Signal;
use osmoda_types::{Code, Problem};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal as Number, pidfd_open, pidfd_send_signal};

use crate::process::Process;
use crate::verb::Answer;

/// Signals the process with this pid that started at this time.
pub(crate) fn send(pid: u32, start_time: u64, signal: Signal) -> Result<Answer, Problem> {
    let gone = || Problem::new(Code::ProcessNotFound).detail(format!("there is no process {pid}"));
    let id = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or_else(gone)?;
    // From here on the descriptor stands for one process, whoever gets the pid later.
    let held = pidfd_open(id, PidfdFlags::empty()).map_err(|error| match error {
        Errno::SRCH | Errno::INVAL => gone(),
        error => Problem::new(Code::HostUnreadable).detail(format!("process {pid}: {error}")),
    })?;
    let process = Process::look(pid).ok_or_else(gone)?;
    if process.start_time != start_time {
        return Err(Problem::new(Code::ProcessReused)
            .detail(format!("process {pid} is {} now, and started at another time", process.name)));
    }
    if let Some(what) = process.protection() {
        let denied = Problem::new(Code::PolicyDenied)
            .detail(format!("process {pid} ({}) is {what}, which is protected", process.name));
        return Err(denied.next_step("restart its unit with the tool for it, or ask an operator"));
    }
    pidfd_send_signal(&held, number(signal)).map_err(|error| match error {
        Errno::SRCH => gone(),
        Errno::PERM => {
            Problem::new(Code::RootRequired).detail(format!("process {pid} belongs to another user"))
        }
        error => Problem::new(Code::HostUnreadable).detail(format!("process {pid}: {error}")),
    })?;
    Ok(Answer::Signalled { name: process.name, unit: process.unit })
}

fn number(signal: Signal) -> Number {
    match signal {
        Signal::Hup => Number::HUP,
        Signal::Int => Number::INT,
        Signal::Quit => Number::QUIT,
        Signal::Usr1 => Number::USR1,
        Signal::Usr2 => Number::USR2,
        Signal::Term => Number::TERM,
        Signal::Kill => Number::KILL,
        Signal::Stop => Number::STOP,
        Signal::Cont => Number::CONT,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::{Child, Command};

    use super::*;

    fn child() -> (Child, u64) {
        let child = Command::new("sleep").arg("600").spawn().unwrap();
        let start_time = Process::look(child.id()).unwrap().start_time;
        (child, start_time)
    }

    #[test]
    fn a_process_gets_its_signal() {
        let (mut child, start_time) = child();
        assert!(matches!(send(child.id(), start_time, Signal::Term), Ok(Answer::Signalled { .. })));
        assert_eq!(child.wait().unwrap().signal(), Some(15));
        assert_eq!(send(child.id(), start_time, Signal::Term).unwrap_err().code, Code::ProcessNotFound);
    }

    #[test]
    fn one_that_started_at_another_time_is_left_alone() {
        let (mut child, start_time) = child();
        assert_eq!(send(child.id(), start_time + 1, Signal::Kill).unwrap_err().code, Code::ProcessReused);
        assert!(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn we_do_not_signal_ourselves_or_init() {
        for pid in [std::process::id(), 1] {
            let start_time = Process::look(pid).unwrap().start_time;
            assert_eq!(send(pid, start_time, Signal::Cont).unwrap_err().code, Code::PolicyDenied);
        }
        for pid in [0, u32::MAX, 4_194_304] {
            assert_eq!(send(pid, 0, Signal::Cont).unwrap_err().code, Code::ProcessNotFound);
        }
    }
}
