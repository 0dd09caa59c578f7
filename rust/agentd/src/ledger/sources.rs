//! Events of other daemons, taken exactly once and only as the continuation of what was taken before.
//!
//! A daemon numbers its events from 1 in each outbox (`epoch`) and chains them. What was recorded moves in the same
//! transaction as the rows, so a lost answer is answered again and never written again.

use std::collections::HashMap;

use osmoda_tlog::chain::{GENESIS, Row, link_hash};
use osmoda_tlog::to_hex;
use osmoda_types::api::agentd::ledger::{
    AppendedEvent, EventsAppendIn, EventsAppendOut, EventsSourceIn, EventsSourceOut,
};
use osmoda_types::ledger::{MAX_BATCH, NewEvent, PreviousSource, SourceStarted};
use osmoda_types::{Actor, Daemon, Principal};
use rusqlite::{Connection, OptionalExtension, Transaction};

use super::appender::{Appender, Job, Reply};
use super::door::{Admitted, admit_all};
use super::intents::Open;
use super::rows::{COLUMNS, damaged};
use super::{Engine, LedgerError, rows};

impl Engine {
    /// `POST /events`: appends a daemon's events. Events it repeats are answered from what is stored.
    ///
    /// # Errors
    /// [`LedgerError::NotTheSource`] for another caller, [`LedgerError::Gap`], [`LedgerError::Fork`], what
    /// [`append`](Engine::append) refuses, [`LedgerError::State`]. Nothing of the batch is then recorded.
    pub async fn absorb(
        &self,
        caller: &Principal,
        input: EventsAppendIn,
    ) -> Result<EventsAppendOut, LedgerError> {
        let source = daemon(&input.source)?;
        if caller.actor != Actor::Daemon(source) || source == Daemon::Agentd {
            return Err(LedgerError::NotTheSource);
        }
        if !is_epoch(&input.epoch) {
            return Err(LedgerError::field("/epoch", "is not a lower-case ULID"));
        }
        if !(1..=MAX_BATCH).contains(&input.events.len()) {
            return Err(LedgerError::field("/events", "holds none or more than 128 events"));
        }
        let batch = Batch {
            source,
            epoch: input.epoch.into_inner(),
            first_seq: input.first_seq.get(),
            head: input.head.into_inner(),
            events: admit_all(source, input.events)?,
        };
        match self.submit(Job::Absorb(batch)).await? {
            Reply::Recorded { events, last_seq } => Ok(EventsAppendOut { events, last_seq }),
            Reply::Refused(error) => Err(error),
            Reply::Signed { .. } | Reply::Probed => unreachable!("the reply to another job"),
        }
    }

    /// `GET /events/source`: where a daemon's outbox and its open calls stand.
    ///
    /// # Errors
    /// [`LedgerError::Field`] for a name that is no daemon's, [`LedgerError::State`].
    pub async fn source(&self, input: EventsSourceIn) -> Result<EventsSourceOut, LedgerError> {
        let source = daemon(&input.source)?;
        self.read(move |connection| {
            let known = one(connection, source)?;
            Ok(EventsSourceOut {
                source: source.name().to_owned(),
                last_seq: known.as_ref().map_or(0, |known| known.last_seq),
                head: known.as_ref().map_or_else(|| GENESIS.to_owned(), |known| known.head.clone()),
                epoch: known.map(|known| known.epoch),
                open_intents: Open::load(connection)?.of(source),
            })
        })
        .await
    }
}

/// Consecutive events of one outbox.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) source: Daemon,
    pub(super) epoch: String,
    pub(super) first_seq: u64,
    /// The outbox's chain after the last of them.
    pub(super) head: String,
    pub(super) events: Vec<Admitted>,
}

/// The newest outbox of a daemon.
#[derive(Debug, Clone)]
pub(super) struct Source {
    epoch: String,
    last_seq: u64,
    head: String,
}

