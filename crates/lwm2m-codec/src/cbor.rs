//! CBOR (60): one value, with tagged times. OMA LwM2M Core 1.2, section 7.4.3.

use crate::error::{DecodeCause, DecodeError};
use crate::reading::Reading;
use crate::typed::{scalar, time, typed};
use bytes::Bytes;
use lwm2m_core::{DataType, Path, Value};
use lwm2m_senml::Value as Scalar;
use lwm2m_senml::cbor::{Decoder, Encoder};

/// The tag of a date as text: RFC 8949 section 3.4.1.
const DATE: u64 = 0;
/// The tag of seconds since 1970: RFC 8949 section 3.4.2.
const EPOCH: u64 = 1;

pub(crate) fn encode(value: &Value) -> Bytes {
    let mut encoder = Encoder::default();
    if matches!(value, Value::Time(_)) {
        encoder.tag(EPOCH);
    }
    encoder.item(&scalar(value));
    Bytes::from(encoder.finish())
}

pub(crate) fn decode(
    reading: &Reading<'_>,
    path: Path,
    data_type: Option<DataType>,
    payload: &[u8],
) -> Result<Value, DecodeError> {
    let mut decoder = Decoder::new(payload);
    let value = read(reading, &mut decoder, path, data_type);
    let value = value.map_err(|cause| cause.at(decoder.offset()))?;
    if decoder.is_at_end() { Ok(value) } else { Err(DecodeCause::Cbor.at(decoder.offset())) }
}

/// Decodes a value, which may be a tagged time.
pub(crate) fn read(
    reading: &Reading<'_>,
    decoder: &mut Decoder<'_>,
    path: Path,
    data_type: Option<DataType>,
) -> Result<Value, DecodeCause> {
    let mut ahead = decoder.clone();
    let tagged_time = matches!(ahead.tag(), Some(DATE | EPOCH));
    if tagged_time {
        *decoder = ahead;
    }
    let item = decoder.item().map_err(|_| DecodeCause::Cbor)?;
    match data_type {
        Some(DataType::Time) => {}
        None if tagged_time => {}
        Some(expected) if tagged_time => return Err(DecodeCause::Type { path, expected }),
        Some(DataType::ObjectLink) => {
            return typed(reading, path, data_type, as_link(item));
        }
        other => return typed(reading, path, other, item),
    }
    let item = match item {
        Scalar::String(text) if tagged_time => Scalar::Date(text),
        item => item,
    };
    time(reading, path, &item)
}

/// Converts a text to an object link, which CBOR writes as text.
fn as_link(item: Scalar<'_>) -> Scalar<'_> {
    match item {
        Scalar::String(text) => Scalar::ObjectLink(text),
        other => other,
    }
}
