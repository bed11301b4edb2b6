//! Looks up the resources of an object, in the built-in tables or among its own.

use crate::definition::{ObjectDefinition, ResourceDefinition, Resources};
use crate::tables;

impl ObjectDefinition {
    /// The definition of a resource.
    #[must_use]
    pub fn resource(&self, id: u16) -> Option<&ResourceDefinition> {
        let (shared, owned) = self.slices();
        match owned.binary_search_by_key(&id, |r| r.id) {
            Ok(place) => owned.get(place),
            Err(_) => {
                // Many objects number their resources from 0 without gaps: try that index first.
                let own = |place: usize| built_in(shared.get(place)?).filter(|r| r.id == id);
                own(id.into()).or_else(|| {
                    own(shared.partition_point(|row| built_in(row).is_some_and(|r| r.id < id)))
                })
            }
        }
    }

    /// All resource definitions in ascending order of their IDs.
    pub fn resources(&self) -> impl Iterator<Item = &ResourceDefinition> {
        let (shared, owned) = self.slices();
        shared.iter().filter_map(built_in).chain(owned)
    }

    /// The resources as indices into the built-in table, and as own definitions. One of the two is
    /// empty.
    fn slices(&self) -> (&'static [u16], &[ResourceDefinition]) {
        match &self.resources {
            Resources::Shared { start, len } => {
                let start = usize::from(*start);
                (tables::LISTS.get(start..start + usize::from(*len)).unwrap_or(&[]), &[])
            }
            Resources::Owned(list) => (&[], list),
        }
    }
}

fn built_in<'a>(place: &u16) -> Option<&'a ResourceDefinition> {
    tables::RESOURCES.get(usize::from(*place))
}
