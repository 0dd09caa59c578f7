//! The agent card: who this machine is to others, as an ERC-8004 registration file and an A2A agent card.
//!
//! The answer is a valid `registration-v1` file; the members that are not of ERC-8004 (`a2a`, `osmoda`) stand beside
//! its own, which the standard admits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{
    Call, Code, Daemon, Effect, Empty, Endpoint, Few, MachineId, Method, Text, Timestamp, Toolset, Undo,
};

/// Every card call.
pub const CALLS: &[Call] = &[AgentCard::CALL, AgentCardGenerate::CALL];

/// The `type` of a registration file (ERC-8004).
pub const REGISTRATION_TYPE: &str = "https://eips.ethereum.org/EIPS/eip-8004#registration-v1";

/// What to say of oneself.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AgentCardGenerateIn {
    /// The agent's name.
    pub name: Text<100>,
    /// What it is for.
    pub description: Text<2000>,
    /// Public endpoints of this agent beside the daemons' sockets, which are found by asking them.
    #[serde(default)]
    pub services: Few<ServiceIn, 16>,
}

/// A public endpoint the operator vouches for.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceIn {
    /// `web`, `A2A`, `MCP`, `OASF`, `ENS`, `DID`, `email`, or one's own.
    pub name: Text<64>,
    /// Its address.
    pub endpoint: Text<512>,
    /// Version of what it speaks.
    #[serde(default)]
    pub version: Option<Text<32>>,
}

/// An agent card, with its signatures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Card {
    /// The ERC-8004 registration file.
    #[serde(flatten)]
    pub registration: Registration,
    /// The A2A v1.0 card, signed.
    pub a2a: A2aCard,
    /// What only osModa says.
    pub osmoda: CardSeal,
}

/// An ERC-8004 registration file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Registration {
    /// `https://eips.ethereum.org/EIPS/eip-8004#registration-v1`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The agent's name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// A picture, as a data URL: nothing is fetched.
    pub image: String,
    /// Where it is reached: sockets that answered when the card was made, and what the operator named.
    pub services: Vec<CardService>,
    /// It does not ask for x402 payments.
    #[serde(rename = "x402Support")]
    pub x402_support: bool,
    /// Every daemon that answered was well.
    pub active: bool,
    /// On-chain registrations; none is made from here.
    pub registrations: Vec<CardRegistration>,
    /// Trust models it supports.
    #[serde(rename = "supportedTrust")]
    pub supported_trust: Vec<String>,
}

/// One endpoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CardService {
    /// `x-osmoda` for a daemon's socket.
    pub name: String,
    /// Its address.
    pub endpoint: String,
    /// Version of what it speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// One on-chain registration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CardRegistration {
    /// The agent's number in the registry.
    pub agent_id: u64,
    /// `eip155:<chain>:<address>`.
    pub agent_registry: String,
}

/// An A2A v1.0 agent card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct A2aCard {
    /// The agent's name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// How to talk to it: the sockets that answered.
    pub supported_interfaces: Vec<A2aInterface>,
    /// Release of osModa.
    pub version: String,
    /// What its interfaces can.
    pub capabilities: A2aCapabilities,
    /// Media types it reads.
    pub default_input_modes: Vec<String>,
    /// Media types it writes.
    pub default_output_modes: Vec<String>,
    /// The toolsets of the daemons that answered.
    pub skills: Vec<A2aSkill>,
    /// JWS over the card without this field (RFC 7515 over RFC 8785).
    pub signatures: Vec<A2aSignature>,
}

/// One way to talk to the agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct A2aInterface {
    /// Its address.
    pub url: String,
    /// `x-osmoda`: the calls of docs/openapi; A2A's own bindings are not spoken here.
    pub protocol_binding: String,
    /// Version of it.
    pub protocol_version: String,
}

/// What the interfaces can.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct A2aCapabilities {
    /// Answers may be streams.
    pub streaming: bool,
    /// It calls back.
    pub push_notifications: bool,
}

/// Something the agent can do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct A2aSkill {
    /// The toolset.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What its tools do.
    pub description: String,
    /// The names of its tools.
    pub tags: Vec<String>,
}

/// A JWS in its flattened form, without the payload.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct A2aSignature {
    /// base64url of `{"alg":"EdDSA","kid":…}`.
    pub protected: String,
    /// base64url of the Ed25519 signature.
    pub signature: String,
}

/// The machine's own seal on its card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CardSeal {
    /// The machine.
    pub machine_id: MachineId,
    /// When the card was made.
    pub generated_at: Timestamp,
    /// The card key, `ed25519:<base64url>`; it signs nothing else.
    pub key: String,
    /// JWS over the registration file: the card without `a2a` and `osmoda`, in its canonical form (RFC 8785).
    pub signature: A2aSignature,
}

/// `GET /agent/card`.
pub struct AgentCard;
impl Endpoint for AgentCard {
    type In = Empty;
    type Out = Card;
    const CALL: Call = Call::observe::<Self>(
        Daemon::Agentd,
        Method::Get,
        "/agent/card",
        "The agent card of this machine: identity, capabilities, services (ERC-8004 and A2A), signed.",
    )
    .tool("agent_card", Toolset::Identity)
    .callers(Daemon::ALL)
    .errors(&[Code::CardNotFound, Code::StateUnwritable, Code::StateCorrupt, Code::StateFull])
    .example(|| (json!({}), example()));
}

/// `POST /agent/card/generate`.
pub struct AgentCardGenerate;
impl Endpoint for AgentCardGenerate {
    type In = AgentCardGenerateIn;
    type Out = Card;
    const CALL: Call = Call::effect::<Self>(
        Effect::Change,
        Undo::Never,
        Daemon::Agentd,
        Method::Post,
        "/agent/card/generate",
        "Generate the agent card anew from what answers on this machine, and sign it with the card key.",
    )
    .toolset(Toolset::Identity)
    .errors(&[Code::StateUnwritable, Code::StateCorrupt, Code::StateFull])
    .example(|| (json!({"name": "build-host", "description": "Builds and serves our packages."}), example()));
}

fn example() -> serde_json::Value {
    let jws = json!({"protected": "eyJhbGciOiJFZERTQSIsImtpZCI6ImVkMjU1MTk6…", "signature": "…"});
    json!({"type": REGISTRATION_TYPE, "name": "build-host", "description": "Builds and serves our packages.",
        "image": "data:image/svg+xml;base64,…",
        "services": [{"name": "x-osmoda", "endpoint": "unix:/run/osmoda/agentd.sock", "version": "0.1.0"}],
        "x402Support": false, "active": true, "registrations": [], "supportedTrust": [],
        "a2a": {"name": "build-host", "description": "Builds and serves our packages.",
            "supportedInterfaces": [{"url": "unix:/run/osmoda/agentd.sock", "protocolBinding": "x-osmoda", "protocolVersion": "0.1.0"}],
            "version": "0.1.0", "capabilities": {"streaming": true, "pushNotifications": false},
            "defaultInputModes": ["application/json"], "defaultOutputModes": ["application/json"],
            "skills": [{"id": "ledger", "name": "ledger", "description": "The record of what was done.", "tags": ["event_log"]}],
            "signatures": [jws]},
        "osmoda": {"machine_id": "mach_01kaq3v8e2m6zr0t5h9xw4c7yd", "generated_at": "2026-11-24T08:30:00.000Z",
            "key": "ed25519:…", "signature": jws}})
}
