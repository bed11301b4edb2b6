//! CBOR (60): one value, and times as RFC 8949 tags them (OMA LwM2M Core 7.4.3).

use crate::typed::{scalar, typed};
use crate::{DecodeError, rfc3339};
use alloc::vec::Vec;
use bytes::Bytes;
use lwm2m_core::{DataType, Path, Value};
use lwm2m_senml::Value as Scalar;
use lwm2m_senml::cbor::{Written, read_item, write_item};
use minicbor::data::{IanaTag, Type};
use minicbor::{Decoder, Encoder};

pub(crate) fn encode(value: &Value) -> Bytes {
    let mut encoder = Encoder::new(Vec::with_capacity(16));
    // Writing to a vector cannot fail.
    let _ = write(&mut encoder, value);
    Bytes::from(encoder.into_writer())
}

fn write(encoder: &mut Encoder<Vec<u8>>, value: &Value) -> Written {
    if matches!(value, Value::Time(_)) {
        encoder.tag(IanaTag::Timestamp)?;
    }
    write_item(encoder, &scalar(value))
}

pub(crate) fn decode(
    path: Path,
    data_type: Option<DataType>,
    payload: &[u8],
) -> Result<Value, DecodeError> {
    let mut decoder = Decoder::new(payload);
    let value = read(&mut decoder, path, data_type)?;
    if decoder.position() == payload.len() {
        Ok(value)
    } else {
        Err(DecodeError::Cbor { offset: decoder.position() })
    }
}

/// Reads the value of a leaf, which may be a tagged time.
pub(crate) fn read(
    decoder: &mut Decoder<'_>,
    path: Path,
    data_type: Option<DataType>,
) -> Result<Value, DecodeError> {
    let offset = decoder.position();
    let broken = DecodeError::Cbor { offset };
    let tag = match decoder.datatype() {
        Ok(Type::Tag) => decoder.probe().tag().ok().and_then(|tag| IanaTag::try_from(tag).ok()),
        _ => None,
    };
    let tagged_time = matches!(tag, Some(IanaTag::DateTime | IanaTag::Timestamp));
    if tagged_time {
        decoder.tag().map_err(|_| broken.clone())?;
    }
    let item = read_item(decoder).map_err(|_| broken)?;
    match data_type {
        Some(DataType::Time) => {}
        None if tagged_time => {}
        Some(expected) if tagged_time => return Err(DecodeError::Type { path, expected }),
        other => return typed(path, other, item),
    }
    let time = seconds(&item).map(Value::Time);
    time.ok_or(DecodeError::Type { path, expected: DataType::Time })
}

/// Whole seconds since 1970 of an epoch number or a date in text.
#[expect(clippy::cast_possible_truncation, reason = "within the range of the guard")]
fn seconds(item: &Scalar<'_>) -> Option<i64> {
    match item {
        Scalar::Integer(v) => Some(*v),
        Scalar::Float(v) if v.abs() < 9e15 => {
            let whole = *v as i64;
            Some(if *v < 0.0 && whole as f64 != *v { whole - 1 } else { whole })
        }
        Scalar::String(v) => rfc3339::seconds(v),
        _ => None,
    }
}
