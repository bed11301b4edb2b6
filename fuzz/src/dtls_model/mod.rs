//! A DTLS server with two clients that it knows, a client that it does not know, a rogue server, and
//! an attacker on the path, against a model of what must hold.
//!
//! - No data is delivered that the other side has not sent, none twice, and none to another session.
//! - No session has an identity without the credential; both sides agree on suite and resumption.
//! - A session ends only if its application or its peer closes it, or a new one of the peer replaces
//!   it. If both sides have it at the end, it still carries data.
//! - Handshakes and sessions stay within the limits, and no input asks for the same timeout again.
//! - A handshake that nobody has altered completes when losses stop; at the end, each client connects.
//!
//! The first two bytes of a script are the [`Setup`]; then each step is an operation and two numbers:
//!
//! | operation | step |
//! |---|---|
//! | 0, 1, 2 | the first datagram under way is delivered, one of them, all of them |
//! | 3, 4, 5 | a datagram is lost, duplicated, delivered in fragments |
//! | 6, 7 | a datagram is altered or cut |
//! | 8, 9, 10 | an earlier datagram arrives again: as it was, from another address, altered |
//! | 11 | time passes |
//! | 12, 13 | a client connects anew, or resumes |
//! | 14 | a client has a new address |
//! | 15, 16 | a client or the server sends data |
//! | 17 | a client or the server closes a session |
//! | 18 | the stranger connects, from an address of its own or a client's |
//! | 19 | a datagram to the server reaches the rogue server |

mod end;
mod parties;
mod rules;
mod wire;

use lwm2m_dtls::{ClientProfile, Endpoint, Event, Resumption, SessionId};
use lwm2m_time::Instant;
use parties::{KNOWN, MAX_HANDSHAKES, MAX_SESSIONS, STRANGER, Setup};
use rules::{Party, Rules};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use wire::{Datagram, Wire};

/// The most steps and handshakes of a script, so that it ends soon.
const MOST_STEPS: usize = 300;
const MOST_CONNECTS: usize = 24;
/// The most datagrams that an endpoint sends because of one input.
const MOST_OUTPUT: usize = 64;
/// A handshake that is older has little time left.
const YOUNG: Duration = Duration::from_secs(10);

/// Plays a script.
pub fn play(script: &[u8]) {
    let Some((&[kind, limits], steps)) = script.split_first_chunk() else { return };
    let mut world = World::new(Setup::new(kind, limits));
    for &[operation, a, b] in steps.as_chunks::<3>().0.iter().take(MOST_STEPS) {
        world.step(operation % 20, a, b);
    }
    world.end();
}

struct Client {
    endpoint: Endpoint,
    profile: Arc<ClientProfile>,
    address: SocketAddr,
    /// The handshake under way.
    handshake: Option<SessionId>,
    resumption: Option<Arc<Resumption>>,
}

struct World {
    now: Instant,
    server: Endpoint,
    rogue: Endpoint,
    clients: Vec<Client>,
    wire: Wire,
    setup: Setup,
    rules: Rules,
    connects: usize,
    moves: u16,
    /// A handshake of which nobody has altered anything, and when it began.
    honest: Option<(usize, SessionId, Instant)>,
}

fn server_address() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 200], 5684))
}

fn elsewhere() -> SocketAddr {
    SocketAddr::from(([203, 0, 113, 66], 666))
}

impl World {
    fn new(setup: Setup) -> Self {
        let client = |number: usize| {
            let (endpoint, profile) = setup.client(number);
            let address = SocketAddr::from(([192, 0, 2, number as u8], 1000));
            Client { endpoint, profile, address, handshake: None, resumption: None }
        };
        Self {
            now: Instant::from_millis(1),
            server: setup.server(false),
            rogue: setup.server(true),
            clients: (0..=STRANGER).map(client).collect(),
            wire: Wire::default(),
            setup,
            rules: Rules::new(setup),
            connects: 0,
            moves: 0,
            honest: None,
        }
    }

