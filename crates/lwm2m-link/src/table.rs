//! Tables that give memory back when most of their entries have gone.

use core::hash::Hash;
use hashbrown::{HashMap, HashTable};

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

/// As [`shrink`], for a table whose entries have these hashes.
pub(crate) fn shrink_by<T>(table: &mut HashTable<T>, hash: impl Fn(&T) -> u64) {
    let (used, capacity) = (table.len(), table.capacity());
    if capacity > SMALL && used < capacity / 8 {
        table.shrink_to(2 * used, hash);
    }
}
