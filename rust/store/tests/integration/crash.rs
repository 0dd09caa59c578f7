//! kill -9 in the middle of group commits: what was acknowledged is there, and nothing is half there.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;

use osmoda_store::open;
use tokio::task::JoinSet;

use crate::numbers::{Given, SCHEMA, last_number};
use crate::writing::start;

const FOLDER: &str = "OSMODA_STORE_CRASH_FOLDER";

#[test]
fn an_acknowledged_job_survives_a_kill() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let mut acknowledged = 0;
    for round in 1..=8 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::the_process_that_is_killed", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        // A line that the kill cut off has no full stop.
        let durable = |line: String| line.strip_prefix("durable ")?.strip_suffix(" .")?.parse::<i64>().ok();
        let seen = lines.by_ref().filter_map(durable).take(round * 40).max().expect("the child wrote");
        child.kill().unwrap();
        acknowledged = lines.filter_map(durable).chain([seen, acknowledged]).max().expect("one is there");
        child.wait().unwrap();

        let connection = open(&path, SCHEMA).unwrap();
        let last = last_number(&connection);
        let rows: i64 = connection.query_row("SELECT count(*) FROM numbers", [], |row| row.get(0)).unwrap();
        let check: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert!(last >= acknowledged, "{acknowledged} was acknowledged, {last} is stored");
        assert_eq!(rows, last, "no gaps");
        assert_eq!(check, "ok");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started and killed by an_acknowledged_job_survives_a_kill"]
async fn the_process_that_is_killed() {
    let folder = std::env::var_os(FOLDER).expect("set by the parent");
    let writer = Arc::new(start(&std::path::Path::new(&folder).join("state.db")));
    let mut tasks = JoinSet::new();
    for _ in 0..16 {
        let writer = Arc::clone(&writer);
        tasks.spawn(async move {
            while let Ok(Given::Number { n, .. }) = writer.submit(vec![7; 300]).await {
                let _ = writeln!(std::io::stdout(), "durable {n} .");
            }
        });
    }
    tasks.join_next().await;
}
