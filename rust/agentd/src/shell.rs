//! shell_exec: a command run apart from the rest of the machine, its output bounded, its end told truly.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;

use agentd_root::spawn::Spawn;
use agentd_root::{Answer, Hands, Verb};
use osmoda_runtime::Context;
use osmoda_types::api::agentd::shell::{ShellExecIn, ShellExecOut};
use osmoda_types::{Code, Problem, Ring, Text};
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio::time::Instant;

use crate::control::strange;

/// What is shown of each stream.
const SHOWN: usize = 1 << 20;
/// When nobody says how long.
const TIMEOUT_SECS: u64 = 60;
/// NixOS' programs, then everybody's.
const PATH: &str = "/run/wrappers/bin:/run/current-system/sw/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs the command.
pub(crate) async fn exec(
    hands: &Hands,
    context: &Context,
    input: ShellExecIn,
) -> Result<ShellExecOut, Problem> {
    if input.as_root && (context.principal.ring != Ring::Operator || matches!(hands, Hands::There(_))) {
        return Err(Problem::new(Code::PolicyDenied)
            .detail("as_root runs anything as root")
            .next_step("an operator runs it in a shell of his own"));
    }
    let started = Instant::now();
    let env = [("PATH", PATH), ("HOME", "/"), ("LANG", "C.UTF-8"), ("TERM", "dumb")];
    let spawn = Spawn {
        argv: vec!["/bin/sh".into(), "-c".into(), input.command.into_inner()],
        env: env.map(|(name, value)| (name.into(), value.into())).into_iter().collect::<BTreeMap<_, _>>(),
        cwd: input.cwd.map_or_else(|| "/".into(), Text::into_inner),
        timeout_secs: input.timeout_secs.map_or(TIMEOUT_SECS, |secs| secs.get()),
    };
    let (out, out_end) = stream()?;
    let (err, err_end) = stream()?;
    let running = hands.ask_with(Verb::Spawn(spawn), vec![out_end, err_end]);
    let (ended, out, err) = tokio::join!(running, drain(out), drain(err));
    let ended = match ended? {
        (Answer::Ended(ended), _) => ended,
        (other, _) => return Err(strange(&other)),
    };
    Ok(ShellExecOut {
        exit_code: ended.exit_code,
        timed_out: ended.timed_out,
        truncated: out.bytes > out.shown_bytes || err.bytes > err.shown_bytes,
        binary: out.binary || err.binary,
        stdout: out.text,
        stderr: err.text,
        stdout_bytes: out.bytes,
        stderr_bytes: err.bytes,
        duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        cpu_ms: ended.cpu_ms,
        max_rss_bytes: ended.max_rss_bytes,
    })
}

/// A pipe: our end, and the program's.
fn stream() -> Result<(Receiver, OwnedFd), Problem> {
    let made = pipe_with(PipeFlags::CLOEXEC).map_err(io::Error::from);
    let made = made.and_then(|(ours, theirs)| Ok((Receiver::from_owned_fd(ours)?, theirs)));
    made.map_err(|error| Problem::new(Code::ShellFailed).detail(error.to_string()))
}

struct Output {
    text: String,
    bytes: u64,
    shown_bytes: u64,
    binary: bool,
}

/// Everything the program writes is read, so that it never waits for us; the first part is kept.
async fn drain(mut stream: Receiver) -> Output {
    let (mut shown, mut bytes, mut buffer) = (Vec::new(), 0, vec![0; 64 * 1024]);
    // The program is gone when reading ends, however it ends.
    while let Ok(got) = stream.read(&mut buffer).await
        && got > 0
    {
        bytes += got as u64;
        shown.extend_from_slice(&buffer[..got.min(SHOWN - shown.len())]);
    }
    let shown_bytes = shown.len() as u64;
    let (text, binary) = match String::from_utf8(shown) {
        Ok(text) => (text, false),
        Err(error) => (String::from_utf8_lossy(error.as_bytes()).into_owned(), true),
    };
    Output { text, bytes, shown_bytes, binary }
}
