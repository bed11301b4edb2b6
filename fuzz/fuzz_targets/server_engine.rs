//! A server among random devices, whose application sends operations.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lwm2m_core::{Attribute, AttributeName, Node, ObjectInstance, Path, Resource, Value};
use lwm2m_fuzz::{Input, play};
use lwm2m_server::{Config, Event, Operation, Server, Target, WriteMode};
use lwm2m_time::Instant;
use std::sync::{Arc, LazyLock};

/// With low bounds, so that they are reached.
static CONFIG: LazyLock<Config> =
    LazyLock::new(|| Config::default().max_registrations(2).max_observations(2));

fuzz_target!(|script: &[u8]| {
    let mut server = Server::new(CONFIG.clone(), [7; 32]);
    let mut endpoint = Arc::from("");
    play(&mut server, script, |server, now, input| match input {
        Input::Event(Event::Registered(registration)) => {
            endpoint = Arc::clone(&registration.endpoint);
            assert!(server.registrations().count() <= CONFIG.max_registrations);
        }
        Input::Event(_) => {}
        Input::Step(operation, bytes) => act(server, now, &endpoint, operation, bytes),
    });
    for registration in server.registrations() {
        assert_eq!(server.registration(&registration.endpoint), Some(registration));
        assert_eq!(server.registration_by_id(registration.id.as_str()), Some(registration));
    }
});

fn act(server: &mut Server, now: Instant, endpoint: &str, operation: u8, bytes: &[u8]) {
    let (&place, bytes) = bytes.split_first().unwrap_or((&0, &[]));
    let path = path(place);
    if operation % 16 == 15 {
        server.cancel_observations(now, endpoint, &target(path, bytes));
    } else if let Ok(id) = server.submit(now, endpoint, operation_at(path, operation, bytes))
        && place >= 128
    {
        server.cancel(id);
    }
}

fn path(place: u8) -> Path {
    let ids = match place / 8 % 4 {
        0 => [3, 0, 0, 0],
        1 => [3, 0, 6, 1],
        2 => [5, 0, 0, 0],
        _ => [3303, 1, 5700, 0],
    };
    Path::from_ids(&ids[..usize::from(place) % 5]).expect("small ids")
}

fn operation_at(path: Path, operation: u8, bytes: &[u8]) -> Operation {
    let format = None;
    match operation % 16 {
        0 | 9 => Operation::Read { path, format },
        1 | 10 => Operation::Observe { path, format },
        2 => Operation::Discover { path },
        3 => Operation::Write { path, node: node(path, bytes), format, mode: WriteMode::Replace },
        4 => Operation::Write { path, node: node(path, bytes), format, mode: WriteMode::Partial },
        5 => Operation::WriteAttributes { path, attributes: attributes(bytes) },
        6 => Operation::Execute { path, arguments: String::from_utf8_lossy(bytes).into_owned() },
        7 => Operation::Delete { path },
        11 => Operation::ReadComposite { paths: paths(bytes), path_format: format, format },
        12 => Operation::ObserveComposite { paths: paths(bytes), path_format: format, format },
        13 => {
            let change = |byte: &u8| (self::path(*byte), (*byte > 8).then(|| Value::from(1)));
            Operation::WriteComposite {
                changes: bytes.iter().take(8).map(change).collect(),
                format,
            }
        }
        8 => {
            let instance = bytes.first().map(|&id| id.into());
            let node = Node::ObjectInstance(instance_with(bytes));
            Operation::Create { path, instance, node, format }
        }
        _ => Operation::CancelObservation { target: target(path, bytes) },
    }
}

fn paths(bytes: &[u8]) -> Arc<[Path]> {
    bytes.iter().take(8).map(|byte| path(*byte)).collect()
}

fn target(path: Path, bytes: &[u8]) -> Target {
    if bytes.is_empty() { Target::Path(path) } else { Target::Composite(paths(bytes)) }
}

fn attributes(bytes: &[u8]) -> Vec<Attribute> {
    let names = AttributeName::ALL.into_iter().zip(bytes);
    names
        .map(|(name, &value)| Attribute { name, value: (value != 0).then(|| value.into()) })
        .collect()
}

fn instance_with(bytes: &[u8]) -> ObjectInstance {
    ObjectInstance::default().with(5821, String::from_utf8_lossy(bytes).into_owned())
}

fn node(path: Path, bytes: &[u8]) -> Node {
    let text = String::from_utf8_lossy(bytes).into_owned();
    match path.depth() {
        2 => Node::ObjectInstance(instance_with(bytes)),
        3 => Node::Resource(Resource::Single(text.into())),
        4 => Node::ResourceInstance(text.into()),
        _ => Node::empty_at(&path).expect("not below an object"),
    }
}
