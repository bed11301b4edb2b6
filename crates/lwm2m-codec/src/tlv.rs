//! TLV (11542): trees below one object. OMA LwM2M Core 1.2, section 7.4.5.

use crate::error::{DecodeCause, DecodeError, EncodeError};
use crate::quirk::Quirk;
use crate::tree::{Sink, Target};
use crate::typed::utf8;
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

/// Encodes an instance for Create, in an Object Instance TLV if it has an ID.
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

/// Passes the values of `payload` to `sink`. Top entries may be of any level from the object instance
/// down to the path of the request, which provides the levels above.
pub(crate) fn decode(
    target: Target<'_>,
    payload: &[u8],
    sink: &mut dyn Sink,
) -> Result<(), DecodeError> {
    let walk = &mut Walk { target, sink };
    Reader::new(payload).try_for_each(|entry| walk.entry(target.path, read(entry)?))
}

/// Decodes the payload of Create. Passes the values to `sink` with the returned instance ID, or with ID
/// 0 if the payload has none or 65535.
pub(crate) fn decode_create(
    target: Target<'_>,
    payload: &[u8],
    sink: &mut dyn Sink,
) -> Result<Option<u16>, DecodeError> {
    let mut reader = Reader::new(payload);
    let first = reader.clone().next().map(read).transpose()?;
    let Some(wrapper) = first.filter(|entry| entry.kind == Kind::ObjectInstance) else {
        let path = child(target.path, 0).map_err(|cause| cause.at(0))?;
        decode(Target { path, ..target }, payload, sink)?;
        return Ok(None);
    };
    if let Some(second) = reader.nth(1) {
        return Err(DecodeCause::Id.at(read(second)?.offset));
    }
    let id = (wrapper.id != u16::MAX).then_some(wrapper.id);
    let path = child(target.path, id.unwrap_or(0)).map_err(|cause| cause.at(wrapper.offset))?;
    let walk = &mut Walk { target: Target { path, ..target }, sink };
    wrapper.children().try_for_each(|entry| walk.entry(path, read(entry)?))?;
    Ok(id)
}

struct Walk<'a, 'm> {
    target: Target<'m>,
    sink: &'a mut dyn Sink,
}

impl Walk<'_, '_> {
    /// Decodes an entry. `above` is the path of its parent entry, or the path of the request.
    fn entry(&mut self, above: Path, entry: Entry<'_>) -> Result<(), DecodeError> {
        let path = self.place(above, &entry).map_err(|cause| cause.at(entry.offset))?;
        match entry.kind {
            Kind::Resource | Kind::ResourceInstance => {
                self.leaf(path, &entry).map_err(|cause| cause.at(entry.offset))
            }
            Kind::ObjectInstance | Kind::MultipleResource => {
                let taken = self.container(path).map(|()| true);
                let taken =
                    taken.or_else(|cause| self.target.leave_out(path, cause).map(|()| false));
                if !taken.map_err(|cause| cause.at(entry.offset))? {
                    return Ok(());
                }
                entry.children().try_for_each(|inner| self.entry(path, read(inner)?))
            }
        }
    }

    /// The path of an entry.
    fn place(&self, above: Path, entry: &Entry<'_>) -> Result<Path, DecodeCause> {
        let level = match entry.kind {
            Kind::ObjectInstance => 1,
            Kind::Resource | Kind::MultipleResource => 2,
            Kind::ResourceInstance => 3,
        };
        let above = match above.object_id() {
            _ if above.depth() == level => above,
            _ if above.depth() > level => above.prefix(level),
            Some(object) if level == 2 => self.only_instance(object)?,
            _ => return Err(DecodeCause::Id),
        };
        child(above, entry.id)
    }

    /// The path of the instance of resources without an Object Instance TLV.
    fn only_instance(&self, object: u16) -> Result<Path, DecodeCause> {
        let reading = self.target.reading;
        if reading.model.multiple_instances(object) != Some(false) {
            return Err(DecodeCause::Id);
        }
        reading.forgive(Quirk::BareResources)?;
        Ok(Path::instance(object, 0))
    }

    fn leaf(&mut self, path: Path, entry: &Entry<'_>) -> Result<(), DecodeCause> {
        let read = |path, data_type| typed(path, data_type, entry.value);
        self.target.take(path, self.sink, None, read).map(drop)
    }

    fn container(&mut self, path: Path) -> Result<(), DecodeCause> {
        if !self.target.path.overlaps(&path) {
            return Err(DecodeCause::OutsideTarget { target: self.target.path, path });
        }
        self.target.admit_container(&path)?;
        if self.target.path.contains(&path) {
            self.sink.container(path)?;
        }
        Ok(())
    }
}

/// Converts the error of an entry.
fn read(entry: Result<Entry<'_>, lwm2m_tlv::Error>) -> Result<Entry<'_>, DecodeError> {
    entry.map_err(|error| DecodeCause::Tlv(error).at(error.offset()))
}

fn child(path: Path, id: u16) -> Result<Path, DecodeCause> {
    path.child(id).map_err(|_| DecodeCause::Id)
}

fn typed(path: Path, data_type: Option<DataType>, bytes: &[u8]) -> Result<Value, DecodeCause> {
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
        DataType::None => return Err(DecodeCause::Type { path, expected }),
    };
    value.map_err(|_| DecodeCause::Type { path, expected })
}
