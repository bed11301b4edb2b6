//! Update and De-register.

use crate::harness::{Harness, LIST, at, device, register, update};
use crate::observe::{observed, value};
use lwm2m_coap::{Code, MessageType, Request, Response};
use lwm2m_core::Path;
use lwm2m_server::{Config, Content, DeregistrationReason, Event, Operation, OperationError};
use std::time::Duration;

// proves: REG-14
#[test]
fn an_update_merges_what_it_gives() {
    let mut harness = Harness::new();
    let location = harness.registered_as(0, "ep=a&lt=60&lwm2m=1.1&b=U&sms=1&x=1", LIST);
    harness.pass(Duration::from_secs(50));
    assert_eq!(harness.ask(device(0), update(&location, "b=UT&Q")).code, Code::CHANGED);
    let it = harness.server.registration("a").unwrap().clone();
    assert_eq!(
        (it.lifetime.as_secs(), it.sms.as_deref(), it.list.links().len()),
        (60, Some("1"), 5)
    );
    assert_eq!((it.binding.to_string().as_str(), it.queue_mode), ("UT", true));
    assert_eq!((it.updated_at, it.registered_at < it.updated_at), (harness.now, true));
    harness.pass(Duration::from_secs(50));
    assert!(harness.server.registration("a").is_some(), "the lifetime began anew");

    let list = update(&location, "").content_format(40).payload("</1/0>,</3/0>");
    assert_eq!(harness.ask(device(0), list).code, Code::CHANGED);
    let it = harness.server.registration("a").unwrap();
    assert_eq!(it.list.objects.keys().copied().collect::<Vec<_>>(), [1, 3]);
    let Some(Event::Updated { update: said, .. }) = harness.events.back() else { panic!() };
    assert_eq!(
        (said.list.as_ref().map(|list| list.links().len()), said.lifetime, said.binding),
        (Some(2), None, None)
    );

    for query in ["lt=x", "b=UQ", "b=", "lt=1&lt=2"] {
        let answer = harness.ask(device(0), update(&location, query));
        assert_eq!(answer.code, Code::BAD_REQUEST, "{query}");
    }
    for list in ["xyz", "</x>"] {
        let request = update(&location, "lt=7").content_format(40).payload(list);
        assert_eq!(harness.ask(device(0), request).code, Code::BAD_REQUEST);
    }
    let format = update(&location, "lt=7").content_format(0).payload("</3/0>");
    assert_eq!(harness.ask(device(0), format).code, Code::BAD_REQUEST);
    assert_eq!(
        harness.server.registration("a").unwrap().lifetime.as_secs(),
        60,
        "nothing was taken"
    );
    assert_eq!(harness.ask(device(0), update("/rd/none", "")).code, Code::NOT_FOUND);
}

#[test]
fn a_binding_without_q_ends_queue_mode_and_a_list_needs_no_format() {
    let mut harness = Harness::new();
    let location = harness.registered_as(0, "ep=a&lt=60&lwm2m=1.1&b=U&Q", LIST);
    let queue_mode = |harness: &Harness| harness.server.registration("a").unwrap().queue_mode;
    harness.ask(device(0), update(&location, "lt=30"));
    assert!(queue_mode(&harness));
    harness.ask(device(0), update(&location, "b=U"));
    assert!(!queue_mode(&harness));
    let list = update(&location, "").payload("</3/0>");
    assert_eq!(harness.ask(device(0), list).code, Code::CHANGED);
    assert_eq!(harness.server.registration("a").unwrap().list.links().len(), 1);
}

// proves: REG-15
#[test]
fn a_device_that_leaves_is_forgotten() {
    let mut harness = Harness::new();
    let location = harness.registered(0, "a");
    let observe = observed(&mut harness, "a", "/3/0/9");
    assert_eq!(harness.ask(device(0), at(Request::delete(), &location)).code, Code::DELETED);
    assert!(matches!(
        harness.events.back(),
        Some(Event::Deregistered { reason: DeregistrationReason::Removed, .. })
    ));
    assert_eq!(harness.server.registrations().count(), 0);
    assert_eq!(harness.ask(device(0), at(Request::delete(), &location)).code, Code::NOT_FOUND);
    let late = Response::new(Code::CONTENT).observe().content_format(0).payload("5");
    harness.notify(&observe, MessageType::Confirmable, late);
    assert_eq!(harness.request().kind, MessageType::Reset);
}