impl Appender {
    pub(super) fn absorb(&mut self, transaction: &Transaction<'_>, batch: &Batch) -> rusqlite::Result<Reply> {
        let known = self.state.sources.get(&batch.source).cloned();
        let current = known.clone().filter(|known| known.epoch == batch.epoch);
        let (last_seq, before) = match &current {
            Some(current) => (current.last_seq, self.state.size + 1),
            None => ended(transaction, batch.source, &batch.epoch)?.unwrap_or((0, 0)),
        };
        if batch.first_seq > last_seq + 1 {
            return Ok(Reply::Refused(LedgerError::Gap { expected: last_seq + 1 }));
        }
        let repeated = usize::try_from(last_seq + 1 - batch.first_seq).unwrap_or(usize::MAX);
        let (repeated, fresh) = batch.events.split_at(repeated.min(batch.events.len()));
        let Some(mut answers) = stored(transaction, batch, repeated, last_seq, before)? else {
            return Ok(Reply::Refused(LedgerError::Fork));
        };
        if fresh.is_empty() {
            return Ok(Reply::Recorded { events: answers, last_seq });
        }
        // An outbox that was left for a newer one is over.
        if current.is_none() && last_seq > 0 {
            return Ok(Reply::Refused(LedgerError::Fork));
        }
        let mut head = current.as_ref().map_or(GENESIS, |current| &current.head).to_owned();
        for (event, seq) in fresh.iter().zip(last_seq + 1..) {
            head = to_hex(&link_hash(seq, &event.kind, &event.actor, &event.payload, &head));
        }
        if head != batch.head {
            return Ok(Reply::Refused(LedgerError::Fork));
        }

        self.look_at_clock(transaction)?;
        if current.is_none() {
            self.note(transaction, started(batch, known))?;
        }
        for (event, seq) in fresh.iter().zip(last_seq + 1..) {
            answers.push(self.write(transaction, batch.source, Some(seq), event)?);
        }
        let last_seq = last_seq + fresh.len() as u64;
        let source = Source { epoch: batch.epoch.clone(), last_seq, head };
        transaction
            .prepare_cached(
                "INSERT OR REPLACE INTO sources (source, epoch, last_seq, head) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute((batch.source.name(), &source.epoch, source.last_seq, &source.head))?;
        self.state.sources.insert(batch.source, source);
        Ok(Reply::Recorded { events: answers, last_seq })
    }
}

/// The recorded events that `repeated` repeats; `None` when one of them is not the same. The events of a daemon carry
/// its name and stand in the order of their numbers, so they are counted back from `last_seq`, the last one before
/// event `before`.
fn stored(
    connection: &Connection,
    batch: &Batch,
    repeated: &[Admitted],
    last_seq: u64,
    before: u64,
) -> rusqlite::Result<Option<Vec<AppendedEvent>>> {
    if repeated.is_empty() {
        return Ok(Some(Vec::with_capacity(batch.events.len())));
    }
    let newest = batch.first_seq + repeated.len() as u64 - 1;
    let name = batch.source.name();
    // The `+` keeps SQLite on the order of ids: what is repeated is recent.
    let rows = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM events WHERE id < ?1 AND +type > ?2 AND +type < ?3 \
             ORDER BY id DESC LIMIT ?4 OFFSET ?5"
        ))?
        .query_map(
            (before, format!("{name}."), format!("{name}/"), repeated.len(), last_seq - newest),
            rows::read,
        )?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    if rows.len() != repeated.len() {
        return Err(damaged());
    }
    let same = |(row, event): (&Row, &Admitted)| {
        (&row.kind, &row.actor, &row.payload) == (&event.kind, &event.actor, &event.payload)
    };
    if !rows.iter().rev().zip(repeated).all(same) {
        return Ok(None);
    }
    let answer = |(row, seq): (Row, u64)| AppendedEvent { seq, id: row.id, hash: row.hash };
    Ok(Some(rows.into_iter().rev().zip(batch.first_seq..).map(answer).collect()))
}

/// Where an outbox that another one followed ended: its last sequence number, and the event that says so.
fn ended(connection: &Connection, source: Daemon, epoch: &str) -> rusqlite::Result<Option<(u64, u64)>> {
    let mut starts = connection.prepare_cached(
        "SELECT id, payload FROM events WHERE type = 'agentd.source.started' ORDER BY id DESC",
    )?;
    let mut rows = starts.query([])?;
    while let Some(row) = rows.next()? {
        if let Ok(started) = serde_json::from_slice::<SourceStarted>(row.get_ref(1)?.as_bytes()?)
            && started.source == source.name()
            && let Some(previous) = started.previous
            && previous.epoch == epoch
        {
            return Ok(Some((previous.last_seq, row.get(0)?)));
        }
    }
    Ok(None)
}

fn started(batch: &Batch, known: Option<Source>) -> NewEvent {
    let started = SourceStarted {
        v: 1,
        source: batch.source.name().to_owned(),
        epoch: batch.epoch.clone(),
        previous: known.map(|known| PreviousSource { epoch: known.epoch, last_seq: known.last_seq }),
    };
    NewEvent::new("agentd.source.started", Actor::Daemon(Daemon::Agentd), &started)
}

/// Every source there is.
pub(super) fn load(connection: &Connection) -> rusqlite::Result<HashMap<Daemon, Source>> {
    let mut sources = HashMap::new();
    for daemon in Daemon::ALL {
        if let Some(source) = one(connection, *daemon)? {
            sources.insert(*daemon, source);
        }
    }
    Ok(sources)
}

fn one(connection: &Connection, source: Daemon) -> rusqlite::Result<Option<Source>> {
    connection
        .prepare_cached("SELECT epoch, last_seq, head FROM sources WHERE source = ?1")?
        .query_row([source.name()], |row| {
            Ok(Source { epoch: row.get(0)?, last_seq: row.get(1)?, head: row.get(2)? })
        })
        .optional()
}

fn daemon(name: &str) -> Result<Daemon, LedgerError> {
    let found = Daemon::ALL.iter().find(|daemon| daemon.name() == name);
    found.copied().ok_or_else(|| LedgerError::field("/source", "is not the name of a daemon"))
}

fn is_epoch(text: &str) -> bool {
    text.len() == 26 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}
