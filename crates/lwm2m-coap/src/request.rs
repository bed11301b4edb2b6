//! A request, independent of the messages that carry it.

use crate::message::{Code, OptionNumber, Options};
use bytes::Bytes;

/// A request: method, options and the complete body.
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
    /// The options. Those that carry blocks of a body are the endpoint's own business.
    pub options: Options,
    /// The body.
    pub payload: Bytes,
    /// Whether it is sent again until it is answered.
    pub confirmable: bool,
}

impl Request {
    /// A confirmable request without options and body.
    #[must_use]
    pub const fn new(code: Code) -> Self {
        Self { code, options: Options::new(), payload: Bytes::new(), confirmable: true }
    }

    /// GET, 0.01.
    #[must_use]
    pub const fn get() -> Self {
        Self::new(Code::GET)
    }

    /// POST, 0.02.
    #[must_use]
    pub const fn post() -> Self {
        Self::new(Code::POST)
    }

    /// PUT, 0.03.
    #[must_use]
    pub const fn put() -> Self {
        Self::new(Code::PUT)
    }

    /// DELETE, 0.04.
    #[must_use]
    pub const fn delete() -> Self {
        Self::new(Code::DELETE)
    }

    /// FETCH, 0.05.
    #[must_use]
    pub const fn fetch() -> Self {
        Self::new(Code::FETCH)
    }

    /// iPATCH, 0.07.
    #[must_use]
    pub const fn ipatch() -> Self {
        Self::new(Code::IPATCH)
    }

    /// Adds a segment to the path.
    #[must_use]
    pub fn path_segment(mut self, segment: &str) -> Self {
        self.options.push(OptionNumber::URI_PATH, segment.as_bytes());
        self
    }

    /// Adds segments to the path.
    #[must_use]
    pub fn path<I: IntoIterator<Item = impl AsRef<str>>>(self, segments: I) -> Self {
        segments.into_iter().fold(self, |request, segment| request.path_segment(segment.as_ref()))
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn query(mut self, parameter: &str) -> Self {
        self.options.push(OptionNumber::URI_QUERY, parameter.as_bytes());
        self
    }

    /// Sets the format that the answer should have.
    #[must_use]
    pub fn accept(mut self, format: u16) -> Self {
        self.options.set_uint(OptionNumber::ACCEPT, format.into());
        self
    }

    /// Sets the format of the body.
    #[must_use]
    pub fn content_format(mut self, format: u16) -> Self {
        self.options.set_uint(OptionNumber::CONTENT_FORMAT, format.into());
        self
    }

    /// Sets Observe: 0 begins an observation, 1 ends it.
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

    /// Says which responses are not wanted, by the sum of 2 (class 2), 8 (class 4) and 16 (class 5);
    /// 26 is all. RFC 7967. A request that gets none ends with
    /// [`FailReason::Timeout`](crate::FailReason::Timeout).
    #[must_use]
    pub fn no_response(mut self, classes: u8) -> Self {
        self.options.set_uint(OptionNumber::NO_RESPONSE, classes.into());
        self
    }

    /// Sends it just once, without asking for an acknowledgement.
    #[must_use]
    pub const fn non_confirmable(mut self) -> Self {
        self.confirmable = false;
        self
    }
}
