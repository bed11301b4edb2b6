//! How many devices without security there are at each host and in each network, and the memory that
//! they take.

use lwm2m_link::{host, network};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

/// Up to so many hosts keep their memory.
const SMALL: usize = 1_024;

/// What there is at each host and in each network.
#[derive(Debug, Default)]
pub(crate) struct Crowds {
    hosts: HashMap<IpAddr, Crowd>,
    networks: HashMap<IpAddr, Crowd>,
}

/// The devices without security at one of them.
#[derive(Clone, Copy, Debug, Default)]
struct Crowd {
    devices: usize,
    /// Their memory, and that of the object lists that they were the first to have.
    bytes: usize,
}

impl Crowds {
    /// Adds a device that takes so many bytes, without its object list.
    pub(super) fn add(&mut self, address: SocketAddr, bytes: usize) {
        self.change(address, |crowd| {
            crowd.devices += 1;
            crowd.bytes += bytes;
        });
    }

    pub(super) fn remove(&mut self, address: SocketAddr, bytes: usize) {
        self.change(address, |crowd| {
            crowd.devices -= 1;
            crowd.bytes -= bytes;
        });
    }

    /// Counts so many bytes more.
    pub(super) fn charge(&mut self, address: SocketAddr, bytes: usize) {
        self.change(address, |crowd| crowd.bytes += bytes);
    }

    /// Counts so many bytes less.
    pub(super) fn refund(&mut self, address: SocketAddr, bytes: usize) {
        self.change(address, |crowd| crowd.bytes -= bytes);
    }

    fn change(&mut self, address: SocketAddr, change: impl Fn(&mut Crowd)) {
        for (crowds, at) in
            [(&mut self.hosts, host(address)), (&mut self.networks, network(address))]
        {
            let crowd = crowds.entry(at).or_default();
            change(crowd);
            if crowd.devices == 0 && crowd.bytes == 0 {
                crowds.remove(&at);
                // Gives memory back when most devices have gone.
                if crowds.capacity() > SMALL && crowds.len() < crowds.capacity() / 8 {
                    crowds.shrink_to(2 * crowds.len());
                }
            }
        }
    }

    /// Whether one more may come from an address while so many places are free: a host may have as
    /// many as are free, its network twice as many.
    pub(crate) fn has_room(&self, address: SocketAddr, free: usize) -> bool {
        let [at_host, in_network] = self.at(address);
        free > 0 && at_host.devices <= free && in_network.devices / 2 <= free
    }

    /// The same for `bytes` more of memory.
    pub(crate) fn has_memory(&self, address: SocketAddr, bytes: usize, free: usize) -> bool {
        let fits = |crowd: Crowd| crowd.bytes.saturating_add(bytes);
        let [at_host, in_network] = self.at(address);
        fits(at_host) <= free && fits(in_network) / 2 <= free
    }

    fn at(&self, address: SocketAddr) -> [Crowd; 2] {
        let at = |crowds: &HashMap<_, _>, of| crowds.get(&of).copied().unwrap_or_default();
        [at(&self.hosts, host(address)), at(&self.networks, network(address))]
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
            (0..3).for_each(|_| crowds.add(at(one), 10));
            assert!(crowds.has_room(at(one), 3) && !crowds.has_room(at(one), 2));
            assert!(crowds.has_room(at(other), 1) && !crowds.has_room(at(other), 0));
            assert!(crowds.has_memory(at(one), 5, 35) && !crowds.has_memory(at(one), 6, 35));
            assert!(crowds.has_memory(at(other), 5, 17) && !crowds.has_memory(at(other), 6, 17));
            crowds.charge(at(one), 6);
            assert!(!crowds.has_memory(at(one), 0, 35) && crowds.has_memory(at(foreign), 35, 35));
            crowds.add(at(other), 10);
            assert!(!crowds.has_room(at(other), 1) && crowds.has_room(at(foreign), 1));
            assert!(!crowds.has_room(at(foreign), 0), "no place is free for anybody");
            [one, one, one, other].into_iter().for_each(|it| crowds.remove(at(it), 10));
            assert!(!crowds.has_memory(at(one), 30, 35), "others have its object list");
            crowds.refund(at(one), 6);
            assert!(crowds.hosts.is_empty() && crowds.networks.is_empty());
        }
    }
}
