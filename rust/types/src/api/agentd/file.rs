//! Files: reading, writing, listing, searching below declared roots.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    Call, Code, Daemon, Effect, Endpoint, Limit, Method, Text, Timestamp, Toolset, Undo, UndoId, Within,
};

/// Every call about files.
pub const CALLS: &[Call] =
    &[FileRead::CALL, FileWrite::CALL, FileDelete::CALL, FileMove::CALL, FileList::CALL, FileSearch::CALL];

/// An absolute path without links in it.
pub type Path = Text<4095>;

/// What every call on a path can answer.
const ERRORS: &[Code] = &[
    Code::PolicyDenied,
    Code::FileNotFound,
    Code::FileKind,
    Code::FileLink,
    Code::FileDenied,
    Code::FileFailed,
    Code::RootAbsent,
];

/// And every call that changes one.
const CHANGES: &[Code] = &[
    Code::PolicyDenied,
    Code::FileNotFound,
    Code::FileKind,
    Code::FileLink,
    Code::FileDenied,
    Code::FileFailed,
    Code::FileReadOnly,
    Code::FileExists,
    Code::FileChanged,
    Code::StateFull,
    Code::RootAbsent,
];

/// How content travels in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// UTF-8 text.
    #[default]
    Text,
    /// Base64 of any bytes.
    Base64,
}

/// What a path stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum FileKind {
    /// A regular file.
    File,
    /// A folder.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A FIFO, socket or device.
    Special,
}

/// A part of a file.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileReadIn {
    /// The file.
    pub path: Path,
    /// First byte; 0 unless told.
    #[serde(default)]
    pub offset: u64,
    /// At most so many bytes; 256 KiB unless told.
    #[serde(default)]
    pub max_bytes: Option<Within<1, 16_777_216>>,
    /// `base64` for files that are no text; text that is not UTF-8 is refused.
    #[serde(default)]
    pub encoding: Encoding,
}

/// What stood there.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FileReadOut {
    /// The content as asked for.
    pub content: String,
    /// How it is encoded.
    pub encoding: Encoding,
    /// Size of the whole file in bytes.
    pub size_bytes: u64,
    /// Where this part begins.
    pub offset: u64,
    /// The file goes on after this part.
    pub truncated: bool,
    /// Permission bits as in `0644`.
    pub mode: String,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Last change of the content.
    pub modified_at: Timestamp,
}

/// `POST /file/read`.
pub struct FileRead;
impl Endpoint for FileRead {
    type In = FileReadIn;
    type Out = FileReadOut;
    const CALL: Call = Call::observe::<Self>(
        Daemon::Agentd,
        Method::Post,
        "/file/read",
        "Read a file, or a part of it. Only regular files below the declared folders; credentials and osModa's own state never.",
    )
    .tool("file_read", Toolset::System)
    .errors(&[
        Code::PolicyDenied,
        Code::FileNotFound,
        Code::FileKind,
        Code::FileLink,
        Code::FileDenied,
        Code::FileFailed,
        Code::FileWriteOnly,
        Code::RootAbsent,
    ])
    .example(|| {
        (
            json!({"path": "/etc/hostname"}),
            json!({"content": "box\n", "encoding": "text", "size_bytes": 4, "offset": 0, "truncated": false,
                "mode": "0644", "uid": 0, "gid": 0, "modified_at": "2026-11-24T08:30:00.000Z"}),
        )
    });
}

/// A file as it shall be.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileWriteIn {
    /// The file; its folder must be there.
    pub path: Path,
    /// The whole content. No record shows it.
    pub content: Text<16_777_216>,
    /// How the content is encoded.
    #[serde(default)]
    pub encoding: Encoding,
    /// Refuse when the file is there already.
    #[serde(default)]
    pub create_only: bool,
}

/// A change that can be taken back.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FileWriteOut {
    /// The file.
    pub path: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// `sha256:` of what was written; none for a secret.
    pub digest: Option<String>,
    /// It was not there before.
    pub created: bool,
    /// What takes it back; none where the old content was too large to keep, and for secrets.
    pub undo: Option<UndoId>,
}

/// `POST /file/write`.
pub struct FileWrite;
impl Endpoint for FileWrite {
    type In = FileWriteIn;
    type Out = FileWriteOut;
    const CALL: Call = Call::effect::<Self>(
        Effect::Change,
        Undo::Journal,
        Daemon::Agentd,
        Method::Post,
        "/file/write",
        "Write a whole file at once: readers see the old one or the new one. Owner and mode stay; a new file is 0644. A path in /var/lib/osmoda/secrets is written 0600 and can never be read back.",
    )
    .tool("file_write", Toolset::System)
    .secrets(&["content"])
    .body_limit(34 * 1024 * 1024)
    .timeout_secs(60)
    .errors(CHANGES)
    .example(|| {
        (
            json!({"path": "/srv/motd", "content": "welcome\n"}),
            json!({"path": "/srv/motd", "size_bytes": 8, "created": true, "undo": "undo_01kaq3v8e2m6zr0t5h9xw4c7yd",
                "digest": "sha256:b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0"}),
        )
    });
}

/// A file that shall go.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileDeleteIn {
    /// The file.
    pub path: Path,
}

