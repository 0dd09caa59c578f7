//! `events --follow` across a death of agentd.

use serde_json::Value;

use crate::ground::{Ground, Running};

#[test]
fn no_event_is_missed_or_doubled_when_agentd_dies_in_between() {
    let Some(mut ground) = Ground::with_agentd() else { return };
    ground.append(2);
    let following = Running::new(ground.command(&["events", "--follow", "--json", "-n", "1000"]));
    let mut next = 1;
    for round in 0..3 {
        let last = ground.append(5);
        while next <= last {
            let event: Value = serde_json::from_str(&following.line()).unwrap();
            assert_eq!(event["id"], next, "round {round}");
            next += 1;
        }
        ground.kill();
        assert!(following.complaint().contains("agentd went away"));
        ground.start();
    }
    let last = ground.append(1);
    while next <= last {
        let event: Value = serde_json::from_str(&following.line()).unwrap();
        assert_eq!(event["id"], next);
        next += 1;
    }
}

#[test]
fn only_the_actor_asked_for_is_shown() {
    let Some(mut ground) = Ground::with_agentd() else { return };
    let following =
        Running::new(ground.command(&["events", "-f", "--json", "-n", "1000", "--actor", "daemon:watch"]));
    ground.append(2);
    for _ in 0..2 {
        let event: Value = serde_json::from_str(&following.line()).unwrap();
        assert_eq!(event["actor"], "daemon:watch");
    }
}
