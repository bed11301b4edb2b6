//! Peers on a connection: when one is given up, and what is to be done with its stream.
//!
//! CoAP over a connection (RFC 8323) is the endpoint's; here are the deadlines that the RFC leaves
//! to the implementation, so that nobody keeps a connection without using it.

use crate::engine::StreamAction;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;
use core::time::Duration;
use lwm2m_coap::{Endpoint, PeerId};
use lwm2m_time::{Instant, TimerTable};

/// The deadlines of connections and their number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnectionConfig {
    /// How many connections there may be at a time, accepted and opened; 10,000.
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

#[derive(Clone, Copy, Debug)]
struct Connection {
    heard: Instant,
    pinged: bool,
    /// Where it was opened to, if this side opened it.
    to: Option<SocketAddr>,
}

/// All connections of a link.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    pub(crate) config: ConnectionConfig,
    open: BTreeMap<PeerId, Connection>,
    by_target: BTreeMap<SocketAddr, PeerId>,
    timers: TimerTable<(PeerId, Timer)>,
    actions: VecDeque<StreamAction>,
    /// Over, but not all of their last bytes may have been polled.
    ended: Vec<PeerId>,
}

impl Connections {
    pub(crate) fn is_full(&self) -> bool {
        self.open.len() >= self.config.max_connections
    }

    pub(crate) fn has(&self, peer: PeerId) -> bool {
        self.open.contains_key(&peer)
    }

    /// The connection that this side has opened to an address.
    pub(crate) fn opened_to(&self, address: SocketAddr) -> Option<PeerId> {
        self.by_target.get(&address).copied()
    }

    /// A connection begins; `to` if this side opens it.
    pub(crate) fn begin(&mut self, now: Instant, peer: PeerId, to: Option<SocketAddr>) {
        self.open.insert(peer, Connection { heard: now, pinged: false, to });
        self.timers.set((peer, Timer::Greeting), now + self.config.greeting);
        if let Some(patience) = self.config.keep_alive {
            self.timers.set((peer, Timer::KeepAlive), now + patience);
        }
        if let Some(to) = to {
            self.by_target.insert(to, peer);
            self.actions.push_back(StreamAction::Open { peer, to });
        }
    }

    /// Bytes have come from a peer.
    pub(crate) fn heard(&mut self, now: Instant, peer: PeerId) {
        if let Some(connection) = self.open.get_mut(&peer) {
            connection.heard = now;
            connection.pinged = false;
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
            let lost = match timer {
                Timer::Greeting => !coap.has_greeted(peer),
                Timer::KeepAlive => self.is_dead(now, peer, coap),
                Timer::Release => true,
            };
            if lost {
                coap.disconnected(now, peer);
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

    const FROM: SocketAddr =
        SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::LOCALHOST), 9);
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
                StreamAction::Write { payload, .. } => ("write", payload[1]),
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
        assert_eq!(actions(&mut link), [("close", 0)]);
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
