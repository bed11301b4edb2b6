//! Devices on connections, over crashes of a server with a disk: they connect again by themselves and
//! find their registration, what is wished of them is observed, and commands go on.

use crate::lossy::{ENDPOINT, SERVER, objects};
use crate::secure_lossy::at_a_good_time;
use crate::streams::configs;
use lwm2m_client::{Client, Event as ClientEvent, MemoryObject};
use lwm2m_coap::{Code, PeerId, Request, Response};
use lwm2m_core::{Node as Tree, Path, Resource, Value};
use lwm2m_credentials::{Credential, SecurityStore};
use lwm2m_dtls::{ClientProfile, ClientSecurity, Mode};
use lwm2m_link::{Link, LinkEvent, Record};
use lwm2m_server::records::KeptValue;
use lwm2m_server::{
    CommandOptions, CommandState, Operation, Outcome, Server, Target, WishOptions, WishState,
    WriteMode,
};
use lwm2m_testkit::sim::streams::SECURED_PORT;
use lwm2m_testkit::{CoapPeer, Conditions, Node, Sim};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

const DEVICE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)), 5683);
const VALUE: Path = Path::resource(3303, 0, 5700);
const TEXT: Path = Path::resource(3303, 0, 5750);

struct World {
    sim: Sim,
    server: Node<Server>,
    device: Node<Client>,
}

/// A server with a disk.
fn server_with_disk(sim: &mut Sim, config: lwm2m_server::Config) -> Node<Server> {
    let config = config.is_kept(true);
    sim.add_with_disk(SERVER, move |starts, records| {
        let mut engine = Server::new(config.clone(), [starts; 32]);
        let mut restore = engine.restore(lwm2m_time::Instant::ZERO);
        for Record { table, key, value } in records {
            restore.take(table, &key, value.as_deref().unwrap_or_default());
        }
        assert_eq!(restore.finish().unusable, 0);
        engine
    })
}

impl World {
    /// A registered device whose value is wished to be observed.
    fn new(mode: Option<Mode>, seed: u64) -> Self {
        let (mut device, server) = configs(mode);
        device.servers.iter_mut().for_each(|account| account.mute_send = false);
        let mut sim = Sim::new(Conditions::GOOD, seed);
        let server = server_with_disk(&mut sim, server);
        let device = sim.add(DEVICE, move |_| {
            Client::new(device.clone(), objects(), [7; 32]).expect("a device")
        });
        sim.with(device, |it, now| it.start(now));
        let mut world = Self { sim, server, device };
        world.sim.run_for(Duration::from_secs(5));
        let target = Target::Path(VALUE);
        let wish = |it: &mut Server, now| it.wish(now, ENDPOINT, target, WishOptions::default());
        world.sim.with(world.server, wish).expect("room");
        world.sim.run_for(Duration::from_secs(5));
        assert!(world.is_observed(), "{mode:?}");
        world
    }

    fn is_observed(&self) -> bool {
        let state = self.sim[self.server].wishes(ENDPOINT).next().map(|(_, _, state)| state);
        matches!(state, Some(WishState::Observed(_)))
    }

    /// Sends a value; returns whether that was acknowledged.
    fn sends(&mut self, value: f64) -> bool {
        self.sim.take_events(self.device);
        self.sim.with(self.device, |it, now| {
            it.update::<MemoryObject>(now, 3303, |sensor| sensor.set(0, 5700, value)).unwrap();
            it.send(now, 1, &[VALUE], None).unwrap();
        });
        self.sim.run_for(Duration::from_secs(2));
        let events = self.sim.take_events(self.device);
        events.iter().any(|(_, event)| matches!(event, ClientEvent::Sent { confirmed: Ok(()), .. }))
    }

    fn kept_value(&mut self) -> Option<f64> {
        let records = self.sim.disk(self.server).records();
        records.iter().find_map(|it| {
            let (_, path, kept) = KeptValue::read(&it.key, it.value.as_ref()?)?;
            let Value::Float(value) = kept.value else { return None };
            (path == VALUE && it.table == lwm2m_server::records::VALUES).then_some(value)
        })
    }
}

fn write(text: &str) -> Operation {
    let node = Tree::Resource(Resource::Single(Value::String(text.to_owned())));
    Operation::Write { path: TEXT, node, format: None, mode: WriteMode::Replace }
}

// proves: TCP-10
#[test]
fn what_is_asked_of_a_device_on_a_connection_goes_on_after_crashes_of_the_server() {
    for mode in [None, Some(Mode::Psk), Some(Mode::Certificate)] {
        let mut world = World::new(mode, 3);
        let id = |world: &World| world.sim[world.server].registration(ENDPOINT).unwrap().id;
        let before = id(&world);
        for round in 0..3 {
            let value = f64::from(round) + 0.5;
            assert!(world.sends(value), "{mode:?}");
            let order = |it: &mut Server, now| {
                it.command(now, ENDPOINT, write(&round.to_string()), CommandOptions::default())
            };
            let command = world.sim.with(world.server, order).unwrap();
            // Sometimes before the command is durable, and then it was not promised.
            world.sim.run_for(Duration::from_millis(25));
            world.sim.network.capture = Some(Vec::new());
            world.sim.restart(world.server);
            world.sim.take_events(world.server);
            assert_eq!(world.kept_value(), Some(value), "{mode:?}");
            world.sim.run_for(Duration::from_secs(60));
            let server = &world.sim[world.server];
            assert_eq!(server.registrations().count(), 1, "{mode:?}");
            assert_eq!(id(&world), before, "{mode:?}: an Update is enough");
            let state = &server.command_by_id(command).expect("it is durable").state;
            let CommandState::Ended(_, outcome) = state else { panic!("{mode:?}: {state:?}") };
            assert!(matches!(**outcome, Outcome::Answered(_)), "{mode:?}: {outcome:?}");
            assert!(world.is_observed(), "{mode:?}");
            assert_eq!(server.peer_count(), 1, "{mode:?}");
            let sent = world.sim.network.capture.take().unwrap();
            assert!(sent.is_empty(), "{mode:?}: no datagram goes to a device on a connection");
        }
    }
}

