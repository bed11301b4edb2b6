//! Our client gets its servers from our bootstrap server, and registers with our server.

use crate::trio::{self, BOOTSTRAP, DEVICE, ENDPOINT, SERVER, Trio};
use bytes::Bytes;
use lwm2m_bootstrap::{BootstrapServer, Command, Content, Event, Packs, SessionError};
use lwm2m_client::{BootstrapAccount, Client, Config, Event as ClientEvent, MemoryObject};
use lwm2m_coap::{self as coap, Code, MessageBuilder, MessageType, Token};
use lwm2m_core::{ContentFormat, Node, Object, ObjectInstance, Path, Resource, Value, Version};
use lwm2m_link::Link;
use lwm2m_server::{Content as Got, Event as ServerEvent, Operation, SubmitError, WriteMode};
use lwm2m_testkit::{CoapPeer, Conditions, Sim};
use std::time::Duration;

const LWM2M_CBOR: ContentFormat = ContentFormat::LWM2M_CBOR;
const TEMPERATURE: Path = Path::resource(3303, 0, 5700);

/// What makes the device register with the server.
fn commands() -> Vec<Command> {
    let keys = 3..=5_u16;
    let security = ObjectInstance::default().with(0, format!("coap://{SERVER}")).with(1, false);
    let security = keys.fold(security.with(2, 3_i64), |it, key| it.with(key, Bytes::new()));
    let security = Object { instances: [(1, security.with(10, 101_i64))].into() };
    let settings = ObjectInstance::default().with(0, 101_i64).with(1, 300_i64).with(6, true);
    let settings = settings.with(7, "U").with(23, false);
    vec![
        Command::Delete(Path::object(0)),
        Command::Delete(Path::object(1)),
        Command::Write(Path::object(0), Node::Object(security)),
        Command::Write(Path::instance(1, 0), Node::ObjectInstance(settings)),
    ]
}

fn trio(account: BootstrapAccount, packs: Packs, commands: Vec<Command>) -> Trio<Client> {
    let config = Config::new(ENDPOINT).bootstrap(account).version(Version::V1_2);
    let client = Client::new(config, trio::objects(), [1; 32]).unwrap();
    let config = lwm2m_bootstrap::Config { packs, ..lwm2m_bootstrap::Config::default() };
    let mut trio = Trio::new(client, config);
    trio.sim[trio.bootstrap].configure(ENDPOINT, commands);
    trio.start();
    trio
}

fn account(format: Option<ContentFormat>, pack: bool) -> BootstrapAccount {
    let mut account = BootstrapAccount::new(BOOTSTRAP).pack(pack);
    account.format = format;
    account
}

fn is_registered(trio: &Trio<Client>) -> bool {
    let bootstrapped = trio.device_events().any(|it| *it == ClientEvent::Bootstrapped);
    bootstrapped && trio.sim[trio.server].registration(ENDPOINT).is_some()
}

#[test]
fn a_device_gets_its_server_in_every_format() {
    let trees =
        [ContentFormat::TLV, ContentFormat::SENML_JSON, ContentFormat::SENML_CBOR, LWM2M_CBOR];
    for format in trees.map(Some).into_iter().chain([None]) {
        let trio = trio(account(format, false), Packs::Unsupported, commands());
        assert!(is_registered(&trio), "{format:?}");
        assert_eq!(trio.sim[trio.server].registration(ENDPOINT).unwrap().lifetime.as_secs(), 300);
        let finished = Event::Finished { endpoint: ENDPOINT.to_owned() };
        assert_eq!(trio.bootstrap_events().last(), Some(&finished));
        let links = &trio.sim[trio.server].registration(ENDPOINT).unwrap().list.links();
        assert!(links.iter().all(|link| link.path().unwrap().object_id() != Some(0)));
    }
}

