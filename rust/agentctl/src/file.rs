//! `agentctl file`: the machine's files as an agent reaches them, with a record of each call and an undo of each change.

use std::io::{self, Read, Write};

use clap::Subcommand;
use comfy_table::Cell;
use data_encoding::BASE64;
use osmoda_client::Client;
use osmoda_types::api::agentd::file::{
    Encoding, FileDelete, FileDeleteIn, FileEntry, FileKind, FileList, FileListIn, FileMove, FileMoveIn,
    FileRead, FileReadIn, FileSearch, FileSearchIn, FileWrite, FileWriteIn, Path,
};
use osmoda_types::{Limit, Text, UndoId, Within};

use crate::events::text;
use crate::exit::{Exit, Misuse, Outcome};
use crate::screen::{Screen, plain};

#[derive(Debug, Subcommand)]
pub(crate) enum File {
    /// Write a file to stdout, byte for byte.
    Read {
        /// The file.
        #[arg(value_parser = path)]
        path: Path,
    },
    /// Make stdin the content of a file; readers see the old one or the new one.
    Write {
        /// The file.
        #[arg(value_parser = path)]
        path: Path,
        /// Only if there is none.
        #[arg(long)]
        create_only: bool,
    },
    /// List a folder.
    List {
        /// The folder.
        #[arg(value_parser = path)]
        path: Path,
    },
    /// Find files below a folder by name, by text in them, or both.
    Search {
        /// The folder.
        #[arg(value_parser = path)]
        path: Path,
        /// Only files whose name fits, with * and ?.
        #[arg(long, value_name = "PATTERN", required_unless_present = "text")]
        name: Option<Text<255>>,
        /// Only files with this text in them.
        #[arg(long)]
        text: Option<Text<1024>>,
        /// How many at the most.
        #[arg(long, short = 'n', value_name = "N", default_value_t = 100)]
        limit: u64,
    },
    /// Give a file another name or folder; nothing is overwritten.
    Move {
        /// The file.
        #[arg(value_parser = path)]
        from: Path,
        /// Its new path.
        #[arg(value_parser = path)]
        to: Path,
    },
    /// Delete a file.
    Delete {
        /// The file.
        #[arg(value_parser = path)]
        path: Path,
    },
}

pub(crate) async fn file(client: &Client, verb: File, screen: &mut Screen) -> Outcome {
    let (answer, undo) = match verb {
        File::Read { path } => return read(client, path, screen).await,
        File::List { path } => return list(client, path, screen).await,
        File::Search { path, name, text, limit } => {
            let limit = Some(Limit::new(limit).ok_or_else(|| Misuse("-n is from 1 to 1000".into()))?);
            return search(client, FileSearchIn { path, name, text, limit }, screen).await;
        }
        File::Write { path, create_only } => {
            let content = text(BASE64.encode(&content()?), "the content")?;
            let input = FileWriteIn { path, content, encoding: Encoding::Base64, create_only };
            let written = client.send::<FileWrite>(&input).await?;
            (serde_json::to_value(&written)?, written.undo)
        }
        File::Move { from, to } => {
            let moved = client.send::<FileMove>(&FileMoveIn { from, to }).await?;
            (serde_json::to_value(&moved)?, moved.undo)
        }
        File::Delete { path } => {
            let deleted = client.send::<FileDelete>(&FileDeleteIn { path }).await?;
            (serde_json::to_value(&deleted)?, deleted.undo)
        }
    };
    if screen.is_json() {
        screen.json(&answer)?;
    } else {
        screen.line(undone_by(undo))?;
    }
    Ok(Exit::Ok)
}

/// Bytes of one part of a file that is read.
const PART: u64 = 1024 * 1024;
/// Most bytes that are written at once, as the API has it.
const MOST: u64 = 16 * 1024 * 1024;

async fn read(client: &Client, path: Path, screen: &mut Screen) -> Outcome {
    let mut input = FileReadIn { path, offset: 0, max_bytes: Within::new(PART), encoding: Encoding::Base64 };
    let mut out = io::stdout().lock();
    loop {
        let part = client.send::<FileRead>(&input).await?;
        if screen.is_json() {
            screen.json_line(&part)?;
        } else {
            out.write_all(&BASE64.decode(part.content.as_bytes())?)?;
        }
        if !part.truncated {
            return Ok(Exit::Ok);
        }
        input.offset += PART;
    }
}

async fn list(client: &Client, path: Path, screen: &mut Screen) -> Outcome {
    let (mut input, mut rows) = (FileListIn { path, limit: Limit::new(1000), after: None }, Vec::new());
    loop {
        let page = client.send::<FileList>(&input).await?;
        for entry in &page.entries {
            if screen.is_json() { screen.json_line(entry)? } else { rows.push(row(entry)) }
        }
        match page.next {
            Some(next) => input.after = Some(text(next, "next")?),
            None => break,
        }
    }
    if !screen.is_json() {
        screen.table(&["MODE", "UID", "GID", "BYTES", "CHANGED", "NAME"], rows)?;
    }
    Ok(Exit::Ok)
}

fn row(entry: &FileEntry) -> Vec<Cell> {
    let sign = match entry.kind {
        FileKind::File => "",
        FileKind::Directory => "/",
        FileKind::Symlink => "@",
        FileKind::Special => "?",
    };
    let (uid, gid, size) = (entry.uid.to_string(), entry.gid.to_string(), entry.size_bytes.to_string());
    let name = format!("{}{sign}", plain(&entry.name));
    [entry.mode.clone(), uid, gid, size, entry.modified_at.to_string(), name].map(Cell::new).into()
}

async fn search(client: &Client, input: FileSearchIn, screen: &mut Screen) -> Outcome {
    let found = client.send::<FileSearch>(&input).await?;
    if screen.is_json() {
        screen.json(&found)?;
        return Ok(Exit::Ok);
    }
    for file in &found.files {
        let line = file.line.map(|line| format!(":{line}")).unwrap_or_default();
        screen.line(format_args!("{}{line}", plain(&file.path)))?;
    }
    if let Some(why) = &found.cut {
        screen.line(screen.bad(&format!("There is more: {}", plain(why))))?;
    }
    Ok(Exit::Ok)
}

/// What shall be written; one byte too many is seen before anything is sent.
fn content() -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::stdin().lock().take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        return Err(Misuse("at most 16 MiB can be written at once".into()).into());
    }
    Ok(bytes)
}

fn undone_by(undo: Option<UndoId>) -> String {
    undo.map_or_else(
        || "This cannot be undone.".into(),
        |undo| format!("{undo}  (agentctl undo {undo} takes it back)"),
    )
}

/// Relative ones from the current folder; links and dots are the daemon's to refuse.
pub(crate) fn path(given: &str) -> Result<Path, String> {
    let absolute = std::path::absolute(given).map_err(|error| error.to_string())?;
    Path::new(absolute.to_string_lossy()).map_err(|error| error.to_string())
}
