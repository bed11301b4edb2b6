//! What is observed after a restart: wishes begin anew when their devices are heard of, and nothing is
//! left of devices that are never heard of again but what was wished for them.

use lwm2m_client::{Client, MemoryObject, Object, Security, ServerAccount};
use lwm2m_core::{ObjectVersion, Path};
use lwm2m_credentials::{Credential, SecurityStore};
use lwm2m_dtls::TicketKey;
use lwm2m_link::Record;
use lwm2m_server::records::{OBSERVATIONS, REGISTRATIONS, SESSIONS};
use lwm2m_server::{
    Config, DeregistrationReason, Event, Operation, Server, Target, WishOptions, WishState,
};
use lwm2m_testkit::{Conditions, Node, Sim};
use lwm2m_time::Instant;
use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5683);
const KEY: &[u8] = b"0123456789abcdef";
const WISHED: Path = Path::resource(3303, 0, 5700);
const PLAIN: Path = Path::resource(3303, 0, 5750);
const LIFETIME: u32 = 600;
const NAMES: [&str; 2] = ["comes back", "is silent"];

fn server(starts: u8, now: Instant, records: &[Record]) -> Server {
    let store = SecurityStore::default();
    for name in NAMES {
        store.put(name, Credential::psk(name.as_bytes(), KEY).unwrap()).unwrap();
    }
    let mut dtls = lwm2m_dtls::Config::default();
    dtls.durable_sessions = Some(TicketKey::new([7; 16]));
    let config = Config::default().is_kept(true).security(Arc::new(store)).dtls(Some(dtls));
    let mut server = Server::new(config, [starts; 32]);
    let mut restore = server.restore(now);
    for Record { table, key, value } in records {
        restore.take(*table, key, value.as_deref().unwrap_or_default());
    }
    assert_eq!(restore.finish().unusable, 0);
    server
}

fn client(name: &'static str, seed: u8) -> Client {
    let security = Security::psk(name, KEY);
    let account = ServerAccount::new(1, SERVER).lifetime(LIFETIME).secured(security);
    let mandatory = MemoryObject::new(3)
        .instance(0, |it| it.with(16, "U").with_multiple(11, [(0, 0i64)]))
        .on_execute(4, |_, _| Ok(()));
    let sensor = MemoryObject::new(3303)
        .version(ObjectVersion::new(1, 1))
        .instance(0, |it| it.with(5700, 0.0).with(5750, ""));
    let config = lwm2m_client::Config::new(name).server(account);
    let objects: Vec<Box<dyn Object>> = vec![Box::new(mandatory), Box::new(sensor)];
    Client::new(config, objects, [seed; 32]).unwrap()
}

struct World {
    sim: Sim,
    server: Node<Server>,
    devices: [Node<Client>; 2],
    /// When the server starts next.
    starts_at: Rc<Cell<Instant>>,
    value: f64,
}

impl World {
    /// A server, and two devices of which it observes a resource by a wish and another one without.
    fn new() -> Self {
        let mut sim = Sim::new(Conditions::GOOD, 1);
        let starts_at = Rc::new(Cell::new(Instant::ZERO));
        let at = Rc::clone(&starts_at);
        let server = sim.add_with_disk(SERVER, move |starts, it| server(starts, at.get(), &it));
        let devices = [0, 1].map(|number: u8| {
            let address = SocketAddr::from((Ipv4Addr::new(198, 51, 100, number), 5683));
            let name = NAMES[usize::from(number)];
            let node = sim.add(address, move |_| client(name, number + 1));
            sim.with(node, |it, now| it.start(now));
            node
        });
        sim.run_for(Duration::from_secs(5));
        for name in NAMES {
            sim.with(server, |it, now| {
                it.wish(now, name, Target::Path(WISHED), WishOptions::default()).unwrap();
                let plain = Operation::Observe { path: PLAIN, format: None };
                it.submit(now, name, plain).unwrap();
            });
        }
        sim.run_for(Duration::from_secs(5));
        let world = Self { sim, server, devices, starts_at, value: 0.0 };
        for name in NAMES {
            assert_eq!(world.sim[world.server].observations(name).count(), 2);
            assert!(matches!(world.state(name), Some(WishState::Observed(_))));
        }
        world
    }

