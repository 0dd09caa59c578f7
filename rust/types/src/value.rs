//! Small bounded values: a request that decodes is a request within limits.

use std::borrow::Cow;
use std::ops::Deref;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, de};

/// No arguments: `{}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Empty {}

/// A whole number from `MIN` to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Within<const MIN: u64, const MAX: u64>(u64);

/// How many rows a list returns at the most.
pub type Limit = Within<1, 1000>;

impl<const MIN: u64, const MAX: u64> Within<MIN, MAX> {
    /// `None` outside the bounds.
    pub const fn new(value: u64) -> Option<Self> {
        if MIN <= value && value <= MAX { Some(Self(value)) } else { None }
    }

    /// The number.
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The number that was asked for, `unless_told` where nobody asked.
    pub fn or(asked: Option<Self>, unless_told: usize) -> usize {
        asked.map_or(unless_told, |asked| usize::try_from(asked.0).unwrap_or(usize::MAX))
    }
}

impl<'de, const MIN: u64, const MAX: u64> Deserialize<'de> for Within<MIN, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = u64::deserialize(deserializer)?;
        Self::new(value).ok_or_else(|| de::Error::custom(format_args!("{value} is not from {MIN} to {MAX}")))
    }
}

impl<const MIN: u64, const MAX: u64> JsonSchema for Within<MIN, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Within_{MIN}_{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": MIN, "maximum": MAX})
    }
}

/// A list of at most `MAX` items.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Few<T, const MAX: usize>(Vec<T>);

impl<T, const MAX: usize> Few<T, MAX> {
    /// The items, owned.
    pub fn into_inner(self) -> Vec<T> {
        self.0
    }
}

impl<T, const MAX: usize> Deref for Few<T, MAX> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

impl<T, const MAX: usize> Default for Few<T, MAX> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for Few<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let items = Vec::deserialize(deserializer)?;
        if items.len() <= MAX {
            Ok(Self(items))
        } else {
            Err(de::Error::custom(format_args!("more than {MAX} items")))
        }
    }
}

impl<T: JsonSchema, const MAX: usize> JsonSchema for Few<T, MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Few_{}_{MAX}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "array", "maxItems": MAX, "items": generator.subschema_for::<T>()})
    }
}

/// Text of at most `MAX` bytes without NUL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Text<const MAX: usize>(String);

impl<const MAX: usize> Text<MAX> {
    /// Refuses text that is too long or holds a NUL.
    pub fn new(text: impl Into<String>) -> Result<Self, TooLong> {
        let text = text.into();
        if text.len() <= MAX && !text.contains('\0') { Ok(Self(text)) } else { Err(TooLong { max: MAX }) }
    }

    /// The text, owned.
    pub fn into_inner(self) -> String {
        self.0
    }
}

impl<const MAX: usize> FromStr for Text<MAX> {
    type Err = TooLong;

    fn from_str(text: &str) -> Result<Self, TooLong> {
        Self::new(text)
    }
}

/// The text does not fit its field.
#[derive(Debug, thiserror::Error)]
#[error("longer than {max} bytes or holds a NUL")]
pub struct TooLong {
    max: usize,
}

impl<const MAX: usize> Deref for Text<MAX> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl<const MAX: usize> JsonSchema for Text<MAX> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Text_{MAX}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // The limit is in bytes, which JSON Schema cannot say: maxLength counts characters.
        json_schema!({"type": "string", "maxLength": MAX, "pattern": "^[^\\u0000]*$"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_outside_its_bounds_does_not_decode() {
        assert_eq!(serde_json::from_str::<Limit>("1000").unwrap().get(), 1000);
        for bad in ["0", "1001", "-1", "1.5", "\"3\""] {
            assert!(serde_json::from_str::<Limit>(bad).is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<Few<u8, 2>>("[1,2,3]").is_err());
        assert_eq!(serde_json::from_str::<Few<u8, 2>>("[1,2]").unwrap().into_inner(), [1, 2]);
        assert!(serde_json::from_str::<Text<3>>("\"éé\"").is_err());
        assert!(serde_json::from_str::<Text<3>>("\"a\\u0000\"").is_err());
    }
}
