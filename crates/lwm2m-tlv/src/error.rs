//! Errors of reading and writing TLV.

use crate::kind::Kind;

/// Why bytes are not valid TLV, or why values cannot be written as TLV.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input ends within an entry.
    #[error("the entry at byte {offset} is cut off; {missing} bytes are missing")]
    Truncated {
        /// The offset of the entry, in bytes.
        offset: usize,
        /// The number of missing bytes of the header field or value.
        missing: usize,
    },
    /// An entry contains a kind of entry that it cannot contain, such as a resource in a resource.
    #[error("the {} at byte {offset} is not allowed at this level", kind.name())]
    Nesting {
        /// The offset of the inner entry, in bytes.
        offset: usize,
        /// The kind of the inner entry.
        kind: Kind,
    },
    /// A value does not have the length or content of its data type.
    #[error("a value of {length} bytes is not a valid {expected}")]
    Value {
        /// The data type.
        expected: &'static str,
        /// The length of the value, in bytes.
        length: usize,
    },
    /// A value to write is longer than 2^24 - 1 bytes, the limit of TLV.
    #[error("entry {id} is longer than the 16,777,215 bytes that TLV can express")]
    TooLong {
        /// The ID of the entry.
        id: u16,
    },
}

impl Error {
    /// The offset of the invalid entry in the input. 0 for errors of single values and of writing.
    #[must_use]
    pub const fn offset(&self) -> usize {
        match self {
            Self::Truncated { offset, .. } | Self::Nesting { offset, .. } => *offset,
            Self::Value { .. } | Self::TooLong { .. } => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn errors_tell_where_and_what() {
        let nesting = |kind| Error::Nesting { offset: 7, kind };
        for (error, offset, text) in [
            (
                Error::Truncated { offset: 3, missing: 2 },
                3,
                "the entry at byte 3 is cut off; 2 bytes are missing",
            ),
            (
                nesting(Kind::ObjectInstance),
                7,
                "the Object Instance at byte 7 is not allowed at this level",
            ),
            (
                nesting(Kind::Resource),
                7,
                "the Resource with Value at byte 7 is not allowed at this level",
            ),
            (
                Error::Value { expected: "Float", length: 3 },
                0,
                "a value of 3 bytes is not a valid Float",
            ),
        ] {
            assert_eq!((error.offset(), error.to_string().as_str()), (offset, text));
        }
    }
}
