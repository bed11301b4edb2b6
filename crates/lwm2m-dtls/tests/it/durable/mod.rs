//! Sessions that survive a crash of one side, with a store that may lose its last writes.

mod attacker;
mod client;
mod going_on;
mod limits;
mod refusals;

use crate::support::{
    FourBytes, KEY, Pair, SERVER, address, at_a_good_time, data, events, psk_config, psk_profile,
    rpk, server_config, x509_profile, x509_store,
};
use lwm2m_dtls::certificate::CertificateUsage;
use lwm2m_dtls::{
    ClientProfile, Config, Endpoint, Event, SessionCounters, SessionFingerprint, SessionId,
    TicketKey,
};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Keeps sessions.
pub(crate) fn durable(mut config: Config) -> Config {
    config.durable_sessions = Some(TicketKey::new([5; 16]));
    config
}

/// A way to establish a session: with a pre-shared key, raw public keys or certificates, with or
/// without Connection IDs on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Way {
    mode: u8,
    has_cids: bool,
}

impl Way {
    fn all() -> impl Iterator<Item = Self> {
        (0..3).flat_map(|mode| [false, true].map(|has_cids| Self { mode, has_cids }))
    }

    fn profile(self) -> ClientProfile {
        match self.mode {
            0 => psk_profile(KEY),
            1 => rpk().0,
            _ => x509_profile(CertificateUsage::TrustAnchorAssertion, data!("root.cert")),
        }
    }

    fn configs(self) -> [Config; 2] {
        let server = match self.mode {
            0 => psk_config(),
            1 => server_config(rpk().1),
            _ => server_config(x509_store()),
        };
        [Config::default(), server].map(|mut config| {
            config.connection_ids = self.has_cids.then(|| Arc::new(FourBytes) as _);
            at_a_good_time(durable(config))
        })
    }
}

/// What a store has of a session.
#[derive(Clone, Default)]
struct OnDisk {
    sealed: Vec<u8>,
    counters: Vec<u8>,
}

/// A commit that may still be lost.
enum Commit {
    Write { counters: SessionCounters, sealed: Option<Vec<u8>>, done: Option<Vec<u8>> },
    Remove(SessionFingerprint),
}

/// A store, and what it has not made durable yet.
#[derive(Default)]
struct Disk {
    sessions: BTreeMap<SessionFingerprint, OnDisk>,
    /// What peers asked for, in the order in which it became durable.
    done: Vec<Vec<u8>>,
    under_way: VecDeque<Commit>,
}

/// One side with its store.
struct Node {
    endpoint: Endpoint,
    config: Config,
    disk: Disk,
    /// The sessions whose counters were given out.
    names: BTreeMap<SessionId, SessionFingerprint>,
    starts: u8,
    /// The profile of a client.
    profile: Option<ClientProfile>,
}

impl Node {
    fn new(endpoint: Endpoint, config: Config, profile: Option<ClientProfile>) -> Self {
        let (disk, names) = Default::default();
        Self { endpoint, config, disk, names, starts: 0, profile }
    }

    /// Begins to write the counters of a session, and what its peer has asked for.
    fn write(&mut self, session: SessionId, done: Option<Vec<u8>>) -> SessionCounters {
        let counters = self.endpoint.counters(session).expect("established");
        self.names.insert(session, counters.fingerprint);
        let sealed = (!counters.is_recorded).then(|| match &self.profile {
            None => self.endpoint.seal_session(session),
            Some(profile) => self.endpoint.seal_client_session(session, profile, None),
        });
        let sealed = sealed.map(|sealed| sealed.expect("established"));
        self.disk.under_way.push_back(Commit::Write { counters: counters.clone(), sealed, done });
        counters
    }

    /// Makes the next commits durable.
    fn commit(&mut self, now: lwm2m_time::Instant, number: usize) {
        for _ in 0..number {
            let (counters, sealed, done) = match self.disk.under_way.pop_front() {
                Some(Commit::Write { counters, sealed, done }) => (counters, sealed, done),
                Some(Commit::Remove(fingerprint)) => {
                    self.disk.sessions.remove(&fingerprint);
                    continue;
                }
                None => return,
            };
            let on_disk = self.disk.sessions.entry(counters.fingerprint).or_default();
            on_disk.counters = counters.encode();
            if let Some(sealed) = sealed {
                on_disk.sealed = sealed;
            }
            self.disk.done.extend(done);
            if !counters.is_limit_written {
                self.endpoint.limit_written(now, counters.session, counters.limit);
            }
        }
    }

