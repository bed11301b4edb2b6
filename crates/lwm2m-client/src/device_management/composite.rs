//! Read-Composite and Write-Composite (OMA LwM2M Core 6.3.8, 6.3.9): FETCH and iPATCH on the root,
//! whose payloads name what they are about.

use super::delete::check_kept;
use super::write::{check_target, check_values, present_values};
use crate::error::Refusal;
use crate::format;
use crate::objects::HIDDEN;
use crate::objects::store::Store;
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::vec::Vec;
use lwm2m_codec::DecodeCause;
use lwm2m_codec::composite::{Change, decode_changes, decode_paths, supports_paths};
use lwm2m_core::{ContentFormat, DataType, Model, ObjectInstance, Path, Resource, Value, Version};

/// The paths that one request may name: what lives at each of them is held at once.
const MAX_PATHS: usize = 256;

/// What a Read-Composite or Observe-Composite names, each path once.
pub(crate) fn paths(
    version: Version,
    content_format: Option<u16>,
    payload: &[u8],
) -> Result<Vec<Path>, Refusal> {
    let format = of_payload(version, content_format, supports_paths)?;
    let paths = decode_paths(format, payload).map_err(|error| format::undecodable(&error))?;
    if paths.len() > MAX_PATHS { Err(Refusal::BadRequest) } else { Ok(paths) }
}

/// The format of the answer: the one asked for, or plain SenML of the kind of the request.
pub(crate) fn choose(
    version: Version,
    accept: Option<u16>,
    content_format: Option<u16>,
) -> Result<ContentFormat, Refusal> {
    let usual = match content_format.map(ContentFormat) {
        Some(ContentFormat::SENML_JSON | ContentFormat::SENML_ETCH_JSON) => {
            ContentFormat::SENML_JSON
        }
        _ => ContentFormat::SENML_CBOR,
    };
    let format = accept.map_or(usual, ContentFormat);
    let carries_any = lwm2m_codec::supports(format, &Path::ROOT);
    match carries_any && format::offers(version, format) {
        true => Ok(format),
        false => Err(Refusal::NotAcceptable),
    }
}

/// The format of a body that `fits`; LwM2M 1.0 has no composite operations.
fn of_payload(
    version: Version,
    content_format: Option<u16>,
    fits: impl Fn(ContentFormat) -> bool,
) -> Result<ContentFormat, Refusal> {
    if version == Version::V1_0 {
        return Err(Refusal::MethodNotAllowed);
    }
    let format = ContentFormat(content_format.ok_or(Refusal::BadRequest)?);
    let etch = matches!(format, ContentFormat::SENML_ETCH_JSON | ContentFormat::SENML_ETCH_CBOR);
    match fits(format) && (format::offers(version, format) || (etch && version >= Version::V1_2)) {
        true => Ok(format),
        false => Err(Refusal::UnsupportedContentFormat),
    }
}

/// What one instance is to become: values to set, and what to put back if a later one is refused.
struct Step {
    object: u16,
    instance: u16,
    values: ObjectInstance,
    before: ObjectInstance,
    absent: Vec<u16>,
}

/// Applies the changes in their order, all or none, and returns what they are about.
pub(crate) fn write(
    store: &mut Store,
    version: Version,
    content_format: Option<u16>,
    payload: &[u8],
) -> Result<Vec<Path>, Refusal> {
    let fits = |format| supports_paths(format) || format == ContentFormat::LWM2M_CBOR;
    let format = of_payload(version, content_format, fits)?;
    let definitions = store.definitions();
    let changes =
        decode_changes(format, payload, &definitions).map_err(|error| match error.cause {
            // It is a resource without a value: one to execute.
            DecodeCause::Type { expected: DataType::None, .. } => Refusal::MethodNotAllowed,
            _ => format::undecodable(&error),
        })?;
    let mut wanted = BTreeMap::new();
    for (path, value) in &changes {
        change(store, &mut wanted, path, value.as_ref())?;
    }
    let mut steps = Vec::new();
    for ((object, instance), values) in wanted {
        check_values(store, object, &values, |_| Ok(true))?;
        steps.push(step(store, object, instance, values)?);
    }
    apply(store, steps)?;
    Ok(changes.into_iter().map(|(path, _): Change| path).collect())
}

/// Notes one change among the values that its instance is to have.
fn change(
    store: &Store,
    wanted: &mut BTreeMap<(u16, u16), ObjectInstance>,
    path: &Path,
    value: Option<&Value>,
) -> Result<(), Refusal> {
    let [object, instance, resource, ..] = *path.ids() else { return Err(Refusal::BadRequest) };
    if HIDDEN.contains(&object) {
        return Err(Refusal::Unauthorized);
    }
    store.with_instance(object, instance)?;
    check_target(store, &path.prefix(3), resource)?;
    let values = &mut wanted.entry((object, instance)).or_default().resources;
    let Some(id) = path.resource_instance_id() else {
        let value = value.cloned().ok_or(Refusal::BadRequest)?;
        values.insert(resource, Resource::Single(value));
        return Ok(());
    };
    let multiple = store.definitions().resource(object, resource).is_some_and(|r| r.multiple);
    if !multiple {
        return Err(Refusal::MethodNotAllowed);
    }
    let target = match values.entry(resource) {
        Entry::Occupied(earlier) => earlier.into_mut(),
        Entry::Vacant(place) => {
            let present = present_values(store, object, instance, resource)?;
            place.insert(Resource::Multiple(present))
        }
    };
    let Resource::Multiple(present) = target else { return Err(Refusal::BadRequest) };
    match value {
        Some(value) => drop(present.insert(id, value.clone())),
        None => {
            present.remove(&id).ok_or(Refusal::NotFound)?;
            check_kept(store, &path.prefix(3), present.len())?;
        }
    }
    Ok(())
}

fn step(
    store: &Store,
    object: u16,
    instance: u16,
    values: ObjectInstance,
) -> Result<Step, Refusal> {
    let target = store.with_instance(object, instance)?;
    let mut before = ObjectInstance::default();
    let mut absent = Vec::new();
    for id in values.resources.keys() {
        match target.has_resource(instance, *id) {
            true => drop(before.resources.insert(*id, target.read(instance, *id)?.into_owned())),
            false => absent.push(*id),
        }
    }
    Ok(Step { object, instance, values, before, absent })
}

/// Hands the values to the objects, and puts back what was written before one of them refused.
fn apply(store: &mut Store, steps: Vec<Step>) -> Result<(), Refusal> {
    let mut done: Vec<Step> = Vec::new();
    for mut step in steps {
        let values = core::mem::take(&mut step.values);
        let target = store.with_instance_mut(step.object, step.instance)?;
        if let Err(refusal) = target.write(step.instance, values, &[]) {
            for step in done {
                let target = store.with_instance_mut(step.object, step.instance)?;
                target.write(step.instance, step.before, &step.absent)?;
            }
            return Err(refusal);
        }
        done.push(step);
    }
    Ok(())
}
