//! Signals to processes.

use agentd_root::process::Process;
use agentd_root::{Answer, Hands, Verb};
use osmoda_runtime::Context;
use osmoda_types::api::agentd::process::{ProcessSignalIn, ProcessSignalOut};
use osmoda_types::ledger::ProcessSignalled;
use osmoda_types::{Code, Problem, Timestamp};

use super::strange;

/// The time of boot that a start is counted from is known to a second.
const SAME_MS: u64 = 1500;

/// Signals a process; `booted_at` is what the starts of processes are counted from.
pub(crate) async fn send(
    hands: &Hands,
    context: &Context,
    booted_at: Timestamp,
    input: ProcessSignalIn,
) -> Result<ProcessSignalOut, Problem> {
    let pid = u32::try_from(input.pid.get()).expect("a pid is 2^22 at the most");
    let looked = tokio::task::spawn_blocking(move || Process::look(pid)).await.unwrap_or_default();
    let gone = || Problem::new(Code::ProcessNotFound).detail(format!("there is no process {pid}"));
    let process = looked.ok_or_else(gone)?;
    if let Some(meant) = input.started_at {
        let after_boot = process.start_time.saturating_mul(1000) / procfs::ticks_per_second();
        let started = booted_at.as_millis().saturating_add(i64::try_from(after_boot).unwrap_or(i64::MAX));
        if started.abs_diff(meant.as_millis()) > SAME_MS {
            return Err(Problem::new(Code::ProcessReused)
                .detail(format!("process {pid} is {} now, and started at another time", process.name)));
        }
    }
    let signal = input.signal;
    match hands.ask(Verb::Signal { pid, start_time: process.start_time, signal }).await? {
        Answer::Signalled { name, unit } => {
            context.fact(
                "agentd.process.signalled",
                &ProcessSignalled { v: 1, pid, name: name.clone(), unit: unit.clone(), signal },
            );
            Ok(ProcessSignalOut { pid, name, unit, signal })
        }
        other => Err(strange(&other)),
    }
}
