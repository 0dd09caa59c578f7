//! How one logs in over ssh, from sshd_config(5).

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::check::{Check, Rule};

/// Files that are read for one configuration.
const MOST_FILES: usize = 64;

pub(super) fn checks(root: &Path) -> Vec<Check> {
    let config = Config::read(root);
    RULES.iter().map(|question| question.check(&config)).collect()
}

struct Question {
    rule: Rule,
    keyword: &'static str,
    default: &'static str,
    good: &'static [&'static str],
}

/// What is configured: keywords in lower case with their values in the order they count, the first one first.
#[derive(Debug, Default)]
struct Config {
    /// There is no configuration, so no sshd.
    absent: bool,
    /// A file that could not be read.
    unreadable: Option<String>,
    global: Vec<(String, String)>,
    /// Inside of Match blocks.
    matched: Vec<(String, String)>,
    files: usize,
}

impl Question {
    fn check(&self, config: &Config) -> Check {
        let keyword = self.keyword.to_ascii_lowercase();
        if config.absent {
            return self.rule.pass("there is no sshd");
        }
        if let Some(file) = &config.unreadable {
            return self.rule.unknown(format!("{file} cannot be read"));
        }
        let find = |list: &[(String, String)]| {
            list.iter().find(|(name, _)| *name == keyword).map(|(_, value)| value.clone())
        };
        let is_good = |value: &str| self.good.contains(&value.to_ascii_lowercase().as_str());
        let value = find(&config.global);
        let shown = value.clone().unwrap_or_else(|| format!("{} (the default)", self.default));
        if !is_good(value.as_deref().unwrap_or(self.default)) {
            return self.rule.fail(format!("{} is {shown}", self.keyword));
        }
        match config.matched.iter().find(|(name, value)| *name == keyword && !is_good(value)) {
            Some((_, value)) => self.rule.fail(format!("{} is {value} in a Match block", self.keyword)),
            None => self.rule.pass(format!("{} is {shown}", self.keyword)),
        }
    }
}

impl Config {
    fn read(root: &Path) -> Self {
        let mut config = Self::default();
        let main = root.join("etc/ssh/sshd_config");
        match fs::read_to_string(&main) {
            Ok(text) => config.add(root, &text, &mut false),
            Err(error) if error.kind() == ErrorKind::NotFound => config.absent = true,
            Err(_) => config.unreadable = Some("/etc/ssh/sshd_config".into()),
        }
        config
    }

    /// A Match block goes on to the end of its file; one in an included file ends with it.
    fn add(&mut self, root: &Path, text: &str, in_match: &mut bool) {
        for line in text.lines() {
            let line = line.trim();
            let (keyword, value) = line.split_once([' ', '\t', '=']).unwrap_or((line, ""));
            let value = value.trim_start_matches([' ', '\t', '=']).trim().trim_matches('"');
            match keyword.to_ascii_lowercase().as_str() {
                "" => {}
                comment if comment.starts_with('#') => {}
                "match" => *in_match = !value.eq_ignore_ascii_case("all"),
                "include" => {
                    for file in value.split_ascii_whitespace().flat_map(|pattern| included(root, pattern)) {
                        self.include(root, &file, *in_match);
                    }
                }
                keyword => {
                    let list = if *in_match { &mut self.matched } else { &mut self.global };
                    list.push((
                        keyword.to_owned(),
                        value.split_ascii_whitespace().next().unwrap_or_default().to_owned(),
                    ));
                }
            }
        }
    }

    fn include(&mut self, root: &Path, file: &Path, mut in_match: bool) {
        self.files += 1;
        if self.files > MOST_FILES {
            return;
        }
        match fs::read_to_string(file) {
            Ok(text) => self.add(root, &text, &mut in_match),
            Err(_) => self.unreadable = Some(file.strip_prefix(root).unwrap_or(file).display().to_string()),
        }
    }
}

/// The files of one pattern, in order; a star may stand in the last part.
fn included(root: &Path, pattern: &str) -> Vec<PathBuf> {
    let pattern = pattern.trim_matches('"');
    let path = match pattern.strip_prefix('/') {
        Some(absolute) => root.join(absolute),
        None => root.join("etc/ssh").join(pattern),
    };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let Some((before, after)) = name.split_once('*') else {
        return if path.exists() { vec![path] } else { Vec::new() };
    };
    let entries = path.parent().and_then(|folder| fs::read_dir(folder).ok()).into_iter().flatten().flatten();
    let matches = |name: &str| {
        name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
    };
    let mut files: Vec<PathBuf> = entries
        .filter(|entry| entry.file_name().to_str().is_some_and(matches))
        .map(|entry| entry.path())
        .collect();
    files.sort();
    files
}

