//! JSON as we accept it and as we hash it: no duplicate keys, no number that a double cannot hold exactly, one
//! canonical form (RFC 8785).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use sha2::{Digest, Sha256};

/// The largest integer every JSON reader keeps exactly (2^53 - 1, RFC 8785 and I-JSON).
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// Reads one JSON text strictly: duplicate keys and integers beyond ±(2^53 - 1) are errors, as are the things
/// serde_json refuses by itself (invalid UTF-8, more than 128 levels, trailing text).
pub fn parse(text: &[u8]) -> Result<Value, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = Strict.deserialize(&mut reader)?;
    reader.end()?;
    Ok(value)
}

/// The canonical text of a value (RFC 8785).
pub fn canonical(value: &Value) -> String {
    serde_json_canonicalizer::to_string(value).expect("a Value has string keys and finite numbers only")
}

/// `sha256:<hex>` of bytes.
pub fn digest_of(bytes: &[u8]) -> String {
    digest_text(Sha256::digest(bytes))
}

/// A SHA-256 digest as `sha256:` and hex.
pub fn digest_text(digest: impl AsRef<[u8]>) -> String {
    format!("sha256:{}", hex(digest.as_ref()))
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).expect("a nibble is a hex digit"));
        }
        text
    })
}

struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        safe(value.unsigned_abs()).map(|()| Value::from(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        safe(value).map(|()| Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        #[expect(clippy::cast_precision_loss, reason = "2^53 - 1 is exact in a double")]
        let limit = MAX_SAFE_INTEGER as f64;
        if value.abs() > limit {
            return Err(too_big());
        }
        Number::from_f64(value).map(Value::Number).ok_or_else(too_big)
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Strict)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format_args!("duplicate key {key:?}")));
            }
            let value = map.next_value_seed(Strict)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

fn safe<E: serde::de::Error>(magnitude: u64) -> Result<(), E> {
    if magnitude <= MAX_SAFE_INTEGER { Ok(()) } else { Err(too_big()) }
}

fn too_big<E: serde::de::Error>() -> E {
    E::custom("number beyond 2^53 - 1: send it as a string")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for bad in [
            r#"{"a":1,"a":2}"#,
            "9007199254740992",
            "-9007199254740992",
            "1e300",
            "1e999",
            "{} {}",
            "\"\\ud800\"",
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse(&[b'"', 0xff, b'"']).is_err());
        assert!(parse("[".repeat(200).as_bytes()).is_err());
        assert_eq!(parse(b"9007199254740991").unwrap(), Value::from(MAX_SAFE_INTEGER));
    }

    #[test]
    fn the_canonical_form_is_that_of_rfc_8785() {
        let value = parse("{\"\u{20ac}\":\"x\",\"1\":[1.0,1e-7,\"\\u000f\"],\"a\":null}".as_bytes()).unwrap();
        assert_eq!(canonical(&value), "{\"1\":[1,1e-7,\"\\u000f\"],\"a\":null,\"\u{20ac}\":\"x\"}");
    }

    #[test]
    fn hex_is_lower_case() {
        assert_eq!(hex(&[0, 0xab, 0xff]), "00abff");
    }
}
