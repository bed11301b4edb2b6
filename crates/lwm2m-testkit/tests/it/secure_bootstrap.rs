//! A device gets accounts with keys from a bootstrap server, all by DTLS, in virtual time.

use crate::lossy::ENDPOINT;
use crate::secure_lossy::{Keys, MODES, at_a_good_time};
use crate::trio::{BOOTSTRAP, DEVICE, SERVER, objects};
use bytes::Bytes;
use lwm2m_bootstrap::{BootstrapServer, Command};
use lwm2m_client::{BootstrapAccount, BootstrapError, Client, Config, Event, Security};
use lwm2m_core::{Node, Object, ObjectInstance, Path};
use lwm2m_credentials::{Credential, SecurityStore};
use lwm2m_dtls::Mode;
use lwm2m_link::{Engine, Input, Outbox, Transmit};
use lwm2m_server::Server;
use lwm2m_time::Instant;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const BOOTSTRAP_KEY: &[u8] = b"fedcba9876543210";
const URI: &str = "coaps://192.0.2.3:5683";

/// The instance of the Security object that holds the keys of a mode.
fn security(keys: &Keys, mode: Mode, identity: &str) -> ObjectInstance {
    let Security { server_public_key, secret_key, public_key_or_identity, .. } =
        keys.security(mode);
    let own = match mode {
        Mode::Psk => Bytes::copy_from_slice(identity.as_bytes()),
        _ => public_key_or_identity,
    };
    let values = account()
        .with(3, own)
        .with(4, server_public_key)
        .with(5, Bytes::copy_from_slice(&secret_key));
    match mode {
        Mode::Psk => values.with(2, 0_i64).with_multiple(16, [(0, 0xc0a8_u64)]),
        Mode::RawPublicKey => values.with(2, 1_i64),
        // Usage 2: the authority of the server, by the name that stands in its certificate.
        Mode::Certificate => {
            values.with(2, 2_i64).with(14, "server.example.com").with(15, 2_u64).with(13, 0_u64)
        }
    }
}

/// The account of the server, without keys.
pub(crate) fn account() -> ObjectInstance {
    ObjectInstance::default().with(0, URI).with(1, false).with(10, 101_i64)
}

pub(crate) fn commands(security: ObjectInstance) -> Vec<Command> {
    let settings = ObjectInstance::default().with(0, 101_i64).with(1, 300_i64).with(6, true);
    let settings = settings.with(7, "U");
    vec![
        Command::Write(Path::object(0), Node::Object(Object { instances: [(1, security)].into() })),
        Command::Write(Path::instance(1, 0), Node::ObjectInstance(settings)),
    ]
}

pub(crate) struct World {
    device: Client,
    pub(crate) bootstrap: BootstrapServer,
    pub(crate) server: Server,
    now: Instant,
    pub(crate) events: Vec<Event>,
    from_device: Outbox<Event>,
    pub(crate) from_bootstrap: Outbox<lwm2m_bootstrap::Event>,
    from_server: Outbox<lwm2m_server::Event>,
}

impl World {
    fn new(keys: &Keys, mode: Mode, identity: &str) -> Self {
        let account = BootstrapAccount::new(BOOTSTRAP).secured(Security::psk("bs", BOOTSTRAP_KEY));
        let mut config = Config::new(ENDPOINT).bootstrap(account);
        config.dtls = at_a_good_time();
        let store = SecurityStore::default();
        store.put(ENDPOINT, Credential::psk(b"bs", BOOTSTRAP_KEY).unwrap()).unwrap();
        let bootstrap = lwm2m_bootstrap::Config {
            security: Arc::new(store),
            dtls: Some(at_a_good_time()),
            ..lwm2m_bootstrap::Config::default()
        };
        let mut bootstrap = BootstrapServer::new(bootstrap, [2; 32]);
        bootstrap.configure(ENDPOINT, commands(security(keys, mode, identity)));
        let device = Client::new(config, objects(), [1; 32]).unwrap();
        Self::of(device, bootstrap, Server::new(keys.server(mode, ENDPOINT), [3; 32]))
    }

    pub(crate) fn of(device: Client, bootstrap: BootstrapServer, server: Server) -> Self {
        Self {
            device,
            bootstrap,
            server,
            now: Instant::ZERO,
            events: Vec::new(),
            from_device: Outbox::default(),
            from_bootstrap: Outbox::default(),
            from_server: Outbox::default(),
        }
    }

    /// Begins, and moves datagrams until none is left.
    pub(crate) fn run(&mut self) {
        self.device.start(self.now);
        self.settle();
    }

    /// Moves datagrams until none is left.
    pub(crate) fn settle(&mut self) {
        loop {
            self.from_device.collect(&mut self.device);
            self.from_bootstrap.collect(&mut self.bootstrap);
            self.from_server.collect(&mut self.server);
            let device = self.from_device.transmits.drain(..).map(|it| (DEVICE, it));
            let bootstrap = self.from_bootstrap.transmits.drain(..).map(|it| (BOOTSTRAP, it));
            let server = self.from_server.transmits.drain(..).map(|it| (SERVER, it));
            let moving: Vec<(SocketAddr, Transmit)> =
                device.chain(bootstrap).chain(server).collect();
            if moving.is_empty() {
                break;
            }
            for (from, transmit) in moving {
                assert!(transmit.secured, "something in clear text");
                let (now, input) = (self.now, Input::secured_datagram(from, &transmit.payload));
                match transmit.to {
                    DEVICE => self.device.handle(now, input),
                    BOOTSTRAP => self.bootstrap.handle(now, input),
                    _ => self.server.handle(now, input),
                }
            }
        }
        self.events.extend(self.from_device.events.drain(..));
    }
}

#[test]
fn a_bootstrap_brings_an_account_of_each_mode() {
    let keys = Keys::new();
    for mode in MODES {
        let mut world = World::new(&keys, mode, "a device");
        world.run();
        assert!(world.events.contains(&Event::Bootstrapped), "{mode:?}: {:?}", world.events);
        assert!(world.server.registration(ENDPOINT).is_some(), "{mode:?}: {:?}", world.events);
        let begun = |event: &&Event| matches!(event, Event::SessionBegun { .. });
        assert_eq!(world.events.iter().filter(begun).count(), 2, "two servers, two sessions");
    }
}

#[test]
fn keys_of_a_bootstrap_that_the_server_does_not_know_are_refused() {
    let mut world = World::new(&Keys::new(), Mode::Psk, "another device");
    world.run();
    assert!(world.events.contains(&Event::Bootstrapped));
    let failed = |event: &Event| match event {
        Event::RegistrationFailed { server, reason, retry_at } => {
            Some((*server, reason.to_string(), *retry_at))
        }
        _ => None,
    };
    let (server, reason, retry_at) = world.events.iter().find_map(failed).unwrap();
    assert_eq!((server, retry_at), (101, None));
    assert!(reason.contains("unknown_psk_identity"), "{reason}");
    // The bootstrap server is asked for better ones, but not at once.
    let begun = |event: &&Event| matches!(event, Event::SessionBegun { .. });
    assert_eq!(world.events.iter().filter(begun).count(), 1, "{:?}", world.events);
    let retry_at = Some(world.now + Duration::from_secs(60));
    let reason = BootstrapError::Fruitless;
    assert_eq!(world.events.last(), Some(&Event::BootstrapFailed { reason, retry_at }));
}
