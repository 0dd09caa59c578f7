//! Where the sockets are, when nobody says so.

use std::env;
use std::path::{Path, PathBuf};

use osmoda_types::Daemon;

/// `OSMODA_RUN_DIR`, else `/run/osmoda` where it has agentd's socket, else the nearest `.osmoda/run` from here upwards, else
/// `/run/osmoda`.
pub fn find_run_dir() -> PathBuf {
    if let Some(dir) = env::var_os("OSMODA_RUN_DIR").filter(|dir| !dir.is_empty()) {
        return dir.into();
    }
    let installed = PathBuf::from("/run/osmoda");
    if installed.join(Daemon::Agentd.socket()).exists() {
        return installed;
    }
    let here = env::current_dir().unwrap_or_default();
    let nearest = here.ancestors().map(|dir| dir.join(".osmoda/run")).find(|dir| Path::is_dir(dir));
    nearest.unwrap_or(installed)
}