    fn state(&self, name: &str) -> Option<WishState> {
        self.sim[self.server].wishes(name).next().map(|(_, _, state)| state)
    }

    fn restart(&mut self) {
        self.starts_at.set(self.sim.now);
        self.sim.restart(self.server);
        self.sim.take_events(self.server);
    }

    /// Changes both values of a device; returns the targets that the server is told of.
    fn notified(&mut self, device: usize) -> Vec<Target> {
        self.value += 1.0;
        let (node, value) = (self.devices[device], self.value);
        self.sim.with(node, |it, now| {
            let change = |sensor: &mut MemoryObject| {
                sensor.set(0, 5700, value)?;
                sensor.set(0, 5750, value.to_string())
            };
            it.update::<MemoryObject>(now, 3303, change).unwrap();
        });
        self.sim.run_for(Duration::from_secs(5));
        let target = |(_, event)| match event {
            Event::Notification { target, .. } => Some(target),
            _ => None,
        };
        self.sim.take_events(self.server).into_iter().filter_map(target).collect()
    }

    fn count(&mut self, table: lwm2m_link::Table) -> usize {
        self.sim.disk(self.server).records().iter().filter(|it| it.table == table).count()
    }
}

// proves: NOTIFY-04
#[test]
fn wishes_begin_anew_when_their_device_is_heard_of_and_nothing_else_does() {
    let mut world = World::new();
    let silent = world.devices[1];
    world.sim.sever(world.server, silent);
    world.sim.network.capture = Some(Vec::new());
    world.restart();
    world.sim.run_for(Duration::from_secs(5));
    let sent = world.sim.network.capture.take().unwrap();
    assert!(sent.is_empty(), "no device is asked before it is heard of: {sent:?}");
    assert!(NAMES.iter().all(|name| world.state(name) == Some(WishState::Waiting)));

    // Its message is a notification by a token of the former server, which ends that observation, and
    // lets the wish begin anew.
    world.notified(0);
    assert!(matches!(world.state(NAMES[0]), Some(WishState::Observed(_))));
    assert_eq!(world.notified(0), [Target::Path(WISHED)], "once, and the plain one is over");
    assert_eq!(world.sim[world.server].observations(NAMES[0]).count(), 1);
}

// proves: NOTIFY-04
#[test]
fn of_a_device_that_is_never_heard_of_again_its_wish_is_left() {
    let mut world = World::new();
    let silent = world.devices[1];
    world.sim.crash(silent);
    world.restart();
    assert_eq!((world.count(REGISTRATIONS), world.count(SESSIONS)), (2, 2));
    world.sim.run_for(Duration::from_secs(u64::from(LIFETIME) + 100));
    let events = world.sim.take_events(world.server);
    let expired = events.iter().filter_map(|(_, event)| match event {
        Event::Deregistered { registration, reason: DeregistrationReason::Expired, .. } => {
            Some(&*registration.endpoint)
        }
        _ => None,
    });
    assert_eq!(expired.collect::<Vec<_>>(), [NAMES[1]]);
    assert_eq!(world.sim[world.server].observations(NAMES[1]).count(), 0);
    assert_eq!((world.count(REGISTRATIONS), world.count(OBSERVATIONS)), (1, 2));
    assert_eq!(world.sim[world.server].peer_count(), 1);

    // A wish lasts until it is taken back, also over more restarts; a session where nobody is registered
    // does not.
    world.restart();
    world.sim.run_for(Duration::from_secs(5));
    assert_eq!(world.count(SESSIONS), 1);
    assert_eq!(world.state(NAMES[1]), Some(WishState::Waiting));
    world.sim.restart(silent);
    world.sim.with(silent, |it, now| it.start(now));
    world.sim.run_for(Duration::from_secs(10));
    assert!(matches!(world.state(NAMES[1]), Some(WishState::Observed(_))));
}
