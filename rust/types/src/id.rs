//! Run-time ids: `<kind>_<ULID in lower case>`, as in `req_01kaq3v8e2m6zr0t5h9xw4c7yd`.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use ulid::Ulid;

use crate::{Clock, Entropy, Timestamp};

/// What an id names; its prefix makes an id self-describing in a log.
pub trait Kind: 'static {
    /// The part before the underscore.
    const PREFIX: &'static str;
}

/// The kinds of id there are.
pub mod ids {
    use super::Kind;

    macro_rules! kinds {
        ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
            $(#[$doc])*
            #[derive(Debug)]
            pub enum $name {}
            impl Kind for $name { const PREFIX: &'static str = $prefix; }
        )*};
    }

    kinds! {
        /// One request on a socket.
        Request = "req";
        /// A machine, for ever.
        Machine = "mach";
        /// A conversation of an agent.
        Session = "sess";
        /// Something that can be taken back.
        Undo = "undo";
        /// A workspace of an incident.
        Incident = "inc";
        /// A backup.
        Backup = "bak";
        /// Something remembered.
        Memory = "mem";
    }
}

/// The id of one request.
pub type RequestId = Id<ids::Request>;
/// The id of a machine; it is the name of its ledger and never changes.
pub type MachineId = Id<ids::Machine>;
/// The id of something that can be taken back.
pub type UndoId = Id<ids::Undo>;
/// The id of an agent's conversation.
pub type SessionId = Id<ids::Session>;
/// The id of an incident.
pub type IncidentId = Id<ids::Incident>;
/// The id of a backup.
pub type BackupId = Id<ids::Backup>;

/// The id of a memory.
pub type MemoryId = Id<ids::Memory>;

/// An id of one kind.
pub struct Id<K> {
    ulid: Ulid,
    kind: PhantomData<fn() -> K>,
}

impl<K: Kind> Id<K> {
    /// The id of this number; its upper 48 bits are milliseconds since 1970.
    pub const fn from_bits(bits: u128) -> Self {
        Self { ulid: Ulid(bits), kind: PhantomData }
    }

    /// When it was made, in milliseconds since 1970.
    pub const fn millis(self) -> u64 {
        self.ulid.timestamp_ms()
    }

    /// A new id; ids of one clock sort by the time they were made.
    pub fn new(clock: &dyn Clock, entropy: &dyn Entropy) -> Self {
        let mut random = [0; 16];
        entropy.fill(&mut random);
        let millis = u64::try_from(clock.now().as_millis()).unwrap_or(0);
        Self { ulid: Ulid::from_parts(millis, u128::from_be_bytes(random)), kind: PhantomData }
    }
}

impl<K> Id<K> {
    /// When it was made, by the clock it was made with; `None` for a time that has no written form.
    pub fn made_at(&self) -> Option<Timestamp> {
        Timestamp::from_millis(i64::try_from(self.ulid.timestamp_ms()).ok()?)
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", K::PREFIX, self.ulid.to_string().to_ascii_lowercase())
    }
}

impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.ulid.cmp(&other.ulid)
    }
}

impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K: Kind> FromStr for Id<K> {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let wrong = NotAnId { prefix: K::PREFIX };
        let Some(body) = text.strip_prefix(K::PREFIX).and_then(|rest| rest.strip_prefix('_')) else {
            return Err(wrong);
        };
        // One spelling per id: lower case, and no 27th bit of the first character.
        match Ulid::from_string(body) {
            Ok(ulid) if ulid.to_string().to_ascii_lowercase() == body => Ok(Self { ulid, kind: PhantomData }),
            _ => Err(wrong),
        }
    }
}

/// The text is not an id of the wanted kind.
#[derive(Debug, thiserror::Error)]
#[error("not an id: {prefix}_ and 26 characters of a lower-case ULID")]
pub struct NotAnId {
    prefix: &'static str,
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.ulid == other.ulid
    }
}
impl<K> Eq for Id<K> {}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.ulid.hash(state);
    }
}

impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl<K: Kind> JsonSchema for Id<K> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("{}_id", K::PREFIX).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": format!("^{}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$", K::PREFIX)})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_has_one_spelling() {
        let text = "req_01kaq3v8e2m6zr0t5h9xw4c7yd";
        assert_eq!(text.parse::<RequestId>().unwrap().to_string(), text);
        for bad in [
            "req_01KAQ3V8E2M6ZR0T5H9XW4C7YD",
            "sess_01kaq3v8e2m6zr0t5h9xw4c7yd",
            "req_",
            "req",
            "req_é",
            "req_81kaq3v8e2m6zr0t5h9xw4c7yd",
            "req_01kaq3v8e2m6zr0t5h9xw4c7yd ",
        ] {
            assert!(bad.parse::<RequestId>().is_err(), "{bad}");
        }
    }
}
