//! Verbs that change something and take it back, and those that look at what an agent left.

use std::io::Write;
use std::process::Stdio;

use crate::ground::{Done, Ground};

fn fed(ground: &Ground, arguments: &[&str], input: &[u8]) -> Done {
    let mut command = ground.command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    Done::new(child.wait_with_output().unwrap())
}

/// The word with this beginning, such as an id.
fn word<'t>(text: &'t str, beginning: &str) -> &'t str {
    text.split_whitespace()
        .find(|word| word.starts_with(beginning))
        .unwrap_or_else(|| panic!("{beginning}: {text}"))
}

#[test]
fn files_are_written_read_moved_deleted_and_put_back() {
    let Some(ground) = Ground::with_agentd() else { return };
    // The default roots for writing hold /tmp; a folder elsewhere is refused, which is no matter of this test.
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (file, moved) = (at("file"), at("moved"));
    let content: Vec<u8> = (0..=255).cycle().take(3 * 1024 * 1024 / 2).collect();
    let written = fed(&ground, &["file", "write", &file], &content).expect(0);
    assert_eq!(std::fs::read(&file).unwrap(), content);
    assert!(written.out.contains("agentctl undo undo_"), "{written:?}");
    let read = ground.command(&["file", "read", &file]).output().unwrap();
    assert!(read.status.success() && read.stdout == content, "{} bytes", read.stdout.len());
    assert!(
        fed(&ground, &["file", "write", "--create-only", &file], b"x").expect(1).err.contains("file.exists")
    );
    ground.run(&["file", "move", &file, &moved]).expect(0);
    let list = ground.run(&["file", "list", &at("")]).expect(0).out;
    assert!(list.contains("moved") && list.contains("1572864"), "{list}");
    assert!(fed(&ground, &["file", "write", &at("words")], b"one\nneedle\n").expect(0).out.contains("undo_"));
    let found = ground.run(&["file", "search", &at(""), "--text", "needle"]).expect(0).out;
    assert_eq!(found.trim(), format!("{}:2", at("words")));
    ground.run(&["file", "search", &at("")]).expect(64);
    let deleted = ground.run(&["file", "delete", &moved]).expect(0);
    assert!(!std::fs::exists(&moved).unwrap());

    let plan = ground.run(&["undo", "--since", "1h", "--dry-run"]).expect(0).out;
    assert_eq!(plan.matches("would be undone").count(), 4, "{plan}");
    ground.run(&["undo", word(&deleted.out, "undo_")]).expect(0);
    assert_eq!(std::fs::read(&moved).unwrap(), content);
    std::fs::write(at("words"), "by hand").unwrap();
    let rest = ground.run(&["undo", "--since", "1h"]).expect(1).out;
    assert!(rest.contains("refused") && rest.matches("undone  ").count() == 2, "{rest}");
    assert_eq!(std::fs::read_to_string(at("words")).unwrap(), "by hand");
    assert!(!std::fs::exists(&file).unwrap() && !std::fs::exists(&moved).unwrap());
    ground.run(&["undo"]).expect(64);
    assert!(ground.run(&["file", "read", "/etc/shadow"]).expect(77).err.contains("policy.denied"));

    let receipts = ground.run(&["receipts", "--type", "agentd.file."]).expect(0).out;
    let id = word(&receipts, "rcp_");
    let one = ground.run(&["receipts", id]).expect(0).out;
    assert!(one.contains(".intent") && one.contains(".outcome"), "{one}");
    let lines = ground.run(&["--json", "receipts", "--actor", "operator:nobody-here"]).expect(0).out;
    assert_eq!(lines, "");
}

#[test]
fn a_command_is_shown_as_it_ended() {
    let Some(ground) = Ground::with_agentd() else { return };
    let done = ground.run(&["shell", "echo out; echo err >&2"]).expect(0);
    assert_eq!((done.out.as_str(), done.err.as_str()), ("out\n", "err\n"));
    assert!(ground.run(&["shell", "exit 7"]).expect(1).err.contains("exited with 7"));
    assert!(ground.run(&["shell", "--timeout", "1", "sleep 60"]).expect(1).err.contains("its time was over"));
    assert_eq!(ground.run(&["shell", "--cwd", "/usr", "pwd"]).expect(0).out, "/usr\n");
    let json = ground.run(&["--json", "shell", "exit 3"]).expect(1).json();
    assert_eq!(json["exit_code"], 3);
    ground.run(&["shell", "--timeout", "121", "true"]).expect(64);
}

