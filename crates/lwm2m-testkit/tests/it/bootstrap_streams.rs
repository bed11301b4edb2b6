//! A device gets its accounts from a bootstrap server over a connection: coap+tcp and coaps+tcp, in
//! virtual time.

use crate::lossy::ENDPOINT;
use crate::secure_bootstrap::{account, commands};
use crate::trio::objects;
use bytes::Bytes;
use lwm2m_bootstrap::{BootstrapServer, Event, SessionError};
use lwm2m_client::{BootstrapAccount, Client, Config, Security};
use lwm2m_coap::FailReason;
use lwm2m_credentials::{Credential, SecurityStore};
use lwm2m_testkit::pair::RIGHT;
use lwm2m_testkit::streams::SECURED_PORT;
use lwm2m_testkit::{Conditions, Pair};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const KEY: &[u8] = b"fedcba9876543210";

fn pair(secured: bool, seed: u64) -> Pair<Client, BootstrapServer> {
    let store = SecurityStore::default();
    let (port, scheme, security) = match secured {
        false => (RIGHT.port(), "coap+tcp", Security::no_sec()),
        true => {
            store.put(ENDPOINT, Credential::psk(b"bs", KEY).unwrap()).unwrap();
            (SECURED_PORT, "coaps+tcp", Security::psk("bs", KEY))
        }
    };
    let address = SocketAddr::new(RIGHT.ip(), port);
    let uri = format!("{scheme}://{address}");
    let bootstrap = BootstrapAccount { uri, ..BootstrapAccount::new(address).secured(security) };
    let config = lwm2m_bootstrap::Config {
        security: Arc::new(store),
        dtls: secured.then(lwm2m_dtls::Config::default),
        ..lwm2m_bootstrap::Config::default()
    };
    let mut server = BootstrapServer::new(config, [2; 32]);
    let no_keys = (3..=5).fold(account().with(0, "coap://192.0.2.3").with(2, 3_i64), |it, key| {
        it.with(key, Bytes::new())
    });
    server.configure(ENDPOINT, commands(no_keys));
    let device = Client::new(Config::new(ENDPOINT).bootstrap(bootstrap), objects(), [1; 32]);
    let mut pair = Pair::new(device.unwrap(), server, Conditions::GOOD, seed);
    pair.left.start(pair.now);
    pair
}

fn told(pair: &Pair<Client, BootstrapServer>) -> Vec<&Event> {
    pair.right_events.iter().map(|(_, event)| event).collect()
}

#[test]
fn a_device_is_bootstrapped_over_one_connection() {
    for secured in [false, true] {
        for seed in 0..3 {
            let mut pair = pair(secured, seed);
            let finished = Event::Finished { endpoint: ENDPOINT.into() };
            let done = pair.run_until(Duration::from_secs(10), |pair| {
                pair.right_events.last().is_some_and(|(_, event)| *event == finished)
            });
            assert!(done, "secured: {secured}, {:?}", told(&pair));
            assert!(matches!(told(&pair)[..], [Event::Started { .. }, Event::Finished { .. }]));
            assert_eq!((pair.streams.accepted, pair.network.counts().0), (1, 0));
        }
    }
}

#[test]
fn a_bootstrap_ends_with_its_connection() {
    for secured in [false, true] {
        let mut pair = pair(secured, 1);
        let begun = |pair: &mut Pair<_, BootstrapServer>| !pair.right_events.is_empty();
        assert!(pair.run_until(Duration::from_secs(10), begun), "secured: {secured}");
        pair.cut_connections();
        pair.run_for(Duration::from_millis(1));
        let reason = SessionError::NoAnswer(FailReason::Closed);
        let failed = Event::Failed { endpoint: ENDPOINT.into(), reason };
        assert_eq!(told(&pair).last(), Some(&&failed), "secured: {secured}");
        assert_eq!(pair.right.peer_count(), 0, "secured: {secured}");
    }
}
