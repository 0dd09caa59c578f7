//! Receipts of calls that share a request id, that run at once, and that were cut off.

use agentd::ledger::Engine;
use osmoda_types::api::agentd::receipt::{Receipt, ReceiptId, ReceiptListIn};
use osmoda_types::ledger::{CallResult, NewEvent};
use osmoda_types::{Actor, Daemon};
use serde_json::{Value, json};

use crate::ground::Ground;

const FIRST: &str = "req_01kaq3v8e2m6zr0t5h9xw4c7yd";
const SECOND: &str = "req_01kaq3v8e2m6zr0t5h9xw4c7ye";

async fn write(ledger: &Engine, kind: &str, actor: &str, payload: Value) -> u64 {
    let Value::Object(payload) = payload else { panic!("a payload is an object") };
    let event = NewEvent { kind: kind.into(), actor: actor.parse().unwrap(), payload };
    ledger.append(vec![event]).await.unwrap()[0].id
}

async fn intent(ledger: &Engine, request: &str, actor: &str) -> u64 {
    let payload = json!({"v": 1, "request_id": request, "tool": null, "method": "POST", "path": "/x/do", "effect": "change",
        "args_digest": "sha256:00", "args": {}, "decision": {"verdict": "allow", "rule": "r", "policy": "p"},
        "session": null, "uid": 0, "on_behalf": null, "at": "2026-11-24T08:30:00.000Z"});
    write(ledger, "agentd.x.do.intent", actor, payload).await
}

async fn outcome(ledger: &Engine, request: &str, actor: &str) -> u64 {
    let payload = json!({"v": 1, "request_id": request, "result": "ok", "status": 200, "code": null,
        "result_digest": null, "duration_ms": 3, "at": "2026-11-24T08:30:01.000Z"});
    write(ledger, "agentd.x.do.outcome", actor, payload).await
}

async fn receipts(ledger: &Engine) -> Vec<Receipt> {
    let mut receipts = ledger.receipts(ReceiptListIn::default()).await.unwrap().receipts;
    receipts.reverse();
    receipts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_outcome_finds_its_own_intent() {
    let ground = Ground::new();
    let ledger = ground.ledger().await;
    let (a, b) = (intent(&ledger, FIRST, "agent:a").await, intent(&ledger, SECOND, "agent:b").await);
    let (b_ends, a_ends) =
        (outcome(&ledger, SECOND, "agent:b").await, outcome(&ledger, FIRST, "agent:a").await);
    // The same request id once more.
    let again = intent(&ledger, FIRST, "agent:a").await;
    let again_ends = outcome(&ledger, FIRST, "agent:a").await;
    let found: Vec<(Option<u64>, u64)> =
        receipts(&ledger).await.iter().map(|receipt| (receipt.intent_id, receipt.outcome_id)).collect();
    assert_eq!(found, [(Some(b), b_ends), (Some(a), a_ends), (Some(again), again_ends)]);
    let one = ledger.receipt(ReceiptId::of(a_ends).unwrap()).await.unwrap().unwrap();
    assert_eq!((one.intent.unwrap().id, one.outcome.id, one.receipt.actor.as_str()), (a, a_ends, "agent:a"));
    assert_eq!(ledger.receipt(ReceiptId::of(a).unwrap()).await.unwrap(), None, "an intent is no receipt");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_was_cut_off_is_a_receipt_of_its_caller() {
    let ground = Ground::new();
    let ledger = ground.ledger().await;
    let begun = intent(&ledger, FIRST, "agent:a").await;
    ledger.close().await;
    let ledger = ground.ledger().await;
    let [receipt] = &receipts(&ledger).await[..] else { panic!("one call, one receipt") };
    assert_eq!((receipt.result, receipt.intent_id), (CallResult::Unknown, Some(begun)));
    assert_eq!(receipt.actor, "agent:a", "not of agentd, which only wrote it down");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_only_bears_the_name_of_an_outcome_is_no_receipt_and_does_not_end_the_list() {
    let ground = Ground::new();
    let ledger = ground.ledger().await;
    let agentd = Actor::Daemon(Daemon::Agentd).to_string();
    for round in 0..30 {
        write(&ledger, "agentd.odd.outcome", &agentd, json!({"v": round, "request_id": FIRST})).await;
        let orphan = if round % 3 == 0 { SECOND } else { FIRST };
        outcome(&ledger, orphan, "agent:a").await;
    }
    let mut query: ReceiptListIn = serde_json::from_value(json!({"limit": 4})).unwrap();
    let mut seen = 0;
    loop {
        let page = ledger.receipts(query.clone()).await.unwrap();
        assert!(page.receipts.iter().all(|receipt| receipt.intent_id.is_none()));
        seen += page.receipts.len();
        let Some(next) = page.next else { break };
        query = serde_json::from_value(json!({"limit": 4, "after": next})).unwrap();
    }
    assert_eq!(seen, 30);
}
