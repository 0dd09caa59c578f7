//! C2SP signed notes (c2sp.org/signed-note): a text, an empty line, signature lines.
//!
//! Parsing is exact: an accepted note formats to the very same bytes, so a note has one spelling.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;
use ed25519_dalek::{Signer as _, SigningKey};
use serde::{Deserialize, Serialize};

use crate::key::{NamedKey, is_name};
use crate::{Error, from_base64};

/// Longest note taken, in bytes.
pub const MAX_NOTE_BYTES: usize = 64 * 1024;
/// Most signature lines taken; the specification asks for at least 16.
pub const MAX_SIGNATURES: usize = 64;

const ED25519: u8 = 0x01;
const DASH: &str = "\u{2014} ";

/// A text and its signatures; nothing is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<Signature>,
}

impl Note {
    /// A note without signatures; `text` ends in a newline and holds no other control character.
    pub fn new(text: String) -> Result<Self, Error> {
        check_text(&text)?;
        Ok(Self { text, signatures: Vec::new() })
    }

    /// The text that is signed, with its last newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signatures in their order.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// Adds a signature line; a second one of the same key is refused.
    pub fn add(&mut self, signature: Signature) -> Result<(), Error> {
        if self.signatures.len() == MAX_SIGNATURES {
            return Err(Error::Note { reason: "more than 64 signatures" });
        }
        if self.signature_of(&signature.name, signature.id).is_some() {
            return Err(Error::Note { reason: "two signatures of one key" });
        }
        self.signatures.push(signature);
        Ok(())
    }

    pub(crate) fn signature_of(&self, name: &str, id: [u8; 4]) -> Option<&Signature> {
        self.signatures.iter().find(|signature| signature.name == name && signature.id == id)
    }
}

impl FromStr for Note {
    type Err = Error;

    fn from_str(note: &str) -> Result<Self, Error> {
        if note.len() > MAX_NOTE_BYTES {
            return Err(Error::Note { reason: "longer than 65536 bytes" });
        }
        let cut = note.rfind("\n\n").ok_or(Error::Note { reason: "no empty line before the signatures" })?;
        let (text, lines) = (&note[..=cut], &note[cut + 2..]);
        let lines = lines
            .strip_suffix('\n')
            .ok_or(Error::Note { reason: "no signature line, or no newline after it" })?;
        let mut note = Self::new(text.to_owned())?;
        for line in lines.split('\n') {
            note.add(line.parse()?)?;
        }
        Ok(note)
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

/// One signature line, without its newline: `— name base64(key id || signature)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    name: String,
    id: [u8; 4],
    bytes: Vec<u8>,
}

impl Signature {
    pub(crate) fn new(key: &NamedKey, bytes: Vec<u8>) -> Self {
        Self { name: key.name().to_owned(), id: key.id(), bytes }
    }

    /// The name of the key it claims to be of.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl FromStr for Signature {
    type Err = Error;

    fn from_str(line: &str) -> Result<Self, Error> {
        let rest = line
            .strip_prefix(DASH)
            .ok_or(Error::Note { reason: "a signature line begins with an em dash" })?;
        let (name, signature) =
            rest.split_once(' ').ok_or(Error::Note { reason: "no signature after the name" })?;
        if !is_name(name) {
            return Err(Error::Note { reason: "a key name is empty or holds a space or a plus" });
        }
        let bytes = from_base64(signature)
            .ok_or(Error::Note { reason: "a signature is not base64 in its one spelling" })?;
        match bytes.split_first_chunk() {
            Some((id, bytes)) if !bytes.is_empty() => {
                Ok(Self { name: name.to_owned(), id: *id, bytes: bytes.to_vec() })
            }
            _ => Err(Error::Note { reason: "a signature is too short to hold a key id" }),
        }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{DASH}{} {}", self.name, BASE64.encode(&[&self.id[..], &self.bytes].concat()))
    }
}

/// A key that signs notes (type 0x01): `name+id+base64(0x01 || public key)`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VerifierKey(pub(crate) NamedKey);

impl VerifierKey {
    /// The key `public` (32 bytes, RFC 8032) under `name`.
    pub fn new(name: &str, public: &[u8; 32]) -> Result<Self, Error> {
        NamedKey::new(name, ED25519, public).map(Self)
    }

    /// Its name; a ledger's signer is named after the ledger's origin.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// The 32 bytes of the public key.
    pub fn public(&self) -> &[u8; 32] {
        self.0.public()
    }

    /// Whether `note` carries a valid signature of this key: [`Error::NotSigned`] or [`Error::Signature`] if not.
    pub fn verify(&self, note: &Note) -> Result<(), Error> {
        let signature = note
            .signature_of(self.0.name(), self.0.id())
            .ok_or_else(|| Error::NotSigned { key: self.name().to_owned() })?;
        self.0.verify(note.text.as_bytes(), &signature.bytes)
    }
}

impl FromStr for VerifierKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        NamedKey::parse(text, ED25519).map(Self)
    }
}

