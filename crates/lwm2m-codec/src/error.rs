//! Errors of decoding and encoding, and the LwM2M responses to them.

use crate::quirk::Quirk;
use core::fmt;
use lwm2m_core::{ContentFormat, DataType, Path};

/// Why and where a payload is invalid. The sender of the payload is at fault.
///
/// Engines answer 4.15 if [`DecodeError::is_unsupported_format`], else 4.00.
#[derive(Debug, Clone, PartialEq)]
pub struct DecodeError {
    /// The offset where decoding stopped, or of the refused entry or record, in bytes.
    pub offset: usize,
    /// The cause.
    pub cause: DecodeCause,
}

impl DecodeError {
    /// The error for an unsupported content format.
    #[must_use]
    pub const fn unsupported(format: ContentFormat) -> Self {
        DecodeCause::UnsupportedFormat(format).at(0)
    }

    /// Whether the format is refused, which engines answer 4.15 Unsupported Content-Format. They answer
    /// all other errors 4.00 Bad Request.
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

/// Why a payload is invalid.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeCause {
    /// The content format is not supported.
    #[error("content format {0} is not supported; send a format of LwM2M")]
    UnsupportedFormat(ContentFormat),
    /// The content format carries one value, but the path addresses a tree.
    #[error("content format {format} cannot carry the node at {path}; send a format for trees")]
    UnsuitableFormat {
        /// The format of the payload.
        format: ContentFormat,
        /// The path of the request.
        path: Path,
    },
    /// The TLV is malformed.
    #[error("TLV: {0}")]
    Tlv(#[from] lwm2m_tlv::Error),
    /// The SenML or OMA JSON is malformed.
    #[error("SenML: {0}")]
    Senml(#[from] lwm2m_senml::Error),
    /// The CBOR is malformed, or not allowed in LwM2M.
    #[error("the CBOR is malformed, cut off, or has a number beyond 64 bits")]
    Cbor,
    /// A text or a string is not UTF-8.
    #[error("the value of {path} is not UTF-8")]
    Utf8 {
        /// The path of the value.
        path: Path,
    },
    /// A value does not have the data type of its resource, or is beyond the range of the type.
    #[error("the value of {path} is not a valid {}", expected.name())]
    Type {
        /// The path of the value.
        path: Path,
        /// The data type of the resource.
        expected: DataType,
    },
    /// The name of a record is not the path of a value.
    #[error("record {entry} does not name a resource or resource instance")]
    Name {
        /// The index of the record, counted from 0.
        entry: usize,
    },
    /// A TLV entry is not valid below the path of the request: an ID of a higher level is missing, the
    /// ID is 65535, or there is a second instance where only one is allowed.
    #[error("the TLV entry is not valid below the path of the request")]
    Id,
    /// A value is outside the path of the request.
    #[error("{path} is outside of {target}, the path of the request")]
    OutsideTarget {
        /// The path of the request.
        target: Path,
        /// The path in the payload.
        path: Path,
    },
    /// A path has two values for the same time.
    #[error("{path} has two values")]
    Duplicate {
        /// The path.
        path: Path,
    },
    /// A multiple-instance resource has a single value, or a single-instance one has instances.
    #[error("{path} is single-instance instead of multiple-instance, or the reverse")]
    Multiplicity {
        /// The path.
        path: Path,
    },
    /// A record of a Fetch Pack has fields other than name, time and unit (RFC 8790 section 3).
    #[error("record {entry} has fields that are not allowed in a Fetch Pack")]
    Field {
        /// The index of the record, counted from 0.
        entry: usize,
    },
    /// A value is missing.
    #[error("there is no value for {path}")]
    NoValue {
        /// The path.
        path: Path,
    },
    /// Strict decoding refuses a known deviation of devices.
    #[error("{0}, which strict decoding refuses")]
    Quirk(Quirk),
    /// The payload has more values than [`Reading::at_most`](crate::Reading::at_most) allows.
    #[error("the payload has more values than are accepted at a time; send fewer in each message")]
    TooManyValues,
}

impl DecodeCause {
    /// As [`DecodeError::is_unsupported_format`].
    #[must_use]
    pub const fn is_unsupported_format(&self) -> bool {
        matches!(self, Self::UnsupportedFormat(_) | Self::UnsuitableFormat { .. })
    }

    /// Whether something has no path within that of the request.
    pub(crate) const fn is_misplaced(&self) -> bool {
        matches!(self, Self::OutsideTarget { .. } | Self::Name { .. } | Self::Senml(_))
    }

    /// The error with this cause at `offset`.
    pub(crate) const fn at(self, offset: usize) -> DecodeError {
        DecodeError { offset, cause: self }
    }
}

/// Why a node cannot be encoded.
///
/// Engines answer 4.06 if [`EncodeError::is_not_acceptable`], else 5.00.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The content format is not supported.
    #[error("content format {0} is not supported; ask for a format of LwM2M")]
    UnsupportedFormat(ContentFormat),
    /// The format cannot carry the node.
    #[error("content format {format} cannot carry the node at {path}")]
    UnsuitableFormat {
        /// The requested format.
        format: ContentFormat,
        /// The path.
        path: Path,
    },
    /// The node is of another kind than the path. The caller is at fault.
    #[error("the node to encode is of another kind than the path {path}")]
    WrongNode {
        /// The path.
        path: Path,
    },
    /// A number is not finite, which the format cannot express.
    #[error("{path} is not a finite number, which content format {format} cannot express")]
    NotFinite {
        /// The format.
        format: ContentFormat,
        /// The path of the value.
        path: Path,
    },
    /// A value or container is longer than the format can express.
    #[error("a value at or below {path} is too long for content format {format}")]
    TooLong {
        /// The format.
        format: ContentFormat,
        /// The path.
        path: Path,
    },
}

impl EncodeError {
    /// Whether another format might carry the node, which engines answer 4.06 Not Acceptable. They
    /// answer all other errors 5.00 Internal Server Error.
    #[must_use]
    pub const fn is_not_acceptable(&self) -> bool {
        matches!(
            self,
            Self::UnsupportedFormat(_) | Self::UnsuitableFormat { .. } | Self::NotFinite { .. }
        )
    }
}
