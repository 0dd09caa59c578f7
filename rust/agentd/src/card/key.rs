//! The card key: an Ed25519 key that signs the agent card and nothing else.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use ed25519_dalek::{Signer, SigningKey};
use osmoda_store::{Error, atomic_write};
use osmoda_types::api::agentd::card::A2aSignature;
use osmoda_types::{Entropy, json};
use serde::Serialize;
use serde_json::{Value, json};

/// The key in a file.
pub(super) struct CardKey(SigningKey);

impl CardKey {
    /// The key in `path`, made there (0600, base64 of the seed) when it is missing.
    ///
    /// # Errors
    /// [`Error::Unwritable`] or [`Error::Full`]; [`Error::Corrupt`] for a file that is no key, which stays as it is.
    pub(super) fn read_or_make(path: &Path, entropy: &dyn Entropy) -> Result<Self, Error> {
        match fs::read_to_string(path) {
            Ok(text) => BASE64
                .decode(text.trim_end().as_bytes())
                .ok()
                .and_then(|seed| seed.try_into().ok())
                .map(|seed| Self(SigningKey::from_bytes(&seed)))
                .ok_or_else(|| no_key(path)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let mut seed = [0; 32];
                entropy.fill(&mut seed);
                atomic_write(path, format!("{}\n", BASE64.encode(&seed)).as_bytes(), 0o600)?;
                Ok(Self(SigningKey::from_bytes(&seed)))
            }
            Err(error) if error.kind() == ErrorKind::InvalidData => Err(no_key(path)),
            Err(error) => Err(Error::io(path, error)),
        }
    }

    /// `ed25519:<base64url>`.
    pub(super) fn public(&self) -> String {
        format!("ed25519:{}", BASE64URL_NOPAD.encode(self.0.verifying_key().as_bytes()))
    }

    /// A JWS (RFC 7515, EdDSA of RFC 8037) over the canonical form of `what`, without the payload.
    pub(super) fn sign(&self, what: &impl Serialize) -> A2aSignature {
        let header = json::canonical(&json!({"alg": "EdDSA", "kid": self.public(), "typ": "JOSE"}));
        let protected = BASE64URL_NOPAD.encode(header.as_bytes());
        let input = format!("{protected}.{}", BASE64URL_NOPAD.encode(canonical(what).as_bytes()));
        let signature = BASE64URL_NOPAD.encode(&self.0.sign(input.as_bytes()).to_bytes());
        A2aSignature { protected, signature }
    }
}

/// The canonical form (RFC 8785) of a part of the card.
pub(super) fn canonical(what: &impl Serialize) -> String {
    let value = serde_json::to_value(what).unwrap_or(Value::Null);
    json::canonical(&value)
}

fn no_key(path: &Path) -> Error {
    Error::Corrupt { path: path.to_owned(), source: Arc::new(std::io::Error::from(ErrorKind::InvalidData)) }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::Signature;
    use osmoda_runtime::SystemEntropy;

    use super::*;

    #[test]
    fn the_key_is_made_once_a_damaged_one_stays_and_what_it_signs_verifies() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("card.key");
        let key = CardKey::read_or_make(&path, &SystemEntropy).unwrap();
        assert_eq!(CardKey::read_or_make(&path, &SystemEntropy).unwrap().public(), key.public());

        let jws = key.sign(&json!({"b": 1, "a": 2}));
        let payload = BASE64URL_NOPAD.encode(b"{\"a\":2,\"b\":1}");
        let bytes = BASE64URL_NOPAD.decode(jws.signature.as_bytes()).unwrap();
        let signature = Signature::from_slice(&bytes).unwrap();
        let verify = |text: String| key.0.verifying_key().verify_strict(text.as_bytes(), &signature);
        verify(format!("{}.{payload}", jws.protected)).unwrap();
        assert!(verify(format!("{}.{payload}x", jws.protected)).is_err());

        fs::write(&path, "no key").unwrap();
        assert!(matches!(CardKey::read_or_make(&path, &SystemEntropy), Err(Error::Corrupt { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"no key");
    }
}