impl TryFrom<String> for VerifierKey {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl From<VerifierKey> for String {
    fn from(key: VerifierKey) -> Self {
        key.to_string()
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The secret half of a [`VerifierKey`]; zeroed when dropped.
pub struct Signer {
    key: SigningKey,
    verifier: VerifierKey,
}

impl Signer {
    /// The key with this 32-byte seed (RFC 8032 private key) under `name`.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, Error> {
        let key = SigningKey::from_bytes(seed);
        let verifier = VerifierKey(NamedKey::from_signing(name, ED25519, &key)?);
        Ok(Self { key, verifier })
    }

    /// The public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The signature line for a note with this text.
    pub fn sign(&self, text: &str) -> Signature {
        Signature::new(&self.verifier.0, self.sign_bytes(text.as_bytes()).to_vec())
    }

    pub(crate) fn sign_bytes(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}

fn check_text(text: &str) -> Result<(), Error> {
    if !text.ends_with('\n') {
        return Err(Error::Note { reason: "the text does not end in a newline" });
    }
    if text.bytes().any(|byte| byte < b' ' && byte != b'\n') {
        return Err(Error::Note { reason: "the text holds a control character" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Go implementation's documentation (golang.org/x/mod/sumdb/note).
    const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
                        then you don't know what your problem is.\n\n\
                        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn the_published_note_verifies_and_formats_to_itself() {
        let key: VerifierKey = KEY.parse().unwrap();
        let note: Note = NOTE.parse().unwrap();
        key.verify(&note).unwrap();
        assert_eq!(note.to_string(), NOTE);
        assert_eq!(key.to_string(), KEY);
    }

    #[test]
    fn a_changed_text_does_not_verify() {
        let key: VerifierKey = KEY.parse().unwrap();
        let note: Note = NOTE.replace("know", "knew").parse().unwrap();
        assert!(matches!(key.verify(&note), Err(Error::Signature { .. })));
    }

    #[test]
    fn a_key_of_another_name_or_id_is_unknown_to_a_note() {
        let key: VerifierKey = KEY.parse().unwrap();
        let note: Note = NOTE.parse().unwrap();
        let other = VerifierKey::new("AlanTuring", key.public()).unwrap();
        assert!(matches!(other.verify(&note), Err(Error::NotSigned { .. })));
    }

    #[test]
    fn second_spellings_of_a_note_are_refused_with_their_reason() {
        let line = &NOTE[NOTE.find(DASH).unwrap()..];
        for (bad, expected) in [
            (NOTE.replace("AM=", "AN="), "one spelling"),
            (NOTE.replace("AM=", "AM"), "one spelling"),
            (NOTE.replace("BwJnAM=", "Bw==JnAM"), "one spelling"),
            (NOTE.replace("problem,\n", "problem,\r\n"), "control character"),
            (NOTE.replace(DASH, "- "), "em dash"),
            (NOTE.replace(" x08go", "  x08go"), "one spelling"),
            (NOTE.replace("PeterNeumann", "Peter+Neumann"), "plus"),
            (NOTE.trim_end().to_owned(), "no newline"),
            (format!("{NOTE}{line}"), "two signatures"),
            (format!("{NOTE}\n"), "no signature line"),
            ("text\n".to_owned(), "no empty line"),
            (format!("{}\n\n{line}", "x".repeat(MAX_NOTE_BYTES)), "longer"),
            ("text\n\n\u{2014} a AAAA\n".to_owned(), "too short"),
        ] {
            let error = bad.parse::<Note>().unwrap_err().to_string();
            assert!(error.contains(expected), "{bad:?}: {error}");
        }
    }

    #[test]
    fn second_spellings_of_a_key_are_refused_with_their_reason() {
        for (bad, expected) in [
            (KEY.replace("c74f20a3", "C74F20A3"), "not the digest"),
            (KEY.replace("c74f20a3", "c74f20a4"), "not the digest"),
            (KEY.replace("Peter", "Petra"), "not the digest"),
            (KEY.replace("+ARpc", "+BBpc"), "signature type"),
            (KEY.replace("10TW", "10T"), "base64"),
            (KEY.replace('+', "-"), "not name+id+key"),
            ("a+00000000+AQ==".to_owned(), "32 bytes"),
            (format!("a+00000000+{}", BASE64.encode(&[&[1, 1][..], &[0; 31]].concat())), "small order"),
        ] {
            let error = bad.parse::<VerifierKey>().unwrap_err().to_string();
            assert!(error.contains(expected), "{bad:?}: {error}");
        }
    }
}
