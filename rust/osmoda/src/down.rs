//! `osmoda down`: ends the `osmoda up` of a place and waits until nothing of it is left.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::args::Where;
use crate::lock::holder;
use crate::place::Place;
use crate::say;

/// Returns when the process is gone and the place is free.
pub(crate) fn down(place: &Where) -> Result<ExitCode> {
    let place = Place::new(place)?;
    let Some(pid) = holder(&place)? else {
        say(format_args!("nothing runs in {place}"));
        return Ok(ExitCode::SUCCESS);
    };
    let process = Pid::from_raw(pid).context("run/up.pid names no process")?;
    let handle = match pidfd_open(process, PidfdFlags::empty()) {
        Err(Errno::SRCH) => return Ok(gone(&place)),
        other => other.with_context(|| format!("cannot reach process {pid}"))?,
    };
    // The handle keeps its process even if the number is given to another; that it still holds the place shows that it
    // is the right one.
    if holder(&place)? != Some(pid) {
        return Ok(gone(&place));
    }
    match pidfd_send_signal(&handle, Signal::TERM) {
        Err(Errno::SRCH) => return Ok(gone(&place)),
        other => other.with_context(|| format!("cannot stop process {pid}"))?,
    }
    let patience = Timespec { tv_sec: PATIENCE_SECS, tv_nsec: 0 };
    if poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&patience))
        .context("cannot wait for the process")?
        == 0
    {
        bail!("process {pid} is still stopping after {PATIENCE_SECS} s: see {}", place.log.display());
    }
    Ok(gone(&place))
}

fn gone(place: &Place) -> ExitCode {
    say(format_args!("stopped {place}"));
    ExitCode::SUCCESS
}

/// Two daemons' deadlines one after the other, as agentd ends after the others, and some.
const PATIENCE_SECS: i64 = 40;
