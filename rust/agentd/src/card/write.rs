//! Making the card and keeping it.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use data_encoding::BASE64;
use osmoda_store::{Error, atomic_write};
use osmoda_types::api::agentd::card::{
    A2aCapabilities, A2aCard, A2aInterface, A2aSkill, AgentCardGenerateIn, Card, CardSeal, CardService,
    REGISTRATION_TYPE, Registration,
};
use osmoda_types::catalogue::calls_of;
use osmoda_types::ledger::CardGenerated;
use osmoda_types::{Clock, Entropy, MachineId, Timestamp, Toolset, json};
use serde_json::Value;

use super::CardError;
use super::key::{CardKey, canonical};
use super::probe::{self, Answering};

/// The card of this machine, in `card.json` beside its key.
pub struct Cards {
    folder: PathBuf,
    run_dir: PathBuf,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Cards {
    /// In agentd's `folder`; the daemons' sockets are in `run_dir`.
    pub fn new(folder: &Path, run_dir: &Path, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { folder: folder.to_owned(), run_dir: run_dir.to_owned(), clock, entropy }
    }

    /// The card as it was generated last.
    ///
    /// # Errors
    /// [`CardError::NotFound`] before the first one; [`CardError::State`] when it cannot be read.
    pub async fn read(&self) -> Result<Card, CardError> {
        let path = self.folder.join(CARD_FILE);
        let read = tokio::task::spawn_blocking(move || match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(|error| Error::Corrupt { path, source: Arc::new(error) }.into()),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(CardError::NotFound),
            Err(error) => Err(Error::io(&path, error).into()),
        });
        read.await.map_err(|_| Error::Closed)?
    }

    /// Asks the daemons how they are, makes the card of those that answer, signs and keeps it.
    ///
    /// # Errors
    /// [`CardError::NoMachineId`], [`CardError::State`].
    pub async fn generate(
        &self,
        machine_id: Option<MachineId>,
        input: AgentCardGenerateIn,
    ) -> Result<(Card, CardGenerated), CardError> {
        let machine_id = machine_id.ok_or(CardError::NoMachineId)?;
        let answering = probe::answering(&self.run_dir).await;
        let registration = registration(&input, &answering);
        let (folder, entropy, generated_at) = (self.folder.clone(), self.entropy.clone(), self.clock.now());
        let made = tokio::task::spawn_blocking(move || {
            let key = CardKey::read_or_make(&folder.join("card.key"), entropy.as_ref())?;
            let card = signed(&key, registration, &answering, machine_id, generated_at);
            let text = serde_json::to_string_pretty(&card).expect("a card is plain data");
            atomic_write(&folder.join(CARD_FILE), text.as_bytes(), 0o644)?;
            Ok::<_, Error>(card)
        });
        let card = made.await.map_err(|_| Error::Closed)??;
        let fact = CardGenerated {
            v: 1,
            name: card.registration.name.clone(),
            key: card.osmoda.key.clone(),
            digest: json::digest_of(canonical(&card.registration).as_bytes()),
            endpoints: card.registration.services.iter().map(|service| service.endpoint.clone()).collect(),
        };
        Ok((card, fact))
    }
}

fn signed(
    key: &CardKey,
    registration: Registration,
    answering: &[Answering],
    machine_id: MachineId,
    generated_at: Timestamp,
) -> Card {
    let mut a2a = a2a(&registration, answering);
    let mut unsigned = serde_json::to_value(&a2a).unwrap_or(Value::Null);
    if let Value::Object(fields) = &mut unsigned {
        fields.remove("signatures");
    }
    a2a.signatures.push(key.sign(&unsigned));
    let osmoda = CardSeal { machine_id, generated_at, key: key.public(), signature: key.sign(&registration) };
    Card { registration, a2a, osmoda }
}

fn registration(input: &AgentCardGenerateIn, answering: &[Answering]) -> Registration {
    let found = answering.iter().map(|daemon| CardService {
        name: LOCAL.to_owned(),
        endpoint: endpoint(daemon),
        version: Some(daemon.version.clone()),
    });
    let named = input.services.iter().map(|service| CardService {
        name: service.name.to_string(),
        endpoint: service.endpoint.to_string(),
        version: service.version.as_deref().map(str::to_owned),
    });
    Registration {
        kind: REGISTRATION_TYPE.to_owned(),
        name: input.name.to_string(),
        description: input.description.to_string(),
        image: format!("data:image/svg+xml;base64,{}", BASE64.encode(IMAGE.as_bytes())),
        services: found.chain(named).collect(),
        x402_support: false,
        active: !answering.is_empty() && answering.iter().all(|daemon| daemon.well),
        registrations: Vec::new(),
        supported_trust: Vec::new(),
    }
}

fn a2a(registration: &Registration, answering: &[Answering]) -> A2aCard {
    let interface = |daemon: &Answering| A2aInterface {
        url: endpoint(daemon),
        protocol_binding: LOCAL.to_owned(),
        protocol_version: daemon.version.clone(),
    };
    let json = || vec!["application/json".to_owned()];
    A2aCard {
        name: registration.name.clone(),
        description: registration.description.clone(),
        supported_interfaces: answering.iter().map(interface).collect(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        capabilities: A2aCapabilities { streaming: true, push_notifications: false },
        default_input_modes: json(),
        default_output_modes: json(),
        skills: Toolset::ALL.iter().filter_map(|set| skill(*set, answering)).collect(),
        signatures: Vec::new(),
    }
}

/// A toolset as a skill, with the tools of the daemons that answer.
fn skill(toolset: Toolset, answering: &[Answering]) -> Option<A2aSkill> {
    let calls = answering.iter().flat_map(|answering| calls_of(answering.daemon));
    let tools: Vec<_> = calls
        .filter(|call| call.toolset == toolset)
        .filter_map(|call| Some((call.tool?.to_owned(), call.summary)))
        .collect();
    let first = |summary: &str| summary.split_once(". ").map_or(summary, |(first, _)| first).to_owned();
    let described = |(tool, summary): &(String, &str)| format!("{tool}: {}", first(summary));
    (!tools.is_empty()).then(|| A2aSkill {
        id: toolset.name().to_owned(),
        name: toolset.name().to_owned(),
        description: tools.iter().map(described).collect::<Vec<_>>().join("\n"),
        tags: tools.into_iter().map(|(tool, _)| tool).collect(),
    })
}

/// A local socket is no public address and is never shown as one.
fn endpoint(daemon: &Answering) -> String {
    format!("unix:{}", daemon.socket.display())
}

const CARD_FILE: &str = "card.json";
const LOCAL: &str = "x-osmoda";

/// A circle in a square; in the card itself, so that nothing is fetched to show it.
const IMAGE: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 64 64\"><rect width=\"64\" height=\"64\" rx=\"12\" \
     fill=\"#1b2a41\"/><circle cx=\"32\" cy=\"32\" r=\"18\" fill=\"none\" stroke=\"#e0fbfc\" stroke-width=\"8\"/></svg>";
