//! What `open` makes, accepts and refuses.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use osmoda_store::{Error, Schema, atomic_write, open, open_read_only};

use crate::numbers::{SCHEMA, last_number};

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).expect("it exists").permissions().mode() & 0o777
}

#[test]
fn a_new_database_is_private_and_durable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let connection = open(&path, SCHEMA).unwrap();
    let pragma = |name: &str| -> String {
        connection
            .query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, rusqlite::types::Value>(0))
            .map(|value| format!("{value:?}"))
            .unwrap()
    };
    assert_eq!(pragma("journal_mode"), r#"Text("wal")"#);
    assert_eq!(pragma("synchronous"), "Integer(2)");
    assert_eq!(pragma("foreign_keys"), "Integer(1)");
    assert_eq!(pragma("trusted_schema"), "Integer(0)");
    assert_eq!(pragma("user_version"), "Integer(1)");
    for file in ["state.db", "state.db-wal", "state.db-shm"] {
        assert_eq!(mode(&folder.path().join(file)), 0o600, "{file}");
    }
}

#[test]
fn a_database_others_could_read_becomes_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    drop(open(&path, SCHEMA).unwrap());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    drop(open(&path, SCHEMA).unwrap());
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn a_read_only_connection_refuses_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let _writer = open(&path, SCHEMA).unwrap();
    let reader = open_read_only(&path).unwrap();
    assert_eq!(last_number(&reader), 0);
    assert!(reader.execute("INSERT INTO numbers VALUES (1, x'00')", []).is_err());
}

#[test]
fn the_sum_of_the_steps_is_readable_and_complete() {
    let sum = SCHEMA.sum().unwrap();
    assert!(sum.starts_with("CREATE TABLE meta("), "{sum}");
    assert!(sum.contains("CREATE TABLE numbers("), "{sum}");
}

#[test]
fn a_wrong_step_is_a_mistake_of_the_program_and_changes_nothing() {
    const BROKEN: Schema =
        Schema { steps: &[SCHEMA.steps[0], "CREATE TABLE more(x); CREATE TABLE meta(y);"] };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    drop(open(&path, SCHEMA).unwrap());
    assert!(matches!(open(&path, BROKEN), Err(Error::Sql { .. })));
    let reader = open_read_only(&path).unwrap();
    assert!(!reader.table_exists(None, "more").unwrap());
    assert!(open(&path, SCHEMA).is_ok());
}

#[test]
fn a_schema_that_shuts_us_out_is_refused_but_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let connection = open(&path, SCHEMA).unwrap();
    connection
        .execute_batch(
            "INSERT INTO numbers VALUES (7, x'00'); UPDATE meta SET value = 9; PRAGMA user_version = 9",
        )
        .unwrap();
    drop(connection);
    let before = fs::read(&path).unwrap();
    let refused = open(&path, SCHEMA).unwrap_err();
    assert!(matches!(refused, Error::NewerSchema { found: 9, ours: 1, .. }), "{refused:?}");
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(last_number(&open_read_only(&path).unwrap()), 7);
}

#[test]
fn a_newer_schema_that_admits_us_is_written_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    open(&path, SCHEMA).unwrap().execute_batch("PRAGMA user_version = 9").unwrap();
    let connection = open(&path, SCHEMA).unwrap();
    connection.execute("INSERT INTO numbers VALUES (1, x'00')", []).unwrap();
    let version: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    assert_eq!(version, 9);
}

#[test]
fn a_replaced_file_has_its_new_content_its_mode_and_no_neighbour() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("routines.json");
    atomic_write(&path, b"old", 0o600).unwrap();
    atomic_write(&path, b"new", 0o644).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(mode(&path), 0o644);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
