//! Secrets in records: a keyed digest stands for the value, so that equal secrets can be told and none can be guessed.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use hmac::{Hmac, KeyInit, Mac};
use osmoda_types::{Call, Entropy, json};
use serde_json::{Value, json};
use sha2::Sha256;

/// The key of this daemon's digests.
pub(crate) struct Salt {
    path: PathBuf,
    entropy: std::sync::Arc<dyn Entropy>,
    key: OnceLock<[u8; 32]>,
}

impl Salt {
    /// Kept at `path`; read or made when the first secret comes.
    pub(crate) fn new(path: PathBuf, entropy: std::sync::Arc<dyn Entropy>) -> Self {
        Self { path, entropy, key: OnceLock::new() }
    }

    /// The arguments as records show them: with digests in the place of what the call's entry names as secret.
    pub(crate) fn shown(&self, call: &Call, arguments: &Value) -> Value {
        let Value::Object(fields) = arguments else { return arguments.clone() };
        let shown = |(name, value): (&String, &Value)| {
            let secret = call.secrets.contains(&name.as_str()) && !value.is_null();
            (name.clone(), if secret { self.digest(value) } else { value.clone() })
        };
        fields.iter().map(shown).collect()
    }

    fn digest(&self, secret: &Value) -> Value {
        let mut digest = Hmac::<Sha256>::new_from_slice(self.key()).expect("any length is a key");
        digest.update(json::canonical(secret).as_bytes());
        json!({"salted": format!("sha256:{}", json::hex(&digest.finalize().into_bytes()))})
    }

    fn key(&self) -> &[u8; 32] {
        self.key.get_or_init(|| {
            let kept = fs::read(&self.path).ok().and_then(|bytes| bytes.try_into().ok());
            kept.unwrap_or_else(|| {
                let mut key = [0; 32];
                self.entropy.fill(&mut key);
                if let Err(error) = osmoda_store::atomic_write(&self.path, &key, 0o600) {
                    // Digests of this run cannot be compared with those of the next.
                    tracing::warn!(path = %self.path.display(), %error, "the key of secrets' digests cannot be kept");
                }
                key
            })
        })
    }
}
