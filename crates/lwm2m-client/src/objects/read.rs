//! Reading what servers may read (OMA LwM2M Core 6.3.1): trees of values, or payloads right away.

use super::HIDDEN;
use super::store::Store;
use crate::error::Refusal;
use crate::format;
use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use bytes::Bytes;
use lwm2m_codec::PackWriter;
use lwm2m_core::{ContentFormat, Model, Node, Object, ObjectInstance, Path, Resource};

/// What lives at `path`, as far as servers may read it.
pub(crate) fn read(store: &Store, path: &Path) -> Result<Node, Refusal> {
    match *path.ids() {
        [object] => read_object(store, object).map(Node::Object),
        [object, instance] => read_instance(store, object, instance).map(Node::ObjectInstance),
        [object, instance, resource] => read_resource(store, object, instance, resource)
            .map(|value| Node::Resource(value.into_owned())),
        [object, instance, resource, id] => {
            match &*read_resource(store, object, instance, resource)? {
                Resource::Single(_) => Err(Refusal::MethodNotAllowed),
                Resource::Multiple(values) => {
                    values.get(&id).cloned().map(Node::ResourceInstance).ok_or(Refusal::NotFound)
                }
            }
        }
        _ => Err(Refusal::MethodNotAllowed),
    }
}

/// What lives at one of the named paths, if it is there and may be read; the root is all objects.
pub(crate) fn read_if_present(store: &Store, path: &Path) -> Option<Node> {
    match path.object_id() {
        Some(id) if HIDDEN.contains(&id) => None,
        Some(_) => read(store, path).ok(),
        None => {
            let ids = store.object_ids();
            let objects =
                ids.into_iter().filter_map(|id| match read_if_present(store, &Path::object(id)) {
                    Some(Node::Object(object)) => Some((id, object)),
                    _ => None,
                });
            Some(Node::Root(objects.collect::<BTreeMap<u16, Object>>()))
        }
    }
}

/// All values of the named paths as one tree, in which each stands once.
pub(crate) fn merged<'a>(parts: impl IntoIterator<Item = (&'a Path, &'a Node)>) -> Node {
    let mut tree = Node::Root(BTreeMap::new());
    for (path, node) in parts {
        for (leaf, value) in node.leaves(path) {
            tree.insert(&Path::ROOT, &leaf, value.clone());
        }
    }
    tree
}

/// The payload of a Read, written value by value while the objects are visited. `None` if the
/// format or the path needs the [whole node](read) first.
pub(crate) fn stream(
    store: &Store,
    path: &Path,
    format: ContentFormat,
) -> Result<Option<Bytes>, Refusal> {
    let Some(mut pack) = PackWriter::new(format, path) else { return Ok(None) };
    let mut write = |instance: u16, resource: u16, value: &Resource| {
        let object = path.object_id().unwrap_or_default();
        let written = pack.resource(&Path::resource(object, instance, resource), value);
        written.map_err(|error| format::unencodable(&error))
    };
    match *path.ids() {
        [object] => {
            store.object(object).ok_or(Refusal::NotFound)?;
            each_instance(store, object, &mut |instance| {
                each_value(store, object, instance, &mut |id, value| write(instance, id, &value))
            })?;
        }
        [object, instance] => {
            store.with_instance(object, instance)?;
            each_value(store, object, instance, &mut |id, value| write(instance, id, &value))?;
        }
        _ => return Ok(None),
    }
    Ok(Some(pack.finish()))
}

fn read_object(store: &Store, object: u16) -> Result<Object, Refusal> {
    store.object(object).ok_or(Refusal::NotFound)?;
    let mut read = Object::default();
    each_instance(store, object, &mut |instance| {
        read.instances.insert(instance, read_instance(store, object, instance)?);
        Ok(())
    })?;
    Ok(read)
}

/// The readable resources of an instance.
fn read_instance(store: &Store, object: u16, instance: u16) -> Result<ObjectInstance, Refusal> {
    store.with_instance(object, instance)?;
    let mut values = ObjectInstance::default();
    each_value(store, object, instance, &mut |id, value| {
        values.resources.insert(id, value.into_owned());
        Ok(())
    })?;
    Ok(values)
}

/// Visits the instances of an object until `visit` fails.
fn each_instance(
    store: &Store,
    object: u16,
    visit: &mut dyn FnMut(u16) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut outcome = Ok(());
    if let Some(target) = store.object(object) {
        target.for_each_instance(&mut |instance| {
            if outcome.is_ok() {
                outcome = visit(instance);
            }
        });
    }
    outcome
}

/// Takes a value and the id of its resource.
type TakeValue<'f> = dyn FnMut(u16, Cow<'_, Resource>) -> Result<(), Refusal> + 'f;

/// Visits the readable values of an instance until a read or `visit` fails.
fn each_value(
    store: &Store,
    object: u16,
    instance: u16,
    visit: &mut TakeValue<'_>,
) -> Result<(), Refusal> {
    let Some(target) = store.object(object) else { return Ok(()) };
    let mut outcome = Ok(());
    store.for_each_resource(object, instance, &mut |resource| {
        if outcome.is_ok() && resource.operations().readable() {
            let id = resource.id();
            outcome = target.read(instance, id).and_then(|value| visit(id, value));
        }
    });
    outcome
}

fn read_resource(
    store: &Store,
    object: u16,
    instance: u16,
    resource: u16,
) -> Result<Cow<'_, Resource>, Refusal> {
    check_readable(store, object, instance, resource)?;
    store.with_instance(object, instance)?.read(instance, resource)
}

/// Checks that a resource exists and may be read. A resource that only a bootstrap server may
/// touch is refused alike, whether it exists or not.
pub(crate) fn check_readable(
    store: &Store,
    object: u16,
    instance: u16,
    resource: u16,
) -> Result<(), Refusal> {
    let present = store.with_instance(object, instance)?.has_resource(instance, resource);
    let model = store.definitions().resource(object, resource).ok_or(Refusal::NotFound)?;
    let operations = model.operations;
    let bootstrap_only =
        !(operations.readable() || operations.writable() || operations.executable());
    match (present || bootstrap_only, operations.readable()) {
        (false, _) => Err(Refusal::NotFound),
        (true, false) => Err(Refusal::MethodNotAllowed),
        (true, true) => Ok(()),
    }
}
