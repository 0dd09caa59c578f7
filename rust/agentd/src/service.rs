//! agentd's endpoints: which part answers which call.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use agentd_root::serve::Roots;
use agentd_root::{Half, Hands};
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::header;
use osmoda_runtime::{Bound, Context, Recorder, Service, Setup, StartError, Urgency};
use osmoda_types::api::agentd::file::{FileDelete, FileList, FileMove, FileRead, FileSearch, FileWrite};
use osmoda_types::api::agentd::ledger::{
    AppendedEvent, EventProof, EventsAppend, EventsLog, EventsLogIn, EventsSource, EventsStream,
    LedgerCheckpoint, LedgerConsistency, LedgerExport, LedgerHead, LedgerVerify, NotifySend, NotifySendIn,
    NotifySendOut,
};
use osmoda_types::api::agentd::shell::ShellExec;
use osmoda_types::api::agentd::system::{SystemDiscover, SystemHealth, SystemHealthOut, SystemQuery};
use osmoda_types::api::agentd::undo::Undo;
use osmoda_types::ledger::{Alert, NewEvent, Severity};
use osmoda_types::{Daemon, Empty, Problem, Text};
use serde::Deserialize;

use crate::files::Files;
use crate::identity::machine_id;
use crate::ledger::{self, Engine};
use crate::shell;
use crate::system::Machine;
use crate::undo::{self, Journal};

/// agentd's state.
pub(crate) struct Agentd {
    machine: Machine,
    pub(crate) ledger: Arc<Engine>,
    pub(crate) hands: Hands,
    pub(crate) files: Files,
    pub(crate) journal: Arc<Journal>,
}

/// `/etc/osmoda/agentd.json`, beside what every daemon reads.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The socket of the privileged half; without one agentd does everything itself, as its own user.
    root_socket: Option<PathBuf>,
    /// Folders that file tools may use where there is no privileged half.
    files: Roots,
}

impl Config {
    fn hands(&self, own: Vec<PathBuf>) -> Hands {
        match &self.root_socket {
            Some(socket) => Hands::There(socket.clone()),
            None => Hands::Here(Arc::new(Half::new(self.files.places(own), None))),
        }
    }
}

/// Opens agentd's state and says who answers which call.
///
/// # Errors
/// Only for a build whose handlers and catalogue differ; trouble with the state makes agentd degraded.
pub async fn bind(setup: Setup<Config>) -> Result<Bound, StartError> {
    let id = {
        let (dir, clock, entropy) = (setup.state_dir.clone(), setup.clock.clone(), setup.entropy.clone());
        move || machine_id(&dir, clock.as_ref(), entropy.as_ref())
    };
    let ledger = Engine::open(&setup.state_root, id, setup.clock.clone(), setup.entropy.clone()).await;
    let ledger = Arc::new(ledger);
    let hands = setup.config.hands(vec![own(&setup.state_root, &setup.run_dir)]);
    let journal = Arc::new(Journal::new(setup.state_dir.join("undo")));
    let files = Files::new(hands.clone(), journal.clone(), setup.state_root.clone());
    let machine = Machine::start().await;
    let state = Arc::new(Agentd { machine, ledger: ledger.clone(), hands, files, journal });
    let service = Service::new(Daemon::Agentd, state)
        .on::<SystemHealth, _, _>(health)
        .on::<SystemQuery, _, _>(|agentd, _, input| async move { Ok(agentd.machine.query(input).await?) })
        .on::<SystemDiscover, _, _>(|agentd, _, Empty {}| async move { Ok(agentd.machine.discover().await?) })
        .stream::<EventsLog, _, _>(events_log)
        .stream::<EventsStream, _, _>(|agentd, context, input| async move {
            Ok(agentd.ledger.stream(input, &context.headers, context.shutdown).await?)
        })
        .stream::<LedgerExport, _, _>(|agentd, context, input| async move {
            Ok(agentd.ledger.export(input, context.shutdown).await?)
        })
        .on::<EventProof, _, _>(|agentd, _, input| async move { Ok(agentd.ledger.proof(input).await?) })
        .on::<LedgerHead, _, _>(|agentd, _, Empty {}| async move { Ok(agentd.ledger.head().await?) })
        .on::<LedgerCheckpoint, _, _>(
            |agentd, _, Empty {}| async move { Ok(agentd.ledger.checkpoint().await?) },
        )
        .on::<LedgerVerify, _, _>(|agentd, _, input| async move { Ok(agentd.ledger.verify(input).await?) })
        .on::<LedgerConsistency, _, _>(|agentd, _, input| async move {
            Ok(agentd.ledger.consistency(input).await?)
        })
        .on::<EventsAppend, _, _>(|agentd, context, input| async move {
            Ok(agentd.ledger.absorb(&context.principal, input).await?)
        })
        .on::<NotifySend, _, _>(notify_send)
        .on::<FileRead, _, _>(|agentd, _, input| async move { agentd.files.read(input).await })
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
        .on::<EventsSource, _, _>(|agentd, _, input| async move { Ok(agentd.ledger.source(input).await?) });
    let closing = ledger.clone();
    Bound::new(&setup, service, Arc::new(Own(ledger)), async move { closing.close().await })
}

/// What is osModa's own: the state, and where everything lies in one folder (`osmoda up --dir`) that folder.
fn own(state_root: &Path, run_dir: &Path) -> PathBuf {
    match (state_root.parent(), run_dir.parent()) {
        (Some(dir), Some(same)) if dir == same => dir.to_owned(),
        _ => state_root.to_owned(),
    }
}

async fn health(agentd: Arc<Agentd>, context: Context, _: Empty) -> Result<SystemHealthOut, Problem> {
    let daemon = context.health(vec![agentd.ledger.check()]);
    let machine = agentd.machine.health(daemon.uptime_secs)?;
    Ok(SystemHealthOut { daemon, machine })
}

/// One object, or a line for each event where the caller asks for lines.
async fn events_log(agentd: Arc<Agentd>, context: Context, input: EventsLogIn) -> Result<Response, Problem> {
    let page = agentd.ledger.log(input).await?;
    let accept =
        context.headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.contains("application/x-ndjson") {
        Ok(ledger::json_lines(&page))
    } else {
        Ok(axum::Json(page).into_response())
    }
}

/// The alert and the outcome of the call that raised it are one commit.
async fn notify_send(
    _: Arc<Agentd>,
    context: Context,
    input: NotifySendIn,
) -> Result<NotifySendOut, Problem> {
    let alert = Alert {
        v: 1,
        source: context.principal.actor.to_string(),
        severity: input.severity.unwrap_or(Severity::Info),
        title: input.title.into_inner(),
        detail: input.detail.map(Text::into_inner).unwrap_or_default(),
        links: input.links.into_inner().into_iter().map(Text::into_inner).collect(),
    };
    context.fact("agentd.alert.raised", &alert);
    Ok(NotifySendOut { channels: vec!["ledger".into()] })
}

/// agentd records into its own ledger: it is there or nothing is.
struct Own(Arc<Engine>);

impl Recorder for Own {
    fn record(
        &self,
        events: Vec<NewEvent>,
        _: Urgency,
    ) -> BoxFuture<'_, Result<Vec<AppendedEvent>, Problem>> {
        async move { Ok(self.0.append(events).await?) }.boxed()
    }
}
