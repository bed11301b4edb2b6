//! Responses, independent of the messages that carry them: RFC 7252 section 5.2.

use crate::message::{Code, OptionNumber, Options};
use bytes::Bytes;

/// A response: code, options and complete body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// The response code.
    pub code: Code,
    /// The options. The endpoint adds and removes those of block-wise transfer.
    pub options: Options,
    /// The body.
    pub payload: Bytes,
}

impl Response {
    /// Creates a response without options and body.
    #[must_use]
    pub const fn new(code: Code) -> Self {
        Self { code, options: Options::new(), payload: Bytes::new() }
    }

    /// Sets Content-Format: the format of the body.
    #[must_use]
    pub fn content_format(mut self, format: u16) -> Self {
        self.options.set_uint(OptionNumber::CONTENT_FORMAT, format.into());
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn payload(mut self, payload: impl Into<Bytes>) -> Self {
        self.payload = payload.into();
        self
    }

    /// Appends a segment to the path of the created resource: one Location-Path option.
    #[must_use]
    pub fn location_segment(mut self, segment: &str) -> Self {
        self.options.push(OptionNumber::LOCATION_PATH, segment.as_bytes());
        self
    }

    /// Accepts the observation that the request asks for: the peer becomes an observer (RFC 7641
    /// section 4.1).
    #[must_use]
    pub fn observe(mut self) -> Self {
        self.options.set_uint(OptionNumber::OBSERVE, 0);
        self
    }

    /// Sets Max-Age: how many seconds the response stays fresh, or for 5.03 the seconds until the
    /// next attempt (RFC 7252 sections 5.10.5 and 5.9.3.4).
    #[must_use]
    pub fn max_age(mut self, seconds: u32) -> Self {
        self.options.set_uint(OptionNumber::MAX_AGE, seconds.into());
        self
    }
}

impl From<Code> for Response {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}
