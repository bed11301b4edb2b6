//! Converts scalars of formats to typed values and back: OMA LwM2M Core, Appendix C.

use crate::error::DecodeCause;
use crate::quirk::Quirk;
use crate::reading::Reading;
use crate::rfc3339;
use alloc::borrow::{Cow, ToOwned};
use alloc::string::{String, ToString};
use bytes::Bytes;
use lwm2m_core::{DataType, ObjectLink, Path, Value};
use lwm2m_senml::Value as Scalar;

/// Converts a scalar to a value of `data_type`, or without a type to a value of its own type.
pub(crate) fn typed(
    reading: &Reading<'_>,
    path: Path,
    data_type: Option<DataType>,
    scalar: Scalar<'_>,
) -> Result<Value, DecodeCause> {
    if matches!(scalar, Scalar::Null) {
        return Err(DecodeCause::NoValue { path });
    }
    let Some(expected) = data_type else { return own_type(reading, path, scalar) };
    if matches!(
        (expected, &scalar),
        (DataType::Integer | DataType::UnsignedInteger, Scalar::Float(_))
    ) {
        reading.forgive(Quirk::WholeFloat)?;
    }
    let value = match (expected, scalar) {
        (DataType::Integer, scalar) => integer(&scalar).map(Value::Integer),
        (DataType::Time, scalar) => return time(reading, path, &scalar),
        (DataType::UnsignedInteger, scalar) => unsigned(&scalar).map(Value::UnsignedInteger),
        (DataType::Float, scalar) => scalar.number().map(|n| Value::Float(n.as_f64())),
        (DataType::Boolean, Scalar::Boolean(v)) => Some(Value::Boolean(v)),
        (DataType::String, Scalar::String(v)) => Some(Value::String(v.into_owned())),
        (DataType::CoreLink, Scalar::String(v)) => Some(Value::CoreLink(v.into_owned())),
        (DataType::Opaque, Scalar::Data(v)) => Some(Value::Opaque(opaque(v))),
        (DataType::ObjectLink, Scalar::ObjectLink(v)) => {
            object_link(reading, &v)?.map(Value::ObjectLink)
        }
        (DataType::ObjectLink, Scalar::String(v)) => {
            reading.forgive(Quirk::LinkAsString)?;
            object_link(reading, &v)?.map(Value::ObjectLink)
        }
        _ => None,
    };
    value.ok_or(DecodeCause::Type { path, expected })
}

fn own_type(reading: &Reading<'_>, path: Path, scalar: Scalar<'_>) -> Result<Value, DecodeCause> {
    Ok(match scalar {
        Scalar::Integer(v) => Value::Integer(v),
        Scalar::Unsigned(v) => Value::UnsignedInteger(v),
        Scalar::Float(v) => Value::Float(v),
        Scalar::Boolean(v) => Value::Boolean(v),
        Scalar::String(v) => Value::String(v.into_owned()),
        Scalar::Data(v) => Value::Opaque(opaque(v)),
        Scalar::ObjectLink(v) => {
            let expected = DataType::ObjectLink;
            Value::ObjectLink(
                object_link(reading, &v)?.ok_or(DecodeCause::Type { path, expected })?,
            )
        }
        Scalar::Date(_) => return time(reading, path, &scalar),
        Scalar::Null => return Err(DecodeCause::NoValue { path }),
    })
}

/// Converts seconds since 1970, or a date as text, to a time. Truncates fractions.
pub(crate) fn time(
    reading: &Reading<'_>,
    path: Path,
    scalar: &Scalar<'_>,
) -> Result<Value, DecodeCause> {
    reading.forgive_if(matches!(scalar, Scalar::String(_)), Quirk::UntaggedDate)?;
    let seconds = match scalar {
        Scalar::Integer(v) => Some(*v),
        Scalar::Float(v) => floor(*v),
        Scalar::Date(v) | Scalar::String(v) => rfc3339::seconds(without_nul(reading, v)?),
        _ => None,
    };
    seconds.map(Value::Time).ok_or(DecodeCause::Type { path, expected: DataType::Time })
}

