//! Formats of one value: text/plain (OMA LwM2M Core 1.2, section 7.4.1) and opaque (section 7.4.2).

use crate::error::{DecodeCause, EncodeError};
use crate::quirk::Quirk;
use crate::reading::Reading;
use crate::typed::{object_link, utf8};
use alloc::string::{String, ToString};
use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose::STANDARD};
use bytes::Bytes;
use lwm2m_core::{ContentFormat, DataType, Path, Value};

/// Base64 that is written with padding and read with or without it.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

pub(crate) fn encode_text(path: &Path, value: &Value) -> Result<Bytes, EncodeError> {
    let text: String = match value {
        Value::String(v) | Value::CoreLink(v) => v.clone(),
        Value::Integer(v) | Value::Time(v) => v.to_string(),
        Value::UnsignedInteger(v) => v.to_string(),
        // `Display` never writes an exponent.
        Value::Float(v) if v.is_finite() => v.to_string(),
        Value::Float(_) => {
            return Err(EncodeError::NotFinite { format: ContentFormat::TEXT, path: *path });
        }
        Value::Boolean(v) => String::from(if *v { "1" } else { "0" }),
        Value::Opaque(v) => STANDARD.encode(v),
        Value::ObjectLink(v) => v.to_string(),
    };
    Ok(Bytes::from(text))
}

pub(crate) fn decode_text(
    reading: &Reading<'_>,
    path: Path,
    data_type: Option<DataType>,
    payload: &[u8],
) -> Result<Value, DecodeCause> {
    let expected = data_type.unwrap_or(DataType::String);
    let text = utf8(path, payload)?;
    let value = match expected {
        DataType::String => Some(Value::String(text)),
        DataType::CoreLink => Some(Value::CoreLink(text)),
        DataType::Integer => decimal(&text).map(Value::Integer),
        DataType::Time => decimal(&text).map(Value::Time),
        DataType::UnsignedInteger => decimal(&text).map(Value::UnsignedInteger),
        DataType::Float => {
            let value = float(&text).map(Value::Float);
            let exponent = text.bytes().any(|byte| matches!(byte, b'e' | b'E'));
            reading.forgive_if(value.is_some() && exponent, Quirk::Exponent)?;
            value
        }
        DataType::Boolean => match text.as_str() {
            "0" => Some(Value::Boolean(false)),
            "1" => Some(Value::Boolean(true)),
            _ => None,
        },
        DataType::Opaque => {
            reading.forgive_if(text.len() % 4 != 0, Quirk::OtherBase64)?;
            LENIENT.decode(text).ok().map(|v| Value::Opaque(v.into()))
        }
        DataType::ObjectLink => object_link(reading, &text)?.map(Value::ObjectLink),
        DataType::None => None,
    };
    value.ok_or(DecodeCause::Type { path, expected })
}

pub(crate) fn encode_opaque(path: &Path, value: &Value) -> Result<Bytes, EncodeError> {
    match value {
        Value::Opaque(bytes) => Ok(bytes.clone()),
        _ => Err(EncodeError::UnsuitableFormat { format: ContentFormat::OPAQUE, path: *path }),
    }
}

pub(crate) fn decode_opaque(
    path: Path,
    data_type: Option<DataType>,
    payload: &[u8],
) -> Result<Value, DecodeCause> {
    match data_type {
        None | Some(DataType::Opaque) => Ok(Value::Opaque(Bytes::copy_from_slice(payload))),
        Some(_) => Err(DecodeCause::UnsuitableFormat { format: ContentFormat::OPAQUE, path }),
    }
}

/// Parses an integer of ASCII digits with an optional minus.
fn decimal<T: core::str::FromStr>(text: &str) -> Option<T> {
    if text.starts_with('+') { None } else { text.parse().ok() }
}

fn float(text: &str) -> Option<f64> {
    // Refuse `nan` and `inf`, which `parse` accepts.
    let numeric = |b: u8| b.is_ascii_digit() || matches!(b, b'-' | b'+' | b'.' | b'e' | b'E');
    let value: Option<f64> = if text.bytes().all(numeric) { decimal(text) } else { None };
    value.filter(|value| value.is_finite())
}
