//! Who may log in, and who may read what tells it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::check::{Check, Rule};

pub(super) fn checks(root: &Path) -> Vec<Check> {
    vec![roots(root), empty(root), files(root)]
}

fn passwd(root: &Path) -> Option<Vec<(String, String, String)>> {
    let text = fs::read_to_string(root.join("etc/passwd")).ok()?;
    let account = |line: &str| {
        let mut fields = line.split(':').map(str::to_owned);
        Some((fields.next()?, fields.next()?, fields.next()?))
    };
    Some(text.lines().filter_map(account).collect())
}

fn roots(root: &Path) -> Check {
    let rule = Rule {
        id: "accounts.root",
        weight: 8,
        title: "root is the only account with uid 0",
        why: "another one is root under a name nobody looks for",
        nixos: "remove users.users.<name>.uid = 0;",
        debian: "usermod --uid NUMBER NAME, or userdel NAME",
    };
    let Some(accounts) = passwd(root) else { return rule.unknown("/etc/passwd cannot be read") };
    let others: Vec<String> = accounts
        .into_iter()
        .filter(|(name, _, uid)| uid == "0" && name != "root")
        .map(|(name, ..)| name)
        .collect();
    rule.judge(
        others.is_empty(),
        if others.is_empty() { "there is no other".into() } else { format!("uid 0: {}", others.join(", ")) },
    )
}

fn empty(root: &Path) -> Check {
    let rule = Rule {
        id: "accounts.empty",
        weight: 8,
        title: "no account in /etc/passwd has an empty password",
        why: "whoever knows the name is in",
        nixos: "users.users.<name>.hashedPassword = \"!\"; or a hash",
        debian: "passwd --lock NAME",
    };
    let Some(accounts) = passwd(root) else { return rule.unknown("/etc/passwd cannot be read") };
    let open: Vec<String> =
        accounts.into_iter().filter(|(_, password, _)| password.is_empty()).map(|(name, ..)| name).collect();
    rule.judge(
        open.is_empty(),
        if open.is_empty() {
            "none has; /etc/shadow is not looked at".into()
        } else {
            format!("no password: {}", open.join(", "))
        },
    )
}

/// Files that decide who is who: nobody else may write them, and only root may read the hashes.
fn files(root: &Path) -> Check {
    let rule = Rule {
        id: "accounts.files",
        weight: 7,
        title: "only root writes the account files, and nobody else reads the hashes",
        why: "a writable one makes anybody root; a readable hash can be guessed at leisure",
        nixos: "NixOS sets them at each activation: look for what changed them",
        debian: "chmod 644 /etc/passwd /etc/group; chmod 640 /etc/shadow /etc/gshadow; chmod 440 /etc/sudoers",
    };
    let mut wrong = Vec::new();
    let mut seen = 0;
    for (name, forbidden) in
        [("passwd", 0o022), ("group", 0o022), ("shadow", 0o027), ("gshadow", 0o027), ("sudoers", 0o022)]
    {
        // The mode of a file is there for everybody to see; what is not there cannot be wrong.
        let Ok(metadata) = fs::metadata(root.join("etc").join(name)) else { continue };
        seen += 1;
        if metadata.mode() & forbidden != 0 || metadata.uid() != 0 {
            wrong.push(format!("/etc/{name} is {:o} of uid {}", metadata.mode() & 0o7777, metadata.uid()));
        }
    }
    if seen == 0 {
        return rule.unknown("there are no account files to look at");
    }
    rule.judge(
        wrong.is_empty(),
        if wrong.is_empty() { format!("{seen} files are as they should be") } else { wrong.join(", ") },
    )
}

#[cfg(test)]
mod tests {
    use osmoda_types::api::agentd::security::FindingState;

    use super::*;

    #[test]
    fn a_second_root_and_an_empty_password_are_found() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::write(
            root.path().join("etc/passwd"),
            "root:x:0:0::/:/bin/sh\ntoor:x:0:0::/:/bin/sh\nann::1000:100::/:/bin/sh\nbroken\n",
        )
        .unwrap();
        assert_eq!(roots(root.path()).detail, "uid 0: toor");
        assert_eq!(empty(root.path()).detail, "no password: ann");
        fs::write(root.path().join("etc/passwd"), "root:x:0:0::/:/bin/sh\n").unwrap();
        assert_eq!(
            (roots(root.path()).state, empty(root.path()).state),
            (FindingState::Pass, FindingState::Pass)
        );
    }

    #[test]
    fn a_shadow_file_that_all_may_read_fails() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        assert_eq!(files(root.path()).state, FindingState::Unknown);
        let shadow = root.path().join("etc/shadow");
        fs::write(&shadow, "").unwrap();
        fs::set_permissions(&shadow, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(files(root.path()).detail.contains("/etc/shadow is 644"));
    }
}
