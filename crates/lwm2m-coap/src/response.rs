//! A response, independent of the messages that carry it.

use crate::message::{Code, OptionNumber, Options};
use bytes::Bytes;

/// A response: code, options and the complete body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response {
    /// The response code.
    pub code: Code,
    /// The options. Those that carry blocks of a body are the endpoint's own business.
    pub options: Options,
    /// The body.
    pub payload: Bytes,
}

impl Response {
    /// A response without options and body.
    #[must_use]
    pub const fn new(code: Code) -> Self {
        Self { code, options: Options::new(), payload: Bytes::new() }
    }

    /// Sets the format of the body.
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

    /// Adds a segment to the path of a resource that was created.
    #[must_use]
    pub fn location_segment(mut self, segment: &str) -> Self {
        self.options.push(OptionNumber::LOCATION_PATH, segment.as_bytes());
        self
    }

    /// Accepts the observation that the request asked for: the peer becomes an observer.
    #[must_use]
    pub fn observe(mut self) -> Self {
        self.options.set_uint(OptionNumber::OBSERVE, 0);
        self
    }

    /// Sets how many seconds the response stays fresh; for 5.03, when to try again.
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
