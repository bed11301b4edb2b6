//! Errors of reading and writing SenML.

/// Why bytes are not a SenML pack, or records are invalid or cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input is malformed JSON or CBOR, or is cut off.
    #[error("malformed or cut off at byte {offset}: expected {expected}")]
    Syntax {
        /// The offset where reading stopped, in bytes.
        offset: usize,
        /// What the grammar requires at this offset.
        expected: &'static str,
    },
    /// The value of a field has the wrong type (RFC 8428 section 4.3).
    #[error("the field {field} before byte {offset} has a value of the wrong type")]
    Type {
        /// The offset after the value, in bytes.
        offset: usize,
        /// The JSON name of the field.
        field: &'static str,
    },
    /// A record repeats a field or has two values.
    #[error("the record before byte {offset} repeats the field {field} or has another value")]
    Duplicate {
        /// The offset after the second field, in bytes.
        offset: usize,
        /// The JSON name of the second field.
        field: &'static str,
    },
    /// An unknown field whose name ends in `_`, which a reader must understand (RFC 8428 section 4.4).
    #[error("the field before byte {offset} must be understood, but is unknown")]
    MustUnderstand {
        /// The offset after the name of the field, in bytes.
        offset: usize,
    },
    /// Arrays or maps in an unknown field are nested too deeply.
    #[error("nested too deeply at byte {offset}")]
    Nesting {
        /// The offset of the innermost array or map, in bytes.
        offset: usize,
    },
    /// The version of the pack is not supported (RFC 8428 section 4.4).
    #[error("SenML version {0} is not supported; the highest is 10")]
    Version(u64),
    /// A resolved name is longer than [`crate::MAX_NAME`] bytes.
    #[error("the name of a record is longer than 1,024 bytes")]
    NameTooLong,
    /// A number is not finite, which SenML cannot express.
    #[error("a number is not finite, which SenML cannot express")]
    NotFinite,
}

impl Error {
    /// The offset of the error in the input. `None` for errors of resolved records and of writing.
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