/// A device that connects again by itself and sends an Update, as the standard allows.
struct Updating {
    sim: Sim,
    server: Node<Server>,
    node: Node<CoapPeer>,
    profile: Option<Arc<ClientProfile>>,
    peer: PeerId,
}

impl Updating {
    fn new(is_secured: bool) -> Self {
        let store = SecurityStore::default();
        let key = |text: &[u8]| Zeroizing::new(text.to_vec());
        let psk = ClientSecurity::Psk { identity: "id".into(), key: key(b"key") };
        let profile = is_secured.then(|| Arc::new(ClientProfile::new(psk)));
        if is_secured {
            store.put(ENDPOINT, Credential::psk(b"id", b"key").unwrap()).unwrap();
        }
        let config = lwm2m_server::Config::default().security(Arc::new(store));
        let mut sim = Sim::new(Conditions::GOOD, 1);
        let server = server_with_disk(&mut sim, config.dtls(Some(at_a_good_time())));
        let node = sim.add(DEVICE, |_| {
            let mut link = Link::new(lwm2m_coap::Config::default(), [5; 32]);
            link.set_security(at_a_good_time());
            CoapPeer::new(link, |request: &Request| {
                let response = Response::new(Code::CONTENT).content_format(0).payload("5");
                if request.options.observe() == Some(0) { response.observe() } else { response }
            })
        });
        let mut device = Self { sim, server, node, profile, peer: PeerId(0) };
        device.connects();
        device
    }

    fn connects(&mut self) {
        let profile = self.profile.clone();
        let secured = SocketAddr::new(SERVER.ip(), SECURED_PORT);
        let peer = self.sim.with(self.node, |it, now| match profile {
            Some(profile) => it.link.open_secured_connection(now, secured, profile),
            None => it.link.open_connection(now, SERVER),
        });
        self.peer = peer.expect("room");
        self.sim.run_for(Duration::from_secs(2));
    }

    fn asks(&mut self, request: Request) -> Response {
        let peer = self.peer;
        self.sim.take_events(self.node);
        self.sim.with(self.node, |it, now| it.link.coap().request(now, peer, request)).unwrap();
        self.sim.run_for(Duration::from_secs(2));
        let events = self.sim.take_events(self.node).into_iter();
        let mut answers = events.filter_map(|(_, event)| match event {
            LinkEvent::Coap(lwm2m_coap::Event::Response { response, .. }) => Some(response),
            _ => None,
        });
        answers.next().expect("an answer")
    }
}

// proves: TCP-10
#[test]
fn a_device_on_a_connection_finds_its_registration_after_a_crash_of_the_server() {
    for is_secured in [false, true] {
        let mut device = Updating::new(is_secured);
        let register = Request::post().path(["rd"]).content_format(40).payload("</1/0>,</3/0>");
        let query = [&format!("ep={ENDPOINT}"), "lt=600", "lwm2m=1.1", "b=T"];
        let answer = device.asks(query.iter().fold(register, |it, part| it.query(part)));
        assert_eq!(answer.code, Code::CREATED);
        let location = answer.options.location_path();
        let location: Vec<_> = location.map(|it| String::from_utf8(it.to_vec()).unwrap()).collect();
        let target = Target::Path(Path::resource(3, 0, 9));
        let wish = |it: &mut Server, now| it.wish(now, ENDPOINT, target, WishOptions::default());
        device.sim.with(device.server, wish).unwrap();
        device.sim.run_for(Duration::from_secs(2));
        let before = device.sim[device.server].registration(ENDPOINT).unwrap().id;

        device.sim.restart(device.server);
        device.sim.network.capture = Some(Vec::new());
        let read = Operation::Read { path: Path::resource(3, 0, 9), format: None };
        let submit = |it: &mut Server, now| it.submit(now, ENDPOINT, read);
        assert!(device.sim.with(device.server, submit).is_err(), "it is not there yet");
        device.sim.run_for(Duration::from_secs(10));
        device.connects();
        let update = Request::post().path(&location);
        assert_eq!(device.asks(update).code, Code::CHANGED, "{is_secured}");
        let server = &device.sim[device.server];
        assert_eq!(server.registration(ENDPOINT).unwrap().id, before, "{is_secured}");
        let state = server.wishes(ENDPOINT).next().map(|(_, _, state)| state);
        assert!(matches!(state, Some(WishState::Observed(_))), "{is_secured}: {state:?}");
        let sent = device.sim.network.capture.take().unwrap();
        assert!(sent.is_empty(), "{is_secured}: no datagram goes to it: {sent:?}");
    }
}
