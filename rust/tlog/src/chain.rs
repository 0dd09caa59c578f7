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
    let allowed = |byte: u8| matches!(byte, b'A'..=b'Z' | b'a'..=b'z' | b'-'..=b':' | b'@' | b'_');
    if matches!(name.len(), 1..=128) && name.bytes().fold(true, |good, byte| good & allowed(byte)) {
        return Ok(());
    }
    Err(Error::Field { field, form: "1 to 128 characters of A-Z a-z 0-9 _ . : @ / -" })
}

/// Refuses a time that is not `YYYY-MM-DDTHH:MM:SS.mmmZ`. Only the form is judged, not the calendar: it is
/// what keeps the encoding injective and the text order equal to the time order.
pub fn check_ts(ts: &str) -> Result<(), Error> {
    const FORM: &[u8; 24] = b"0000-00-00T00:00:00.000Z";
    // No early exit: the compiler turns the fixed loops into a few vector instructions.
    let fits = |at: usize, byte: u8| if FORM[at] == b'0' { byte.is_ascii_digit() } else { byte == FORM[at] };
    let whole: Option<&[u8; 24]> = ts.as_bytes().try_into().ok();
    if whole.is_some_and(|ts| (0..FORM.len()).fold(true, |good, at| good & fits(at, ts[at]))) {
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

/// Joins the fields in a buffer on the stack first: the hasher is slow at many small pieces.
fn chain_hash(number: u64, fields: &[&str]) -> Hash {
    let (digits, start) = decimal(number);
    let bytes: usize = digits.len() - start + fields.iter().map(|field| field.len() + 1).sum::<usize>();
    let mut buffer = [0; 768];
    if bytes > buffer.len() {
        let mut sha = Sha256::new_with_prefix(&digits[start..]);
        for field in fields {
            sha.update(b"|");
            sha.update(field);
        }
        return sha.finalize().into();
    }
    let mut filled = digits.len() - start;
    buffer[..filled].copy_from_slice(&digits[start..]);
    for field in fields {
        buffer[filled] = b'|';
        buffer[filled + 1..][..field.len()].copy_from_slice(field.as_bytes());
        filled += 1 + field.len();
    }
    Sha256::digest(&buffer[..filled]).into()
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
        let ts = "2026-05-04T10:00:00.000Z";
        assert_eq!(row_hash(1, ts, "a|b", "c", "", GENESIS), row_hash(1, ts, "a", "b|c", "", GENESIS));
        let long = "x".repeat(129);
        for bad in ["", "a|b", "a b", "é", "a\n", long.as_str()] {
            assert!(check_name("type", bad).is_err(), "{bad:?}");
        }
        assert!(check_name("actor", &long[..128]).is_ok());
        assert!(check_name("actor", "mcp:files@host/a-b_c.d").is_ok());
        for bad in ["", "2026-05-04T10:00:00Z", "2026-05-04T10:00:00.000+", "2026-05-04 10:00:00.000Z"] {
            assert!(check_ts(bad).is_err(), "{bad:?}");
        }
        assert!(check_row(ts, "a", "b", &"x".repeat(MAX_PAYLOAD_BYTES)).is_ok());
        assert!(check_row(ts, "a", "b", &"x".repeat(MAX_PAYLOAD_BYTES + 1)).is_err());
    }

    proptest! {
        #[test]
        fn different_rows_that_pass_the_door_hash_differently(
            a in ("[a.]{1,2}", "[a.]{1,2}", "[a.|]{0,3}"),
            b in ("[a.]{1,2}", "[a.]{1,2}", "[a.|]{0,3}"),
        ) {
            let ts = "2026-05-04T10:00:00.000Z";
            let hash = |r: &(String, String, String)| row_hash(1, ts, &r.0, &r.1, &r.2, GENESIS);
            prop_assert_eq!(a == b, hash(&a) == hash(&b));
        }
    }
}
