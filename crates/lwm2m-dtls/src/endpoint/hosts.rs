//! The handshakes under way by host, so that a host with many ports cannot take all places.

use crate::event::SessionId;
use alloc::collections::BTreeSet;
use core::net::IpAddr;
use hashbrown::HashMap;

/// What one owner of addresses has: an IPv4 address, or the upper half of an IPv6 address.
type Host = (bool, u64);

/// The hosts with handshakes under way.
#[derive(Default)]
pub(crate) struct Hosts {
    /// Those of each host, the oldest first.
    under_way: HashMap<Host, BTreeSet<SessionId>>,
}

impl Hosts {
    pub(crate) fn count(&self, ip: IpAddr) -> usize {
        self.under_way.get(&host(ip)).map_or(0, BTreeSet::len)
    }

    /// The oldest handshake of a host.
    pub(crate) fn oldest(&self, ip: IpAddr) -> Option<SessionId> {
        self.under_way.get(&host(ip))?.first().copied()
    }

    pub(crate) fn add(&mut self, ip: IpAddr, handshake: SessionId) {
        self.under_way.entry(host(ip)).or_default().insert(handshake);
    }

    pub(crate) fn remove(&mut self, ip: IpAddr, handshake: SessionId) {
        if let Some(under_way) = self.under_way.get_mut(&host(ip)) {
            under_way.remove(&handshake);
            if under_way.is_empty() {
                self.under_way.remove(&host(ip));
            }
        }
    }
}

fn host(ip: IpAddr) -> Host {
    match ip.to_canonical() {
        IpAddr::V4(ip) => (false, u64::from(ip.to_bits())),
        IpAddr::V6(ip) => (true, (ip.to_bits() >> 64) as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_one_host() {
        let ip = |text: &str| text.parse::<IpAddr>().expect("an address");
        let mut hosts = Hosts::default();
        hosts.add(ip("192.0.2.1"), SessionId(1));
        hosts.add(ip("2001:db8::1"), SessionId(2));
        assert_eq!(hosts.count(ip("::ffff:192.0.2.1")), 1);
        assert_eq!(hosts.count(ip("2001:db8::ffff:2")), 1);
        assert_eq!(hosts.count(ip("192.0.2.2")) + hosts.count(ip("2001:db8:0:1::1")), 0);
        assert_eq!(hosts.oldest(ip("192.0.2.1")), Some(SessionId(1)));
        hosts.remove(ip("192.0.2.1"), SessionId(1));
        hosts.remove(ip("2001:db8::3"), SessionId(2));
        assert!(hosts.under_way.is_empty());
    }
}
