//! Write-Attributes (OMA LwM2M Core 6.3.4): which attributes a request may set.

use crate::error::Refusal;
use crate::objects::read;
use crate::objects::store::Store;
use alloc::vec::Vec;
use lwm2m_core::{Attribute, AttributeName, Attributes, Model, Path, Version};

/// The attributes of a request on `path`, if all of them may be set there.
pub(crate) fn parse(
    store: &Store,
    path: &Path,
    version: Version,
    query: &[&[u8]],
) -> Result<Vec<Attribute>, Refusal> {
    check_target(store, path)?;
    let data_type = match (path.object_id(), path.resource_id()) {
        (Some(object), Some(id)) => store.definitions().resource(object, id).map(|r| r.data_type),
        _ => None,
    };
    read_all(version, query, |name| name.fits(path.depth(), data_type))
}

/// The attributes of an Observe-Composite: those that an object may have.
pub(crate) fn parse_composite(
    version: Version,
    query: &[&[u8]],
) -> Result<Vec<Attribute>, Refusal> {
    read_all(version, query, |name| name != AttributeName::Hqmax && name.fits(1, None))
}

fn read_all(
    version: Version,
    query: &[&[u8]],
    fits: impl Fn(AttributeName) -> bool,
) -> Result<Vec<Attribute>, Refusal> {
    let mut attributes = Vec::new();
    for parameter in query {
        let text = core::str::from_utf8(parameter).map_err(|_| Refusal::BadRequest)?;
        let attribute = Attribute::parse(text).map_err(|_| Refusal::BadRequest)?;
        let name = attribute.name;
        if name.since() > version || !fits(name) {
            return Err(Refusal::BadRequest);
        }
        attributes.push(attribute);
    }
    if consistent(&attributes) { Ok(attributes) } else { Err(Refusal::BadRequest) }
}

/// Whether the target is there and readable.
fn check_target(store: &Store, path: &Path) -> Result<(), Refusal> {
    match *path.ids() {
        [object] => store.object(object).map(|_| ()).ok_or(Refusal::NotFound),
        [object, instance] => store.with_instance(object, instance).map(|_| ()),
        [object, instance, resource] => read::check_readable(store, object, instance, resource),
        [_, _, _, _] => read::read(store, path).map(|_| ()),
        _ => Err(Refusal::MethodNotAllowed),
    }
}

/// The rules that hold among the attributes of one request.
fn consistent(attributes: &[Attribute]) -> bool {
    let set: Attributes = attributes.iter().copied().collect();
    let periods = match (set.get(AttributeName::Epmin), set.get(AttributeName::Epmax)) {
        (Some(shortest), Some(longest)) => shortest < longest,
        _ => true,
    };
    periods && set.thresholds_consistent()
}
