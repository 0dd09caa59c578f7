//! The verifier: joins chunks in order, grows the tree, checks every checkpoint as its size is reached.
//!
//! Memory is one chunk, the frontier and the checkpoints still ahead, whatever the ledger's length.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use crate::Error;
use crate::chain::GENESIS;
use crate::checkpoint::{Checkpoint, ledger_origin};
use crate::chunk::{Chunk, Last, Mark};
use crate::cosignature::WitnessKey;
use crate::export::Header;
use crate::merkle::Frontier;
use crate::note::{Note, VerifierKey};
use crate::signer::{Changed, Created};
use crate::verdict::{CheckpointFault, Failure, Report, RowFault};

/// Most checkpoints that may wait for events still to come.
const MAX_WAITING: usize = 65_536;

/// What the caller knows from elsewhere.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// The key that must be in force where the ledger starts (at event 1, or where a partial export starts);
    /// later keys follow from it by signed hand-over. Without it the ledger's own word is taken.
    pub signer: Option<VerifierKey>,
    /// Witnesses whose cosignatures count.
    pub witnesses: Vec<WitnessKey>,
}

/// Verifies one ledger: [`Verifier::against`] first, then [`Verifier::merge`] in order, then
/// [`Verifier::finish`]. The first failure is the verdict; what comes after it means nothing.
#[derive(Debug)]
pub struct Verifier {
    /// Name and key of the log; unknown until event 1, which must fit `expected`.
    log: Option<Log>,
    expected: Expected,
    last: Last,
    frontier: Frontier,
    /// Checkpoints by size, ahead of the frontier.
    waiting: BTreeMap<u64, Vec<Signed>>,
    waiting_count: usize,
    signed: Option<u64>,
    witnesses: Vec<(WitnessKey, u64)>,
}

#[derive(Debug)]
struct Log {
    origin: String,
    signer: VerifierKey,
}

#[derive(Debug, Default)]
struct Expected {
    origin: Option<String>,
    signer: Option<VerifierKey>,
}

#[derive(Debug)]
struct Signed {
    note: Note,
    checkpoint: Checkpoint,
}

impl Verifier {
    /// For a whole ledger, from event 1.
    pub fn new(trust: Trust) -> Self {
        let mut witnesses: Vec<(WitnessKey, u64)> = Vec::new();
        for witness in trust.witnesses {
            // A cosignature does not bind the name: one key under two names is one witness.
            if witnesses.iter().all(|(known, _)| known.public() != witness.public()) {
                witnesses.push((witness, 0));
            }
        }
        Self {
            log: None,
            expected: Expected { origin: None, signer: trust.signer },
            last: Last { id: 0, ts: [0; 24], hash: hex(GENESIS) },
            frontier: Frontier::new(),
            waiting: BTreeMap::new(),
            waiting_count: 0,
            signed: None,
            witnesses,
        }
    }

    /// For an export with this header, whole or partial.
    pub fn for_export(header: &Header, trust: Trust) -> Result<Self, Failure> {
        let first = header.after.as_ref().map_or(1, |after| after.size.saturating_add(1));
        let broken = |fault| Failure::Broken { id: first, fault };
        let unreadable = |error| broken(RowFault::Unreadable(error));
        header.check().map_err(unreadable)?;
        if trust.signer.as_ref().is_some_and(|trusted| *trusted != header.signer) {
            return Err(broken(RowFault::Untrusted));
        }
        let mut verifier = Self::new(trust);
        match &header.after {
            None => {
                verifier.expected =
                    Expected { origin: Some(header.origin.clone()), signer: Some(header.signer.clone()) };
            }
            Some(after) => {
                verifier.frontier = after.frontier().map_err(unreadable)?;
                verifier.last = Last { id: after.size, ts: [0; 24], hash: hex(&after.hash) };
                verifier.log = Some(Log { origin: header.origin.clone(), signer: header.signer.clone() });
            }
        }
        Ok(verifier)
    }

    /// A checkpoint kept elsewhere, as its note's text. Before the events it covers.
    pub fn against(&mut self, note: &str) -> Result<(), Failure> {
        self.checkpoint(note)
    }

    /// Joins the next chunk.
    pub fn merge(&mut self, chunk: Chunk) -> Result<(), Failure> {
        if let Some(opening) = &chunk.opening {
            let fault = if opening.id == self.next_id() {
                self.last.admit(opening.ts, &opening.prev_hash)
            } else {
                Err(RowFault::Id { found: opening.id })
            };
            fault.map_err(|fault| self.broken(fault))?;
        }
        if let Some(last) = chunk.last {
            self.last = last;
        }
        let mut marks = chunk.marks.into_iter().peekable();
        for (before, leaf) in chunk.leaves.into_iter().enumerate() {
            while let Some((_, mark)) = marks.next_if(|(position, _)| *position == before) {
                self.mark(&mark)?;
            }
            if self.log.is_none() {
                return Err(self.broken(RowFault::NotCreated));
            }
            self.frontier.append(leaf);
            if let Some(reached) = self.waiting.remove(&self.frontier.size()) {
                self.waiting_count -= reached.len();
                reached.iter().try_for_each(|checkpoint| self.judge(checkpoint))?;
            }
        }
        marks.try_for_each(|(_, mark)| self.mark(&mark))?;
        chunk.fault.map_or(Ok(()), |fault| Err(self.broken(fault)))
    }

