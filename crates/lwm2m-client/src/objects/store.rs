//! All objects of the device with their definitions: what exists, and what it may do.

use crate::error::{ConfigError, Refusal};
use crate::object::Object;
use crate::objects::HIDDEN;
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::any::Any;
use lwm2m_codec::link::Link;
use lwm2m_core::{Model, ObjectVersion, Path, ResourceModel, Version};
use lwm2m_objects::{ObjectDefinition, Registry, ResourceDefinition, default_version};

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
        let store = Self { objects, definitions };
        store.check()?;
        Ok(store)
    }

    fn check(&self) -> Result<(), ConfigError> {
        for (id, object) in &self.objects {
            let definition =
                self.definitions.object(*id).ok_or(ConfigError::UndefinedObject(*id))?;
            for instance in object.instances() {
                if instance != 0 && !definition.multiple() {
                    return Err(ConfigError::SingleInstance(Path::instance(*id, instance)));
                }
                let present = object.resources(instance);
                let missing = |r: &&ResourceDefinition| r.mandatory() && !present.contains(&r.id());
                if let Some(resource) = definition.resources().find(missing) {
                    let path = Path::resource(*id, instance, resource.id());
                    return Err(ConfigError::MissingResource(path));
                }
            }
        }
        match self.objects.get(&3).is_some_and(|device| device.instances() == [0]) {
            true => Ok(()),
            false => Err(ConfigError::MissingObject(3)),
        }
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
    pub(crate) fn object(&mut self, id: u16) -> Option<&mut dyn Object> {
        Some(self.objects.get_mut(&id)?.as_mut())
    }

    /// An object as the type that it is.
    pub(crate) fn object_as<T: Object>(&mut self, id: u16) -> Option<&mut T> {
        let object: &mut dyn Any = self.objects.get_mut(&id)?.as_mut();
        object.downcast_mut()
    }

    /// The object of an instance that exists.
    pub(crate) fn with_instance(
        &mut self,
        object: u16,
        instance: u16,
    ) -> Result<&mut dyn Object, Refusal> {
        let object = self.object(object).ok_or(Refusal::NotFound)?;
        match object.instances().contains(&instance) {
            true => Ok(object),
            false => Err(Refusal::NotFound),
        }
    }

    /// Whether an instance exists.
    pub(crate) fn has_instance(&self, object: u16, instance: u16) -> bool {
        self.objects.get(&object).is_some_and(|object| object.instances().contains(&instance))
    }

    /// Whether the object exists, with instances or without.
    pub(crate) fn has_object(&self, object: u16) -> bool {
        self.objects.contains_key(&object)
    }

    /// The resources that an instance has and its definition knows.
    pub(crate) fn resources(&self, object: u16, instance: u16) -> Vec<u16> {
        let mut ids = self.objects.get(&object).map_or_else(Vec::new, |o| o.resources(instance));
        ids.retain(|id| self.definitions.resource_definition(object, *id).is_some());
        ids
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
            let instances = object.instances();
            if instances.is_empty() || !own.params.is_empty() {
                links.push(own);
            }
            let paths = instances.into_iter().map(|instance| Path::instance(*id, instance));
            links.extend(paths.map(|path| Link::to_path(&path)));
        }
        links
    }
}
