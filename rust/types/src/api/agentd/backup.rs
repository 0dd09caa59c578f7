//! Backups: all state in one encrypted file, checked before it is trusted and merged rather than put over what is there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    BackupId, Call, Code, Daemon, Effect, Empty, Endpoint, Limit, MachineId, Method, Text, Timestamp,
    Toolset, Undo,
};

/// Every backup call.
pub const CALLS: &[Call] = &[BackupCreate::CALL, BackupList::CALL, BackupVerify::CALL, BackupRestore::CALL];

/// A backup in the backups folder.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Backup {
    /// Its id.
    pub id: BackupId,
    /// The encrypted file.
    pub path: String,
    /// Its size.
    pub size_bytes: u64,
    /// When it was begun.
    pub created_at: Timestamp,
    /// What the note beside it says; null where the note is missing. The file itself is the truth: backup_verify.
    pub note: Option<BackupNote>,
}

/// What can be said of a backup without opening it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BackupNote {
    /// The machine it is of.
    pub machine_id: MachineId,
    /// `sha256:` of the encrypted file.
    pub digest: String,
    /// Files in it.
    pub files: u64,
    /// Events of the ledger in it.
    pub ledger_size: u64,
    /// It is encrypted to a key that lies on this machine only: who loses the machine loses the backup.
    pub own_key: bool,
    /// The age recipients.
    pub recipients: Vec<String>,
}

/// `POST /backup/create`.
pub struct BackupCreate;
impl Endpoint for BackupCreate {
    type In = Empty;
    type Out = Backup;
    const CALL: Call = Call::effect::<Self>(
        Effect::Change,
        Undo::Never,
        Daemon::Agentd,
        Method::Post,
        "/backup/create",
        "Create a timestamped backup of all osModa state: a consistent snapshot with a manifest of hashes, encrypted with age.",
    )
    .tool("backup_create", Toolset::Identity)
    .callers(Daemon::ALL)
    .timeout_secs(3600)
    .errors(WORKING)
    .example(|| (json!({}), example()));
}

/// Which backups to list, newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupListIn {
    /// Rows at the most, 100 unless told.
    pub limit: Option<Limit>,
    /// The `next` of the page before.
    pub after: Option<Text<64>>,
}

/// A page of backups.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BackupListOut {
    /// The backups.
    pub backups: Vec<Backup>,
    /// Give it as `after` for the next page; null on the last.
    pub next: Option<String>,
}

/// `GET /backup/list`.
pub struct BackupList;
impl Endpoint for BackupList {
    type In = BackupListIn;
    type Out = BackupListOut;
    const CALL: Call = Call::observe::<Self>(
        Daemon::Agentd,
        Method::Get,
        "/backup/list",
        "List all available backups with size and timestamps, newest first.",
    )
    .tool("backup_list", Toolset::Identity)
    .callers(Daemon::ALL)
    .errors(&[Code::StateUnwritable, Code::StateFull])
    .example(|| (json!({}), json!({"backups": [example()], "next": null})));
}

/// Which backup to verify.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupVerifyIn {
    /// The backup.
    pub id: BackupId,
}

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BackupVerifyOut {
    /// The backup.
    pub id: BackupId,
    /// It decrypts, every hash is that of the manifest, every database is sound, the ledger in it verifies, and it is
    /// of this machine.
    pub ok: bool,
    /// Why it is not ok.
    pub code: Option<Code>,
    /// What was found, in words.
    pub finding: String,
    /// The ledger of this machine says that this very file was made here.
    pub recorded: bool,
    /// The machine it is of, where that could be read.
    pub machine_id: Option<MachineId>,
    /// Files in it.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Databases that passed SQLite's own check.
    pub databases: Vec<String>,
    /// Events of its ledger, all of them verified.
    pub ledger_size: u64,
}

