//! What a restore is about to do, on disk before it does anything: a crash leaves it undone or makes the next start
//! complete it.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::sync::Arc;

use osmoda_store::{Error, atomic_write};
use osmoda_types::{Actor, BackupId, RequestId};
use serde::{Deserialize, Serialize};

use super::place::Place;

/// A restore under way: everything in the staged folder was verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Journal {
    /// 1.
    pub(super) v: u32,
    pub(super) backup: BackupId,
    pub(super) digest: String,
    pub(super) asked_by: Actor,
    pub(super) request_id: RequestId,
    pub(super) ledger: LedgerStep,
}

/// How far the ledger is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum LedgerStep {
    /// The present one stays.
    Keep,
    /// The present one is moved aside at the next start.
    Out,
    /// It was; the backup's is moved in.
    In,
    /// Done.
    Installed,
}

impl Journal {
    /// The restore that is under way, if one is. Blocks.
    pub(super) fn read(place: &Place) -> Result<Option<Self>, Error> {
        let path = place.journal();
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|error| Error::Corrupt { path, source: Arc::new(error) }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io(&path, error)),
        }
    }

    /// Makes it durable. Blocks.
    pub(super) fn write(&self, place: &Place) -> Result<(), Error> {
        let text = serde_json::to_vec(self).expect("a journal is plain data");
        atomic_write(&place.journal(), &text, 0o600)
    }

    /// The restore is over: forgets it, then what it was made of. Blocks.
    pub(super) fn end(&self, place: &Place) -> Result<(), Error> {
        let path = place.journal();
        let removed = fs::remove_file(&path).and_then(|()| File::open(&place.own)?.sync_all());
        removed.map_err(|error| Error::io(&path, error))?;
        // What stays of it is removed at the next start.
        let _ = fs::remove_dir_all(place.staged(self.backup));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::BackupConfig;
    use super::*;

    fn place(folder: &std::path::Path) -> Place {
        Place::new(folder, folder, &BackupConfig::default())
    }

    #[test]
    fn a_journal_reads_back_and_a_damaged_one_is_not_taken_for_none() {
        let folder = tempfile::tempdir().unwrap();
        let place = place(folder.path());
        assert_eq!(Journal::read(&place).unwrap(), None);
        let journal = Journal {
            v: 1,
            backup: "bak_01kaq3v8e2m6zr0t5h9xw4c7yd".parse().unwrap(),
            digest: "sha256:00".into(),
            asked_by: Actor::Operator("root".into()),
            request_id: "req_01kaq3v8e2m6zr0t5h9xw4c7yd".parse().unwrap(),
            ledger: LedgerStep::Out,
        };
        journal.write(&place).unwrap();
        assert_eq!(Journal::read(&place).unwrap(), Some(journal));
        fs::write(place.journal(), "{").unwrap();
        assert!(matches!(Journal::read(&place), Err(Error::Corrupt { .. })));
    }

    proptest! {
        #[test]
        fn any_journal_is_read_or_refused(text in ".*") {
            let folder = tempfile::tempdir().unwrap();
            let place = place(folder.path());
            fs::write(place.journal(), text).unwrap();
            let sane = matches!(Journal::read(&place), Ok(Some(_)) | Err(Error::Corrupt { .. }));
            prop_assert!(sane, "a journal that is there is read or refused");
        }
    }
}
