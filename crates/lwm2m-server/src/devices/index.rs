//! An index of slots by hash.

use hashbrown::HashTable;

/// An index of up to so many slots keeps its memory.
const SMALL: usize = 1_024;

/// Slots by the hash of a key. The key stays in the value of the slot, with which the caller
/// compares: a name or an id is stored once. The hash is kept, so that growing reads no values.
#[derive(Debug, Default)]
pub(crate) struct Index {
    table: HashTable<Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: u32,
    slot: u32,
}

impl Entry {
    const fn new(hash: u64, slot: u32) -> Self {
        Self { hash: (hash >> 32) as u32, slot }
    }

    /// The table picks the bucket by the low bits of a hash, and tells its entries apart by the
    /// high ones.
    const fn wide(&self) -> u64 {
        (self.hash as u64) << 32 | self.hash as u64
    }
}

impl Index {
    /// The slot with this hash for which `is` holds.
    pub(crate) fn find(&self, hash: u64, mut is: impl FnMut(u32) -> bool) -> Option<u32> {
        let wanted = Entry::new(hash, 0);
        let found = self.table.find(wanted.wide(), |it| it.hash == wanted.hash && is(it.slot));
        found.map(|entry| entry.slot)
    }

    pub(crate) fn insert(&mut self, hash: u64, slot: u32) {
        let entry = Entry::new(hash, slot);
        self.table.insert_unique(entry.wide(), entry, Entry::wide);
    }

    pub(crate) fn remove(&mut self, hash: u64, slot: u32) {
        let entry = Entry::new(hash, slot);
        if let Ok(found) = self.table.find_entry(entry.wide(), |it| it.slot == slot) {
            found.remove();
        }
        // Gives memory back when most devices have gone.
        if self.table.capacity() > SMALL && self.table.len() < self.table.capacity() / 8 {
            self.table.shrink_to(2 * self.table.len(), Entry::wide);
        }
    }
}
