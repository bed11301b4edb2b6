//! A slab: values by key, in chunks, so that growing moves none of them.

/// Values per allocation.
const CHUNK: u32 = 256;

/// Names a value of a [`Slab`]. No other value ever has the same key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct SlabKey {
    pub(super) slot: u32,
    generation: u32,
}

#[derive(Debug)]
struct Slot<T> {
    /// Counts the values that this slot has held.
    generation: u32,
    value: Option<T>,
}

/// Slots next to each other. They are dropped while none of them has a value.
#[derive(Debug)]
struct Chunk<T> {
    slots: Vec<Slot<T>>,
    /// How many of them have a value.
    used: u32,
    /// The generation of new slots: higher than those of the slots that were dropped.
    generation: u32,
}

impl<T> Chunk<T> {
    /// Makes the slots of the chunk anew, if they were dropped.
    fn fill(&mut self) {
        if self.slots.is_empty() {
            let generation = self.generation;
            let slot = || Slot { generation, value: None };
            self.slots.reserve_exact(CHUNK as usize);
            self.slots.extend((0..CHUNK).map(|_| slot()));
        }
    }

    /// Drops the slots if none of them is in use.
    fn drop_unused(&mut self) {
        if self.used == 0 {
            let highest = self.slots.iter().map(|slot| slot.generation).max();
            self.generation = highest.unwrap_or(self.generation);
            self.slots = Vec::new();
        }
    }
}

/// Values by key; every step takes constant time on average.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Chunk<T>>,
    /// The slots without a value. There are less than `u32` counts, as registrations are bounded.
    free: Vec<u32>,
    used: usize,
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self { chunks: Vec::new(), free: Vec::new(), used: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.used
    }

    pub(crate) fn insert(&mut self, value: T) -> SlabKey {
        if self.free.is_empty() {
            let first = self.chunks.len() as u32 * CHUNK;
            self.chunks.push(Chunk { slots: Vec::new(), used: 0, generation: 0 });
            self.free.extend((first..first + CHUNK).rev());
        }
        let slot = self.free.pop().unwrap_or_default();
        self.used += 1;
        if let Some(chunk) = self.chunks.get_mut((slot / CHUNK) as usize) {
            chunk.fill();
            chunk.used += 1;
        }
        let generation = self.slot_mut(slot).map_or(0, |place| {
            place.value = Some(value);
            place.generation
        });
        SlabKey { slot, generation }
    }

    pub(crate) fn remove(&mut self, key: SlabKey) -> Option<T> {
        let place = self.slot_mut(key.slot).filter(|it| it.generation == key.generation)?;
        let value = place.value.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(key.slot);
        self.used -= 1;
        let chunk = self.chunks.get_mut((key.slot / CHUNK) as usize)?;
        chunk.used -= 1;
        chunk.drop_unused();
        if self.used == 0 {
            self.free.shrink_to(CHUNK as usize);
        }
        Some(value)
    }

    pub(crate) fn get(&self, key: SlabKey) -> Option<&T> {
        let place = self.slot(key.slot).filter(|it| it.generation == key.generation)?;
        place.value.as_ref()
    }

    pub(crate) fn get_mut(&mut self, key: SlabKey) -> Option<&mut T> {
        let place = self.slot_mut(key.slot).filter(|it| it.generation == key.generation)?;
        place.value.as_mut()
    }

    /// The value in a slot, whatever its generation.
    pub(crate) fn at(&self, slot: u32) -> Option<(SlabKey, &T)> {
        let place = self.slot(slot)?;
        Some((SlabKey { slot, generation: place.generation }, place.value.as_ref()?))
    }

    /// All values, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| &chunk.slots).filter_map(|slot| slot.value.as_ref())
    }

    fn slot(&self, slot: u32) -> Option<&Slot<T>> {
        self.chunks.get((slot / CHUNK) as usize)?.slots.get((slot % CHUNK) as usize)
    }

    fn slot_mut(&mut self, slot: u32) -> Option<&mut Slot<T>> {
        self.chunks.get_mut((slot / CHUNK) as usize)?.slots.get_mut((slot % CHUNK) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_keys_across_chunks() {
        let mut slab = Slab::new();
        let keys: Vec<_> = (0..3 * CHUNK).map(|value| slab.insert(value)).collect();
        assert_eq!(slab.len(), keys.len());
        for (value, key) in (0..).zip(&keys) {
            assert_eq!(slab.get(*key), Some(&value));
            assert_eq!(slab.at(key.slot), Some((*key, &value)));
        }
        assert_eq!(slab.iter().copied().sum::<u32>(), (0..3 * CHUNK).sum());
    }

    #[test]
    fn chunks_that_nobody_needs_are_dropped_and_their_keys_find_nothing() {
        let mut slab = Slab::new();
        let keys: Vec<_> = (0..3 * CHUNK).map(|value| slab.insert(value)).collect();
        let (old, last) = keys.split_at(keys.len() - 1);
        old.iter().for_each(|key| assert!(slab.remove(*key).is_some()));
        let in_memory: usize = slab.chunks.iter().map(|chunk| chunk.slots.capacity()).sum();
        assert_eq!((slab.len(), in_memory), (1, CHUNK as usize));
        let again: Vec<_> = (0..3 * CHUNK - 1).map(|value| slab.insert(value)).collect();
        assert!(old.iter().all(|key| slab.get(*key).is_none()));
        assert!(again.iter().chain(last).all(|key| slab.get(*key).is_some()));
        assert_eq!(slab.chunks.len(), 3, "slots are used again");
    }

    #[test]
    fn a_key_does_not_find_the_value_that_came_after() {
        let mut slab = Slab::new();
        let first = slab.insert('a');
        assert_eq!(slab.remove(first), Some('a'));
        let second = slab.insert('b');
        assert_eq!(second.slot, first.slot);
        assert_eq!(slab.remove(first), None);
        assert_eq!(slab.get(first), None);
        assert_eq!((slab.get_mut(second).copied(), slab.len()), (Some('b'), 1));
    }
}
