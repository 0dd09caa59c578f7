//! What agentd does to the machine: files, programs, units, and taking it back.

use std::sync::Arc;

use agentd_root::Act;
use osmoda_runtime::{Context, Service};
use osmoda_types::Problem;
use osmoda_types::api::agentd::file::{FileDelete, FileList, FileMove, FileRead, FileSearch, FileWrite};
use osmoda_types::api::agentd::service::{
    JournalLogs, ServiceActIn, ServiceActOut, ServiceGet, ServiceReload, ServiceRestart, ServiceStart,
    ServiceStatus, ServiceStop,
};
use osmoda_types::api::agentd::shell::ShellExec;
use osmoda_types::api::agentd::undo::Undo;

use super::Agentd;
use crate::{shell, undo};

pub(super) fn serve(service: Service<Agentd>) -> Service<Agentd> {
    service
        .on::<ServiceStatus, _, _>(|agentd, _, input| async move { agentd.units.status(input).await })
        .on::<ServiceGet, _, _>(
            |agentd, _, input| async move { agentd.units.get(&input.unit, input.lines).await },
        )
        .on::<ServiceStart, _, _>(|agentd, context, input| act(agentd, context, input, Act::Start))
        .on::<ServiceStop, _, _>(|agentd, context, input| act(agentd, context, input, Act::Stop))
        .on::<ServiceRestart, _, _>(|agentd, context, input| act(agentd, context, input, Act::Restart))
        .on::<ServiceReload, _, _>(|agentd, context, input| act(agentd, context, input, Act::Reload))
        .on::<JournalLogs, _, _>(|agentd, context, input| async move {
            Ok(agentd.units.journal.logs(input, context.now()).await?)
        })
        .stream::<FileRead, _, _>(|agentd, _, input| async move { agentd.files.read(input).await })
        .on::<FileWrite, _, _>(
            |agentd, context, input| async move { agentd.files.write(&context, input).await },
        )
        .on::<FileDelete, _, _>(
            |agentd, context, input| async move { agentd.files.delete(&context, input).await },
        )
        .on::<FileMove, _, _>(
            |agentd, context, input| async move { agentd.files.rename(&context, input).await },
        )
        .on::<FileList, _, _>(|agentd, _, input| async move { agentd.files.list(input).await })
        .on::<FileSearch, _, _>(|agentd, _, input| async move { agentd.files.search(input).await })
        .on::<ShellExec, _, _>(|agentd, context, input| async move {
            shell::exec(&agentd.hands, &context, input).await
        })
        .on::<Undo, _, _>(|agentd, context, input| async move { undo::undo(&agentd, &context, input).await })
}

async fn act(
    agentd: Arc<Agentd>,
    context: Context,
    ServiceActIn { unit }: ServiceActIn,
    act: Act,
) -> Result<ServiceActOut, Problem> {
    agentd.units.act(&context, &unit, act).await
}
