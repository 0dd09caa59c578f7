//! `verify-ledger`: a whole ledger is whole, and each way to change it is found, with its exit code.

use std::fs;

use crate::ground::{Done, Ground};

/// The lines of an export of ten or so events, without its checkpoints.
fn exported(ground: &mut Ground) -> Vec<String> {
    ground.append(10);
    ground.run(&["ledger", "export", "export"]).expect(0);
    let text = fs::read_to_string(ground.path("export")).unwrap();
    text.lines().filter(|line| !line.starts_with("{\"checkpoint\"")).map(str::to_owned).collect()
}

fn verify(ground: &Ground, lines: &[String], against: &[&str]) -> Done {
    fs::write(ground.path("changed"), lines.join("\n") + "\n").unwrap();
    let notes = against.iter().flat_map(|note| ["--against", note]);
    ground.run(&["verify-ledger", "--offline", "changed"].into_iter().chain(notes).collect::<Vec<_>>())
}

#[test]
fn a_whole_ledger_is_whole_with_and_without_a_daemon() {
    let Some(mut ground) = Ground::with_agentd() else { return };
    let last = ground.append(10);
    let said = ground.run(&["verify-ledger"]).expect(0).out;
    assert!(said.starts_with(&format!("whole: verified to {last}, unwitnessed")), "{said}");
    ground.run(&["checkpoint", "kept"]).expect(0);
    let more = ground.append(2);
    let said = ground.run(&["verify-ledger", "--against", "kept"]).expect(0).out;
    let finding =
        format!("verified to {more}, witnessed to {last} by 1 kept checkpoint, the rest unwitnessed");
    assert!(said.contains(&finding), "{said}");

    ground.run(&["ledger", "export", "export"]).expect(0);
    ground.kill();
    let said =
        ground.run(&["--json", "verify-ledger", "--offline", "export", "--against", "kept"]).expect(0).json();
    assert_eq!((&said["verified_to"], &said["witnessed_to"]), (&more.into(), &last.into()));
    let signer = said["signer"].as_str().unwrap();
    ground.run(&["verify-ledger", "--offline", "export", "--signer", signer]).expect(0);
    ground.run(&["verify-ledger"]).expect(4);
}

#[test]
fn a_flipped_byte_a_missing_row_and_a_swapped_pair_are_found_at_their_id() {
    let Some(mut ground) = Ground::with_agentd() else { return };
    let good = exported(&mut ground);
    verify(&ground, &good, &[]).expect(0);
    // Line 0 is the header, so line N is event N.
    type Change = fn(&mut Vec<String>);
    let changes: [(&str, Change); 6] = [
        ("broken at 5", |lines| lines[5] = lines[5].replace("number\\\":", "number\\\":1")),
        ("broken at 4", |lines| drop(lines.remove(4))),
        ("broken at 6", |lines| lines.swap(6, 7)),
        ("broken at 3", |lines| lines[3].insert(0, 'x')),
        ("broken at 2", |lines| lines.insert(2, lines[1].clone())),
        ("broken at 7", |lines| lines[7] = "x".repeat(1 << 20)),
    ];
    for (finding, change) in changes {
        let mut lines = good.clone();
        change(&mut lines);
        let done = verify(&ground, &lines, &[]).expect(1);
        assert!(done.out.starts_with(finding), "{finding}: {done:?}");
    }
}

#[test]
fn a_cut_tail_and_a_foreign_ledger_are_found_by_a_checkpoint_kept_elsewhere() {
    let (Some(mut ground), Some(mut other)) = (Ground::with_agentd(), Ground::with_agentd()) else { return };
    let good = exported(&mut ground);
    ground.run(&["checkpoint", "kept"]).expect(0);
    verify(&ground, &good, &["kept"]).expect(0);
    let cut = &good[..good.len() - 3];
    verify(&ground, cut, &[]).expect(0);
    let done = verify(&ground, cut, &["kept"]).expect(3);
    assert!(done.out.starts_with("truncated"), "{done:?}");

    // The whole ledger written anew, every hash right: only what was kept elsewhere tells.
    let rewritten = exported(&mut other);
    verify(&ground, &rewritten, &[]).expect(0);
    verify(&ground, &rewritten, &["kept"]).expect(2);
    let signer =
        ground.run(&["--json", "verify-ledger"]).expect(0).json()["signer"].as_str().unwrap().to_owned();
    fs::write(ground.path("changed"), rewritten.join("\n")).unwrap();
    ground.run(&["verify-ledger", "--offline", "changed", "--signer", &signer]).expect(1);
}

#[test]
fn what_cannot_be_read_is_no_verdict() {
    let ground = Ground::empty();
    ground.run(&["verify-ledger"]).expect(4);
    ground.run(&["verify-ledger", "--offline", "missing"]).expect(4);
    for text in ["", "\n", "hello\n", "{\"event\":{}}\n", "{\"checkpoint\":\"x\"}\n"] {
        fs::write(ground.path("export"), text).unwrap();
        ground.run(&["verify-ledger", "--offline", "export"]).expect(4);
    }
    ground.run(&["verify-ledger", "--offline", "export", "--against", "missing"]).expect(4);
    ground.run(&["verify-ledger", "--signer", "nonsense"]).expect(64);
}
