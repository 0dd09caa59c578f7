//! A call with an Idempotency-Key runs once: its answer is kept for a day and replayed.

use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use osmoda_store::Error;
use osmoda_types::{Clock, Code, Principal, Problem};
use rusqlite::{OptionalExtension, Transaction, params};

use crate::state::StateDb;

/// The header that asks for it.
pub(crate) const KEY: &str = "idempotency-key";
/// The header that marks a stored answer.
pub(crate) const REPLAYED: &str = "idempotency-replayed";
const KEPT_MS: i64 = 24 * 60 * 60 * 1000;

/// The calls of one daemon that carried a key.
pub(crate) struct Idempotency {
    db: Arc<StateDb>,
    clock: Arc<dyn Clock>,
    /// Tells this run of the daemon from the one that was interrupted.
    run: String,
}

/// Who called what with which key.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    principal: String,
    method: &'static str,
    path: String,
    key: String,
    args_digest: String,
}

/// What to do with a call.
#[derive(Debug, PartialEq)]
pub(crate) enum Begin {
    /// It is new: run it.
    Run,
    /// It ran: this was the answer.
    Replay { status: u16, body: String },
}

impl Idempotency {
    pub(crate) fn new(db: Arc<StateDb>, clock: Arc<dyn Clock>, run: String) -> Self {
        Self { db, clock, run }
    }

    /// The slot a request asks for, if it carries a key.
    pub(crate) fn slot(
        headers: &HeaderMap,
        principal: &Principal,
        method: &'static str,
        path: &str,
        args_digest: &str,
    ) -> Result<Option<Slot>, Problem> {
        let Some(value) = headers.get(KEY) else { return Ok(None) };
        let printable =
            |text: &&str| (8..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        let key = value.to_str().ok().filter(printable).ok_or(Code::IdempotencyKey)?;
        let principal = format!("{}#{}", principal.actor, principal.uid);
        Ok(Some(Slot {
            principal,
            method,
            path: path.to_owned(),
            key: key.to_owned(),
            args_digest: args_digest.to_owned(),
        }))
    }

    /// Takes the slot, durably, or says why not.
    pub(crate) async fn begin(&self, slot: Slot) -> Result<Begin, Problem> {
        let (run, now) = (self.run.clone(), self.clock.now().as_millis());
        let taken = self.db.write(move |tx| take(tx, &slot, &run, now)).await;
        taken.map_err(|error| crate::problem::of_store(&error))?
    }

    /// Nobody knows what became of the call: repeating it is answered so, as after a crash.
    pub(crate) async fn lose(&self, slot: Slot) -> Result<(), Error> {
        self.db.write(move |tx| orphan(tx, &slot)).await
    }

    /// Keeps the answer. A 202 or 5xx is not kept: the call may be made again.
    pub(crate) async fn finish(&self, slot: Slot, status: StatusCode, body: String) -> Result<(), Error> {
        let keep = status != StatusCode::ACCEPTED && !status.is_server_error();
        self.db.write(move |tx| if keep { answer(tx, &slot, status, &body) } else { free(tx, &slot) }).await
    }
}

fn take(tx: &Transaction<'_>, slot: &Slot, run: &str, now: i64) -> rusqlite::Result<Result<Begin, Problem>> {
    tx.execute("DELETE FROM idempotency WHERE at_ms < ?1", [now - KEPT_MS])?;
    let known = tx
        .query_row(
            "SELECT args_digest, run, status, body FROM idempotency WHERE principal = ?1 AND method = ?2 AND path = ?3 AND key = ?4",
            params![slot.principal, slot.method, slot.path, slot.key],
            |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, Option<u16>>(2)?, row.get::<_, Option<String>>(3)?)),
        )
        .optional()?;
    Ok(match known {
        None => {
            tx.execute(
                "INSERT INTO idempotency (principal, method, path, key, args_digest, run, at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                params![slot.principal, slot.method, slot.path, slot.key, slot.args_digest, run, now],
            )?;
            Ok(Begin::Run)
        }
        Some((digest, ..)) if digest != slot.args_digest => Err(Code::IdempotencyMismatch.into()),
        Some((_, _, Some(status), body)) => Ok(Begin::Replay { status, body: body.unwrap_or_default() }),
        Some((_, begun_by, None, _)) if begun_by == run => {
            Err(Problem { retry_after_secs: Some(1), ..Code::IdempotencyBusy.into() })
        }
        Some(_) => Err(Code::OutcomeUnknown.into()),
    })
}

