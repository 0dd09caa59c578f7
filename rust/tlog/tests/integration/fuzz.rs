//! Parsers against noise: they never panic, and what they accept is written back as it was read.
//!
//! Bounded here; `cargo bolero test` runs the same targets under a coverage-guided engine.

use bolero::check;
use osmoda_tlog::checkpoint::Checkpoint;
use osmoda_tlog::chunk::Chunk;
use osmoda_tlog::cosignature::WitnessKey;
use osmoda_tlog::export::Line;
use osmoda_tlog::note::{Note, VerifierKey};
use osmoda_tlog::verify::{Trust, Verifier};

use crate::ledger::{Ledger, header, signer, witness};

const ITERATIONS: usize = 20_000;

/// Replaces, inserts or removes bytes of `seed`; the noise says where and what.
fn edited(seed: &str, noise: &[(u16, u8, u8)]) -> Vec<u8> {
    let mut bytes = seed.as_bytes().to_vec();
    for &(at, action, byte) in noise.iter().take(4) {
        let at = usize::from(at) % bytes.len().max(1);
        match action % 3 {
            0 if at < bytes.len() => bytes[at] = byte,
            1 if at < bytes.len() => drop(bytes.remove(at)),
            _ => bytes.insert(at, byte),
        }
    }
    bytes
}

fn note() -> Note {
    let mut note = Ledger::of(5).checkpoint(&signer(1));
    note.add(witness(1).cosign(note.text(), 1_777_888_999)).unwrap();
    note
}

#[test]
fn notes() {
    let (original, signer, witness) = (note(), signer(1), witness(1));
    let seed = original.to_string();
    check!().with_iterations(ITERATIONS).with_type::<Vec<(u16, u8, u8)>>().for_each(|noise| {
        let bytes = edited(&seed, noise);
        if let Ok(text) = std::str::from_utf8(&bytes)
            && let Ok(note) = text.parse::<Note>()
        {
            assert_eq!(note.to_string(), text);
            let verifies = signer.verifier().verify(&note).is_ok() || witness.witness().verify(&note).is_ok();
            assert!(!verifies || note.text() == original.text(), "a forged text verified");
        }
    });
}

#[test]
fn checkpoints() {
    let seed = note().text().to_owned();
    check!().with_iterations(ITERATIONS).with_type::<Vec<(u16, u8, u8)>>().for_each(|noise| {
        let bytes = edited(&seed, noise);
        if let Ok(text) = std::str::from_utf8(&bytes)
            && let Ok(checkpoint) = text.parse::<Checkpoint>()
        {
            assert_eq!(checkpoint.to_string(), text);
        }
    });
}

#[test]
fn keys() {
    let seeds = [signer(1).verifier().to_string(), witness(1).witness().to_string()];
    check!().with_iterations(ITERATIONS).with_type::<(bool, Vec<(u16, u8, u8)>)>().for_each(
        |(which, noise)| {
            let bytes = edited(&seeds[usize::from(*which)], noise);
            let Ok(text) = std::str::from_utf8(&bytes) else { return };
            if let Ok(key) = text.parse::<VerifierKey>() {
                assert_eq!(key.to_string(), text);
            }
            if let Ok(key) = text.parse::<WitnessKey>() {
                assert_eq!(key.to_string(), text);
            }
        },
    );
}

#[test]
fn export_lines() {
    let ledger = Ledger::of(2);
    let seeds = [
        Line::Export(header()).format(),
        Line::Event(ledger.rows[1].clone()).format(),
        Line::Checkpoint(note().to_string()).format(),
    ];
    check!().with_iterations(ITERATIONS).with_type::<(u8, Vec<(u16, u8, u8)>)>().for_each(
        |(which, noise)| {
            let bytes = edited(&seeds[usize::from(*which) % seeds.len()], noise);
            if let Ok(line) = Line::parse(&bytes) {
                assert_eq!(Line::parse(line.format().as_bytes()).unwrap(), line);
            }
        },
    );
}

#[test]
fn whole_exports() {
    let ledger = Ledger::of(4);
    let lines: Vec<String> = ledger.rows.iter().map(|row| Line::Event(row.clone()).format()).collect();
    check!().with_iterations(ITERATIONS / 10).with_type::<(u8, Vec<(u16, u8, u8)>)>().for_each(
        |(which, noise)| {
            let at = usize::from(*which) % lines.len();
            let damaged = edited(&lines[at], noise);
            let same = Line::parse(&damaged).ok() == Line::parse(lines[at].as_bytes()).ok();
            let mut verifier = Verifier::for_export(&header(), Trust::default()).unwrap();
            let mut chunk = Chunk::new();
            for (number, line) in lines.iter().enumerate() {
                chunk.push_line(if number == at { &damaged } else { line.as_bytes() });
            }
            let found = verifier.merge(chunk).err().map(|failure| failure.to_string());
            assert_eq!(found, (!same).then(|| format!("broken at {}", at + 1)));
        },
    );
}
