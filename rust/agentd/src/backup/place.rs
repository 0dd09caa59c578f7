//! Where everything of a backup lies.

use std::path::{Path, PathBuf};

use osmoda_types::BackupId;

use super::BackupConfig;

/// The folders and files that backups are made of and kept in.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The state root all daemons share.
    pub(super) root: PathBuf,
    /// agentd's own folder in it.
    pub(super) own: PathBuf,
    /// The backups folder.
    pub(super) backups: PathBuf,
}

impl Place {
    pub(super) fn new(root: &Path, own: &Path, config: &BackupConfig) -> Self {
        let root = std::path::absolute(root).unwrap_or_else(|_| root.to_owned());
        let backups = config.dir.clone().unwrap_or_else(|| backups_of(&root));
        Self { own: std::path::absolute(own).unwrap_or_else(|_| own.to_owned()), root, backups }
    }

    /// The encrypted file of a backup.
    pub(super) fn file(&self, id: BackupId) -> PathBuf {
        self.backups.join(format!("{id}.age"))
    }

    /// What can be said of it without opening it.
    pub(super) fn note(&self, id: BackupId) -> PathBuf {
        self.backups.join(format!("{id}.json"))
    }

    /// The file while it is written.
    pub(super) fn unfinished(&self, id: BackupId) -> PathBuf {
        self.backups.join(format!(".{id}.part"))
    }

    /// The key of this machine for backups without declared recipients.
    pub(super) fn key(&self) -> PathBuf {
        self.own.join("backup.key")
    }

    /// What a restore is about to do, or has not ended.
    pub(super) fn journal(&self) -> PathBuf {
        self.own.join("restore.json")
    }

    /// The opened backup of a restore.
    pub(super) fn staged(&self, id: BackupId) -> PathBuf {
        self.own.join(format!("{STAGED}{id}"))
    }
}

/// The state of an installed system lies apart from its backups; everywhere else they lie side by side.
fn backups_of(root: &Path) -> PathBuf {
    if root == Path::new("/var/lib/osmoda") {
        return "/var/backups/osmoda".into();
    }
    root.parent().unwrap_or(root).join("backups")
}

/// How folders begin that hold an opened backup, and copies of databases on their way into one.
pub(super) const STAGED: &str = "restore-";
pub(super) const SNAPSHOT: &str = "snapshot-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backups_lie_beside_the_state_unless_told() {
        let of =
            |root: &str, config: &BackupConfig| Place::new(Path::new(root), Path::new("/x"), config).backups;
        let plain = BackupConfig::default();
        assert_eq!(of("/var/lib/osmoda", &plain), Path::new("/var/backups/osmoda"));
        assert_eq!(of("/srv/trial/state", &plain), Path::new("/srv/trial/backups"));
        let told = BackupConfig { dir: Some("/mnt/b".into()), ..plain };
        assert_eq!(of("/var/lib/osmoda", &told), Path::new("/mnt/b"));
    }
}
