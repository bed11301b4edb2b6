//! All objects of the device with their definitions: what exists, and what it may do.

use super::{HIDDEN, Object};
use crate::error::{ConfigError, Refusal};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use lwm2m_codec::link::Link;
use lwm2m_core::{DataType, Model, ObjectVersion, Path, ResourceModel, Version};
use lwm2m_objects::{ObjectDefinition, Registry, ResourceDefinition, default_version};

/// Device, which every client has exactly once.
const DEVICE: u16 = 3;

/// The objects by id, each with its definition.
pub(crate) struct Store {
    objects: BTreeMap<u16, Box<dyn Object>>,
    definitions: Definitions,
}

/// What holds for this device; cheap to clone, so that objects can be changed meanwhile.
#[derive(Clone)]
pub(crate) struct Definitions {
    registry: Arc<Registry>,
    versions: Arc<BTreeMap<u16, ObjectVersion>>,
}

impl Definitions {
    pub(crate) fn object(&self, id: u16) -> Option<&ObjectDefinition> {
        self.registry.object(id, Some(*self.versions.get(&id)?))
    }

    pub(crate) fn resource_definition(&self, object: u16, id: u16) -> Option<&ResourceDefinition> {
        self.object(object)?.resource(id)
    }
}

impl Model for Definitions {
    fn resource(&self, object: u16, resource: u16) -> Option<ResourceModel> {
        Some(self.resource_definition(object, resource)?.model())
    }

    fn multiple_instances(&self, object: u16) -> Option<bool> {
        Some(self.object(object)?.multiple())
    }
}

impl Store {
    /// Takes the objects, each of which has to go with its definition.
    pub(crate) fn new(
        list: Vec<Box<dyn Object>>,
        registry: Registry,
        enabler: Version,
    ) -> Result<Self, ConfigError> {
        let mut objects = BTreeMap::new();
        let mut versions = BTreeMap::new();
        for object in list {
            let id = object.id();
            let version = object.version().unwrap_or_else(|| default_version(enabler, id));
            versions.insert(id, version);
            if objects.insert(id, object).is_some() {
                return Err(ConfigError::DuplicateObject(id));
            }
        }
        let definitions =
            Definitions { registry: Arc::new(registry), versions: Arc::new(versions) };
        let mut store = Self { objects, definitions };
        store.define()?;
        match store.instance_ids(DEVICE) == [0] {
            true => Ok(store),
            false => Err(ConfigError::MissingObject(DEVICE)),
        }
    }

    /// Gives each object its definition, which the object has to fit.
    fn define(&mut self) -> Result<(), ConfigError> {
        for (id, object) in &mut self.objects {
            let definition =
                self.definitions.object(*id).ok_or(ConfigError::UndefinedObject(*id))?;
            object.define(definition)?;
            for instance in instance_ids(object.as_ref()) {
                if instance != 0 && !definition.multiple() {
                    return Err(ConfigError::SingleInstance(Path::instance(*id, instance)));
                }
                let missing = |it: &&ResourceDefinition| {
                    it.mandatory() && !object.has_resource(instance, it.id())
                };
                if let Some(resource) = definition.resources().find(missing) {
                    let path = Path::resource(*id, instance, resource.id());
                    return Err(ConfigError::MissingResource(path));
                }
            }
        }
        Ok(())
    }

    /// The ids of all objects.
    pub(crate) fn object_ids(&self) -> Vec<u16> {
        self.objects.keys().copied().collect()
    }

    /// The definitions of all objects.
    pub(crate) fn definitions(&self) -> Definitions {
        self.definitions.clone()
    }

    /// An object.
    pub(crate) fn object(&self, id: u16) -> Option<&dyn Object> {
        Some(self.objects.get(&id)?.as_ref())
    }

    /// An object, to be changed.
    pub(crate) fn object_mut(&mut self, id: u16) -> Option<&mut dyn Object> {
        Some(self.objects.get_mut(&id)?.as_mut())
    }

    /// An object as the type that it is.
    pub(crate) fn object_as<T: Object>(&self, id: u16) -> Option<&T> {
        let object: &dyn Any = self.objects.get(&id)?.as_ref();
        object.downcast_ref()
    }

