//! What can be wrong with something handed to this crate; what is wrong with a ledger is a [`crate::verdict::Failure`].

/// A field, note, key, checkpoint or export line that was refused, and why.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A row's field has a form that would make the chain hash ambiguous.
    #[error("{field} must be {form}")]
    Field {
        /// The column's name.
        field: &'static str,
        /// The form it must have.
        form: &'static str,
    },
    /// A signed note is malformed, or one of several spellings of the same note.
    #[error("malformed note: {reason}")]
    Note {
        /// The rule it breaks.
        reason: &'static str,
    },
    /// A verifier key is malformed.
    #[error("malformed verifier key: {reason}")]
    Key {
        /// The rule it breaks.
        reason: &'static str,
    },
    /// A note's text is not a checkpoint.
    #[error("malformed checkpoint: {reason}")]
    Checkpoint {
        /// The rule it breaks.
        reason: &'static str,
    },
    /// A note carries no signature of this key.
    #[error("not signed by {key}")]
    NotSigned {
        /// The key's name.
        key: String,
    },
    /// A note carries a signature of this key, and it does not verify.
    #[error("the signature by {key} does not verify")]
    Signature {
        /// The key's name.
        key: String,
    },
    /// A change of signer is not what its payload type says, or not signed by the key it replaces.
    #[error("not a valid change of signer: {reason}")]
    SignerChange {
        /// The rule it breaks.
        reason: &'static str,
    },
    /// An export line is longer than [`crate::export::MAX_LINE_BYTES`].
    #[error("the line has {bytes} bytes, the limit is {limit}", limit = crate::export::MAX_LINE_BYTES)]
    LineTooLong {
        /// Its length.
        bytes: usize,
    },
    /// An export line is not one of the objects of the export format.
    #[error("the line is not an export header, an event or a checkpoint")]
    Line {
        /// Where the JSON departs from it.
        #[source]
        source: serde_json::Error,
    },
    /// An export was written in a version this crate does not know.
    #[error("export version {found} is unknown, this program reads version {known}", known = crate::export::VERSION)]
    ExportVersion {
        /// The version found.
        found: u32,
    },
    /// An export header names a starting point that cannot be.
    #[error("malformed export header: {reason}")]
    Header {
        /// The rule it breaks.
        reason: &'static str,
    },
}
