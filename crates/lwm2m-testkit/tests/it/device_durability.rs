//! What a device has acknowledged is kept: devices with disks crash at random moments under the
//! operations of a server, in virtual time. What they acknowledged before is compared with what they
//! have afterwards.

use crate::sensors::{self, KEY, SENSOR, SERVER, TEXT, VALUE};
use lwm2m_client::{Client, Event as ClientEvent, MemoryObject, Restored, Security, ServerAccount};
use lwm2m_core::{Attribute, Node as Tree, ObjectInstance, Path, Resource, Value};
use lwm2m_dtls::TicketKey;
use lwm2m_server::{Config, Event, Operation, OperationId, Server, WriteMode};
use lwm2m_testkit::{Conditions, Node, Sim};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

const DEVICES: u8 = 10;
/// The instances that the server makes and deletes.
const MADE: std::ops::Range<u16> = 1..5;

fn name(device: u8) -> String {
    format!("dev-{device}")
}

/// What a server asks of a device, with the number that tells it from others.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Asked {
    Write(u32),
    Attributes(u32),
    Create(u16),
    Delete(u16),
    Observe,
}

/// What the server was told by a device.
#[derive(Default)]
struct Told {
    text: u32,
    threshold: u32,
    observes: bool,
    /// Whether instances are there, as far as that is certain.
    instances: BTreeMap<u16, bool>,
    asked: Option<(OperationId, Asked)>,
}

struct World {
    sim: Sim,
    rng: ChaCha8Rng,
    server: Node<Server>,
    devices: Vec<Node<Client>>,
    told: Vec<Told>,
    next: u32,
    acknowledged: u32,
    registered: u32,
    handshakes: u32,
}

fn client(device: u8, starts: u8, is_secured: bool) -> Client {
    let mut account = ServerAccount::new(1, SERVER).lifetime(86_400 * 365);
    if is_secured {
        account = account.secured(Security::psk(name(device), KEY));
    }
    let mut config = lwm2m_client::Config::new(name(device)).server(account).is_kept(true);
    config.dtls.durable_sessions = Some(TicketKey::new([8; 16]));
    let objects =
        sensors::objects("0", |it| it.new_instances(|it| it.with(5700, 0.0).with(5750, "")));
    let mut seed = [device; 32];
    seed[0] = starts;
    Client::new(config, objects, seed).unwrap()
}

fn server(is_secured: bool, with_ids: bool) -> Server {
    let mut config = Config::default();
    if is_secured {
        let names = (0..DEVICES).map(name);
        config = sensors::with_keys(config, names, lwm2m_dtls::Config::default(), with_ids);
    }
    Server::new(config, [99; 32])
}

impl World {
    fn new(seed: u64, is_secured: bool) -> Self {
        let mut sim = Sim::new(Conditions::GOOD, seed);
        let server = sim.add_engine(SERVER, server(is_secured, seed % 2 == 1));
        let devices = (0..DEVICES).map(|device| {
            let address = SocketAddr::from((Ipv4Addr::new(198, 51, 100, device), 5683));
            let node =
                sim.add_with_disk(address, move |starts, _| client(device, starts, is_secured));
            sim.with(node, |it, now| it.start(now));
            node
        });
        let devices = devices.collect();
        Self {
            sim,
            rng: ChaCha8Rng::seed_from_u64(seed),
            server,
            devices,
            told: (0..DEVICES).map(|_| Told::default()).collect(),
            next: 0,
            acknowledged: 0,
            registered: 0,
            handshakes: 0,
        }
    }

    fn random(&mut self, below: u32) -> u32 {
        self.rng.next_u32() % below
    }

    /// The server asks a device for something, if nothing is under way there.
    fn act(&mut self) {
        let device = u8::try_from(self.random(DEVICES.into())).unwrap();
        self.next += 1;
        let number = self.next;
        let instance = MADE.start + u16::try_from(number % 4).unwrap();
        let asked = match self.random(8) {
            0..=2 => Asked::Write(number),
            3 => Asked::Attributes(number),
            4 | 5 => Asked::Create(instance),
            6 => Asked::Delete(instance),
            _ => Asked::Observe,
        };
        if self.told[usize::from(device)].asked.is_some() {
            return;
        }
        let operation = operation(asked);
        let submit = |it: &mut Server, now| it.submit(now, &name(device), operation);
        if let Ok(id) = self.sim.with(self.server, submit) {
            let told = &mut self.told[usize::from(device)];
            // From now on it is not certain any more.
            if let Asked::Create(instance) | Asked::Delete(instance) = asked {
                told.instances.remove(&instance);
            }
            told.asked = Some((id, asked));
        }
    }

    /// Takes note of what devices have acknowledged.
    fn note(&mut self) {
        for (_, event) in self.sim.take_events(self.server) {
            match event {
                Event::Completed { id, result, .. } => {
                    let under_way = |told: &Told| told.asked.is_some_and(|(it, _)| it == id);
                    let Some(device) = self.told.iter().position(under_way) else { continue };
                    let (_, asked) = self.told[device].asked.take().unwrap();
                    if let Ok(response) = result {
                        self.note_answer(device, asked, &response.code.to_string());
                    }
                }
                Event::Registered(_) => self.registered += 1,
                _ => {}
            }
        }
        for node in self.devices.clone() {
            let events = self.sim.take_events(node);
            let begun = |(_, event): &&(_, _)| matches!(event, ClientEvent::SessionBegun { .. });
            self.handshakes += u32::try_from(events.iter().filter(begun).count()).unwrap();
        }
    }

