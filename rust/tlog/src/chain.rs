//! The hash chain: a row's hash, the outbox link that shares its form, and the rules that make both injective.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Error, Hash};

/// `prev_hash` of the first row and of an outbox's first link.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Longest payload the ledger takes, in bytes of canonical JSON.
pub const MAX_PAYLOAD_BYTES: usize = 64 * 1024;

/// A row as it lies in the `events` table, borrowed. All text is the exact stored text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowRef<'a> {
    /// Counts from 1 without gaps.
    pub id: u64,
    /// `YYYY-MM-DDTHH:MM:SS.mmmZ`.
    pub ts: &'a str,
    /// The `type` column.
    pub kind: &'a str,
    /// Who did it.
    pub actor: &'a str,
    /// Canonical JSON (RFC 8785); opaque here.
    pub payload: &'a str,
    /// `hash` of the row before, [`GENESIS`] in the first.
    pub prev_hash: &'a str,
    /// [`row_hash`] of the other fields, 64 lower-case hex digits.
    pub hash: &'a str,
}

impl RowRef<'_> {
    /// The hash this row should carry.
    pub fn computed_hash(&self) -> Hash {
        row_hash(self.id, self.ts, self.kind, self.actor, self.payload, self.prev_hash)
    }
}

/// A row that owns its text; as JSON, the `event` of an export line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Counts from 1 without gaps.
    pub id: u64,
    /// `YYYY-MM-DDTHH:MM:SS.mmmZ`.
    pub ts: String,
    /// The `type` column.
    #[serde(rename = "type")]
    pub kind: String,
    /// Who did it.
    pub actor: String,
    /// The exact stored string, never the JSON inside it: re-encoding could change the hash.
    pub payload: String,
    /// `hash` of the row before, [`GENESIS`] in the first.
    pub prev_hash: String,
    /// [`row_hash`] of the other fields, 64 lower-case hex digits.
    pub hash: String,
}

impl Row {
    /// The same row, borrowed.
    pub fn as_ref(&self) -> RowRef<'_> {
        RowRef {
            id: self.id,
            ts: &self.ts,
            kind: &self.kind,
            actor: &self.actor,
            payload: &self.payload,
            prev_hash: &self.prev_hash,
            hash: &self.hash,
        }
    }
}

/// `SHA-256(id|ts|type|actor|payload|prev_hash)`: decimal id, fields joined by `|`. Allocates nothing.
///
/// Injective only over rows that pass [`check_row`]: `payload` alone may hold `|`, and it stands between a
/// prefix without ambiguity and a suffix of fixed length.
pub fn row_hash(id: u64, ts: &str, kind: &str, actor: &str, payload: &str, prev_hash: &str) -> Hash {
    chain_hash(id, &[ts, kind, actor, payload, prev_hash])
}

/// `SHA-256(seq|type|actor|payload|prev_link)`: the chain of a daemon's outbox, a row's hash without `ts`
/// (the ledger's clock has not spoken yet). `seq` counts from 1, the first `prev_link` is [`GENESIS`].
pub fn link_hash(seq: u64, kind: &str, actor: &str, payload: &str, prev_link: &str) -> Hash {
    chain_hash(seq, &[kind, actor, payload, prev_link])
}

/// Refuses a `type` or `actor` (named by `field`) outside `[A-Za-z0-9_.:@/-]{1,128}`.
pub fn check_name(field: &'static str, name: &str) -> Result<(), Error> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:@/-".contains(&byte);
    if matches!(name.len(), 1..=128) && name.bytes().all(allowed) {
        return Ok(());
    }
    Err(Error::Field { field, form: "1 to 128 characters of A-Z a-z 0-9 _ . : @ / -" })
}

