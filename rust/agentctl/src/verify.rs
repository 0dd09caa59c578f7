//! `agentctl verify-ledger`: an export, from agentd or from a file, verified in this process.
//!
//! Lines are taken in blocks; each is hashed on a core of its own and joined in order, so memory stays the same however
//! long the ledger is.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, bail};
use osmoda_client::{Client, Lines};
use osmoda_tlog::checkpoint::Checkpoint;
use osmoda_tlog::chunk::Chunk;
use osmoda_tlog::export::{Line, MAX_LINE_BYTES};
use osmoda_tlog::note::{MAX_NOTE_BYTES, Note};
use osmoda_tlog::verdict::{EXIT_IO, Failure, Report};
use osmoda_tlog::verify::{Trust, Verifier};
use osmoda_types::Endpoint;
use osmoda_types::api::agentd::ledger::LedgerExport;
use serde_json::{Map, json};
use tokio::task::JoinHandle;

use crate::args::Verify;
use crate::exit::{self, Exit};
use crate::screen::{Screen, plain};

/// Bytes of lines that are hashed at once.
const BLOCK_BYTES: usize = 1024 * 1024;

pub(crate) async fn verify(client: &Client, args: &Verify, screen: &mut Screen) -> Exit {
    let verdict = async {
        let notes = args.against.iter().map(|file| note(file)).collect::<anyhow::Result<Vec<_>>>()?;
        let verdict = judge(Source::open(client, args).await?, args, &notes).await?;
        // A verdict nobody reads is still the exit code.
        let _ = tell(&verdict, args, &notes, screen);
        anyhow::Ok(verdict)
    };
    match verdict.await {
        Ok(Ok(_)) => Exit::Verdict(0),
        Ok(Err(failure)) => Exit::Verdict(failure.exit_code()),
        Err(error) => {
            exit::report(&error, screen.is_json());
            Exit::Verdict(EXIT_IO)
        }
    }
}

fn note(file: &Path) -> anyhow::Result<String> {
    let mut text = String::new();
    let limit = MAX_NOTE_BYTES as u64 + 1;
    let read = File::open(file).and_then(|file| file.take(limit).read_to_string(&mut text));
    read.with_context(|| format!("cannot read {}", file.display()))?;
    Ok(text)
}

/// Where the export comes from.
enum Source {
    Daemon(Lines),
    File(Box<dyn BufRead>),
}

impl Source {
    async fn open(client: &Client, args: &Verify) -> anyhow::Result<Self> {
        Ok(match args.offline.as_deref() {
            None => Self::Daemon(client.lines(&LedgerExport::CALL, &Map::new()).await?),
            Some(file) if file == Path::new("-") => Self::File(Box::new(BufReader::new(io::stdin()))),
            Some(file) => {
                let open = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
                Self::File(Box::new(BufReader::with_capacity(BLOCK_BYTES, open)))
            }
        })
    }

    /// Appends one line with its end; false after the last.
    async fn line(&mut self, block: &mut Vec<u8>) -> anyhow::Result<bool> {
        match self {
            Self::Daemon(lines) => {
                let line = lines.next().await.context("the export broke off")?;
                if let Some(line) = &line {
                    block.extend_from_slice(line.as_bytes());
                    block.push(b'\n');
                }
                Ok(line.is_some())
            }
            // One byte more than a line may have: it is then refused as too long, not taken in.
            Self::File(file) => {
                let limit = MAX_LINE_BYTES as u64 + 2;
                let read =
                    file.by_ref().take(limit).read_until(b'\n', block).context("cannot read the export")?;
                Ok(read > 0)
            }
        }
    }

    /// Some lines; none after the last.
    async fn block(&mut self) -> anyhow::Result<Vec<u8>> {
        let mut block = Vec::new();
        while block.len() < BLOCK_BYTES && self.line(&mut block).await? {}
        Ok(block)
    }
}

