//! What may go wrong with SenML.

/// Why bytes are no SenML pack, or records are not valid, or cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes leave the grammar of JSON or CBOR, or end too early.
    #[error("malformed or cut off at byte {offset}: {expected} is missing")]
    Syntax {
        /// The byte where reading stopped.
        offset: usize,
        /// What should stand there.
        expected: &'static str,
    },
    /// A field with a value of another type than RFC 8428 gives it.
    #[error("the field {field} before byte {offset} has a value of a wrong type")]
    Type {
        /// The byte after the value.
        offset: usize,
        /// The JSON name of the field.
        field: &'static str,
    },
    /// A record with the same field twice, or with two values.
    #[error("the record before byte {offset} has {field} besides another value or the same field")]
    Duplicate {
        /// The byte after the second field.
        offset: usize,
        /// The JSON name of the second field.
        field: &'static str,
    },
    /// A field ending in `_`, which a reader must not ignore, but which is not known here.
    #[error("a field ending in _ before byte {offset} has to be understood, but is not known here")]
    MustUnderstand {
        /// The byte after the name of the field.
        offset: usize,
    },
    /// Arrays or maps nested too deep within a field that is skipped.
    #[error("nested too deep at byte {offset}")]
    Nesting {
        /// The byte of the innermost opening.
        offset: usize,
    },
    /// The pack has a version that is not supported.
    #[error("SenML version {0} is not supported, the highest is 10")]
    Version(u64),
    /// A resolved name is longer than [`crate::MAX_NAME`] bytes.
    #[error("the base name and the name of a record have more than {} bytes", crate::MAX_NAME)]
    NameTooLong,
    /// A number that is not finite, which SenML cannot express.
    #[error("a number is not finite, which SenML cannot express")]
    NotFinite,
}

impl Error {
    /// The byte of the input that the error is about; those of whole records and of writing have
    /// none.
    #[must_use]
    pub const fn offset(&self) -> Option<usize> {
        match self {
            Self::Syntax { offset, .. }
            | Self::Type { offset, .. }
            | Self::Duplicate { offset, .. }
            | Self::MustUnderstand { offset }
            | Self::Nesting { offset } => Some(*offset),
            Self::Version(_) | Self::NameTooLong | Self::NotFinite => None,
        }
    }
}
