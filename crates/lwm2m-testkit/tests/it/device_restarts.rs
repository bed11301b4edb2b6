//! A device with a disk that restarts: it goes on in its session, with its registration and with what
//! servers have told it; in queue mode it is found where it wakes up.

use crate::sensors::{self, KEY, SERVER, TEXT, VALUE};
use lwm2m_client::{Client, Event as ClientEvent, MemoryObject, Restored, Security, ServerAccount};
use lwm2m_core::{Attribute, Node as Tree, ObjectInstance, Path, Resource, Value};
use lwm2m_dtls::TicketKey;
use lwm2m_server::{
    CommandOptions, Config, Event, Operation, OperationId, Server, Target, WishOptions, WriteMode,
};
use lwm2m_testkit::{Conditions, Node, Sim};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

const DEVICE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)), 5683);
const NAME: &str = "dev";
const LIFETIME: Path = Path::resource(1, 0, 1);
const AT_ONCE: Duration = Duration::from_secs(2);

/// How a device reaches its server.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Way {
    Plain,
    Dtls {
        with_ids: bool,
    },
    /// By DTLS, and the session is not kept.
    Unkept,
    /// By TCP, whose connection is gone.
    Connected,
}

const WAYS: [Way; 3] = [Way::Plain, Way::Dtls { with_ids: false }, Way::Dtls { with_ids: true }];

struct World {
    sim: Sim,
    server: Node<Server>,
    device: Node<Client>,
}

fn client(way: Way, starts: u8, queue_mode: bool) -> Client {
    let mut account = ServerAccount::new(1, SERVER).lifetime(3_600).queue_mode(queue_mode);
    account = match way {
        Way::Plain => account,
        Way::Connected => account.over_tcp(),
        Way::Dtls { .. } | Way::Unkept => account.secured(Security::psk(NAME, KEY)),
    };
    let mut config = lwm2m_client::Config::new(NAME).server(account).is_kept(true);
    let key = TicketKey::new([8; 16]);
    config.dtls.durable_sessions = Some(key).filter(|_| way != Way::Unkept);
    let objects =
        sensors::objects("factory", |it| it.new_instances(|it| it.with(5700, 1.5).with(5750, "")));
    // No two lives have the same tokens.
    Client::new(config, objects, [starts; 32]).unwrap()
}

fn server(way: Way) -> Server {
    let mut config = Config::default();
    if matches!(way, Way::Dtls { .. } | Way::Unkept) {
        let with_ids = way == (Way::Dtls { with_ids: true });
        let dtls = lwm2m_dtls::Config::default();
        config = sensors::with_keys(config, [NAME.to_owned()], dtls, with_ids);
    }
    Server::new(config, [99; 32])
}

impl World {
    fn new(way: Way, queue_mode: bool) -> Self {
        let mut sim = Sim::new(Conditions::INSTANT, 1);
        let server = sim.add_engine(SERVER, server(way));
        let device = sim.add_with_disk(DEVICE, move |starts, _| client(way, starts, queue_mode));
        let mut world = Self { sim, server, device };
        world.sim.with(device, |it, now| it.start(now));
        world.sim.run_for(AT_ONCE);
        assert!(world.told(|event| matches!(event, ClientEvent::Registered { .. })));
        world
    }

    /// Crashes the device and starts it again.
    fn restart(&mut self) -> Restored {
        self.sim.restart(self.device);
        self.go_on()
    }

    fn go_on(&mut self) -> Restored {
        let records = self.sim.disk(self.device).records();
        self.sim.with(self.device, |it, now| {
            let mut restore = it.restore(now);
            for record in &records {
                restore.take(record.table, &record.key, record.value.as_deref().unwrap());
            }
            let restored = restore.finish();
            it.start(now);
            restored
        })
    }

    /// Whether the device has told something since the last call.
    fn told(&mut self, is: impl Fn(&ClientEvent) -> bool) -> bool {
        self.sim.take_events(self.device).iter().any(|(_, event)| is(event))
    }

    fn ask(&mut self, operation: Operation) -> OperationId {
        let asked = self.sim.with(self.server, |it, now| it.submit(now, NAME, operation));
        asked.unwrap()
    }

    fn code(&mut self, operation: Operation) -> String {
        let asked = self.ask(operation);
        self.sim.run_for(AT_ONCE);
        let events = self.sim.take_events(self.server);
        let answer = events.into_iter().find_map(|(_, event)| match event {
            Event::Completed { id, result, .. } if id == asked => Some(result),
            _ => None,
        });
        answer.expect("an end").expect("an answer").code.to_string()
    }

    fn write(&mut self, path: Path, value: impl Into<Value>) -> String {
        let node = Tree::Resource(Resource::Single(value.into()));
        self.code(Operation::Write { path, node, format: None, mode: WriteMode::Replace })
    }

    fn value(&self, object: u16, instance: u16, resource: u16) -> Option<Value> {
        let object = self.sim[self.device].object::<MemoryObject>(object)?;
        object.value(instance, resource).cloned()
    }

    /// The values that the server was notified of since the last call.
    fn notified(&mut self) -> Vec<Tree> {
        let events = self.sim.take_events(self.server).into_iter();
        let notified = events.filter_map(|(_, event)| match event {
            Event::Notification { result, .. } => result.ok(),
            _ => None,
        });
        notified.collect()
    }

    fn set(&mut self, value: f64) {
        let set = |it: &mut MemoryObject| it.set(0, 5700, value);
        self.sim.with(self.device, |it, now| it.update(now, 3303, set)).unwrap();
        self.sim.run_for(AT_ONCE);
    }
}

fn float(value: f64) -> Tree {
    Tree::Resource(Resource::Single(Value::Float(value)))
}

