//! The task behind the memory: follows edits by hand, and waits for trouble to end.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::condition::Part;
use super::engine::{RETRY, Shared};
use super::files::Tree;
use super::index::Job;
use super::notice::{Changed, Notices};

/// Runs until `stop`; then closes the index.
pub(super) async fn keep(shared: Arc<Shared>, stop: CancellationToken) {
    let mut notices: Option<Notices> = None;
    // Everything is looked at first, and again whenever something may have been missed.
    let (mut all, mut pause) = (true, RETRY);
    let (mut looked, mut not_before) = (Instant::now(), Instant::now());
    loop {
        let begun = Instant::now();
        if all && begun >= not_before {
            // Watched first, so that nothing falls between the look and the watch.
            notices = watch(&shared).await;
            let compared = shared.compare_all(&stop).await.is_ok();
            all = !compared;
            looked = Instant::now();
            not_before = looked + RETRY;
            // What looking costs decides how often it is done: never more than a fiftieth of the time.
            pause = (begun.elapsed() * 50).max(LOOK_EACH);
        }
        let now = shared.condition.now();
        let ailing = now.trouble().is_some() || all;
        // With the kernel's word, looking is a second net.
        let next_look = looked + if notices.is_some() { pause.max(LOOK_EACH_WATCHED) } else { pause };
        let mut changes = shared.condition.watch();
        changes.mark_unchanged();
        let (tree, watched) = (shared.tree.clone(), &mut notices);
        let noticed = async {
            match watched {
                Some(notices) => notices.next(&tree).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            noticed = noticed => match noticed {
                Ok(changed) if changed.all => {
                    follow(&shared, &Changed { all: false, ..changed }, &stop).await;
                    all = true;
                }
                Ok(changed) => all |= !follow(&shared, &changed, &stop).await,
                Err(error) => {
                    tracing::warn!(%error, "edits of the memory cannot be watched");
                    all = true;
                }
            },
            () = sleep(RETRY), if ailing => all |= heal(&shared).await || all,
            () = tokio::time::sleep_until(next_look), if !ailing => all = true,
            () = sleep(GLANCE_EACH) => all |= !ailing && glance(&shared).await,
            Ok(()) = changes.changed() => all |= shared.condition.now().behind && !ailing,
        }
    }
    shared.close().await;
}

async fn watch(shared: &Arc<Shared>) -> Option<Notices> {
    let _ = shared.files(Tree::make).await;
    let tree = shared.tree.clone();
    let notices = Notices::new(&tree);
    shared.condition.watching(notices.is_ok());
    notices.inspect_err(|error| tracing::debug!(%error, "the memory is looked at in turns")).ok()
}

/// Looks at what changed; `false` when something could not be looked at.
async fn follow(shared: &Shared, changed: &Changed, stop: &CancellationToken) -> bool {
    let mut whole = true;
    for month in &changed.months {
        whole &= shared.compare_month(month, stop).await.is_ok();
    }
    for path in &changed.paths {
        if stop.is_cancelled() {
            break;
        }
        whole &= shared.compare_file(path).await.is_ok();
    }
    whole
}

/// Tries what failed; `true` when it works again and everything is to be looked at.
async fn heal(shared: &Shared) -> bool {
    let files = shared.files(Tree::probe).await.is_ok();
    if files {
        shared.condition.works(Part::Files);
    }
    let wrote = shared.write(Job::Probe).await.is_ok();
    let read = shared.read(super::rows::count).await.is_ok();
    files && wrote && read
}

/// Whether somebody took the index or the folder away.
async fn glance(shared: &Shared) -> bool {
    if shared.condition.now().behind {
        return true;
    }
    if !shared.index_is_there() {
        let _ = shared.begin_anew().await;
        return true;
    }
    false
}

/// Between two looks at everything without the kernel's word.
const LOOK_EACH: Duration = Duration::from_secs(5);
/// Between two looks at everything beside it.
const LOOK_EACH_WATCHED: Duration = Duration::from_secs(600);
/// Between two looks at whether the index is still there.
const GLANCE_EACH: Duration = Duration::from_secs(5);
