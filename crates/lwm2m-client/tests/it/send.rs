//! Send: what a device reports on its own account, and what it keeps to itself.

use crate::harness::{Harness, TEXT, address, config, objects, post, put};
use lwm2m_client::{Config, Event, MemoryObject, SendError, ServerAccount};
use lwm2m_coap::{Code, Response};
use lwm2m_core::{ContentFormat, ObjectInstance, Path, Value};

const MANUFACTURER: Path = Path::resource(3, 0, 0);

fn unmuted() -> Config {
    Config::new("test").server(ServerAccount::new(1, address(0)).mute_send(false))
}

fn try_send(harness: &mut Harness, path: Path) -> Result<(), SendError> {
    let result =
        harness.sim.with(harness.client, |it, now| it.send(now, 1, &[path], None)).map(|_| ());
    harness.settle();
    result
}

// proves: SEND-02
#[test]
fn a_server_is_mute_until_it_says_otherwise() {
    let mut harness = Harness::registered(config());
    assert_eq!(try_send(&mut harness, MANUFACTURER), Err(SendError::Muted(1)));
    assert!(harness.heard().is_empty());
    assert_eq!(harness.code(put("/1/0/23").content_format(TEXT).payload("0")), "2.04");
    assert_eq!(try_send(&mut harness, MANUFACTURER), Ok(()));
    assert!(harness.heard()[0].starts_with("0 POST /dp"));
    assert_eq!(harness.code(put("/1/0/23").content_format(TEXT).payload("1")), "2.04");
    assert_eq!(try_send(&mut harness, MANUFACTURER), Err(SendError::Muted(1)));
    assert!(harness.heard().is_empty());
}

// proves: SEND-03
#[test]
fn only_what_the_server_knows_and_may_read_is_sent() {
    let mut harness = Harness::registered(unmuted());
    let refused = [
        (Path::resource(0, 0, 0), SendError::Unregistered(Path::resource(0, 0, 0))),
        (Path::ROOT, SendError::Unregistered(Path::ROOT)),
        (Path::resource(3, 0, 4), SendError::Unreadable(Path::resource(3, 0, 4))),
        (Path::instance(16, 7), SendError::Unreadable(Path::instance(16, 7))),
        (Path::object(6), SendError::NoValues),
    ];
    for (path, error) in refused {
        assert_eq!(try_send(&mut harness, path), Err(error), "{path}");
    }
    let values = ObjectInstance::default().with_multiple(0, [(0, "d")]);
    // Of an instance that is new the server learns by the Update, which is lost at first.
    harness.set_reachable(0, false);
    let insert = |it: &mut MemoryObject| it.insert(2, values);
    harness.sim.with(harness.client, |it, now| it.update(now, 16, insert)).unwrap();
    for path in [Path::instance(16, 2), Path::object(16)] {
        let error = SendError::Unregistered(Path::instance(16, 2));
        assert_eq!(try_send(&mut harness, path), Err(error));
    }
    harness.set_reachable(0, true);
    harness.run(5.0);
    assert_eq!(try_send(&mut harness, Path::instance(16, 2)), Ok(()));
}

#[test]
fn values_that_change_are_sent_if_the_account_says_so() {
    const TEMPERATURE: Path = Path::resource(3303, 0, 5700);
    let account = |mute| ServerAccount::new(1, address(0)).mute_send(mute);
    let with = |account: ServerAccount| {
        Harness::registered(Config::new("test").server(account.send_on_change(TEMPERATURE)))
    };
    let mut harness = with(account(false));
    for (path, value, sends) in [
        ("3303/0/5700", Value::Float(21.0), 1),
        ("3303/0/5700", Value::Float(21.0), 0),
        ("3303/0/5701", "K".into(), 0),
        ("3/0/9", Value::Integer(50), 0),
        ("3303/0/5700", Value::Float(22.0), 1),
    ] {
        harness.set(path, value.clone());
        let heard = harness.heard();
        assert_eq!(heard.len(), sends, "{path} {value:?}: {heard:?}");
        assert!(heard.iter().all(|line| line.contains("POST /dp")), "{heard:?}");
    }
    let mut mute = with(account(true));
    mute.set("3303/0/5700", 21.0);
    assert!(mute.heard().is_empty());
}

#[test]
fn the_answer_of_the_server_is_told() {
    let mut harness = Harness::registered(unmuted());
    harness.answers(0).push_back(Response::new(Code::CHANGED));
    let id =
        harness.sim.with(harness.client, |it, now| it.send(now, 1, &[MANUFACTURER], None)).unwrap();
    harness.settle();
    assert!(harness.events.contains(&Event::Sent { id, server: 1, confirmed: Ok(()) }));
    harness.answers(0).push_back(Response::new(Code::NOT_FOUND));
    assert_eq!(try_send(&mut harness, MANUFACTURER), Ok(()));
    let refused = |event: &Event| matches!(event, Event::Sent { confirmed: Err(_), .. });
    assert!(harness.events.iter().any(refused));
}

#[test]
fn nothing_is_sent_without_registration_or_in_a_strange_format() {
    let mut harness = Harness::new(unmuted(), objects());
    assert_eq!(try_send(&mut harness, MANUFACTURER), Err(SendError::NotRegistered(1)));
    harness.start();
    for format in [ContentFormat::TLV, ContentFormat::LWM2M_CBOR, ContentFormat::TEXT] {
        let sent = harness
            .sim
            .with(harness.client, |it, now| it.send(now, 1, &[MANUFACTURER], Some(format)));
        assert_eq!(sent, Err(SendError::Format(format)));
    }
    // A server that is asked for nothing is not registered either.
    let unknown =
        harness.sim.with(harness.client, |it, now| it.send(now, 2, &[MANUFACTURER], None));
    assert_eq!(unknown, Err(SendError::NotRegistered(2)));
    assert_eq!(harness.code(post("/dp")), "4.04");
}
