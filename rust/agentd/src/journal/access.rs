//! Whether this user may read the system's journal: journalctl itself shows an empty one to those who may not.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;

use super::JournalError;

/// Where journald keeps its files (systemd-journald.service(8)): lasting ones and those of this boot.
const FOLDERS: [&str; 2] = ["/var/log/journal", "/run/log/journal"];

pub(super) async fn check() -> Result<(), JournalError> {
    let looked = tokio::task::spawn_blocking(|| {
        let mut found = Found::default();
        FOLDERS.iter().try_for_each(|folder| found.look(Path::new(folder))).map(|()| found)
    });
    let found = looked.await.map_err(|_| JournalError::Run { source: ErrorKind::Other.into() })?;
    found.map_err(|source| JournalError::Run { source })?.verdict()
}

#[derive(Debug, Default)]
struct Found {
    readable: bool,
    closed: bool,
}

impl Found {
    /// One folder for each machine id and namespace, with `system.journal` and its archives in it.
    fn look(&mut self, folder: &Path) -> io::Result<()> {
        for machine in self.entries(folder)? {
            for file in self.entries(&machine)? {
                let name = file.file_name().unwrap_or_default().as_encoded_bytes();
                if self.readable || !name.starts_with(b"system") {
                    continue;
                }
                match File::open(&file) {
                    Ok(_) => self.readable = true,
                    Err(error) if error.kind() == ErrorKind::PermissionDenied => self.closed = true,
                    // Archived or vacuumed meanwhile.
                    Err(_) => {}
                }
            }
        }
        Ok(())
    }

    fn entries(&mut self, folder: &Path) -> io::Result<Vec<std::path::PathBuf>> {
        match fs::read_dir(folder) {
            Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect(),
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                self.closed = true;
                Ok(Vec::new())
            }
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                Ok(Vec::new())
            }
            Err(error) => Err(error),
        }
    }

    fn verdict(&self) -> Result<(), JournalError> {
        match self {
            Self { readable: true, .. } => Ok(()),
            Self { closed: true, .. } => Err(JournalError::Denied),
            _ => Err(JournalError::Absent),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_journal_is_an_absent_journal() {
        let folder = tempfile::tempdir().unwrap();
        let verdict = || {
            let mut found = Found::default();
            found.look(folder.path()).unwrap();
            found.verdict()
        };
        assert!(matches!(verdict(), Err(JournalError::Absent)));
        fs::create_dir(folder.path().join("machine")).unwrap();
        fs::write(folder.path().join("machine/user-1000.journal"), "").unwrap();
        assert!(
            matches!(verdict(), Err(JournalError::Absent)),
            "the journal of one person is not the system's"
        );
        fs::write(folder.path().join("machine/system.journal"), "").unwrap();
        assert!(verdict().is_ok());
    }
}
