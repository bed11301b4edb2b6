//! Object lists, each kept once for all devices that have it: a fleet of one kind has one list.

use crate::registration::ObjectList;
use hashbrown::HashTable;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::Arc;

/// All object lists of registered devices, with the number of devices that have each.
#[derive(Debug, Default)]
pub(crate) struct ObjectLists {
    table: HashTable<Shared>,
    hasher: RandomState,
    memory: usize,
}

#[derive(Debug)]
struct Shared {
    list: Arc<ObjectList>,
    hash: u64,
    devices: usize,
    memory: usize,
    /// The device without security that was the first to have it.
    payer: Option<SocketAddr>,
}

impl ObjectLists {
    /// The bytes that all lists take, by estimate.
    pub(crate) const fn memory(&self) -> usize {
        self.memory
    }

    /// The bytes that all lists would take if one device had `new`, in place of `old` if it has a
    /// list already.
    pub(crate) fn memory_after(&self, old: Option<&ObjectList>, new: &ObjectList) -> usize {
        let last = old.and_then(|old| self.get(old)).filter(|it| it.devices == 1);
        let known = self
            .get(new)
            .is_some_and(|it| last.is_none_or(|last| !Arc::ptr_eq(&last.list, &it.list)));
        let freed = last.map_or(0, |it| it.memory);
        let added = if known { 0 } else { new.memory_estimate() };
        (self.memory - freed).saturating_add(added)
    }

    /// The list of a payload, if some device has it as it was sent: then it need not be parsed. The
    /// hash has a random key, because devices choose the payload.
    pub(crate) fn find(&self, payload: &[u8]) -> Option<Arc<ObjectList>> {
        let hash = self.hasher.hash_one(payload);
        let found = self.table.find(hash, |it| it.list.payload() == Some(payload));
        found.map(|it| Arc::clone(&it.list))
    }

    /// Counts one more device with this list, and replaces it by the one that all of them share. If it
    /// is the first, the list belongs to `payer`; returns the bytes that it takes.
    pub(crate) fn acquire(
        &mut self,
        list: &mut Arc<ObjectList>,
        payer: Option<SocketAddr>,
    ) -> Option<usize> {
        let hash = self.hasher.hash_one(&**list);
        if let Some(shared) = self.table.find_mut(hash, |it| it.list == *list) {
            shared.devices += 1;
            *list = Arc::clone(&shared.list);
            return None;
        }
        let memory = list.memory_estimate();
        self.memory += memory;
        let shared = Shared { list: Arc::clone(list), hash, devices: 1, memory, payer };
        self.table.insert_unique(hash, shared, |it| it.hash);
        Some(memory)
    }

    /// Counts one device less with this list; the last one removes it. Returns the payer then, and the
    /// bytes that it took.
    pub(crate) fn release(&mut self, list: &ObjectList) -> Option<(SocketAddr, usize)> {
        let hash = self.hasher.hash_one(list);
        let mut found = self.table.find_entry(hash, |it| *it.list == *list).ok()?;
        let shared = found.get_mut();
        shared.devices -= 1;
        if shared.devices > 0 {
            return None;
        }
        let (Shared { memory, payer, .. }, _) = found.remove();
        self.memory -= memory;
        Some((payer?, memory))
    }

    fn get(&self, list: &ObjectList) -> Option<&Shared> {
        self.table.find(self.hasher.hash_one(list), |it| *it.list == *list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Arc<ObjectList> {
        Arc::new(ObjectList::parse(text.as_bytes()).unwrap())
    }

    fn acquired(lists: &mut ObjectLists, text: &str) -> Arc<ObjectList> {
        let mut list = list(text);
        lists.acquire(&mut list, None);
        list
    }

    #[test]
    fn equal_lists_are_one_until_the_last_device_goes() {
        let mut lists = ObjectLists::default();
        let first = acquired(&mut lists, "</1/0>,</3/0>");
        let memory = lists.memory();
        let second = acquired(&mut lists, "</1/0>,</3/0>");
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(lists.memory(), memory);
        let other = acquired(&mut lists, "</3/0>");
        assert!(!Arc::ptr_eq(&first, &other));
        lists.release(&other);
        assert_eq!(lists.memory(), memory);
        lists.release(&first);
        assert_eq!(lists.memory(), memory);
        lists.release(&second);
        assert_eq!((lists.memory(), lists.table.len()), (0, 0));
    }

    #[test]
    fn a_list_is_found_by_its_payload_while_a_device_has_it_as_it_was_sent() {
        const TEXT: &str = "</>;ct=110,</1/0>,</3/0>";
        let mut lists = ObjectLists::default();
        let first = acquired(&mut lists, TEXT);
        let found = lists.find(TEXT.as_bytes()).unwrap();
        assert!(Arc::ptr_eq(&first, &found));
        assert_eq!(*found, *list(TEXT), "what parsing would yield");
        assert!(lists.find(b"</1/0>,</3/0>").is_none());

        let changed = || {
            let mut list = list(TEXT);
            Arc::make_mut(&mut list).remove_instance(&lwm2m_core::Path::instance(1, 0));
            list
        };
        let (mut one, mut other) = (changed(), changed());
        lists.acquire(&mut one, None);
        lists.acquire(&mut other, None);
        assert!(Arc::ptr_eq(&one, &other), "changed lists are shared as well");
        lists.release(&first);
        assert!(lists.find(TEXT.as_bytes()).is_none(), "only the changed one is left");
    }

    #[test]
    fn what_a_change_would_take_is_what_it_takes() {
        const A: &str = "</1/0>,</3/0>";
        const B: &str = "</3/0>,</4/0>,</5/0>";
        let mut lists = ObjectLists::default();
        let steps = [(None, A), (Some(A), A), (None, A), (Some(A), B), (Some(B), A), (Some(A), B)];
        for (old, new) in steps.into_iter().chain([(Some(A), B)]) {
            let old = old.map(list);
            let expected = lists.memory_after(old.as_deref(), &list(new));
            old.into_iter().for_each(|old| _ = lists.release(&old));
            acquired(&mut lists, new);
            assert_eq!(lists.memory(), expected);
        }
    }
}
