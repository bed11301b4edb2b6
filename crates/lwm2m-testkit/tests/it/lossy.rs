//! Client and server engine across a bad network in virtual time: 30% of the datagrams are lost,
//! some are duplicated, and they are reordered.

use lwm2m_client::{Client, MemoryObject, Object, ServerAccount};
use lwm2m_core::{
    Attribute, ContentFormat, Node, ObjectInstance, ObjectVersion, Path, Resource, Value,
};
use lwm2m_server::{
    Config, Content, Event, Invalid, Operation, OperationError, OperationId, Response, Server,
    SubmitError, WriteMode,
};
use lwm2m_testkit::{Conditions, Node as SimNode, Sim};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

pub(crate) const ENDPOINT: &str = "lossy";
pub(crate) const TEMPERATURE: Path = Path::resource(3303, 0, 5700);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

pub(crate) const DEVICE: SocketAddr = address(1);
pub(crate) const SERVER: SocketAddr = address(2);

const fn address(host: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, host)), 5683)
}

/// A device and a server.
pub(crate) struct Harness {
    pub(crate) sim: Sim,
    pub(crate) device: SimNode<Client>,
    pub(crate) server: SimNode<Server>,
}

impl Harness {
    pub(crate) fn run_until(
        &mut self,
        patience: Duration,
        mut done: impl FnMut(&mut Self) -> bool,
    ) -> bool {
        let end = self.sim.now + patience;
        loop {
            if done(self) {
                return true;
            }
            if !self.sim.step(end) {
                return false;
            }
        }
    }
}

pub(crate) fn harness(conditions: Conditions, seed: u64) -> Harness {
    let account = ServerAccount::new(1, SERVER).lifetime(86_400);
    let device = lwm2m_client::Config::new(ENDPOINT).server(account);
    harness_of(device, Config::default(), conditions, seed)
}