    fn step(&mut self, operation: u8, a: u8, b: u8) {
        match operation {
            0 => self.deliver_if(|wire| wire.first()),
            1 => self.deliver_if(|wire| wire.take(a)),
            2 => self.deliver_all(),
            3 => drop(self.wire.take(a)),
            4 => self.wire.duplicate(a),
            5 => {
                let parts = self.wire.take(a).map(|datagram| datagram.fragment(b));
                let mut parts = parts.unwrap_or_default();
                if b & 1 == 1 {
                    parts.reverse();
                }
                parts.into_iter().for_each(|part| self.deliver(part));
            }
            11 => self.pass(Duration::from_millis(
                [1, 100, 999, 1_000, 3_000, 9_000, 70_000, 300_000][usize::from(a % 8)],
            )),
            12 | 13 => self.connect(usize::from(a) % KNOWN, operation == 13),
            15 => self.send(Party::Client(usize::from(a) % KNOWN), a / 2, b),
            16 => self.send(Party::Server, a, b),
            _ => self.attack(operation, a, b),
        }
    }

    /// Steps after which a handshake under way need not complete.
    fn attack(&mut self, operation: u8, a: u8, b: u8) {
        self.honest = None;
        match operation {
            6 => self.deliver_if(|wire| wire.take(a).map(|it| it.corrupted(b, a))),
            7 => self.deliver_if(|wire| wire.take(a).map(|it| it.truncated(b))),
            8 => self.deliver_if(|wire| wire.kept(a)),
            9 => self.deliver_if(|wire| Some(Datagram { from: elsewhere(), ..wire.kept(a)? })),
            10 => self.deliver_if(|wire| wire.kept(a).map(|it| it.corrupted(b, a))),
            14 => {
                self.moves += 1;
                let client = &mut self.clients[usize::from(a) % KNOWN];
                client.address.set_port(1000 + self.moves);
            }
            17 => self.close(a, b),
            18 => {
                let victim = self.clients.get(usize::from(a) % (KNOWN + 1));
                self.clients[STRANGER].address = victim.expect("a client").address;
                self.connect(STRANGER, false);
            }
            _ => {
                let datagram = self.wire.take(a).filter(|it| it.to == server_address());
                if let Some(Datagram { from, bytes, .. }) = datagram {
                    self.rogue.handle_datagram(self.now, from, &bytes);
                    self.look();
                }
            }
        }
    }

    fn deliver_if(&mut self, choose: impl FnOnce(&mut Wire) -> Option<Datagram>) {
        if let Some(datagram) = choose(&mut self.wire) {
            self.deliver(datagram);
        }
    }

    /// Delivers what is under way and what comes of it.
    fn deliver_all(&mut self) {
        for _ in 0..1_000 {
            let Some(datagram) = self.wire.first() else { return };
            self.deliver(datagram);
        }
        panic!("two endpoints send without end");
    }

    /// Delivers a datagram to all at its destination.
    fn deliver(&mut self, datagram: Datagram) {
        let Datagram { from, to, bytes } = datagram;
        if to == server_address() {
            self.server.handle_datagram(self.now, from, &bytes);
        }
        for client in self.clients.iter_mut().filter(|client| client.address == to) {
            // A client has one peer: whoever sends says that it is the server.
            client.endpoint.handle_datagram(self.now, server_address(), &bytes);
        }
        self.look();
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        for _ in 0..1_000 {
            match self.next_timeout() {
                Some(due) if due <= until => self.timeout(due),
                _ => return self.now = until,
            }
        }
        panic!("timeouts without end");
    }

    fn next_timeout(&self) -> Option<Instant> {
        let clients = self.clients.iter().map(|client| client.endpoint.poll_timeout());
        let servers = [self.server.poll_timeout(), self.rogue.poll_timeout()];
        clients.chain(servers).flatten().min()
    }

