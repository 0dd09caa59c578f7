//! Facts: what stands in the ledger beside the records of calls, and the list of every event type.

use schemars::{JsonSchema, Schema, schema_for};
use serde::{Deserialize, Serialize};

use super::{Denied, Intent, Outcome, SessionRead};
use crate::api::agentd::firewall::OpenPorts;
use crate::api::agentd::process::Signal;
use crate::{Actor, BackupId, IncidentId, MachineId, MemoryId, RequestId, Timestamp, UndoId};

/// `agentd.ledger.created`: always event 1; names the log and its first signer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerCreated {
    /// Version of this payload.
    pub v: u32,
    /// The machine.
    pub machine_id: MachineId,
    /// `osmoda/<machine_id>/ledger`.
    pub origin: String,
    /// Verifier key of the checkpoints.
    pub signer: String,
}

/// `agentd.clock.jumped`: the wall clock moved by itself; order in the ledger is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClockJumped {
    /// Version of this payload.
    pub v: u32,
    /// The last time in the ledger.
    pub from: Timestamp,
    /// What the clock says now.
    pub to: Timestamp,
}

/// `agentd.source.started`: a daemon began a new outbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SourceStarted {
    /// Version of this payload.
    pub v: u32,
    /// The daemon.
    pub source: String,
    /// Its new outbox.
    pub epoch: String,
    /// The outbox before, if there was one.
    pub previous: Option<PreviousSource>,
}

/// Where an abandoned outbox ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PreviousSource {
    /// The outbox.
    pub epoch: String,
    /// Its last recorded sequence number.
    pub last_seq: u64,
}

/// `agentd.file.written`: a file has this content now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileWritten {
    /// Version of this payload.
    pub v: u32,
    /// The file.
    pub path: String,
    /// `sha256:` of its content.
    pub digest: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// It was not there before.
    pub created: bool,
}

/// `agentd.file.deleted`: a file is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileDeleted {
    /// Version of this payload.
    pub v: u32,
    /// The file.
    pub path: String,
}

/// `agentd.file.moved`: a file has another name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileMoved {
    /// Version of this payload.
    pub v: u32,
    /// Where it was.
    pub from: String,
    /// Where it is.
    pub to: String,
}

/// `agentd.change.undone`: a change was taken back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChangeUndone {
    /// Version of this payload.
    pub v: u32,
    /// The entry of the undo journal.
    pub undo: UndoId,
    /// The request that made the change.
    pub request_id: RequestId,
    /// What was changed.
    pub what: String,
}

/// `<daemon>.alert.raised`: somebody should look.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Alert {
    /// Version of this payload.
    pub v: u32,
    /// What noticed it.
    pub source: String,
    /// How bad it is.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// What happened.
    pub detail: String,
    /// Events or ids to look at.
    pub links: Vec<String>,
}

/// `agentd.incident.opened`: somebody began to look into something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IncidentOpened {
    /// Version of this payload.
    pub v: u32,
    /// The incident.
    pub incident: IncidentId,
    /// One line.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// Events to look at.
    pub events: Vec<u64>,
}

/// `agentd.incident.extended`: a step was added to an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IncidentExtended {
    /// Version of this payload.
    pub v: u32,
    /// The incident.
    pub incident: IncidentId,
    /// The step's place when it was added, from 1.
    pub number: u64,
    /// What kind of step it is.
    pub kind: StepKind,
    /// What it says.
    pub text: String,
    /// Events it rests on.
    pub events: Vec<u64>,
}

/// What a step of an incident is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StepKind {
    /// What might be the cause.
    Hypothesis,
    /// What was done.
    Action,
    /// What was seen.
    Evidence,
    /// What came of it.
    Result,
}

/// `agentd.incident.closed`: an incident has its cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IncidentClosed {
    /// Version of this payload.
    pub v: u32,
    /// The incident.
    pub incident: IncidentId,
    /// What it was.
    pub cause: String,
}

/// `agentd.card.generated`: the machine described itself to others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CardGenerated {
    /// Version of this payload.
    pub v: u32,
    /// The agent's name.
    pub name: String,
    /// The key that signed it, `ed25519:<base64url>`.
    pub key: String,
    /// `sha256:` of the registration file that was signed, in its canonical form.
    pub digest: String,
    /// Endpoints it names.
    pub endpoints: Vec<String>,
}

