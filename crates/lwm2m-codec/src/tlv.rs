//! TLV (11542): trees below one object (OMA LwM2M Core 7.4.5).

use crate::tree::{Sink, Target};
use crate::typed::utf8;
use crate::{DecodeError, EncodeError};
use alloc::collections::BTreeMap;
use bytes::Bytes;
use lwm2m_core::{
    ContentFormat, DataType, Node, ObjectInstance, ObjectLink, Path, Resource, Value,
};
use lwm2m_tlv::{Entry, Kind, Reader, Writer, value};

pub(crate) fn encode(path: &Path, node: &Node) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::with_capacity(128);
    match (node, path.resource_id(), path.resource_instance_id()) {
        (Node::Object(object), ..) => {
            for (id, instance) in &object.instances {
                writer.nested(Kind::ObjectInstance, *id, |w| write_instance(w, instance));
            }
        }
        (Node::ObjectInstance(instance), ..) => write_instance(&mut writer, instance),
        (Node::Resource(resource), Some(id), _) => write_resource(&mut writer, id, resource),
        (Node::ResourceInstance(value), _, Some(id)) => {
            write_value(&mut writer, Kind::ResourceInstance, id, value);
        }
        _ => {
            return Err(EncodeError::UnsuitableFormat { format: ContentFormat::TLV, path: *path });
        }
    }
    finish(writer, path)
}

/// Encodes an instance for Create, in an Object Instance TLV if it has an id.
pub(crate) fn encode_create(
    path: &Path,
    id: Option<u16>,
    instance: &ObjectInstance,
) -> Result<Bytes, EncodeError> {
    let mut writer = Writer::with_capacity(128);
    match id {
        Some(id) => writer.nested(Kind::ObjectInstance, id, |w| write_instance(w, instance)),
        None => write_instance(&mut writer, instance),
    }
    finish(writer, path)
}

fn finish(writer: Writer, path: &Path) -> Result<Bytes, EncodeError> {
    let too_long = |_| EncodeError::TooLong { format: ContentFormat::TLV, path: *path };
    writer.finish().map(Bytes::from).map_err(too_long)
}

fn write_instance(writer: &mut Writer, instance: &ObjectInstance) {
    for (id, resource) in &instance.resources {
        write_resource(writer, *id, resource);
    }
}

fn write_resource(writer: &mut Writer, id: u16, resource: &Resource) {
    match resource {
        Resource::Single(value) => write_value(writer, Kind::Resource, id, value),
        Resource::Multiple(values) => write_multiple(writer, id, values),
    }
}

fn write_multiple(writer: &mut Writer, id: u16, values: &BTreeMap<u16, Value>) {
    writer.nested(Kind::MultipleResource, id, |writer| {
        for (id, value) in values {
            write_value(writer, Kind::ResourceInstance, *id, value);
        }
    });
}

fn write_value(writer: &mut Writer, kind: Kind, id: u16, value: &Value) {
    match value {
        Value::String(v) | Value::CoreLink(v) => writer.bytes(kind, id, v.as_bytes()),
        Value::Integer(v) | Value::Time(v) => writer.integer(kind, id, *v),
        Value::UnsignedInteger(v) => writer.unsigned(kind, id, *v),
        Value::Float(v) => writer.float(kind, id, *v),
        Value::Boolean(v) => writer.boolean(kind, id, *v),
        Value::Opaque(v) => writer.bytes(kind, id, v),
        Value::ObjectLink(v) => writer.object_link(kind, id, v.object, v.instance),
    }
}

/// Hands the values of `payload` to `sink`. Entries on top may stand at any level from the object
/// instance down to what the request addresses: levels above are taken from the request.
pub(crate) fn decode(
    target: Target<'_>,
    payload: &[u8],
    sink: &mut dyn Sink,
) -> Result<(), DecodeError> {
    let walk = &mut Walk { target, sink };
    Reader::new(payload).try_for_each(|entry| walk.entry(target.path, entry?))
}

