//! `agentctl ledger export`, `checkpoint` and `proof`: the ledger, and what stands for it, taken elsewhere.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use data_encoding::BASE64;
use osmoda_client::Client;
use osmoda_tlog::chain::row_hash;
use osmoda_tlog::checkpoint::Checkpoint as Statement;
use osmoda_tlog::merkle::leaf_hash;
use osmoda_tlog::note::Note;
use osmoda_tlog::proof::verify_inclusion;
use osmoda_tlog::{Hash, to_hex};
use osmoda_types::api::agentd::ledger::{
    EventProof, EventProofIn, EventProofOut, LedgerCheckpoint, LedgerExport,
};
use osmoda_types::{Empty, Endpoint, json};
use serde_json::Map;

use crate::args::{Checkpoint, Export, Proof};
use crate::events::{event_id, show};
use crate::exit::{Exit, Outcome};
use crate::screen::Screen;

pub(crate) async fn export(client: &Client, args: &Export) -> Outcome {
    let file = args.file.as_deref().filter(|file| *file != Path::new("-"));
    let Some(file) = file else {
        copy(client, args, &mut io::stdout().lock()).await?;
        return Ok(Exit::Ok);
    };
    // The name appears with the whole export or not at all; an interrupt takes the unfinished file away.
    let mut unfinished = beside(file)?;
    tokio::select! {
        copied = copy(client, args, &mut unfinished) => copied?,
        _ = tokio::signal::ctrl_c() => bail!("interrupted; nothing was written"),
    }
    keep(unfinished, file)?;
    Ok(Exit::Ok)
}

async fn copy(client: &Client, args: &Export, to: &mut impl Write) -> anyhow::Result<()> {
    let mut arguments = Map::new();
    if let Some(since) = args.since {
        arguments.insert("since".into(), since.to_string().into());
    }
    let mut lines = client.lines(&LedgerExport::CALL, &arguments).await?;
    let mut to = BufWriter::with_capacity(256 * 1024, to);
    while let Some(line) = lines.next().await.context("the export broke off; it is not whole")? {
        to.write_all(line.as_bytes())?;
        to.write_all(b"\n")?;
    }
    Ok(to.flush()?)
}

pub(crate) async fn checkpoint(client: &Client, args: &Checkpoint, screen: &mut Screen) -> Outcome {
    let checkpoint = client.send::<LedgerCheckpoint>(&Empty {}).await?;
    if let Some(file) = &args.file {
        let mut unfinished = beside(file)?;
        unfinished.write_all(checkpoint.note.as_bytes())?;
        keep(unfinished, file)?;
    } else if screen.is_json() {
        screen.json(&checkpoint)?;
    } else {
        io::stdout().write_all(checkpoint.note.as_bytes())?;
    }
    Ok(Exit::Ok)
}

fn beside(file: &Path) -> anyhow::Result<tempfile::NamedTempFile> {
    let dir =
        file.parent().filter(|dir| *dir != Path::new("")).map_or_else(|| PathBuf::from("."), Path::to_owned);
    tempfile::NamedTempFile::new_in(&dir).with_context(|| format!("cannot write in {}", dir.display()))
}

fn keep(unfinished: tempfile::NamedTempFile, file: &Path) -> anyhow::Result<()> {
    let failed = || format!("cannot write {}", file.display());
    unfinished.as_file().sync_all().with_context(failed)?;
    unfinished.persist(file).with_context(failed)?;
    let dir = file.parent().filter(|dir| *dir != Path::new("")).unwrap_or(Path::new("."));
    fs::File::open(dir).and_then(|dir| dir.sync_all()).with_context(failed)
}

