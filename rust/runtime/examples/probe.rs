//! A daemon for tests: it stands where `watch` will, with one call of each kind, so that the runtime's path (gate, intent,
//! effect, outcome, idempotency, outbox) is tried by a real process on a real socket.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use osmoda_runtime::{Bound, Context, Outbox, Service, Setup, StartError};
use osmoda_types::health::Health;
use osmoda_types::ledger::CallResult;
use osmoda_types::{Call, Daemon, Effect, Empty, Endpoint, Method, Problem, Text, Undo};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

struct Probe {
    files: PathBuf,
}

struct GetHealth;
impl Endpoint for GetHealth {
    type In = Empty;
    type Out = Health;
    const CALL: Call = Call::observe::<Self>(Daemon::Watch, Method::Get, "/health", "How the probe is.");
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WriteIn {
    name: Text<64>,
    content: Text<1024>,
    /// Milliseconds the effect takes.
    #[serde(default)]
    takes_ms: u64,
}

#[derive(Serialize, JsonSchema)]
struct WriteOut {
    bytes: usize,
}

/// An effect that can be seen from outside: a line in a file.
struct Write;
impl Endpoint for Write {
    type In = WriteIn;
    type Out = WriteOut;
    const CALL: Call = Call::effect::<Self>(
        Effect::Change,
        Undo::Never,
        Daemon::Watch,
        Method::Post,
        "/probe/write",
        "Appends a line.",
    )
    .timeout_secs(2);
}

/// A handler with a defect.
struct Panic;
impl Endpoint for Panic {
    type In = Empty;
    type Out = WriteOut;
    const CALL: Call = Call::effect::<Self>(
        Effect::Change,
        Undo::Never,
        Daemon::Watch,
        Method::Post,
        "/probe/panic",
        "Panics.",
    );
}

static CALLS: &[Call] = &[GetHealth::CALL, Write::CALL, Panic::CALL];

async fn write(probe: Arc<Probe>, _: Context, input: WriteIn) -> Result<WriteOut, Problem> {
    tokio::time::sleep(std::time::Duration::from_millis(input.takes_ms)).await;
    let line = format!("{}\n", &*input.content);
    let path = probe.files.join(&*input.name);
    let mut file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(path)
        .expect("the test gave a folder to write to");
    std::io::Write::write_all(&mut file, line.as_bytes()).expect("the test gave room to write");
    Ok(WriteOut { bytes: line.len() })
}

async fn bind(setup: Setup<Empty>) -> Result<Bound, StartError> {
    let probe = Arc::new(Probe { files: setup.state_dir.clone() });
    let outbox =
        Outbox::open(&setup, |_, _| CallResult::Unknown).await.expect("the test gave a state to write to");
    let service = Service::with_calls(CALLS.iter().collect(), probe)
        .on::<GetHealth, _, _>(|_, context: Context, _| async move { Ok(context.health(Vec::new())) })
        .on::<Write, _, _>(write)
        .on::<Panic, _, _>(|_, _, _| async { panic!("on purpose") });
    Bound::new(&setup, service, outbox, std::future::ready(()))
}

fn main() -> ExitCode {
    osmoda_runtime::main(Daemon::Watch, env!("CARGO_PKG_VERSION"), bind)
}
