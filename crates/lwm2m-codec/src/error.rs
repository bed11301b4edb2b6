//! What may go wrong with a payload, and what LwM2M answers to it.

use crate::Quirk;
use core::fmt;
use lwm2m_core::{ContentFormat, DataType, Path};

/// Why a payload could not be decoded, and where; the sender of the payload is to blame.
///
/// An engine answers 4.15 if [`DecodeError::is_unsupported_format`], and 4.00 otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct DecodeError {
    /// The byte where reading stopped, or where the entry or record begins that is refused.
    pub offset: usize,
    /// The rule that is broken.
    pub cause: DecodeCause,
}

impl DecodeError {
    /// The content format of the whole payload is not known here.
    #[must_use]
    pub const fn unsupported(format: ContentFormat) -> Self {
        DecodeCause::UnsupportedFormat(format).at(0)
    }

    /// Whether the format, not the content, is refused: answered 4.15 Unsupported Content-Format.
    /// All other errors are answered 4.00 Bad Request.
    #[must_use]
    pub const fn is_unsupported_format(&self) -> bool {
        self.cause.is_unsupported_format()
    }
}

impl core::error::Error for DecodeError {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        Some(&self.cause)
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.is_unsupported_format() {
            true => self.cause.fmt(f),
            false => write!(f, "byte {}: {}", self.offset, self.cause),
        }
    }
}

/// The rule that a payload breaks.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeCause {
    /// This content format is not known here at all.
    #[error("content format {0} is not supported; send one of those that LwM2M names")]
    UnsupportedFormat(ContentFormat),
    /// The content format holds one value, but the path addresses more (or less) than that.
    #[error("content format {format} cannot carry what lives at {path}; send a format for trees")]
    UnsuitableFormat {
        /// The format of the payload.
        format: ContentFormat,
        /// The path of the request.
        path: Path,
    },
    /// The TLV structure is broken.
    #[error("TLV: {0}")]
    Tlv(#[from] lwm2m_tlv::Error),
    /// The SenML pack, or the OMA JSON, is broken.
    #[error("SenML: {0}")]
    Senml(#[from] lwm2m_senml::Error),
    /// The CBOR is broken, or not of a shape that LwM2M allows.
    #[error("the CBOR is malformed, cut off, or has a number beyond 64 bits")]
    Cbor,
    /// Text or a string that is not UTF-8.
    #[error("the value of {path} is not UTF-8")]
    Utf8 {
        /// The path of the value.
        path: Path,
    },
    /// A value that is not of the data type of its resource, or out of the type's range.
    #[error("the value of {path} is not a valid {}", expected.name())]
    Type {
        /// The path of the value.
        path: Path,
        /// The data type that the object definition gives.
        expected: DataType,
    },
    /// A name that is no path of a value.
    #[error("record {entry} does not name a resource or resource instance")]
    Name {
        /// The number of the record, from 0.
        entry: usize,
    },
    /// A TLV entry that has no place below the path of the request: an id of a level above is
    /// missing, the id is 65535, or there is a second instance where there may be one.
    #[error("the TLV entry has no place below the path of the request")]
    Id,
    /// A value for something that the request did not address.
    #[error("{path} lies outside of {target}, which the request addresses")]
    OutsideTarget {
        /// The path of the request.
        target: Path,
        /// The path in the payload.
        path: Path,
    },
    /// Two values for the same path at the same time.
    #[error("{path} has two values")]
    Duplicate {
        /// The path.
        path: Path,
    },
    /// A single value for a multiple-instance resource, or the reverse.
    #[error("{path} is given as single where it is multiple, or the reverse")]
    Multiplicity {
        /// The path.
        path: Path,
    },
    /// A record of a Fetch Pack that has more than a name, time and unit.
    #[error("record {entry} has fields that its pack must not have")]
    Field {
        /// The number of the record, from 0.
        entry: usize,
    },
    /// No value where there has to be one.
    #[error("there is no value for {path}")]
    NoValue {
        /// The path.
        path: Path,
    },
    /// A deviation that some devices are known for, which strict reading refuses.
    #[error("{0}, which strict reading refuses")]
    Quirk(Quirk),
}

impl DecodeCause {
    /// As [`DecodeError::is_unsupported_format`].
    #[must_use]
    pub const fn is_unsupported_format(&self) -> bool {
        matches!(self, Self::UnsupportedFormat(_) | Self::UnsuitableFormat { .. })
    }

    /// The error that this makes at a byte of the payload.
    pub(crate) const fn at(self, offset: usize) -> DecodeError {
        DecodeError { offset, cause: self }
    }
}

/// Why a node could not be encoded.
///
/// An engine answers 4.06 if [`EncodeError::is_not_acceptable`], and 5.00 otherwise.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// This content format is not known here at all.
    #[error("content format {0} is not supported; ask for one of those that LwM2M names")]
    UnsupportedFormat(ContentFormat),
    /// The format cannot carry what lives at the path.
    #[error("content format {format} cannot carry what lives at {path}")]
    UnsuitableFormat {
        /// The format that was asked for.
        format: ContentFormat,
        /// The path.
        path: Path,
    },
    /// The node is not of the kind that the path addresses; the caller is to blame.
    #[error("the node to encode is not of the kind that lives at {path}")]
    WrongNode {
        /// The path.
        path: Path,
    },
    /// A number that is not finite, which the format cannot express.
    #[error("{path} is not a finite number, which content format {format} cannot express")]
    NotFinite {
        /// The format.
        format: ContentFormat,
        /// The path of the value.
        path: Path,
    },
    /// A value or container that is longer than the format can express.
    #[error("a value at or below {path} is too long for content format {format}")]
    TooLong {
        /// The format.
        format: ContentFormat,
        /// The path.
        path: Path,
    },
}

impl EncodeError {
    /// Whether another format could carry the node: answered 4.06 Not Acceptable. All other
    /// errors are answered 5.00 Internal Server Error.
    #[must_use]
    pub const fn is_not_acceptable(&self) -> bool {
        matches!(
            self,
            Self::UnsupportedFormat(_) | Self::UnsuitableFormat { .. } | Self::NotFinite { .. }
        )
    }
}
