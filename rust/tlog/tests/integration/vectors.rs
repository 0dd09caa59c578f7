//! The published vectors: written by this crate (`UPDATE=1` writes them anew), judged by it and by `verify.py`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use osmoda_tlog::chain::Row;
use osmoda_tlog::export::Line;
use osmoda_tlog::merkle::{leaf_hash, node_hash};
use osmoda_tlog::note::Note;
use osmoda_tlog::to_hex;
use osmoda_tlog::verify::Trust;

use crate::ledger::{Ledger, export, signer, verify_text};

/// An export, perhaps a note kept elsewhere, and the exit code they must lead to.
struct Vector {
    name: &'static str,
    lines: Vec<String>,
    against: Option<Note>,
    exit: u8,
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/ledger")
}

fn vectors() -> Vec<Vector> {
    let mut ledger = Ledger::of(7);
    let mut notes = vec![ledger.checkpoint(&signer(1))];
    ledger.hand_over(&signer(1), &signer(2));
    ledger.fill(11);
    notes.push(ledger.checkpoint(&signer(2)));
    ledger.fill(12);
    let kept = ledger.checkpoint(&signer(2));

    let mut flipped = ledger.rows.clone();
    flipped[4].payload = flipped[4].payload.replace("\"number\":4", "\"number\":5");
    let mut deleted = ledger.rows.clone();
    deleted.remove(4);
    let mut swapped = ledger.rows.clone();
    swapped.swap(4, 5);
    let mut rewritten = Ledger::of(4);
    rewritten.append("watch.unit.checked", "{\"forged\":true}");
    rewritten.fill(12);
    let own = rewritten.checkpoint(&signer(1));
    let mut thief = Ledger::of(4);
    thief.hand_over(&signer(7), &signer(7));
    let forged = ledger.checkpoint(&signer(7));

    let vector = |name, lines: Vec<Line>, against: Option<&Note>, exit| Vector {
        name,
        lines: lines.iter().map(Line::format).collect(),
        against: against.cloned(),
        exit,
    };
    let mut vectors = vec![
        vector("good", export(&ledger.rows, &notes), Some(&kept), 0),
        vector("flipped", export(&flipped, &notes), None, 1),
        vector("deleted", export(&deleted, &notes), None, 1),
        vector("swapped", export(&swapped, &notes), None, 1),
        vector("stolen", export(&thief.rows, &[]), None, 1),
        vector("forged", export(&ledger.rows, &[forged]), None, 2),
        vector("rewritten", export(&rewritten.rows, &[own]), Some(&kept), 2),
        vector("truncated", export(&ledger.rows[..11], &notes), Some(&kept), 3),
    ];
    let mut garbled = export(&ledger.rows, &notes).iter().map(Line::format).collect::<Vec<_>>();
    garbled[5].insert(9, '}');
    vectors.push(Vector { name: "garbled", lines: garbled, against: None, exit: 1 });
    vectors
}

/// The table of the vectors, one line each: `export note-or-dash exit-code`.
fn index(vectors: &[Vector]) -> String {
    let line = |v: &Vector| {
        let note = v.against.as_ref().map_or("-".to_owned(), |_| format!("{}.note", v.name));
        format!("{}.jsonl {note} {}\n", v.name, v.exit)
    };
    vectors.iter().map(line).collect()
}

#[test]
fn the_published_files_are_what_this_crate_writes() {
    let vectors = vectors();
    let mut files = vec![("index.txt".to_owned(), index(&vectors))];
    for v in &vectors {
        files.push((format!("{}.jsonl", v.name), v.lines.iter().map(|line| format!("{line}\n")).collect()));
        files.extend(v.against.as_ref().map(|note| (format!("{}.note", v.name), note.to_string())));
    }
    for (name, content) in files {
        let path = docs().join("vectors").join(name);
        if std::env::var_os("UPDATE").is_some() {
            fs::write(&path, &content).unwrap();
        }
        let published = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(published, content, "{} is stale: run with UPDATE=1", path.display());
    }
}

#[test]
fn this_verifier_and_the_python_one_agree_on_every_vector() {
    for v in vectors() {
        let against: Vec<&Note> = v.against.iter().collect();
        let verdict = verify_text(&v.lines, 4, &against, Trust::default());
        let verdict = verdict.map_or_else(|failure| failure.exit_code(), |_| 0);
        assert_eq!(verdict, v.exit, "{}", v.name);

        let mut python = Command::new("python3");
        python.arg("-B");
        python.arg(docs().join("verify.py")).arg(docs().join(format!("vectors/{}.jsonl", v.name)));
        if v.against.is_some() {
            python.arg("--against").arg(docs().join(format!("vectors/{}.note", v.name)));
        }
        let output = python.output().expect("python3 runs");
        assert_eq!(output.status.code(), Some(i32::from(v.exit)), "{}: {output:?}", v.name);
    }
}

#[test]
fn the_worked_example_of_the_specification_is_true() {
    let ledger = Ledger::of(7);
    let rows: Vec<_> = ledger.rows[..2].iter().map(Row::as_ref).collect();
    let [id, ts, kind] = [&rows[1].id.to_string(), rows[1].ts, rows[1].kind];
    let preimage = [id, ts, kind, rows[1].actor, rows[1].payload, rows[1].prev_hash].join("|");
    let leaves = [leaf_hash(rows[0].hash.as_bytes()), leaf_hash(rows[1].hash.as_bytes())];
    let readme = fs::read_to_string(docs().join("README.md")).unwrap();
    for value in [
        preimage,
        rows[1].hash.to_owned(),
        to_hex(&leaves[0]),
        to_hex(&leaves[1]),
        to_hex(&node_hash(&leaves[0], &leaves[1])),
        data_encoding::BASE64.encode(&ledger.frontier.root()),
    ] {
        assert!(readme.contains(&value), "not in the specification: {value}");
    }
}
