//! Noting a read whose answer goes out in pieces: by its digest when all of it has gone, without one when it was cut off.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use futures_util::{StreamExt, stream};
use osmoda_types::ledger::ReadCall;
use osmoda_types::{Principal, json};
use sha2::{Digest, Sha256};

use crate::service::Kit;

/// Notes `read` as soon as the answer has gone, or its caller.
pub(crate) fn when_gone(answer: Response, kit: Arc<Kit>, principal: Principal, read: ReadCall) -> Response {
    answer.map(|body| {
        let note = Note { kit, noted: Some((principal, read)), hash: Sha256::new() };
        let pieces = stream::unfold((body.into_data_stream(), note), |(mut pieces, mut note)| async {
            let piece = pieces.next().await;
            match &piece {
                Some(Ok(bytes)) => note.hash.update(bytes),
                Some(Err(_)) => {}
                None => note.all_gone(),
            }
            piece.map(|piece| (piece, (pieces, note)))
        });
        Body::from_stream(pieces)
    })
}

struct Note {
    kit: Arc<Kit>,
    noted: Option<(Principal, ReadCall)>,
    hash: Sha256,
}

impl Note {
    fn all_gone(&mut self) {
        if let Some((_, read)) = &mut self.noted {
            read.result_digest = Some(json::digest_text(self.hash.finalize_reset()));
        }
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        if let Some((principal, read)) = self.noted.take() {
            let kit = self.kit.clone();
            tokio::spawn(async move { kit.record.read(&principal, read).await });
        }
    }
}
