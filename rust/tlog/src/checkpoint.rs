//! C2SP checkpoints (c2sp.org/tlog-checkpoint): a log's origin, size and root as the text of a signed note.

use std::fmt;
use std::str::FromStr;

use data_encoding::BASE64;

use crate::key::is_name;
use crate::note::{Note, Signer};
use crate::{Error, Hash, from_base64};

/// The head of a log at one size. Extension lines are refused: nobody could audit them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name; a machine's ledger has [`ledger_origin`].
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// RFC 6962 root at that size.
    pub root: Hash,
}

impl Checkpoint {
    /// The note of this checkpoint, signed; the signer must be named after the origin.
    pub fn sign(&self, signer: &Signer) -> Result<Note, Error> {
        if signer.verifier().name() != self.origin {
            return Err(Error::Checkpoint { reason: "its origin is not the signer's name" });
        }
        let mut note = Note::new(self.to_string())?;
        note.add(signer.sign(note.text()))?;
        Ok(note)
    }
}

impl FromStr for Checkpoint {
    type Err = Error;

    /// Parses a note's text; its signatures are another matter.
    fn from_str(text: &str) -> Result<Self, Error> {
        let lines = text.strip_suffix('\n').ok_or(Error::Checkpoint { reason: "no newline at its end" })?;
        let mut lines = lines.split('\n');
        let (Some(origin), Some(size), Some(root), None) =
            (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(Error::Checkpoint { reason: "not exactly the lines origin, size, root" });
        };
        if !is_name(origin) {
            return Err(Error::Checkpoint { reason: "the origin is empty or holds a space or a plus" });
        }
        let canonical = |number: &u64| number.to_string() == size;
        let size = size
            .parse()
            .ok()
            .filter(canonical)
            .ok_or(Error::Checkpoint { reason: "the size is not decimal" })?;
        let root = from_base64(root).and_then(|root| root.try_into().ok());
        let root = root.ok_or(Error::Checkpoint { reason: "the root is not the base64 of 32 bytes" })?;
        Ok(Self { origin: origin.to_owned(), size, root })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n{}\n{}", self.origin, self.size, BASE64.encode(&self.root))
    }
}

/// The origin of a machine's ledger: `osmoda/<machine_id>/ledger`.
pub fn ledger_origin(machine_id: &str) -> String {
    format!("osmoda/{machine_id}/ledger")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the tlog-checkpoint specification.
    const TEXT: &str =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    #[test]
    fn the_published_text_parses_and_formats_to_itself() {
        let checkpoint: Checkpoint = TEXT.parse().unwrap();
        assert_eq!(checkpoint.size, 20_852_163);
        assert_eq!(checkpoint.to_string(), TEXT);
    }

    #[test]
    fn other_spellings_are_refused() {
        for bad in [
            TEXT.replace("20852163", "020852163"),
            TEXT.replace("20852163", "+20852163"),
            TEXT.replace("20852163", "99999999999999999999"),
            TEXT.replace("20852163", ""),
            TEXT.replace("q2I=", "q2J="),
            TEXT.replace("CsUY", ""),
            TEXT.replace("CsUY", "CsU="),
            TEXT.replace("example.com", "example com"),
            format!("{TEXT}extension\n"),
            TEXT.trim_end().to_owned(),
            String::new(),
        ] {
            assert!(bad.parse::<Checkpoint>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_signer_signs_only_for_its_own_origin() {
        let origin = ledger_origin("mach_01");
        let checkpoint = Checkpoint { origin: origin.clone(), size: 1, root: [7; 32] };
        let signer = Signer::from_seed(&origin, &[1; 32]).unwrap();
        let note = checkpoint.sign(&signer).unwrap();
        signer.verifier().verify(&note).unwrap();
        assert_eq!(note.text().parse::<Checkpoint>().unwrap(), checkpoint);
        assert!(checkpoint.sign(&Signer::from_seed("other", &[1; 32]).unwrap()).is_err());
    }
}
