//! A small ledger made from fixed seeds: the same rows, keys and signatures in every run.

use osmoda_tlog::chain::{GENESIS, Row};
use osmoda_tlog::checkpoint::{Checkpoint, ledger_origin};
use osmoda_tlog::chunk::Chunk;
use osmoda_tlog::cosignature::Cosigner;
use osmoda_tlog::export::{Header, Line};
use osmoda_tlog::merkle::{Frontier, leaf_hash};
use osmoda_tlog::note::{Note, Signer};
use osmoda_tlog::signer::{CHANGED, CREATED, Changed, Created};
use osmoda_tlog::to_hex;
use osmoda_tlog::verdict::{Failure, Report};
use osmoda_tlog::verify::{Trust, Verifier};

pub(crate) const MACHINE: &str = "mach_01k0000000000000000000000v";

/// Rows with their tree; knows how to write itself down.
#[derive(Clone)]
pub(crate) struct Ledger {
    pub(crate) rows: Vec<Row>,
    pub(crate) frontier: Frontier,
}

pub(crate) fn origin() -> String {
    ledger_origin(MACHINE)
}

pub(crate) fn signer(seed: u8) -> Signer {
    Signer::from_seed(&origin(), &[seed; 32]).unwrap()
}

pub(crate) fn witness(number: u8) -> Cosigner {
    Cosigner::from_seed(&format!("peer{number}.example/witness"), &[100 + number; 32]).unwrap()
}

impl Ledger {
    /// A ledger whose event 1 names the key of seed 1.
    pub(crate) fn create() -> Self {
        let mut ledger = Self { rows: Vec::new(), frontier: Frontier::new() };
        let signer = signer(1).verifier().clone();
        let created = Created { machine_id: MACHINE.to_owned(), origin: origin(), signer, v: 1 };
        ledger.append(CREATED, &serde_json::to_string(&created).unwrap());
        ledger
    }

    /// The same with ordinary events up to `size` rows.
    pub(crate) fn of(size: u64) -> Self {
        let mut ledger = Self::create();
        ledger.fill(size);
        ledger
    }

    pub(crate) fn fill(&mut self, size: u64) {
        for number in self.frontier.size()..size {
            self.append(
                "watch.unit.checked",
                &format!("{{\"number\":{number},\"text\":\"a|b \\\"é\\\"\",\"v\":1}}"),
            );
        }
    }

    pub(crate) fn append(&mut self, kind: &str, payload: &str) {
        let id = self.frontier.size() + 1;
        let prev_hash = self.rows.last().map_or(GENESIS.to_owned(), |row| row.hash.clone());
        let row = Row {
            id,
            ts: format!("2026-05-04T10:{:02}:{:02}.{:03}Z", id / 60 % 60, id % 60, id % 1000),
            kind: kind.to_owned(),
            actor: "daemon:agentd".to_owned(),
            payload: payload.to_owned(),
            prev_hash,
            hash: String::new(),
        };
        self.push(row);
    }

    /// Appends a row with its hash made good.
    pub(crate) fn push(&mut self, mut row: Row) {
        row.hash = to_hex(&row.as_ref().computed_hash());
        self.frontier.append(leaf_hash(row.hash.as_bytes()));
        self.rows.push(row);
    }

    pub(crate) fn hand_over(&mut self, from: &Signer, to: &Signer) {
        let change = Changed::sign(from, to.verifier().clone());
        self.append(CHANGED, &serde_json::to_string(&change).unwrap());
    }

    pub(crate) fn checkpoint(&self, signer: &Signer) -> Note {
        let checkpoint =
            Checkpoint { origin: origin(), size: self.frontier.size(), root: self.frontier.root() };
        checkpoint.sign(signer).unwrap()
    }
}

pub(crate) fn header() -> Header {
    Header { v: 1, origin: origin(), signer: signer(1).verifier().clone(), after: None }
}

/// The lines of an export: header, rows, and each note behind the last row it covers.
pub(crate) fn export(rows: &[Row], notes: &[Note]) -> Vec<Line> {
    let size = |note: &Note| note.text().parse::<Checkpoint>().unwrap().size;
    let mut lines = vec![Line::Export(header())];
    for row in rows {
        lines.push(Line::Event(row.clone()));
        let here = notes.iter().filter(|note| size(note) == row.id);
        lines.extend(here.map(|note| Line::Checkpoint(note.to_string())));
    }
    lines
}

/// [`verify_text`] over lines still to be written.
pub(crate) fn verify(
    lines: &[Line],
    chunk_lines: usize,
    against: &[&Note],
    trust: Trust,
) -> Result<Report, Failure> {
    let lines: Vec<String> = lines.iter().map(Line::format).collect();
    verify_text(&lines, chunk_lines, against, trust)
}

/// The verdict over an export's lines, so many at a time.
pub(crate) fn verify_text(
    lines: &[String],
    chunk_lines: usize,
    against: &[&Note],
    trust: Trust,
) -> Result<Report, Failure> {
    let Line::Export(header) = Line::parse(lines[0].as_bytes()).unwrap() else {
        panic!("an export begins with its header")
    };
    let mut verifier = Verifier::for_export(&header, trust)?;
    for note in against {
        verifier.against(&note.to_string())?;
    }
    for lines in lines[1..].chunks(chunk_lines) {
        let mut chunk = Chunk::new();
        lines.iter().for_each(|line| chunk.push_line(line.as_bytes()));
        verifier.merge(chunk)?;
    }
    verifier.finish()
}
