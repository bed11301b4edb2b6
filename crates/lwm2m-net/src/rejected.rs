//! Clients that did not get in, the last of them: handshakes that failed, and names that were refused.
//!
//! Anybody can cause these, so there is a bound for each: a client that tries again is one entry with a
//! count, a host has a share of the entries, and so many a second are noted. What came by plain CoAP, whose
//! addresses can be forged, has entries of its own, so that it cannot push out what has proven an address.

use lwm2m_dtls::{Identity, Mode, Reason};
use lwm2m_server::Event;
use lwm2m_time::Instant;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Entries of clients whose addresses are proven, and as many of others.
const MOST: usize = 512;
/// Entries of a host, or with IPv6 of its network (/64).
const OF_A_HOST: usize = 32;
/// What is noted in a second; the rest is counted.
const A_SECOND: u32 = 200;
/// The longest name that is kept, in bytes.
const NAME: usize = 252;

/// A client that did not get in.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Rejection {
    /// Where it was, the last time.
    pub address: SocketAddr,
    /// The endpoint name that it claimed, or the identity of its pre-shared key, if it got so far. Nothing
    /// proves it.
    pub name: Option<String>,
    /// The mode of its credential, as far as it was known.
    pub mode: Option<Mode>,
    /// Whether the handshake was over, so that the name was refused.
    pub in_session: bool,
    /// What happened and what to do: one sentence.
    pub why: String,
    /// The first time.
    pub first: Instant,
    /// The last time.
    pub last: Instant,
    /// How often.
    pub count: u64,
}

/// The clients that did not get in; see [`ServerHandle::rejected`](crate::ServerHandle::rejected).
#[derive(Debug, Default)]
pub struct Rejected(Mutex<Lists>);

#[derive(Debug, Default)]
struct Lists {
    /// Handshakes, whose addresses have sent a cookie or made a connection.
    proven: VecDeque<Rejection>,
    /// What came by plain CoAP.
    plain: VecDeque<Rejection>,
    second: Instant,
    noted: u32,
    left_out: u64,
}

impl Rejected {
    /// All of them, those of the last time first.
    #[must_use]
    pub fn list(&self) -> Vec<Rejection> {
        let lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = lists.proven.iter().chain(&lists.plain).cloned().collect();
        drop(lists);
        all.sort_by_key(|it| std::cmp::Reverse(it.last));
        all
    }

    /// How many were not noted, because too many came in a second.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).left_out
    }

    pub(crate) fn note(&self, now: Instant, event: &Event) {
        if !matches!(event, Event::HandshakeFailed(_) | Event::NameRefused(_)) {
            return;
        }
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_since(lists.second) >= Duration::from_secs(1) {
            (lists.second, lists.noted) = (now, 0);
        }
        if lists.noted >= A_SECOND {
            lists.left_out += 1;
            return;
        }
        lists.noted += 1;
        let Some((is_proven, rejection)) = rejection(now, event) else { return };
        insert(if is_proven { &mut lists.proven } else { &mut lists.plain }, rejection);
    }
}

/// What an event tells of a client, and whether its address is proven.
fn rejection(now: Instant, event: &Event) -> Option<(bool, Rejection)> {
    let (is_proven, address, name, mode, in_session, why) = match event {
        // Nothing is known of these, not even that there was somebody.
        Event::HandshakeFailed(it) if matches!(it.reason, Reason::IgnoredHellos { .. }) => {
            return None;
        }
        Event::HandshakeFailed(it) => {
            let name = match &it.reason {
                Reason::UnknownIdentity { identity } => Some(identity.escape_ascii().to_string()),
                _ => None,
            };
            (true, it.address, name, it.mode, false, it.to_string())
        }
        Event::NameRefused(it) => {
            let mode = it.identity.as_ref().and_then(mode_of);
            (mode.is_some(), it.address, it.claimed.clone(), mode, true, it.to_string())
        }
        _ => return None,
    };
    let name = name.map(|mut name| {
        name.truncate(name.floor_char_boundary(NAME));
        name
    });
    let (first, last) = (now, now);
    Some((is_proven, Rejection { address, name, mode, in_session, why, first, last, count: 1 }))
}

