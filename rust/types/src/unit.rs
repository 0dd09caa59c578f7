//! Names of systemd's units, as far as a name alone can be judged.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// systemd.unit(5): "limited to 255 characters".
const MAX_BYTES: usize = 255;

/// The kinds of unit there are (systemd.unit(5)).
const KINDS: &[&str] = &[
    "service",
    "socket",
    "device",
    "mount",
    "automount",
    "swap",
    "target",
    "path",
    "timer",
    "slice",
    "scope",
];

/// One unit's full name, such as `nginx.service`. Reads `nginx` as that, as systemctl does. A template without an
/// instance is no unit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitName(String);

impl UnitName {
    /// The full name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What follows the last dot.
    pub fn kind(&self) -> &str {
        kind(&self.0).expect("a name is only made with its kind")
    }

    /// What stands before the `@` of an instance, else before the kind: `getty` of `getty@tty1.service`.
    pub fn stem(&self) -> &str {
        let without_kind = &self.0[..self.0.len() - self.kind().len() - 1];
        without_kind.split('@').next().unwrap_or(without_kind)
    }
}

fn kind(name: &str) -> Option<&str> {
    let (_, kind) = name.rsplit_once('.')?;
    KINDS.contains(&kind).then_some(kind)
}

impl FromStr for UnitName {
    type Err = NotAUnit;

    fn from_str(text: &str) -> Result<Self, NotAUnit> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
        if text.is_empty() || text.len() > MAX_BYTES || !text.bytes().all(allowed) {
            return Err(NotAUnit::Characters);
        }
        // `-.mount` and `-.slice` are the roots of their kinds; any other dash in front is somebody's option.
        if text.starts_with(['.', '@']) || (text.starts_with('-') && !text.starts_with("-.")) {
            return Err(NotAUnit::Start);
        }
        let name = if kind(text).is_some() { text.to_owned() } else { format!("{text}.service") };
        if name.len() > MAX_BYTES {
            return Err(NotAUnit::Characters);
        }
        let (stem, _) = name.rsplit_once('.').expect("it ends in its kind");
        if stem.ends_with('@') {
            return Err(NotAUnit::Template);
        }
        Ok(Self(name))
    }
}

/// Why a text is no unit's name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NotAUnit {
    /// Its length or its characters.
    #[error("not a unit's name: 1 to 255 of A-Z a-z 0-9 : - _ . \\ @")]
    Characters,
    /// Its first character.
    #[error("not a unit's name: it starts with a dot, an @ or a dash")]
    Start,
    /// A template.
    #[error("a template needs an instance between @ and the kind, as in getty@tty1.service")]
    Template,
}

impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for UnitName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for UnitName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for UnitName {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "UnitName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "minLength": 1, "maxLength": MAX_BYTES, "pattern": "^[A-Za-z0-9:_\\\\-][A-Za-z0-9:_.\\\\@-]*$"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_name_is_a_service_and_a_full_one_is_itself() {
        let full = |text: &str| text.parse::<UnitName>().unwrap().to_string();
        assert_eq!(full("nginx"), "nginx.service");
        assert_eq!(full("nginx.service"), "nginx.service");
        assert_eq!(full("php8.2-fpm"), "php8.2-fpm.service");
        assert_eq!(full("dbus.socket"), "dbus.socket");
        assert_eq!(full("-.mount"), "-.mount");
        assert_eq!(full(r"srv-my\x2ddata.mount"), r"srv-my\x2ddata.mount");
    }

    #[test]
    fn the_stem_leaves_out_instance_and_kind() {
        let stem = |text: &str| text.parse::<UnitName>().unwrap().stem().to_owned();
        assert_eq!(stem("getty@tty1.service"), "getty");
        assert_eq!(stem("sshd@1-10.0.0.1:22-10.0.0.2:3.service"), "sshd");
        assert_eq!(stem("dbus-org.freedesktop.login1.service"), "dbus-org.freedesktop.login1");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for bad in
            ["", "a/b.service", "../ssh", "a\0", "a b", "a\nb", "*", "ssh?", "é.service", &"a".repeat(256)]
        {
            assert_eq!(bad.parse::<UnitName>(), Err(NotAUnit::Characters), "{bad:?}");
        }
        assert_eq!("a".repeat(250).parse::<UnitName>(), Err(NotAUnit::Characters), "too long with its kind");
        for bad in ["--help", "-H", "--user.service", ".service", "@tty1.service"] {
            assert_eq!(bad.parse::<UnitName>(), Err(NotAUnit::Start), "{bad:?}");
        }
        for bad in ["getty@", "getty@.service"] {
            assert_eq!(bad.parse::<UnitName>(), Err(NotAUnit::Template), "{bad:?}");
        }
    }
}