    /// An object as the type that it is, to be changed.
    pub(crate) fn object_as_mut<T: Object>(&mut self, id: u16) -> Option<&mut T> {
        let object: &mut dyn Any = self.objects.get_mut(&id)?.as_mut();
        object.downcast_mut()
    }

    /// The object of an instance that exists.
    pub(crate) fn with_instance(&self, object: u16, instance: u16) -> Result<&dyn Object, Refusal> {
        let object = self.object(object).filter(|object| object.has_instance(instance));
        object.ok_or(Refusal::NotFound)
    }

    /// The object of an instance that exists, to be changed.
    pub(crate) fn with_instance_mut(
        &mut self,
        object: u16,
        instance: u16,
    ) -> Result<&mut dyn Object, Refusal> {
        match self.has_instance(object, instance) {
            true => self.object_mut(object).ok_or(Refusal::NotFound),
            false => Err(Refusal::NotFound),
        }
    }

    /// Whether an instance exists.
    pub(crate) fn has_instance(&self, object: u16, instance: u16) -> bool {
        self.object(object).is_some_and(|object| object.has_instance(instance))
    }

    /// The ids of the instances of an object.
    pub(crate) fn instance_ids(&self, object: u16) -> Vec<u16> {
        self.object(object).map_or_else(Vec::new, instance_ids)
    }

    /// Whether the object exists, with instances or without.
    pub(crate) fn has_object(&self, object: u16) -> bool {
        self.objects.contains_key(&object)
    }

    /// Calls `visit` with each resource that an instance has and its definition knows.
    pub(crate) fn for_each_resource(
        &self,
        object: u16,
        instance: u16,
        visit: &mut dyn FnMut(&ResourceDefinition),
    ) {
        let Some(definition) = self.definitions.object(object) else { return };
        let Some(object) = self.object(object) else { return };
        object.for_each_resource(instance, &mut |id| {
            if let Some(resource) = definition.resource(id) {
                visit(resource);
            }
        });
    }

    /// The ids of the resources that an instance has and its definition knows.
    pub(crate) fn resource_ids(&self, object: u16, instance: u16) -> Vec<u16> {
        let mut ids = Vec::new();
        self.for_each_resource(object, instance, &mut |resource| ids.push(resource.id()));
        ids
    }

    /// Whether an instance has the resource and its definition knows it.
    pub(crate) fn has_resource(&self, object: u16, instance: u16, resource: u16) -> bool {
        self.definitions.resource_definition(object, resource).is_some()
            && self.object(object).is_some_and(|it| it.has_resource(instance, resource))
    }

    /// The resources, with their objects, that take values block by block.
    pub(crate) fn streamed(&self) -> BTreeSet<(u16, u16)> {
        let mut streamed = BTreeSet::new();
        for (id, object) in &self.objects {
            let resources = self.definitions.object(*id).into_iter().flat_map(|it| it.resources());
            let taken = resources.filter(|resource| {
                let opaque = resource.data_type() == DataType::Opaque && !resource.multiple();
                opaque && resource.operations().writable() && object.takes_blocks(resource.id())
            });
            streamed.extend(taken.map(|resource| (*id, resource.id())));
        }
        streamed
    }

    /// The link of an object, with its version unless a client of `enabler` implies it.
    pub(crate) fn object_link(&self, id: u16, enabler: Version) -> Link {
        let link = Link::to_path(&Path::object(id));
        match self.definitions.versions.get(&id) {
            Some(version) if *version != default_version(enabler, id) => link.with("ver", version),
            _ => link,
        }
    }

    /// The list of objects and instances, as Register and Update have it.
    pub(crate) fn links(&self, enabler: Version) -> Vec<Link> {
        let mut links = Vec::new();
        for (id, object) in self.objects.iter().filter(|(id, _)| !HIDDEN.contains(id)) {
            let own = self.object_link(*id, enabler);
            let before = links.len();
            if !own.params.is_empty() {
                links.push(own.clone());
            }
            object.for_each_instance(&mut |instance| {
                links.push(Link::to_path(&Path::instance(*id, instance)));
            });
            if links.len() == before {
                links.push(own);
            }
        }
        links
    }
}

fn instance_ids(object: &dyn Object) -> Vec<u16> {
    let mut ids = Vec::new();
    object.for_each_instance(&mut |id| ids.push(id));
    ids
}
