//! Delete (OMA LwM2M Core 6.3.7): an object instance, or a resource instance.

use crate::error::Refusal;
use crate::objects::store::Store;
use lwm2m_core::{Model, ObjectInstance, Path, Resource};

/// Removes what lives at `path`.
pub(crate) fn delete(store: &mut Store, path: &Path) -> Result<(), Refusal> {
    match *path.ids() {
        [object, instance] => delete_instance(store, object, instance),
        [object, instance, resource, id] => {
            delete_resource_instance(store, Path::resource(object, instance, resource), id)
        }
        _ => Err(Refusal::MethodNotAllowed),
    }
}

fn delete_instance(store: &mut Store, object: u16, instance: u16) -> Result<(), Refusal> {
    let definitions = store.definitions();
    let target = store.with_instance_mut(object, instance)?;
    // An object that every device has exactly once keeps its instance: /3/0.
    let needed = definitions.object(object).is_some_and(|d| d.mandatory() && !d.multiple());
    if needed { Err(Refusal::MethodNotAllowed) } else { target.delete(instance) }
}

fn delete_resource_instance(store: &mut Store, path: Path, id: u16) -> Result<(), Refusal> {
    let [object, instance, resource] = *path.ids() else { return Err(Refusal::MethodNotAllowed) };
    let definitions = store.definitions();
    let target = store.with_instance(object, instance)?;
    let present = target.has_resource(instance, resource);
    let model = definitions.resource(object, resource).filter(|_| present);
    let model = model.ok_or(Refusal::NotFound)?;
    if !model.multiple || !model.operations.writable() {
        return Err(Refusal::MethodNotAllowed);
    }
    let Resource::Multiple(mut values) = target.read(instance, resource)?.into_owned() else {
        return Err(Refusal::Internal);
    };
    values.remove(&id).ok_or(Refusal::NotFound)?;
    check_kept(store, &path, values.len())?;
    let target = store.with_instance_mut(object, instance)?;
    let values = ObjectInstance::default().with_multiple(resource, values);
    target.write(instance, values, &[])
}

/// A mandatory resource keeps at least one of its instances.
pub(crate) fn check_kept(store: &Store, path: &Path, left: usize) -> Result<(), Refusal> {
    let (Some(object), Some(resource)) = (path.object_id(), path.resource_id()) else {
        return Err(Refusal::NotFound);
    };
    let mandatory = store.definitions().resource(object, resource).is_some_and(|r| r.mandatory);
    if mandatory && left == 0 { Err(Refusal::MethodNotAllowed) } else { Ok(()) }
}
