//! Configuration: one JSON file a daemon, unknown keys refused with their path.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The keys every daemon shares.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Common {
    /// What is logged and how.
    pub log: Log,
    /// Who may connect.
    pub socket: Socket,
    /// How long a stopping daemon lets calls finish.
    pub drain_secs: u64,
    /// Longest silence of the serving loop before systemd restarts it; systemd's WATCHDOG_USEC rules where set.
    pub watchdog_secs: u64,
}

/// What is logged and how.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// As in tracing's EnvFilter: `info`, `debug,hyper=warn`; OSMODA_LOG goes before it.
    pub filter: String,
    /// JSON lines, or text for people.
    pub format: LogFormat,
}

/// Form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Who may connect.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Socket {
    /// Octal permission bits, such as "0660".
    pub mode: String,
    /// Group that owns the socket, where it exists.
    pub group: String,
}

impl Default for Common {
    fn default() -> Self {
        Self { log: Log::default(), socket: Socket::default(), drain_secs: 10, watchdog_secs: 30 }
    }
}

impl Default for Log {
    fn default() -> Self {
        // Each library says more at info than a reader of a daemon's log wants to know.
        Self { filter: "info,rusqlite_migration=warn".into(), format: LogFormat::Auto }
    }
}

impl Default for Socket {
    fn default() -> Self {
        Self { mode: "0660".into(), group: "osmoda".into() }
    }
}

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a JSON object.
    #[error("{path} is not a JSON object without duplicate keys")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },
    /// A key is unknown or its value wrong.
    #[error("{path}: {key}")]
    Key {
        /// The file.
        path: PathBuf,
        /// The key, dotted.
        key: String,
        /// Why.
        source: serde_json::Error,
    },
    /// A value is of the right type but makes no sense.
    #[error("{path}: {key}: {message}")]
    Value {
        /// The file.
        path: PathBuf,
        /// The key, dotted.
        key: String,
        /// Why.
        message: &'static str,
    },
}

const COMMON_KEYS: [&str; 4] = ["log", "socket", "drain_secs", "watchdog_secs"];

/// Reads a daemon's configuration: the common keys and its own in one object. `None` is the defaults.
pub(crate) fn load<C: DeserializeOwned>(path: Option<&Path>) -> Result<(Common, C), ConfigError> {
    let (mut own, path) = match path {
        None => (serde_json::Map::new(), PathBuf::from("(defaults)")),
        Some(path) => (read(path)?, path.to_owned()),
    };
    let common = COMMON_KEYS.iter().filter_map(|key| own.remove_entry(*key)).collect();
    let common: Common = decode(Value::Object(common), &path)?;
    if socket_mode(&common.socket.mode).is_none() {
        let message = "not an octal mode such as \"0660\" (at most 0770)";
        return Err(ConfigError::Value { path, key: "socket.mode".into(), message });
    }
    let own = decode(Value::Object(own), &path)?;
    Ok((common, own))
}

/// Permission bits; a socket that strangers may open is refused.
pub(crate) fn socket_mode(text: &str) -> Option<u32> {
    u32::from_str_radix(text, 8).ok().filter(|mode| mode & !0o770 == 0)
}

fn read(path: &Path) -> Result<serde_json::Map<String, Value>, ConfigError> {
    let text = fs::read(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    let syntax = |source| ConfigError::Syntax { path: path.to_owned(), source };
    match osmoda_types::json::parse(&text).map_err(syntax)? {
        Value::Object(map) => Ok(map),
        other => Err(syntax(serde::de::Error::custom(format_args!("{other:.20} is no object")))),
    }
}

fn decode<T: DeserializeOwned>(value: Value, path: &Path) -> Result<T, ConfigError> {
    serde_path_to_error::deserialize(value).map_err(|error| ConfigError::Key {
        path: path.to_owned(),
        key: error.path().to_string(),
        source: error.into_inner(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields, default)]
    struct Own {
        rows: u32,
    }

    fn load_text(text: &str) -> Result<(Common, Own), String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        load(Some(file.path())).map_err(|e| {
            format!("{e}: {}", std::error::Error::source(&e).map_or(String::new(), ToString::to_string))
        })
    }

    #[test]
    fn common_and_own_keys_share_one_object() {
        let (common, own) = load_text(r#"{"drain_secs": 3, "rows": 7}"#).unwrap();
        assert_eq!((common.drain_secs, own), (3, Own { rows: 7 }));
    }

    #[test]
    fn an_unknown_key_is_refused_by_its_path() {
        assert!(load_text(r#"{"rowz": 7}"#).unwrap_err().contains("rowz"));
        assert!(load_text(r#"{"log": {"levle": "info"}}"#).unwrap_err().contains("log.levle"));
        assert!(load_text(r#"{"rows": "x"}"#).unwrap_err().contains("rows"));
        assert!(load_text(r#"{"socket": {"mode": "0666"}}"#).unwrap_err().contains("socket.mode"));
        assert!(load_text("[]").is_err());
        assert!(load_text(r#"{"rows": 1, "rows": 2}"#).is_err());
    }
}