/// What is gone.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FileDeleteOut {
    /// The file.
    pub path: String,
    /// What brings it back; none where it was too large to keep.
    pub undo: Option<UndoId>,
}

/// `POST /file/delete`.
pub struct FileDelete;
impl Endpoint for FileDelete {
    type In = FileDeleteIn;
    type Out = FileDeleteOut;
    const CALL: Call = Call::effect::<Self>(
        Effect::Destroy,
        Undo::Journal,
        Daemon::Agentd,
        Method::Post,
        "/file/delete",
        "Delete one regular file. Up to 64 MiB it is kept for a week so that undo brings it back.",
    )
    .tool("file_delete", Toolset::System)
    .timeout_secs(60)
    .errors(CHANGES)
    .example(|| {
        (
            json!({"path": "/srv/motd"}),
            json!({"path": "/srv/motd", "undo": "undo_01kaq3v8e2m6zr0t5h9xw4c7yd"}),
        )
    });
}

/// A file that shall have another name.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileMoveIn {
    /// The file.
    pub from: Path,
    /// Its new path on the same file system; nothing may stand there.
    pub to: Path,
}

/// What was moved.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FileMoveOut {
    /// Where it was.
    pub from: String,
    /// Where it is.
    pub to: String,
    /// What moves it back.
    pub undo: Option<UndoId>,
}

/// `POST /file/move`.
pub struct FileMove;
impl Endpoint for FileMove {
    type In = FileMoveIn;
    type Out = FileMoveOut;
    const CALL: Call = Call::effect::<Self>(
        Effect::Change,
        Undo::Journal,
        Daemon::Agentd,
        Method::Post,
        "/file/move",
        "Give a regular file another name or folder. Nothing is overwritten.",
    )
    .tool("file_move", Toolset::System)
    .errors(CHANGES)
    .example(|| {
        (
            json!({"from": "/srv/motd", "to": "/srv/motd.old"}),
            json!({"from": "/srv/motd", "to": "/srv/motd.old", "undo": "undo_01kaq3v8e2m6zr0t5h9xw4c7yd"}),
        )
    });
}

/// A folder to look into.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileListIn {
    /// The folder.
    pub path: Path,
    /// At most so many entries; 100 unless told.
    #[serde(default)]
    pub limit: Option<Limit>,
    /// `next` of the page before.
    #[serde(default)]
    pub after: Option<Text<1024>>,
}

/// A page of a folder, in byte order of names.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FileListOut {
    /// The entries.
    pub entries: Vec<FileEntry>,
    /// Where the next page begins; null at the end.
    pub next: Option<String>,
}

/// One name in a folder.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FileEntry {
    /// The name; bytes that are no UTF-8 read as `\u{fffd}`.
    pub name: String,
    /// The name's bytes in base64 where they are no UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name_base64: Option<String>,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: FileKind,
    /// Size of a regular file in bytes.
    pub size_bytes: u64,
    /// Permission bits as in `0644`.
    pub mode: String,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Last change of the content.
    pub modified_at: Timestamp,
}

/// `POST /file/list`.
pub struct FileList;
impl Endpoint for FileList {
    type In = FileListIn;
    type Out = FileListOut;
    const CALL: Call = Call::observe::<Self>(
        Daemon::Agentd,
        Method::Post,
        "/file/list",
        "List a folder: names with types and sizes, a page at a time.",
    )
    .tool("directory_list", Toolset::System)
    .timeout_secs(60)
    .errors(ERRORS)
    .example(|| {
        (
            json!({"path": "/srv"}),
            json!({"entries": [{"name": "motd", "type": "file", "size_bytes": 8, "mode": "0644", "uid": 0, "gid": 0,
                "modified_at": "2026-11-24T08:30:00.000Z"}], "next": null}),
        )
    });
}

/// What to look for.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileSearchIn {
    /// The folder to begin in.
    pub path: Path,
    /// A shell pattern of names, such as `*.conf`.
    #[serde(default)]
    pub name: Option<Text<255>>,
    /// Text that the file holds within its first 16 MiB.
    #[serde(default)]
    pub text: Option<Text<1024>>,
    /// At most so many files; 100 unless told.
    #[serde(default)]
    pub limit: Option<Limit>,
}

/// What was found.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FileSearchOut {
    /// The files.
    pub files: Vec<FoundFile>,
    /// Why not everything was looked at; null when it was.
    pub cut: Option<String>,
}

/// One file that was looked for.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct FoundFile {
    /// Where it is.
    pub path: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: FileKind,
    /// Size of a regular file in bytes.
    pub size_bytes: u64,
    /// The line where the text stands first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
}

/// `POST /file/search`.
pub struct FileSearch;
impl Endpoint for FileSearch {
    type In = FileSearchIn;
    type Out = FileSearchOut;
    const CALL: Call = Call::observe::<Self>(
        Daemon::Agentd,
        Method::Post,
        "/file/search",
        "Find files below a folder by name and by text in them.",
    )
    .tool("file_search", Toolset::System)
    .errors(ERRORS)
    .example(|| {
        (
            json!({"path": "/etc/nixos", "name": "*.nix", "text": "nginx"}),
            json!({"files": [{"path": "/etc/nixos/web.nix", "type": "file", "size_bytes": 812, "line": 7}], "cut": null}),
        )
    });
}
