//! Named Ed25519 keys as C2SP writes them: `name+id+base64(type || public key)`, id = the first four bytes of
//! `SHA-256(name || 0x0A || type || public key)`.

use std::fmt;

use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::{Error, from_base64};

/// A public key under a name, for one signature type. Two keys are equal when their text form is.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct NamedKey {
    name: String,
    id: [u8; 4],
    kind: u8,
    key: VerifyingKey,
}

impl NamedKey {
    pub(crate) fn new(name: &str, kind: u8, public: &[u8; 32]) -> Result<Self, Error> {
        if !is_name(name) {
            return Err(Error::Key {
                reason: "the name is empty or holds a space, a plus or a control character",
            });
        }
        let key = VerifyingKey::from_bytes(public)
            .map_err(|_| Error::Key { reason: "not a point on the curve" })?;
        if key.is_weak() {
            return Err(Error::Key { reason: "a key of small order verifies anything" });
        }
        let digest =
            Sha256::new().chain_update(name).chain_update([b'\n', kind]).chain_update(public).finalize();
        let mut id = [0; 4];
        id.copy_from_slice(&digest[..4]);
        Ok(Self { name: name.to_owned(), id, kind, key })
    }

    pub(crate) fn from_signing(name: &str, kind: u8, key: &ed25519_dalek::SigningKey) -> Result<Self, Error> {
        Self::new(name, kind, key.verifying_key().as_bytes())
    }

    pub(crate) fn parse(text: &str, kind: u8) -> Result<Self, Error> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Error::Key { reason: "not name+id+key" });
        };
        let bytes = from_base64(key).ok_or(Error::Key { reason: "the key is not base64" })?;
        let public = match bytes.split_first() {
            Some((&found, public)) if found == kind => public,
            _ => return Err(Error::Key { reason: "the key is of another signature type" }),
        };
        let public = public.try_into().map_err(|_| Error::Key { reason: "the key is not 32 bytes" })?;
        let named = Self::new(name, kind, public)?;
        // Compared as text: upper-case digits would be a second spelling of the same key.
        if HEXLOWER.encode(&named.id) != id {
            return Err(Error::Key { reason: "the id is not the digest of name and key" });
        }
        Ok(named)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn id(&self) -> [u8; 4] {
        self.id
    }

    pub(crate) fn public(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Strict verification: refuses what some implementations accept and others do not.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Error> {
        Signature::from_slice(signature)
            .and_then(|signature| self.key.verify_strict(message, &signature))
            .map_err(|_| Error::Signature { key: self.name.clone() })
    }
}

impl fmt::Display for NamedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [self.kind; 33];
        bytes[1..].copy_from_slice(self.public());
        write!(f, "{}+{}+{}", self.name, HEXLOWER.encode(&self.id), BASE64.encode(&bytes))
    }
}

/// Key names: not empty, no Unicode space, no plus, no ASCII control character.
pub(crate) fn is_name(name: &str) -> bool {
    let allowed = |c: char| !c.is_whitespace() && c != '+' && c >= ' ';
    !name.is_empty() && name.chars().all(allowed)
}
