//! Devices that one server releases and another one adopts.

use crate::harness::{Harness, LIST, Message, device, register, update};
use crate::observe::observed;
use lwm2m_coap::{Code, MessageType, OptionNumber, Response};
use lwm2m_core::{Node, Path, Resource, Value};
use lwm2m_link::Engine;
use lwm2m_server::{
    AdoptError, Config, DeregistrationReason, Event, ObservationEnd, Operation, OperationError,
    SubmitError, Target,
};
use std::time::Duration;

const BATTERY: Path = Path::resource(3, 0, 9);

fn value(number: u8, sequence: u64) -> Response {
    let response = Response::new(Code::CONTENT).content_format(0).payload(number.to_string());
    let mut response = response;
    response.options.set_uint(OptionNumber::OBSERVE, sequence);
    response
}

fn read() -> Operation {
    Operation::Read { path: Path::object(3), format: None }
}

/// The values that notifications have brought.
fn reported(harness: &mut Harness) -> Vec<Node> {
    let events = harness.events.drain(..);
    let result = |event| match event {
        Event::Notification { result, .. } => Some(result.unwrap()),
        _ => None,
    };
    events.filter_map(result).collect()
}

fn integer(value: i64) -> Node {
    Node::Resource(Resource::Single(Value::Integer(value)))
}

/// Moves device 0, which is registered as `a`, to another server. Returns what that one sends
/// when it knows the peer.
fn migrate(from: &mut Harness, to: &mut Harness, reachable: bool) -> Option<Message> {
    let released = from.server.release(from.now, "a").expect("a registered device");
    from.drain();
    to.now = from.now;
    let peer = reachable.then(|| to.server.plain_peer(device(0)).unwrap());
    to.server.adopt(to.now, released, peer).unwrap();
    to.drain();
    to.sent.pop_front()
}

#[test]
fn an_adopted_device_keeps_its_location_and_lifetime() {
    let (mut old, mut new) = (Harness::new(), Harness::new());
    let location = old.registered_as(0, "ep=a&lt=60&lwm2m=1.1", LIST);
    let registration = old.server.registration("a").unwrap().clone();
    old.pass(Duration::from_secs(40));
    migrate(&mut old, &mut new, true);
    assert_eq!(old.server.registrations().count(), 0);
    assert!(matches!(old.events.back(), Some(Event::Released(it)) if *it == registration));
    assert_eq!(old.ask(device(0), update(&location, "")).code, Code::NOT_FOUND);
    assert_eq!(new.server.registration("a"), Some(&registration));
    assert!(matches!(new.events.back(), Some(Event::Adopted(it)) if *it == registration));
    let (_, request) = new.order("a", read());
    assert_eq!(request.to, device(0));

    new.pass(Duration::from_secs(15));
    assert_eq!(new.ask(device(0), update(&location, "")).code, Code::CHANGED);
    new.pass(Duration::from_secs(59));
    assert!(new.server.registration("a").is_some());
    new.pass(Duration::from_secs(1));
    let last = new.events.back();
    let expired = DeregistrationReason::Expired;
    assert!(matches!(last, Some(Event::Deregistered { reason, .. }) if *reason == expired));
}

#[test]
fn an_adopted_device_falls_asleep_in_its_time() {
    let (mut old, mut new) = (Harness::new(), Harness::new());
    old.registered_as(0, "ep=a&lt=86400&lwm2m=1.1&b=U&Q", LIST);
    old.pass(Duration::from_secs(40));
    migrate(&mut old, &mut new, true);
    new.pass(Duration::from_secs(52));
    assert!(new.server.is_reachable("a"));
    new.pass(Duration::from_secs(2));
    assert!(!new.server.is_reachable("a"));
    assert!(matches!(new.events.back(), Some(Event::Asleep(_))));
}

#[test]
fn nothing_is_left_of_a_released_device() {
    let (mut old, mut new) = (Harness::new(), Harness::new());
    old.registered(0, "a");
    observed(&mut old, "a", "/3/0/9");
    migrate(&mut old, &mut new, true);
    old.pass(Duration::from_secs(1_000));
    assert_eq!((old.server.peer_count(), old.server.poll_timeout()), (0, None));
    assert!(old.server.release(old.now, "a").is_none());
}

#[test]
fn operations_without_an_outcome_fail_when_their_device_is_released() {
    let (mut old, mut new) = (Harness::new(), Harness::new());
    old.registered(0, "a");
    let (id, request) = old.order("a", read());
    migrate(&mut old, &mut new, true);
    assert_eq!(old.outcome(id), Some(Err(OperationError::Released)));
    let late = Response::new(Code::CONTENT).content_format(11_542);
    old.answer(&request, late);
    assert_eq!(old.outcome(id), None, "told once");
    assert!(new.sent.is_empty(), "it is not sent again");
    assert!(new.outcome(id).is_none());
}

#[test]
fn observations_begin_anew_at_the_server_that_adopts() {
    let (mut old, mut new) = (Harness::new(), Harness::new());
    old.registered(0, "a");
    let before = observed(&mut old, "a", "/3/0/9");
    let request = migrate(&mut old, &mut new, true).expect("a request that observes");
    let ended = |event: &Event| matches!(event, Event::ObservationEnded { .. });
    assert!(!old.events.iter().any(ended), "it has not ended");
    old.notify(&before, MessageType::Confirmable, value(7, 3));
    assert_eq!(old.request().kind, MessageType::Reset);

    assert_eq!((request.uri(), request.options.observe()), ("/3/0/9".to_owned(), Some(0)));
    assert_eq!(new.server.observations("a").count(), 1);
    new.answer(&request, value(8, 4));
    new.notify(&request, MessageType::NonConfirmable, value(9, 5));
    assert_eq!(reported(&mut new), [integer(8), integer(9)]);
    assert_eq!(new.server.cancel_observations(new.now, "a", &BATTERY.into()), 1);
}

