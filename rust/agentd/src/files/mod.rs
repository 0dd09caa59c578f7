//! File calls: what the privileged half does, with what was there kept for undo.

mod read;
mod secret;

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use agentd_root::file::{Entry, FileAnswer, FileVerb, Kind, Looks, Seen};
use agentd_root::{Answer, Hands, Verb};
use axum::response::Response;
use data_encoding::{BASE64, HEXLOWER};
use osmoda_runtime::Context;
use osmoda_types::api::agentd::file::{
    Encoding, FileDeleteIn, FileDeleteOut, FileEntry, FileKind, FileListIn, FileListOut, FileMoveIn,
    FileMoveOut, FileReadIn, FileReadOut, FileSearchIn, FileSearchOut, FileWriteIn, FileWriteOut, FoundFile,
};
use osmoda_types::ledger::{FileDeleted, FileMoved, FileWritten};
use osmoda_types::{Code, Limit, Problem, Timestamp, Within, json};

use self::read::Stretch;
use self::secret::Secrets;
use crate::blocking::blocking;
use crate::control::strange;
use crate::undo::{Change, Journal, Kept};

/// The machine's files, as far as agentd may reach.
pub(crate) struct Files {
    hands: Hands,
    journal: Arc<Journal>,
    secrets: Secrets,
}

impl Files {
    pub(crate) fn new(hands: Hands, journal: Arc<Journal>, state_root: PathBuf) -> Self {
        Self { hands, journal, secrets: Secrets::new(state_root.join("secrets")) }
    }

    pub(crate) async fn read(&self, input: FileReadIn) -> Result<Response, Problem> {
        if self.secrets.holds(&input.path) {
            return Err(Problem::new(Code::FileWriteOnly));
        }
        let (file, seen, looks) = self.open(&input.path).await?;
        let Seen::File { size, .. } = seen else { return Err(Code::FileNotFound.into()) };
        let most = Within::or(input.max_bytes, DEFAULT_BYTES);
        let from = input.offset.min(size);
        let to = size.min(from + most as u64);
        let about = FileReadOut {
            content: String::new(),
            encoding: input.encoding,
            size_bytes: size,
            offset: input.offset,
            truncated: to < size,
            mode: mode(looks),
            uid: looks.uid,
            gid: looks.gid,
            modified_at: at(looks),
        };
        let stretch = Stretch { file: File::from(file), from, to, encoding: input.encoding };
        read::answer(stretch, about).await
    }

    pub(crate) async fn write(&self, context: &Context, input: FileWriteIn) -> Result<FileWriteOut, Problem> {
        let path = input.path.into_inner();
        let content = match input.encoding {
            Encoding::Text => input.content.into_inner().into_bytes(),
            Encoding::Base64 => BASE64.decode(input.content.as_bytes()).map_err(|error| {
                Problem::new(Code::RequestField).at("/content", format!("is no base64: {error}"))
            })?,
        };
        let size_bytes = content.len() as u64;
        if self.secrets.holds(&path) {
            let created = self.secrets.write(context, &path, content, input.create_only).await?;
            return Ok(FileWriteOut { path, size_bytes, digest: None, created, undo: None });
        }
        let digest = json::digest_of(&content);
        let before = self.found(&path).await?;
        if before.is_some() && input.create_only {
            return Err(Problem::new(Code::FileExists).detail(path));
        }
        let created = before.is_none();
        let seen = before.as_ref().map_or(Seen::Absent {}, |(_, seen, _)| *seen);
        let content = blocking(move || agentd_root::memory_file(&content)).await?;
        let verb = FileVerb::Write { path: path.clone(), seen, as_it_was: None };
        let undo = self
            .with_undo(context, before, Some(digest.clone()), &path, async {
                self.hands.ask_with(Verb::File(verb), vec![content]).await.map(drop)
            })
            .await?;
        let fact = FileWritten { v: 1, path: path.clone(), digest: digest.clone(), size_bytes, created };
        context.fact("agentd.file.written", &fact);
        Ok(FileWriteOut { path, size_bytes, digest: Some(digest), created, undo })
    }

    pub(crate) async fn delete(
        &self,
        context: &Context,
        input: FileDeleteIn,
    ) -> Result<FileDeleteOut, Problem> {
        let path = input.path.into_inner();
        let before = self.open(&path).await?;
        let verb = FileVerb::Delete { path: path.clone(), seen: before.1 };
        let undo = self
            .with_undo(context, Some(before), None, &path, async { self.ask(verb).await.map(drop) })
            .await?;
        context.fact("agentd.file.deleted", &FileDeleted { v: 1, path: path.clone() });
        Ok(FileDeleteOut { path, undo })
    }

    pub(crate) async fn rename(&self, context: &Context, input: FileMoveIn) -> Result<FileMoveOut, Problem> {
        let (from, to) = (input.from.into_inner(), input.to.into_inner());
        let (_, seen, looks) = self.open(&from).await?;
        let Seen::File { ino, size, .. } = seen else { return Err(Code::FileNotFound.into()) };
        let change =
            Change::Moved { from: from.clone(), to: to.clone(), ino, size, mtime_ns: looks.mtime_ns };
        let verb = FileVerb::Move { from: from.clone(), to: to.clone(), seen };
        let (_, undo) = self.journal.around(context, change, None, self.ask(verb)).await?;
        context.undone_by(undo);
        context.fact("agentd.file.moved", &FileMoved { v: 1, from: from.clone(), to: to.clone() });
        Ok(FileMoveOut { from, to, undo: Some(undo) })
    }

