//! What is remembered.

use std::sync::Arc;

use osmoda_runtime::{Context, Service};
use osmoda_types::api::agentd::memory::{
    MemoryForget, MemoryForgetIn, MemoryForgetOut, MemoryHealth, MemoryIngest, MemoryList, MemoryRecall,
    MemoryReindex, MemoryStore, MemoryStoreOut,
};
use osmoda_types::ledger::{MemoryForgotten, MemoryStored};
use osmoda_types::{Empty, Problem};

use super::Agentd;

pub(super) fn serve(service: Service<Agentd>) -> Service<Agentd> {
    service
        .on::<MemoryStore, _, _>(|agentd, context, input| async move {
            let stored = agentd.memory.store(&context.principal, input).await?;
            Ok(note_stored(&context, stored))
        })
        .on::<MemoryIngest, _, _>(|agentd, context, input| async move {
            let stored = agentd.memory.ingest(&context.principal, input).await?;
            Ok(note_stored(&context, stored))
        })
        .on::<MemoryRecall, _, _>(|agentd, _, input| async move { Ok(agentd.memory.recall(input).await?) })
        .on::<MemoryList, _, _>(|agentd, _, input| async move { Ok(agentd.memory.list(input).await?) })
        .on::<MemoryForget, _, _>(memory_forget)
        .on::<MemoryReindex, _, _>(|agentd, _, Empty {}| async move { Ok(agentd.memory.reindex().await?) })
        .on::<MemoryHealth, _, _>(|agentd, _, Empty {}| async move { Ok(agentd.memory.health().await) })
}

/// The ledger names the memory; what it says stands in its file.
fn note_stored(context: &Context, stored: MemoryStoreOut) -> MemoryStoreOut {
    let MemoryStoreOut { id, merged, trusted, .. } = stored;
    context.fact("agentd.memory.stored", &MemoryStored { v: 1, id, merged, trusted });
    stored
}

async fn memory_forget(
    agentd: Arc<Agentd>,
    context: Context,
    input: MemoryForgetIn,
) -> Result<MemoryForgetOut, Problem> {
    let forgotten = agentd.memory.forget(input).await?;
    let (ids, kept) = (forgotten.out.ids.clone(), forgotten.kept);
    let fact = MemoryForgotten { v: 1, ids, kept, source: forgotten.source };
    context.fact("agentd.memory.forgotten", &fact);
    Ok(forgotten.out)
}
