//! Every kind of tampering is found, at its place, however the ledger is cut into chunks.

use osmoda_tlog::chain::Row;
use osmoda_tlog::cosignature::Cosigner;
use osmoda_tlog::export::{After, Line};
use osmoda_tlog::merkle::{Frontier, leaf_hash};
use osmoda_tlog::note::Note;
use osmoda_tlog::signer::{CHANGED, CREATED};
use osmoda_tlog::to_hex;
use osmoda_tlog::verdict::{CheckpointFault, Failure, RowFault};
use osmoda_tlog::verify::Trust;
use proptest::prelude::*;

use crate::ledger::{Ledger, export, header, signer, verify, witness};

const SIZE: u64 = 40;

/// The verdict over these rows and notes, the same for every size of chunk.
fn failure(rows: &[Row], notes: &[Note], against: &[&Note]) -> Failure {
    let lines = export(rows, notes);
    let verdict = |chunk| verify(&lines, chunk, against, Trust::default()).expect_err("tampered with");
    let one = verdict(1000);
    for chunk in [1, 2, 3, 7] {
        assert_eq!(verdict(chunk).to_string(), one.to_string());
    }
    one
}

fn broken_at(rows: &[Row]) -> u64 {
    match failure(rows, &[], &[]) {
        Failure::Broken { id, .. } => id,
        other => panic!("{other}"),
    }
}

#[test]
fn a_sound_ledger_is_verified_to_its_end() {
    let mut ledger = Ledger::of(10);
    let mut notes = vec![ledger.checkpoint(&signer(1))];
    ledger.hand_over(&signer(1), &signer(2));
    notes.push(ledger.checkpoint(&signer(2)));
    ledger.fill(20);
    let against = ledger.checkpoint(&signer(2));
    ledger.fill(SIZE);
    for chunk in [1, 3, 1000] {
        let report = verify(&export(&ledger.rows, &notes), chunk, &[&against], Trust::default()).unwrap();
        assert_eq!((report.verified, report.signed), (SIZE, Some(20)));
        assert_eq!(report.signer, *signer(2).verifier());
        assert_eq!(report.to_string(), "verified to 40, unwitnessed");
    }
}

#[test]
fn a_deleted_row_is_found_at_its_id() {
    let ledger = Ledger::of(SIZE);
    for at in 0..ledger.rows.len() - 1 {
        let mut rows = ledger.rows.clone();
        rows.remove(at);
        assert_eq!(broken_at(&rows), at as u64 + 1);
    }
}

#[test]
fn a_swapped_pair_is_found_at_the_first_of_the_two() {
    let ledger = Ledger::of(SIZE);
    for at in 0..ledger.rows.len() - 1 {
        let mut rows = ledger.rows.clone();
        rows.swap(at, at + 1);
        assert_eq!(broken_at(&rows), at as u64 + 1);
    }
}

proptest! {
    #[test]
    fn a_changed_field_is_found_at_its_row(at in 0..SIZE, field in 0..7, noise in 1..=255_u8, place: prop::sample::Index) {
        let mut rows = Ledger::of(SIZE).rows;
        let row = &mut rows[usize::try_from(at).unwrap()];
        let text = match field {
            0 => &mut row.ts,
            1 => &mut row.kind,
            2 => &mut row.actor,
            3 => &mut row.payload,
            4 => &mut row.prev_hash,
            5 => &mut row.hash,
            _ => {
                row.id ^= u64::from(noise);
                prop_assert_eq!(broken_at(&rows), at + 1);
                return Ok(());
            }
        };
        let mut bytes = text.clone().into_bytes();
        let place = place.index(bytes.len());
        bytes[place] ^= noise;
        if let Ok(changed) = String::from_utf8(bytes) {
            *text = changed;
            prop_assert_eq!(broken_at(&rows), at + 1);
        }
    }
}

#[test]
fn a_row_that_is_hashed_anew_breaks_the_row_after_it() {
    let mut rows = Ledger::of(SIZE).rows;
    rows[10].payload = "{}".to_owned();
    rows[10].hash = to_hex(&rows[10].as_ref().computed_hash());
    assert!(matches!(failure(&rows, &[], &[]), Failure::Broken { id: 12, fault: RowFault::Link }));
}

