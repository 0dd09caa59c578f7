//! NixOS generations, read from the links of the system profile.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use osmoda_types::Timestamp;
use osmoda_types::api::agentd::system::Generation;

use super::HostError;

/// Every generation, newest first.
pub(super) fn generations() -> Result<Vec<Generation>, HostError> {
    read(Path::new("/nix/var/nix/profiles"), Path::new("/run"))
}

fn read(profiles: &Path, run: &Path) -> Result<Vec<Generation>, HostError> {
    let entries = fs::read_dir(profiles).map_err(|source| match source.kind() {
        ErrorKind::NotFound => HostError::NoGenerations,
        _ => HostError::Read { path: profiles.to_owned(), source },
    })?;
    // Not the profile's own link: that is what the next switch or boot takes, which need not run now.
    let current = fs::read_link(run.join("current-system")).ok();
    let booted = fs::read_link(run.join("booted-system")).ok();
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
            current: current.as_ref() == Some(&target),
            booted: booted.as_ref() == Some(&target),
            store_path: target.to_string_lossy().into_owned(),
        });
    }
    if found.is_empty() {
        return Err(HostError::NoGenerations);
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
        assert!(matches!(read(dir.path(), dir.path()), Err(HostError::NoGenerations)));
        assert!(matches!(read(&dir.path().join("none"), dir.path()), Err(HostError::NoGenerations)));
        symlink("/nix/store/a-nixos", dir.path().join("system-9-link")).unwrap();
        symlink("/nix/store/b-nixos", dir.path().join("system-10-link")).unwrap();
        symlink("/nix/store/x", dir.path().join("per-user-link")).unwrap();
        symlink("/nix/store/a-nixos", dir.path().join("current-system")).unwrap();
        symlink("/nix/store/b-nixos", dir.path().join("booted-system")).unwrap();
        let found = read(dir.path(), dir.path()).unwrap();
        let short: Vec<_> =
            found.iter().map(|g| (g.generation, g.store_path.as_str(), g.current, g.booted)).collect();
        assert_eq!(short, [(10, "/nix/store/b-nixos", false, true), (9, "/nix/store/a-nixos", true, false)]);
    }
}
