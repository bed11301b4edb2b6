//! Read (OMA LwM2M Core 6.3.1): an object, an instance, a resource or a resource instance.

use crate::error::Refusal;
use crate::objects::store::Store;
use lwm2m_core::{Model, Node, Object, ObjectInstance, Path, Resource};

/// What lives at `path`, as far as servers may read it.
pub(crate) fn read(store: &mut Store, path: &Path) -> Result<Node, Refusal> {
    match *path.ids() {
        [object] => read_object(store, object).map(Node::Object),
        [object, instance] => read_instance(store, object, instance).map(Node::ObjectInstance),
        [object, instance, resource] => {
            read_resource(store, object, instance, resource).map(Node::Resource)
        }
        [object, instance, resource, id] => {
            match read_resource(store, object, instance, resource)? {
                Resource::Single(_) => Err(Refusal::MethodNotAllowed),
                Resource::Multiple(mut values) => {
                    values.remove(&id).map(Node::ResourceInstance).ok_or(Refusal::NotFound)
                }
            }
        }
        _ => Err(Refusal::MethodNotAllowed),
    }
}

fn read_object(store: &mut Store, object: u16) -> Result<Object, Refusal> {
    let ids = store.object(object).ok_or(Refusal::NotFound)?.instances();
    let read = |id| Ok((id, read_instance(store, object, id)?));
    Ok(Object { instances: ids.into_iter().map(read).collect::<Result<_, Refusal>>()? })
}

/// The readable resources of an instance.
fn read_instance(store: &mut Store, object: u16, instance: u16) -> Result<ObjectInstance, Refusal> {
    store.with_instance(object, instance)?;
    let definitions = store.definitions();
    let mut values = ObjectInstance::default();
    for id in store.resources(object, instance) {
        let readable = definitions.resource(object, id).is_some_and(|r| r.operations.readable());
        if readable {
            let value = store.with_instance(object, instance)?.read(instance, id)?;
            values.resources.insert(id, value);
        }
    }
    Ok(values)
}

fn read_resource(
    store: &mut Store,
    object: u16,
    instance: u16,
    resource: u16,
) -> Result<Resource, Refusal> {
    check_readable(store, object, instance, resource)?;
    store.with_instance(object, instance)?.read(instance, resource)
}

/// Whether a resource is there and may be read. One that only a bootstrap server may touch is
/// refused alike, whether it is there or not.
pub(crate) fn check_readable(
    store: &mut Store,
    object: u16,
    instance: u16,
    resource: u16,
) -> Result<(), Refusal> {
    let present = store.with_instance(object, instance)?.resources(instance).contains(&resource);
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