    pub(crate) async fn list(&self, input: FileListIn) -> Result<FileListOut, Problem> {
        let limit = Limit::or(input.limit, DEFAULT_ROWS);
        let verb = FileVerb::List {
            path: input.path.into_inner(),
            after: input.after.map(osmoda_types::Text::into_inner),
            limit,
        };
        let (entries, more) = match self.ask(verb).await? {
            FileAnswer::Entries { entries, more } => (entries, more),
            other => return Err(strange(&Answer::File(other))),
        };
        let next = entries.last().filter(|_| more).map(|last| last.name_hex.clone());
        Ok(FileListOut { entries: entries.into_iter().map(entry).collect(), next })
    }

    pub(crate) async fn search(&self, input: FileSearchIn) -> Result<FileSearchOut, Problem> {
        if input.name.is_none() && input.text.is_none() {
            return Err(Problem::new(Code::RequestField).at("/name", "give a name, a text or both"));
        }
        let verb = FileVerb::Search {
            path: input.path.into_inner(),
            name: input.name.map(osmoda_types::Text::into_inner),
            text: input.text.map(osmoda_types::Text::into_inner),
            limit: Limit::or(input.limit, DEFAULT_ROWS),
        };
        let (files, cut) = match self.ask(verb).await? {
            FileAnswer::Found { files, cut } => (files, cut),
            other => return Err(strange(&Answer::File(other))),
        };
        let file = |found: agentd_root::file::Found| FoundFile {
            path: found.path,
            kind: kind(found.kind),
            size_bytes: if found.kind == Kind::File { found.size } else { 0 },
            line: found.line,
        };
        Ok(FileSearchOut { files: files.into_iter().map(file).collect(), cut })
    }

    /// The file at `path` as a descriptor, and how it looks.
    pub(crate) async fn open(&self, path: &str) -> Result<(OwnedFd, Seen, Looks), Problem> {
        let verb = Verb::File(FileVerb::Read { path: path.to_owned() });
        let (answer, fds) = self.hands.ask_with(verb, Vec::new()).await?;
        match (answer, fds.into_iter().next()) {
            (Answer::File(FileAnswer::File { seen, looks }), Some(file)) => Ok((file, seen, looks)),
            (other, _) => Err(strange(&other)),
        }
    }

    /// As [`open`](Self::open), for a file that may not be there.
    pub(crate) async fn found(&self, path: &str) -> Result<Option<(OwnedFd, Seen, Looks)>, Problem> {
        match self.open(path).await {
            Err(problem) if problem.code == Code::FileNotFound => Ok(None),
            opened => opened.map(Some),
        }
    }

    async fn ask(&self, verb: FileVerb) -> Result<FileAnswer, Problem> {
        match self.hands.ask(Verb::File(verb)).await? {
            Answer::File(answer) => Ok(answer),
            other => Err(strange(&other)),
        }
    }

    /// Makes a change between a durable entry of the undo journal and its end. Without an entry where the old content
    /// is too large to keep.
    async fn with_undo(
        &self,
        context: &Context,
        before: Option<(OwnedFd, Seen, Looks)>,
        after: Option<String>,
        path: &str,
        change: impl Future<Output = Result<(), Problem>>,
    ) -> Result<Option<osmoda_types::UndoId>, Problem> {
        let kept = match before {
            None => Some((None, None)),
            Some((file, _, looks)) => self
                .journal
                .keep_file(file)
                .await?
                .map(|(digest, bytes)| (Some(Kept { digest, looks }), Some(bytes))),
        };
        let Some((before, bytes)) = kept else { return change.await.map(|()| None) };
        let entry = Change::File { path: path.to_owned(), before, after };
        let ((), undo) = self.journal.around(context, entry, bytes, change).await?;
        context.undone_by(undo);
        Ok(Some(undo))
    }
}

/// What is read when nobody says how much.
const DEFAULT_BYTES: usize = 256 * 1024;
/// What is listed when nobody says how much.
const DEFAULT_ROWS: usize = 100;

fn entry(entry: Entry) -> FileEntry {
    let bytes = HEXLOWER.decode(entry.name_hex.as_bytes()).unwrap_or_default();
    let (name, name_base64) = match String::from_utf8(bytes) {
        Ok(name) => (name, None),
        Err(error) => {
            (String::from_utf8_lossy(error.as_bytes()).into_owned(), Some(BASE64.encode(error.as_bytes())))
        }
    };
    FileEntry {
        name,
        name_base64,
        kind: kind(entry.kind),
        size_bytes: entry.size,
        mode: mode(entry.looks),
        uid: entry.looks.uid,
        gid: entry.looks.gid,
        modified_at: at(entry.looks),
    }
}

fn kind(of: Kind) -> FileKind {
    match of {
        Kind::File => FileKind::File,
        Kind::Folder => FileKind::Directory,
        Kind::Link => FileKind::Symlink,
        Kind::Special => FileKind::Special,
    }
}

fn mode(looks: Looks) -> String {
    format!("{:04o}", looks.mode)
}

fn at(looks: Looks) -> Timestamp {
    Timestamp::from_millis(looks.mtime_ns.div_euclid(1_000_000)).unwrap_or(Timestamp::EPOCH)
}
