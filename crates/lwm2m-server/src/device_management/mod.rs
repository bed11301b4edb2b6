//! Device management and the requests of information reporting (OMA LwM2M Core 6.3, 6.4): what
//! operations look like on the wire.

pub(crate) mod decode;
pub(crate) mod encode;
mod format;
pub(crate) mod validate;

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
    /// A code.
    Code,
}