const fn mode_of(identity: &Identity) -> Option<Mode> {
    match identity {
        Identity::Psk(_) => Some(Mode::Psk),
        Identity::RawPublicKey(_) => Some(Mode::RawPublicKey),
        Identity::Certificate(_) => Some(Mode::Certificate),
        _ => None,
    }
}

/// Adds an entry, or counts it for the one that there is.
fn insert(list: &mut VecDeque<Rejection>, new: Rejection) {
    let host = host(new.address.ip());
    let of_host = |it: &Rejection| self::host(it.address.ip()) == host;
    let same =
        |it: &Rejection| of_host(it) && it.name == new.name && it.in_session == new.in_session;
    if let Some(place) = list.iter().position(same)
        && let Some(known) = list.remove(place)
    {
        let (first, count) = (known.first, known.count.saturating_add(1));
        list.push_back(Rejection { first, count, ..new });
        return;
    }
    if list.iter().filter(|it| of_host(it)).count() >= OF_A_HOST {
        let oldest = list.iter().position(of_host);
        oldest.into_iter().for_each(|place| _ = list.remove(place));
    } else if list.len() >= MOST {
        list.pop_front();
    }
    list.push_back(new);
}

/// The address of a host, with IPv6 that of its network.
const fn host(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_bits() as u128,
        IpAddr::V6(address) => address.to_bits() >> 64 << 64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lwm2m_link::HandshakeFailure;

    fn failed(address: &str, identity: &str) -> Event {
        let identity = identity.as_bytes().to_vec().into();
        Event::HandshakeFailed(HandshakeFailure {
            peer: None,
            address: address.parse().unwrap(),
            mode: Some(Mode::Psk),
            role: lwm2m_dtls::Role::Server,
            reason: Reason::UnknownIdentity { identity },
        })
    }

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn who_tries_again_is_one_entry() {
        let rejected = Rejected::default();
        rejected.note(at(1), &failed("192.0.2.1:1", "a"));
        rejected.note(at(2), &failed("192.0.2.2:1", "b"));
        rejected.note(at(3), &failed("192.0.2.1:2", "a"));
        let list = rejected.list();
        assert_eq!(list.len(), 2);
        assert_eq!((list[0].name.as_deref(), list[0].count), (Some("a"), 2));
        assert_eq!((list[0].first, list[0].last), (at(1), at(3)));
        assert!(list[0].why.contains("no key is stored"), "{}", list[0].why);
    }

    #[test]
    fn a_host_and_a_flood_leave_room_for_others() {
        let rejected = Rejected::default();
        rejected.note(at(0), &failed("198.51.100.7:1", "honest"));
        for number in 0..1_000 {
            rejected.note(at(10 + number), &failed("192.0.2.1:1", &number.to_string()));
        }
        let list = rejected.list();
        assert_eq!(list.len(), OF_A_HOST + 1);
        assert!(list.iter().any(|it| it.name.as_deref() == Some("honest")));
        for number in 0..1_000 {
            rejected.note(
                at(2_000),
                &failed(&format!("10.0.{}.{}:1", number / 250, number % 250), "x"),
            );
        }
        assert_eq!(rejected.left_out(), 1_000 - u64::from(A_SECOND));
        for number in 0..2_000 {
            let host = format!("10.1.{}.{}:1", number / 250, number % 250);
            rejected.note(at(3_000 + number), &failed(&host, "x"));
        }
        assert_eq!(rejected.list().len(), MOST);
    }

    #[test]
    fn a_name_is_kept_in_part() {
        let rejected = Rejected::default();
        rejected.note(at(1), &failed("192.0.2.1:1", &"ä".repeat(1_000)));
        assert!(rejected.list()[0].name.as_ref().unwrap().len() <= NAME);
    }
}
