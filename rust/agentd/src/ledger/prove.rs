//! What the ledger proves of itself: head, inclusion, consistency.

use data_encoding::BASE64;
use osmoda_tlog::Hash;
use osmoda_tlog::proof::{consistency_proof, inclusion_proof};
use osmoda_types::api::agentd::ledger::{
    EventId, EventProofIn, EventProofOut, LedgerConsistencyIn, LedgerConsistencyOut, LedgerHeadOut,
};
use rusqlite::OptionalExtension;

use super::rows::{self, damaged};
use super::{Engine, LedgerError, checkpoints, key, tree};

impl Engine {
    /// `GET /ledger/head`.
    ///
    /// # Errors
    /// [`LedgerError::State`]; [`LedgerError::NotFound`] before the first event.
    pub async fn head(&self) -> Result<LedgerHeadOut, LedgerError> {
        self.read(|connection| {
            let size = rows::size(connection)?;
            let Some(last) = rows::one(connection, size)? else { return Ok(Err(size)) };
            Ok(Ok(LedgerHeadOut {
                origin: key::created(connection)?.origin,
                size,
                hash: last.hash,
                ts: Some(last.ts.parse().map_err(|_| damaged())?),
                root: BASE64.encode(&tree::frontier(connection, size)?.root()),
            }))
        })
        .await?
        .map_err(|size| LedgerError::NotFound { size })
    }

    /// `GET /events/{id}/proof`: that the event stands in the tree of the newest checkpoint that holds it, of the
    /// whole ledger, or of the size asked for.
    ///
    /// # Errors
    /// [`LedgerError::NotFound`], [`LedgerError::State`].
    pub async fn proof(&self, input: EventProofIn) -> Result<EventProofOut, LedgerError> {
        let id = input.id.get();
        self.read(move |connection| {
            let all = rows::size(connection)?;
            let size = match input.size.map(EventId::get) {
                Some(size) => size,
                None => {
                    let signed = checkpoints::newest(connection)?.map(|(size, _)| size);
                    signed.filter(|size| *size >= id).unwrap_or(all)
                }
            };
            if id == 0 || id > size || size > all {
                return Ok(Err(all));
            }
            let nodes = |level, index| tree::node(connection, level, index);
            let path = inclusion_proof(id - 1, size, nodes)?.ok_or_else(damaged)?;
            let row = rows::one(connection, id)?.ok_or_else(damaged)?;
            let checkpoint = connection
                .prepare_cached("SELECT note FROM checkpoints WHERE size = ?1")?
                .query_row([size], |row| row.get(0))
                .optional()?;
            Ok(Ok(EventProofOut {
                event: rows::event(row)?,
                index: id - 1,
                size,
                root: BASE64.encode(&tree::frontier(connection, size)?.root()),
                path: encode(&path),
                checkpoint,
            }))
        })
        .await?
        .map_err(|size| LedgerError::NotFound { size })
    }

    /// `GET /ledger/consistency`: that the ledger at `from` is the beginning of the ledger at `to`.
    ///
    /// # Errors
    /// [`LedgerError::NotFound`] when `to` is beyond the end, [`LedgerError::Field`] when it is below `from`,
    /// [`LedgerError::State`].
    pub async fn consistency(&self, input: LedgerConsistencyIn) -> Result<LedgerConsistencyOut, LedgerError> {
        let (from, to) = (input.from.get(), input.to.get());
        if from > to {
            return Err(LedgerError::field("/to", "is below from"));
        }
        self.read(move |connection| {
            let size = rows::size(connection)?;
            if to > size {
                return Ok(Err(size));
            }
            let nodes = |level, index| tree::node(connection, level, index);
            let proof = consistency_proof(from, to, nodes)?.ok_or_else(damaged)?;
            Ok(Ok(LedgerConsistencyOut {
                from,
                from_root: BASE64.encode(&tree::frontier(connection, from)?.root()),
                to,
                to_root: BASE64.encode(&tree::frontier(connection, to)?.root()),
                proof: encode(&proof),
            }))
        })
        .await?
        .map_err(|size| LedgerError::NotFound { size })
    }
}

fn encode(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(|hash| BASE64.encode(hash)).collect()
}
