//! Object instances that servers made, wrote to or deleted, and the accounts of a bootstrap.

use crate::bootstrap::values_of;
use crate::client::Client;
use crate::objects::store::Store;
use crate::objects::{security_ids as security, server};
use crate::records::{self, INSTANCES, KeptInstance};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use lwm2m_core::{ContentFormat, Node, ObjectInstance, Path};

/// What servers have done to an instance.
#[derive(Default)]
pub(super) struct Touched {
    pub(super) deleted: bool,
    pub(super) made: bool,
    /// The resources that they wrote.
    pub(super) resources: BTreeSet<u16>,
}

impl Client {
    /// Keeps what a server has written at a path.
    pub(super) fn keep_written(&mut self, path: &Path) {
        let [object, instance, ref rest @ ..] = *path.ids() else { return };
        let written = match rest.first() {
            Some(resource) => BTreeSet::from([*resource]),
            None => writable(&self.cx.store, object),
        };
        self.keeping.instances.entry((object, instance)).or_default().resources.extend(written);
        self.write_instance((object, instance));
    }

    /// Keeps that a server has made or deleted an instance.
    pub(super) fn keep_instance(&mut self, path: &Path) {
        let [object, instance] = *path.ids() else { return };
        let id = (object, instance);
        if self.cx.store.has_instance(object, instance) {
            let resources = writable(&self.cx.store, object);
            self.keeping.instances.insert(id, Touched { deleted: false, made: true, resources });
            return self.write_instance(id);
        }
        self.forget_attributes();
        let gone = Touched { deleted: true, ..Touched::default() };
        match self.keeping.instances.insert(id, gone) {
            // What a server had made is gone without a trace. After a restart the device has again
            // what its maker gave it.
            Some(before) if before.made && !before.deleted => self.forget_instance(id),
            _ => self.write_instance(id),
        }
    }

    /// Keeps the accounts that a bootstrap has made.
    pub(crate) fn keep_accounts(&mut self) {
        if !self.cx.is_kept() {
            return;
        }
        let of_accounts = |(object, _): &(u16, u16)| [security::ID, server::ID].contains(object);
        let mut known: BTreeSet<_> = self.keeping.instances.keys().copied().collect();
        known.retain(of_accounts);
        for object in [security::ID, server::ID] {
            for instance in self.cx.store.instance_ids(object) {
                let resources = self.cx.store.resource_ids(object, instance).into_iter().collect();
                let made = Touched { deleted: false, made: true, resources };
                self.keeping.instances.insert((object, instance), made);
                self.write_instance((object, instance));
                known.remove(&(object, instance));
            }
        }
        known.into_iter().for_each(|id| self.forget_instance(id));
    }

    /// Forgets what servers have done to instances of an object that the application has made or
    /// removed since.
    pub(crate) fn keep_changes_of(&mut self, object: u16) {
        let (store, kept) = (&self.cx.store, &self.keeping.instances);
        let differs = |(id, touched): (&(u16, u16), &Touched)| {
            (store.has_instance(id.0, id.1) == touched.deleted).then_some(*id)
        };
        let range = (object, 0)..=(object, u16::MAX);
        let changed: Vec<_> = kept.range(range).filter_map(differs).collect();
        changed.into_iter().for_each(|id| self.forget_instance(id));
    }

    fn forget_instance(&mut self, id: (u16, u16)) {
        self.keeping.instances.remove(&id);
        self.cx.promise(records::remove(INSTANCES, records::instance_key(id)));
    }

    fn write_instance(&mut self, id: (u16, u16)) {
        let Some(touched) = self.keeping.instances.get(&id) else { return };
        let value = kept(&self.cx.store, id, touched);
        self.cx.promise(records::put(INSTANCES, records::instance_key(id), &value));
    }
}

/// The resources of an object that servers can write and that an instance can have, without those that
/// the object takes block by block and keeps in its own way.
fn writable(store: &Store, object: u16) -> BTreeSet<u16> {
    let definitions = store.definitions();
    let (Some(definition), Some(target)) = (definitions.object(object), store.object(object))
    else {
        return BTreeSet::new();
    };
    let written = definition.resources().filter(|it| it.operations().writable());
    let ids = written.map(lwm2m_objects::ResourceDefinition::id);
    ids.filter(|id| target.supports(*id) && !target.takes_blocks(*id)).collect()
}

fn kept(store: &Store, (object, instance): (u16, u16), touched: &Touched) -> KeptInstance {
    let Touched { deleted, made, ref resources } = *touched;
    if deleted {
        return KeptInstance { deleted, ..KeptInstance::default() };
    }
    let mut values = values_of(store, object, instance).unwrap_or_default();
    let takes = |id: &u16| store.object(object).is_some_and(|it| it.takes_blocks(*id));
    values.resources.retain(|id, _| resources.contains(id) && !takes(id));
    let absent = resources.iter().filter(|id| !values.resources.contains_key(id) && !takes(id));
    let absent = absent.copied().collect();
    let path = Path::instance(object, instance);
    let values = encode(&path, values);
    KeptInstance { deleted, made, values, absent }
}

/// The values of an instance; empty if it has none.
fn encode(path: &Path, values: ObjectInstance) -> Vec<u8> {
    let node = Node::ObjectInstance(values);
    let encoded = lwm2m_codec::encode(ContentFormat::SENML_CBOR, path, &node);
    encoded.map_or_else(|_| Vec::new(), |bytes| bytes.to_vec())
}

/// Reads what [`encode`] wrote. Resources that the definitions do not have any more are left out.
pub(super) fn decode(store: &Store, path: &Path, bytes: &[u8]) -> Option<ObjectInstance> {
    if bytes.is_empty() {
        return Some(ObjectInstance::default());
    }
    let definitions = store.definitions();
    match lwm2m_codec::decode(ContentFormat::SENML_CBOR, path, bytes, &definitions).ok()? {
        Node::ObjectInstance(values) => Some(values),
        _ => None,
    }
}
