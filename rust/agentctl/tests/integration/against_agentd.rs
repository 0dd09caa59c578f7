//! Every verb against the real agentd.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

use osmoda_types::catalogue::calls;
use osmoda_types::{Effect, Toolset, tool_definitions};
use serde_json::Value;

use crate::ground::{Done, Ground};

#[test]
fn status_and_health_are_pages_for_people_and_json_for_programs() {
    let Some(ground) = Ground::with_agentd() else { return };
    let page = ground.run(&["status"]).expect(0);
    for word in ["agentd  ok", "you      operator:", "consent  none", "policy   open"] {
        assert!(page.out.contains(word), "{word}: {page:?}");
    }
    let status = ground.run(&["--json", "status"]).expect(0).json();
    assert_eq!(status["daemons"][0]["health"]["status"], "ok");
    let page = ground.run(&["health"]).expect(0);
    for word in ["load  ", "memory  ", "agentd   ok", "DISK"] {
        assert!(page.out.contains(word), "{word}: {page:?}");
    }
    assert!(!page.out.contains('\x1b'), "no colours without a terminal");
    let health = ground.run(&["health", "--json"]).expect(0).json();
    assert!(health["memory"]["total_bytes"].as_u64().unwrap() > 0);
}

#[test]
fn every_tool_is_listed_and_those_that_only_look_can_be_called() {
    let Some(ground) = Ground::with_agentd() else { return };
    let listed = ground.run(&["tools", "list"]).expect(0).out;
    for (call, tool) in tool_definitions() {
        assert!(listed.contains(&tool.name), "{} is not listed", tool.name);
        if call.stream || call.effect != Effect::Observe {
            continue;
        }
        let (arguments, _) = (call.example)();
        let done = ground.run(&["tools", "call", &tool.name, &arguments.to_string()]);
        // An example may name what this machine does not have, such as the table of the firewall.
        if done.code == 1 && call.errors.iter().any(|code| done.err.contains(code.as_str())) {
            continue;
        }
        let answer = done.expect(0).json();
        assert!(answer.is_object(), "{}", tool.name);
    }
    let few = ground.run(&["--json", "tools", "list", "--toolset", "system"]).expect(0).json();
    let names = |tools: &[Value]| tools.iter().map(|tool| tool["name"].clone()).collect::<Vec<_>>();
    let system = calls().filter(|call| call.toolset == Toolset::System).filter_map(|call| call.tool);
    assert_eq!(names(few.as_array().unwrap()), system.collect::<Vec<_>>());
}

#[test]
fn services_and_journal_are_shown_or_their_absence_is_explained() {
    let Some(ground) = Ground::with_agentd() else { return };
    let systemd = std::path::Path::new("/run/systemd/system").is_dir();
    let (list, unit) = (ground.run(&["service"]), ground.run(&["service", "no-such-unit-here"]));
    if systemd {
        assert!(list.expect(0).out.contains("UNIT"));
        assert!(unit.expect(1).err.contains("service.not_found"));
    } else {
        for done in [list, unit] {
            assert!(done.expect(1).err.contains("systemd.absent"));
        }
    }
    let refused = ground.run(&["service", "stop", "systemd-journald"]).expect(77);
    assert!(refused.err.contains("service.protected"), "{refused:?}");
    ground.run(&["service", "stop", "a/b"]).expect(64);
    ground.run(&["journal", "--priority", "loud"]).expect(64);
    let journal = ground.run(&["--json", "journal", "-n", "3"]);
    if journal.code == 0 {
        assert!(journal.out.lines().count() <= 3);
    } else {
        assert!(
            journal.err.contains("journal.absent") || journal.err.contains("journal.denied"),
            "{journal:?}"
        );
    }
}

#[test]
fn arguments_are_typed_by_the_schema_and_a_wrong_one_is_named() {
    let Some(ground) = Ground::with_agentd() else { return };
    let answer =
        ground.run(&["tools", "call", "system_query", "query=processes", "args.limit=2"]).expect(0).json();
    assert_eq!(answer["result"].as_array().unwrap().len(), 2);
    let mut child = ground.command(&["tools", "call", "system_query", "-"]);
    let mut child =
        child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{\"query\": \"hostname\"}").unwrap();
    let done = Done::new(child.wait_with_output().unwrap()).expect(0);
    assert_eq!(done.json()["query"], "hostname");

    let wrong =
        ground.run(&["tools", "call", "system_query", "query=processes", "args.limit=many"]).expect(1);
    assert!(wrong.err.contains("request.field") && wrong.err.contains("/args/limit"), "{wrong:?}");
    let wrong = ground.run(&["--json", "tools", "call", "system_query", "query=tea"]).expect(1);
    let problem: Value = serde_json::from_str(&wrong.err).unwrap();
    assert_eq!(problem["errors"][0]["at"], "/query", "{problem}");
    ground.run(&["tools", "call", "system_tea"]).expect(64);
    ground.run(&["tools", "call", "system_query", "disk"]).expect(64);
}

#[test]
fn a_tool_that_streams_prints_its_items_and_ends() {
    let Some(mut ground) = Ground::with_agentd() else { return };
    let last = ground.append(3);
    let after = format!("after_id={}", last - 3);
    let done = ground.run(&["tools", "call", "event_watch", &after, "limit=2"]).expect(0);
    let ids: Vec<u64> = done.out.lines().map(id).collect();
    assert_eq!(ids, [last - 2, last - 1]);
}

#[test]
fn events_are_filtered_and_counted_across_pages() {
    let Some(mut ground) = Ground::with_agentd() else { return };
    let last = ground.append(5);
    let ids = |arguments: &[&str]| {
        let done = ground.run(&[&["events", "--json"], arguments].concat()).expect(0);
        done.out.lines().map(id).collect::<Vec<_>>()
    };
    assert_eq!(ids(&["--type", "watch.", "-n", "3"]), [last, last - 1, last - 2]);
    assert_eq!(ids(&["--actor", "daemon:watch"]).len(), 5);
    assert_eq!(ids(&["--q", "\"number\":4"]), [last]);
    assert_eq!(ids(&["--type", "watch.", "--until", "1d"]), [0_u64; 0]);
    assert_eq!(ids(&["--type", "watch.", "--since", "1h"]).len(), 5);
    assert_eq!(ids(&["-n", "0"]), [0_u64; 0]);
    let line = ground.run(&["events", "--type", "watch.", "-n", "1"]).expect(0).out;
    assert!(line.contains("daemon:watch") && line.contains("{\"number\":4}"), "{line}");
}

#[test]
fn a_proof_holds_and_an_event_that_is_not_there_has_none() {
    let Some(mut ground) = Ground::with_agentd() else { return };
    let last = ground.append(5);
    for id in 1..=last {
        let done = ground.run(&["proof", &id.to_string()]).expect(0);
        assert!(done.out.contains(&format!("event {id} stands in the tree of")), "{done:?}");
    }
    let missing = ground.run(&["proof", "999"]).expect(1);
    assert!(missing.err.contains("ledger.not_found"), "{missing:?}");
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let Some(mut ground) = Ground::with_agentd() else { return };
    ground.append(50);
    for verb in [&["events"][..], &["events", "--json"], &["ledger", "export"], &["tools", "list"], &["man"]]
    {
        let mut child = ground.command(verb).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::with_capacity(1, child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert!(child.wait().unwrap().success() && err.is_empty(), "{verb:?}: {err}");
    }
}

fn id(line: &str) -> u64 {
    serde_json::from_str::<Value>(line).unwrap()["id"].as_u64().unwrap()
}
