//! The writing side: gives out ids, links the chain, grows the tree, signs. Runs on the writer's thread.

use std::collections::HashMap;
use std::sync::Arc;

use osmoda_store::Apply;
use osmoda_tlog::chain::{GENESIS, row_hash};
use osmoda_tlog::checkpoint::Checkpoint;
use osmoda_tlog::merkle::{Frontier, leaf_hash};
use osmoda_tlog::note::Signer;
use osmoda_tlog::to_hex;
use osmoda_types::api::agentd::ledger::AppendedEvent;
use osmoda_types::ledger::{ClockJumped, NewEvent};
use osmoda_types::{Actor, Clock, Daemon, Timestamp};
use rusqlite::{Connection, Transaction};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::door::{Admitted, admit_all};
use super::intents::{self, Open};
use super::rows::damaged;
use super::sources::{Batch, Source};
use super::{LedgerError, checkpoints, rows, sources, tree};

/// What the writer is asked to do.
#[derive(Debug)]
pub(super) enum Job {
    /// agentd's own events.
    Record(Vec<Admitted>),
    /// Another daemon's, exactly once.
    Absorb(Batch),
    /// A checkpoint over everything so far.
    Sign,
    /// A write that changes nothing: can the disk be written?
    Probe,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Reply {
    Recorded { events: Vec<AppendedEvent>, last_seq: u64 },
    Signed { size: u64, note: String },
    Probed,
    Refused(LedgerError),
}

/// How far the ledger is written and signed, for those who wait for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) size: u64,
    pub(super) signed: u64,
}

/// What waits for a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    Nothing,
    Something,
    /// So many events that they are signed at once.
    Batch,
}

impl Position {
    pub(super) fn waiting(self) -> Waiting {
        match self.size.saturating_sub(self.signed) {
            0 => Waiting::Nothing,
            1..SIGN_EVENTS => Waiting::Something,
            _ => Waiting::Batch,
        }
    }
}

pub(super) struct Appender {
    clock: Arc<dyn Clock>,
    /// None when the key is not the one this ledger trusts, or the ledger is not what it signed.
    signer: Option<Signer>,
    position: Arc<watch::Sender<Position>>,
    /// Told when what waits for a signature changes in kind.
    unsigned: Arc<Notify>,
    pub(super) state: State,
    /// A batch was rolled back: `state` is ahead of the database.
    stale: bool,
    /// The wall clock and the steady one when they were last read, and when a read was last committed.
    clocks: Option<(Timestamp, Instant)>,
    committed_clocks: Option<(Timestamp, Instant)>,
}

/// What the next event depends on; mirrors the database.
pub(super) struct State {
    pub(super) size: u64,
    hash: String,
    at: Timestamp,
    ts: String,
    frontier: Frontier,
    checkpoint: Option<(u64, String)>,
    pub(super) sources: HashMap<Daemon, Source>,
    pub(super) open: Open,
}

impl Appender {
    /// Over what is stored; without a `signer` nothing is signed.
    pub(super) fn load(
        connection: &Connection,
        signer: Option<Signer>,
        clock: Arc<dyn Clock>,
        position: Arc<watch::Sender<Position>>,
        unsigned: Arc<Notify>,
    ) -> rusqlite::Result<Self> {
        let state = State::load(connection)?;
        let appender = Self {
            clock,
            signer,
            position,
            unsigned,
            state,
            stale: false,
            clocks: None,
            committed_clocks: None,
        };
        appender.publish();
        Ok(appender)
    }

    fn publish(&self) {
        let signed = self.state.checkpoint.as_ref().map_or(0, |(size, _)| *size);
        let now = Position { size: self.state.size, signed };
        let mut before = now;
        self.position.send_if_modified(|position| {
            before = std::mem::replace(position, now);
            before != now
        });
        if before.waiting() != now.waiting() {
            self.unsigned.notify_one();
        }
    }