    /// The verdict, when all chunks are joined.
    pub fn finish(self) -> Result<Report, Failure> {
        let verified = self.frontier.size();
        let Some(log) = &self.log else {
            return Err(match self.waiting.last_key_value() {
                Some((&known, _)) => Failure::Truncated { verified, known },
                None => self.broken(RowFault::NotCreated),
            });
        };
        // A checkpoint beyond the end proves a loss only if the ledger's key signed it.
        for (&size, checkpoints) in &self.waiting {
            for checkpoint in checkpoints {
                log.check_signature(checkpoint).map_err(|fault| Failure::Checkpoint { size, fault })?;
            }
        }
        if let Some((&known, _)) = self.waiting.last_key_value() {
            return Err(Failure::Truncated { verified, known });
        }
        let mut witnesses: Vec<_> = self.witnesses.iter().filter(|(_, size)| *size > 0).collect();
        witnesses.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
        let witnesses = witnesses.into_iter().map(|(key, size)| (key.name().to_owned(), *size)).collect();
        let Log { origin, signer } = log;
        Ok(Report {
            origin: origin.clone(),
            signer: signer.clone(),
            verified,
            signed: self.signed,
            witnesses,
        })
    }

    fn next_id(&self) -> u64 {
        self.frontier.size() + 1
    }

    fn broken(&self, fault: RowFault) -> Failure {
        Failure::Broken { id: self.next_id(), fault }
    }

    fn mark(&mut self, mark: &Mark) -> Result<(), Failure> {
        match mark {
            Mark::Checkpoint(note) => self.checkpoint(note),
            Mark::Created(payload) => self.created(payload).map_err(|fault| self.broken(fault)),
            Mark::Changed(payload) => self.changed(payload).map_err(|fault| self.broken(fault)),
        }
    }

    fn created(&mut self, payload: &str) -> Result<(), RowFault> {
        let Created { machine_id, origin, signer, v } = read_payload(payload).map_err(RowFault::Signer)?;
        let expected = self.expected.origin.as_ref().is_none_or(|expected| *expected == origin);
        let named = origin == ledger_origin(&machine_id) && origin == signer.name();
        if v != 1 || !named || !expected || self.log.is_some() {
            return Err(RowFault::NotCreated);
        }
        if self.expected.signer.as_ref().is_some_and(|expected| *expected != signer) {
            return Err(RowFault::Untrusted);
        }
        self.log = Some(Log { origin, signer });
        Ok(())
    }

    fn changed(&mut self, payload: &str) -> Result<(), RowFault> {
        let change: Changed = read_payload(payload).map_err(RowFault::Signer)?;
        let log = self.log.as_mut().ok_or(RowFault::NotCreated)?;
        change.verify(&log.signer).map_err(RowFault::Signer)?;
        log.signer = change.to;
        Ok(())
    }

    /// Checks a checkpoint now or puts it aside until its size is reached.
    fn checkpoint(&mut self, note: &str) -> Result<(), Failure> {
        let reached = self.frontier.size();
        let malformed =
            |error| Failure::Checkpoint { size: reached, fault: CheckpointFault::Malformed(error) };
        let note: Note = note.parse().map_err(malformed)?;
        let checkpoint: Checkpoint = note.text().parse().map_err(malformed)?;
        let size = checkpoint.size;
        if size < reached || size == 0 {
            return Err(Failure::Checkpoint { size, fault: CheckpointFault::Late });
        }
        let signed = Signed { note, checkpoint };
        if size == reached {
            return self.judge(&signed);
        }
        if self.waiting_count == MAX_WAITING {
            return Err(Failure::Checkpoint { size, fault: CheckpointFault::TooMany });
        }
        self.waiting_count += 1;
        self.waiting.entry(size).or_default().push(signed);
        Ok(())
    }

    /// Checks a checkpoint of the size reached.
    fn judge(&mut self, signed: &Signed) -> Result<(), Failure> {
        let size = signed.checkpoint.size;
        let wrong = |fault| Failure::Checkpoint { size, fault };
        if signed.checkpoint.root != self.frontier.root() {
            return Err(wrong(CheckpointFault::Root));
        }
        let log = self.log.as_ref().ok_or(wrong(CheckpointFault::Late))?;
        log.check_signature(signed).map_err(wrong)?;
        self.signed = Some(size);
        for (key, seen) in &mut self.witnesses {
            match key.verify(&signed.note) {
                Ok(_) => *seen = size,
                Err(Error::NotSigned { .. }) => {}
                Err(error) => return Err(wrong(CheckpointFault::Cosignature(error))),
            }
        }
        Ok(())
    }
}

impl Log {
    fn check_signature(&self, signed: &Signed) -> Result<(), CheckpointFault> {
        if signed.checkpoint.origin != self.origin {
            return Err(CheckpointFault::Origin);
        }
        self.signer.verify(&signed.note).map_err(CheckpointFault::Signature)
    }
}

fn read_payload<T: DeserializeOwned>(payload: &str) -> Result<T, Error> {
    serde_json::from_str(payload).map_err(|_| Error::SignerChange { reason: "its payload cannot be read" })
}

/// 64 bytes of hex that were checked to be 64.
fn hex(text: &str) -> [u8; 64] {
    text.as_bytes().try_into().expect("a checked header and the genesis hold 64 digits")
}
