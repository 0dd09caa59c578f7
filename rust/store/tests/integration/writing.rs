//! The writer and the readers while all is well.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use osmoda_store::{Error, Readers, Writer, open, open_read_only};
use tokio::task::JoinSet;

use crate::numbers::{Given, Numbers, SCHEMA, last_number};

pub(crate) fn start(path: &std::path::Path) -> Writer<Numbers> {
    let connection = open(path, SCHEMA).expect("it opens");
    let numbers = Numbers::resume(&connection);
    Writer::start("test-writer", path, connection, numbers).expect("a thread")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_writers_get_contiguous_numbers_and_share_commits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let writer = Arc::new(start(&path));
    let mut tasks = JoinSet::new();
    for _ in 0..64 {
        let writer = Arc::clone(&writer);
        tasks.spawn(async move {
            let mut given = Vec::new();
            for _ in 0..20 {
                given.push(writer.submit(b"x".to_vec()).await.unwrap());
            }
            given
        });
    }
    let mut numbers = Vec::new();
    let mut batches = 0;
    while let Some(given) = tasks.join_next().await {
        let own: Vec<i64> = given
            .unwrap()
            .into_iter()
            .map(|given| match given {
                Given::Number { n, batch } => {
                    batches = batches.max(batch + 1);
                    n
                }
                Given::Refused => panic!("nothing is refused here"),
            })
            .collect();
        assert!(own.is_sorted(), "one caller's jobs keep their order");
        numbers.extend(own);
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=64 * 20).collect::<Vec<_>>());
    assert!(batches < 64 * 20 / 2, "{batches} commits for {} jobs", 64 * 20);
}

#[tokio::test]
async fn a_refused_job_fails_alone() {
    let folder = tempfile::tempdir().unwrap();
    let writer = start(&folder.path().join("state.db"));
    let (a, refused, b) = tokio::join!(
        writer.submit(b"a".to_vec()),
        writer.submit(b"!".to_vec()),
        writer.submit(b"b".to_vec())
    );
    assert!(matches!(a.unwrap(), Given::Number { n: 1, .. }));
    assert_eq!(refused.unwrap(), Given::Refused);
    assert!(matches!(b.unwrap(), Given::Number { n: 2, .. }));
}

#[tokio::test]
async fn closing_keeps_what_was_handed_over_and_refuses_what_comes_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let writer = start(&path);
    let jobs = queue(&writer, 100);
    let (results, ()) = tokio::join!(jobs, writer.close());
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 100);
    assert!(!folder.path().join("state.db-wal").exists(), "the connection is closed");
    assert!(matches!(writer.submit(Vec::new()).await, Err(Error::Closed)));
    assert_eq!(last_number(&open_read_only(&path).unwrap()), 100);
}

async fn queue(writer: &Writer<Numbers>, count: usize) -> Vec<Result<Given, Error>> {
    let mut waiting: Vec<_> = (0..count).map(|_| Box::pin(writer.submit(b"x".to_vec()))).collect();
    // Polled once each, so that all are queued before anything else is.
    for job in &mut waiting {
        assert!(std::future::poll_fn(|cx| std::task::Poll::Ready(job.as_mut().poll(cx))).await.is_pending());
    }
    let mut results = Vec::new();
    for job in waiting {
        results.push(job.await);
    }
    results
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_run_beside_the_writer_and_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let writer = start(&path);
    let readers = Readers::new(&path, 2);
    let running = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for _ in 0..32 {
        let (readers, running) = (readers.clone(), Arc::clone(&running));
        tasks.spawn(async move {
            readers
                .read(move |connection| {
                    let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                    let last = last_number(connection);
                    running.fetch_sub(1, Ordering::SeqCst);
                    Ok((now, last))
                })
                .await
                .unwrap()
        });
    }
    writer.submit(b"x".to_vec()).await.unwrap();
    while let Some(seen) = tasks.join_next().await {
        let (running, last) = seen.unwrap();
        assert!(running <= 2);
        assert!(last <= 1);
    }
    let last = readers.read(|connection| Ok(last_number(connection))).await.unwrap();
    assert_eq!(last, 1, "a read after the answer sees the write");
}
