//! Write-Attributes (OMA LwM2M Core 6.3.4), and which attributes hold where (7.3).

use super::read;
use crate::error::Refusal;
use crate::objects::store::Store;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use lwm2m_core::{Attribute, AttributeName, Attributes, Model, Path, Version};

/// The attributes that servers have set, by server and path.
#[derive(Default, Debug)]
pub(crate) struct AttributeTable {
    set: BTreeMap<(usize, Path), Attributes>,
}

impl AttributeTable {
    /// What the server `account` has set at `path` itself.
    pub(crate) fn at(&self, account: usize, path: &Path) -> Attributes {
        self.set.get(&(account, *path)).copied().unwrap_or_default()
    }

    /// What holds at `path`: inner levels win over outer ones.
    pub(crate) fn effective(&self, account: usize, path: &Path) -> Attributes {
        (1..=path.depth()).rev().fold(Attributes::default(), |inner, depth| {
            inner.or(&self.at(account, &path.prefix(depth)))
        })
    }

    /// What the server `account` has set below `path`.
    pub(crate) fn below(&self, account: usize, path: &Path) -> impl Iterator<Item = &Attributes> {
        let within = move |(owner, set): &(usize, Path)| *owner == account && path.contains(set);
        self.set.iter().filter(move |(place, _)| within(place)).map(|(_, attributes)| attributes)
    }

    /// Merges `attributes` into those at `path`.
    pub(crate) fn apply(&mut self, account: usize, path: Path, attributes: &[Attribute]) {
        let mut set = self.at(account, &path);
        attributes.iter().for_each(|attribute| set.apply(*attribute));
        if set.is_empty() {
            self.set.remove(&(account, path));
        } else {
            self.set.insert((account, path), set);
        }
    }

    /// Forgets what the server `account` has set.
    pub(crate) fn remove_account(&mut self, account: usize) {
        self.set.retain(|(owner, _), _| *owner != account);
    }

    /// Forgets what was set at `path` and below.
    pub(crate) fn remove_below(&mut self, path: &Path) {
        self.set.retain(|(_, set), _| !path.contains(set));
    }
}

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
