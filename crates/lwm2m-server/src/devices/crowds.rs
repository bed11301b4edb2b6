//! How many devices without security there are at each host and in each network.

use lwm2m_link::{host, network};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};

/// Counts of up to so many hosts keep their memory.
const SMALL: usize = 1_024;

/// The counts.
#[derive(Debug, Default)]
pub(crate) struct Crowds {
    hosts: HashMap<IpAddr, usize>,
    networks: HashMap<IpAddr, usize>,
}

impl Crowds {
    pub(super) fn add(&mut self, address: SocketAddr) {
        *self.hosts.entry(host(address)).or_default() += 1;
        *self.networks.entry(network(address)).or_default() += 1;
    }

    pub(super) fn remove(&mut self, address: SocketAddr) {
        count_out(&mut self.hosts, host(address));
        count_out(&mut self.networks, network(address));
    }

    /// Whether one more may come from an address while so many places are free: a host may have as
    /// many as are free, its network twice as many.
    pub(crate) fn has_room(&self, address: SocketAddr, free: usize) -> bool {
        let at = |crowd: &HashMap<_, _>, of| crowd.get(&of).copied().unwrap_or(0);
        free > 0
            && at(&self.hosts, host(address)) <= free
            && at(&self.networks, network(address)) / 2 <= free
    }
}

fn count_out<K: Eq + Hash>(counts: &mut HashMap<K, usize>, of: K) {
    let Entry::Occupied(mut count) = counts.entry(of) else { return };
    *count.get_mut() -= 1;
    if *count.get() == 0 {
        count.remove();
        // Gives memory back when most devices have gone.
        if counts.capacity() > SMALL && counts.len() < counts.capacity() / 8 {
            counts.shrink_to(2 * counts.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_of_those_that_leave_are_free_again() {
        let mut crowds = Crowds::default();
        let at = |text: &str| text.parse::<SocketAddr>().expect("an address");
        for (one, other, foreign) in [
            ("192.0.2.1:1", "192.0.2.2:1", "192.0.3.1:1"),
            ("[2001:db8:7:1::1]:1", "[2001:db8:7:2::1]:1", "[2001:db8:8::1]:1"),
        ] {
            (0..3).for_each(|_| crowds.add(at(one)));
            assert!(crowds.has_room(at(one), 3) && !crowds.has_room(at(one), 2));
            assert!(crowds.has_room(at(other), 1) && !crowds.has_room(at(other), 0));
            crowds.add(at(other));
            assert!(!crowds.has_room(at(other), 1) && crowds.has_room(at(foreign), 1));
            [one, one, one, other].into_iter().for_each(|it| crowds.remove(at(it)));
            assert!(crowds.hosts.is_empty() && crowds.networks.is_empty());
        }
    }
}
