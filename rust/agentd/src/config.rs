//! agentd's own keys in its configuration.

use serde::Deserialize;

use crate::backup::BackupConfig;

/// What agentd can be told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where backups go and who can open them.
    pub backup: BackupConfig,
}
