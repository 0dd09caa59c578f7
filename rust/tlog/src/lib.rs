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

/// The bytes of standard base64 in its one spelling. The decoder refuses missing padding and loose trailing
/// bits, but takes pieces padded on their own and set end to end.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    if text.trim_end_matches('=').contains('=') {
        return None;
    }
    data_encoding::BASE64.decode(text.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_one_base64_and_a_hash_has_one_hex() {
        assert_eq!(from_base64("AAECAw=="), Some(vec![0, 1, 2, 3]));
        for bad in
            ["AAECAw", "AAECAw=", "AAECAx==", "AAE=AgM=", "AA==AQID", "AAEC Aw==", "AAECAw==\n", "AAEC_w=="]
        {
            assert_eq!(from_base64(bad), None, "{bad:?}");
        }
        let hex = to_hex(&[0xab; 32]);
        assert_eq!(from_hex(&hex), Some([0xab; 32]));
        for bad in [&hex[1..], &hex.to_uppercase(), &hex.replace('a', "g"), ""] {
            assert_eq!(from_hex(bad), None, "{bad:?}");
        }
    }
}
