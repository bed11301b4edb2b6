//! Peers on a connection: when one is given up, and what is to be done with its stream.
//!
//! CoAP over a connection (RFC 8323) is the endpoint's; here are the deadlines that the RFC leaves
//! to the implementation, so that nobody keeps a connection without using it.

use crate::engine::StreamAction;
use alloc::collections::VecDeque;
use alloc::collections::btree_map::{BTreeMap, Entry};
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::{IpAddr, Ipv6Addr, SocketAddr};
use core::time::Duration;
use lwm2m_coap::{Endpoint, PeerId};
use lwm2m_time::{Instant, TimerTable};

/// The deadlines of connections and their number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnectionConfig {
    /// How many connections there may be at a time, accepted and opened; 10,000. A host whose
    /// connections have not got as far as their CSM has no more of them than there is room left.
    pub max_connections: usize,
    /// How long the first message of a peer, its CSM, may take; 10 s.
    pub greeting: Duration,
    /// How long a peer may stay silent until it is pinged, and then until the connection is given
    /// up; no limit by default, as a device may sleep for days.
    pub keep_alive: Option<Duration>,
    /// How long a connection may live on after [`Link::release_connection`]; 30 s.
    ///
    /// [`Link::release_connection`]: crate::Link::release_connection
    pub release: Duration,
}

impl Default for ConnectionConfig {
    fn default() -> Self {
        Self {
            max_connections: 10_000,
            greeting: Duration::from_secs(10),
            keep_alive: None,
            release: Duration::from_secs(30),
        }
    }
}

/// What is due for a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Timer {
    Greeting,
    KeepAlive,
    Release,
}

/// How a connection comes about: accepted from an address, or opened to one by this side.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Direction {
    From(SocketAddr),
    To(SocketAddr),
}

impl Direction {
    pub(crate) const fn address(self) -> SocketAddr {
        let (Self::From(address) | Self::To(address)) = self;
        address
    }

    const fn target(self) -> Option<SocketAddr> {
        match self {
            Self::From(_) => None,
            Self::To(address) => Some(address),
        }
    }

