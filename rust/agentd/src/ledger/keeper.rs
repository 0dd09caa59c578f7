//! The task behind the ledger: signs in time, copies checkpoints out of the database, watches for healing.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::appender::{Job, Waiting};
use super::condition::Part;
use super::engine::{RETRY, Shared};
use super::{checkpoints, rows};

/// Runs until `stop`; then signs the rest and closes the database.
pub(super) async fn keep(shared: Arc<Shared>, stop: CancellationToken) {
    let position = shared.position.subscribe();
    let mut parts = shared.condition.watch();
    copy(&shared).await;
    let mut due = None;
    loop {
        let parts_now = *parts.borrow_and_update();
        let ailing = parts_now.fails(Part::Write) || parts_now.fails(Part::Read);
        let signing = !parts_now.fails(Part::Sign);
        let waiting = position.borrow().waiting();
        if waiting == Waiting::Nothing {
            due = None;
        } else if waiting == Waiting::Batch && signing {
            due = Some(Instant::now());
        } else {
            due.get_or_insert_with(|| Instant::now() + SIGN_EVERY);
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = sleep(RETRY), if ailing => drop((shared.submit(Job::Probe).await, shared.read(rows::size).await)),
            () = sleep_until(due.unwrap_or_else(Instant::now)), if !ailing && due.is_some() => {
                due = None;
                if shared.sign().await.is_ok() {
                    copy(&shared).await;
                }
            }
            () = shared.unsigned.notified() => {}
            Ok(()) = parts.changed() => {}
        }
    }
    if shared.sign().await.is_ok() {
        copy(&shared).await;
    }
    shared.close().await;
}

/// Brings the append-only file of checkpoints up to the table.
pub(super) async fn copy(shared: &Shared) {
    let path = shared.checkpoints_file();
    let copied = shared.read(move |connection| checkpoints::copy(connection, &path)).await;
    if let Ok(Err(error)) = copied {
        let error: &dyn std::error::Error = &error;
        tracing::warn!(error, "checkpoints cannot be copied to their file");
    }
}

/// A checkpoint follows the first unsigned event after so long, if not so many of them come first.
const SIGN_EVERY: Duration = Duration::from_secs(60);
