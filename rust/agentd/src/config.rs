//! agentd's own keys in its configuration.

use std::path::PathBuf;
use std::sync::Arc;

use agentd_root::serve::Roots;
use agentd_root::{Half, Hands};
use serde::Deserialize;

use crate::backup::BackupConfig;

/// What agentd can be told.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where backups go and who can open them.
    pub backup: BackupConfig,
    /// The socket of the privileged half; without one agentd does everything itself, as its own user.
    pub root_socket: Option<PathBuf>,
    /// Folders that file tools may use where there is no privileged half.
    pub files: Roots,
}

impl Config {
    /// The privileged half, wherever it is; `own` are folders no file tool reaches.
    pub(crate) fn hands(&self, own: Vec<PathBuf>) -> Hands {
        match &self.root_socket {
            Some(socket) => Hands::There(socket.clone()),
            None => Hands::Here(Arc::new(Half::new(self.files.places(own), None))),
        }
    }
}
