//! What stands in `incidents.db` stands in the ledger, also when agentd was killed between the two.

use agentd::incidents::IncidentError;
use agentd::ledger::Engine;
use osmoda_types::api::agentd::ledger::EventsLogIn;
use osmoda_types::ledger::{Event, NewEvent, StepKind};
use osmoda_types::{Code, Problem, Text};

use crate::ground::{Ground, agent, opened};

async fn facts(ledger: &Engine) -> Vec<Event> {
    let query = EventsLogIn { kind: Text::new("agentd.incident.").ok(), ..EventsLogIn::default() };
    let mut events = ledger.log(query).await.unwrap().events;
    events.reverse();
    events
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn facts_that_a_crash_kept_from_the_ledger_are_handed_in_once() {
    let ground = Ground::new();
    let (ledger, incidents) = (ground.ledger().await, ground.incidents());
    incidents.settle(&ledger).await.unwrap();
    // The first reaches the ledger, the two after it do not.
    let (incident, fact) = opened(&incidents, "disk full").await;
    ledger.append(vec![NewEvent::new("agentd.incident.opened", agent(), &fact)]).await.unwrap();
    incidents.extend(&agent(), incident.id, StepKind::Evidence, "df: 100 %".into(), vec![1]).await.unwrap();
    incidents.conclude(&agent(), incident.id, "a log".into()).await.unwrap();
    incidents.close().await;

    for _ in 0..2 {
        let incidents = ground.incidents();
        incidents.settle(&ledger).await.unwrap();
        incidents.close().await;
        let events = facts(&ledger).await;
        let kinds: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
        assert_eq!(kinds, ["agentd.incident.opened", "agentd.incident.extended", "agentd.incident.closed"]);
        assert!(events.iter().all(|event| event.actor == "agent:main"));
        assert_eq!(events[1].payload["text"], "df: 100 %");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closed_incident_refuses_and_an_unknown_one_is_not_found() {
    let ground = Ground::new();
    let incidents = ground.incidents();
    let (incident, _) = opened(&incidents, "x").await;
    incidents.conclude(&agent(), incident.id, "y".into()).await.unwrap();
    let again = incidents.conclude(&agent(), incident.id, "z".into()).await.unwrap_err();
    assert!(matches!(again, IncidentError::Closed));
    let unknown = "inc_01kaq3v8e2m6zr0t5h9xw4c7yd".parse().unwrap();
    assert_eq!(Problem::from(incidents.get(unknown).await.unwrap_err()).code, Code::IncidentNotFound);
    assert_eq!(incidents.get(incident.id).await.unwrap().incident.cause.as_deref(), Some("y"));
}
