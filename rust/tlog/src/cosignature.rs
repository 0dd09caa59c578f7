//! Witness cosignatures (c2sp.org/tlog-cosignature, `cosignature/v1`): who saw a checkpoint, and when.
//!
//! The signed text does not hold the witness's name, so one key under two names is one witness.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signer as _, SigningKey};

use crate::Error;
use crate::key::NamedKey;
use crate::note::{Note, Signature};

const COSIGNATURE_V1: u8 = 0x04;

/// A witness's public key (type 0x04): `name+id+base64(0x04 || public key)`.
#[derive(Clone, PartialEq, Eq)]
pub struct WitnessKey(NamedKey);

impl WitnessKey {
    /// The key `public` (32 bytes, RFC 8032) under `name`.
    pub fn new(name: &str, public: &[u8; 32]) -> Result<Self, Error> {
        NamedKey::new(name, COSIGNATURE_V1, public).map(Self)
    }

    /// The witness's name.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// The 32 bytes of the public key.
    pub fn public(&self) -> &[u8; 32] {
        self.0.public()
    }

    /// When the witness cosigned `note`, in seconds since the epoch: [`Error::NotSigned`] or
    /// [`Error::Signature`] if it did not. Whether the time is plausible is the caller's to judge.
    pub fn verify(&self, note: &Note) -> Result<u64, Error> {
        let signature = note
            .signature_of(self.0.name(), self.0.id())
            .ok_or_else(|| Error::NotSigned { key: self.name().to_owned() })?;
        let invalid = || Error::Signature { key: self.name().to_owned() };
        let (time, signature) = signature.bytes().split_first_chunk().ok_or_else(invalid)?;
        let time = u64::from_be_bytes(*time);
        if i64::try_from(time).is_err() {
            return Err(invalid());
        }
        self.0.verify(signed_text(time, note.text()).as_bytes(), signature)?;
        Ok(time)
    }
}

impl FromStr for WitnessKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        NamedKey::parse(text, COSIGNATURE_V1).map(Self)
    }
}

impl fmt::Display for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for WitnessKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The secret half of a [`WitnessKey`]; zeroed when dropped.
pub struct Cosigner {
    key: SigningKey,
    witness: WitnessKey,
}

impl Cosigner {
    /// The key with this 32-byte seed (RFC 8032 private key) under `name`.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, Error> {
        let key = SigningKey::from_bytes(seed);
        let witness = WitnessKey(NamedKey::from_signing(name, COSIGNATURE_V1, &key)?);
        Ok(Self { key, witness })
    }

    /// The public half.
    pub fn witness(&self) -> &WitnessKey {
        &self.witness
    }

    /// The signature line for `text`, a checkpoint, seen at `time` (seconds since the epoch). The caller has
    /// seen to it that the checkpoint is consistent with the last one it cosigned.
    pub fn cosign(&self, text: &str, time: u64) -> Signature {
        let signature = self.key.sign(signed_text(time, text).as_bytes()).to_bytes();
        Signature::new(&self.witness.0, [&time.to_be_bytes()[..], &signature].concat())
    }
}

impl fmt::Debug for Cosigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cosigner").field("witness", &self.witness).finish_non_exhaustive()
    }
}

fn signed_text(time: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cosignature_holds_for_its_text_and_time_only() {
        let cosigner = Cosigner::from_seed("witness.example/w1", &[9; 32]).unwrap();
        let key: WitnessKey = cosigner.witness().to_string().parse().unwrap();
        let mut note = Note::new("origin\n1\nroot\n".to_owned()).unwrap();
        note.add(cosigner.cosign(note.text(), 1_679_315_147)).unwrap();
        assert_eq!(key.verify(&note).unwrap(), 1_679_315_147);

        let other_text: Note = note.to_string().replace("\n1\n", "\n2\n").parse().unwrap();
        assert!(matches!(key.verify(&other_text), Err(Error::Signature { .. })));

        let mut other_time = Note::new(note.text().to_owned()).unwrap();
        let mut bytes = note.signatures()[0].bytes().to_vec();
        bytes[7] ^= 1;
        other_time.add(Signature::new(&key.0, bytes)).unwrap();
        assert!(matches!(key.verify(&other_time), Err(Error::Signature { .. })));
    }

    #[test]
    fn a_signers_key_is_not_a_witness_key() {
        let signer = crate::note::Signer::from_seed("a", &[9; 32]).unwrap();
        assert!(signer.verifier().to_string().parse::<WitnessKey>().is_err());
    }

    #[test]
    fn the_published_line_has_this_layout() {
        // The example of the specification, made at 1679315147; its public key is not published.
        let line = "\u{2014} witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==";
        let signature: Signature = line.parse().unwrap();
        assert_eq!(signature.bytes().len(), 8 + 64);
        assert_eq!(signature.bytes()[..8], 1_679_315_147_u64.to_be_bytes());
        assert_eq!(signature.to_string(), line);
    }
}