pub(crate) async fn proof(client: &Client, args: &Proof, screen: &mut Screen) -> Outcome {
    let size = args.size.map(event_id).transpose()?;
    let proof = client.send::<EventProof>(&EventProofIn { id: event_id(args.id)?, size }).await?;
    let fault = fault(&proof, args.id);
    if screen.is_json() {
        screen.json(&proof)?;
    } else {
        show(&proof.event, screen)?;
        if fault.is_none() {
            let EventProofOut { event, size, root, checkpoint, .. } = &proof;
            screen.line(format_args!(
                "event {} stands in the tree of {size} events with the root {root}",
                event.id
            ))?;
            match checkpoint {
                Some(note) => screen.line(format_args!("as this checkpoint says:\n\n{}", note.trim_end()))?,
                None => screen.line("no checkpoint of this size was signed")?,
            }
        }
    }
    match fault {
        Some(fault) => bail!("the proof does not hold: {fault}"),
        None => Ok(Exit::Ok),
    }
}

/// What is wrong with a proof, checked without trust in who gave it.
fn fault(proof: &EventProofOut, asked: u64) -> Option<&'static str> {
    let event = &proof.event;
    let payload = json::canonical(&event.payload);
    let ts = event.ts.to_string();
    let hash = row_hash(event.id, &ts, &event.kind, &event.actor, &payload, &event.prev_hash);
    if event.id != asked || proof.index.checked_add(1) != Some(asked) {
        return Some("it is of another event");
    }
    if to_hex(&hash) != event.hash {
        return Some("the event's hash is not that of its content");
    }
    let decoded =
        (digest(&proof.root), proof.path.iter().map(|step| digest(step)).collect::<Option<Vec<_>>>());
    let (Some(root), Some(path)) = decoded else { return Some("a digest in it is malformed") };
    if !verify_inclusion(proof.index, proof.size, &leaf_hash(event.hash.as_bytes()), &root, &path) {
        return Some("the path does not lead to the root");
    }
    let note = proof.checkpoint.as_ref()?;
    let statement = note.parse::<Note>().ok().and_then(|note| note.text().parse::<Statement>().ok());
    match statement {
        Some(statement) if statement.size == proof.size && statement.root == root => None,
        _ => Some("its checkpoint says something else"),
    }
}

fn digest(text: &str) -> Option<Hash> {
    BASE64.decode(text.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use osmoda_types::ledger::Event;
    use serde_json::json;

    use super::*;

    /// The proof of event 1 in a ledger of two events.
    fn good() -> EventProofOut {
        let genesis = "0".repeat(64);
        let ts = "2026-11-24T08:30:00.000Z";
        let hash = row_hash(1, ts, "a.b", "daemon:agentd", "{\"x\":1}", &genesis);
        let (leaf, other) = (leaf_hash(to_hex(&hash).as_bytes()), [7; 32]);
        let root = osmoda_tlog::merkle::node_hash(&leaf, &other);
        let event: Event =
            serde_json::from_value(json!({"id": 1, "ts": ts, "type": "a.b", "actor": "daemon:agentd",
            "payload": {"x": 1}, "prev_hash": genesis, "hash": to_hex(&hash)}))
            .unwrap();
        let (root, path) = (BASE64.encode(&root), vec![BASE64.encode(&other)]);
        EventProofOut { event, index: 0, size: 2, root, path, checkpoint: None }
    }

    #[test]
    fn a_good_proof_holds_and_each_wrong_part_is_found() {
        assert_eq!(fault(&good(), 1), None);
        assert!(fault(&good(), 2).is_some(), "another event was asked for");
        let wrong: [fn(&mut EventProofOut); 7] = [
            |proof| proof.event.payload = json!({"x": 2}),
            |proof| proof.event.actor = "operator:root".into(),
            |proof| proof.index = 1,
            |proof| proof.path.clear(),
            |proof| proof.root = "?".into(),
            |proof| proof.path[0] = BASE64.encode(&[8; 32]),
            |proof| proof.checkpoint = Some("log\n2\nAAAA\n\n".into()),
        ];
        for (number, spoil) in wrong.iter().enumerate() {
            let mut proof = good();
            spoil(&mut proof);
            assert!(fault(&proof, 1).is_some(), "change {number}");
        }
    }
}