/// `agentd.backup.created`: a backup is complete.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BackupCreated {
    /// Version of this payload.
    pub v: u32,
    /// The backup.
    pub backup: BackupId,
    /// `sha256:` of the encrypted file.
    pub digest: String,
    /// Its size.
    pub size_bytes: u64,
    /// Files in it.
    pub files: u64,
    /// Events of the ledger in it.
    pub ledger_size: u64,
    /// Encrypted to a key that lies on this machine only.
    pub own_key: bool,
    /// The age recipients.
    pub recipients: Vec<String>,
}

/// `agentd.backup.restored`: a backup was merged into the state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BackupRestored {
    /// Version of this payload.
    pub v: u32,
    /// The backup.
    pub backup: BackupId,
    /// `sha256:` of the encrypted file.
    pub digest: String,
    /// Who asked for it.
    pub asked_by: Actor,
    /// The request that asked for it.
    pub request_id: RequestId,
    /// Files that were put back.
    pub files: u64,
    /// Incidents that were added or continued.
    pub incidents: u64,
    /// The backup's ledger took the place of one that had nothing in it.
    pub ledger_installed: bool,
    /// A crash cut it off and it was completed at the next start, or it had to wait for that start.
    pub at_start: bool,
}

/// How bad an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Info,
    /// Degraded.
    Warning,
    /// Someone must act.
    Critical,
}

/// `agentd.service.started`, `.stopped`, `.restarted`, `.reloaded`: systemd was given the job and ended it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceActed {
    /// Version of this payload.
    pub v: u32,
    /// The unit, by its own name.
    pub unit: String,
    /// How the job ended: `done`, `failed`, `timeout`, `dependency`, `canceled`, `skipped` …; `pending` if it had not.
    pub job: String,
    /// The unit's state before: `active`, `inactive`, `failed` …
    pub before: String,
    /// The unit's state after; none where it could not be read.
    pub after: Option<String>,
}

/// `agentd.memory.stored`: a memory was kept, or a call was added to the origins of the same one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemoryStored {
    /// Version of this payload.
    pub v: u32,
    /// The memory.
    pub id: MemoryId,
    /// It was there already.
    pub merged: bool,
    /// Nothing of untrusted origin was in the conversation.
    pub trusted: bool,
}

/// `agentd.memory.forgotten`: memories are gone; never what they said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MemoryForgotten {
    /// Version of this payload.
    pub v: u32,
    /// The memories that are gone.
    pub ids: Vec<MemoryId>,
    /// Memories that stay and no longer name the source.
    pub kept: Vec<MemoryId>,
    /// The source they came from, where one was named.
    pub source: Option<String>,
}

/// `agentd.sysctl.changed`: a parameter of the kernel has another value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SysctlChanged {
    /// Version of this payload.
    pub v: u32,
    /// The parameter.
    pub key: String,
    /// What it was; none where it can only be written.
    pub before: Option<String>,
    /// What the kernel made of it.
    pub after: Option<String>,
}

/// `agentd.process.signalled`: a process got a signal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessSignalled {
    /// Version of this payload.
    pub v: u32,
    /// Its id.
    pub pid: u32,
    /// Name of its program.
    pub name: String,
    /// The unit it ran in.
    pub unit: Option<String>,
    /// The signal, without SIG.
    pub signal: Signal,
}

/// `agentd.firewall.allowed` and `agentd.firewall.revoked`: who may reach which ports.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FirewallChanged {
    /// Version of this payload.
    pub v: u32,
    /// The opening as it was before; none where there was none.
    pub before: Option<OpenPorts>,
    /// The opening as it is now; none where there is none any more.
    pub after: Option<OpenPorts>,
}

/// One kind of event that is not a call of the catalogue.
pub struct Fact {
    /// Its type; `<…>` stands for a part that varies.
    pub kind: &'static str,
    /// What it records.
    pub summary: &'static str,
    /// JSON Schema of its payload.
    pub payload: fn() -> Schema,
}

