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

/// Values by key; every step takes constant time.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    chunks: Vec<Vec<Slot<T>>>,
    /// How many slots there are: less than `u32` counts, as registrations are bounded.
    slots: u32,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self { chunks: Vec::new(), slots: 0, free: Vec::new() }
    }

    pub(crate) const fn len(&self) -> usize {
        self.slots as usize - self.free.len()
    }

    pub(crate) fn insert(&mut self, value: T) -> SlabKey {
        if let Some(slot) = self.free.pop()
            && let Some(place) = self.slot_mut(slot)
        {
            place.value = Some(value);
            return SlabKey { slot, generation: place.generation };
        }
        let slot = self.slots;
        self.slots += 1;
        if slot.is_multiple_of(CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK as usize));
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(Slot { generation: 0, value: Some(value) });
        }
        SlabKey { slot, generation: 0 }
    }

    pub(crate) fn remove(&mut self, key: SlabKey) -> Option<T> {
        let place = self.slot_mut(key.slot).filter(|it| it.generation == key.generation)?;
        let value = place.value.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(key.slot);
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
        self.chunks.iter().flatten().filter_map(|slot| slot.value.as_ref())
    }

    fn slot(&self, slot: u32) -> Option<&Slot<T>> {
        self.chunks.get((slot / CHUNK) as usize)?.get((slot % CHUNK) as usize)
    }

    fn slot_mut(&mut self, slot: u32) -> Option<&mut Slot<T>> {
        self.chunks.get_mut((slot / CHUNK) as usize)?.get_mut((slot % CHUNK) as usize)
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
