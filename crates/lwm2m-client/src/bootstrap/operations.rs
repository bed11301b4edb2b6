//! Bootstrap-Write, -Delete, -Discover and -Read (OMA LwM2M Core 6.1.7): what a bootstrap server
//! may do, which no access right limits.

use crate::device_management::{as_instance, drop_unknown};
use crate::error::Refusal;
use crate::format;
use crate::objects::store::Store;
use crate::objects::{read, security_ids as security, server};
use alloc::vec;
use alloc::vec::Vec;
use lwm2m_codec::decode;
use lwm2m_codec::link::Link;
use lwm2m_core::{Model, Node, Object, ObjectInstance, Operations, Path, Resource, Value, Version};

/// Device (3), whose only instance stays whatever is deleted.
const DEVICE: u16 = 3;
/// Access Control, which a bootstrap server may read besides Server.
const ACCESS_CONTROL: u16 = 2;

/// Values for one object instance.
struct Step {
    object: u16,
    instance: u16,
    values: ObjectInstance,
    removed: Vec<u16>,
}

/// Writes a payload to `path`: all of it, or nothing.
pub(crate) fn write(
    store: &mut Store,
    path: &Path,
    version: Version,
    content_format: Option<u16>,
    payload: &[u8],
) -> Result<(), Refusal> {
    if path.depth() > 3 {
        return Err(Refusal::BadRequest);
    }
    let format = format::of_payload(version, content_format)?;
    let definitions = store.definitions();
    let node = decode(format, path, payload, &definitions).map_err(|e| format::undecodable(&e))?;
    let mut steps = Vec::new();
    for (object, instance, values) in instances(path, node) {
        steps.push(step(store, object, instance, values, path.depth() < 3)?);
    }
    apply(store, steps)
}

/// Replaces the instances of each object of a Bootstrap-Pack; objects that the device lacks are
/// left out.
pub(crate) fn replace(store: &mut Store, node: Node, spared: &Path) -> Result<(), Refusal> {
    let mut steps = Vec::new();
    for (object, instance, values) in instances(&Path::ROOT, node) {
        if store.has_object(object) && Path::instance(object, instance) != *spared {
            steps.push(step(store, object, instance, values, true)?);
        }
    }
    let mut objects: Vec<u16> = steps.iter().map(|step| step.object).collect();
    objects.dedup();
    for object in objects {
        delete(store, &Path::object(object), spared)?;
    }
    apply(store, steps)
}

/// The instances that a node has values for.
fn instances(path: &Path, node: Node) -> Vec<(u16, u16, ObjectInstance)> {
    let of = |id: u16, object: Object| {
        object.instances.into_iter().map(move |(instance, values)| (id, instance, values))
    };
    match (node, path.object_id(), path.instance_id()) {
        (Node::Root(objects), ..) => {
            objects.into_iter().flat_map(|(id, object)| of(id, object)).collect()
        }
        (Node::Object(object), Some(id), _) => of(id, object).collect(),
        (node, Some(object), Some(instance)) => {
            vec![(object, instance, as_instance(path, node))]
        }
        _ => Vec::new(),
    }
}

/// Checks the values for one instance. `whole` ones take the place of all that may be set there.
fn step(
    store: &Store,
    object: u16,
    instance: u16,
    mut values: ObjectInstance,
    whole: bool,
) -> Result<Step, Refusal> {
    let definitions = store.definitions();
    let definition = definitions.object(object).ok_or(Refusal::BadRequest)?;
    if instance != 0 && !definition.multiple() {
        return Err(Refusal::BadRequest);
    }
    drop_unknown(store, object, &mut values);
    if !whole && values.resources.is_empty() {
        return Err(Refusal::BadRequest);
    }
    for (id, resource) in &values.resources {
        let definition = definitions.resource_definition(object, *id).ok_or(Refusal::BadRequest)?;
        definition.check_resource(resource).map_err(|_| Refusal::BadRequest)?;
    }
    let removed = if whole { replaced(store, object, instance, &values) } else { Vec::new() };
    Ok(Step { object, instance, values, removed })
}

/// The optional resources that whole `values` for an instance remove: those that can be set.
fn replaced(store: &Store, object: u16, instance: u16, values: &ObjectInstance) -> Vec<u16> {
    let definitions = store.definitions();
    let mut removed = store.resource_ids(object, instance);
    removed.retain(|id| {
        let settable = definitions.resource(object, *id).is_some_and(|it| {
            !it.mandatory && (it.operations.writable() || it.operations == Operations::NONE)
        });
        settable && !values.resources.contains_key(id)
    });
    removed
}

/// Hands the values to the objects, and restores what there was if one of them refuses.
fn apply(store: &mut Store, steps: Vec<Step>) -> Result<(), Refusal> {
    let mut done = Vec::new();
    for step in steps {
        let before = instance(store, step.object, step.instance);
        let object = store.object_mut(step.object).ok_or(Refusal::BadRequest)?;
        if let Err(refusal) = object.bootstrap_write(step.instance, step.values, &step.removed) {
            for (object, instance, before) in done {
                restore(store, object, instance, before);
            }
            return Err(refusal);
        }
        done.push((step.object, step.instance, before));
    }
    Ok(())
}

