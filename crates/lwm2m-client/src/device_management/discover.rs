//! Discover (OMA LwM2M Core 6.3.2): links with attributes instead of values.

use crate::error::Refusal;
use crate::ids::AccountId;
use crate::objects::store::Store;
use crate::reporting::AttributeTable;
use alloc::vec::Vec;
use lwm2m_codec::link::Link;
use lwm2m_core::{Attributes, Model, Path, Resource, Version};

/// The server that asks, and what it may learn.
pub(crate) struct Asking<'a> {
    pub(crate) account: AccountId,
    pub(crate) version: Version,
    pub(crate) attributes: &'a AttributeTable,
}

/// The links of `path` and of `depth` levels below it; without a depth, the usual levels.
pub(crate) fn discover(
    store: &Store,
    path: &Path,
    depth: Option<usize>,
    asking: &Asking<'_>,
) -> Result<Vec<Link>, Refusal> {
    check_target(store, path)?;
    let usual = if path.depth() == 1 { 2 } else { 1 };
    let deepest = (path.depth() + depth.unwrap_or(usual)).min(4);
    let mut links = Vec::new();
    walk(store, path, deepest, asking, &mut links);
    if let Some(own) = links.first_mut() {
        let inherited = asking.attributes.effective(asking.account, path);
        *own = with_attributes(plain(store, path, asking), &inherited);
    }
    Ok(links)
}

fn check_target(store: &Store, path: &Path) -> Result<(), Refusal> {
    match *path.ids() {
        [object] => store.object(object).map(|_| ()).ok_or(Refusal::NotFound),
        [object, instance] => store.with_instance(object, instance).map(|_| ()),
        [object, instance, resource] => {
            store.with_instance(object, instance)?;
            match store.has_resource(object, instance, resource) {
                true => Ok(()),
                false => Err(Refusal::NotFound),
            }
        }
        _ => Err(Refusal::MethodNotAllowed),
    }
}

fn walk(store: &Store, path: &Path, deepest: usize, asking: &Asking<'_>, links: &mut Vec<Link>) {
    let set = asking.attributes.at(asking.account, path);
    links.push(with_attributes(plain(store, path, asking), &set));
    if path.depth() >= deepest {
        return;
    }
    for id in children(store, path) {
        if let Ok(child) = path.child(id) {
            walk(store, &child, deepest, asking, links);
        }
    }
}

/// The ids one level below.
fn children(store: &Store, path: &Path) -> Vec<u16> {
    match *path.ids() {
        [object] => store.instance_ids(object),
        [object, instance] => store.resource_ids(object, instance),
        [_, _, _] => resource_instances(store, path).unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// The ids of the values of a multiple-instance resource.
fn resource_instances(store: &Store, path: &Path) -> Option<Vec<u16>> {
    let [object, instance, resource] = *path.ids() else { return None };
    let model = store.definitions().resource(object, resource)?;
    if !model.multiple {
        return None;
    }
    let target = store.with_instance(object, instance).ok()?;
    match &*target.read(instance, resource).ok()? {
        Resource::Multiple(values) => Some(values.keys().copied().collect()),
        Resource::Single(_) => None,
    }
}

/// The link of a path with its properties `ver` and `dim`.
fn plain(store: &Store, path: &Path, asking: &Asking<'_>) -> Link {
    match *path.ids() {
        [object] => store.object_link(object, asking.version),
        [_, _, _] => match resource_instances(store, path) {
            Some(values) => Link::to_path(path).with("dim", values.len()),
            None => Link::to_path(path),
        },
        _ => Link::to_path(path),
    }
}

fn with_attributes(link: Link, attributes: &Attributes) -> Link {
    attributes.iter().fold(link, |link, attribute| match attribute.value {
        Some(value) => link.with(attribute.name.as_str(), value),
        None => link,
    })
}

/// The query parameter `depth` of LwM2M 1.2.
pub(crate) fn depth(version: Version, query: &[&[u8]]) -> Result<Option<usize>, Refusal> {
    match query {
        [] => Ok(None),
        [[b'd', b'e', b'p', b't', b'h', b'=', digit @ b'0'..=b'3']] if version >= Version::V1_2 => {
            Ok(Some(usize::from(digit - b'0')))
        }
        _ => Err(Refusal::BadRequest),
    }
}
