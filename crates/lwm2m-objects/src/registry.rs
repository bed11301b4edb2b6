//! The registry: built-in definitions, overridden by those of the application.

use crate::definition::ObjectDefinition;
use crate::tables;
use alloc::vec::Vec;
use lwm2m_core::ObjectVersion;

static BUILTIN: Registry = Registry { own: Vec::new() };

/// Object definitions by ID and version.
#[derive(Clone, Debug)]
pub struct Registry {
    /// Sorted by ID and version, without duplicates.
    own: Vec<ObjectDefinition>,
}

impl Registry {
    /// The definitions of the OMA registry, which are constants.
    #[must_use]
    pub fn builtin() -> &'static Self {
        &BUILTIN
    }

    /// The built-in definitions and those of the application. A definition replaces a built-in or
    /// earlier one of the same ID and version.
    #[must_use]
    pub fn with(definitions: impl IntoIterator<Item = ObjectDefinition>) -> Self {
        let mut own: Vec<ObjectDefinition> = Vec::new();
        for definition in definitions {
            match own.binary_search_by_key(&key(&definition), key) {
                Ok(place) => own.splice(place..=place, [definition]).for_each(drop),
                Err(place) => own.insert(place, definition),
            }
        }
        Self { own }
    }

    /// The definition of a version of an object, or without a version the newest one. For an unknown
    /// version, the newest definition of the same major version, because minor versions are
    /// compatible. `None` if the object or its major version is unknown.
    #[must_use]
    pub fn object(&self, id: u16, version: Option<ObjectVersion>) -> Option<&ObjectDefinition> {
        if let Some(exact) = version.and_then(|version| self.exact(id, version)) {
            return Some(exact);
        }
        let fits = |known: &&ObjectDefinition| match version {
            Some(version) => known.version.major == version.major,
            None => true,
        };
        self.candidates(id).filter(fits).max_by_key(|known| known.version)
    }

    fn exact(&self, id: u16, version: ObjectVersion) -> Option<&ObjectDefinition> {
        let find = |table: &'static [ObjectDefinition]| {
            table.get(table.binary_search_by_key(&(id, version), key).ok()?)
        };
        match self.own.binary_search_by_key(&(id, version), key) {
            Ok(place) => self.own.get(place),
            Err(_) => find(tables::OBJECTS),
        }
    }

    /// The known versions of an object, oldest first.
    #[must_use]
    pub fn versions(&self, id: u16) -> Vec<&ObjectDefinition> {
        let mut versions: Vec<_> = self.candidates(id).collect();
        versions.sort_by_key(|definition| definition.version);
        versions
    }

    /// All definitions: first the built-in ones, then those of the application, both by ID and
    /// version.
    pub fn objects(&self) -> impl Iterator<Item = &ObjectDefinition> {
        self.layered(tables::OBJECTS, &self.own)
    }

    fn candidates(&self, id: u16) -> impl Iterator<Item = &ObjectDefinition> {
        self.layered(of_object(tables::OBJECTS, id), of_object(&self.own, id))
    }

    fn layered<'a>(
        &'a self,
        below: &'a [ObjectDefinition],
        above: &'a [ObjectDefinition],
    ) -> impl Iterator<Item = &'a ObjectDefinition> {
        let visible = |definition: &&_| {
            self.own.is_empty() || self.own.binary_search_by_key(&key(definition), key).is_err()
        };
        below.iter().filter(visible).chain(above)
    }
}

fn key(definition: &ObjectDefinition) -> (u16, ObjectVersion) {
    (definition.id, definition.version)
}

/// The part of a sorted table with the versions of one object.
fn of_object(table: &[ObjectDefinition], id: u16) -> &[ObjectDefinition] {
    let start = table.partition_point(|definition| definition.id < id);
    let rest = table.get(start..).unwrap_or(&[]);
    // An object has few versions.
    let count = rest.iter().take_while(|definition| definition.id == id).count();
    rest.get(..count).unwrap_or(&[])
}