/// Refuses a time that is not `YYYY-MM-DDTHH:MM:SS.mmmZ`. Only the form is judged, not the calendar: it is
/// what keeps the encoding injective and the text order equal to the time order.
pub fn check_ts(ts: &str) -> Result<(), Error> {
    const FORM: &[u8; 24] = b"0000-00-00T00:00:00.000Z";
    let fits = |(&byte, &form): (&u8, &u8)| if form == b'0' { byte.is_ascii_digit() } else { byte == form };
    if ts.len() == FORM.len() && ts.as_bytes().iter().zip(FORM).all(fits) {
        return Ok(());
    }
    Err(Error::Field { field: "ts", form: "YYYY-MM-DDTHH:MM:SS.mmmZ" })
}

/// Refuses a row whose free fields break the rules of the door; hash and links are the verifier's business.
pub fn check_row(ts: &str, kind: &str, actor: &str, payload: &str) -> Result<(), Error> {
    check_ts(ts)?;
    check_name("type", kind)?;
    check_name("actor", actor)?;
    if payload.len() > MAX_PAYLOAD_BYTES {
        return Err(Error::Field { field: "payload", form: "at most 65536 bytes" });
    }
    Ok(())
}

fn chain_hash(number: u64, fields: &[&str]) -> Hash {
    let mut sha = Sha256::new();
    let (digits, start) = decimal(number);
    sha.update(&digits[start..]);
    for field in fields {
        sha.update(b"|");
        sha.update(field);
    }
    sha.finalize().into()
}

/// The decimal digits of `number`, right-aligned, and where they start.
fn decimal(mut number: u64) -> ([u8; 20], usize) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b"0123456789"[(number % 10) as usize];
        number /= 10;
        if number == 0 {
            return (digits, start);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_hash_is_sha256_over_the_fields_joined_by_bars() {
        let by_hand = |text: String| -> Hash { Sha256::digest(text).into() };
        for id in [0, 7, 10, 1234, u64::MAX] {
            let ts = "2026-05-04T10:00:00.000Z";
            let text = format!("{id}|{ts}|agentd.started|daemon:agentd|{{\"a\":1}}|{GENESIS}");
            let row = row_hash(id, ts, "agentd.started", "daemon:agentd", "{\"a\":1}", GENESIS);
            assert_eq!(row, by_hand(text));
            let text = format!("{id}|watch.started|daemon:watch|{{}}|{GENESIS}");
            assert_eq!(link_hash(id, "watch.started", "daemon:watch", "{}", GENESIS), by_hand(text));
        }
    }

    #[test]
    fn fields_that_could_move_a_bar_are_refused() {
        let long = "x".repeat(129);
        for bad in ["", "a|b", "a b", "é", "a\n", long.as_str()] {
            assert!(check_name("type", bad).is_err(), "{bad:?}");
        }
        assert!(check_name("actor", &long[..128]).is_ok());
        assert!(check_name("actor", "mcp:files@host/a-b_c.d").is_ok());
        for bad in ["", "2026-05-04T10:00:00Z", "2026-05-04T10:00:00.000+", "2026-05-04 10:00:00.000Z"] {
            assert!(check_ts(bad).is_err(), "{bad:?}");
        }
        let ts = "2026-05-04T10:00:00.000Z";
        assert!(check_row(ts, "a", "b", &"x".repeat(MAX_PAYLOAD_BYTES)).is_ok());
        assert!(check_row(ts, "a", "b", &"x".repeat(MAX_PAYLOAD_BYTES + 1)).is_err());
    }

    proptest! {
        #[test]
        fn different_rows_that_pass_the_door_hash_differently(
            a in ("[a-z.|]{1,6}", "[a-z.|]{1,6}", "[a-z|]{0,6}"),
            b in ("[a-z.|]{1,6}", "[a-z.|]{1,6}", "[a-z|]{0,6}"),
        ) {
            let ts = "2026-05-04T10:00:00.000Z";
            let passes = |r: &(String, String, String)| check_row(ts, &r.0, &r.1, &r.2).is_ok();
            let hash = |r: &(String, String, String)| row_hash(1, ts, &r.0, &r.1, &r.2, GENESIS);
            prop_assume!(passes(&a) && passes(&b));
            prop_assert_eq!(a == b, hash(&a) == hash(&b));
        }
    }
}