#[test]
fn what_is_for_tls_1_3_is_stored() {
    let lists = (18..=21_u16)
        .map(|id| (id, [(0, Value::UnsignedInteger(0x0403)), (1, Value::UnsignedInteger(29))]));
    let lists = lists.map(|(id, values)| (id, Resource::Multiple(values.into())));
    let masks = (22..=24_u16).map(|id| (id, Resource::Single(Value::UnsignedInteger(1 << 12))));
    let stored: Vec<_> = lists.chain(masks).collect();
    let mut commands = commands();
    for command in &mut commands {
        if let Command::Write(_, Node::Object(security)) = command {
            security.instances.get_mut(&1).unwrap().resources.extend(stored.iter().cloned());
        }
    }
    let trio = trio(account(None, false), Packs::Unsupported, commands);
    assert!(is_registered(&trio));
    let security = trio.sim[trio.device].object::<MemoryObject>(0).unwrap();
    for (id, value) in stored {
        assert_eq!(security.resource(1, id), Some(&value), "/0/1/{id}");
    }
}

// proves: BOOT-24
#[test]
fn a_device_that_gets_no_pack_asks_for_commands() {
    for (packs, code) in [
        (Packs::Unsupported, Some(Code::NOT_IMPLEMENTED)),
        (Packs::Refused, Some(Code::METHOD_NOT_ALLOWED)),
        (Packs::Offered, None),
    ] {
        let trio = trio(account(None, true), packs, commands());
        let to_bootstrap = trio.wire.iter().filter(|sent| sent.to == BOOTSTRAP);
        let requests: Vec<_> =
            to_bootstrap.filter(|it| it.code.is_request()).map(trio::Sent::path).collect();
        let answer = trio.wire.iter().find(|sent| sent.from == BOOTSTRAP).unwrap().code;
        match code {
            Some(code) => {
                assert_eq!((requests, answer), (vec!["/bspack".into(), "/bs".into()], code));
            }
            None => assert_eq!((requests, answer), (vec!["/bspack".into()], Code::CONTENT)),
        }
        assert!(is_registered(&trio));
    }
}

/// The formats of the payloads that went from one to the other, on messages of this code.
fn formats(trio: &mut Trio<Client>, from: core::net::SocketAddr, code: Code) -> Vec<u16> {
    let sent = core::mem::take(&mut trio.wire);
    let theirs = sent.iter().filter(|sent| sent.from == from && sent.code == code);
    theirs.filter_map(|sent| sent.options.content_format()).collect()
}

/// Completes an operation whose payload, or that of whose answer, is LwM2M CBOR.
fn complete(trio: &mut Trio<Client>, operation: Operation, wire: (core::net::SocketAddr, Code)) {
    trio.wire.clear();
    let said = format!("{operation:?}");
    let response = trio.complete(operation).unwrap();
    assert!(response.code.is_success(), "{said}: {response:?}");
    assert_eq!(formats(trio, wire.0, wire.1), [LWM2M_CBOR.0], "{said}");
}

/// What the device answers to a FETCH of the server.
fn fetch(trio: &mut Trio<Client>, format: u16, payload: &[u8]) -> Code {
    let request = coap::Request::fetch().content_format(format).payload(payload.to_vec());
    let mut datagram = Vec::new();
    let (kind, token) = (MessageType::Confirmable, Token::new(&[1]).unwrap());
    MessageBuilder::new(&mut datagram, kind, request.code, 0x7777, token)
        .options(&request.options)
        .payload(&request.payload);
    trio.wire.clear();
    trio.sim.inject(trio.device, SERVER, false, &datagram);
    trio.settle();
    trio.wire.first().unwrap().code
}