// proves: REG-18
#[test]
fn operations_and_observations_follow_the_device_to_its_new_address() {
    let mut harness = Harness::new();
    let location = harness.registered(0, "a");
    let mut observe = observed(&mut harness, "a", "/3/0/9");
    let (waiting, lost) = harness.order("a", Operation::Read { path: battery(), format: None });
    assert_eq!(harness.ask(device(1), update(&location, "")).code, Code::CHANGED);
    assert_eq!(harness.server.registration("a").unwrap().address, device(1));
    let Some(Event::Updated { update: said, .. }) = harness.events.pop_back() else { panic!() };
    assert_eq!(said.moved_from, Some(device(0)));
    assert!(harness.events.is_empty(), "nothing ends: {:?}", harness.events);

    let again = harness.request();
    assert_eq!((again.to, again.token, again.uri()), (device(1), lost.token, lost.uri()));
    harness.answer(&again, Response::new(Code::CONTENT).content_format(0).payload("95"));
    assert!(matches!(harness.content(waiting), Content::Node(_)));
    let refresh = harness.request();
    assert_eq!((refresh.to, refresh.token), (device(1), observe.token));
    assert_eq!((refresh.uri(), refresh.options.observe()), (observe.uri(), Some(0)));
    harness.answer(&refresh, value("1", 2));
    assert!(harness.events.is_empty(), "that is known: {:?}", harness.events);
    observe.to = device(1);
    harness.notify(&observe, MessageType::Confirmable, value("5", 3));
    assert!(matches!(harness.events.pop_back(), Some(Event::Notification { result: Ok(_), .. })));
    assert_eq!(harness.request().kind, MessageType::Acknowledgement);

    harness.pass(Duration::from_secs(300));
    assert_eq!(harness.server.peer_count(), 1, "the old address is forgotten");
}

#[test]
fn a_device_that_leaves_a_shared_address_takes_nothing_of_the_others_along() {
    let mut harness = Harness::new();
    let leaves = harness.registered(0, "leaves");
    harness.registered(0, "stays");
    let observe = observed(&mut harness, "stays", "/3/0/9");
    let (lost, _) = harness.order("leaves", Operation::Read { path: battery(), format: None });
    assert_eq!(harness.ask(device(1), update(&leaves, "")).code, Code::CHANGED);
    assert_eq!(harness.outcome(lost), Some(Err(OperationError::Moved)));
    let addresses = ["leaves", "stays"].map(|it| harness.server.registration(it).unwrap().address);
    assert_eq!(addresses, [device(1), device(0)]);
    harness.events.clear();
    harness.notify(&observe, MessageType::Confirmable, value("5", 2));
    assert!(matches!(harness.events.pop_back(), Some(Event::Notification { result: Ok(_), .. })));
}

fn battery() -> Path {
    "/3/0/9".parse().expect("a path")
}

/// The list of a device may have 64 KB, and a bare Update 25 bytes.
#[test]
fn an_update_tells_the_object_list_only_if_it_has_one() {
    let mut harness = Harness::new();
    let location = harness.registered(0, "a");
    let with_list = update(&location, "").content_format(40).payload(LIST.to_owned());
    for (request, has_list) in
        [(update(&location, ""), false), (update(&location, "lt=60"), false), (with_list, true)]
    {
        harness.ask(device(0), request);
        let told = harness.events.drain(..).find_map(|event| match event {
            Event::Updated { update, .. } => Some(update.list.is_some()),
            _ => None,
        });
        assert_eq!(told, Some(has_list));
    }
}

#[test]
fn devices_of_a_full_server_come_back_at_the_same_size() {
    let mut harness = Harness::with(Config::default().max_registration_bytes(100_000));
    let query = |number: u16| format!("ep=dev-{number:03}&lt=60&lwm2m=1.1");
    // Each host has a share only, so each device is at another one.
    let host = |number: u16| ([192, 0, number as u8, 1], 5_683).into();
    let mut places = Vec::new();
    loop {
        let number = u16::try_from(places.len()).unwrap();
        let answer = harness.ask(host(number), register(&query(number), LIST));
        if answer.code != Code::CREATED {
            break;
        }
        places.push(answer.location());
    }
    assert!(places.len() > 20);
    for (number, place) in (0..).zip(&places) {
        assert_eq!(harness.ask(host(number), update(place, "lt=30")).code, Code::CHANGED);
        assert_eq!(harness.ask(host(number), register(&query(number), LIST)).code, Code::CREATED);
    }
}