/// Reads to the end, or to the first fault: what is proven before the source breaks off stands.
async fn judge(
    mut source: Source,
    args: &Verify,
    notes: &[String],
) -> anyhow::Result<Result<Report, Failure>> {
    let mut first = Vec::new();
    source.line(&mut first).await?;
    let first = first.strip_suffix(b"\n").unwrap_or(&first);
    let header = match Line::parse(first) {
        Ok(Line::Export(header)) => header,
        Ok(_) => bail!("this is no export of a ledger: its first line is no header"),
        Err(error) => return Err(error).context("this is no export of a ledger"),
    };
    let trust = Trust { signer: args.signer.clone(), witnesses: Vec::new() };
    let begun = Verifier::for_export(&header, trust).and_then(|mut verifier| {
        notes.iter().try_for_each(|note| verifier.against(note))?;
        Ok(verifier)
    });
    let mut verifier = match begun {
        Ok(verifier) => verifier,
        Err(failure) => return Ok(Err(failure)),
    };
    let width = std::thread::available_parallelism().map_or(1, usize::from);
    let mut running: VecDeque<JoinHandle<Chunk>> = VecDeque::new();
    let mut broken_off = None;
    loop {
        match source.block().await {
            Ok(block) if block.is_empty() => break,
            Ok(block) => running.push_back(tokio::task::spawn_blocking(move || hash(&block))),
            Err(error) => {
                broken_off = Some(error);
                break;
            }
        }
        if running.len() > width
            && let Some(oldest) = running.pop_front()
            && let Err(failure) = verifier.merge(oldest.await?)
        {
            return Ok(Err(failure));
        }
    }
    for chunk in running {
        if let Err(failure) = verifier.merge(chunk.await?) {
            return Ok(Err(failure));
        }
    }
    match broken_off {
        Some(error) => Err(error),
        None => Ok(verifier.finish()),
    }
}

fn hash(block: &[u8]) -> Chunk {
    let mut chunk = Chunk::new();
    let lines = block.strip_suffix(b"\n").unwrap_or(block);
    lines.split(|byte| *byte == b'\n').for_each(|line| chunk.push_line(line));
    chunk
}

/// How far checkpoints kept elsewhere reach, and how many reach that far.
fn witnessed(notes: &[String]) -> Option<(u64, usize)> {
    let size = |note: &String| Some(note.parse::<Note>().ok()?.text().parse::<Checkpoint>().ok()?.size);
    let mut distinct: Vec<&String> = notes.iter().collect();
    distinct.sort();
    distinct.dedup();
    let sizes: Vec<u64> = distinct.into_iter().filter_map(size).collect();
    let largest = *sizes.iter().max()?;
    Some((largest, sizes.iter().filter(|size| **size == largest).count()))
}

fn finding(verified: u64, notes: &[String]) -> String {
    match witnessed(notes) {
        None => format!("verified to {verified}, unwitnessed"),
        Some((size, by)) => {
            let kept = if by == 1 { "checkpoint" } else { "checkpoints" };
            let rest = if size < verified { ", the rest unwitnessed" } else { "" };
            format!("verified to {verified}, witnessed to {size} by {by} kept {kept}{rest}")
        }
    }
}

fn tell(
    verdict: &Result<Report, Failure>,
    args: &Verify,
    notes: &[String],
    screen: &mut Screen,
) -> io::Result<()> {
    match verdict {
        Ok(report) if screen.is_json() => screen.json(&json!({
            "ok": true, "exit_code": 0, "finding": finding(report.verified, notes),
            "verified_to": report.verified, "witnessed_to": witnessed(notes).map_or(0, |(size, _)| size),
            "signed_to": report.signed, "origin": report.origin, "signer": report.signer.to_string(),
        })),
        Ok(report) => {
            screen.line(format_args!("whole: {}", finding(report.verified, notes)))?;
            screen.line(format_args!("  ledger  {}", report.origin))?;
            let signed = report.signed.map_or("by no checkpoint".into(), |size| format!("to {size}"));
            screen.line(format_args!("  signed  {signed}"))?;
            let word = if args.signer.is_some() {
                "as given"
            } else {
                "the ledger's own word; --signer holds it to one"
            };
            screen.line(format_args!("  signer  {} ({word})", report.signer))
        }
        Err(failure) => {
            let finding = plain(&osmoda_types::chain(failure));
            let (verified, broken_at) = match failure {
                Failure::Broken { id, .. } => (Some(id - 1), Some(*id)),
                Failure::Truncated { verified, .. } => (Some(*verified), None),
                Failure::Checkpoint { .. } => (None, None),
            };
            if screen.is_json() {
                return screen
                    .json(&json!({"ok": false, "exit_code": failure.exit_code(), "finding": finding,
                    "verified_to": verified, "broken_at": broken_at}));
            }
            screen.line(screen.bad(&finding))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(size: u64) -> String {
        let signer = osmoda_tlog::note::Signer::from_seed("log", &[1; 32]).unwrap();
        let statement = Checkpoint { origin: "log".into(), size, root: [0; 32] };
        statement.sign(&signer).unwrap().to_string()
    }

    #[test]
    fn the_finding_says_how_far_and_by_how_many() {
        assert_eq!(finding(9, &[]), "verified to 9, unwitnessed");
        assert_eq!(finding(9, &[kept(9)]), "verified to 9, witnessed to 9 by 1 kept checkpoint");
        let notes = [kept(3), kept(5), kept(5)];
        let said = "verified to 9, witnessed to 5 by 1 kept checkpoint, the rest unwitnessed";
        assert_eq!(finding(9, &notes), said, "a copy is no second witness");
    }
}