// proves: LCBOR-07
#[test]
fn lwm2m_cbor_goes_everywhere_but_into_the_body_of_fetch() {
    bootstraps_by_pack(LWM2M_CBOR);
    // Bootstrap-Write and -Read, asked for by pct.
    let mut steps = commands();
    steps.push(Command::Read(Path::object(1)));
    let mut trio = trio(account(Some(LWM2M_CBOR), false), Packs::Refused, steps);
    let written = formats(&mut trio, BOOTSTRAP, Code::PUT);
    assert_eq!(written, [LWM2M_CBOR.0; 2]);
    let told: Vec<_> = trio.bootstrap_events().collect();
    let [.., Event::Answered { content: Content::Node(node), .. }, Event::Finished { .. }] =
        told[..]
    else {
        panic!("{told:?}")
    };
    let leaves = node.leaves(&Path::object(1));
    assert!(leaves.contains(&(Path::resource(1, 0, 0), &Value::Integer(101))));
    assert!(is_registered(&trio));

    manage_in_lwm2m_cbor(&mut trio);

    // Send.
    trio.wire.clear();
    trio.sim
        .with(trio.device, |it, now| it.send(now, 101, &[TEMPERATURE], Some(LWM2M_CBOR)))
        .unwrap();
    trio.settle();
    assert_eq!(formats(&mut trio, DEVICE, Code::POST), [LWM2M_CBOR.0]);
    assert!(matches!(trio.server_events().last(), Some(ServerEvent::ValuesReceived { .. })));

    // FETCH: our server does not send it, and our client does not take it.
    let paths = vec![TEMPERATURE].into();
    let (path_format, format) = (Some(LWM2M_CBOR), Some(LWM2M_CBOR));
    let operation = Operation::ReadComposite { paths, path_format, format };
    let refused = trio.sim.with(trio.server, |it, now| it.submit(now, ENDPOINT, operation));
    assert!(matches!(refused, Err(SubmitError::Encode(_))), "{refused:?}");
    let body = [0xa1, 0x83, 0x03, 0x00, 0x00, 0x01];
    assert_eq!(fetch(&mut trio, LWM2M_CBOR.0, &body), Code::UNSUPPORTED_CONTENT_FORMAT);
}

// proves: BOOT-23
#[test]
fn a_pack_is_asked_for_in_each_of_its_formats() {
    for format in [ContentFormat::SENML_JSON, ContentFormat::SENML_CBOR, LWM2M_CBOR] {
        bootstraps_by_pack(format);
    }
}

fn bootstraps_by_pack(format: ContentFormat) {
    let mut trio = trio(account(Some(format), true), Packs::Offered, commands());
    let asked = trio.wire.first().unwrap();
    assert_eq!((asked.code, asked.path().as_str()), (Code::GET, "/bspack"));
    assert_eq!(asked.options.accept(), Some(format.0));
    let query: Vec<_> = asked.options.uri_query().collect();
    assert_eq!(query, [b"ep=trio".as_slice(), b"acc=</0/0>"]);
    assert!(trio.wire.iter().all(|sent| sent.path() != "/bs"), "no Finish");
    assert_eq!(formats(&mut trio, BOOTSTRAP, Code::CONTENT), [format.0]);
    assert!(is_registered(&trio), "{format}");
}

/// Read, Observe, Notify, Write, Create, Write-Composite.
fn manage_in_lwm2m_cbor(trio: &mut Trio<Client>) {
    let (from_device, format) = ((DEVICE, Code::CONTENT), Some(LWM2M_CBOR));
    complete(trio, Operation::Read { path: Path::instance(3, 0), format }, from_device);
    complete(trio, Operation::Observe { path: TEMPERATURE, format }, from_device);
    let paths = vec![TEMPERATURE, Path::instance(3, 0)].into();
    let read = Operation::ReadComposite { paths, path_format: None, format };
    complete(trio, read, from_device);

    let set = |sensor: &mut MemoryObject| sensor.set(0, 5700, 22.0);
    trio.sim.with(trio.device, |it, now| it.update(now, 3303, set)).unwrap();
    trio.settle();
    assert_eq!(formats(trio, DEVICE, Code::CONTENT), [LWM2M_CBOR.0]);
    let node = Node::Resource(Resource::Single(Value::Float(22.0)));
    let notified = |event: &ServerEvent| matches!(event, ServerEvent::Notification { result, .. } if *result == Ok(node.clone()));
    assert!(trio.server_events().any(notified));

    let path = Path::instance(16, 0);
    let node = Node::ObjectInstance(ObjectInstance::default().with_multiple(0, [(0, "c")]));
    let write = Operation::Write { path, node: node.clone(), format, mode: WriteMode::Replace };
    complete(trio, write, (SERVER, Code::PUT));
    let path = Path::object(16);
    let create = Operation::Create { path, instance: Some(7), node, format };
    complete(trio, create, (SERVER, Code::POST));
    let changes = vec![(Path::resource(1, 0, 1), Some(Value::Integer(600)))];
    complete(trio, Operation::WriteComposite { changes, format }, (SERVER, Code::IPATCH));

    let read = Operation::Read { path: Path::resource_instance(16, 7, 0, 0), format };
    let content = trio.complete(read).unwrap().content;
    assert_eq!(content, Got::Node(Node::ResourceInstance("c".into())));
    assert_eq!(trio.sim[trio.server].registration(ENDPOINT).unwrap().lifetime.as_secs(), 600);
}

