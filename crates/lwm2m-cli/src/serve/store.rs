//! Values that clients can write: a body, its format and its entity-tag.

use bytes::Bytes;
use lwm2m_coap::{Code, OptionNumber, Request, Response};

/// The state of a resource that can be written.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    format: u16,
    body: Bytes,
    version: u32,
}

impl Stored {
    pub(super) fn new(format: u16, body: impl Into<Bytes>) -> Self {
        Self { format, body: body.into(), version: 1 }
    }

    /// The length of the body in bytes.
    pub(super) const fn size(&self) -> usize {
        self.body.len()
    }

    /// The entity-tag of this state.
    pub(super) const fn etag(&self) -> [u8; 4] {
        self.version.to_be_bytes()
    }

    /// GET: 2.03 Valid if the client names the current entity-tag.
    pub(super) fn get(&self, request: &Request) -> Response {
        let known = request.options.get_all(OptionNumber::ETAG).any(|tag| tag == self.etag());
        let mut response = if known {
            Response::new(Code::VALID)
        } else {
            Response::new(Code::CONTENT).content_format(self.format).payload(self.body.clone())
        };
        response.options.push(OptionNumber::ETAG, &self.etag());
        response
    }

    /// PUT of an existing state.
    pub(super) fn put(&mut self, request: &Request) -> Code {
        self.format = request.options.content_format().unwrap_or(0);
        self.body = request.payload.clone();
        self.version = self.version.wrapping_add(1);
        Code::CHANGED
    }
}

/// PUT of a new state.
pub(super) fn create(request: &Request) -> Stored {
    let format = request.options.content_format().unwrap_or(0);
    Stored::new(format, request.payload.clone())
}
