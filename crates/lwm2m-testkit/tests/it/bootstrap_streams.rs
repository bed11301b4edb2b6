//! A device gets its accounts from a bootstrap server over a connection: coap+tcp and coaps+tcp, in
//! virtual time.

use crate::lossy::ENDPOINT;
use crate::secure_bootstrap::{account, commands};
use crate::trio::{BOOTSTRAP, DEVICE, SERVER, objects};
use bytes::Bytes;
use lwm2m_bootstrap::{BootstrapServer, Event, SessionError};
use lwm2m_client::{BootstrapAccount, Client, Config, Security};
use lwm2m_coap::FailReason;
use lwm2m_credentials::{Credential, SecurityStore};
use lwm2m_testkit::sim::streams::SECURED_PORT;
use lwm2m_testkit::{Conditions, Node, Sim};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const KEY: &[u8] = b"fedcba9876543210";

fn harness(secured: bool, seed: u64) -> (Sim, Node<BootstrapServer>) {
    let store = SecurityStore::default();
    let (port, scheme, security) = match secured {
        false => (BOOTSTRAP.port(), "coap+tcp", Security::no_sec()),
        true => {
            store.put(ENDPOINT, Credential::psk(b"bs", KEY).unwrap()).unwrap();
            (SECURED_PORT, "coaps+tcp", Security::psk("bs", KEY))
        }
    };
    let address = SocketAddr::new(BOOTSTRAP.ip(), port);
    let uri = format!("{scheme}://{address}");
    let mut bootstrap = BootstrapAccount::new(address).secured(security);
    bootstrap.uri = uri;
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
    let mut sim = Sim::new(Conditions::GOOD, seed);
    sim.network.capture = Some(Vec::new());
    let device = sim.add_engine(DEVICE, device.unwrap());
    let server = sim.add_engine(BOOTSTRAP, server);
    sim.with(device, |it, now| it.start(now));
    (sim, server)
}

fn told(sim: &Sim, server: Node<BootstrapServer>) -> Vec<&Event> {
    sim.events(server).iter().map(|(_, event)| event).collect()
}

#[test]
fn a_device_is_bootstrapped_over_one_connection() {
    for secured in [false, true] {
        for seed in 0..3 {
            let (mut sim, server) = harness(secured, seed);
            let finished = Event::Finished { endpoint: ENDPOINT.into() };
            let done = sim.run_until(Duration::from_secs(10), |sim| {
                sim.events(server).last().is_some_and(|(_, event)| *event == finished)
            });
            assert!(done, "secured: {secured}, {:?}", told(&sim, server));
            let failed = |event: &Event| matches!(event, Event::Failed { .. });
            assert!(!told(&sim, server).iter().any(|event| failed(event)));
            assert_eq!(sim.streams.accepted, 1);
            // The device goes on to its server by datagrams.
            let datagrams = sim.network.capture.unwrap();
            assert!(datagrams.iter().all(|it| it.to == SERVER), "{datagrams:?}");
        }
    }
}

#[test]
fn a_bootstrap_ends_with_its_connection() {
    for secured in [false, true] {
        let (mut sim, server) = harness(secured, 1);
        let begun = |sim: &mut Sim| !sim.events(server).is_empty();
        assert!(sim.run_until(Duration::from_secs(10), begun), "secured: {secured}");
        sim.cut_connections();
        sim.run_for(Duration::from_millis(1));
        let reason = SessionError::NoAnswer(FailReason::Closed);
        let failed = Event::Failed { endpoint: ENDPOINT.into(), reason };
        assert_eq!(told(&sim, server).last(), Some(&&failed), "secured: {secured}");
        assert_eq!(sim[server].peer_count(), 0, "secured: {secured}");
    }
}
