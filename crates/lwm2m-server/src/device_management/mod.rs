//! Device management and the requests of information reporting (OMA LwM2M Core 6.3, 6.4): what
//! operations look like on the wire.

pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod format;
pub(crate) mod validate;

use crate::operation::Target;
use lwm2m_coap::Code;
use lwm2m_core::ContentFormat;

/// How the answer to a request is to be decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Expected {
    /// Values; in this format if the answer has no Content-Format.
    Node(ContentFormat),
    /// Values, followed by notifications if the answer has Observe.
    Observation(ContentFormat),
    /// Links.
    Links,
    /// The location of the created instance, which has this id if the server chose it.
    Created(Option<u16>),
    /// A code; on success the instance or resource instance is gone.
    Deleted,
    /// The code of a Write or Write-Composite.
    Written,
    /// The code of a Write-Attributes or Execute.
    Changed,
}

/// The response codes of OMA LwM2M Transport 6.4.4 and 6.4.5.
impl Expected {
    /// The code of success.
    pub(crate) const fn success(self) -> Code {
        match self {
            Self::Node(_) | Self::Observation(_) | Self::Links => Code::CONTENT,
            Self::Created(_) => Code::CREATED,
            Self::Deleted => Code::DELETED,
            Self::Written | Self::Changed => Code::CHANGED,
        }
    }

    /// The format that values are asked for in.
    pub(crate) const fn format(self) -> Option<ContentFormat> {
        match self {
            Self::Node(format) | Self::Observation(format) => Some(format),
            _ => None,
        }
    }

    /// Whether an error code is one of this operation, or one of 5.xx, which devices send where none
    /// of 4.xx fits.
    pub(crate) fn may_fail_with(self, target: &Target, code: Code) -> bool {
        let composite = matches!(target, Target::Composite(_));
        match code {
            Code::BAD_REQUEST | Code::UNAUTHORIZED | Code::NOT_FOUND | Code::METHOD_NOT_ALLOWED => {
                true
            }
            Code::NOT_ACCEPTABLE => !matches!(self, Self::Links | Self::Deleted | Self::Changed),
            Code::UNSUPPORTED_CONTENT_FORMAT => {
                composite || matches!(self, Self::Written | Self::Created(_))
            }
            Code::REQUEST_ENTITY_INCOMPLETE | Code::REQUEST_ENTITY_TOO_LARGE => {
                self == Self::Written
            }
            code => code.class() == 5 && code.detail() <= 5,
        }
    }
}
