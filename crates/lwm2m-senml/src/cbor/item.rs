//! Single items of CBOR (RFC 8949), by way of `minicbor`: texts and bytes of definite and indefinite
//! length, integers, floats of any width, decimal fractions.

use crate::{Error, Number, Value};
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use minicbor::data::{Tag, Type};
use minicbor::decode::Decoder;
use minicbor::encode::Encoder;

/// The tag of an array of exponent and mantissa (RFC 8949, section 3.4.4).
const DECIMAL_FRACTION: u64 = 4;

/// Writing to a vector, which cannot fail.
pub type Written = Result<(), minicbor::encode::Error<core::convert::Infallible>>;

pub(super) fn syntax(decoder: &Decoder<'_>, expected: &'static str) -> Error {
    Error::Syntax { offset: decoder.position(), expected }
}

#[inline]
pub(super) fn text<'a>(decoder: &mut Decoder<'a>) -> Result<Cow<'a, str>, Error> {
    let syntax = syntax(decoder, "a text");
    if matches!(decoder.datatype(), Ok(Type::String)) {
        return decoder.str().map(Cow::Borrowed).map_err(|_| syntax);
    }
    let parts = decoder.str_iter().map_err(|_| syntax)?;
    parts.collect::<Result<String, _>>().map(Cow::Owned).map_err(|_| syntax)
}

#[inline]
pub(super) fn bytes<'a>(decoder: &mut Decoder<'a>) -> Result<Cow<'a, [u8]>, Error> {
    let syntax = syntax(decoder, "bytes");
    if matches!(decoder.datatype(), Ok(Type::Bytes)) {
        return decoder.bytes().map(Cow::Borrowed).map_err(|_| syntax);
    }
    let mut joined = Vec::new();
    for part in decoder.bytes_iter().map_err(|_| syntax)? {
        joined.extend_from_slice(part.map_err(|_| syntax)?);
    }
    Ok(Cow::Owned(joined))
}

/// A number, whose type is `kind`, as JSON has it: integer, float, or decimal fraction.
#[inline]
pub(super) fn number(decoder: &mut Decoder<'_>, kind: Type) -> Option<Number> {
    match kind {
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => {
            let value = decoder.u64().ok()?;
            Some(i64::try_from(value).map_or(Number::Unsigned(value), Number::Integer))
        }
        Type::I8 | Type::I16 | Type::I32 | Type::I64 => decoder.i64().ok().map(Number::Integer),
        Type::F16 | Type::F32 | Type::F64 => decoder.f64().ok().map(Number::Float),
        Type::Tag => decimal_fraction(decoder),
        _ => None,
    }
}

fn decimal_fraction(decoder: &mut Decoder<'_>) -> Option<Number> {
    let tag = decoder.tag().ok()?;
    if tag != Tag::new(DECIMAL_FRACTION) || decoder.array().ok()? != Some(2) {
        return None;
    }
    let exponent = decoder.i16().ok()?;
    let mantissa = decoder.i64().ok()?;
    // By way of the text, which is rounded correctly.
    alloc::format!("{mantissa}e{exponent}").parse().ok().map(Number::Float)
}

/// Reads one item that is a number, text, bytes, true, false or null. An object link is a text.
///
/// # Errors
/// [`Error::Syntax`] for any other item, and for one that is cut off.
pub fn read_item<'a>(decoder: &mut Decoder<'a>) -> Result<Value<'a>, Error> {
    let wrong = syntax(decoder, "a number, text, bytes, true, false or null");
    let kind = decoder.datatype().map_err(|_| wrong)?;
    match kind {
        Type::String | Type::StringIndef => text(decoder).map(Value::String),
        Type::Bytes | Type::BytesIndef => bytes(decoder).map(Value::Data),
        Type::Bool => decoder.bool().map(Value::Boolean).map_err(|_| wrong),
        Type::Null => decoder.null().map(|()| Value::Null).map_err(|_| wrong),
        _ => number(decoder, kind).map(Value::from).ok_or(wrong),
    }
}

/// Writes a value as one item; an object link as text.
///
/// # Errors
/// None: a vector takes all.
pub fn write_item(encoder: &mut Encoder<Vec<u8>>, value: &Value<'_>) -> Written {
    match value {
        Value::Integer(v) => encoder.i64(*v).map(drop),
        Value::Unsigned(v) => encoder.u64(*v).map(drop),
        Value::Float(v) => write_float(encoder, *v),
        Value::Boolean(v) => encoder.bool(*v).map(drop),
        Value::String(v) | Value::ObjectLink(v) => encoder.str(v).map(drop),
        Value::Data(v) => encoder.bytes(v).map(drop),
        Value::Null => encoder.null().map(drop),
    }
}

/// Writes a float in 4 bytes if they hold it exactly, else in 8. The 2 bytes of half precision are
/// not written, since small devices do not read them.
///
/// # Errors
/// None: a vector takes all.
#[expect(clippy::cast_possible_truncation, reason = "tried, and undone if it loses anything")]
pub(super) fn write_float(encoder: &mut Encoder<Vec<u8>>, value: f64) -> Written {
    let short = value as f32;
    if f64::from(short).to_bits() == value.to_bits() {
        encoder.f32(short).map(drop)
    } else {
        encoder.f64(value).map(drop)
    }
}
