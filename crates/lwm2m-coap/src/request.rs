//! Requests, independent of the messages that carry them: RFC 7252 section 5.1.

use crate::message::{BlockValue, Code, OptionNumber, Options};
use bytes::Bytes;

/// A request: method, options and complete body.
///
/// ```
/// use lwm2m_coap::Request;
///
/// let read = Request::get().path(["3", "0", "13"]).accept(112);
/// assert_eq!(read.options.uri_path().count(), 3);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// The method.
    pub code: Code,
    /// The options. The endpoint adds and removes those of block-wise transfer.
    pub options: Options,
    /// The body, or one block of a [streamed](crate::Endpoint::stream_bodies) body.
    pub payload: Bytes,
    /// Whether the request is sent in confirmable messages. Default: `true`.
    pub confirmable: bool,
}

impl Request {
    /// Creates a confirmable request without options and body.
    #[must_use]
    pub const fn new(code: Code) -> Self {
        Self { code, options: Options::new(), payload: Bytes::new(), confirmable: true }
    }

    /// The block of a [streamed](crate::Endpoint::stream_bodies) body that this request carries;
    /// `None` if the payload is the whole body.
    #[must_use]
    pub fn streamed_block(&self) -> Option<BlockValue> {
        self.options.get(OptionNumber::BLOCK1).and_then(BlockValue::read)
    }

    /// Creates a GET, 0.01 (RFC 7252 section 5.8.1).
    #[must_use]
    pub const fn get() -> Self {
        Self::new(Code::GET)
    }

    /// Creates a POST, 0.02 (RFC 7252 section 5.8.2).
    #[must_use]
    pub const fn post() -> Self {
        Self::new(Code::POST)
    }

    /// Creates a PUT, 0.03 (RFC 7252 section 5.8.3).
    #[must_use]
    pub const fn put() -> Self {
        Self::new(Code::PUT)
    }

    /// Creates a DELETE, 0.04 (RFC 7252 section 5.8.4).
    #[must_use]
    pub const fn delete() -> Self {
        Self::new(Code::DELETE)
    }

    /// Creates a FETCH, 0.05 (RFC 8132 section 2).
    #[must_use]
    pub const fn fetch() -> Self {
        Self::new(Code::FETCH)
    }

    /// Creates an iPATCH, 0.07 (RFC 8132 section 3).
    #[must_use]
    pub const fn ipatch() -> Self {
        Self::new(Code::IPATCH)
    }

    /// Appends a segment to the path: one Uri-Path option.
    #[must_use]
    pub fn path_segment(mut self, segment: &str) -> Self {
        self.options.push(OptionNumber::URI_PATH, segment.as_bytes());
        self
    }

    /// Appends segments to the path: one Uri-Path option each.
    #[must_use]
    pub fn path<I: IntoIterator<Item = impl AsRef<str>>>(self, segments: I) -> Self {
        segments.into_iter().fold(self, |request, segment| request.path_segment(segment.as_ref()))
    }

    /// Appends a query parameter: one Uri-Query option.
    #[must_use]
    pub fn query(mut self, parameter: &str) -> Self {
        self.options.push(OptionNumber::URI_QUERY, parameter.as_bytes());
        self
    }

    /// Sets Accept: the Content-Format that the response shall have.
    #[must_use]
    pub fn accept(mut self, format: u16) -> Self {
        self.options.set_uint(OptionNumber::ACCEPT, format.into());
        self
    }

    /// Sets Content-Format: the format of the body.
    #[must_use]
    pub fn content_format(mut self, format: u16) -> Self {
        self.options.set_uint(OptionNumber::CONTENT_FORMAT, format.into());
        self
    }

    /// Sets Observe: 0 registers, 1 deregisters (RFC 7641 section 2).
    #[must_use]
    pub fn observe(mut self, value: u32) -> Self {
        self.options.set_uint(OptionNumber::OBSERVE, value.into());
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn payload(mut self, payload: impl Into<Bytes>) -> Self {
        self.payload = payload.into();
        self
    }

    /// Sets No-Response: the classes of responses that the server shall suppress, as the sum of 2
    /// (class 2), 8 (class 4) and 16 (class 5), 26 for all (RFC 7967 section 2.1). A request whose
    /// response is suppressed ends with [`FailReason::Timeout`](crate::FailReason::Timeout).
    #[must_use]
    pub fn no_response(mut self, classes: u8) -> Self {
        self.options.set_uint(OptionNumber::NO_RESPONSE, classes.into());
        self
    }

    /// Sends the request in a non-confirmable message.
    #[must_use]
    pub const fn non_confirmable(mut self) -> Self {
        self.confirmable = false;
        self
    }
}