#[test]
fn an_observation_that_the_device_refuses_ends() {
    for (answer, reason) in [
        (Response::new(Code::NOT_FOUND), ObservationEnd::Ended(Code::NOT_FOUND)),
        (
            Response::new(Code::CONTENT).content_format(0).payload("5"),
            ObservationEnd::Ended(Code::CONTENT),
        ),
    ] {
        let (mut old, mut new) = (Harness::new(), Harness::new());
        old.registered(0, "a");
        observed(&mut old, "a", "/3/0/9");
        let request = migrate(&mut old, &mut new, true).unwrap();
        new.answer(&request, answer);
        let (endpoint, target) = ("a".into(), Target::Path(BATTERY));
        let ended = Event::ObservationEnded { endpoint, target, reason };
        assert_eq!(new.events.back(), Some(&ended));
        assert_eq!(new.server.observations("a").count(), 0);
    }
}

#[test]
fn a_device_without_a_peer_is_reached_after_its_next_update() {
    let (mut old, mut new) = (Harness::new(), Harness::new());
    let location = old.registered(0, "a");
    observed(&mut old, "a", "/3/0/9");
    observed(&mut old, "a", "/3/0");
    assert_eq!(migrate(&mut old, &mut new, false), None);
    assert_eq!(new.server.submit(new.now, "a", read()), Err(SubmitError::NotConnected));
    let cancel = Operation::CancelObservation { target: BATTERY.into() };
    assert_eq!(new.server.submit(new.now, "a", cancel), Err(SubmitError::NotConnected));
    assert_eq!(new.ask(device(1), update(&location, "")).code, Code::CHANGED);
    assert_eq!(new.server.registration("a").unwrap().address, device(1));
    // CoAP sends one confirmable request at a time to each peer.
    let first = new.request();
    assert_eq!((first.uri().as_str(), first.to), ("/3/0", device(1)));
    new.answer(&first, Response::new(Code::CONTENT).observe().content_format(11_542));
    let second = new.request();
    assert_eq!(second.uri(), "/3/0/9");
    new.answer(&second, value(8, 4));
    new.notify(&second, MessageType::NonConfirmable, value(9, 5));
    assert_eq!(reported(&mut new).len(), 3);
}

#[test]
fn more_observations_than_coap_takes_at_once_all_begin_anew() {
    let mut config = Config::default();
    config.coap.max_pending_per_peer = 2;
    let (mut old, mut new) = (Harness::new(), Harness::with(config));
    old.registered(0, "a");
    for resource in [0, 1, 2, 3, 9] {
        observed(&mut old, "a", &format!("/3/0/{resource}"));
    }
    let mut next = migrate(&mut old, &mut new, true);
    while let Some(request) = next {
        new.answer(&request, value(1, 1));
        next = new.sent.pop_front();
    }
    assert_eq!(reported(&mut new).len(), 5);
}

#[test]
fn what_cannot_be_adopted_is_given_back() {
    let mut old = Harness::new();
    old.registered(0, "a");
    let released = old.server.release(old.now, "a").unwrap();

    let mut full = Harness::with(Config::default().max_registrations(0));
    let refused = full.server.adopt(full.now, released, None);
    let Err(AdoptError::Full(released)) = refused else { panic!("{refused:?}") };
    let small = Config::default().max_registration_bytes(100);
    let mut small = Harness::with(small);
    let refused = small.server.adopt(small.now, *released, None);
    let Err(AdoptError::Full(released)) = refused else { panic!("{refused:?}") };

    let mut new = Harness::new();
    new.ask(device(5), register("ep=a&lt=60&lwm2m=1.1", LIST));
    let refused = new.server.adopt(new.now, *released, None);
    let Err(AdoptError::Registered(released)) = refused else { panic!("{refused:?}") };
    assert_eq!(new.server.registration("a").unwrap().address, device(5));
    assert_eq!(&*released.registration().endpoint, "a");

    // The name with another location, and the location with another name.
    let mut other = Harness::new();
    other.registered(4, "b");
    other.registered(5, "a");
    let refused = other.server.adopt(other.now, *released, None);
    let Err(AdoptError::Registered(released)) = refused else { panic!("{refused:?}") };
    let mut other = Harness::new();
    let location = other.registered(4, "b");
    assert_eq!(location, format!("/rd/{}", released.registration().id), "equal seeds");
    let refused = other.server.adopt(other.now, *released, None);
    let Err(AdoptError::Registered(released)) = refused else { panic!("{refused:?}") };

    let secure = Config::default();
    let credential = lwm2m_server::security::Credential::psk(b"id", &[7; 16]).unwrap();
    secure.security.put("a", credential).unwrap();
    let mut secure = Harness::with(secure);
    let refused = secure.server.adopt(secure.now, *released, None);
    let Err(AdoptError::Identity(released)) = refused else { panic!("{refused:?}") };

    old.server.adopt(old.now, *released, None).unwrap();
    assert!(old.server.registration("a").is_some(), "back where it was");
}
