//! Two histories of the same incidents become one, and nothing of either is lost.

use osmoda_types::api::agentd::incident::{IncidentListIn, IncidentStatus};
use osmoda_types::ledger::StepKind;

use crate::ground::{Ground, agent, opened};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_of_both_sides_stand_in_the_order_of_time_and_twice_is_once() {
    let ground = Ground::new();
    let file = ground.own().join("incidents.db");
    let incidents = ground.incidents();
    let (both, _) = opened(&incidents, "both").await;
    let step = async |text: &str| {
        incidents.extend(&agent(), both.id, StepKind::Action, text.into(), vec![]).await.unwrap();
    };
    step("common").await;

    // The other history: what was written after this copy, there and here.
    let there = Ground::new();
    let copy = there.own().join("incidents.db");
    incidents.close().await;
    std::fs::copy(&file, &copy).unwrap();
    let theirs = there.incidents();
    let incidents = ground.incidents();
    theirs.extend(&agent(), both.id, StepKind::Evidence, "only there".into(), vec![7]).await.unwrap();
    let (lost, _) = opened(&theirs, "lost").await;
    theirs.conclude(&agent(), both.id, "their cause".into()).await.unwrap();
    theirs.close().await;
    for text in ["here 1", "here 2", "here 3"] {
        incidents.extend(&agent(), both.id, StepKind::Action, text.into(), vec![]).await.unwrap();
    }
    let (own, _) = opened(&incidents, "own").await;

    assert_eq!(incidents.unite(&copy).await.unwrap(), 2);
    assert_eq!(incidents.unite(&copy).await.unwrap(), 0, "a second time there is nothing to do");
    let found = incidents.get(both.id).await.unwrap();
    let mut texts: Vec<&str> = found.steps.iter().map(|step| step.text.as_str()).collect();
    assert!(found.steps.is_sorted_by_key(|step| step.at));
    assert_eq!(found.steps.iter().map(|step| step.number).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    texts.sort_unstable();
    assert_eq!(texts, ["common", "here 1", "here 2", "here 3", "only there"]);
    assert_eq!(found.incident.status, IncidentStatus::Closed);
    assert_eq!(found.incident.cause.as_deref(), Some("their cause"));
    let all = incidents.list(IncidentListIn::default()).await.unwrap().incidents;
    let mut ids: Vec<_> = all.iter().map(|incident| incident.id).collect();
    ids.sort_unstable();
    let mut expected = vec![both.id, lost.id, own.id];
    expected.sort_unstable();
    assert_eq!(ids, expected);
}