#[test]
fn what_is_remembered_is_found_listed_and_forgotten() {
    let Some(ground) = Ground::with_agentd() else { return };
    let stored =
        ground.run(&["memory", "store", "the printer jams", "--tag", "printer", "--category", "device"]);
    let id = word(&stored.expect(0).out, "mem_").to_owned();
    let detailed = fed(&ground, &["memory", "store", "a long one", "--detail", "-"], b"all about elephants");
    detailed.expect(0);
    assert!(ground.run(&["memory", "search", "printers", "jam"]).expect(0).out.contains("the printer jams"));
    assert!(ground.run(&["memory", "search", "elephant"]).expect(0).out.contains("a long one"));
    assert!(
        !ground.run(&["memory", "search", "elephant", "--category", "device"]).expect(0).out.contains("long")
    );
    assert!(ground.run(&["memory", "list"]).expect(0).out.contains(&id));
    assert!(ground.run(&["memory", "list", "--id", &id]).expect(0).out.contains("printer"));
    ground.run(&["memory", "reindex"]).expect(0);
    ground.run(&["memory", "forget"]).expect(64);
    ground.run(&["memory", "forget", &id]).expect(0);
    assert!(!ground.run(&["memory", "search", "printer"]).expect(0).out.contains("jams"));
}

#[test]
fn incidents_and_the_card_are_pages() {
    let Some(ground) = Ground::with_agentd() else { return };
    let call = |tool: &str, arguments: &[&str]| {
        ground.run(&[&["tools", "call", tool], arguments].concat()).expect(0).json()
    };
    let made =
        call("incident_create", &["title=nginx is down", "severity=critical", "description=502 for all"]);
    let id = made["id"].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    call("incident_step", &[&format!("id={id}"), "kind=hypothesis", "text=the disk is full"]);
    let list = ground.run(&["incidents", "--open"]).expect(0).out;
    assert!(list.contains(&id) && list.contains("nginx is down"), "{list}");
    assert!(ground.run(&["incidents", &id]).expect(0).out.contains("the disk is full"));
    assert!(ground.run(&["incidents", "inc_01kaq3v8e2m6zr0t5h9xw4c7yd"]).expect(1).err.contains("not_found"));
    assert!(ground.run(&["card"]).expect(1).err.contains("card.not_found"));
    ground.run(&["card", "--name", "box"]).expect(64);
    ground.run(&["card", "--name", "box", "--description", "keeps the web running"]).expect(0);
    let card = ground.run(&["card"]).expect(0).out;
    assert!(card.contains("box") && card.contains("keeps the web running"), "{card}");
    assert!(ground.run(&["--json", "card"]).expect(0).json().is_object());
}

#[test]
fn a_backup_is_made_checked_and_restored() {
    let Some(ground) = Ground::with_agentd() else { return };
    ground.run(&["memory", "store", "kept for later"]).expect(0);
    let made = ground.run(&["backup", "create"]).expect(0).out;
    let id = made.split(['/', '.']).find(|part| part.starts_with("bak_")).unwrap().to_owned();
    assert!(ground.run(&["backup", "list"]).expect(0).out.contains(&id));
    assert!(!ground.run(&["backup", "verify", &id]).expect(0).out.is_empty());
    let memory = word(&ground.run(&["memory", "list"]).expect(0).out, "mem_").to_owned();
    ground.run(&["memory", "forget", &memory]).expect(0);
    assert!(ground.run(&["backup", "restore", &id]).expect(0).out.contains("the ledger goes on as it is"));
    let file =
        std::fs::OpenOptions::new().write(true).open(ground.path(&format!("backups/{id}.age"))).unwrap();
    file.set_len(100).unwrap();
    assert!(!ground.run(&["backup", "verify", &id]).expect(1).out.is_empty());
    ground.run(&["backup", "restore", &id]).expect(1);
}

#[test]
fn the_machine_is_shown_and_set() {
    let Some(ground) = Ground::with_agentd() else { return };
    assert!(ground.run(&["network"]).expect(0).out.contains("lo"));
    assert!(ground.run(&["users"]).expect(0).out.contains("root"));
    assert!(ground.run(&["sysctl", "get", "kernel.ostype"]).expect(0).out.contains("Linux"));
    ground.run(&["sysctl", "set", "kernel.core_pattern", "|/bin/sh"]).expect(77);
    let score = ground.run(&["--json", "score"]).expect(0).json();
    assert!(score["score"].is_u64(), "{score}");
    assert!(!ground.run(&["score"]).expect(0).out.is_empty());
    ground.run(&["telemetry", "--since", "10m"]).expect(0);
    let mut sleeper = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
    ground.run(&["signal", &sleeper.id().to_string(), "KILL"]).expect(0);
    assert!(!sleeper.wait().unwrap().success());
    let firewall = ground.run(&["firewall", "list"]);
    assert!(firewall.code == 0 || firewall.err.contains("firewall.absent"), "{firewall:?}");
}