    /// The host that it is accepted from; with IPv6 the network, all of which one host may have.
    fn stranger(self) -> Option<IpAddr> {
        match self {
            Self::From(SocketAddr::V4(address)) => Some((*address.ip()).into()),
            Self::From(SocketAddr::V6(address)) => {
                let network = address.ip().to_bits() & !u128::from(u64::MAX);
                Some(Ipv6Addr::from_bits(network).into())
            }
            Self::To(_) => None,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Connection {
    heard: Instant,
    pinged: bool,
    /// Where it was opened to, if this side opened it.
    to: Option<SocketAddr>,
    /// The host that it was accepted from, until its CSM has come.
    stranger: Option<IpAddr>,
}

/// All connections of a link.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    pub(crate) config: ConnectionConfig,
    open: BTreeMap<PeerId, Connection>,
    by_target: BTreeMap<SocketAddr, PeerId>,
    /// How many connections without a CSM a host has.
    strangers: BTreeMap<IpAddr, usize>,
    timers: TimerTable<(PeerId, Timer)>,
    actions: VecDeque<StreamAction>,
    /// Over, but not all of their last bytes may have been polled.
    ended: Vec<PeerId>,
}

impl Connections {
    /// Whether there is room for one more, from a host or opened by this side. Who cannot or will
    /// not say hello cannot take all places: another host finds as many as the last one has taken.
    pub(crate) fn has_room(&self, way: Direction) -> bool {
        let room = self.config.max_connections.saturating_sub(self.open.len());
        let strangers = way.stranger().and_then(|host| self.strangers.get(&host));
        strangers.copied().unwrap_or_default() < room
    }

    pub(crate) fn has(&self, peer: PeerId) -> bool {
        self.open.contains_key(&peer)
    }

    /// The connection that this side has opened to an address.
    pub(crate) fn opened_to(&self, address: SocketAddr) -> Option<PeerId> {
        self.by_target.get(&address).copied()
    }

    /// A connection begins.
    pub(crate) fn begin(&mut self, now: Instant, peer: PeerId, way: Direction) {
        let (stranger, to) = (way.stranger(), way.target());
        stranger.into_iter().for_each(|host| *self.strangers.entry(host).or_default() += 1);
        self.open.insert(peer, Connection { heard: now, pinged: false, to, stranger });
        self.timers.set((peer, Timer::Greeting), now + self.config.greeting);
        if let Some(patience) = self.config.keep_alive {
            self.timers.set((peer, Timer::KeepAlive), now + patience);
        }
        if let Some(to) = to {
            self.by_target.insert(to, peer);
            self.actions.push_back(StreamAction::Open { peer, to });
        }
    }

    /// Bytes have come from a peer, whose CSM may have been among them.
    pub(crate) fn heard(&mut self, now: Instant, peer: PeerId, has_greeted: bool) {
        let Some(connection) = self.open.get_mut(&peer) else { return };
        connection.heard = now;
        connection.pinged = false;
        if has_greeted {
            self.timers.cancel((peer, Timer::Greeting));
            let stranger = connection.stranger.take();
            self.forget(stranger);
        }
    }

    /// A host has one connection without a CSM less.
    fn forget(&mut self, stranger: Option<IpAddr>) {
        let Some(Entry::Occupied(mut number)) = stranger.map(|host| self.strangers.entry(host))
        else {
            return;
        };
        *number.get_mut() -= 1;
        if *number.get() == 0 {
            number.remove();
        }
    }

    pub(crate) fn released(&mut self, now: Instant, peer: PeerId) {
        let Some(connection) = self.open.get_mut(&peer) else { return };
        // Whoever wants to talk to that address again gets a new connection.
        if let Some(to) = connection.to.take() {
            self.by_target.remove(&to);
        }
        self.timers.set((peer, Timer::Release), now + self.config.release);
    }

    pub(crate) fn write(&mut self, peer: PeerId, payload: Bytes) {
        self.actions.push_back(StreamAction::Write { peer, payload });
    }

    /// A connection is over; its last bytes may still come.
    pub(crate) fn end(&mut self, peer: PeerId) {
        let Some(connection) = self.open.remove(&peer) else { return };
        for timer in [Timer::Greeting, Timer::KeepAlive, Timer::Release] {
            self.timers.cancel((peer, timer));
        }
        if let Some(to) = connection.to {
            self.by_target.remove(&to);
        }
        self.forget(connection.stranger);
        self.ended.push(peer);
    }

    /// The connections that are over but not told to close yet.
    pub(crate) fn ending(&self) -> Vec<PeerId> {
        self.ended.clone()
    }

    /// The connections whose last bytes have been polled.
    pub(crate) fn take_ended(&mut self) -> Vec<PeerId> {
        let ended = core::mem::take(&mut self.ended);
        self.actions.extend(ended.iter().map(|&peer| StreamAction::Close { peer }));
        ended
    }

    pub(crate) fn poll_action(&mut self) -> Option<StreamAction> {
        self.actions.pop_front()
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Pings who is silent and gives up who stays so.
    pub(crate) fn handle_timeout(&mut self, now: Instant, coap: &mut Endpoint) {
        while let Some((peer, timer)) = self.timers.pop_expired(now) {
            match timer {
                Timer::Greeting => coap.abort_silent(now, peer),
                Timer::KeepAlive if !self.is_dead(now, peer, coap) => {}
                Timer::KeepAlive | Timer::Release => coap.disconnected(now, peer),
            }
        }
    }

    /// Whether a peer has not even answered a ping; else its timer is set again.
    fn is_dead(&mut self, now: Instant, peer: PeerId, coap: &mut Endpoint) -> bool {
        let Some(patience) = self.config.keep_alive else { return false };
        let Some(connection) = self.open.get_mut(&peer) else { return false };
        let due = connection.heard + patience;
        if due > now {
            self.timers.set((peer, Timer::KeepAlive), due);
            return false;
        }
        if !connection.pinged {
            connection.pinged = true;
            coap.ping(peer);
            self.timers.set((peer, Timer::KeepAlive), now + patience);
            return false;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Engine, Link};
    use lwm2m_coap::{Config, Event, Request};

    const FROM: SocketAddr = SocketAddr::new(IpAddr::V4(core::net::Ipv4Addr::LOCALHOST), 9);
    const CSM: [u8; 2] = [0x00, 0xE1];
    const PATIENCE: Duration = Duration::from_secs(60);

    fn link() -> Link {
        let mut link = Link::new(Config::default(), [0; 32]);
        let keep_alive = Some(PATIENCE);
        link.set_connection_config(ConnectionConfig { keep_alive, ..ConnectionConfig::default() });
        link
    }

    /// What is to be done with streams; writes by the code of their message.
    fn actions(link: &mut Link) -> Vec<(&'static str, u8)> {
        assert_eq!(link.poll_transmit(), None);
        while link.poll_event().is_some() {}
        assert_eq!(link.poll_transmit(), None);
        core::iter::from_fn(|| link.poll_stream())
            .map(|action| match action {
                StreamAction::Open { .. } => ("open", 0),
                StreamAction::Write { payload, .. } => {
                    // A text makes the length longer.
                    let longer = usize::from(payload[0] >> 4 == 13);
                    ("write", payload[1 + longer])
                }
                StreamAction::Close { .. } => ("close", 0),
            })
            .collect()
    }

    #[test]
    fn silent_stranger_is_given_up() {
        let mut link = link();
        let peer = link.handle_connected(Instant::ZERO, FROM, false).unwrap();
        link.handle_stream(Instant::ZERO, peer, &CSM[..1]);
        assert_eq!(actions(&mut link), [("write", 0xE1)]);
        assert_eq!(link.poll_timeout(), Some(Instant::ZERO + Duration::from_secs(10)));
        link.handle_timeout(Instant::from_millis(10_000));
        assert_eq!(actions(&mut link), [("write", 0xE5), ("close", 0)], "it is told by Abort");
        assert_eq!((link.peer_count(), link.poll_timeout()), (0, None));
    }

    #[test]
    fn silent_peer_is_pinged_before_it_is_given_up() {
        let mut link = link();
        let peer = link.handle_connected(Instant::ZERO, FROM, false).unwrap();
        link.handle_stream(Instant::ZERO, peer, &CSM);
        actions(&mut link);
        for answered in [true, false] {
            let mut now = Instant::ZERO;
            while actions(&mut link) != [("write", 0xE2)] {
                now = link.poll_timeout().unwrap();
                link.handle_timeout(now);
            }
            if answered {
                link.handle_stream(now, peer, &[0x00, 0xE3]);
            }
        }
        link.handle_timeout(link.poll_timeout().unwrap());
        assert_eq!(actions(&mut link), [("close", 0)]);
    }

    #[test]
    fn released_connection_is_closed_though_the_peer_goes_on() {
        let mut link = link();
        let peer = link.open_connection(Instant::ZERO, FROM).unwrap();
        assert_eq!(link.open_connection(Instant::ZERO, FROM), Some(peer), "one is enough");
        link.handle_stream(Instant::ZERO, peer, &CSM);
        assert_eq!(actions(&mut link), [("open", 0), ("write", 0xE1)]);
        link.release_connection(Instant::ZERO, peer);
        assert_eq!(actions(&mut link), [("write", 0xE4)]);
        link.handle_timeout(Instant::from_millis(30_000));
        assert_eq!(actions(&mut link), [("close", 0)]);
        assert_ne!(link.open_connection(Instant::from_millis(30_000), FROM), Some(peer));
    }

    #[test]
    fn request_fails_when_the_connection_does_not_come_about() {
        let mut link = link();
        let peer = link.open_connection(Instant::ZERO, FROM).unwrap();
        let asked = link.coap().request(Instant::ZERO, peer, Request::get()).unwrap();
        link.handle_disconnected(Instant::ZERO, peer);
        assert!(matches!(link.poll_event(), Some(Event::Failed { id, .. }) if id == asked));
        assert!(matches!(link.poll_event(), Some(Event::Closed { .. })));
    }

    #[test]
    fn strangers_of_one_host_leave_room_for_others() {
        let at = |host: &str, port: u16| SocketAddr::new(host.parse().unwrap(), port);
        for (own, other) in [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8:0:1::1")] {
            let mut link = link();
            let max_connections = 8;
            link.set_connection_config(ConnectionConfig { max_connections, ..Default::default() });
            let from = |link: &mut Link, host, port| {
                link.handle_connected(Instant::ZERO, at(host, port), false)
            };
            let strangers: Vec<_> = (0..8).map_while(|port| from(&mut link, own, port)).collect();
            assert_eq!(strangers.len(), 4);
            let neighbour = own.replace("::1", "::2");
            assert_eq!(from(&mut link, &neighbour, 9), None, "the same network");
            // Who has said hello is none of them any more, nor who is gone.
            link.handle_stream(Instant::ZERO, strangers[0], &CSM);
            link.handle_disconnected(Instant::ZERO, strangers[1]);
            actions(&mut link);
            assert!(from(&mut link, own, 9).is_some());
            assert!(from(&mut link, other, 1).is_some());
            assert!(link.open_connection(Instant::ZERO, at(own, 10)).is_some());
        }
    }

    #[test]
    fn connections_are_no_more_than_allowed_and_none_is_a_peer_of_datagrams() {
        let mut link = link();
        link.set_connection_config(ConnectionConfig { max_connections: 2, ..Default::default() });
        let (first, second) = (
            link.handle_connected(Instant::ZERO, FROM, false),
            link.open_connection(Instant::ZERO, FROM),
        );
        assert!(first.is_some() && second.is_some() && first != second);
        assert_eq!(link.handle_connected(Instant::ZERO, FROM, false), None);
        let datagrams = link.connect(FROM);
        assert!(datagrams.is_some() && datagrams != first && datagrams != second);
        link.handle_disconnected(Instant::ZERO, first.unwrap());
        actions(&mut link);
        assert!(link.handle_connected(Instant::ZERO, FROM, false).is_some());
        assert_eq!(link.connect(FROM), datagrams);
    }
}
