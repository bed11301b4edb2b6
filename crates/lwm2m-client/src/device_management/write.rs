//! Write (OMA LwM2M Core 6.3.3): Replace by PUT, Partial Update by POST.

use crate::error::Refusal;
use crate::format;
use crate::objects::store::{Definitions, Store};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use lwm2m_codec::decode;
use lwm2m_core::{Model, Node, ObjectInstance, ObjectLink, Path, Resource, Value, Version};

/// How a Write deals with what is there already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// The payload takes the place of what is there.
    Replace,
    /// The payload is added to what is there.
    PartialUpdate,
}

/// Writes a payload to `path`.
pub(crate) fn write(
    store: &mut Store,
    path: &Path,
    mode: Mode,
    version: Version,
    content_format: Option<u16>,
    payload: &[u8],
) -> Result<(), Refusal> {
    let [object, instance, ..] = *path.ids() else { return Err(Refusal::MethodNotAllowed) };
    let definitions = store.definitions();
    store.with_instance(object, instance)?;
    if let Some(resource) = path.resource_id() {
        check_target(store, path, resource)?;
    }
    let format = format::of_payload(version, content_format)?;
    let node = decode(format, path, payload, &definitions).map_err(|e| format::undecodable(&e))?;
    let mut values = as_instance(path, node);
    drop_unknown(store, object, &mut values);
    check_values(store, object, &values, |definition| {
        if definition.writable { Ok(true) } else { Err(Refusal::MethodNotAllowed) }
    })?;
    let removed = match (path.depth(), mode) {
        (2, Mode::Replace) => replaced(store, path, &values)?,
        _ => Vec::new(),
    };
    if mode == Mode::PartialUpdate || path.depth() == 4 {
        merge(store, object, instance, &mut values)?;
    }
    store.with_instance_mut(object, instance)?.write(instance, values, &removed)
}

/// Whether the resource, or resource instance, that a Write names can be written.
pub(crate) fn check_target(store: &Store, path: &Path, resource: u16) -> Result<(), Refusal> {
    let (Some(object), Some(instance)) = (path.object_id(), path.instance_id()) else {
        return Err(Refusal::MethodNotAllowed);
    };
    let model = store.definitions().resource(object, resource).ok_or(Refusal::NotFound)?;
    let target = store.with_instance(object, instance)?;
    if !model.operations.writable() {
        return Err(Refusal::MethodNotAllowed);
    }
    if !target.supports(resource) {
        return Err(Refusal::NotFound);
    }
    let Some(id) = path.resource_instance_id() else { return Ok(()) };
    if !model.multiple {
        return Err(Refusal::MethodNotAllowed);
    }
    match present_values(store, object, instance, resource)?.contains_key(&id) {
        true => Ok(()),
        false => Err(Refusal::NotFound),
    }
}

/// The decoded node as values of the instance that it belongs to.
pub(crate) fn as_instance(path: &Path, node: Node) -> ObjectInstance {
    let mut values = ObjectInstance::default();
    let resource = match node {
        Node::ObjectInstance(values) => return values,
        Node::Resource(resource) => resource,
        Node::ResourceInstance(value) => {
            let id = path.resource_instance_id().unwrap_or(0);
            Resource::Multiple(BTreeMap::from([(id, value)]))
        }
        Node::Root(_) | Node::Object(_) => return values,
    };
    if let Some(id) = path.resource_id() {
        values.resources.insert(id, resource);
    }
    values
}

/// Takes out resources that the definition or the object does not know: optional ones that this
/// device lacks are no error.
pub(crate) fn drop_unknown(store: &Store, object: u16, values: &mut ObjectInstance) {
    let definitions = store.definitions();
    let Some(target) = store.object(object) else { return };
    values
        .resources
        .retain(|id, _| definitions.resource(object, *id).is_some() && target.supports(*id));
}

/// What [`check_values`] tells of a resource that is about to be set.
pub(crate) struct Target {
    pub(crate) writable: bool,
}

/// Checks types, ranges and object links of all values that `admit` lets be set.
pub(crate) fn check_values(
    store: &Store,
    object: u16,
    values: &ObjectInstance,
    admit: impl Fn(Target) -> Result<bool, Refusal>,
) -> Result<(), Refusal> {
    let definitions = store.definitions();
    for (id, resource) in &values.resources {
        let definition = definitions.resource_definition(object, *id).ok_or(Refusal::NotFound)?;
        if admit(Target { writable: definition.operations().writable() })? {
            definition.check_resource(resource).map_err(|_| Refusal::BadRequest)?;
            check_links(store, resource)?;
        }
    }
    Ok(())
}

/// An object link names an existing instance, an object as a whole, or nothing.
fn check_links(store: &Store, resource: &Resource) -> Result<(), Refusal> {
    let sound = |value: &Value| match value {
        Value::ObjectLink(ObjectLink::NULL) => true,
        Value::ObjectLink(ObjectLink { object, instance: u16::MAX }) => store.has_object(*object),
        Value::ObjectLink(link) => store.has_instance(link.object, link.instance),
        _ => true,
    };
    let all = match resource {
        Resource::Single(value) => sound(value),
        Resource::Multiple(values) => values.values().all(sound),
    };
    if all { Ok(()) } else { Err(Refusal::BadRequest) }
}

/// The writable resources that a Replace of the instance at `path` removes.
fn replaced(store: &Store, path: &Path, values: &ObjectInstance) -> Result<Vec<u16>, Refusal> {
    let [object, instance] = *path.ids() else { return Ok(Vec::new()) };
    let definitions = store.definitions();
    let mut removed = store.resource_ids(object, instance);
    removed.retain(|id| !values.resources.contains_key(id) && writable(&definitions, object, *id));
    let mandatory = |id: &u16| definitions.resource(object, *id).is_some_and(|r| r.mandatory);
    if removed.iter().any(mandatory) { Err(Refusal::BadRequest) } else { Ok(removed) }
}

fn writable(definitions: &Definitions, object: u16, resource: u16) -> bool {
    definitions.resource(object, resource).is_some_and(|r| r.operations.writable())
}

/// Completes multiple-instance resources by the values that are there already.
fn merge(
    store: &Store,
    object: u16,
    instance: u16,
    values: &mut ObjectInstance,
) -> Result<(), Refusal> {
    for (id, resource) in &mut values.resources {
        if let Resource::Multiple(new) = resource {
            let mut merged = present_values(store, object, instance, *id)?;
            merged.append(new);
            *new = merged;
        }
    }
    Ok(())
}

/// The values of a multiple-instance resource; none if it is not there.
pub(crate) fn present_values(
    store: &Store,
    object: u16,
    instance: u16,
    resource: u16,
) -> Result<BTreeMap<u16, Value>, Refusal> {
    let target = store.with_instance(object, instance)?;
    if !target.has_resource(instance, resource) {
        return Ok(BTreeMap::new());
    }
    match target.read(instance, resource)?.into_owned() {
        Resource::Multiple(values) => Ok(values),
        Resource::Single(_) => Err(Refusal::Internal),
    }
}
