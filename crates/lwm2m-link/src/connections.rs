//! Connections: which peer each carries, and when a connection is given up.
//!
//! CoAP over a connection (RFC 8323) is the endpoint's. This module adds the deadlines that the RFC
//! leaves to the implementation, so that nobody keeps a connection without using it.

use crate::engine::ConnectionId;
use alloc::collections::btree_map::{BTreeMap, Entry};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::time::Duration;
use lwm2m_coap::{Endpoint, PeerId};
use lwm2m_dtls::SessionId;
use lwm2m_time::{Instant, TimerTable};

/// The deadlines of connections and their number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnectionConfig {
    /// The most connections at a time, accepted and opened. A host may hold at most as many
    /// half-open connections, on which its CSM has not arrived, as there are free slots.
    /// Default: 10,000.
    pub max_connections: usize,
    /// How long the first message of a peer, its CSM, may take. Default: 10 s.
    pub greeting: Duration,
    /// How long a peer may stay silent before it is pinged, and then again before the connection
    /// is given up. Default: no limit, as a device may sleep for days.
    pub keep_alive: Option<Duration>,
    /// How long a connection may live on after [`Link::release_connection`]. Default: 30 s.
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

    /// The host that it is accepted from.
    fn host(self) -> Option<IpAddr> {
        match self {
            Self::From(address) => Some(host(address)),
            Self::To(_) => None,
        }
    }
}

/// The host of an address: with IPv6 the /64 network, all of which one host may have.
#[must_use]
pub const fn host(address: SocketAddr) -> IpAddr {
    prefix(address, 32, 64)
}

/// The network of an address, all of which one owner may have: /24, with IPv6 /48.
#[must_use]
pub const fn network(address: SocketAddr) -> IpAddr {
    prefix(address, 24, 48)
}

/// The leading bits of an address, as many as are told for IPv4 and IPv6.
const fn prefix(address: SocketAddr, v4: u32, v6: u32) -> IpAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => {
            let mask = !(u32::MAX.unbounded_shr(v4));
            IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() & mask))
        }
        IpAddr::V6(ip) => {
            let mask = !(u128::MAX.unbounded_shr(v6));
            IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & mask))
        }
    }
}

/// The peer that a connection carries, and its session of TLS if it has one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Carried {
    pub(crate) peer: PeerId,
    pub(crate) session: Option<SessionId>,
}

#[derive(Clone, Copy, Debug)]
struct Connection {
    carried: Carried,
    heard: Instant,
    pinged: bool,
    /// The address that this side opened it to.
    to: Option<SocketAddr>,
    /// The host that it was accepted from, until the CSM of the peer arrives.
    half_open: Option<IpAddr>,
}

/// All connections of a link.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    pub(crate) config: ConnectionConfig,
    open: BTreeMap<ConnectionId, Connection>,
    by_target: BTreeMap<SocketAddr, ConnectionId>,
    /// The number of half-open connections of each host.
    half_open: BTreeMap<IpAddr, usize>,
    timers: TimerTable<(ConnectionId, Timer)>,
    /// Ended connections that are still to be closed.
    ended: Vec<(ConnectionId, Carried)>,
    /// The number of the next connection that this side opens.
    next_opened: u64,
}

