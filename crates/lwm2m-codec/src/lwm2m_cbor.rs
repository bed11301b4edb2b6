//! LwM2M CBOR (11544): nested maps whose keys concatenate to paths. OMA LwM2M Core 1.2, section 7.4.4.
//!
//! Keys begin with the object ID, regardless of the path of the request. Maps are never empty, so a
//! node without values cannot be encoded, and instances without resources are omitted.

use crate::cbor;
use crate::error::{DecodeCause, DecodeError, EncodeError};
use crate::ids::{ANY_INSTANCE, Chosen, Ids};
use crate::quirk::Quirk;
use crate::reading::Reading;
use crate::tree::{Sink, Target};
use crate::typed::scalar;
use bytes::Bytes;
use lwm2m_core::{ContentFormat, Node, Object, ObjectInstance, Path, Resource};
use lwm2m_senml::Value as Scalar;
use lwm2m_senml::cbor::{Decoder, Encoder};

const UNSIGNED: u8 = 0;
const ARRAY: u8 = 4;
const MAP: u8 = 5;

pub(crate) fn encode(path: &Path, node: &Node) -> Result<Bytes, EncodeError> {
    let mut out = Encoder::with_capacity(128);
    match node {
        Node::Root(objects) => {
            let objects = objects.iter().filter(|(_, object)| !is_empty(object));
            out.map(objects.clone().count());
            objects.for_each(|(id, object)| write_top_object(&mut out, *id, object));
        }
        Node::Object(object) => {
            out.map(usize::from(!is_empty(object)));
            write_top_object(&mut out, path.object_id().unwrap_or_default(), object);
        }
        Node::ObjectInstance(instance) => {
            out.map(usize::from(!instance_is_empty(instance)));
            key(&mut out, path.ids());
            write_instance(&mut out, instance);
        }
        Node::Resource(resource) => {
            out.map(usize::from(!resource_is_empty(resource)));
            key(&mut out, path.ids());
            write_resource(&mut out, resource);
        }
        Node::ResourceInstance(value) => {
            out.map(1);
            key(&mut out, path.ids());
            out.item(&scalar(value));
        }
    }
    finish(out, path)
}

/// Encodes an instance for Create, with the ID 65535 if it has none.
pub(crate) fn encode_create(
    object: Path,
    id: Option<u16>,
    instance: &ObjectInstance,
) -> Result<Bytes, EncodeError> {
    let mut out = Encoder::with_capacity(128);
    out.map(usize::from(!instance_is_empty(instance)));
    key(&mut out, &[object.object_id().unwrap_or_default(), id.unwrap_or(ANY_INSTANCE)]);
    write_instance(&mut out, instance);
    finish(out, &object)
}

/// Returns the payload, unless it is an empty map.
fn finish(out: Encoder, path: &Path) -> Result<Bytes, EncodeError> {
    let bytes = out.finish();
    match bytes.first() {
        Some(0xA0) | None => {
            let format = ContentFormat::LWM2M_CBOR;
            Err(EncodeError::UnsuitableFormat { format, path: *path })
        }
        Some(_) => Ok(Bytes::from(bytes)),
    }
}

fn is_empty(object: &Object) -> bool {
    object.instances.values().all(instance_is_empty)
}

fn instance_is_empty(instance: &ObjectInstance) -> bool {
    instance.resources.values().all(resource_is_empty)
}

fn resource_is_empty(resource: &Resource) -> bool {
    matches!(resource, Resource::Multiple(values) if values.is_empty())
}

/// Writes a key: one ID as an integer, several as an array.
fn key(out: &mut Encoder, ids: &[u16]) {
    if ids.len() > 1 {
        out.array(ids.len());
    }
    ids.iter().for_each(|id| out.unsigned((*id).into()));
}

/// Writes an object at the root. It shares its key with a single instance, as in the examples of OMA.
fn write_top_object(out: &mut Encoder, id: u16, object: &Object) {
    let mut instances = object.instances.iter().filter(|(_, node)| !instance_is_empty(node));
    match (instances.clone().count(), instances.clone().next()) {
        (1, Some((instance, node))) => {
            key(out, &[id, *instance]);
            write_instance(out, node);
        }
        (count, _) => {
            key(out, &[id]);
            out.map(count);
            instances.by_ref().for_each(|(id, node)| {
                key(out, &[*id]);
                write_instance(out, node);
            });
        }
    }
}

fn write_instance(out: &mut Encoder, instance: &ObjectInstance) {
    let resources = instance.resources.iter().filter(|(_, node)| !resource_is_empty(node));
    out.map(resources.clone().count());
    for (id, resource) in resources {
        key(out, &[*id]);
        write_resource(out, resource);
    }
}

fn write_resource(out: &mut Encoder, resource: &Resource) {
    match resource {
        Resource::Single(value) => out.item(&scalar(value)),
        Resource::Multiple(values) => {
            out.map(values.len());
            for (id, value) in values {
                key(out, &[*id]);
                out.item(&scalar(value));
            }
        }
    }
}

/// Passes the values of `payload` to `sink`.
pub(crate) fn decode(
    target: Target<'_>,
    payload: &[u8],
    sink: &mut dyn Sink,
) -> Result<(), DecodeError> {
    walk_all(target, payload, &mut |ids, decoder| {
        let Some(path) = ids.path() else { return Err(malformed(decoder)) };
        leaf(target, path, decoder, sink)
    })
}

