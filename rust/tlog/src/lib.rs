//! The ledger's mathematics: hash chain, Merkle tree, signed checkpoints, proofs, export format, verifier.
//!
//! Pure: no files, no clock, no randomness. The format is specified in `docs/ledger/README.md`; a second,
//! independent verifier (`docs/ledger/verify.py`) is held against this one by the tests.

pub mod chain;
pub mod checkpoint;
pub mod chunk;
pub mod cosignature;
mod error;
pub mod export;
mod key;
pub mod merkle;
pub mod note;
pub mod proof;
pub mod signer;
pub mod verdict;
pub mod verify;

pub use error::Error;

/// A SHA-256 digest.
pub type Hash = [u8; 32];

/// The lower-case hex form of `hash`.
pub fn to_hex(hash: &Hash) -> String {
    data_encoding::HEXLOWER.encode(hash)
}

/// The hash written as 64 lower-case hex digits, or `None` for anything else.
pub fn from_hex(hex: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    if hex.len() != 64 {
        return None;
    }
    data_encoding::HEXLOWER.decode_mut(hex.as_bytes(), &mut hash).ok()?;
    Some(hash)
}
