//! A request of a server, and the path that it names (OMA LwM2M Transport 6.4.4).

use crate::error::Refusal;
use crate::ids::AccountId;
use alloc::vec::Vec;
use lwm2m_coap::{self as coap, Code};
use lwm2m_core::path::PathError;
use lwm2m_core::{ContentFormat, Path, Version};

/// A request of a server that the client is registered with.
pub(crate) struct Request<'a> {
    pub(crate) account: AccountId,
    /// The short server id.
    pub(crate) server: u16,
    /// The version that the server accepts.
    pub(crate) version: Version,
    pub(crate) path: Path,
    pub(crate) query: Vec<&'a [u8]>,
    pub(crate) message: &'a coap::Request,
}

impl Request<'_> {
    pub(super) fn accept(&self) -> Option<ContentFormat> {
        self.message.options.accept().map(ContentFormat)
    }

    pub(super) fn content_format(&self) -> Option<ContentFormat> {
        self.message.options.content_format().map(|number| ContentFormat(number).canonical())
    }

    /// The payload and the number of its format.
    pub(super) fn body(&self) -> (Option<u16>, &[u8]) {
        (self.message.options.content_format(), &self.message.payload)
    }

    /// Whether this is an Observe or Observe-Composite.
    pub(super) fn observes(&self) -> bool {
        self.message.options.observe() == Some(0)
    }

    /// Whether the operation has parameters: Discover, Observe and its cancellation, which repeats the
    /// query, and Write-Attributes.
    pub(super) fn takes_query(&self) -> bool {
        (self.message.code == Code::GET && self.accept() == Some(ContentFormat::LINK))
            || self.message.options.observe().is_some()
            || self.writes_attributes()
    }

    /// Whether this is a Write-Attributes: a PUT with a query and nothing else.
    pub(super) fn writes_attributes(&self) -> bool {
        self.message.code == Code::PUT
            && !self.query.is_empty()
            && self.message.payload.is_empty()
            && self.message.options.content_format().is_none()
    }
}

/// Whether a request is Bootstrap-Finish, or looks like it.
pub(crate) fn is_finish(request: &coap::Request) -> bool {
    request.code == Code::POST && request.options.uri_path().eq([b"bs".as_slice()])
}

/// The path of a request. A text that is not a path of LwM2M does not exist here; more ids than a
/// path may have break the rules of addressing.
pub(crate) fn parse_path(request: &coap::Request) -> Result<Path, Refusal> {
    if is_finish(request) {
        // Bootstrap-Finish of a server that is not the bootstrap server.
        return Err(Refusal::MethodNotAllowed);
    }
    let segments = request.options.uri_path().filter(|segment| !segment.is_empty());
    Path::from_segments(segments).map_err(|error| match error {
        PathError::TooLong => Refusal::MethodNotAllowed,
        _ => Refusal::NotFound,
    })
}