/// The whole seconds of a time.
#[expect(clippy::cast_possible_truncation, reason = "within the range of the guard")]
fn floor(seconds: f64) -> Option<i64> {
    let whole = || {
        let whole = seconds as i64;
        whole - i64::from(seconds < 0.0 && whole as f64 != seconds)
    };
    (seconds.abs() < 9e15).then(whole)
}

/// Converts a value to a scalar.
pub(crate) fn scalar(value: &Value) -> Scalar<'_> {
    match value {
        Value::Integer(v) | Value::Time(v) => Scalar::Integer(*v),
        Value::UnsignedInteger(v) => Scalar::Unsigned(*v),
        Value::Float(v) => Scalar::Float(*v),
        Value::Boolean(v) => Scalar::Boolean(*v),
        Value::String(v) | Value::CoreLink(v) => Scalar::String(Cow::Borrowed(v)),
        Value::Opaque(v) => Scalar::Data(Cow::Borrowed(v)),
        Value::ObjectLink(v) => Scalar::ObjectLink(Cow::Owned(v.to_string())),
    }
}

/// An integer of 64 bits. Accepts a float that is whole and below 2^53, where doubles are exact.
fn integer(scalar: &Scalar<'_>) -> Option<i64> {
    match scalar {
        Scalar::Integer(v) => Some(*v),
        Scalar::Float(v) => whole(*v),
        _ => None,
    }
}

fn unsigned(scalar: &Scalar<'_>) -> Option<u64> {
    match scalar {
        Scalar::Integer(v) => u64::try_from(*v).ok(),
        Scalar::Unsigned(v) => Some(*v),
        Scalar::Float(v) => u64::try_from(whole(*v)?).ok(),
        _ => None,
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "tested")]
fn whole(value: f64) -> Option<i64> {
    let integer = value as i64;
    (integer as f64 == value && integer.unsigned_abs() < 1 << 53).then_some(integer)
}

/// Parses an object link.
pub(crate) fn object_link(
    reading: &Reading<'_>,
    text: &str,
) -> Result<Option<ObjectLink>, DecodeCause> {
    let text = without_nul(reading, text)?;
    if text.eq_ignore_ascii_case("FFFF:FFFF") {
        reading.forgive(Quirk::HexLink)?;
        return Ok(Some(ObjectLink::NULL));
    }
    Ok(text.parse().ok())
}

/// The text without a trailing NUL.
pub(crate) fn without_nul<'t>(
    reading: &Reading<'_>,
    text: &'t str,
) -> Result<&'t str, DecodeCause> {
    let Some(text) = text.strip_suffix('\0') else { return Ok(text) };
    reading.forgive(Quirk::TrailingNul)?;
    Ok(text)
}

fn opaque(bytes: Cow<'_, [u8]>) -> Bytes {
    match bytes {
        Cow::Borrowed(bytes) => Bytes::copy_from_slice(bytes),
        Cow::Owned(bytes) => Bytes::from(bytes),
    }
}

/// The text of the value at `path`.
pub(crate) fn utf8(path: Path, bytes: &[u8]) -> Result<String, DecodeCause> {
    let text = core::str::from_utf8(bytes).map_err(|_| DecodeCause::Utf8 { path })?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::floor;

    #[test]
    fn times_are_whole_seconds_down_and_within_what_doubles_tell_apart() {
        assert_eq!([1.5, -1.5, -2.0, -0.0].map(floor), [Some(1), Some(-2), Some(-2), Some(0)]);
        let beyond = [9e15, -9e15, -3e56, f64::MAX, f64::NEG_INFINITY, f64::NAN];
        assert_eq!(beyond.map(floor), [None; 6]);
    }
}