    /// Appends one event of `owner` at the time [`look_at_clock`](Self::look_at_clock) set.
    pub(super) fn write(
        &mut self,
        transaction: &Transaction<'_>,
        owner: Daemon,
        seq: Option<u64>,
        event: &Admitted,
    ) -> rusqlite::Result<AppendedEvent> {
        let state = &mut self.state;
        let id = state.size + 1;
        let Admitted { kind, actor, payload, link } = event;
        let hash = to_hex(&row_hash(id, &state.ts, kind, actor, payload, &state.hash));
        transaction
            .prepare_cached(
                "INSERT INTO events (id, ts, type, actor, payload, prev_hash, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute((id, &state.ts, kind, actor, payload, &state.hash, &hash))?;
        for tile in state.frontier.append(leaf_hash(hash.as_bytes())) {
            tree::store(transaction, &tile)?;
        }
        state.open.follow(owner, id, link);
        if id.is_multiple_of(intents::MARK_EVENTS) {
            state.open.mark(transaction, id + 1)?;
        }
        state.size = id;
        state.hash.clone_from(&hash);
        // agentd's own events have no outbox: their number is their id.
        Ok(AppendedEvent { seq: seq.unwrap_or(id), id, hash })
    }

    /// Appends an event that the ledger writes about itself.
    pub(super) fn note(&mut self, transaction: &Transaction<'_>, event: NewEvent) -> rusqlite::Result<()> {
        let admitted = admit_all(Daemon::Agentd, vec![event]).expect("small payloads of agentd's own types");
        for event in &admitted {
            self.write(transaction, Daemon::Agentd, None, event)?;
        }
        Ok(())
    }

    /// Takes the time of the events that follow: the wall clock, never before the last event. Records when the
    /// clock moved by itself, as seen from the steady clock, or lies behind the ledger's last event at start.
    pub(super) fn look_at_clock(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        let (now, steady) = (self.clock.now(), Instant::now());
        let moved = match self.clocks {
            Some((wall, since)) => {
                let passed = i64::try_from((steady - since).as_millis()).unwrap_or(i64::MAX);
                now.as_millis().saturating_sub(wall.as_millis()).saturating_sub(passed)
            }
            // How long agentd did not run is not known, so only a step back shows.
            None => now.as_millis().saturating_sub(self.state.at.as_millis()).min(0),
        };
        self.clocks = Some((now, steady));
        let from = self.state.at;
        if now > self.state.at || self.state.size == 0 {
            self.state.at = now;
            self.state.ts = now.to_string();
        }
        if self.state.size > 0 && !(-BACK_MS..=AHEAD_MS).contains(&moved) {
            let jump = ClockJumped { v: 1, from, to: now };
            self.note(
                transaction,
                NewEvent::new("agentd.clock.jumped", Actor::Daemon(Daemon::Agentd), &jump),
            )?;
        }
        Ok(())
    }

    fn record(&mut self, transaction: &Transaction<'_>, events: &[Admitted]) -> rusqlite::Result<Reply> {
        self.look_at_clock(transaction)?;
        let events = events.iter().map(|event| self.write(transaction, Daemon::Agentd, None, event));
        let events = events.collect::<rusqlite::Result<Vec<_>>>()?;
        Ok(Reply::Recorded { last_seq: self.state.size, events })
    }

    fn sign(&mut self, transaction: &Transaction<'_>) -> rusqlite::Result<Reply> {
        let Some(signer) = &self.signer else { return Ok(Reply::Refused(LedgerError::NoSigner)) };
        let size = self.state.size;
        if let Some((signed, note)) = &self.state.checkpoint
            && *signed == size
        {
            return Ok(Reply::Signed { size, note: note.clone() });
        }
        let origin = signer.verifier().name().to_owned();
        let checkpoint = Checkpoint { origin, size, root: self.state.frontier.root() };
        let Ok(note) = checkpoint.sign(signer) else { return Ok(Reply::Refused(LedgerError::NoSigner)) };
        let note = note.to_string();
        transaction
            .prepare_cached("INSERT INTO checkpoints (size, note) VALUES (?1, ?2)")?
            .execute((size, &note))?;
        self.state.checkpoint = Some((size, note.clone()));
        Ok(Reply::Signed { size, note })
    }
}

impl Apply for Appender {
    type Job = Job;
    type Reply = Reply;

    fn weight(job: &Job) -> usize {
        match job {
            Job::Record(events) => events.len(),
            Job::Absorb(batch) => batch.events.len(),
            Job::Sign | Job::Probe => 1,
        }
    }

    fn apply(&mut self, transaction: &Transaction<'_>, job: Job) -> rusqlite::Result<Reply> {
        if self.stale {
            self.state = State::load(transaction)?;
            self.stale = false;
        }
        match job {
            Job::Record(events) => self.record(transaction, &events),
            Job::Absorb(batch) => self.absorb(transaction, &batch),
            Job::Sign => self.sign(transaction),
            Job::Probe => {
                transaction.execute("UPDATE meta SET value = value WHERE key = 'min_reader'", [])?;
                Ok(Reply::Probed)
            }
        }
    }

    fn committed(&mut self) {
        self.committed_clocks = self.clocks;
        self.publish();
    }

    fn rolled_back(&mut self) {
        self.clocks = self.committed_clocks;
        self.stale = true;
    }
}

impl State {
    fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let size = rows::size(connection)?;
        let (hash, ts) = match rows::one(connection, size)? {
            Some(last) => (last.hash, last.ts),
            None => (GENESIS.to_owned(), "1970-01-01T00:00:00.000Z".to_owned()),
        };
        Ok(Self {
            size,
            hash,
            at: ts.parse().map_err(|_| damaged())?,
            ts,
            frontier: tree::frontier(connection, size)?,
            checkpoint: checkpoints::newest(connection)?,
            sources: sources::load(connection)?,
            open: Open::load(connection)?,
        })
    }
}

/// A checkpoint follows at once when so many events are unsigned.
const SIGN_EVENTS: u64 = 1024;
/// Steps back that a clock under NTP makes anyway.
const BACK_MS: i64 = 1000;
/// Steps ahead that nobody asks about.
const AHEAD_MS: i64 = 3_600_000;