pub(crate) fn harness_of(
    device_config: lwm2m_client::Config,
    server_config: Config,
    conditions: Conditions,
    seed: u64,
) -> Harness {
    let seeds = move |part: u8| {
        let mut bytes = [part; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes
    };
    let mut sim = Sim::new(conditions, seed);
    let device = sim.add(DEVICE, move |starts| {
        Client::new(device_config.clone(), objects(), seeds(1 + 2 * starts)).unwrap()
    });
    let server =
        sim.add(SERVER, move |starts| Server::new(server_config.clone(), seeds(2 + 2 * starts)));
    sim.with(device, |it, now| it.start(now));
    Harness { sim, device, server }
}

pub(crate) fn objects() -> Vec<Box<dyn Object>> {
    let device = MemoryObject::new(3)
        .instance(0, |it| {
            it.with(0, "Maker").with(14, "+00").with(16, "U").with_multiple(11, [(0, 0i64)])
        })
        .on_execute(4, |_, _| Ok(()));
    let sensor = MemoryObject::new(3303)
        .version(ObjectVersion::new(1, 1))
        .instance(0, |it| it.with(5700, 21.0).with(5750, "hall"))
        .new_instances(|it| it.with(5700, 0.0).with(5750, ""));
    vec![Box::new(device), Box::new(sensor)]
}

pub(crate) fn registered(harness: &Harness) -> bool {
    harness.sim[harness.server].registration(ENDPOINT).is_some()
}

fn result(harness: &Harness, wanted: OperationId) -> Option<Result<Response, OperationError>> {
    harness.sim.events(harness.server).iter().find_map(|(_, event)| match event {
        Event::Completed { id, result, .. } if *id == wanted => Some(result.clone()),
        _ => None,
    })
}

/// Sends an operation and waits for its one result. Four resends may all be lost, so what timed
/// out is sent again, as its user would.
pub(crate) fn complete(harness: &mut Harness, operation: &Operation) -> Response {
    for _ in 0..20 {
        assert!(harness.run_until(HOUR, |harness| registered(harness)), "registered again");
        let id = match harness
            .sim
            .with(harness.server, |it, now| it.submit(now, ENDPOINT, operation.clone()))
        {
            Ok(id) => id,
            // If the answer to a cancellation was lost, the observation is gone all the same.
            Err(SubmitError::Invalid(Invalid::NotObserved(target))) => {
                let format = None;
                let path = target.path();
                success(harness, &Operation::Observe { path, format });
                continue;
            }
            Err(error) => panic!("{operation:?}: {error}"),
        };
        assert!(
            harness.run_until(HOUR, |harness| result(harness, id).is_some()),
            "{operation:?} ends"
        );
        let results = harness.sim.events(harness.server).iter().filter(
            |(_, event)| matches!(event, Event::Completed { id: other, .. } if *other == id),
        );
        assert_eq!(results.count(), 1, "{operation:?} ends once");
        match result(harness, id).unwrap() {
            Ok(response) => return response,
            Err(OperationError::Timeout | OperationError::Deregistered) => {}
            Err(error) => panic!("{operation:?}: {error}"),
        }
    }
    panic!("{operation:?} never completed");
}

pub(crate) fn success(harness: &mut Harness, operation: &Operation) -> Content {
    let response = complete(harness, operation);
    assert!(response.code.is_success(), "{operation:?}: {response:?}");
    response.content
}

pub(crate) fn set_temperature(harness: &mut Harness, celsius: f64) {
    let set = |sensor: &mut MemoryObject| sensor.set(0, 5700, celsius);
    harness.sim.with(harness.device, |it, now| it.update(now, 3303, set)).unwrap();
}

pub(crate) fn notified(harness: &Harness, celsius: f64) -> bool {
    let expected = Node::Resource(Resource::Single(Value::Float(celsius)));
    harness.sim.events(harness.server).iter().any(
        |(_, event)| matches!(event, Event::Notification { result: Ok(node), .. } if *node == expected),
    )
}

pub(crate) fn device_management(harness: &mut Harness) {
    let path = Path::resource(3, 0, 0);
    let read = Operation::Read { path, format: Some(ContentFormat::SENML_JSON) };
    let maker = Node::Resource(Resource::Single("Maker".into()));
    assert_eq!(success(harness, &read), Content::Node(maker));
    let discover = Operation::Discover { path: Path::object(3303) };
    assert!(matches!(success(harness, &discover), Content::Links(links) if links.len() > 2));
    // Larger than a block, so that it takes several exchanges.
    let text: String = "long text ".repeat(300);
    let path = Path::resource(3303, 0, 5750);
    success(
        harness,
        &Operation::Write {
            path,
            node: Node::Resource(Resource::Single(text.as_str().into())),
            format: Some(ContentFormat::TEXT),
            mode: WriteMode::Replace,
        },
    );
    let read = Operation::Read { path, format: Some(ContentFormat::TLV) };
    assert_eq!(
        success(harness, &read),
        Content::Node(Node::Resource(Resource::Single(text.into())))
    );
    let execute = Operation::Execute { path: Path::resource(3, 0, 4), arguments: String::new() };
    success(harness, &execute);
    let created = complete(
        harness,
        &Operation::Create {
            path: Path::object(3303),
            instance: Some(9),
            node: Node::ObjectInstance(ObjectInstance::default().with(5750, "cellar")),
            format: None,
        },
    );
    // Where the answer to a first Create was lost for good, the second finds the instance there.
    assert!(["2.01", "4.00"].contains(&created.code.to_string().as_str()), "{created:?}");
    let deleted = complete(harness, &Operation::Delete { path: Path::instance(3303, 9) });
    assert!(["2.02", "4.04"].contains(&deleted.code.to_string().as_str()), "{deleted:?}");
}

fn reporting(harness: &mut Harness) {
    let attributes = ["pmin=1", "pmax=300"].map(|text| Attribute::parse(text).unwrap()).to_vec();
    success(harness, &Operation::WriteAttributes { path: TEMPERATURE, attributes });
    let observe = Operation::Observe { path: TEMPERATURE, format: None };
    let mut last = 0.0;
    for round in 0..10 {
        success(harness, &observe);
        last = 30.0 + f64::from(round);
        set_temperature(harness, last);
        // The next notification, after pmax at the latest, replaces a lost one.
        if !harness.run_until(HOUR, |harness| notified(harness, last)) {
            continue;
        }
        if round >= 3 {
            break;
        }
    }
    assert!(notified(harness, last), "notifications arrive");
    success(harness, &Operation::CancelObservation { target: TEMPERATURE.into() });
}

fn tour(conditions: Conditions, seed: u64) -> (u64, u64) {
    tour_of(harness(conditions, seed))
}

/// Runs every operation until the client deregisters. Returns the datagrams sent and lost.
pub(crate) fn tour_of(mut harness: Harness) -> (u64, u64) {
    device_management(&mut harness);
    reporting(&mut harness);
    harness.sim.with(harness.device, |it, now| it.shutdown(now));
    let stopped = |harness: &mut Harness| {
        harness
            .sim
            .events(harness.device)
            .iter()
            .any(|(_, event)| *event == lwm2m_client::Event::Stopped)
    };
    assert!(harness.run_until(HOUR, stopped), "the client stops");
    harness.sim.network.counts()
}

#[test]
fn every_operation_completes_on_a_bad_network() {
    for seed in 0..25 {
        let (sent, lost) = tour(Conditions::BAD, seed);
        assert!(lost * 100 > sent * 15, "seed {seed}: {lost} of {sent} were lost");
    }
}

#[test]
fn on_a_good_network_nothing_is_sent_twice() {
    let (bad, _) = tour(Conditions::BAD, 1);
    let (good, lost) = tour(Conditions::GOOD, 1);
    assert_eq!(lost, 0);
    assert!(good < bad, "{good} datagrams on a good network, {bad} on a bad one");
}