fn answer(tx: &Transaction<'_>, slot: &Slot, status: StatusCode, body: &str) -> rusqlite::Result<()> {
    tx.execute(
        "UPDATE idempotency SET status = ?5, body = ?6 WHERE principal = ?1 AND method = ?2 AND path = ?3 AND key = ?4",
        params![slot.principal, slot.method, slot.path, slot.key, status.as_u16(), body],
    )?;
    Ok(())
}

fn orphan(tx: &Transaction<'_>, slot: &Slot) -> rusqlite::Result<()> {
    tx.execute(
        "UPDATE idempotency SET run = '' WHERE principal = ?1 AND method = ?2 AND path = ?3 AND key = ?4",
        params![slot.principal, slot.method, slot.path, slot.key],
    )?;
    Ok(())
}

fn free(tx: &Transaction<'_>, slot: &Slot) -> rusqlite::Result<()> {
    tx.execute(
        "DELETE FROM idempotency WHERE principal = ?1 AND method = ?2 AND path = ?3 AND key = ?4",
        params![slot.principal, slot.method, slot.path, slot.key],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemClock;

    fn slot(digest: &str) -> Slot {
        Slot {
            principal: "agent:main#0".into(),
            method: "POST",
            path: "/notify".into(),
            key: "12345678".into(),
            args_digest: digest.into(),
        }
    }

    fn of(db: &Arc<StateDb>, run: &str) -> Idempotency {
        Idempotency::new(db.clone(), Arc::new(SystemClock), run.into())
    }

    #[tokio::test]
    async fn a_key_runs_once_and_an_interrupted_call_is_unknown() {
        let dir = tempfile::tempdir().unwrap();
        let db = Arc::new(StateDb::new(
            "state",
            dir.path().join("state.db"),
            crate::state::SCHEMA,
            Arc::new(SystemClock),
        ));
        let first = of(&db, "run-1");
        let code = |begin: Result<Begin, Problem>| begin.unwrap_err().code;
        assert_eq!(first.begin(slot("a")).await.unwrap(), Begin::Run);
        assert_eq!(code(first.begin(slot("a")).await), Code::IdempotencyBusy);
        assert_eq!(code(first.begin(slot("b")).await), Code::IdempotencyMismatch);
        assert_eq!(code(of(&db, "run-2").begin(slot("a")).await), Code::OutcomeUnknown);
        first.finish(slot("a"), StatusCode::OK, "{}".into()).await.unwrap();
        assert_eq!(
            of(&db, "run-2").begin(slot("a")).await.unwrap(),
            Begin::Replay { status: 200, body: "{}".into() }
        );
    }

    #[tokio::test]
    async fn a_failed_call_frees_its_key() {
        let dir = tempfile::tempdir().unwrap();
        let db = Arc::new(StateDb::new(
            "state",
            dir.path().join("state.db"),
            crate::state::SCHEMA,
            Arc::new(SystemClock),
        ));
        let calls = of(&db, "run-1");
        assert_eq!(calls.begin(slot("a")).await.unwrap(), Begin::Run);
        calls.finish(slot("a"), StatusCode::SERVICE_UNAVAILABLE, String::new()).await.unwrap();
        assert_eq!(calls.begin(slot("a")).await.unwrap(), Begin::Run);
        calls.lose(slot("a")).await.unwrap();
        assert_eq!(calls.begin(slot("a")).await.unwrap_err().code, Code::OutcomeUnknown);
    }
}
