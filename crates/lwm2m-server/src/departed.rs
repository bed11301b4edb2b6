//! Devices without credentials that are not registered any more, and whose values are still kept: the
//! last ones to leave, because anybody can register under any number of names.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The endpoint names of such devices, in the order in which they left.
#[derive(Debug, Default)]
pub(crate) struct Departed {
    by_number: BTreeMap<u64, Arc<str>>,
    numbers: HashMap<Arc<str>, u64>,
    next: u64,
}

impl Departed {
    /// Adds a device. Returns its number, and the one that it had if it had left before.
    pub(crate) fn add(&mut self, endpoint: &Arc<str>) -> (u64, Option<u64>) {
        let number = self.next;
        self.next += 1;
        (number, self.insert(number, Arc::clone(endpoint)))
    }

    fn insert(&mut self, number: u64, endpoint: Arc<str>) -> Option<u64> {
        let earlier = self.numbers.insert(Arc::clone(&endpoint), number);
        earlier.into_iter().for_each(|it| _ = self.by_number.remove(&it));
        self.by_number.insert(number, endpoint);
        earlier
    }

    /// Puts a device back. `None` for a number that no server can have reached.
    pub(crate) fn restore(&mut self, number: u64, endpoint: &str) -> Option<()> {
        let next = number.checked_add(1).filter(|next| *next < u64::MAX / 2)?;
        self.next = self.next.max(next);
        self.insert(number, endpoint.into());
        Some(())
    }

    /// Takes the device out that left first, if there are more than `most`.
    pub(crate) fn pop_beyond(&mut self, most: usize) -> Option<(u64, Arc<str>)> {
        let (number, endpoint) =
            (self.by_number.len() > most).then(|| self.by_number.pop_first())??;
        self.numbers.remove(&endpoint);
        Some((number, endpoint))
    }
}
