//! Wished observations as records.

use super::{key_of, parts, target};
use crate::operation::Target;
use crate::wish::{Wish, WishOptions};
use bytes::Bytes;
use lwm2m_core::{Attribute, ContentFormat};
use minicbor::{Decode, Encode};

/// A wish. Its key has the endpoint name and the target.
#[derive(Encode, Decode)]
#[cbor(map)]
pub(crate) struct KeptWish {
    #[n(0)]
    format: Option<u16>,
    /// As in queries.
    #[n(1)]
    attributes: Vec<String>,
    #[n(2)]
    refused: Option<u8>,
    #[n(3)]
    path_format: Option<u16>,
}

impl KeptWish {
    pub(crate) fn of(wish: &Wish) -> Self {
        Self {
            format: wish.options.format.map(|format| format.0),
            path_format: wish.options.path_format.map(|format| format.0),
            attributes: wish.options.attributes.iter().map(ToString::to_string).collect(),
            refused: wish.refused.map(u8::from),
        }
    }

    /// The wish; `None` if an attribute is unknown.
    pub(crate) fn wish(&self) -> Option<Wish> {
        let attributes = self.attributes.iter().map(|text| Attribute::parse(text).ok());
        let options = WishOptions {
            format: self.format.map(ContentFormat),
            path_format: self.path_format.map(ContentFormat),
            attributes: attributes.collect::<Option<_>>()?,
        };
        Some(Wish { options, refused: self.refused.map(lwm2m_coap::Code::from), operation: None })
    }

    pub(crate) fn key(endpoint: &str, target: &Target) -> Bytes {
        key_of(endpoint, &target::text(target))
    }

    /// The endpoint name and the target of a key.
    pub(crate) fn read_key(key: &[u8]) -> Option<(&str, Target)> {
        let (endpoint, text) = parts(key)?;
        Some((endpoint, target::parse(text)?))
    }
}
