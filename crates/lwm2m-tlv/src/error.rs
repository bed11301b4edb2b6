//! What may go wrong with TLV.

use crate::Kind;

/// Why bytes are no TLV, or why values cannot be written as TLV.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input ends within an entry.
    #[error("the entry at byte {offset} is cut off: {missing} more bytes are needed")]
    Truncated {
        /// Where the entry begins.
        offset: usize,
        /// How many bytes the part that was being read lacks.
        missing: usize,
    },
    /// An entry within an entry of a kind that cannot hold it, such as a resource in a resource.
    #[error("the {} at byte {offset} is not allowed at this level", kind.name())]
    Nesting {
        /// Where the inner entry begins.
        offset: usize,
        /// Its kind.
        kind: Kind,
    },
    /// A value whose length or content is not of its data type.
    #[error("a value of {length} bytes is not a valid {expected}")]
    Value {
        /// The data type.
        expected: &'static str,
        /// The length of the value.
        length: usize,
    },
    /// A value to be written that is longer than the 2^24 - 1 bytes which TLV can tell.
    #[error("entry {id} is longer than the 16,777,215 bytes that TLV can express")]
    TooLong {
        /// The id of the entry.
        id: u16,
    },
}

impl Error {
    /// The byte of the input that the error is about; 0 for values on their own and for writing.
    #[must_use]
    pub const fn offset(&self) -> usize {
        match self {
            Self::Truncated { offset, .. } | Self::Nesting { offset, .. } => *offset,
            Self::Value { .. } | Self::TooLong { .. } => 0,
        }
    }
}