// proves: REG-30, SEC-35
#[test]
fn a_device_goes_on_with_registration_session_and_what_servers_told_it() {
    for way in WAYS {
        let mut world = World::new(way, false);
        let id = world.sim[world.server].registration(NAME).unwrap().id;
        assert_eq!(world.write(TEXT, "written"), "2.04");
        assert_eq!(world.write(LIFETIME, 7_200_i64), "2.04");
        let node = Tree::ObjectInstance(ObjectInstance::default().with(5750, "made"));
        let path = Path::object(3303);
        let create = Operation::Create { path, instance: Some(7), node, format: None };
        assert_eq!(world.code(create), "2.01");
        let attributes = vec![Attribute::parse("gt=50").unwrap()];
        assert_eq!(world.code(Operation::WriteAttributes { path: VALUE, attributes }), "2.04");
        world.ask(Operation::Observe { path: VALUE, format: None });
        world.sim.run_for(AT_ONCE);
        world.sim.take_events(world.device);
        world.sim.take_events(world.server);

        for round in 0..3 {
            let restored = world.restart();
            world.sim.run_for(AT_ONCE);
            let secured = usize::from(way != Way::Plain);
            let counts = (restored.instances, restored.attributes, restored.sessions);
            assert_eq!(counts, (3, 1, secured), "{way:?}");
            let counts = (restored.registrations, restored.observations, restored.unusable);
            assert_eq!(counts, (1, 1, 0), "{way:?}");
            let events: Vec<_> = world.sim.take_events(world.device);
            let updated = events.iter().any(|(_, it)| matches!(it, ClientEvent::Updated { .. }));
            let anew = events.iter().any(|(_, it)| {
                matches!(it, ClientEvent::Registered { .. } | ClientEvent::SessionBegun { .. })
            });
            assert!(updated && !anew, "{way:?}: {events:?}");
            assert_eq!(world.value(3303, 0, 5750), Some("written".into()));
            assert_eq!(world.value(3303, 7, 5750), Some("made".into()));
            assert_eq!(world.value(3303, 7, 5700), Some(1.5.into()));
            assert_eq!(world.value(1, 0, 1), Some(7_200_i64.into()));
            let registration = world.sim[world.server].registration(NAME).unwrap();
            assert_eq!((registration.id, registration.lifetime.as_secs()), (id, 7_200));
            // The value that there is now, then those that the attributes want told.
            assert_eq!(world.notified(), [float(0.0)], "{way:?} in round {round}");
            world.set(49.0);
            world.set(51.0);
            assert_eq!(world.notified(), [float(51.0)], "{way:?} in round {round}");
        }
    }
}

// proves: QUEUE-05
#[test]
fn a_device_in_queue_mode_gets_what_waits_where_it_wakes_up() {
    for (way, restarts) in WAYS.into_iter().flat_map(|way| [(way, false), (way, true)]) {
        let mut world = World::new(way, true);
        world.sim.run_for(Duration::from_secs(200));
        assert!(world.sim[world.device].is_asleep());
        let node = Tree::Resource(Resource::Single("waited".into()));
        let write = Operation::Write { path: TEXT, node, format: None, mode: WriteMode::Replace };
        let options = CommandOptions::default();
        let ask = |it: &mut Server, now| it.command(now, NAME, write, options);
        world.sim.with(world.server, ask).unwrap();
        world.sim.run_for(Duration::from_secs(100));
        assert_eq!(world.value(3303, 0, 5750), Some("factory".into()), "nothing is sent");
        world.sim.take_events(world.device);

        world.sim.rebind(world.device, SocketAddr::from(([198, 51, 100, 2], 61_616)));
        match restarts {
            true => _ = world.restart(),
            false => world.sim.with(world.device, |it, now| it.update_registration(now, 1)),
        }
        world.sim.run_for(Duration::from_secs(60));
        assert_eq!(world.value(3303, 0, 5750), Some("waited".into()), "{way:?}, {restarts}");
        let events = world.sim.take_events(world.device);
        let sessions = events.iter().filter_map(|(_, event)| match event {
            ClientEvent::SessionBegun { resumed, .. } => Some(*resumed),
            ClientEvent::Registered { .. } => panic!("{way:?}: a Register"),
            _ => None,
        });
        // Without Connection IDs nothing but a new session tells who it is, which costs no key.
        let expected = if way == (Way::Dtls { with_ids: false }) { vec![true] } else { vec![] };
        assert_eq!(sessions.collect::<Vec<_>>(), expected, "{way:?}, {restarts}");
    }
}

#[test]
fn a_device_whose_session_is_not_kept_goes_on_in_a_new_one() {
    for way in [Way::Unkept, Way::Connected] {
        let mut world = World::new(way, false);
        let observe = |it: &mut Server, now| {
            it.wish(now, NAME, Target::Path(VALUE), WishOptions::default()).unwrap();
        };
        world.sim.with(world.server, observe);
        world.sim.run_for(AT_ONCE);
        world.sim.take_events(world.server);
        world.restart();
        world.sim.run_for(AT_ONCE);
        let events = world.sim.take_events(world.device);
        let has = |is: fn(&ClientEvent) -> bool| events.iter().any(|(_, event)| is(event));
        assert_eq!(has(|it| matches!(it, ClientEvent::SessionBegun { .. })), way == Way::Unkept);
        assert!(has(|it| matches!(it, ClientEvent::Updated { .. })), "{way:?}: {events:?}");
        assert!(!has(|it| matches!(it, ClientEvent::Registered { .. })), "{way:?}");
        world.set(5.0);
        assert_eq!(world.notified().last(), Some(&float(5.0)), "{way:?}");
    }
}
