//! Create (OMA LwM2M Core 6.3.6): POST on an object.

use super::write::{check_values, drop_unknown};
use crate::error::Refusal;
use crate::format;
use crate::objects::store::Store;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use lwm2m_codec::{decode, decode_create};
use lwm2m_core::{ContentFormat, Model, Node, ObjectInstance, Path, Version};
use lwm2m_objects::ResourceDefinition;

/// The instances that a Create made.
pub(crate) struct Created {
    /// Their ids.
    pub(crate) instances: Vec<u16>,
    /// Whether the client chose the id, so that the server has to be told.
    pub(crate) chosen: bool,
}

/// Makes the instances of the payload: all or none.
pub(crate) fn create(
    store: &mut Store,
    object: u16,
    version: Version,
    content_format: Option<u16>,
    payload: &[u8],
) -> Result<Created, Refusal> {
    let definitions = store.definitions();
    let definition = definitions.object(object).ok_or(Refusal::NotFound)?;
    let present = store.instance_ids(object);
    if !definition.multiple() && (definition.mandatory() || !present.is_empty()) {
        return Err(Refusal::MethodNotAllowed);
    }
    let format = format::of_payload(version, content_format)?;
    let (mut wanted, chosen) = parse(store, object, format, payload, &present)?;
    let out_of_place = |id: &u16| present.contains(id) || (*id != 0 && !definition.multiple());
    if wanted.keys().any(out_of_place) {
        return Err(Refusal::BadRequest);
    }
    for values in wanted.values_mut() {
        complete(store, object, values)?;
    }
    let instances = insert(store, object, wanted)?;
    Ok(Created { instances, chosen })
}

/// The new instances by id, and whether the id was chosen here.
fn parse(
    store: &Store,
    object: u16,
    format: ContentFormat,
    payload: &[u8],
    present: &[u16],
) -> Result<(BTreeMap<u16, ObjectInstance>, bool), Refusal> {
    let definitions = store.definitions();
    // Several instances can only be named as what lives at the object.
    let several = decode(format, &Path::object(object), payload, &definitions);
    if let Ok(Node::Object(object)) = several
        && object.instances.len() > 1
    {
        return Ok((object.instances, false));
    }
    let (id, values) = decode_create(format, object, payload, &definitions)
        .map_err(|error| format::undecodable(&error))?;
    let free = || {
        let taken: BTreeSet<u16> = present.iter().copied().collect();
        (0..u16::MAX).find(|id| !taken.contains(id))
    };
    let chosen = id.is_none();
    let id = id.or_else(free).ok_or(Refusal::BadRequest)?;
    Ok((BTreeMap::from([(id, values)]), chosen))
}

/// Makes the values of a request those of a whole instance, if they are sound.
fn complete(store: &Store, object: u16, values: &mut ObjectInstance) -> Result<(), Refusal> {
    let definitions = store.definitions();
    drop_unknown(store, object, values);
    // Values for read-only resources are ignored; the device has its own.
    values
        .resources
        .retain(|id, _| definitions.resource(object, *id).is_some_and(|r| r.operations.writable()));
    check_values(store, object, values, |_| Ok(true))?;
    let template = store.object(object).ok_or(Refusal::NotFound)?.template();
    for (id, resource) in template.resources {
        values.resources.entry(id).or_insert(resource);
    }
    let missing = |r: &ResourceDefinition| {
        r.mandatory() && !r.operations().executable() && !values.resources.contains_key(&r.id())
    };
    let definition = definitions.object(object).ok_or(Refusal::NotFound)?;
    if definition.resources().any(missing) { Err(Refusal::BadRequest) } else { Ok(()) }
}

/// Hands the instances to the object, and takes back those that it accepted before it refused one.
fn insert(
    store: &mut Store,
    object: u16,
    wanted: BTreeMap<u16, ObjectInstance>,
) -> Result<Vec<u16>, Refusal> {
    let target = store.object_mut(object).ok_or(Refusal::NotFound)?;
    let mut created = Vec::new();
    for (id, values) in wanted {
        if let Err(refusal) = target.create(id, values) {
            for id in created {
                target.delete(id)?;
            }
            return Err(refusal);
        }
        created.push(id);
    }
    Ok(created)
}
