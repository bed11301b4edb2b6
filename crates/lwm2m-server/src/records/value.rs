//! The newest values of resources as records.

use super::{decode, key_of, parts};
use bytes::Bytes;
use lwm2m_core::{Path, Value};
use lwm2m_time::Instant;
use minicbor::data::Type;
use minicbor::decode::Error;
use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder};

/// A value that a device told.
#[derive(Clone, PartialEq, Debug, Encode, Decode)]
#[cbor(map)]
pub struct KeptValue {
    /// When it came.
    #[cbor(n(0), with = "instant")]
    pub received_at: Instant,
    /// The time that the device gave it, as in SenML: [`Timed::time`](lwm2m_codec::Timed::time).
    #[n(1)]
    pub time: Option<f64>,
    /// The value.
    #[cbor(n(2), with = "typed")]
    pub value: Value,
}

impl KeptValue {
    pub(crate) fn key(endpoint: &str, path: &Path) -> Bytes {
        key_of(endpoint, &path.to_string())
    }

    /// Reads a record of the table of values: the endpoint name, the path and the value.
    #[must_use]
    pub fn read<'k>(key: &'k [u8], record: &[u8]) -> Option<(&'k str, Path, Self)> {
        let (endpoint, path) = parts(key)?;
        Some((endpoint, path.parse().ok()?, decode(record)?))
    }
}

mod instant {
    use super::{Decoder, Encoder, Error, Instant, Write};

    pub(super) fn encode<C, W: Write>(
        value: &Instant,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.u64(value.as_micros()).map(drop)
    }

    pub(super) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Instant, Error> {
        d.u64().map(Instant::from_micros)
    }
}

/// A value with its type: a list of the number of the type and the value.
mod typed {
    use super::{Bytes, Decoder, Encoder, Error, Type, Value, Write};

    pub(super) fn encode<C, W: Write>(
        value: &Value,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.array(2)?;
        match value {
            Value::String(text) => e.u8(0)?.str(text)?,
            Value::Integer(number) => e.u8(1)?.i64(*number)?,
            Value::UnsignedInteger(number) => e.u8(2)?.u64(*number)?,
            Value::Float(number) => e.u8(3)?.f64(*number)?,
            Value::Boolean(truth) => e.u8(4)?.bool(*truth)?,
            Value::Opaque(bytes) => e.u8(5)?.bytes(bytes)?,
            Value::Time(seconds) => e.u8(6)?.i64(*seconds)?,
            Value::ObjectLink(link) => e.u8(7)?.str(&link.to_string())?,
            Value::CoreLink(text) => e.u8(8)?.str(text)?,
        };
        Ok(())
    }

    pub(super) fn decode<C>(d: &mut Decoder<'_>, _: &mut C) -> Result<Value, Error> {
        if d.datatype()? != Type::Array || d.array()? != Some(2) {
            return Err(Error::message("a value is a list of its type and itself"));
        }
        Ok(match d.u8()? {
            0 => Value::String(d.str()?.to_owned()),
            1 => Value::Integer(d.i64()?),
            2 => Value::UnsignedInteger(d.u64()?),
            3 => Value::Float(d.f64()?),
            4 => Value::Boolean(d.bool()?),
            5 => Value::Opaque(Bytes::copy_from_slice(d.bytes()?)),
            6 => Value::Time(d.i64()?),
            7 => Value::ObjectLink(
                d.str()?.parse().map_err(|_| Error::message("not an object link"))?,
            ),
            8 => Value::CoreLink(d.str()?.to_owned()),
            _ => return Err(Error::message("no such type of value")),
        })
    }
}