    fn timeout(&mut self, due: Instant) {
        self.now = self.now.max(due);
        let now = self.now;
        let clients = self.clients.iter_mut().map(|client| &mut client.endpoint);
        for endpoint in clients.chain([&mut self.server, &mut self.rogue]) {
            endpoint.handle_timeout(now);
            let next = endpoint.poll_timeout();
            assert!(next.is_none_or(|next| next > now), "the same timeout again");
        }
        self.look();
    }

    fn connect(&mut self, number: usize, resumes: bool) {
        self.connects += 1;
        if self.connects > MOST_CONNECTS {
            return;
        }
        let is_idle = self.wire.is_empty() && self.server.handshake_count() == 0;
        let is_honest = is_idle && number < KNOWN && self.is_alone(number);
        let (now, to) = (self.now, server_address());
        let client = &mut self.clients[number];
        let profile = Arc::clone(&client.profile);
        let session = match client.resumption.clone().filter(|_| resumes) {
            Some(earlier) => client.endpoint.resume(now, to, profile, earlier),
            None => client.endpoint.connect(now, to, profile),
        };
        let session = session.expect("a good profile");
        client.handshake = Some(session);
        self.honest = is_honest.then_some((number, session, now));
        self.look();
    }

    /// Whether no other client has the address of this one: an alert in the clear from there would end
    /// its handshake, rightly.
    fn is_alone(&self, number: usize) -> bool {
        let address = self.clients[number].address;
        self.clients.iter().filter(|client| client.address == address).count() == 1
    }

    fn send(&mut self, party: Party, which: u8, filling: u8) {
        let open = self.rules.open(party);
        if let Some(&session) = open.get(usize::from(which) % open.len().max(1)) {
            self.send_in(party, session, filling);
        }
    }

    /// Sends a message in a session; its number.
    fn send_in(&mut self, party: Party, session: SessionId, filling: u8) -> usize {
        let (now, data) = (self.now, self.rules.next_message(filling));
        let sent = self.endpoint(party).send(now, session, &data);
        sent.expect("the session is open");
        let message = self.rules.sent((party, session), data);
        self.look();
        message
    }

    fn close(&mut self, a: u8, which: u8) {
        let party = [Party::Client(0), Party::Client(1), Party::Server][usize::from(a) % 3];
        let open = self.rules.open(party);
        let Some(&session) = open.get(usize::from(which) % open.len().max(1)) else { return };
        self.rules.closing((party, session));
        self.endpoint(party).close(session).expect("the session is open");
        self.look();
    }

    fn endpoint(&mut self, party: Party) -> &mut Endpoint {
        match party {
            Party::Server => &mut self.server,
            Party::Client(client) => &mut self.clients[client].endpoint,
            Party::Rogue => &mut self.rogue,
        }
    }

    /// Takes what all endpoints have to say.
    fn look(&mut self) {
        let clients = (0..self.clients.len()).map(Party::Client);
        for party in clients.chain([Party::Server, Party::Rogue]) {
            self.take_transmits(party);
            while let Some(event) = self.endpoint(party).poll_event() {
                self.rules.event(party, &event);
                if let Party::Client(client) = party {
                    self.clients[client].note(&event);
                }
            }
        }
        assert!(self.server.handshake_count() <= MAX_HANDSHAKES);
        assert!(self.server.session_count() <= MAX_SESSIONS);
    }

    fn take_transmits(&mut self, party: Party) {
        let from = match party {
            Party::Client(client) => self.clients[client].address,
            _ => server_address(),
        };
        for _ in 0..MOST_OUTPUT {
            let Some(sent) = self.endpoint(party).poll_transmit() else { return };
            self.wire.send(Datagram { from, to: sent.peer, bytes: sent.payload.to_vec() });
        }
        panic!("{party:?} sends too much because of one input");
    }
}

impl Client {
    fn note(&mut self, event: &Event) {
        match event {
            Event::Connected { session, resumption, .. } => {
                self.handshake.take_if(|handshake| *handshake == *session);
                self.resumption = resumption.clone().or(self.resumption.take());
            }
            Event::Failed { session, .. } if *session == self.handshake => self.handshake = None,
            _ => {}
        }
    }
}
