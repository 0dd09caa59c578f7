//! NixOS generations, read from the links of the system profile.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use osmoda_types::Timestamp;
use osmoda_types::api::agentd::system::Generation;

use super::HostError;

/// Every generation, newest first.
pub(super) fn generations() -> Result<Vec<Generation>, HostError> {
    read(Path::new("/nix/var/nix/profiles"), Path::new("/run/booted-system"))
}

fn read(profiles: &Path, booted: &Path) -> Result<Vec<Generation>, HostError> {
    let Ok(current) = fs::read_link(profiles.join("system")) else { return Err(HostError::NoGenerations) };
    let entries =
        fs::read_dir(profiles).map_err(|source| HostError::Read { path: profiles.to_owned(), source })?;
    let booted = fs::read_link(booted).ok();
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let Some(number) = number_of(&entry.file_name().to_string_lossy()) else { continue };
        // A generation may be deleted while it is looked at.
        let (Ok(target), Ok(meta)) = (fs::read_link(entry.path()), fs::symlink_metadata(entry.path())) else {
            continue;
        };
        found.push(Generation {
            generation: number,
            created_at: Timestamp::from_millis(meta.mtime().saturating_mul(1000)).unwrap_or(Timestamp::EPOCH),
            current: current.file_name() == Some(entry.file_name().as_os_str()),
            booted: booted.as_ref() == Some(&target),
            store_path: target.to_string_lossy().into_owned(),
        });
    }
    found.sort_by_key(|generation| std::cmp::Reverse(generation.generation));
    Ok(found)
}

/// 42 for `system-42-link`.
fn number_of(name: &str) -> Option<u64> {
    name.strip_prefix("system-")?.strip_suffix("-link")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn the_links_tell_what_is_current_and_what_was_booted() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(read(dir.path(), Path::new("/none")), Err(HostError::NoGenerations)));
        symlink("/nix/store/a-nixos", dir.path().join("system-9-link")).unwrap();
        symlink("/nix/store/b-nixos", dir.path().join("system-10-link")).unwrap();
        symlink("/nix/store/x", dir.path().join("per-user-link")).unwrap();
        symlink("system-9-link", dir.path().join("system")).unwrap();
        symlink("/nix/store/b-nixos", dir.path().join("booted")).unwrap();
        let found = read(dir.path(), &dir.path().join("booted")).unwrap();
        let short: Vec<_> =
            found.iter().map(|g| (g.generation, g.store_path.as_str(), g.current, g.booted)).collect();
        assert_eq!(short, [(10, "/nix/store/b-nixos", false, true), (9, "/nix/store/a-nixos", true, false)]);
    }
}
