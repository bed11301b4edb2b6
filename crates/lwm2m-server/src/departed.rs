//! Devices without credentials that are not registered any more, and whose values are still kept: the
//! last ones to leave, because anybody can register under any number of names. Those that had proven
//! their names by certificates are apart from those that had not.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The endpoint names of such devices, in the order in which they left.
#[derive(Debug, Default)]
pub(crate) struct Departed {
    /// Those without certificates, and those with.
    by_number: [BTreeMap<u64, Arc<str>>; 2],
    numbers: HashMap<Arc<str>, u64>,
    next: u64,
}

impl Departed {
    /// Adds a device. Returns its number, and the one that it had if it had left before.
    pub(crate) fn add(&mut self, endpoint: &Arc<str>, is_certified: bool) -> (u64, Option<u64>) {
        let number = self.next;
        self.next += 1;
        (number, self.insert(number, Arc::clone(endpoint), is_certified))
    }

    fn insert(&mut self, number: u64, endpoint: Arc<str>, is_certified: bool) -> Option<u64> {
        let earlier = self.numbers.insert(Arc::clone(&endpoint), number);
        let [plain, certified] = &mut self.by_number;
        if let Some(number) = &earlier {
            plain.remove(number);
            certified.remove(number);
        }
        if is_certified { certified } else { plain }.insert(number, endpoint);
        earlier
    }

    /// Puts a device back. `None` for a number that no server can have reached.
    pub(crate) fn restore(
        &mut self,
        number: u64,
        endpoint: &str,
        is_certified: bool,
    ) -> Option<()> {
        let next = number.checked_add(1).filter(|next| *next < u64::MAX / 2)?;
        self.next = self.next.max(next);
        self.insert(number, endpoint.into(), is_certified);
        Some(())
    }

    /// Takes the device out that left first, if there are more than `most` of its kind.
    pub(crate) fn pop_beyond(&mut self, most: usize) -> Option<(u64, Arc<str>)> {
        let full = self.by_number.iter_mut().find(|kind| kind.len() > most)?;
        let (number, endpoint) = full.pop_first()?;
        self.numbers.remove(&endpoint);
        Some((number, endpoint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_anybody_makes_up_push_out_no_certified_device() {
        let mut departed = Departed::default();
        departed.add(&"certified".into(), true);
        let mut leaves = |name: String, is_certified| {
            departed.add(&name.into(), is_certified);
            departed.pop_beyond(3).map(|(_, gone)| gone.to_string())
        };
        let gone: Vec<_> = (0..5).filter_map(|it| leaves(format!("dev-{it}"), false)).collect();
        assert_eq!(gone, ["dev-0", "dev-1"]);
        assert_eq!(leaves("dev-4".to_owned(), true), None, "it has become one with a certificate");
        assert_eq!(leaves("dev-5".to_owned(), true), None);
        assert_eq!(leaves("dev-6".to_owned(), true), Some("certified".to_owned()));
    }
}
