//! What is remembered.

use std::sync::Arc;

use osmoda_runtime::{Context, Service};
use osmoda_types::api::agentd::memory::{
    MemoryForget, MemoryForgetIn, MemoryForgetOut, MemoryHealth, MemoryIngest, MemoryList, MemoryRecall,
    MemoryReindex, MemoryStore, MemoryStoreOut,
};
use osmoda_types::ledger::{MemoryForgotten, MemoryStored};
use osmoda_types::{Empty, Problem, json};

use super::Agentd;
use crate::undo::Change;

pub(super) fn serve(service: Service<Agentd>) -> Service<Agentd> {
    service
        .on::<MemoryStore, _, _>(|agentd, context, input| async move {
            let stored = agentd.memory.store(&context.principal, input).await?;
            note_stored(&agentd, &context, stored).await
        })
        .on::<MemoryIngest, _, _>(|agentd, context, input| async move {
            let stored = agentd.memory.ingest(&context.principal, input).await?;
            note_stored(&agentd, &context, stored).await
        })
        .on::<MemoryRecall, _, _>(|agentd, _, input| async move { Ok(agentd.memory.recall(input).await?) })
        .on::<MemoryList, _, _>(|agentd, _, input| async move { Ok(agentd.memory.list(input).await?) })
        .on::<MemoryForget, _, _>(memory_forget)
        .on::<MemoryReindex, _, _>(|agentd, _, Empty {}| async move { Ok(agentd.memory.reindex().await?) })
        .on::<MemoryHealth, _, _>(|agentd, _, Empty {}| async move { Ok(agentd.memory.health().await) })
}

/// The ledger names the memory; what it says stands in its file. One that is new can be taken back.
async fn note_stored(
    agentd: &Agentd,
    context: &Context,
    stored: MemoryStoreOut,
) -> Result<MemoryStoreOut, Problem> {
    let MemoryStoreOut { id, merged, trusted, .. } = stored;
    context.fact("agentd.memory.stored", &MemoryStored { v: 1, id, merged, trusted });
    if !merged {
        let (_, bytes) = agentd.memory.get_bytes(id).await?;
        let change = Change::Remembered { memory: id, digest: json::digest_of(&bytes) };
        agentd.journal.after(context, change).await?;
    }
    Ok(stored)
}

/// One memory can be brought back; all that came from a source are gone for good.
async fn memory_forget(
    agentd: Arc<Agentd>,
    context: Context,
    input: MemoryForgetIn,
) -> Result<MemoryForgetOut, Problem> {
    let (id, source) = (input.id, input.source.is_some());
    let forget = async { agentd.memory.forget(input).await.map_err(Problem::from) };
    let forgotten = match id {
        Some(memory) if !source => {
            let (path, bytes) = agentd.memory.get_bytes(memory).await?;
            let kept = agentd.journal.keep_bytes(bytes).await?;
            let change = Change::Forgotten { memory, path };
            let (forgotten, undo) = agentd.journal.around(&context, change, Some(kept), forget).await?;
            context.undone_by(undo);
            forgotten
        }
        _ => forget.await?,
    };
    let (ids, kept) = (forgotten.out.ids.clone(), forgotten.kept);
    let fact = MemoryForgotten { v: 1, ids, kept, source: forgotten.source };
    context.fact("agentd.memory.forgotten", &fact);
    Ok(forgotten.out)
}
