//! SenML JSON and SenML CBOR (110, 112): any tree, with times (OMA LwM2M Core 7.4.6, 7.4.7); the
//! JSON of LwM2M 1.0 (11543), which says the same in other words; and the records of SenML-ETCH
//! (320, 322), for [`crate::composite`].

use crate::ids::{ANY_INSTANCE, Chosen, Ids};
use crate::text::decode_text;
use crate::tree::{Sink, Target};
use crate::typed::{relative, scalar, typed};
use crate::{DecodeError, EncodeError};
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use bytes::Bytes;
use lwm2m_core::{ContentFormat, DataType, Node, ObjectInstance, Path, Value};
use lwm2m_senml::{Error, Record, Resolved, Resolver, cbor, json};

/// Encodes a tree: names relative to a base name, or one absolute name for a single value.
pub(crate) fn encode(
    format: ContentFormat,
    path: &Path,
    node: &Node,
) -> Result<Bytes, EncodeError> {
    let leaves = node.leaves(path);
    let depth = match leaves.as_slice() {
        [(leaf, _)] if leaf == path && format != ContentFormat::JSON => 0,
        // OMA JSON always has a base name, and a name besides.
        [(leaf, _)] if leaf == path => path.depth() - 1,
        _ => path.depth(),
    };
    let mut records: Vec<_> =
        leaves.iter().map(|(leaf, value)| record(leaf, depth, value)).collect();
    if let Some(first) = records.first_mut().filter(|_| depth > 0) {
        first.base_name = Some(format!("{}/", path.prefix(depth)).into());
    }
    write(format, &records).map_err(|_| not_finite(format, path, &leaves))
}

/// Encodes an instance for Create; without an id, the names have 65535 in its place.
pub(crate) fn encode_create(
    format: ContentFormat,
    object: Path,
    id: Option<u16>,
    instance: &ObjectInstance,
) -> Result<Bytes, EncodeError> {
    let id = id.unwrap_or(ANY_INSTANCE);
    // Any path of an instance gives the same relative names.
    let node = Node::ObjectInstance(instance.clone());
    let leaves = node.leaves(&Path::instance(0, 0));
    let mut records: Vec<_> = leaves.iter().map(|(leaf, value)| record(leaf, 2, value)).collect();
    if let Some(first) = records.first_mut() {
        first.base_name = Some(format!("{object}/{id}/").into());
    }
    write(format, &records).map_err(|_| not_finite(format, &object, &leaves))
}

fn record<'a>(leaf: &Path, depth: usize, value: &'a Value) -> Record<'a> {
    let name = if depth == 0 { leaf.to_string() } else { relative(leaf, depth) };
    Record { name: Some(name.into()), value: Some(scalar(value)), ..Record::default() }
}

pub(crate) fn write(format: ContentFormat, records: &[Record<'_>]) -> Result<Bytes, Error> {
    match format {
        ContentFormat::SENML_CBOR | ContentFormat::SENML_ETCH_CBOR => {
            cbor::write(records).map(Bytes::from)
        }
        ContentFormat::JSON => json::oma::write(records).map(Bytes::from),
        _ => json::write(records).map(Bytes::from),
    }
}

/// The only way in which writing fails.
fn not_finite(format: ContentFormat, path: &Path, leaves: &[(Path, &Value)]) -> EncodeError {
    let culprit =
        leaves.iter().find(|(_, value)| matches!(value, Value::Float(v) if !v.is_finite()));
    EncodeError::NotFinite { format, path: culprit.map_or(*path, |(leaf, _)| *leaf) }
}

/// Hands the values of `payload` to `sink`.
pub(crate) fn decode(
    format: ContentFormat,
    target: Target<'_>,
    payload: &[u8],
    sink: &mut dyn Sink,
) -> Result<(), DecodeError> {
    each(format, payload, |name, time, value| {
        let path = name.ids.path().ok_or(DecodeError::Name { entry: name.entry })?;
        let data_type = target.admit(&path)?;
        sink.value(path, time, self::value(format, path, data_type, value)?)
    })
}

/// Decodes the payload of Create, as [`crate::tlv::decode_create`] does.
pub(crate) fn decode_create(
    format: ContentFormat,
    target: Target<'_>,
    payload: &[u8],
    sink: &mut dyn Sink,
) -> Result<Option<u16>, DecodeError> {
    let mut chosen = Chosen::new(target.path);
    each(format, payload, |name, time, value| {
        let path = chosen.path(&name.ids)?.ok_or(DecodeError::Name { entry: name.entry })?;
        let data_type = target.admit(&path)?;
        sink.value(path, time, self::value(format, path, data_type, value)?)
    })?;
    Ok(chosen.instance())
}

/// The name of a record, and its number.
struct Named {
    ids: Ids,
    entry: usize,
}

/// Calls `take` with name, time and value of each record.
fn each<'a>(
    format: ContentFormat,
    payload: &'a [u8],
    mut take: impl FnMut(Named, Option<f64>, lwm2m_senml::Value<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    each_resolved(format, payload, |entry, ids, record| {
        let missing = || DecodeError::NoValue { path: ids.path().unwrap_or(Path::ROOT) };
        let value = record.value.ok_or_else(missing)?;
        take(Named { ids, entry }, record.time, value)
    })
}

/// Calls `take` with each record and its number and name.
pub(crate) fn each_resolved<'a>(
    format: ContentFormat,
    payload: &'a [u8],
    take: impl FnMut(usize, Ids, Resolved<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    match format {
        ContentFormat::SENML_CBOR | ContentFormat::SENML_ETCH_CBOR => {
            each_of(cbor::Reader::new(payload), take)
        }
        ContentFormat::JSON => each_of(json::oma::read(payload)?, take),
        _ => each_of(json::Reader::new(payload), take),
    }
}

fn each_of<'a>(
    records: impl Iterator<Item = Result<Record<'a>, Error>>,
    mut take: impl FnMut(usize, Ids, Resolved<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let mut resolver = Resolver::new();
    for (entry, record) in records.enumerate() {
        let record = resolver.resolve(record?)?;
        let ids = Ids::of_name(&record.name).ok_or(DecodeError::Name { entry })?;
        take(entry, ids, record)?;
    }
    Ok(())
}

/// The value of a record. OMA JSON has Opaque as Base64 in a string.
fn value(
    format: ContentFormat,
    path: Path,
    data_type: Option<DataType>,
    value: lwm2m_senml::Value<'_>,
) -> Result<Value, DecodeError> {
    match value {
        lwm2m_senml::Value::String(text)
            if format == ContentFormat::JSON && data_type == Some(DataType::Opaque) =>
        {
            decode_text(path, data_type, text.as_bytes())
        }
        value => typed(path, data_type, value),
    }
}