/// Every event type there is.
pub const FACTS: &[Fact] = &[
    Fact {
        kind: "<call>.intent",
        summary: "a call that will have an effect, before it does",
        payload: || schema_for!(Intent),
    },
    Fact { kind: "<call>.outcome", summary: "what became of an intent", payload: || schema_for!(Outcome) },
    Fact {
        kind: "<call>.denied",
        summary: "a call that was not let through",
        payload: || schema_for!(Denied),
    },
    Fact {
        kind: "<daemon>.session.read",
        summary: "what one caller read within a minute",
        payload: || schema_for!(SessionRead),
    },
    Fact { kind: "<daemon>.alert.raised", summary: "somebody should look", payload: || schema_for!(Alert) },
    Fact {
        kind: "agentd.file.written",
        summary: "a file has this content now",
        payload: || schema_for!(FileWritten),
    },
    Fact { kind: "agentd.file.deleted", summary: "a file is gone", payload: || schema_for!(FileDeleted) },
    Fact {
        kind: "agentd.file.moved",
        summary: "a file has another name",
        payload: || schema_for!(FileMoved),
    },
    Fact {
        kind: "agentd.change.undone",
        summary: "a change was taken back",
        payload: || schema_for!(ChangeUndone),
    },
    Fact {
        kind: "agentd.ledger.created",
        summary: "always event 1: the log and its first signer",
        payload: || schema_for!(LedgerCreated),
    },
    Fact {
        kind: "agentd.clock.jumped",
        summary: "the wall clock moved by itself",
        payload: || schema_for!(ClockJumped),
    },
    Fact {
        kind: "agentd.source.started",
        summary: "a daemon began a new outbox",
        payload: || schema_for!(SourceStarted),
    },
    Fact {
        kind: "agentd.incident.opened",
        summary: "somebody began to look into something",
        payload: || schema_for!(IncidentOpened),
    },
    Fact {
        kind: "agentd.incident.extended",
        summary: "a step was added to an incident",
        payload: || schema_for!(IncidentExtended),
    },
    Fact {
        kind: "agentd.incident.closed",
        summary: "an incident has its cause",
        payload: || schema_for!(IncidentClosed),
    },
    Fact {
        kind: "agentd.card.generated",
        summary: "the machine described itself to others",
        payload: || schema_for!(CardGenerated),
    },
    Fact {
        kind: "agentd.backup.created",
        summary: "a backup is complete",
        payload: || schema_for!(BackupCreated),
    },
    Fact {
        kind: "agentd.backup.restored",
        summary: "a backup was merged into the state",
        payload: || schema_for!(BackupRestored),
    },
    Fact {
        kind: "agentd.service.started",
        summary: "a unit was started, or the job failed; `job` says which",
        payload: || schema_for!(ServiceActed),
    },
    Fact {
        kind: "agentd.service.stopped",
        summary: "a unit was stopped, or the job failed; `job` says which",
        payload: || schema_for!(ServiceActed),
    },
    Fact {
        kind: "agentd.service.restarted",
        summary: "a unit was restarted, or the job failed; `job` says which",
        payload: || schema_for!(ServiceActed),
    },
    Fact {
        kind: "agentd.service.reloaded",
        summary: "a unit was told to reload, or the job failed; `job` says which",
        payload: || schema_for!(ServiceActed),
    },
    Fact {
        kind: "agentd.memory.stored",
        summary: "a memory was kept, or added to the same one",
        payload: || schema_for!(MemoryStored),
    },
    Fact {
        kind: "agentd.memory.forgotten",
        summary: "memories are gone; only their ids",
        payload: || schema_for!(MemoryForgotten),
    },
    Fact {
        kind: "agentd.sysctl.changed",
        summary: "a parameter of the kernel has another value",
        payload: || schema_for!(SysctlChanged),
    },
    Fact {
        kind: "agentd.process.signalled",
        summary: "a process got a signal",
        payload: || schema_for!(ProcessSignalled),
    },
    Fact {
        kind: "agentd.firewall.allowed",
        summary: "ports were opened, or opened for another time",
        payload: || schema_for!(FirewallChanged),
    },
    Fact {
        kind: "agentd.firewall.revoked",
        summary: "an opening was taken back",
        payload: || schema_for!(FirewallChanged),
    },
];
