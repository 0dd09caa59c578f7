//! kill -9 while many write: what was answered is there, the chain holds, cut-off calls end as unknown.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::json;
use tokio::task::JoinSet;

use crate::machine::{Machine, all, assert_whole, event};

const FOLDER: &str = "OSMODA_LEDGER_CRASH_FOLDER";

#[tokio::test]
async fn what_was_answered_survives_a_kill_and_what_was_cut_off_is_unknown() {
    let folder = tempfile::tempdir().unwrap();
    let mut answered = 0;
    for round in 1..=5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::the_process_that_is_killed", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        // A line that the kill cut off has no full stop.
        let id = |line: String| line.strip_prefix("durable ")?.strip_suffix(" .")?.parse::<u64>().ok();
        let seen = lines.by_ref().filter_map(id).take(round * 50).max().expect("the child wrote");
        child.kill().unwrap();
        answered = lines.filter_map(id).chain([seen, answered]).max().expect("one is there");
        child.wait().unwrap();

        let engine = Machine::at(folder.path()).open().await;
        let stored = all(&engine).await;
        assert!(stored.len() as u64 >= answered, "{answered} was answered, {} are stored", stored.len());
        let count = |kind: &str| stored.iter().filter(|event| event.kind == kind).count();
        assert_eq!(count("agentd.test.write.intent"), count("agentd.test.write.outcome"));
        assert_whole(&engine).await;
        engine.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "started and killed by the test above"]
async fn the_process_that_is_killed() {
    let folder = std::env::var_os(FOLDER).expect("set by the parent");
    let engine = Arc::new(Machine::at(Path::new(&folder)).open().await);
    let mut tasks = JoinSet::new();
    for task in 0..16_u32 {
        let engine = Arc::clone(&engine);
        tasks.spawn(async move {
            for n in 0_u32.. {
                let request = format!("req_{:026}", u64::from(task) << 32 | u64::from(n));
                for step in ["intent", "outcome"] {
                    let payload = json!({"v": 1, "request_id": request});
                    let event = event(&format!("agentd.test.write.{step}"), "agent:main", payload);
                    let Ok(appended) = engine.append(vec![event]).await else { return };
                    let _ = writeln!(std::io::stdout(), "durable {} .", appended[0].id);
                }
            }
        });
    }
    tasks.join_next().await;
}