// proves: PATH-04
#[test]
fn an_alternate_path_is_for_servers_and_not_for_the_bootstrap_server() {
    let answer = |request: &coap::Request| match request.code {
        Code::DELETE => Code::DELETED.into(),
        Code::GET => Code::NOT_FOUND.into(),
        _ => Code::CHANGED.into(),
    };
    let device = CoapPeer::new(Link::new(coap::Config::default(), [1; 32]), answer);
    let mut trio = Trio::new(device, lwm2m_bootstrap::Config::default());
    trio.sim[trio.bootstrap].configure(ENDPOINT, commands());
    let ask = |trio: &mut Trio<CoapPeer>, to, request| {
        trio.sim.with(trio.device, |it, now| {
            let peer = it.link.connect(to).unwrap();
            it.link.coap().request(now, peer, request).unwrap();
        });
        trio.settle();
    };
    let links = "</lwm2m>;rt=\"oma.lwm2m\",</lwm2m/1/0>,</lwm2m/3/0>";
    let register = coap::Request::post().path(["rd"]).content_format(40).payload(links);
    let query = [&format!("ep={ENDPOINT}"), "lt=300", "lwm2m=1.1", "b=U"];
    let register = query.into_iter().fold(register, |it, part| it.query(part));
    ask(&mut trio, SERVER, register);
    ask(&mut trio, BOOTSTRAP, coap::Request::post().path(["bs"]).query(query[0]));
    let read = Operation::Read { path: Path::resource(3, 0, 0), format: None };
    let observe = Operation::Observe { path: Path::resource(3, 0, 9), format: None };
    for operation in [read, observe] {
        trio.sim.with(trio.server, |it, now| it.submit(now, ENDPOINT, operation)).unwrap();
        trio.settle();
    }
    let requests = |from| {
        let theirs = trio.wire.iter().filter(move |it| it.from == from && it.code.is_request());
        theirs.map(trio::Sent::path).collect::<Vec<_>>()
    };
    assert_eq!(requests(SERVER), ["/lwm2m/3/0/0", "/lwm2m/3/0/9"]);
    assert_eq!(requests(BOOTSTRAP), ["/0", "/1", "/0", "/1/0", "/bs"]);
}

/// 30% of the datagrams are lost, others duplicated or late: both sides agree in the end, or
/// try again.
#[test]
fn a_bad_network_delays_a_bootstrap() {
    for seed in 0..40 {
        let config = Config::new(ENDPOINT).bootstrap(BootstrapAccount::new(BOOTSTRAP));
        let client = Client::new(config, trio::objects(), [1; 32]).unwrap();
        let mut server = BootstrapServer::new(lwm2m_bootstrap::Config::default(), [2; 32]);
        server.configure(ENDPOINT, commands());
        let mut sim = Sim::new(Conditions::BAD, seed);
        let device = sim.add_engine(DEVICE, client);
        let server = sim.add_engine(BOOTSTRAP, server);
        sim.with(device, |it, now| it.start(now));
        let bootstrapped = |sim: &mut Sim| {
            sim.events(device).iter().any(|(_, event)| *event == ClientEvent::Bootstrapped)
        };
        assert!(sim.run_until(Duration::from_secs(4_000), bootstrapped), "seed {seed}");
        sim.run_for(Duration::from_secs(300));
        let finished = Event::Finished { endpoint: ENDPOINT.to_owned() };
        let ends: Vec<_> = sim.events(server).iter().map(|(_, event)| event).collect();
        let no_answer = |event: &Event| {
            matches!(event, Event::Failed { reason: SessionError::NoAnswer(_), .. })
        };
        assert!(ends.last().is_some_and(|it| **it == finished || no_answer(it)), "{ends:?}");
        assert_eq!(sim[server].peer_count(), 0, "seed {seed}");
    }
}