/// Puts an instance back as it was, or removes it if there was none.
pub(crate) fn restore(store: &mut Store, object: u16, id: u16, before: Option<ObjectInstance>) {
    let mut added = store.resource_ids(object, id);
    let Some(object) = store.object_mut(object) else { return };
    // The object has had these values before: it does not refuse them.
    let _ = match before {
        Some(values) => {
            added.retain(|resource| !values.resources.contains_key(resource));
            object.bootstrap_write(id, values, &added)
        }
        None => object.bootstrap_delete(id),
    };
}

/// All values of an object, whoever may read them.
pub(crate) fn object(store: &Store, id: u16) -> Object {
    let of = |instance_id| Some((instance_id, instance(store, id, instance_id)?));
    Object { instances: store.instance_ids(id).into_iter().filter_map(of).collect() }
}

/// All values of an instance; empty if the instance does not exist.
pub(crate) fn instance(store: &Store, object: u16, id: u16) -> Option<ObjectInstance> {
    let target = store.with_instance(object, id).ok()?;
    let mut values = ObjectInstance::default();
    store.for_each_resource(object, id, &mut |resource| {
        if resource.operations().executable() {
            return;
        }
        if let Ok(value) = target.read(id, resource.id()) {
            values.resources.insert(resource.id(), value.into_owned());
        }
    });
    Some(values)
}

/// Deletes what is at `path` except `spared`, the account of the bootstrap server, and /3/0.
pub(crate) fn delete(store: &mut Store, path: &Path, spared: &Path) -> Result<(), Refusal> {
    let objects = match *path.ids() {
        [] => store.object_ids(),
        [object] | [object, _] if store.has_object(object) => vec![object],
        [_] | [_, _] => return Err(Refusal::NotFound),
        _ => return Err(Refusal::MethodNotAllowed),
    };
    let kept = |instance: &Path| instance == spared || *instance == Path::instance(DEVICE, 0);
    if path.depth() == 2 && kept(path) {
        return Err(Refusal::BadRequest);
    }
    for id in objects {
        for instance in store.instance_ids(id) {
            let own = Path::instance(id, instance);
            if path.contains(&own) && !kept(&own) {
                store.object_mut(id).ok_or(Refusal::NotFound)?.bootstrap_delete(instance)?;
            }
        }
    }
    Ok(())
}

/// The links of all objects, or of one, after that of the enabler with its version.
pub(crate) fn discover(
    store: &Store,
    path: &Path,
    version: Version,
    own: &Path,
) -> Result<Vec<Link>, Refusal> {
    let objects = match *path.ids() {
        [] => store.object_ids(),
        [object] if store.has_object(object) => vec![object],
        [_] => return Err(Refusal::NotFound),
        _ => return Err(Refusal::BadRequest),
    };
    let mut links = vec![Link::to_path(&Path::ROOT).with("lwm2m", version)];
    for id in objects {
        list(store, id, version, own, &mut links);
    }
    Ok(links)
}

/// Adds the links of an object: its own, if it tells something, and those of its instances.
fn list(store: &Store, id: u16, version: Version, own: &Path, links: &mut Vec<Link>) {
    let link = store.object_link(id, version);
    let object = object(store, id);
    if object.instances.is_empty() || !link.params.is_empty() {
        links.push(link);
    }
    for (instance, values) in object.instances {
        let path = Path::instance(id, instance);
        let link = Link::to_path(&path);
        links.push(if path == *own { link } else { described(link, id, &values) });
    }
}

/// The link of an instance with the server that it belongs to.
fn described(mut link: Link, object: u16, values: &ObjectInstance) -> Link {
    let ssid = match object {
        security::ID => Some(security::SHORT_SERVER_ID),
        server::ID => Some(server::SHORT_SERVER_ID),
        _ => None,
    };
    if let Some(Resource::Single(Value::Integer(ssid))) =
        ssid.and_then(|resource| values.resources.get(&resource))
    {
        link = link.with("ssid", ssid);
    }
    match values.resources.get(&security::URI) {
        Some(Resource::Single(Value::String(uri))) if object == security::ID => {
            link.with("uri", uri)
        }
        _ => link,
    }
}

/// Reads Server or Access Control, or one of their instances; nothing else, since LwM2M 1.1.
pub(crate) fn read(store: &Store, path: &Path, version: Version) -> Result<Node, Refusal> {
    match *path.ids() {
        _ if version == Version::V1_0 => Err(Refusal::MethodNotAllowed),
        [server::ID | ACCESS_CONTROL] | [server::ID | ACCESS_CONTROL, _] => read::read(store, path),
        _ => Err(Refusal::Unauthorized),
    }
}
