//! Where backups go and who can open them: the key `backup` of agentd's configuration.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, de};

/// `backup.{dir, recipients, identity_file}`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackupConfig {
    /// The backups folder; by default /var/backups/osmoda, or `backups` beside a state root of one's own.
    pub dir: Option<PathBuf>,
    /// Who can open a backup: age or ssh public keys. None: a key made at first use, which lies on this machine.
    #[serde(deserialize_with = "recipients")]
    pub recipients: Vec<String>,
    /// The age identity that opens backups here, where the recipients are not this machine's own key.
    pub identity_file: Option<PathBuf>,
}

fn recipients<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let recipients = Vec::<String>::deserialize(deserializer)?;
    if recipients.len() > MOST {
        return Err(de::Error::custom(format_args!("more than {MOST} recipients")));
    }
    match recipients.iter().find(|recipient| !is_recipient(recipient)) {
        Some(wrong) => Err(de::Error::custom(format_args!("{wrong:.40?} is no age or ssh public key"))),
        None => Ok(recipients),
    }
}

/// What age takes after `-r`; whether the key is good, age says.
fn is_recipient(text: &str) -> bool {
    let plain = text.len() <= 2048 && text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    plain && (text.starts_with("age1") && !text.contains(' ') || text.starts_with("ssh-"))
}

const MOST: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipient_that_could_be_an_option_or_a_secret_is_refused() {
        let read = |text: &str| serde_json::from_str::<BackupConfig>(text);
        let good = r#"{"recipients": ["age1qqqq", "ssh-ed25519 AAAA ann@host"], "dir": "/srv/backups"}"#;
        assert_eq!(read(good).unwrap().recipients.len(), 2);
        for bad in ["-o/etc/passwd", "AGE-SECRET-KEY-1QQ", "age1 -o x", "age1q\\n-r", ""] {
            assert!(read(&format!(r#"{{"recipients": ["{bad}"]}}"#)).is_err(), "{bad}");
        }
        assert!(read(r#"{"recipient": "age1q"}"#).is_err());
    }
}
