//! Recall beside what limits it: FTS5's own bm25 over the same index.
//!
//! `OSMODA_BENCH_MEMORIES` sets how many memories there are (1,000,000), `OSMODA_BENCH_DIR` the disk (the system's
//! temporary folder). Files are written without syncs, in one go, and the index is built from them as after a crash.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program that prints what it measures")]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use agentd::memory::Memory;
use osmoda_types::{Clock, Entropy, MemoryId, Timestamp};
use rusqlite::{Connection, OpenFlags};
use serde_json::json;
use tokio::time::{Instant, sleep};

const NOW: i64 = 1_795_000_000_000;
/// Different words; the n-th is about n times rarer than the first.
const WORDS: u64 = 50_000;
const QUERIES: u64 = 300;

#[tokio::main]
async fn main() {
    let folder = match std::env::var_os("OSMODA_BENCH_DIR") {
        Some(disk) => tempfile::tempdir_in(disk).unwrap(),
        None => tempfile::tempdir().unwrap(),
    };
    let count = std::env::var("OSMODA_BENCH_MEMORIES").map_or(1_000_000, |text| text.parse().unwrap());
    write(folder.path(), count);
    println!("{:<46} {:>12} {:>12} {:>7}  target", "", "ours", "beside it", "ratio");
    let start = Instant::now();
    let memory = Memory::open(folder.path(), Arc::new(Fixed), Arc::new(Zeros)).await;
    while memory.health().await.index.checked_at.is_none() {
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(memory.health().await.collection_size, count);
    line("files indexed a second", count as f64 / start.elapsed().as_secs_f64(), None, "");
    println!("{:<46} {:>12.1} {:>12} {:>7}  < 40", "RssAnon with all of them, MB", anon_mb(), "", "");
    let raw =
        Connection::open_with_flags(folder.path().join("agentd/memory.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)
            .unwrap();
    recall(&memory, &raw, "one word in 1 %", |_| "percent".to_owned(), 20).await;
    recall(&memory, &raw, "one word in 0.1 %", |_| "permille".to_owned(), 20).await;
    recall(&memory, &raw, "a word in 1 % and one in half", |_| "the percent".to_owned(), 3).await;
    let three = |n| format!("word{} word{} the", 200 + n % 1000, 2000 + n * 7 % 10_000);
    recall(&memory, &raw, "three words, one in half", three, 3).await;
    println!("{:<46} {:>12.1} {:>12} {:>7}  < 40", "RssAnon after all of it, MB", anon_mb(), "", "");
    memory.close().await;
}

/// Median and 99th percentile of recall beside the median of `ORDER BY bm25` over the same words.
async fn recall(memory: &Memory, raw: &Connection, name: &str, query: impl Fn(u64) -> String, raws: u64) {
    let mut times = Vec::new();
    for n in 0..QUERIES {
        let input = serde_json::from_value(json!({"query": query(n)})).unwrap();
        let start = Instant::now();
        let found = memory.recall(input).await.unwrap();
        times.push(start.elapsed());
        assert!(!found.memories.is_empty(), "{}", query(n));
    }
    let sql =
        "SELECT rowid FROM words WHERE words MATCH ?1 ORDER BY bm25(words, 4.0, 1.0, 3.0, 2.0) LIMIT 10";
    let mut statement = raw.prepare(sql).unwrap();
    let mut beside = Vec::new();
    for n in 0..raws {
        let words = query(n).split(' ').map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" OR ");
        let start = Instant::now();
        let rows: Vec<i64> =
            statement.query_map([words], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        beside.push(start.elapsed());
        assert!(!rows.is_empty());
    }
    let beside = micros(quantile(&mut beside, 0.5));
    line(&format!("{name}: p50 us | raw bm25 p50"), micros(quantile(&mut times, 0.5)), Some(beside), "");
    line(&format!("{name}: p99 us"), micros(quantile(&mut times, 0.99)), Some(beside), "< 20000");
}

/// Files as `memory/store` writes them, one every half a minute.
fn write(folder: &Path, count: u64) {
    let mut seed = 7_u64;
    for n in 0..count {
        let at = NOW - i64::try_from((count - n) * 30_000).unwrap();
        let at = Timestamp::from_millis(at).unwrap();
        let bits = u128::try_from(at.as_millis()).unwrap() << 80 | u128::from(n);
        let id = MemoryId::from_bits(bits);
        let mut words = String::new();
        for _ in 0..24 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // The rank of a word by Zipf's law: the logarithm of the rank is even.
            let part = (seed >> 11) as f64 / (1_u64 << 53) as f64;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to WORDS")]
            let rank = ((WORDS as f64).ln() * part).exp() as u64;
            words.push_str(&format!("word{rank} "));
        }
        for (each, word) in [(2, "the "), (100, "percent "), (1000, "permille ")] {
            if n % each == 0 {
                words.push_str(word);
            }
        }
        let month = at.to_string();
        let month = folder.join("memory").join(&month[..4]).join(&month[5..7]);
        fs::create_dir_all(&month).unwrap();
        let text = format!(
            "---\nid: {id}\ncreated_at: {at}\ncategory: bench\ntags: []\ntrusted: true\n---\n\n# memory {n}\n\n{words}\n"
        );
        fs::write(month.join(format!("{id}.md")), text).unwrap();
    }
}

fn anon_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1024.0
}

fn line(name: &str, ours: f64, beside: Option<f64>, target: &str) {
    match beside {
        Some(beside) => println!("{name:<46} {ours:>12.0} {beside:>12.0} {:>7.2}  {target}", ours / beside),
        None => println!("{name:<46} {ours:>12.0} {:>12} {:>7}  {target}", "", ""),
    }
}

fn quantile(times: &mut [Duration], part: f64) -> Duration {
    times.sort_unstable();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "part lies in 0..1")]
    let place = (times.len() as f64 * part) as usize;
    times[place]
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(NOW).unwrap()
    }
}

struct Zeros;

impl Entropy for Zeros {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0);
    }
}
