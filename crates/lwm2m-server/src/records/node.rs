//! Values and trees of values as records.

use bytes::Bytes;
use lwm2m_core::{Node, Object, ObjectInstance, Resource, Value};
use minicbor::data::Type;
use minicbor::decode::Error;
use minicbor::encode::{self, Write};
use minicbor::{Decode, Decoder, Encode, Encoder};
use std::collections::BTreeMap;

/// A value with its type: a list of the number of the type and the value.
pub(crate) struct KeptTyped(pub(crate) Value);

/// A tree: a list of its kind, which is its depth in the tree, and itself.
pub(crate) struct KeptNode(pub(crate) Node);

impl<C> Encode<C> for KeptTyped {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        encode_value(&self.0, e)
    }
}

impl<'b, C> Decode<'b, C> for KeptTyped {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, Error> {
        decode_value(d).map(Self)
    }
}

impl<C> Encode<C> for KeptNode {
    fn encode<W: Write>(
        &self,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        e.array(2)?;
        match &self.0 {
            Node::Root(objects) => encode_map(objects, e.u8(0)?, encode_object),
            Node::Object(object) => encode_object(object, e.u8(1)?),
            Node::ObjectInstance(instance) => encode_instance(instance, e.u8(2)?),
            Node::Resource(resource) => encode_resource(resource, e.u8(3)?),
            Node::ResourceInstance(value) => encode_value(value, e.u8(4)?),
        }
    }
}

impl<'b, C> Decode<'b, C> for KeptNode {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, Error> {
        expect_pair(d)?;
        Ok(Self(match d.u8()? {
            0 => Node::Root(decode_map(d, decode_object)?),
            1 => Node::Object(decode_object(d)?),
            2 => Node::ObjectInstance(decode_instance(d)?),
            3 => Node::Resource(decode_resource(d)?),
            4 => Node::ResourceInstance(decode_value(d)?),
            _ => return Err(Error::message("no such kind of tree")),
        }))
    }
}

fn encode_object<W: Write>(
    object: &Object,
    e: &mut Encoder<W>,
) -> Result<(), encode::Error<W::Error>> {
    encode_map(&object.instances, e, encode_instance)
}

fn decode_object(d: &mut Decoder<'_>) -> Result<Object, Error> {
    Ok(Object { instances: decode_map(d, decode_instance)? })
}

fn encode_instance<W: Write>(
    instance: &ObjectInstance,
    e: &mut Encoder<W>,
) -> Result<(), encode::Error<W::Error>> {
    encode_map(&instance.resources, e, encode_resource)
}

fn decode_instance(d: &mut Decoder<'_>) -> Result<ObjectInstance, Error> {
    Ok(ObjectInstance { resources: decode_map(d, decode_resource)? })
}

/// A single value is a list, several are a map.
fn encode_resource<W: Write>(
    resource: &Resource,
    e: &mut Encoder<W>,
) -> Result<(), encode::Error<W::Error>> {
    match resource {
        Resource::Single(value) => encode_value(value, e),
        Resource::Multiple(values) => encode_map(values, e, encode_value),
    }
}

fn decode_resource(d: &mut Decoder<'_>) -> Result<Resource, Error> {
    match d.datatype()? {
        Type::Array => decode_value(d).map(Resource::Single),
        _ => decode_map(d, decode_value).map(Resource::Multiple),
    }
}

fn encode_map<T, W: Write>(
    map: &BTreeMap<u16, T>,
    e: &mut Encoder<W>,
    each: impl Fn(&T, &mut Encoder<W>) -> Result<(), encode::Error<W::Error>>,
) -> Result<(), encode::Error<W::Error>> {
    e.map(map.len() as u64)?;
    map.iter().try_for_each(|(id, value)| each(value, e.u16(*id)?))
}

fn decode_map<T>(
    d: &mut Decoder<'_>,
    each: impl Fn(&mut Decoder<'_>) -> Result<T, Error>,
) -> Result<BTreeMap<u16, T>, Error> {
    let length = d.map()?.ok_or_else(|| Error::message("a map has a length"))?;
    (0..length).map(|_| Ok((d.u16()?, each(d)?))).collect()
}

fn expect_pair(d: &mut Decoder<'_>) -> Result<(), Error> {
    match d.array()? {
        Some(2) => Ok(()),
        _ => Err(Error::message("not a list of a kind and a value")),
    }
}

fn encode_value<W: Write>(
    value: &Value,
    e: &mut Encoder<W>,
) -> Result<(), encode::Error<W::Error>> {
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

fn decode_value(d: &mut Decoder<'_>) -> Result<Value, Error> {
    expect_pair(d)?;
    Ok(match d.u8()? {
        0 => Value::String(d.str()?.to_owned()),
        1 => Value::Integer(d.i64()?),
        2 => Value::UnsignedInteger(d.u64()?),
        3 => Value::Float(d.f64()?),
        4 => Value::Boolean(d.bool()?),
        5 => Value::Opaque(Bytes::copy_from_slice(d.bytes()?)),
        6 => Value::Time(d.i64()?),
        7 => Value::ObjectLink(d.str()?.parse().map_err(|_| Error::message("not an object link"))?),
        8 => Value::CoreLink(d.str()?.to_owned()),
        _ => return Err(Error::message("no such type of value")),
    })
}
