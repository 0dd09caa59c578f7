//! Incidents: workspaces in which somebody, or the one after them, finds out what went wrong.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::ledger::{Severity, StepKind};
use crate::{
    Call, Code, Daemon, Effect, Endpoint, Few, IncidentId, Limit, Method, Text, Timestamp, Toolset, Undo,
    Within,
};

/// Every incident call.
pub const CALLS: &[Call] =
    &[IncidentCreate::CALL, IncidentStep::CALL, IncidentGet::CALL, IncidentList::CALL, IncidentClose::CALL];

/// The id of an event that is there.
pub type EventLink = Within<1, { crate::json::MAX_SAFE_INTEGER }>;

/// What happened, as far as it is known.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidentCreateIn {
    /// One line.
    pub title: Text<200>,
    /// What was noticed.
    #[serde(default)]
    pub description: Option<Text<4000>>,
    /// How bad it is; `warning` unless told.
    #[serde(default)]
    pub severity: Option<Severity>,
    /// Events of the ledger to look at.
    #[serde(default)]
    pub events: Few<EventLink, 64>,
}

/// Whether an incident has its cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum IncidentStatus {
    /// Somebody is to find out.
    Open,
    /// The cause is known.
    Closed,
}

/// An incident without its steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// One line.
    pub title: String,
    /// What was noticed.
    pub description: String,
    /// How bad it is.
    pub severity: Severity,
    /// Whether it has its cause.
    pub status: IncidentStatus,
    /// When it was opened.
    pub created_at: Timestamp,
    /// By whom.
    pub created_by: String,
    /// When something was last added.
    pub updated_at: Timestamp,
    /// How many steps there are.
    pub step_count: u64,
    /// Events of the ledger it began with.
    pub events: Vec<u64>,
    /// What it was; null while it is open.
    pub cause: Option<String>,
    /// When it was closed.
    pub closed_at: Option<Timestamp>,
    /// By whom.
    pub closed_by: Option<String>,
}

/// One step of an incident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Its place, from 1.
    pub number: u64,
    /// What it is.
    pub kind: StepKind,
    /// What it says.
    pub text: String,
    /// Events of the ledger it rests on.
    pub events: Vec<u64>,
    /// When it was added.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
}

/// `POST /incident/create`.
pub struct IncidentCreate;
impl Endpoint for IncidentCreate {
    type In = IncidentCreateIn;
    type Out = Incident;
    const CALL: Call = Call::effect::<Self>(
        Effect::Change,
        Undo::Never,
        Daemon::Agentd,
        Method::Post,
        "/incident/create",
        "Create an incident workspace for structured troubleshooting. Its steps outlive this conversation: whoever goes on reads them with incident_get.",
    )
    .tool("incident_create", Toolset::Identity)
    .callers(Daemon::ALL)
    .errors(STATE)
    .example(|| (json!({"title": "nginx does not start", "severity": "critical", "events": [1]}), example()));
}

/// One step more.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidentStepIn {
    /// The incident.
    pub id: IncidentId,
    /// `hypothesis`: what might be the cause; `action`: what was done; `evidence`: what was seen; `result`: what came of it.
    pub kind: StepKind,
    /// What it says.
    pub text: Text<8000>,
    /// Events of the ledger it rests on.
    #[serde(default)]
    pub events: Few<EventLink, 64>,
}

/// The step where it stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IncidentStepOut {
    /// The incident.
    pub id: IncidentId,
    /// The step.
    pub step: Step,
}

/// `POST /incident/{id}/step`.
pub struct IncidentStep;
impl Endpoint for IncidentStep {
    type In = IncidentStepIn;
    type Out = IncidentStepOut;
    const CALL: Call = Call::effect::<Self>(
        Effect::Change,
        Undo::Never,
        Daemon::Agentd,
        Method::Post,
        "/incident/{id}/step",
        "Add a step to an incident: a hypothesis, an action, a piece of evidence or a result, with the ledger events it rests on.",
    )
    .tool("incident_step", Toolset::Identity)
    .callers(Daemon::ALL)
    .errors(CHANGING)
    .example(|| {
        let (id, text) = ("inc_01kaq3v8e2m6zr0t5h9xw4c7yd", "the configuration names a certificate that is gone");
        (
            json!({"id": id, "kind": "hypothesis", "text": text, "events": [1]}),
            json!({"id": id, "step": {"number": 1, "kind": "hypothesis", "text": text, "events": [1],
            "at": "2026-11-24T08:31:00.000Z", "by": "agent:main"}}),
        )
    });
}