/// `POST /backup/verify`.
pub struct BackupVerify;
impl Endpoint for BackupVerify {
    type In = BackupVerifyIn;
    type Out = BackupVerifyOut;
    const CALL: Call = Call::observe::<Self>(
        Daemon::Agentd,
        Method::Post,
        "/backup/verify",
        "Verify a backup without restoring it: decrypts it, checks every hash, every database and its ledger.",
    )
    .tool("backup_verify", Toolset::Identity)
    .callers(Daemon::ALL)
    .timeout_secs(3600)
    .errors(OPENING)
    .example(|| {
        (
            json!({"id": "bak_01kaq3v8e2m6zr0t5h9xw4c7yd"}),
            json!({"id": "bak_01kaq3v8e2m6zr0t5h9xw4c7yd", "ok": true, "code": null, "finding": "whole: 12 files, the ledger verified to 1234",
            "recorded": true, "machine_id": "mach_01kaq3v8e2m6zr0t5h9xw4c7yd", "files": 12, "bytes": 900_000,
            "databases": ["agentd/incidents.db", "agentd/state.db", "ledger/ledger.db"], "ledger_size": 1234}),
        )
    });
}

/// Which backup to restore.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BackupRestoreIn {
    /// The backup.
    pub id: BackupId,
    /// Also where the ledger of this machine does not say that it made this file; for a ledger that was lost.
    #[serde(default)]
    pub accept_unrecorded: bool,
}

/// What was restored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BackupRestoreOut {
    /// The backup.
    pub id: BackupId,
    /// Files that were missing or older here and were put back.
    pub files: u64,
    /// Incidents that were added or continued.
    pub incidents: u64,
    /// What becomes of the ledger: a ledger is never replaced by an older one.
    pub ledger: RestoredLedger,
}

/// What a restore means for the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RestoredLedger {
    /// The present ledger stays; the restore is a fact in it.
    Kept,
    /// The present ledger has nothing in it but its beginning: agentd installs the backup's when it starts next.
    InstalledAtNextStart,
}

/// `POST /backup/restore`.
pub struct BackupRestore;
impl Endpoint for BackupRestore {
    type In = BackupRestoreIn;
    type Out = BackupRestoreOut;
    const CALL: Call = Call::effect::<Self>(
        Effect::Trust,
        Undo::Never,
        Daemon::Agentd,
        Method::Post,
        "/backup/restore",
        "Restore a backup of this machine by merging it into what is there. Everything in it is verified first; the ledger is never replaced by an older one.",
    )
    .tool("backup_restore", Toolset::Identity)
    .timeout_secs(3600)
    .errors(RESTORING)
    .example(|| {
        (
            json!({"id": "bak_01kaq3v8e2m6zr0t5h9xw4c7yd"}),
            json!({"id": "bak_01kaq3v8e2m6zr0t5h9xw4c7yd", "files": 3, "incidents": 1, "ledger": "kept"}),
        )
    });
}

const WORKING: &[Code] = &[
    Code::BackupBusy,
    Code::BackupAgeAbsent,
    Code::StateFull,
    Code::StateUnwritable,
    Code::StateCorrupt,
    Code::StateNewerSchema,
    Code::InternalBug,
];
const OPENING: &[Code] = &[
    Code::BackupNotFound,
    Code::BackupBusy,
    Code::BackupAgeAbsent,
    Code::BackupLocked,
    Code::StateFull,
    Code::StateUnwritable,
    Code::StateCorrupt,
    Code::StateNewerSchema,
    Code::InternalBug,
];
const RESTORING: &[Code] = &[
    Code::PolicyDenied,
    Code::BackupNotFound,
    Code::BackupBusy,
    Code::BackupAgeAbsent,
    Code::BackupLocked,
    Code::BackupDamaged,
    Code::BackupForeign,
    Code::BackupUnrecorded,
    Code::LedgerUnavailable,
    Code::StateFull,
    Code::StateUnwritable,
    Code::StateCorrupt,
    Code::StateNewerSchema,
    Code::InternalBug,
];

fn example() -> serde_json::Value {
    json!({"id": "bak_01kaq3v8e2m6zr0t5h9xw4c7yd", "path": "/var/backups/osmoda/bak_01kaq3v8e2m6zr0t5h9xw4c7yd.age",
        "size_bytes": 905_216, "created_at": "2026-11-24T08:30:00.000Z",
        "note": {"machine_id": "mach_01kaq3v8e2m6zr0t5h9xw4c7yd",
            "digest": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "files": 12, "ledger_size": 1234, "own_key": true, "recipients": ["age1…"]}})
}