#[test]
fn a_valid_chain_with_time_running_back_or_a_bar_in_a_name_is_broken() {
    let with = |change: fn(&mut Row)| {
        let mut ledger = Ledger::of(5);
        let mut row = Row { id: 6, prev_hash: ledger.rows[4].hash.clone(), ..ledger.rows[4].clone() };
        change(&mut row);
        ledger.push(row);
        failure(&ledger.rows, &[], &[])
    };
    let earlier = with(|row| row.ts.replace_range(..4, "2025"));
    assert!(matches!(earlier, Failure::Broken { id: 6, fault: RowFault::Time }));
    let bar = with(|row| row.kind = "a|b".to_owned());
    assert!(matches!(bar, Failure::Broken { id: 6, fault: RowFault::Field(_) }));
}

#[test]
fn a_truncated_tail_is_found_by_a_checkpoint_of_the_ledger_or_one_kept_elsewhere() {
    let ledger = Ledger::of(SIZE);
    let note = ledger.checkpoint(&signer(1));
    let rows = &ledger.rows[..30];
    let truncated = failure(rows, &[], &[&note]);
    assert!(matches!(truncated, Failure::Truncated { verified: 30, known: SIZE }));
    assert_eq!(truncated.exit_code(), 3);

    let mut lines = export(rows, &[]);
    lines.push(Line::Checkpoint(note.to_string()));
    assert_eq!(verify(&lines, 7, &[], Trust::default()).unwrap_err().exit_code(), 3);
}

#[test]
fn a_chain_rewritten_with_the_signing_key_is_found_by_a_checkpoint_kept_elsewhere() {
    let note = Ledger::of(20).checkpoint(&signer(1));
    let mut rewritten = Ledger::of(9);
    rewritten.append("watch.unit.checked", "{\"forged\":true}");
    rewritten.fill(SIZE);
    let own = rewritten.checkpoint(&signer(1));
    verify(&export(&rewritten.rows, std::slice::from_ref(&own)), 7, &[], Trust::default()).unwrap();
    let failure = failure(&rewritten.rows, &[own], &[&note]);
    assert!(matches!(failure, Failure::Checkpoint { size: 20, fault: CheckpointFault::Root }));
    assert_eq!(failure.exit_code(), 2);
}

#[test]
fn a_checkpoint_by_another_key_or_of_another_log_or_too_late_does_not_hold() {
    let ledger = Ledger::of(20);
    let rows = &ledger.rows;
    let fault = |note: Note, against: bool| {
        let notes = [note];
        let (own, kept) = if against { (&[][..], vec![&notes[0]]) } else { (&notes[..], vec![]) };
        match failure(rows, own, &kept) {
            Failure::Checkpoint { fault, .. } => fault,
            other => panic!("{other}"),
        }
    };
    for against in [false, true] {
        let forged = ledger.checkpoint(&signer(7));
        assert!(matches!(fault(forged, against), CheckpointFault::Signature(_)));
    }
    let beyond = Ledger::of(21).checkpoint(&signer(7));
    assert!(matches!(fault(beyond, true), CheckpointFault::Signature(_)));

    let other = ledger.checkpoint(&signer(1)).to_string().replace("osmoda/", "other/");
    assert!(matches!(fault(other.parse().unwrap(), true), CheckpointFault::Origin));

    let mut late = export(rows, &[]);
    late.push(Line::Checkpoint(Ledger::of(19).checkpoint(&signer(1)).to_string()));
    for chunk in [1, 1000] {
        let failure = verify(&late, chunk, &[], Trust::default()).unwrap_err();
        assert!(matches!(failure, Failure::Checkpoint { size: 19, fault: CheckpointFault::Late }));
    }
}

#[test]
fn the_signer_changes_only_by_the_key_in_force() {
    let mut stolen = Ledger::of(5);
    stolen.hand_over(&signer(7), &signer(8));
    assert!(matches!(failure(&stolen.rows, &[], &[]), Failure::Broken { id: 6, fault: RowFault::Signer(_) }));

    let mut unreadable = Ledger::of(5);
    unreadable.append(CHANGED, "{}");
    assert!(matches!(failure(&unreadable.rows, &[], &[]), Failure::Broken { id: 6, .. }));

    let mut twice = Ledger::of(5);
    let created = twice.rows[0].payload.clone();
    twice.append(CREATED, &created);
    assert!(matches!(failure(&twice.rows, &[], &[]), Failure::Broken { id: 6, fault: RowFault::NotCreated }));

    let mut handed = Ledger::of(5);
    handed.hand_over(&signer(1), &signer(2));
    let by_the_old = handed.checkpoint(&signer(1));
    assert_eq!(failure(&handed.rows, &[by_the_old], &[]).exit_code(), 2);
}

