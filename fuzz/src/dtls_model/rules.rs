//! The model: what was sent, which sessions there are, and what may happen to them.

use super::parties::{KNOWN, Setup};
use lwm2m_dtls::{Cause, CipherSuite, Event, Role, SessionId};
use std::collections::BTreeMap;

/// A party that may have sessions.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Party {
    Server,
    /// The number of a client.
    Client(usize),
    /// A server without the secrets of the server.
    Rogue,
}

/// A session of a party.
type Key = (Party, SessionId);

/// An established session.
#[derive(Debug)]
struct Known {
    /// The client at either end.
    client: usize,
    suite: CipherSuite,
    resumed: bool,
    /// The session of the other side, as soon as data has shown it.
    partner: Option<SessionId>,
    is_open: bool,
    /// Whether the application has closed it.
    is_closed_by_us: bool,
}

struct Message {
    from: Key,
    data: Vec<u8>,
    is_delivered: bool,
}

/// Watches events and panics at one that must not be.
pub(super) struct Rules {
    setup: Setup,
    sessions: BTreeMap<Key, Known>,
    messages: Vec<Message>,
    /// The party of which a session was replaced: the new session is reported next.
    replaced: Option<(Party, usize)>,
}

impl Rules {
    pub(super) fn new(setup: Setup) -> Self {
        Self { setup, sessions: BTreeMap::new(), messages: Vec::new(), replaced: None }
    }

    /// What a party is to send next: its number, and as many bytes more.
    pub(super) fn next_message(&self, filling: u8) -> Vec<u8> {
        let mut data = (self.messages.len() as u32).to_be_bytes().to_vec();
        data.resize(data.len() + usize::from(filling), filling);
        data
    }

    /// Notes that the message was sent.
    pub(super) fn sent(&mut self, from: Key, data: Vec<u8>) -> usize {
        self.messages.push(Message { from, data, is_delivered: false });
        self.messages.len() - 1
    }

    pub(super) fn is_delivered(&self, message: usize) -> bool {
        self.messages[message].is_delivered
    }

    pub(super) fn closing(&mut self, key: Key) {
        self.sessions.get_mut(&key).expect("an open session").is_closed_by_us = true;
    }

    /// The open sessions of a party, the newest last.
    pub(super) fn open(&self, party: Party) -> Vec<SessionId> {
        let all = self.sessions.iter().filter(|((of, _), known)| *of == party && known.is_open);
        all.map(|((_, session), _)| *session).collect()
    }

    /// The session at the other end, if it is open and data has shown which it is.
    pub(super) fn open_partner(&self, key: Key) -> Option<SessionId> {
        let known = self.sessions.get(&key)?;
        let partner = known.partner?;
        self.sessions[&(other(key.0, known.client), partner)].is_open.then_some(partner)
    }

    pub(super) fn event(&mut self, party: Party, event: &Event) {
        if let Some((of, client)) = self.replaced.take() {
            let next = matches!(event, Event::Connected { .. }).then(|| self.client(party, event));
            assert_eq!((party, next), (of, Some(client)), "a session was replaced by none");
        }
        match event {
            Event::Connected { session, role, suite, resumed, .. } => {
                let is_server = *role == Role::Server;
                assert_eq!(is_server, party == Party::Server, "{party:?} is {role:?}");
                let client = self.client(party, event);
                let known = Known {
                    client,
                    suite: *suite,
                    resumed: *resumed,
                    partner: None,
                    is_open: true,
                    is_closed_by_us: false,
                };
                let earlier = self.sessions.insert((party, *session), known);
                assert!(earlier.is_none(), "connected twice: {earlier:?}");
            }
            Event::Data { session, data } => self.data((party, *session), data),
            Event::Closed { session, cause, .. } => self.closed((party, *session), *cause),
            Event::Moved { .. } => assert!(self.setup.sessions_move() || party != Party::Server),
            _ => {}
        }
    }

    /// The client of a new session, by the identity.
    fn client(&self, party: Party, event: &Event) -> usize {
        let Event::Connected { identity, .. } = event else { panic!("not connected: {event:?}") };
        match party {
            Party::Server => self.setup.client_of(identity),
            Party::Client(client) if client < KNOWN => {
                assert!(self.setup.is_server(identity, client), "not the server: {identity:?}");
                client
            }
            other => panic!("{other:?} has a session: {event:?}"),
        }
    }

    fn data(&mut self, to: Key, data: &[u8]) {
        let number = data.first_chunk().map(|number| u32::from_be_bytes(*number) as usize);
        let message = number.and_then(|number| self.messages.get_mut(number));
        let message = message.filter(|message| message.data == data);
        let message = message.unwrap_or_else(|| panic!("data that nobody sent: {data:02x?}"));
        assert!(!message.is_delivered, "data that was delivered before");
        message.is_delivered = true;
        let from = message.from;
        let known = &self.sessions[&to];
        assert!(known.is_open, "data in a session that has ended");
        assert_eq!(from.0, other(to.0, known.client), "data of another party");
        self.pair(to, from.1);
        self.pair(from, to.1);
        let (a, b) = (&self.sessions[&to], &self.sessions[&from]);
        assert_eq!((a.suite, a.resumed, a.client), (b.suite, b.resumed, b.client));
    }

    fn pair(&mut self, key: Key, partner: SessionId) {
        let known = self.sessions.get_mut(&key).expect("a session that has data");
        let before = *known.partner.get_or_insert(partner);
        assert_eq!(before, partner, "two sessions at the other side of one");
    }

    fn closed(&mut self, key: Key, cause: Cause) {
        let known = self.sessions.get_mut(&key).expect("a session that was established");
        assert!(known.is_open, "a session has ended twice");
        known.is_open = false;
        let (client, partner) = (known.client, known.partner);
        let peer = other(key.0, client);
        let closed_by_peer = |(&(party, session), other): (&Key, &Known)| {
            let is_partner = partner.is_none_or(|partner| partner == session);
            party == peer && other.client == client && is_partner && other.is_closed_by_us
        };
        match cause {
            Cause::ByUs => assert!(known.is_closed_by_us, "nobody has closed it"),
            Cause::ByPeer => assert!(self.sessions.iter().any(closed_by_peer), "no peer closed it"),
            Cause::Replaced => self.replaced = Some((key.0, client)),
            // The peer has refused the end of the handshake, of which some is not protected: it never
            // had the session.
            Cause::Alert(_) if partner.is_none() => {}
            other => panic!("{key:?} is lost: {other:?}, {:?}", self.sessions[&key]),
        }
    }
}

/// The party at the other end of a session.
pub(super) fn other(party: Party, client: usize) -> Party {
    if party == Party::Server { Party::Client(client) } else { Party::Server }
}