impl Connections {
    /// Whether there is room for one more. A host that never sends its CSM cannot take all slots:
    /// the next host finds as many free as the first one has taken.
    pub(crate) fn has_room(&self, direction: Direction) -> bool {
        let room = self.config.max_connections.saturating_sub(self.open.len());
        let half_open = direction.host().and_then(|host| self.half_open.get(&host));
        half_open.copied().unwrap_or_default() < room
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn has(&self, connection: ConnectionId) -> bool {
        self.open.contains_key(&connection)
    }

    /// What an open connection carries.
    pub(crate) fn carried(&self, connection: ConnectionId) -> Option<Carried> {
        self.open.get(&connection).map(|it| it.carried)
    }

    /// Lets a connection carry another peer. Returns its session of TLS.
    pub(crate) fn carry(&mut self, connection: ConnectionId, peer: PeerId) -> Option<SessionId> {
        let state = self.open.get_mut(&connection)?;
        state.carried.peer = peer;
        state.carried.session
    }

    /// The peer at the other end of the connection that this side has opened to an address.
    pub(crate) fn opened_to(&self, address: SocketAddr) -> Option<PeerId> {
        let connection = self.by_target.get(&address)?;
        self.carried(*connection).map(|it| it.peer)
    }

    /// A name for a connection that this side opens.
    pub(crate) const fn next_opened(&mut self) -> ConnectionId {
        self.next_opened += 1;
        ConnectionId::Opened(self.next_opened)
    }

    /// A connection begins.
    pub(crate) fn begin(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        carried: Carried,
        direction: Direction,
    ) {
        let (half_open, to) = (direction.host(), direction.target());
        half_open.into_iter().for_each(|host| *self.half_open.entry(host).or_default() += 1);
        let state = Connection { carried, heard: now, pinged: false, to, half_open };
        self.open.insert(connection, state);
        self.timers.set((connection, Timer::Greeting), now + self.config.greeting);
        if let Some(patience) = self.config.keep_alive {
            self.timers.set((connection, Timer::KeepAlive), now + patience);
        }
        to.into_iter().for_each(|to| _ = self.by_target.insert(to, connection));
    }

    /// Bytes have come from a peer, whose CSM may have been among them.
    pub(crate) fn heard(&mut self, now: Instant, connection: ConnectionId, has_greeted: bool) {
        let Some(state) = self.open.get_mut(&connection) else { return };
        state.heard = now;
        state.pinged = false;
        if has_greeted {
            self.timers.cancel((connection, Timer::Greeting));
            let host = state.half_open.take();
            self.count_out(host);
        }
    }

    /// A host has one half-open connection less.
    fn count_out(&mut self, host: Option<IpAddr>) {
        let Some(Entry::Occupied(mut number)) = host.map(|host| self.half_open.entry(host)) else {
            return;
        };
        *number.get_mut() -= 1;
        if *number.get() == 0 {
            number.remove();
        }
    }

    pub(crate) fn released(&mut self, now: Instant, connection: ConnectionId) {
        let Some(state) = self.open.get_mut(&connection) else { return };
        // The next request to that address opens a new connection.
        if let Some(to) = state.to.take() {
            self.by_target.remove(&to);
        }
        self.timers.set((connection, Timer::Release), now + self.config.release);
    }

    /// A connection is over; its last bytes may still come.
    pub(crate) fn end(&mut self, connection: ConnectionId) {
        let Some(state) = self.open.remove(&connection) else { return };
        for timer in [Timer::Greeting, Timer::KeepAlive, Timer::Release] {
            self.timers.cancel((connection, timer));
        }
        if let Some(to) = state.to {
            self.by_target.remove(&to);
        }
        self.count_out(state.half_open);
        self.ended.push((connection, state.carried));
    }

    /// The ended connections that are not closed yet.
    pub(crate) fn take_ended(&mut self) -> Vec<(ConnectionId, Carried)> {
        core::mem::take(&mut self.ended)
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Pings silent peers and gives up those that stay silent.
    pub(crate) fn handle_timeout(&mut self, now: Instant, coap: &mut Endpoint) {
        while let Some((connection, timer)) = self.timers.pop_expired(now) {
            let Some(Carried { peer, .. }) = self.carried(connection) else { continue };
            match timer {
                Timer::Greeting => coap.abort_silent(now, peer),
                Timer::KeepAlive if !self.is_dead(now, connection, coap) => {}
                Timer::KeepAlive | Timer::Release => coap.disconnected(now, peer),
            }
        }
    }

    /// Whether a peer has not even answered a ping; else its timer is set again.
    fn is_dead(&mut self, now: Instant, connection: ConnectionId, coap: &mut Endpoint) -> bool {
        let Some(patience) = self.config.keep_alive else { return false };
        let Some(state) = self.open.get_mut(&connection) else { return false };
        let due = state.heard + patience;
        if due > now {
            self.timers.set((connection, Timer::KeepAlive), due);
            return false;
        }
        if !state.pinged {
            state.pinged = true;
            coap.ping(state.carried.peer);
            self.timers.set((connection, Timer::KeepAlive), now + patience);
            return false;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Engine, Input, Link, LinkEvent, Outbox, StreamAction};
    use lwm2m_coap::{Config, Event, Request};

    const FROM: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9);
    const CSM: [u8; 2] = [0x00, 0xE1];
    const PATIENCE: Duration = Duration::from_secs(60);

    fn link() -> Link {
        let mut link = Link::new(Config::default(), [0; 32]);
        let keep_alive = Some(PATIENCE);
        link.set_connection_config(ConnectionConfig { keep_alive, ..ConnectionConfig::default() });
        link
    }

    fn accepted(number: u64) -> ConnectionId {
        ConnectionId::Accepted(number)
    }

    /// Connects to the link; `false` if it refuses the connection.
    fn connect(link: &mut Link, number: u64, from: SocketAddr) -> bool {
        let connection = accepted(number);
        link.handle(Instant::ZERO, Input::Connected { connection, from, secured: false });
        let mut out = Outbox::default();
        out.collect(link);
        !out.actions.contains(&StreamAction::Close { connection })
    }

    fn hear(link: &mut Link, now: Instant, connection: ConnectionId, bytes: &[u8]) {
        link.handle(now, Input::Stream { connection, bytes });
    }

    /// What is to be done with streams; writes by the code of their message.
    fn actions(link: &mut Link) -> Vec<(&'static str, u8)> {
        let mut out = Outbox::default();
        out.collect(link);
        assert!(out.transmits.is_empty());
        let action = |action| match action {
            StreamAction::Open { .. } => ("open", 0),
            StreamAction::Write { payload, .. } => {
                // A text makes the length longer.
                let longer = usize::from(payload[0] >> 4 == 13);
                ("write", payload[1 + longer])
            }
            StreamAction::Close { .. } => ("close", 0),
        };
        out.actions.into_iter().map(action).collect()
    }

    #[test]
    fn half_open_connection_is_given_up() {
        let mut link = link();
        let connection = accepted(1);
        let now = Instant::ZERO;
        link.handle(now, Input::Connected { connection, from: FROM, secured: false });
        hear(&mut link, now, connection, &CSM[..1]);
        assert_eq!(actions(&mut link), [("write", 0xE1)]);
        assert_eq!(link.poll_timeout(), Some(now + Duration::from_secs(10)));
        link.handle(Instant::from_millis(10_000), Input::Timeout);
        assert_eq!(actions(&mut link), [("write", 0xE5), ("close", 0)], "it is told by Abort");
        assert_eq!((link.peer_count(), link.poll_timeout()), (0, None));
    }

    #[test]
    fn silent_peer_is_pinged_before_it_is_given_up() {
        let mut link = link();
        assert!(connect(&mut link, 1, FROM));
        hear(&mut link, Instant::ZERO, accepted(1), &CSM);
        actions(&mut link);
        for answered in [true, false] {
            let mut now = Instant::ZERO;
            while actions(&mut link) != [("write", 0xE2)] {
                now = link.poll_timeout().unwrap();
                link.handle(now, Input::Timeout);
            }
            if answered {
                hear(&mut link, now, accepted(1), &[0x00, 0xE3]);
            }
        }
        link.handle(link.poll_timeout().unwrap(), Input::Timeout);
        assert_eq!(actions(&mut link), [("close", 0)]);
    }

    #[test]
    fn released_connection_is_closed_though_the_peer_goes_on() {
        let mut link = link();
        let peer = link.open_connection(Instant::ZERO, FROM).unwrap();
        assert_eq!(link.open_connection(Instant::ZERO, FROM), Some(peer), "one is enough");
        hear(&mut link, Instant::ZERO, ConnectionId::Opened(1), &CSM);
        assert_eq!(actions(&mut link), [("open", 0), ("write", 0xE1)]);
        link.release_connection(Instant::ZERO, peer);
        assert_eq!(actions(&mut link), [("write", 0xE4)]);
        link.handle(Instant::from_millis(30_000), Input::Timeout);
        assert_eq!(actions(&mut link), [("close", 0)]);
        assert_ne!(link.open_connection(Instant::from_millis(30_000), FROM), Some(peer));
    }

    #[test]
    fn request_fails_when_the_connection_does_not_come_about() {
        let mut link = link();
        let peer = link.open_connection(Instant::ZERO, FROM).unwrap();
        let asked = link.coap().request(Instant::ZERO, peer, Request::get()).unwrap();
        let connection = ConnectionId::Opened(1);
        link.handle(Instant::ZERO, Input::Disconnected { connection });
        let mut out = Outbox::default();
        out.collect(&mut link);
        let [LinkEvent::Coap(Event::Failed { id, .. }), LinkEvent::Coap(Event::Closed { .. })] =
            out.events.make_contiguous()
        else {
            panic!("{out:?}")
        };
        assert_eq!(*id, asked);
    }

    #[test]
    fn half_open_connections_of_one_host_leave_room_for_others() {
        let at = |host: &str, port: u16| SocketAddr::new(host.parse().unwrap(), port);
        for (own, other) in [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8:0:1::1")] {
            let mut link = link();
            let max_connections = 8;
            link.set_connection_config(ConnectionConfig { max_connections, ..Default::default() });
            let taken = (0..8).take_while(|it| connect(&mut link, (*it).into(), at(own, *it)));
            assert_eq!(taken.count(), 4);
            let neighbour = own.replace("::1", "::2");
            assert!(!connect(&mut link, 9, at(&neighbour, 9)), "the same network");
            // A connection is no longer half open when the CSM has come, or it has ended.
            hear(&mut link, Instant::ZERO, accepted(0), &CSM);
            link.handle(Instant::ZERO, Input::Disconnected { connection: accepted(1) });
            assert!(connect(&mut link, 10, at(own, 9)));
            assert!(connect(&mut link, 11, at(other, 1)));
            assert!(link.open_connection(Instant::ZERO, at(own, 10)).is_some());
            // The others of the host still count; without any it takes no memory.
            assert_eq!(link.connections().half_open.values().sum::<usize>(), 4);
            for number in [2, 3, 10, 11] {
                link.handle(Instant::ZERO, Input::Disconnected { connection: accepted(number) });
            }
            assert!(link.connections().half_open.is_empty());
        }
    }

    #[test]
    fn number_of_connections_is_bounded_and_peers_of_datagrams_are_others() {
        let mut link = link();
        link.set_connection_config(ConnectionConfig { max_connections: 2, ..Default::default() });
        assert!(connect(&mut link, 1, FROM));
        let opened = link.open_connection(Instant::ZERO, FROM);
        assert!(opened.is_some() && link.peer_count() == 2);
        assert!(!connect(&mut link, 2, FROM));
        let datagrams = link.connect(FROM);
        assert!(datagrams != opened && link.peer_count() == 3);
        link.handle(Instant::ZERO, Input::Disconnected { connection: accepted(1) });
        assert!(connect(&mut link, 3, FROM));
        assert_eq!(link.connect(FROM), datagrams);
    }

    #[test]
    fn name_that_is_used_twice_changes_nothing() {
        let mut link = link();
        assert!(connect(&mut link, 1, FROM) && connect(&mut link, 1, FROM));
        assert_eq!(link.peer_count(), 1);
    }
}