/// Which incident.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidentGetIn {
    /// The incident.
    pub id: IncidentId,
}

/// An incident with all its steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IncidentGetOut {
    /// The incident.
    #[serde(flatten)]
    pub incident: Incident,
    /// Its steps in order.
    pub steps: Vec<Step>,
}

/// `GET /incident/{id}`.
pub struct IncidentGet;
impl Endpoint for IncidentGet {
    type In = IncidentGetIn;
    type Out = IncidentGetOut;
    const CALL: Call = Call::observe::<Self>(
        Daemon::Agentd,
        Method::Get,
        "/incident/{id}",
        "An incident with all its steps, to go on where somebody left it.",
    )
    .tool("incident_get", Toolset::Identity)
    .callers(Daemon::ALL)
    .errors(READING)
    .example(|| {
        let mut incident = example();
        incident["steps"] = json!([]);
        (json!({"id": "inc_01kaq3v8e2m6zr0t5h9xw4c7yd"}), incident)
    });
}

/// Which incidents to list, newest first.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidentListIn {
    /// Only open or only closed ones.
    pub status: Option<IncidentStatus>,
    /// Rows at the most, 100 unless told.
    pub limit: Option<Limit>,
    /// The `next` of the page before.
    pub after: Option<Text<64>>,
}

/// A page of incidents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct IncidentListOut {
    /// The incidents.
    pub incidents: Vec<Incident>,
    /// Give it as `after` for the next page; null on the last.
    pub next: Option<String>,
}

/// `GET /incidents`.
pub struct IncidentList;
impl Endpoint for IncidentList {
    type In = IncidentListIn;
    type Out = IncidentListOut;
    const CALL: Call = Call::observe::<Self>(
        Daemon::Agentd,
        Method::Get,
        "/incidents",
        "List incidents, newest first; `status=open` for those without a cause.",
    )
    .tool("incident_list", Toolset::Identity)
    .callers(Daemon::ALL)
    .errors(STATE)
    .example(|| (json!({"status": "open"}), json!({"incidents": [example()], "next": null})));
}

/// What it was.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidentCloseIn {
    /// The incident.
    pub id: IncidentId,
    /// What it was, and what ended it.
    pub cause: Text<4000>,
}

/// `POST /incident/{id}/close`.
pub struct IncidentClose;
impl Endpoint for IncidentClose {
    type In = IncidentCloseIn;
    type Out = Incident;
    const CALL: Call = Call::effect::<Self>(
        Effect::Change,
        Undo::Never,
        Daemon::Agentd,
        Method::Post,
        "/incident/{id}/close",
        "Close an incident with its cause. A closed incident takes no more steps.",
    )
    .tool("incident_close", Toolset::Identity)
    .callers(Daemon::ALL)
    .errors(CHANGING)
    .example(|| {
        let mut incident = example();
        for (field, value) in [
            ("status", "closed"),
            ("cause", "the certificate was renewed under another name"),
            ("closed_at", "2026-11-24T09:00:00.000Z"),
            ("closed_by", "agent:main"),
        ] {
            incident[field] = json!(value);
        }
        (json!({"id": incident["id"], "cause": incident["cause"]}), incident)
    });
}

const STATE: &[Code] =
    &[Code::StateFull, Code::StateUnwritable, Code::StateCorrupt, Code::StateNewerSchema, Code::InternalBug];
const READING: &[Code] = &[
    Code::IncidentNotFound,
    Code::StateFull,
    Code::StateUnwritable,
    Code::StateCorrupt,
    Code::StateNewerSchema,
    Code::InternalBug,
];
const CHANGING: &[Code] = &[
    Code::IncidentNotFound,
    Code::IncidentClosed,
    Code::IncidentFull,
    Code::StateFull,
    Code::StateUnwritable,
    Code::StateCorrupt,
    Code::StateNewerSchema,
    Code::InternalBug,
];

fn example() -> serde_json::Value {
    json!({"id": "inc_01kaq3v8e2m6zr0t5h9xw4c7yd", "title": "nginx does not start", "description": "", "severity": "critical",
        "status": "open", "created_at": "2026-11-24T08:30:00.000Z", "created_by": "agent:main",
        "updated_at": "2026-11-24T08:30:00.000Z", "step_count": 0, "events": [1],
        "cause": null, "closed_at": null, "closed_by": null})
}
