//! Full, read-only and damaged state: a clear error, nothing lost, and work goes on when the cause is gone.

use std::fs;

use osmoda_store::{Error, Readers, atomic_write, open, open_read_only};

use crate::ground::Ground;
use crate::numbers::{Given, SCHEMA, last_number};
use crate::writing::start;

#[tokio::test]
async fn a_full_disk_is_named_loses_nothing_and_heals() {
    let Some(ground) = Ground::mount(1 << 20) else { return };
    let path = ground.path().join("state.db");
    let writer = start(&path);
    let mut acknowledged = 0;
    let failure = loop {
        match writer.submit(vec![7; 32 << 10]).await {
            Ok(Given::Number { n, .. }) => acknowledged = n,
            Ok(Given::Refused) => panic!("nothing is refused here"),
            Err(failure) => break failure,
        }
        assert!(acknowledged < 64, "a megabyte takes no more");
    };
    assert!(matches!(failure, Error::Full { .. }), "{failure:?}");
    assert!(matches!(atomic_write(&ground.path().join("f"), &[0; 1 << 20], 0o600), Err(Error::Full { .. })));
    let last = Readers::new(&path, 1).read(|connection| Ok(last_number(connection))).await.unwrap();
    assert_eq!(last, acknowledged);

    ground.remount("size=16m");
    let given = writer.submit(vec![7; 32 << 10]).await.unwrap();
    assert!(
        matches!(given, Given::Number { n, .. } if n == acknowledged + 1),
        "{given:?} after {acknowledged}"
    );
}

#[tokio::test]
async fn a_disk_that_was_full_before_the_start_is_named() {
    let Some(ground) = Ground::mount(256 << 10) else { return };
    let _ = fs::write(ground.path().join("ballast"), [0; 512 << 10]);
    let refused = open(&ground.path().join("state.db"), SCHEMA).unwrap_err();
    assert!(matches!(refused, Error::Full { .. }), "{refused:?}");
    fs::remove_file(ground.path().join("ballast")).unwrap();
    assert!(open(&ground.path().join("state.db"), SCHEMA).is_ok());
}

#[tokio::test]
async fn a_read_only_disk_is_named_still_read_and_heals() {
    let Some(ground) = Ground::mount(4 << 20) else { return };
    let path = ground.path().join("state.db");
    let writer = start(&path);
    writer.submit(b"x".to_vec()).await.unwrap();
    writer.close().await;

    ground.remount("ro");
    let refused = open(&path, SCHEMA).unwrap_err();
    assert!(matches!(refused, Error::Unwritable { .. }), "{refused:?}");
    assert_eq!(last_number(&open_read_only(&path).unwrap()), 1);
    let readers = Readers::new(&path, 1);
    assert_eq!(readers.read(|connection| Ok(last_number(connection))).await.unwrap(), 1);
    assert!(matches!(atomic_write(&ground.path().join("f"), b"x", 0o600), Err(Error::Unwritable { .. })));

    ground.remount("rw");
    let writer = start(&path);
    let given = writer.submit(b"x".to_vec()).await.unwrap();
    assert!(matches!(given, Given::Number { n: 2, .. }));
    assert_eq!(readers.read(|connection| Ok(last_number(connection))).await.unwrap(), 2);
}

#[test]
fn a_folder_that_is_missing_is_unwritable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none/state.db");
    assert!(matches!(open(&path, SCHEMA), Err(Error::Unwritable { .. })));
    assert!(matches!(open_read_only(&path), Err(Error::Unwritable { .. })));
}

#[tokio::test]
async fn a_file_that_is_no_database_is_damaged_and_stays_as_it_was_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let rubbish = b"not a database, but somebody's only copy of something".repeat(100);
    fs::write(&path, &rubbish).unwrap();
    assert!(matches!(open(&path, SCHEMA), Err(Error::Corrupt { .. })));
    assert!(matches!(open_read_only(&path), Err(Error::Corrupt { .. })));
    assert_eq!(fs::read(&path).unwrap(), rubbish);
}

#[test]
fn an_emptied_file_is_damaged_to_a_reader() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    drop(open(&path, SCHEMA).unwrap());
    fs::write(&path, b"").unwrap();
    let refused = open_read_only(&path).unwrap_err();
    assert!(matches!(refused, Error::Corrupt { .. }), "{refused:?}");
}

#[tokio::test]
async fn damaged_pages_are_found_when_they_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let writer = start(&path);
    for _ in 0..64 {
        writer.submit(vec![7; 2000]).await.unwrap();
    }
    writer.close().await;
    let mut bytes = fs::read(&path).unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    let read = Readers::new(&path, 1)
        .read(|connection| {
            connection.query_row("SELECT sum(length(body)) FROM numbers", [], |row| row.get::<_, i64>(0))
        })
        .await;
    assert!(matches!(read, Err(Error::Corrupt { .. })), "{read:?}");
}