const RULES: &[Question] = &[
    Question {
        rule: Rule {
            id: "ssh.password",
            weight: 8,
            title: "nobody logs in over ssh with a password",
            why: "passwords are guessed day and night; keys are not",
            nixos: "services.openssh.settings.PasswordAuthentication = false;",
            debian: "PasswordAuthentication no in /etc/ssh/sshd_config.d/10-hardening.conf, then systemctl reload ssh",
        },
        keyword: "PasswordAuthentication",
        default: "yes",
        good: &["no"],
    },
    Question {
        rule: Rule {
            id: "ssh.keyboard",
            weight: 5,
            title: "no password comes in through keyboard-interactive",
            why: "with PAM it is a password under another name",
            nixos: "services.openssh.settings.KbdInteractiveAuthentication = false;",
            debian: "KbdInteractiveAuthentication no in /etc/ssh/sshd_config.d/10-hardening.conf, then systemctl reload ssh",
        },
        keyword: "KbdInteractiveAuthentication",
        default: "yes",
        good: &["no"],
    },
    Question {
        rule: Rule {
            id: "ssh.root",
            weight: 6,
            title: "root logs in over ssh with a key or not at all",
            why: "root's name is known; only the secret is left to guess",
            nixos: "services.openssh.settings.PermitRootLogin = \"no\";",
            debian: "PermitRootLogin no in /etc/ssh/sshd_config.d/10-hardening.conf, then systemctl reload ssh",
        },
        keyword: "PermitRootLogin",
        default: "prohibit-password",
        good: &["no", "prohibit-password", "without-password", "forced-commands-only"],
    },
    Question {
        rule: Rule {
            id: "ssh.empty",
            weight: 8,
            title: "an empty password opens nothing",
            why: "an account without a password would be open to everybody",
            nixos: "services.openssh.settings.PermitEmptyPasswords = false;",
            debian: "PermitEmptyPasswords no in /etc/ssh/sshd_config.d/10-hardening.conf, then systemctl reload ssh",
        },
        keyword: "PermitEmptyPasswords",
        default: "no",
        good: &["no"],
    },
    Question {
        rule: Rule {
            id: "ssh.x11",
            weight: 1,
            title: "ssh forwards no screens",
            why: "a server could read the keyboard of who logs in",
            nixos: "services.openssh.settings.X11Forwarding = false;",
            debian: "X11Forwarding no in /etc/ssh/sshd_config.d/10-hardening.conf, then systemctl reload ssh",
        },
        keyword: "X11Forwarding",
        default: "no",
        good: &["no"],
    },
];

#[cfg(test)]
mod tests {
    use osmoda_types::api::agentd::security::FindingState;
    use proptest::prelude::*;

    use super::*;

    fn judged(files: &[(&str, &str)], id: &str) -> (FindingState, String) {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = root.path().join("etc/ssh").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let check = checks(root.path()).into_iter().find(|check| check.rule.id == id).unwrap();
        (check.state, check.detail)
    }

    #[test]
    fn the_first_value_counts_wherever_it_stands() {
        let password = |files: &[(&str, &str)]| judged(files, "ssh.password").0;
        assert_eq!(password(&[]), FindingState::Pass, "no sshd");
        assert_eq!(password(&[("sshd_config", "# PasswordAuthentication no\n")]), FindingState::Fail);
        assert_eq!(
            password(&[("sshd_config", "passwordauthentication=NO\nPasswordAuthentication yes\n")]),
            FindingState::Pass
        );
        let include = "Include /etc/ssh/sshd_config.d/*.conf\nPasswordAuthentication yes\n";
        assert_eq!(
            password(&[
                ("sshd_config", include),
                ("sshd_config.d/10.conf", "PasswordAuthentication no\n"),
                ("sshd_config.d/20", "x")
            ]),
            FindingState::Pass
        );
    }

    #[test]
    fn a_match_block_that_opens_the_door_is_seen() {
        let config = "PermitRootLogin no\nMatch Address 10.0.0.0/8\n PermitRootLogin yes\n";
        assert_eq!(
            judged(&[("sshd_config", config)], "ssh.root"),
            (FindingState::Fail, "PermitRootLogin is yes in a Match block".into())
        );
        assert_eq!(
            judged(&[("sshd_config", "Match User git\n PasswordAuthentication no\n")], "ssh.password").0,
            FindingState::Fail
        );
        assert_eq!(
            judged(
                &[(
                    "sshd_config",
                    "Match User git\n PasswordAuthentication no\nMatch all\nPasswordAuthentication no\n"
                )],
                "ssh.password"
            )
            .0,
            FindingState::Pass
        );
    }

    #[test]
    fn a_file_that_includes_itself_ends() {
        assert_eq!(
            judged(&[("sshd_config", "Include sshd_config\nPasswordAuthentication no\n")], "ssh.password").0,
            FindingState::Pass
        );
    }

    proptest! {
        #[test]
        fn any_configuration_is_read(text in "([A-Za-z \t=#\"*/.]{0,20}\n){0,8}") {
            let root = tempfile::tempdir().unwrap();
            Config::default().add(root.path(), &text, &mut false);
        }
    }
}