/// Decodes the payload of Create, as [`crate::tlv::decode_create`] does.
pub(crate) fn decode_create(
    target: Target<'_>,
    payload: &[u8],
    sink: &mut dyn Sink,
) -> Result<Option<u16>, DecodeError> {
    let mut chosen = Chosen::new(target.path);
    walk_all(target, payload, &mut |ids, decoder| {
        let path = chosen.path(&ids).map_err(|cause| cause.at(decoder.offset()))?;
        let Some(path) = path else { return Err(malformed(decoder)) };
        leaf(target, path, decoder, sink)
    })?;
    Ok(chosen.instance())
}

/// Takes the value at `path`, or a node without values.
fn leaf(
    target: Target<'_>,
    path: Path,
    decoder: &mut Decoder<'_>,
    sink: &mut dyn Sink,
) -> Result<(), DecodeError> {
    let begin = decoder.clone();
    let at = |cause: DecodeCause| cause.at(begin.offset());
    if target.reading.is_answer() && take_nothing(decoder) {
        let node = Target { path, ..target };
        if node.is_container() || begin.major() == Some(MAP) {
            let taken = empty(target, path, sink);
            return taken.or_else(|cause| target.leave_out(path, cause)).map_err(at);
        }
        *decoder = begin.clone();
    }
    let read = |path, data_type| cbor::read(target.reading, decoder, path, data_type);
    if !target.take(path, sink, None, read).map_err(at)? {
        // The value may be an array, which was not read.
        *decoder = begin;
        decoder.skip().map_err(|_| malformed(decoder))?;
    }
    Ok(())
}

/// Takes an empty map or null, if it is next.
fn take_nothing(decoder: &mut Decoder<'_>) -> bool {
    let mut ahead = decoder.clone();
    let taken = match ahead.map() {
        Ok(mut remaining) => ahead.ends(&mut remaining),
        Err(_) => matches!(ahead.item(), Ok(Scalar::Null)),
    };
    if taken {
        *decoder = ahead;
    }
    taken
}

/// Notes a node without values.
fn empty(target: Target<'_>, path: Path, sink: &mut dyn Sink) -> Result<(), DecodeCause> {
    if !target.path.overlaps(&path) {
        return Err(DecodeCause::OutsideTarget { target: target.path, path });
    }
    target.reading.forgive(Quirk::EmptyMap)?;
    target.admit_container(&path)?;
    if path.depth() > 1 && target.path.contains(&path) { sink.container(path) } else { Ok(()) }
}

const fn malformed(decoder: &Decoder<'_>) -> DecodeError {
    DecodeCause::Cbor.at(decoder.offset())
}

type Leaf<'f> = &'f mut dyn FnMut(Ids, &mut Decoder<'_>) -> Result<(), DecodeError>;

fn walk_all(target: Target<'_>, payload: &[u8], leaf: Leaf<'_>) -> Result<(), DecodeError> {
    let mut decoder = Decoder::new(payload);
    if target.reading.is_answer() && take_nothing(&mut decoder) {
        let forgiven = target.reading.forgive(Quirk::EmptyMap);
        forgiven.map_err(|cause| cause.at(0))?;
    } else {
        walk(target.reading, &mut decoder, Ids::default(), leaf)?;
    }
    if decoder.is_at_end() { Ok(()) } else { Err(malformed(&decoder)) }
}

/// Decodes a map whose keys continue `above`. Each level adds an ID and a path has at most four, which
/// bounds the nesting.
fn walk(
    reading: &Reading<'_>,
    decoder: &mut Decoder<'_>,
    above: Ids,
    leaf: Leaf<'_>,
) -> Result<(), DecodeError> {
    let mut remaining = decoder.map().map_err(|_| malformed(decoder))?;
    if decoder.ends(&mut remaining) {
        return Err(malformed(decoder));
    }
    loop {
        let ids = read_key(decoder, above)?;
        let nothing = reading.is_answer() && take_nothing(&mut decoder.clone());
        if decoder.major() == Some(MAP) && !nothing {
            walk(reading, decoder, ids, leaf)?;
        } else {
            leaf(ids, decoder)?;
        }
        if decoder.ends(&mut remaining) {
            return Ok(());
        }
    }
}

fn read_key(decoder: &mut Decoder<'_>, above: Ids) -> Result<Ids, DecodeError> {
    if decoder.major() != Some(ARRAY) {
        return read_id(decoder, above);
    }
    let mut remaining = decoder.array().map_err(|_| malformed(decoder))?;
    if decoder.ends(&mut remaining) {
        return Err(malformed(decoder));
    }
    let mut ids = above;
    loop {
        ids = read_id(decoder, ids)?;
        if decoder.ends(&mut remaining) {
            return Ok(ids);
        }
    }
}

fn read_id(decoder: &mut Decoder<'_>, above: Ids) -> Result<Ids, DecodeError> {
    let wrong = malformed(decoder);
    if decoder.major() != Some(UNSIGNED) {
        return Err(wrong);
    }
    let id = decoder.integer().ok().and_then(|id| u16::try_from(id).ok());
    id.and_then(|id| above.child(id)).ok_or(wrong)
}
