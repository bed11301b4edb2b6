//! Composite operations between our two engines, in every format that may carry them.

use lwm2m_client::{Client, MemoryObject, ServerAccount};
use lwm2m_core::{ContentFormat, Node, Path, Version};
use lwm2m_server::{Config, Content, Event, Operation, Response, Server};
use lwm2m_testkit::pair::RIGHT;
use lwm2m_testkit::{Conditions, Pair};
use std::sync::Arc;
use std::time::Duration;

const OFFSET: Path = Path::resource(3, 0, 14);
const ERROR: Path = Path::resource_instance(3, 0, 11, 0);

struct World(Pair<Client, Server>);

impl World {
    fn new(version: Version) -> Self {
        Self::declining(version, None)
    }

    fn declining(version: Version, format: Option<ContentFormat>) -> Self {
        let device = MemoryObject::new(3)
            .instance(0, |it| it.with(14, "+00").with(16, "U").with_multiple(11, [(0, 0i64)]))
            .on_execute(4, |_, _| Ok(()));
        let account = ServerAccount::new(1, RIGHT);
        let config = lwm2m_client::Config::new("device").version(version).server(account);
        let config = format.into_iter().fold(config, lwm2m_client::Config::decline);
        let client = Client::new(config, vec![Box::new(device)], [1; 32]).unwrap();
        let server = Server::new(Config::default(), [2; 32]);
        let mut pair = Pair::new(client, server, Conditions::GOOD, 1);
        pair.left.start(pair.now);
        pair.run_for(Duration::from_secs(1));
        assert!(pair.right.registration("device").is_some());
        Self(pair)
    }

    fn send(&mut self, operation: Operation) -> Response {
        let id = self.0.right.submit(self.0.now, "device", operation).unwrap();
        self.0.run_for(Duration::from_secs(1));
        let of = |event: &Event| match event {
            Event::Completed { id: own, result, .. } if *own == id => Some(result.clone()),
            _ => None,
        };
        self.0.right_events.iter().find_map(|(_, event)| of(event)).expect("an end").unwrap()
    }

    fn read(&mut self, path_format: ContentFormat, format: ContentFormat) -> Response {
        let paths = Arc::from([OFFSET, ERROR]);
        let (path_format, format) = (Some(path_format), Some(format));
        self.send(Operation::ReadComposite { paths, path_format, format })
    }

    fn write(&mut self, text: &str, format: ContentFormat) -> String {
        let changes = vec![(OFFSET, Some(text.into()))];
        self.send(Operation::WriteComposite { changes, format: Some(format) }).code.to_string()
    }
}

fn expected(offset: &str) -> Content {
    let mut tree = Node::empty_at(&Path::ROOT).unwrap();
    assert!(tree.insert(&Path::ROOT, &OFFSET, offset.into()));
    assert!(tree.insert(&Path::ROOT, &ERROR, 0_i64.into()));
    Content::Node(tree)
}

const SENML: [ContentFormat; 2] = [ContentFormat::SENML_JSON, ContentFormat::SENML_CBOR];
const ETCH: [ContentFormat; 2] = [ContentFormat::SENML_ETCH_JSON, ContentFormat::SENML_ETCH_CBOR];

// proves: ETCH-01
#[test]
fn one_of_the_etch_formats_is_enough() {
    for (own, other) in [(ETCH[0], ETCH[1]), (ETCH[1], ETCH[0])] {
        let mut world = World::declining(Version::V1_2, Some(other));
        assert_eq!(world.write("+01", own), "2.04");
        assert_eq!(world.read(own, SENML[0]).content, expected("+01"));
        assert_eq!(world.write("+02", other), "4.15");
        assert_eq!(world.read(other, SENML[0]).code.to_string(), "4.15");
        assert_eq!(world.read(own, SENML[0]).content, expected("+01"));
    }
    every_format_carries_them();
    let mut world = World::declining(Version::V1_2, Some(SENML[1]));
    assert_eq!(world.read(ETCH[0], SENML[1]).code.to_string(), "4.06");
}

// LCBOR-07 asks for more: bootstrap and Send.
#[test]
fn every_format_carries_them() {
    let mut world = World::new(Version::V1_2);
    for (number, format) in
        [SENML[0], SENML[1], ETCH[0], ETCH[1], ContentFormat::LWM2M_CBOR].into_iter().enumerate()
    {
        let offset = format!("+0{number}");
        assert_eq!(world.write(&offset, format), "2.04", "{format}");
        for path_format in SENML.into_iter().chain(ETCH) {
            for answer in [SENML[0], SENML[1], ContentFormat::LWM2M_CBOR] {
                let response = world.read(path_format, answer);
                assert_eq!(response.content, expected(&offset), "{path_format} {answer}");
            }
        }
    }
}

#[test]
fn an_older_client_says_what_it_lacks() {
    let mut world = World::new(Version::V1_1);
    for format in ETCH {
        let response = world.read(format, SENML[0]);
        assert_eq!(response.code.to_string(), "4.15");
        assert!(response.diagnostic.is_some_and(|text| text.contains("format")));
        assert_eq!(world.write("+05", format), "4.15");
    }
    assert_eq!(world.read(SENML[0], ContentFormat::LWM2M_CBOR).code.to_string(), "4.06");
    assert_eq!(world.read(SENML[0], SENML[1]).content, expected("+00"));
}
