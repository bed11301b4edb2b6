//! A fleet that comes at once: after a restart that has lost all, the server is not overrun, and
//! nobody is left out.

use lwm2m_client::{Client, MemoryObject, Object, RegistrationState, Security, ServerAccount};
use lwm2m_credentials::{Credential, SecurityStore};
use lwm2m_server::{Config, Event, Server};
use lwm2m_testkit::{Conditions, Node, Sim};
use lwm2m_time::Instant;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5684);
const KEY: &[u8] = b"0123456789abcdef";
const DEVICES: u8 = 200;
const PER_SECOND: u32 = 10;

fn endpoint(device: u8) -> String {
    format!("dev-{device}")
}

fn server(starts: u8) -> Server {
    let store = SecurityStore::default();
    for device in 0..DEVICES {
        let name = endpoint(device);
        store.put(&name, Credential::psk(name.as_bytes(), KEY).unwrap()).unwrap();
    }
    let mut dtls = lwm2m_dtls::Config::default();
    dtls.max_handshakes_per_second = PER_SECOND;
    let config = Config::default().security(Arc::new(store)).dtls(Some(dtls));
    Server::new(config.max_registers_per_second(PER_SECOND), [starts; 32])
}

fn client(device: u8) -> Client {
    let security = Security::psk(endpoint(device), KEY);
    let account = ServerAccount::new(1, SERVER).lifetime(600).secured(security);
    let mandatory = MemoryObject::new(3)
        .instance(0, |it| it.with(16, "U").with_multiple(11, [(0, 0i64)]))
        .on_execute(4, |_, _| Ok(()));
    let config = lwm2m_client::Config::new(endpoint(device)).server(account);
    let objects: Vec<Box<dyn Object>> = vec![Box::new(mandatory)];
    Client::new(config, objects, [device + 1; 32]).unwrap()
}

/// Waits until all devices are registered, and returns the most registrations in a second.
fn all_come(sim: &mut Sim, server: Node<Server>, devices: &[Node<Client>]) -> usize {
    let is_registered = |sim: &Sim, node: &Node<Client>| {
        sim[*node].registration_state(1) == Some(RegistrationState::Registered)
    };
    let all = |sim: &mut Sim| {
        sim[server].registrations().count() == usize::from(DEVICES)
            && devices.iter().all(|node| is_registered(sim, node))
    };
    assert!(sim.run_until(Duration::from_secs(3_600), all), "{:?}", sim[server].overload());
    let registered = |(at, event)| matches!(event, Event::Registered(_)).then_some(at);
    let times: Vec<Instant> = sim.take_events(server).into_iter().filter_map(registered).collect();
    let within = |from: &Instant| {
        times.iter().filter(|at| **at >= *from && **at < *from + Duration::from_secs(1)).count()
    };
    times.iter().map(within).max().unwrap_or_default()
}

#[test]
fn a_fleet_that_comes_at_once_is_served_one_after_the_other() {
    let mut sim = Sim::new(Conditions::GOOD, 1);
    let server = sim.add(SERVER, server);
    let devices: Vec<_> = (0..DEVICES)
        .map(|device| {
            let address = SocketAddr::from((Ipv4Addr::new(198, 51, 100, device), 5684));
            let node = sim.add(address, move |_| client(device));
            sim.with(node, |it, now| it.start(now));
            node
        })
        .collect();
    // A second's worth may come at once, and as many follow within the second.
    let most = 2 * usize::try_from(PER_SECOND).unwrap();
    let busiest = all_come(&mut sim, server, &devices);
    assert!(busiest <= most, "{busiest} in a second");
    assert!(sim[server].overload().handshakes > 100, "{:?}", sim[server].overload());
    // All is lost, and all devices notice at the same time.
    sim.restart(server);
    for node in &devices {
        sim.with(*node, |it, now| it.update_registration(now, 1));
    }
    let busiest = all_come(&mut sim, server, &devices);
    assert!(busiest <= most, "{busiest} in a second");
}