/// Decodes the payload of Create. The instance is handed to `sink` with the id that is returned,
/// or with id 0 if the payload has none (or 65535, which stands for none).
pub(crate) fn decode_create(
    target: Target<'_>,
    payload: &[u8],
    sink: &mut dyn Sink,
) -> Result<Option<u16>, DecodeError> {
    let mut reader = Reader::new(payload);
    let first = reader.clone().next().transpose()?;
    let Some(wrapper) = first.filter(|entry| entry.kind == Kind::ObjectInstance) else {
        let path = child(target.path, 0, 0)?;
        decode(Target { path, ..target }, payload, sink)?;
        return Ok(None);
    };
    if let Some(second) = reader.nth(1) {
        return Err(DecodeError::Id { offset: second?.offset });
    }
    let id = (wrapper.id != u16::MAX).then_some(wrapper.id);
    let path = child(target.path, id.unwrap_or(0), wrapper.offset)?;
    let walk = &mut Walk { target: Target { path, ..target }, sink };
    wrapper.children().try_for_each(|entry| walk.entry(path, entry?))?;
    Ok(id)
}

struct Walk<'a, 'm> {
    target: Target<'m>,
    sink: &'a mut dyn Sink,
}

impl Walk<'_, '_> {
    /// Handles an entry; `above` is the path that its level hangs on, if the entry is nested, or
    /// the path of the request.
    fn entry(&mut self, above: Path, entry: Entry<'_>) -> Result<(), DecodeError> {
        let level = match entry.kind {
            Kind::ObjectInstance => 1,
            Kind::Resource | Kind::MultipleResource => 2,
            Kind::ResourceInstance => 3,
        };
        if above.depth() < level {
            return Err(DecodeError::Id { offset: entry.offset });
        }
        let path = child(above.prefix(level), entry.id, entry.offset)?;
        match entry.kind {
            Kind::Resource | Kind::ResourceInstance => self.leaf(path, &entry),
            Kind::ObjectInstance | Kind::MultipleResource => self.container(path, &entry),
        }
    }

    fn leaf(&mut self, path: Path, entry: &Entry<'_>) -> Result<(), DecodeError> {
        let data_type = self.target.admit(&path)?;
        self.sink.value(path, None, typed(path, data_type, entry.value)?)
    }

    fn container(&mut self, path: Path, entry: &Entry<'_>) -> Result<(), DecodeError> {
        if !self.target.path.overlaps(&path) {
            return Err(DecodeError::OutsideTarget { target: self.target.path, path });
        }
        self.target.admit_container(&path)?;
        if self.target.path.contains(&path) {
            self.sink.container(path)?;
        }
        entry.children().try_for_each(|inner| self.entry(path, inner?))
    }
}

fn child(path: Path, id: u16, offset: usize) -> Result<Path, DecodeError> {
    path.child(id).map_err(|_| DecodeError::Id { offset })
}

fn typed(path: Path, data_type: Option<DataType>, bytes: &[u8]) -> Result<Value, DecodeError> {
    let expected = data_type.unwrap_or(DataType::Opaque);
    let value = match expected {
        DataType::String => Ok(Value::String(utf8(path, bytes)?)),
        DataType::CoreLink => Ok(Value::CoreLink(utf8(path, bytes)?)),
        DataType::Integer => value::integer(bytes).map(Value::Integer),
        DataType::Time => value::integer(bytes).map(Value::Time),
        DataType::UnsignedInteger => value::unsigned(bytes).map(Value::UnsignedInteger),
        DataType::Float => value::float(bytes).map(Value::Float),
        DataType::Boolean => value::boolean(bytes).map(Value::Boolean),
        DataType::Opaque => Ok(Value::Opaque(Bytes::copy_from_slice(bytes))),
        DataType::ObjectLink => value::object_link(bytes)
            .map(|(object, instance)| Value::ObjectLink(ObjectLink { object, instance })),
        DataType::None => return Err(DecodeError::Type { path, expected }),
    };
    value.map_err(|_| DecodeError::Type { path, expected })
}