#[test]
fn a_ledger_begins_with_its_creation_under_the_trusted_key() {
    let mut orphan = Ledger { rows: Vec::new(), frontier: Frontier::new() };
    orphan.append("agentd.started", "{}");
    assert!(matches!(
        failure(&orphan.rows, &[], &[]),
        Failure::Broken { id: 1, fault: RowFault::NotCreated }
    ));
    assert!(matches!(failure(&[], &[], &[]), Failure::Broken { id: 1, .. }));

    let ledger = Ledger::of(5);
    let trust = |seed| Trust { signer: Some(signer(seed).verifier().clone()), ..Trust::default() };
    let lines = export(&ledger.rows, &[]);
    verify(&lines, 7, &[], trust(1)).unwrap();
    let untrusted = verify(&lines, 7, &[], trust(2)).unwrap_err();
    assert!(matches!(untrusted, Failure::Broken { id: 1, fault: RowFault::Untrusted }));
}

#[test]
fn a_lying_header_and_an_unreadable_line_are_broken_rows() {
    let ledger = Ledger::of(5);
    let mut lines = export(&ledger.rows, &[]);
    let mut lying = header();
    lying.signer = signer(2).verifier().clone();
    lines[0] = Line::Export(lying);
    assert!(matches!(verify(&lines, 7, &[], Trust::default()), Err(Failure::Broken { id: 1, .. })));

    let mut lines = export(&ledger.rows, &[]);
    lines.insert(3, lines[0].clone());
    let twice = verify(&lines, 7, &[], Trust::default()).unwrap_err();
    assert!(matches!(twice, Failure::Broken { id: 3, fault: RowFault::SecondHeader }));
}

#[test]
fn witnesses_count_once_each_and_only_those_given() {
    let mut ledger = Ledger::of(10);
    let cosigned = |ledger: &Ledger, numbers: &[u8]| {
        let mut note = ledger.checkpoint(&signer(1));
        for number in numbers {
            note.add(witness(*number).cosign(note.text(), 1_777_888_999)).unwrap();
        }
        note
    };
    let mut notes = vec![cosigned(&ledger, &[1, 2, 3])];
    ledger.fill(20);
    let again = Cosigner::from_seed("again.example", &[102; 32]).unwrap(); // the key of witness 2
    let mut note = cosigned(&ledger, &[2, 9]);
    note.add(again.cosign(note.text(), 1_777_888_999)).unwrap();
    notes.push(note);
    ledger.fill(SIZE);
    let key = |number| witness(number).witness().clone();
    let trust = Trust { signer: None, witnesses: vec![key(1), key(2), again.witness().clone(), key(4)] };
    let report = verify(&export(&ledger.rows, &notes), 7, &[], trust.clone()).unwrap();
    assert_eq!(report.to_string(), "verified to 40, witnessed to 20 by 1, the rest unwitnessed");
    let two = report.witnessed(2).unwrap();
    assert_eq!((two.size, two.by), (10, 2));
    assert_eq!(report.witnessed(3), None);

    let mut forged = ledger.checkpoint(&signer(1));
    forged.add(witness(1).cosign("another text\n", 1_777_888_999)).unwrap();
    let failure = verify(&export(&ledger.rows, &[forged]), 7, &[], trust).unwrap_err();
    assert!(matches!(failure, Failure::Checkpoint { size: SIZE, fault: CheckpointFault::Cosignature(_) }));
}

#[test]
fn a_partial_export_is_bound_to_the_whole_by_the_next_checkpoint() {
    let ledger = Ledger::of(SIZE);
    let note = ledger.checkpoint(&signer(1));
    let partial = |spoil: fn(&mut After)| {
        let mut before = Frontier::new();
        ledger.rows[..13].iter().for_each(|row| drop(before.append(leaf_hash(row.hash.as_bytes()))));
        let mut after = After::new(&before, ledger.rows[12].hash.clone());
        spoil(&mut after);
        let mut lines = export(&ledger.rows[13..], std::slice::from_ref(&note));
        lines[0] = Line::Export(osmoda_tlog::export::Header { after: Some(after), ..header() });
        verify(&lines, 7, &[], Trust::default())
    };
    let report = partial(|_| {}).unwrap();
    assert_eq!((report.verified, report.signed), (SIZE, Some(SIZE)));
    let other_past = partial(|after| after.peaks[0].replace_range(.., &"0".repeat(64))).unwrap_err();
    assert_eq!(other_past.exit_code(), 2);
    let other_link = partial(|after| after.hash = "0".repeat(64)).unwrap_err();
    assert!(matches!(other_link, Failure::Broken { id: 14, fault: RowFault::Link }));
}
