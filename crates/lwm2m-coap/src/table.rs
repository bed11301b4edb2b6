//! Tables that give memory back when most of their entries have gone.

use core::hash::Hash;
use hashbrown::HashMap;

/// Tables of up to so many entries keep their memory.
const SMALL: usize = 1_024;

/// Gives memory back if less than an eighth of a table is used. Called after removals, it takes constant
/// time on average.
pub(crate) fn shrink<K: Eq + Hash, V>(table: &mut HashMap<K, V>) {
    let (used, capacity) = (table.len(), table.capacity());
    if capacity > SMALL && used < capacity / 8 {
        table.shrink_to(2 * used);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_when_most_entries_have_gone() {
        let mut table: HashMap<u32, u32> = (0..100_000).map(|it| (it, it)).collect();
        for gone in 0..99_990 {
            table.remove(&gone);
            shrink(&mut table);
            let most = (8 * table.len()).max(SMALL);
            assert!(table.capacity() < 3 * most, "{} for {}", table.capacity(), table.len());
        }
        assert_eq!(table.len(), 10);
        assert!(table.values().all(|it| *it >= 99_990));
    }
}
