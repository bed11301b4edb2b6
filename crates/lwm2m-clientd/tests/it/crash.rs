//! The device is killed again and again while a server writes, makes and deletes; what it has
//! acknowledged is there, and it goes on in its session and its registration.
//!
//! `LWM2M_KILLS` says how often. Default: 20.

use crate::process::Daemon;
use lwm2m_core::{Attribute, Node, ObjectInstance, Path, Resource, Value};
use lwm2m_credentials::{Credential, OwnCredentials, SecurityStore};
use lwm2m_dtls::{CidRoute, RoutingCids};
use lwm2m_net::{Events, ServerHandle, Sockets};
use lwm2m_server::{Config, Content, Event, Operation, Response, Server, WriteMode};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

pub(crate) const NAME: &str = "urn:dev:killed";
pub(crate) const KEY_IN_HEX: &str = "30313233343536373839616263646566";
const KEY: &[u8] = b"0123456789abcdef";
const SENSOR: u16 = 3303;
const TEXT: Path = Path::resource(SENSOR, 0, 5750);
const VALUE: Path = Path::resource(SENSOR, 0, 5700);
const MINIMUM: Path = Path::resource(SENSOR, 0, 5601);
/// How long anything may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

fn kills() -> u32 {
    std::env::var("LWM2M_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(20)
}

async fn serve() -> (ServerHandle, SocketAddr) {
    let store = SecurityStore::new(OwnCredentials::default());
    store.put(NAME, Credential::psk(NAME.as_bytes(), KEY).unwrap()).unwrap();
    let mut dtls = lwm2m_dtls::Config::default();
    dtls.connection_ids = Some(Arc::new(RoutingCids::new(CidRoute::default(), 6)));
    let config = Config::default().security(Arc::new(store)).dtls(Some(dtls));
    let server = Server::new(config, lwm2m_net::seed().unwrap());
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let sockets = Sockets { dtls: Some(any), ..Sockets::default() };
    let server = lwm2m_net::bind_server(sockets, server, None).await.unwrap();
    let address = server.local().dtls.unwrap();
    (server, address)
}

/// What the device has acknowledged.
#[derive(Default)]
struct Told {
    text: u32,
    threshold: u32,
    /// Whether instances are there, as far as that is certain.
    instances: BTreeMap<u16, bool>,
    count: u32,
}

/// The next thing to ask for.
fn next(number: u32) -> (Operation, Option<u16>) {
    let text = Value::String(number.to_string());
    let instance = u16::try_from(number % 20 / 2).unwrap() + 1;
    match number % 4 {
        0 => {
            let node = Node::Resource(Resource::Single(text));
            let mode = WriteMode::Replace;
            (Operation::Write { path: TEXT, node, format: None, mode }, None)
        }
        1 => {
            let attributes = vec![Attribute::parse(&format!("gt={number}")).unwrap()];
            (Operation::WriteAttributes { path: MINIMUM, attributes }, None)
        }
        2 => {
            let node = Node::ObjectInstance(ObjectInstance::default().with(5750, text));
            let path = Path::object(SENSOR);
            let create = Operation::Create { path, instance: Some(instance), node, format: None };
            (create, Some(instance))
        }
        _ => {
            let path = Path::instance(SENSOR, (instance + 5) % 10 + 1);
            (Operation::Delete { path }, path.instance_id())
        }
    }
}

impl Told {
    fn note(&mut self, number: u32, instance: Option<u16>, code: &str) {
        self.count += 1;
        match (number % 4, code) {
            (0, "2.04") => self.text = number,
            (1, "2.04") => self.threshold = number,
            (2, "2.01" | "4.00") => _ = self.instances.insert(instance.unwrap(), true),
            (3, "2.02" | "4.04") => _ = self.instances.insert(instance.unwrap(), false),
            other => panic!("{other:?}"),
        }
    }
}

async fn ask(server: &ServerHandle, operation: Operation) -> Response {
    server.request(NAME, operation, PATIENCE).await.unwrap()
}

/// Compares what the device has with what it has acknowledged.
async fn check(server: &ServerHandle, told: &Told) {
    if told.text > 0 {
        let read = ask(server, Operation::Read { path: TEXT, format: None }).await;
        let Content::Node(Node::Resource(Resource::Single(Value::String(text)))) = read.content
        else {
            panic!("{read:?}");
        };
        let text: u32 = text.parse().unwrap();
        assert!(text >= told.text, "acknowledged {}, has {text}", told.text);
    }
    let found = ask(server, Operation::Discover { path: MINIMUM }).await;
    let Content::Links(links) = found.content else { panic!("{found:?}") };
    let gt = links.iter().find_map(|link| link.param("gt")).unwrap_or_default();
    let gt: u32 = gt.parse().unwrap_or_default();
    assert!(gt >= told.threshold, "acknowledged gt={}, has {gt}", told.threshold);
    for (instance, is_there) in &told.instances {
        let path = Path::instance(SENSOR, *instance);
        let code = ask(server, Operation::Read { path, format: None }).await.code.to_string();
        assert_eq!(code == "2.05", *is_there, "{path}: {code}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_device_acknowledges_survives_kills_and_it_makes_no_handshake() {
    let (folder, sessions) = (TempDir::new().unwrap(), Arc::new(AtomicU32::new(0)));
    let (server, address) = serve().await;
    let mut events = server.subscribe();
    let mut device = Daemon::start(address, folder.path(), &sessions);
    until(&mut events, |event| matches!(event, Event::Registered(_))).await;
    let observe = Operation::Observe { path: VALUE, format: None };
    assert_eq!(ask(&server, observe).await.code.to_string(), "2.05");
    // The registration is noted within a second, and with the first promise.
    let (mut told, mut number) = (Told::default(), 0);
    for kill in 0..kills() {
        for _ in 0..=kill % 5 {
            number += 1;
            let (operation, instance) = next(number);
            let code = ask(&server, operation).await.code.to_string();
            told.note(number, instance, &code);
        }
        number += 1;
        let (operation, instance) = next(number);
        instance.into_iter().for_each(|instance| _ = told.instances.remove(&instance));
        let pause = Duration::from_micros(u64::from(kill * 7919 % 12_000));
        // Killed before, while or after it answers.
        let answer = tokio::select! {
            answer = server.request(NAME, operation, PATIENCE) => Some(answer.unwrap()),
            () = sleep(pause) => None,
        };
        device.kill();
        if let Some(answer) = answer {
            told.note(number, instance, &answer.code.to_string());
        }
        // What it has told before.
        while timeout(Duration::from_millis(2), events.recv()).await.is_ok() {}
        device = Daemon::start(address, folder.path(), &sessions);
        until(&mut events, |event| match event {
            Event::Registered(_) => panic!("a kept registration is made anew"),
            event => matches!(event, Event::Updated { .. }),
        })
        .await;
        check(&server, &told).await;
    }
    // Its temperature moves, and it is still observed.
    until(&mut events, |event| matches!(event, Event::Notification { result: Ok(_), .. })).await;
    let sessions = sessions.load(Ordering::Relaxed);
    println!("{} acknowledged, {} kills, {sessions} sessions", told.count, kills());
    assert_eq!(sessions, 1);
    drop(device);
}

async fn until(events: &mut Events, is: impl Fn(&Event) -> bool) {
    let waiting = async {
        loop {
            if is(&events.recv().await.expect("the server runs")) {
                return;
            }
        }
    };
    timeout(PATIENCE, waiting).await.expect("the device goes on");
}
