//! Who signs a ledger's checkpoints, as the ledger itself says: the payloads of the two events a verifier reads.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use crate::note::{Signer, VerifierKey};
use crate::{Error, from_base64};

/// The type of event 1.
pub const CREATED: &str = "agentd.ledger.created";
/// The type of an event that hands the log over to another key.
pub const CHANGED: &str = "agentd.ledger.signer.changed";

// The fields stand in the order of canonical JSON (RFC 8785), so that the derived form is the canonical one.

/// Payload of event 1: the ledger's name and first key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Created {
    /// The machine, `mach_…`.
    pub machine_id: String,
    /// [`crate::checkpoint::ledger_origin`] of it; also the signer's name.
    pub origin: String,
    /// The first key.
    pub signer: VerifierKey,
    /// 1.
    pub v: u32,
}

/// Payload of a change of signer. It holds from its own event on: the new key signs every checkpoint whose
/// size covers this event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// The key until now.
    pub from: VerifierKey,
    /// Base64 of the old key's Ed25519 signature over `osmoda-signer-change/v1\n<from>\n<to>\n`.
    pub signature: String,
    /// The key from now on, of the same name.
    pub to: VerifierKey,
    /// 1.
    pub v: u32,
}

impl Changed {
    /// The hand-over from `old` to `to`.
    pub fn sign(old: &Signer, to: VerifierKey) -> Self {
        let from = old.verifier().clone();
        let signature = BASE64.encode(&old.sign_bytes(message(&from, &to).as_bytes()));
        Self { from, signature, to, v: 1 }
    }

    /// Whether this hands over from `current`, under the same name, signed by it.
    pub fn verify(&self, current: &VerifierKey) -> Result<(), Error> {
        let refuse = |reason| Err(Error::SignerChange { reason });
        if self.v != 1 {
            return refuse("its version is not 1");
        }
        if self.from != *current {
            return refuse("it does not start from the key in force");
        }
        if self.to.name() != current.name() {
            return refuse("the new key has another name");
        }
        let Some(signature) = from_base64(&self.signature) else {
            return refuse("its signature is not base64");
        };
        current.0.verify(message(&self.from, &self.to).as_bytes(), &signature)
    }
}

fn message(from: &VerifierKey, to: &VerifierKey) -> String {
    format!("osmoda-signer-change/v1\n{from}\n{to}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_in_force_can_hand_over() {
        let signer = |seed| Signer::from_seed("log", &[seed; 32]).unwrap();
        let (old, new, thief) = (signer(1), signer(2), signer(3));
        let change = Changed::sign(&old, new.verifier().clone());
        change.verify(old.verifier()).unwrap();
        assert!(change.verify(new.verifier()).is_err());

        let mut stolen = Changed::sign(&thief, thief.verifier().clone());
        stolen.from = old.verifier().clone();
        assert!(matches!(stolen.verify(old.verifier()), Err(Error::Signature { .. })));

        let renamed = Signer::from_seed("other", &[2; 32]).unwrap();
        assert!(Changed::sign(&old, renamed.verifier().clone()).verify(old.verifier()).is_err());
    }
}