    fn note_answer(&mut self, device: usize, asked: Asked, code: &str) {
        self.acknowledged += 1;
        let told = &mut self.told[device];
        match (asked, code) {
            (Asked::Write(number), "2.04") => told.text = number,
            (Asked::Attributes(number), "2.04") => told.threshold = number,
            (Asked::Observe, "2.05") => told.observes = true,
            // It may be there since a request that was not answered.
            (Asked::Create(instance), "2.01" | "4.00") => _ = told.instances.insert(instance, true),
            (Asked::Delete(instance), "2.02" | "4.04") => {
                told.instances.insert(instance, false);
            }
            other => panic!("{device}: {other:?}"),
        }
    }

    /// A device crashes, starts again and has all that it acknowledged.
    fn crash(&mut self, device: usize) {
        self.note();
        let node = self.devices[device];
        self.sim.restart(node);
        let records = self.sim.disk(node).records();
        let restored = self.sim.with(node, |it, now| {
            let mut restore = it.restore(now);
            for record in &records {
                restore.take(record.table, &record.key, record.value.as_deref().unwrap());
            }
            let restored = restore.finish();
            it.start(now);
            restored
        });
        self.check(device, &restored);
    }

    fn check(&mut self, device: usize, restored: &Restored) {
        let (told, client) = (&self.told[device], &self.sim[self.devices[device]]);
        assert_eq!((restored.registrations, restored.unusable), (1, 0), "{device}: {restored:?}");
        assert!(restored.observations >= usize::from(told.observes), "{device}: {restored:?}");
        assert!(restored.attributes >= usize::from(told.threshold > 0), "{device}: {restored:?}");
        let sensor = client.object::<MemoryObject>(SENSOR).unwrap();
        let Some(Value::String(text)) = sensor.value(0, 5750) else { panic!("no text") };
        let text: u32 = text.parse().unwrap();
        assert!(text >= told.text, "{device} acknowledged {}, has {text}", told.text);
        for (instance, is_there) in &told.instances {
            assert_eq!(sensor.value(*instance, 5750).is_some(), *is_there, "{device}: {instance}");
        }
    }

    /// Each observation goes on.
    fn finish(&mut self) {
        self.sim.run_for(Duration::from_secs(300));
        self.note();
        for device in 0..usize::from(DEVICES) {
            let set = |it: &mut MemoryObject| it.set(0, 5700, -1.0);
            self.sim.with(self.devices[device], |it, now| it.update(now, SENSOR, set)).unwrap();
            self.sim.run_for(Duration::from_secs(10));
            let events = self.sim.take_events(self.server);
            let is_notified = events.iter().any(|(_, event)| {
                let value = Tree::Resource(Resource::Single(Value::Float(-1.0)));
                matches!(event, Event::Notification { result: Ok(it), .. } if *it == value)
            });
            let threshold = self.told[device].threshold;
            let is_worth = threshold == 0;
            assert!(is_notified || !is_worth || !self.told[device].observes, "{device}");
        }
    }
}

fn operation(asked: Asked) -> Operation {
    let text = |number: String| ObjectInstance::default().with(5750, number);
    match asked {
        Asked::Write(number) => Operation::Write {
            path: TEXT,
            node: Tree::Resource(Resource::Single(Value::String(number.to_string()))),
            format: None,
            mode: WriteMode::Replace,
        },
        Asked::Attributes(number) => {
            let attributes = vec![Attribute::parse(&format!("gt={number}")).unwrap()];
            Operation::WriteAttributes { path: VALUE, attributes }
        }
        Asked::Create(instance) => Operation::Create {
            path: Path::object(SENSOR),
            instance: Some(instance),
            node: Tree::ObjectInstance(text(instance.to_string())),
            format: None,
        },
        Asked::Delete(instance) => Operation::Delete { path: Path::instance(SENSOR, instance) },
        Asked::Observe => Operation::Observe { path: VALUE, format: None },
    }
}

/// How many crashes: 300, or as many as the environment says.
fn crashes() -> u32 {
    std::env::var("LWM2M_CRASHES").ok().and_then(|text| text.parse().ok()).unwrap_or(300)
}

/// Crashes devices again and again under the operations of the server.
fn survive(seed: u64, is_secured: bool) -> World {
    let mut world = World::new(seed, is_secured);
    world.sim.run_for(Duration::from_secs(30));
    for _ in 0..crashes() {
        for _ in 0..world.random(12) {
            world.act();
            let pause = u64::from(world.random(30));
            world.sim.run_for(Duration::from_millis(pause));
            world.note();
        }
        let device = world.random(DEVICES.into());
        world.crash(usize::try_from(device).unwrap());
        world.sim.run_for(Duration::from_secs(3));
    }
    world.finish();
    assert_eq!(world.registered, u32::from(DEVICES), "no device had to register again");
    assert!(world.acknowledged > crashes(), "{} acknowledged", world.acknowledged);
    world
}

#[test]
fn what_a_device_acknowledges_survives_its_crashes() {
    survive(1, false);
}

#[test]
fn sessions_of_devices_survive_crashes_without_a_handshake() {
    // With Connection IDs and without.
    for seed in [3, 4] {
        let world = survive(seed, true);
        assert_eq!(world.handshakes, u32::from(DEVICES));
    }
}
