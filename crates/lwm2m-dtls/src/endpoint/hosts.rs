//! The number of handshakes under way by host, so that a host with many ports cannot take all
//! places.

use core::net::IpAddr;
use hashbrown::HashMap;

/// What one owner of addresses has: an IPv4 address, or the upper half of an IPv6 address.
type Host = (bool, u64);

/// The hosts with handshakes under way.
#[derive(Default)]
pub(crate) struct Hosts {
    counts: HashMap<Host, usize>,
}

impl Hosts {
    pub(crate) fn count(&self, ip: IpAddr) -> usize {
        self.counts.get(&host(ip)).copied().unwrap_or(0)
    }

    pub(crate) fn add(&mut self, ip: IpAddr) {
        *self.counts.entry(host(ip)).or_insert(0) += 1;
    }

    pub(crate) fn remove(&mut self, ip: IpAddr) {
        if let Some(count) = self.counts.get_mut(&host(ip)) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&host(ip));
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
        hosts.add(ip("192.0.2.1"));
        hosts.add(ip("2001:db8::1"));
        assert_eq!(hosts.count(ip("::ffff:192.0.2.1")), 1);
        assert_eq!(hosts.count(ip("2001:db8::ffff:2")), 1);
        assert_eq!(hosts.count(ip("192.0.2.2")) + hosts.count(ip("2001:db8:0:1::1")), 0);
        hosts.remove(ip("192.0.2.1"));
        hosts.remove(ip("2001:db8::3"));
        assert!(hosts.counts.is_empty());
    }
}
