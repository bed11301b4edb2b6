//! SenML JSON and SenML CBOR (110, 112): any tree, with times (OMA LwM2M Core 7.4.6, 7.4.7).

use crate::tree::{Sink, Target};
use crate::typed::{relative, scalar, typed};
use crate::{DecodeError, EncodeError};
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use bytes::Bytes;
use lwm2m_core::{ContentFormat, Node, ObjectInstance, Path, Value};
use lwm2m_senml::{Error, Name, Record, Resolver, cbor, json};

/// The instance id in names of Create that leaves the choice to the client, as LwM2M CBOR has it.
const ANY_INSTANCE: u16 = u16::MAX;

/// Encodes a tree: names relative to a base name, or one absolute name for a single value.
pub(crate) fn encode(
    format: ContentFormat,
    path: &Path,
    node: &Node,
) -> Result<Bytes, EncodeError> {
    let leaves = node.leaves(path);
    let depth = match leaves.as_slice() {
        [(leaf, _)] if leaf == path => 0,
        _ => path.depth(),
    };
    let mut records: Vec<_> =
        leaves.iter().map(|(leaf, value)| record(leaf, depth, value)).collect();
    if let Some(first) = records.first_mut().filter(|_| depth > 0) {
        first.base_name = Some(format!("{path}/").into());
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

fn write(format: ContentFormat, records: &[Record<'_>]) -> Result<Bytes, Error> {
    if format == ContentFormat::SENML_CBOR {
        cbor::write(records).map(Bytes::from)
    } else {
        json::write(records).map(Bytes::from)
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
        let path = name.path().ok_or(DecodeError::Name { entry: name.entry })?;
        let data_type = target.admit(&path)?;
        sink.value(path, time, typed(path, data_type, value)?)
    })
}

/// Decodes the payload of Create, as [`crate::tlv::decode_create`] does.
pub(crate) fn decode_create(
    format: ContentFormat,
    target: Target<'_>,
    payload: &[u8],
    sink: &mut dyn Sink,
) -> Result<Option<u16>, DecodeError> {
    let mut chosen: Option<Option<u16>> = None;
    each(format, payload, |name, time, value| {
        let wrong = DecodeError::Name { entry: name.entry };
        let (instance, below) = name.below(&target.path).ok_or_else(|| wrong.clone())?;
        let first = *chosen.get_or_insert(instance);
        let path = target.path.child(first.unwrap_or(0)).map_err(|_| wrong.clone())?;
        if first != instance {
            let path = instance.and_then(|id| target.path.child(id).ok()).unwrap_or(path);
            return Err(DecodeError::OutsideTarget { target: target.path, path });
        }
        let path = below.iter().try_fold(path, |path, id| path.child(*id)).map_err(|_| wrong)?;
        let data_type = target.admit(&path)?;
        sink.value(path, time, typed(path, data_type, value)?)
    })?;
    Ok(chosen.flatten())
}

/// Calls `take` with name, time and value of each record.
fn each<'a>(
    format: ContentFormat,
    payload: &'a [u8],
    take: impl FnMut(Ids, Option<f64>, lwm2m_senml::Value<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    if format == ContentFormat::SENML_CBOR {
        each_record(cbor::Reader::new(payload), take)
    } else {
        each_record(json::Reader::new(payload), take)
    }
}

fn each_record<'a>(
    records: impl Iterator<Item = Result<Record<'a>, Error>>,
    mut take: impl FnMut(Ids, Option<f64>, lwm2m_senml::Value<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    let mut resolver = Resolver::new();
    for (entry, record) in records.enumerate() {
        let record = resolver.resolve(record?)?;
        let ids = Ids::of(&record.name, entry).ok_or(DecodeError::Name { entry })?;
        let missing = || DecodeError::NoValue { path: ids.path().unwrap_or(Path::ROOT) };
        let value = record.value.ok_or_else(missing)?;
        take(ids, record.time, value)?;
    }
    Ok(())
}

/// The ids in a name; 65535 is allowed among them.
struct Ids {
    ids: [u16; 4],
    count: usize,
    /// Whether the name began with a slash.
    absolute: bool,
    /// The number of the record.
    entry: usize,
}

impl Ids {
    fn of(name: &Name<'_>, entry: usize) -> Option<Self> {
        let mut bytes = name.bytes().peekable();
        let absolute = bytes.next_if_eq(&b'/').is_some();
        let mut ids = [0u16; 4];
        let mut count = 0;
        loop {
            let slot = ids.get_mut(count)?;
            *slot = u16::from(digit(bytes.next()?)?);
            let leading_zero = *slot == 0;
            while let Some(byte) = bytes.next_if(|byte| *byte != b'/') {
                let digit = digit(byte).filter(|_| !leading_zero)?;
                *slot = slot.checked_mul(10)?.checked_add(u16::from(digit))?;
            }
            count += 1;
            if bytes.next().is_none() {
                return Some(Self { ids, count, absolute, entry });
            }
        }
    }

    fn as_slice(&self) -> &[u16] {
        self.ids.get(..self.count).unwrap_or_default()
    }

    fn path(&self) -> Option<Path> {
        Path::from_ids(self.as_slice()).ok()
    }

    /// The instance id, if there is one, and the ids of resource and resource instance, of a name
    /// in Create on `object`. A name of two ids that begins with the object, and one that does not
    /// begin with a slash and has less than three ids, has no instance id.
    fn below(&self, object: &Path) -> Option<(Option<u16>, &[u16])> {
        match self.as_slice() {
            ids @ ([_] | [_, _]) if !self.absolute => Some((None, ids)),
            [first, resource @ ..] if resource.len() == 1 => {
                (object.object_id() == Some(*first)).then_some((None, resource))
            }
            [first, instance, resource @ ..] => {
                let instance = Some(*instance).filter(|id| *id != ANY_INSTANCE);
                (object.object_id() == Some(*first)).then_some((instance, resource))
            }
            _ => None,
        }
    }
}

fn digit(byte: u8) -> Option<u8> {
    byte.checked_sub(b'0').filter(|digit| *digit < 10)
}