    /// Does what the events of the endpoint demand, and returns them.
    fn handle_events(&mut self) -> Vec<Event> {
        let events = events(&mut self.endpoint);
        for event in &events {
            match event {
                Event::Data { session, data } => {
                    self.write(*session, Some(data.to_vec()));
                }
                // The session may have ended at once.
                Event::CountersDue { session } if self.endpoint.identity(*session).is_some() => {
                    self.write(*session, None);
                }
                Event::Closed { kept: Some(fingerprint), .. } => {
                    self.disk.under_way.push_back(Commit::Remove(*fingerprint));
                }
                _ => {}
            }
        }
        events
    }

    /// Starts anew from what is durable, and returns the sessions that go on.
    fn crash(&mut self) -> Vec<SessionId> {
        self.starts += 1;
        self.disk.under_way.clear();
        self.endpoint = Endpoint::new(self.config.clone(), [100 + self.starts; 32]);
        let restored = self.disk.sessions.iter().map(|(name, OnDisk { sealed, counters })| {
            let restored = match &self.profile {
                None => self.endpoint.restore(sealed, counters),
                Some(profile) => self.endpoint.restore_client(sealed, counters, profile),
            };
            (restored.expect("as it was written").session, *name)
        });
        self.names = restored.collect();
        self.names.keys().copied().collect()
    }
}

/// A client and a server with stores.
struct Nodes {
    client: Node,
    server: Node,
    way: Way,
    now: lwm2m_time::Instant,
}

impl Nodes {
    fn new(way: Way) -> Self {
        let [client, server] = way.configs();
        let Pair { client: at_client, server: at_server, now, .. } =
            Pair::new(client.clone(), server.clone());
        Self {
            client: Node::new(at_client, client, Some(way.profile())),
            server: Node::new(at_server, server, None),
            way,
            now,
        }
    }

    /// Connects and returns the sessions of client and server.
    fn connect(&mut self) -> [SessionId; 2] {
        let profile = Arc::new(self.way.profile());
        let connecting = self.client.endpoint.connect(self.now, address(SERVER), profile);
        connecting.expect("a good profile");
        self.carry(&mut |_, _| true);
        let connected = |event| match event {
            Event::Connected { session, .. } => Some(session),
            _ => None,
        };
        let both = [&mut self.client, &mut self.server];
        both.map(|node| node.handle_events().into_iter().find_map(connected).expect("connected"))
    }

    /// Carries datagrams, except those that `passes` refuses, until there are none.
    fn carry(&mut self, passes: &mut dyn FnMut(bool, &[u8]) -> bool) {
        let (client, server) = (address(crate::support::CLIENT), address(SERVER));
        let both = [(true, client), (false, server)];
        let mut is_quiet = false;
        while !is_quiet {
            is_quiet = true;
            for (up, from) in both {
                let [sender, receiver] = match up {
                    true => [&mut self.client, &mut self.server],
                    false => [&mut self.server, &mut self.client],
                };
                while let Some(sent) = sender.endpoint.poll_transmit() {
                    is_quiet = false;
                    if passes(up, &sent.payload) {
                        receiver.endpoint.handle_datagram(self.now, from, &sent.payload);
                    }
                }
            }
        }
    }
}

/// What peers have sent.
fn said(events: Vec<Event>) -> Vec<Vec<u8>> {
    let data = |event| match event {
        Event::Data { data, .. } => Some(data.to_vec()),
        _ => None,
    };
    events.into_iter().filter_map(data).collect()
}

/// The record numbers of a datagram under the keys of a session.
fn protected_numbers(mut datagram: &[u8], cid_length: usize) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some((header, rest)) = datagram.split_at_checked(11) {
        let rest = rest.get(if header[0] == 25 { cid_length } else { 0 }..).expect("an ID");
        let (length, body) = rest.split_at(2);
        let length = u16::from_be_bytes([length[0], length[1]]);
        datagram = &body[usize::from(length)..];
        let number = u64::from_be_bytes(header[3..].try_into().expect("8 bytes"));
        assert!(number >> 48 <= 1, "there is one epoch with protection");
        numbers.extend((number >> 48 == 1).then_some(number & ((1 << 48) - 1)));
    }
    numbers
}
