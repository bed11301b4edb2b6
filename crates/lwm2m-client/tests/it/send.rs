//! Send: what a device reports on its own account, and what it keeps to itself.

use crate::world::{TEXT, World, address, config, objects, post, put};
use lwm2m_client::{Config, Event, Instances, SendError, ServerAccount};
use lwm2m_coap::{Code, Response};
use lwm2m_core::{ContentFormat, ObjectInstance, Path};

const MANUFACTURER: Path = Path::resource(3, 0, 0);

fn unmuted() -> Config {
    Config::new("test").server(ServerAccount::new(1, address(0)).mute_send(false))
}

fn try_send(world: &mut World, path: Path) -> Result<(), SendError> {
    let result = world.client.send(world.now, 1, &[path], None).map(|_| ());
    world.settle();
    result
}

// proves: SEND-02
#[test]
fn a_server_is_mute_until_it_says_otherwise() {
    let mut world = World::registered(config());
    assert_eq!(try_send(&mut world, MANUFACTURER), Err(SendError::Muted(1)));
    assert!(world.heard().is_empty());
    assert_eq!(world.code(put("/1/0/23").content_format(TEXT).payload("0")), "2.04");
    assert_eq!(try_send(&mut world, MANUFACTURER), Ok(()));
    assert!(world.heard()[0].starts_with("0 POST /dp"));
    assert_eq!(world.code(put("/1/0/23").content_format(TEXT).payload("1")), "2.04");
    assert_eq!(try_send(&mut world, MANUFACTURER), Err(SendError::Muted(1)));
    assert!(world.heard().is_empty());
}

// proves: SEND-03
#[test]
fn only_what_the_server_knows_and_may_read_is_sent() {
    let mut world = World::registered(unmuted());
    let refused = [
        (Path::resource(0, 0, 0), SendError::Unregistered(Path::resource(0, 0, 0))),
        (Path::ROOT, SendError::Unregistered(Path::ROOT)),
        (Path::resource(3, 0, 4), SendError::Unreadable(Path::resource(3, 0, 4))),
        (Path::instance(16, 7), SendError::Unreadable(Path::instance(16, 7))),
        (Path::object(6), SendError::NoValues),
    ];
    for (path, error) in refused {
        assert_eq!(try_send(&mut world, path), Err(error), "{path}");
    }
    // An instance that the application has not told of yet.
    let values = ObjectInstance::default().with_multiple(0, [(0, "d")]);
    world.client.object_mut::<Instances>(16).unwrap().insert(2, values);
    for path in [Path::instance(16, 2), Path::object(16)] {
        let error = SendError::Unregistered(Path::instance(16, 2));
        assert_eq!(try_send(&mut world, path), Err(error));
    }
    assert!(world.heard().is_empty());
    world.client.changed(world.now, &Path::object(16));
    world.settle();
    assert_eq!(try_send(&mut world, Path::instance(16, 2)), Ok(()));
}

#[test]
fn the_answer_of_the_server_is_told() {
    let mut world = World::registered(unmuted());
    world.servers[0].answers.push_back(Response::new(Code::CHANGED));
    let id = world.client.send(world.now, 1, &[MANUFACTURER], None).unwrap();
    world.settle();
    assert!(world.events.contains(&Event::Sent { id, server: 1, confirmed: Ok(()) }));
    world.servers[0].answers.push_back(Response::new(Code::NOT_FOUND));
    assert_eq!(try_send(&mut world, MANUFACTURER), Ok(()));
    let refused = |event: &Event| matches!(event, Event::Sent { confirmed: Err(_), .. });
    assert!(world.events.iter().any(refused));
}

#[test]
fn nothing_is_sent_without_registration_or_in_a_strange_format() {
    let mut world = World::new(unmuted(), objects());
    assert_eq!(try_send(&mut world, MANUFACTURER), Err(SendError::NotRegistered(1)));
    world.start();
    for format in [ContentFormat::TLV, ContentFormat::LWM2M_CBOR, ContentFormat::TEXT] {
        let sent = world.client.send(world.now, 1, &[MANUFACTURER], Some(format));
        assert_eq!(sent, Err(SendError::Format(format)));
    }
    // A server that is asked for nothing is not registered either.
    let unknown = world.client.send(world.now, 2, &[MANUFACTURER], None);
    assert_eq!(unknown, Err(SendError::NotRegistered(2)));
    assert_eq!(world.code(post("/dp")), "4.04");
}
