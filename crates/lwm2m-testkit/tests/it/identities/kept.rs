//! Sessions and credentials of a server with a disk: what has ended stays ended after a crash, and
//! what has not goes on.

use super::register::register;
use super::sleeper::Sleeper;
use super::{SERVER, dtls, psk, psk_credential};
use lwm2m_coap::{Code, Event as CoapEvent, Request};
use lwm2m_dtls::TicketKey;
use lwm2m_link::Record;
use lwm2m_server::records::{COUNTERS, SESSIONS};
use lwm2m_server::security::{OwnCredentials, SecurityStore};
use lwm2m_server::{Config, Server};
use lwm2m_testkit::{Conditions, Node, Sim};
use lwm2m_time::Instant;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// Longer than a commit takes, and shorter than writes gather that nobody waits for.
const A_COMMIT: Duration = Duration::from_millis(100);

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 77], port))
}

/// A server that knows no credentials but those of its disk.
fn server(starts: u8, records: &[Record]) -> Server {
    let mut dtls = dtls();
    dtls.durable_sessions = Some(TicketKey::new([7; 16]));
    dtls.ticket_key = Some(TicketKey::new([8; 16]));
    let security = Arc::new(SecurityStore::new(OwnCredentials::default()));
    let config = Config::default().is_kept(true).security(security).dtls(Some(dtls));
    let mut server = Server::new(config, [starts; 32]);
    let mut restore = server.restore(Instant::ZERO);
    for Record { table, key, value } in records {
        restore.take(*table, key, value.as_deref().unwrap_or_default());
    }
    assert_eq!(restore.finish().unusable, 0);
    server
}

/// A server, and a device with a key.
struct World {
    sim: Sim,
    server: Node<Server>,
    device: Node<Sleeper>,
}

impl World {
    fn new() -> Self {
        let mut sim = Sim::new(Conditions::INSTANT, 1);
        let server = sim.add_with_disk(SERVER, |starts, records| server(starts, &records));
        let profile = psk(b"id-a", b"key a").expect("a profile");
        let device = sim.add_engine(address(1), Sleeper::new(SERVER, profile, 9, false));
        let mut world = Self { sim, server, device };
        world.put(b"key a");
        world
    }

    fn put(&mut self, key: &[u8]) {
        let credential = psk_credential(b"id-a", key);
        self.sim.with(self.server, |it, now| it.put_credential(now, "a", credential)).unwrap();
        self.sim.run_for(A_COMMIT);
    }

    fn remove(&mut self) {
        assert!(self.sim.with(self.server, |it, now| it.remove_credential(now, "a")));
        self.sim.run_for(A_COMMIT);
    }

    /// Begins a session; returns whether an earlier one was resumed.
    fn wakes(&mut self) -> bool {
        self.sim.with(self.device, |it, now| it.wake(now, true));
        self.sim.run_for(A_COMMIT);
        self.sim[self.device].resumed
    }

    /// What the device is answered to a request in its session.
    fn asks(&mut self, request: Request) -> Option<Code> {
        self.sim.take_events(self.device);
        self.sim.with(self.device, |it, now| it.ask(now, request));
        self.sim.run_for(A_COMMIT);
        self.sim.take_events(self.device).into_iter().find_map(|(_, event)| match event {
            CoapEvent::Response { response, .. } => Some(response.code),
            _ => None,
        })
    }

    fn kept_sessions(&mut self) -> usize {
        let records = self.sim.disk(self.server).records();
        records.iter().filter(|it| [SESSIONS, COUNTERS].contains(&it.table)).count()
    }
}

#[test]
fn a_session_that_has_ended_is_not_there_after_a_crash() {
    let mut world = World::new();
    assert!(!world.wakes());
    assert_eq!(world.asks(register(Some("a"))), Some(Code::CREATED));
    assert_eq!(world.kept_sessions(), 2);
    world.sim.with(world.device, |it, _| it.close());
    world.sim.run_for(A_COMMIT);
    assert_eq!(world.kept_sessions(), 0);
}

// proves: SEC-32
#[test]
fn a_credential_that_was_removed_opens_nothing_after_a_crash_when_its_key_is_set_again() {
    let mut world = World::new();
    assert_eq!((world.wakes(), world.wakes()), (false, true), "its sessions can be resumed");
    world.remove();
    world.sim.restart(world.server);
    world.put(b"key a");
    assert!(!world.wakes(), "a new handshake");
    assert!(world.wakes());
    // The crash may come after that, too.
    world.remove();
    world.put(b"key a");
    world.sim.restart(world.server);
    assert!(!world.wakes());
}

#[test]
fn a_changed_credential_costs_no_handshake_after_a_crash() {
    let mut world = World::new();
    world.put(b"another key");
    world.put(b"key a");
    assert!(!world.wakes());
    assert_eq!(world.asks(register(Some("a"))), Some(Code::CREATED));
    world.sim.restart(world.server);
    world.sim.run_for(A_COMMIT);
    let update = || Request::post().path(["rd", "no such registration"]);
    assert_eq!(world.asks(update()), Some(Code::NOT_FOUND), "in the session from before");
    assert!(world.wakes(), "and that session can be resumed");
}
