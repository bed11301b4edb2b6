//! A thousand devices behind one address translator that forgets them all at once, while they are
//! observed and have operations under way.

use crate::sensors::{self, KEY, SERVER, TEXT, VALUE};
use lwm2m_client::{Client, Event as ClientEvent, MemoryObject, Security, ServerAccount};
use lwm2m_core::{Node as Tree, Resource, Value};
use lwm2m_server::{
    CommandId, CommandOptions, CommandState, Config, Event, Operation, Outcome, Server, Target,
    WishOptions, WishState, WriteMode,
};
use lwm2m_testkit::{Conditions, Node, Sim};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

const DEVICES: u16 = 1_000;
const MINUTE: Duration = Duration::from_secs(60);

/// How the devices reach their server.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Way {
    Plain,
    Dtls { with_ids: bool },
}

fn name(device: u16) -> String {
    format!("dev-{device}")
}

/// All devices share one address, and have a port each.
fn address(first_port: u16, device: u16) -> SocketAddr {
    ([198, 51, 100, 1], first_port + device).into()
}

fn client(way: Way, device: u16) -> Client {
    let mut account = ServerAccount::new(1, SERVER).lifetime(86_400);
    if way != Way::Plain {
        account = account.secured(Security::psk(name(device), KEY));
    }
    let config = lwm2m_client::Config::new(name(device)).server(account);
    let mut seed = [1; 32];
    seed[..2].copy_from_slice(&device.to_be_bytes());
    Client::new(config, sensors::objects("", |it| it), seed).unwrap()
}

fn server(way: Way) -> Server {
    let mut config = Config::default();
    if let Way::Dtls { with_ids } = way {
        let dtls = lwm2m_dtls::Config::default();
        config = sensors::with_keys(config, (0..DEVICES).map(name), dtls, with_ids);
    }
    Server::new(config, [99; 32])
}

struct World {
    sim: Sim,
    server: Node<Server>,
    devices: Vec<Node<Client>>,
}

impl World {
    /// Registered devices, each of them observed.
    fn new(way: Way) -> Self {
        let mut sim = Sim::new(Conditions::GOOD, 1);
        let server = sim.add_engine(SERVER, server(way));
        let add = |device| sim.add(address(1_000, device), move |_| client(way, device));
        let devices = (0..DEVICES).map(add).collect();
        let mut world = Self { sim, server, devices };
        world.each(|client, now, _| client.start(now));
        world.sim.run_for(MINUTE);
        for device in 0..DEVICES {
            world.sim.with(server, |it, now| {
                let target = Target::Path(VALUE);
                it.wish(now, &name(device), target, WishOptions::default()).unwrap();
            });
        }
        world.sim.run_for(MINUTE);
        assert_eq!(world.observed(), usize::from(DEVICES), "{way:?}");
        world
    }

    fn each(&mut self, mut act: impl FnMut(&mut Client, lwm2m_time::Instant, u16)) {
        for (device, node) in (0..).zip(&self.devices) {
            self.sim.with(*node, |it, now| act(it, now, device));
        }
    }

    fn observed(&self) -> usize {
        let is_observed = |device: &u16| {
            let endpoint = name(*device);
            let mut wishes = self.sim[self.server].wishes(&endpoint);
            wishes.any(|(.., state)| matches!(state, WishState::Observed(_)))
        };
        (0..DEVICES).filter(is_observed).count()
    }

    /// Writes to each device.
    fn write(&mut self) -> Vec<CommandId> {
        let write = |device: u16| {
            let text = Value::String(format!("for {device}"));
            let node = Tree::Resource(Resource::Single(text));
            let mode = WriteMode::Replace;
            let operation = Operation::Write { path: TEXT, node, format: None, mode };
            self.sim.with(self.server, |it, now| {
                it.command(now, &name(device), operation, CommandOptions::default()).unwrap()
            })
        };
        (0..DEVICES).map(write).collect()
    }

    /// What the sensors measure now.
    fn measure(&mut self, value: f64) {
        self.each(|client, now, device| {
            let value = value + f64::from(device);
            client.update::<MemoryObject>(now, 3303, |it| it.set(0, 5700, value)).unwrap();
        });
    }

    /// How many devices notified the server of this since it was last asked for its events.
    fn notified(&mut self, value: f64) -> usize {
        let events = self.sim.take_events(self.server).into_iter();
        let notified = events.filter_map(|(_, event)| {
            let Event::Notification { registration, result: Ok(node), .. } = event else {
                return None;
            };
            let Tree::Resource(Resource::Single(Value::Float(told))) = node else { return None };
            let device: u16 = registration.endpoint.strip_prefix("dev-")?.parse().ok()?;
            (told == value + f64::from(device)).then_some(device)
        });
        notified.collect::<BTreeSet<u16>>().len()
    }

    fn answered(&self, commands: &[CommandId]) -> usize {
        let server = &self.sim[self.server];
        let is_answered = |id: &&CommandId| {
            let state = server.command_by_id(**id).map(|it| &it.state);
            let Some(CommandState::Ended(_, outcome)) = state else { return false };
            matches!(&**outcome, Outcome::Answered(response) if response.code.is_success())
        };
        commands.iter().filter(is_answered).count()
    }

    /// How many sessions the devices began since this was last asked.
    fn handshakes(&mut self) -> usize {
        let mut begun = 0;
        for node in &self.devices {
            let events = self.sim.take_events(*node);
            let is_begun = |event: &ClientEvent| matches!(event, ClientEvent::SessionBegun { .. });
            begun += events.iter().filter(|(_, event)| is_begun(event)).count();
        }
        begun
    }
}

/// With Connection IDs nobody makes a handshake. Without them, and without security, the server
/// knows a device again by its next message. No observation and no operation is lost.
#[test]
fn a_thousand_devices_move_at_once() {
    let all = usize::from(DEVICES);
    for way in [Way::Dtls { with_ids: true }, Way::Dtls { with_ids: false }, Way::Plain] {
        let mut world = World::new(way);
        world.handshakes();
        world.notified(0.0);
        let commands = world.write();
        for (device, node) in (0..).zip(&world.devices) {
            world.sim.rebind(*node, address(30_000, device));
        }
        world.measure(20.0);
        if way == (Way::Dtls { with_ids: true }) {
            world.sim.run_for(MINUTE);
            assert_eq!(world.notified(20.0), all, "{way:?}");
            assert_eq!(world.handshakes(), 0);
        }
        world.each(|client, now, _| client.update_registration(now, 1));
        world.sim.run_for(MINUTE * 5);
        assert_eq!(world.answered(&commands), all, "{way:?}");
        assert_eq!(world.observed(), all, "{way:?}");
        assert_eq!(world.sim[world.server].registrations().count(), all, "{way:?}");
        world.measure(2_000.0);
        world.sim.run_for(MINUTE);
        assert_eq!(world.notified(2_000.0), all, "{way:?}");
    }
}
