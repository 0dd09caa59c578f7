//! The machine's id: made once, never changed, the name of its ledger.

use std::fs;
use std::path::Path;

use osmoda_types::{Clock, Entropy, MachineId};

/// Reads the id from `<state>/agentd/machine-id`, or makes it. `None` where it can neither be read nor made; what needs it
/// is degraded then.
pub(crate) fn machine_id(dir: &Path, clock: &dyn Clock, entropy: &dyn Entropy) -> Option<MachineId> {
    let path = dir.join("machine-id");
    match fs::read_to_string(&path) {
        Ok(text) => match text.trim().parse() {
            Ok(id) => Some(id),
            Err(_) => {
                // A new id would begin a new ledger and hide the old one, so a damaged one is never replaced.
                tracing::error!(path = %path.display(), "the machine id is damaged: restore the file from a backup");
                None
            }
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let id = MachineId::new(clock, entropy);
            let written = osmoda_store::atomic_write(&path, format!("{id}\n").as_bytes(), 0o644);
            written
                .inspect_err(
                    |error| tracing::warn!(path = %path.display(), %error, "the machine id cannot be kept"),
                )
                .ok()
                .map(|()| id)
        }
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "the machine id cannot be read");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use osmoda_runtime::{SystemClock, SystemEntropy};

    #[test]
    fn the_id_is_made_once_and_a_damaged_one_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let id = || machine_id(dir.path(), &SystemClock, &SystemEntropy);
        let first = id().unwrap();
        assert_eq!(id(), Some(first));
        fs::write(dir.path().join("machine-id"), "mach_0").unwrap();
        assert_eq!(id(), None);
        assert_eq!(fs::read(dir.path().join("machine-id")).unwrap(), b"mach_0");
    }
}
