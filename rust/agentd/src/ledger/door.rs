//! What an event must be before it may stand in the ledger.

use osmoda_tlog::chain::{MAX_PAYLOAD_BYTES, check_name};
use osmoda_types::ledger::NewEvent;
use osmoda_types::{Daemon, RequestId, json};
use serde_json::Value;

use super::LedgerError;

/// An event that may be recorded: text in the very form that is hashed.
#[derive(Debug, Clone)]
pub(super) struct Admitted {
    pub(super) kind: String,
    pub(super) actor: String,
    pub(super) payload: String,
    pub(super) link: Link,
}

/// What an event means for the calls that are under way.
#[derive(Debug, Clone)]
pub(super) enum Link {
    /// Nothing.
    None,
    /// `<call>.intent`.
    Opens { call: String, request: RequestId },
    /// `<call>.outcome`.
    Closes { call: String, request: RequestId },
}

impl Link {
    /// The link of an event of type `kind`; None where it needs a request id and there is none.
    pub(super) fn of(kind: &str, request: impl FnOnce() -> Option<RequestId>) -> Option<Self> {
        if let Some(call) = kind.strip_suffix(".intent") {
            request().map(|request| Self::Opens { call: call.to_owned(), request })
        } else if let Some(call) = kind.strip_suffix(".outcome") {
            request().map(|request| Self::Closes { call: call.to_owned(), request })
        } else {
            Some(Self::None)
        }
    }
}

/// Checks a batch of `owner`'s events and brings their payloads into canonical form.
///
/// # Errors
/// [`LedgerError::ForeignType`], [`LedgerError::TooLarge`] or [`LedgerError::Field`], naming the event.
pub(super) fn admit_all(owner: Daemon, events: Vec<NewEvent>) -> Result<Vec<Admitted>, LedgerError> {
    events.into_iter().enumerate().map(|(at, event)| admit(owner, at, event)).collect()
}

fn admit(owner: Daemon, at: usize, event: NewEvent) -> Result<Admitted, LedgerError> {
    let NewEvent { kind, actor, payload } = event;
    let actor = actor.to_string();
    check_name("type", &kind)
        .map_err(|_| LedgerError::field(format!("/events/{at}/type"), "is not of the form of a type"))?;
    check_name("actor", &actor)
        .map_err(|_| LedgerError::field(format!("/events/{at}/actor"), "is not of the form of an actor"))?;
    if !kind.strip_prefix(owner.name()).is_some_and(|rest| rest.len() > 1 && rest.starts_with('.')) {
        return Err(LedgerError::ForeignType { at });
    }
    let request = || payload.get("request_id").and_then(Value::as_str).and_then(|id| id.parse().ok());
    let link = Link::of(&kind, request).ok_or_else(|| {
        LedgerError::field(format!("/events/{at}/payload/request_id"), "is not a request id")
    })?;
    let payload = json::canonical(&Value::Object(payload));
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(LedgerError::TooLarge { at, bytes: payload.len() });
    }
    Ok(Admitted { kind, actor, payload, link })
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    fn event(kind: &str, payload: Value) -> NewEvent {
        let Value::Object(payload) = payload else { panic!("an object") };
        NewEvent { kind: kind.to_owned(), actor: "agent:main".parse().unwrap(), payload }
    }

    #[test]
    fn a_source_names_only_its_own_types() {
        let admit = |kind: &str| admit_all(Daemon::Watch, vec![event(kind, json!({}))]);
        assert!(admit("watch.switch.committed").is_ok());
        for foreign in ["agentd.approval.decided", "watch", "watch.", "watchful.x", "keyd.wallet.sent"] {
            assert!(matches!(admit(foreign), Err(LedgerError::ForeignType { at: 0 })), "{foreign}");
        }
        assert!(matches!(admit("watch.a|b"), Err(LedgerError::Field { .. })));
    }

    #[test]
    fn a_payload_is_stored_in_its_one_canonical_form_and_size() {
        let admitted = admit_all(Daemon::Watch, vec![event("watch.a", json!({"b": 1.0, "a": "é"}))]).unwrap();
        assert_eq!(admitted[0].payload, r#"{"a":"é","b":1}"#);
        let fits = "x".repeat(MAX_PAYLOAD_BYTES - r#"{"a":""}"#.len());
        assert!(admit_all(Daemon::Watch, vec![event("watch.a", json!({"a": fits}))]).is_ok());
        let refused = admit_all(
            Daemon::Watch,
            vec![event("watch.a", Value::Object(Map::new())), event("watch.a", json!({"a": fits + "x"}))],
        );
        assert!(matches!(refused, Err(LedgerError::TooLarge { at: 1, .. })));
    }

    #[test]
    fn an_intent_must_say_which_request_it_belongs_to() {
        let refused = admit_all(Daemon::Watch, vec![event("watch.switch.begin.intent", json!({"v": 1}))]);
        assert!(matches!(refused, Err(LedgerError::Field { .. })));
        let payload = json!({"request_id": "req_01kaq3v8e2m6zr0t5h9xw4c7yd"});
        let admitted = admit_all(Daemon::Watch, vec![event("watch.switch.begin.intent", payload)]).unwrap();
        assert!(matches!(&admitted[0].link, Link::Opens { call, .. } if call == "watch.switch.begin"));
    }
}
