//! A device gets accounts with keys from a bootstrap server, all by DTLS, in virtual time.

use crate::lossy::ENDPOINT;
use crate::secure_lossy::{Keys, MODES, at_a_good_time};
use crate::trio::{BOOTSTRAP, Trio, objects};
use bytes::Bytes;
use lwm2m_bootstrap::{BootstrapServer, Command};
use lwm2m_client::{BootstrapAccount, BootstrapError, Client, Config, Event, Security};
use lwm2m_core::{Node, Object, ObjectInstance, Path};
use lwm2m_credentials::{Credential, SecurityStore};
use lwm2m_dtls::Mode;
use lwm2m_server::Server;
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

fn harness(keys: &Keys, mode: Mode, identity: &str) -> Trio<Client> {
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
    Trio::of(device, bootstrap, Server::new(keys.server(mode, ENDPOINT), [3; 32]))
}

/// Starts, and delivers datagrams until none is in flight.
pub(crate) fn run(trio: &mut Trio<Client>) {
    trio.start();
    assert!(trio.wire.is_empty(), "something in clear text");
}

#[test]
fn a_bootstrap_brings_an_account_of_each_mode() {
    let keys = Keys::new();
    for mode in MODES {
        let mut harness = harness(&keys, mode, "a device");
        run(&mut harness);
        assert!(
            harness.device_events().any(|it| *it == Event::Bootstrapped),
            "{mode:?}: {:?}",
            harness.sim.events(harness.device)
        );
        assert!(
            harness.is_registered(ENDPOINT),
            "{mode:?}: {:?}",
            harness.sim.events(harness.device)
        );
        let begun = |event: &&Event| matches!(event, Event::SessionBegun { .. });
        assert_eq!(harness.device_events().filter(begun).count(), 2, "two servers, two sessions");
    }
}

#[test]
fn keys_of_a_bootstrap_that_the_server_does_not_know_are_refused() {
    let mut harness = harness(&Keys::new(), Mode::Psk, "another device");
    run(&mut harness);
    assert!(harness.device_events().any(|it| *it == Event::Bootstrapped));
    let failed = |event: &Event| match event {
        Event::RegistrationFailed { server, reason, retry_at, .. } => {
            Some((*server, reason.to_string(), *retry_at))
        }
        _ => None,
    };
    let (server, reason, retry_at) = harness.device_events().find_map(failed).unwrap();
    assert_eq!((server, retry_at), (101, None));
    assert!(reason.contains("unknown_psk_identity"), "{reason}");
    // The device asks the bootstrap server for new ones, but not at once.
    let begun = |event: &&Event| matches!(event, Event::SessionBegun { .. });
    assert_eq!(
        harness.device_events().filter(begun).count(),
        1,
        "{:?}",
        harness.sim.events(harness.device)
    );
    let retry_at = Some(harness.sim.now + Duration::from_secs(60));
    let failed = |it: &Event| {
        matches!(
            it,
            Event::BootstrapFailed { reason: BootstrapError::Fruitless, retry_at: at, .. } if *at == retry_at
        )
    };
    assert!(harness.device_events().last().is_some_and(failed));
}
