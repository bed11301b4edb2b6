//! Observations that last until the application takes them back.

use crate::harness::{Harness, LIST, Message, at, device, register, update};
use crate::observe::value;
use lwm2m_coap::{Code, MessageType, Request, Response};
use lwm2m_core::{Attribute, ContentFormat, Path};
use lwm2m_server::{Config, Event, OperationId, SubmitError, Target, WishOptions, WishState};

const TARGET: Target = Target::Path(Path::resource(3, 0, 9));

fn wish(harness: &mut Harness, attributes: &[&str]) -> OperationId {
    let attributes = attributes.iter().map(|text| Attribute::parse(text).unwrap()).collect();
    let options = WishOptions { attributes, ..WishOptions::default() };
    let id = harness.server.wish(harness.now, "a", TARGET, options).unwrap();
    harness.drain();
    id
}

fn state(harness: &Harness) -> Option<WishState> {
    harness.server.wishes("a").next().map(|(_, _, state)| state)
}

/// The Observe that the server has sent.
fn asked(harness: &mut Harness) -> Message {
    let request = harness.request();
    assert_eq!(request.options.observe(), Some(0), "{request:?}");
    assert_eq!(request.uri().split('?').next(), Some("/3/0/9"));
    request
}

/// A device with a wish that it has accepted; returns the request and the location.
fn observed() -> (Harness, Message, String) {
    let mut harness = Harness::kept();
    harness.ask_for(device(1), register("ep=a&lt=300&lwm2m=1.1", LIST));
    harness.commit();
    let location = harness.sent.pop_front().unwrap().location();
    let id = wish(&mut harness, &[]);
    let request = asked(&mut harness);
    assert_eq!(state(&harness), Some(WishState::Waiting));
    harness.answer(&request, value("5", 1));
    assert!(harness.outcome(id).unwrap().is_ok());
    assert_eq!(state(&harness), Some(WishState::Observed(harness.now)));
    harness.commit();
    harness.events.clear();
    (harness, request, location)
}

fn notifications(harness: &mut Harness) -> usize {
    let events = std::mem::take(&mut harness.events);
    events.iter().filter(|event| matches!(event, Event::Notification { result: Ok(_), .. })).count()
}

// proves: NOTIFY-04
#[test]
fn a_wish_is_made_so_after_each_register_and_not_after_an_update() {
    let (mut harness, _, location) = observed();
    harness.ask(device(1), update(&location, ""));
    assert!(harness.sent.is_empty(), "{:?}", harness.sent);
    harness.ask_for(device(1), register("ep=a&lt=300&lwm2m=1.1", LIST));
    assert!(harness.sent.is_empty(), "the device has its answer first");
    harness.commit();
    assert_eq!(harness.sent.pop_front().unwrap().code, Code::CREATED);
    let request = asked(&mut harness);
    harness.answer(&request, value("6", 1));
    assert_eq!(notifications(&mut harness), 1, "what it begins with is a value like others");
    harness.notify(&request, MessageType::NonConfirmable, value("7", 2));
    assert_eq!(notifications(&mut harness), 1);
}

#[test]
fn a_wish_survives_a_crash() {
    let (mut harness, _, location) = observed();
    let restored = harness.crash();
    assert_eq!((restored.wishes, restored.unusable), (1, 0));
    assert_eq!(state(&harness), Some(WishState::Waiting));
    harness.ask(device(1), update(&location, ""));
    let request = asked(&mut harness);
    harness.answer(&request, value("6", 1));
    assert_eq!(state(&harness), Some(WishState::Observed(harness.now)));
}

#[test]
fn a_wish_for_a_device_that_is_not_there_waits_for_it() {
    let mut harness = Harness::kept();
    let id = wish(&mut harness, &[]);
    harness.commit();
    assert_eq!((state(&harness), harness.outcome(id)), (Some(WishState::Waiting), None));
    harness.ask_for(device(1), register("ep=a&lt=300&lwm2m=1.1", LIST));
    harness.commit();
    harness.sent.pop_front();
    let request = asked(&mut harness);
    harness.answer(&request, value("6", 1));
    assert!(harness.outcome(id).unwrap().is_ok());
}

#[test]
fn a_wish_that_is_taken_back_is_gone() {
    let (mut harness, request, _) = observed();
    assert!(harness.server.cease(harness.now, "a", &TARGET));
    harness.drain();
    harness.notify(&request, MessageType::Confirmable, value("7", 2));
    assert_eq!(harness.request().kind, MessageType::Reset);
    assert_eq!((notifications(&mut harness), state(&harness)), (0, None));
    harness.commit();
    assert_eq!(harness.crash().wishes, 0);
}

#[test]
fn a_refused_wish_says_so_and_is_tried_again_at_the_next_register() {
    let mut harness = Harness::kept();
    harness.ask_for(device(1), register("ep=a&lt=300&lwm2m=1.1", LIST));
    harness.commit();
    harness.sent.clear();
    let id = wish(&mut harness, &[]);
    let request = asked(&mut harness);
    harness.answer(&request, Response::new(Code::METHOD_NOT_ALLOWED));
    assert_eq!(harness.outcome(id).unwrap().unwrap().code, Code::METHOD_NOT_ALLOWED);
    assert_eq!(state(&harness), Some(WishState::Refused(Code::METHOD_NOT_ALLOWED)));
    harness.ask_for(device(1), register("ep=a&lt=300&lwm2m=1.1", LIST));
    harness.commit();
    harness.sent.pop_front();
    asked(&mut harness);
}

#[test]
fn attributes_go_before_the_observe_or_along_with_it_as_the_version_allows() {
    for (version, along) in [("1.1", false), ("1.2", true)] {
        let mut harness = Harness::kept();
        harness.ask_for(device(1), register(&format!("ep=a&lt=300&lwm2m={version}"), LIST));
        harness.commit();
        harness.sent.clear();
        let id = wish(&mut harness, &["pmin=5", "gt=7"]);
        if !along {
            let write = harness.request();
            assert_eq!((write.code, &*write.uri()), (Code::PUT, "/3/0/9?pmin=5&gt=7"));
            assert!(harness.sent.is_empty());
            harness.answer(&write, Response::new(Code::CHANGED));
        }
        let request = asked(&mut harness);
        let expected = if along { "/3/0/9?pmin=5&gt=7" } else { "/3/0/9" };
        assert_eq!(request.uri(), expected, "{version}");
        harness.answer(&request, value("5", 1));
        assert!(harness.outcome(id).unwrap().is_ok(), "{version}");
    }
}

#[test]
fn a_wish_is_tried_in_the_next_format() {
    let mut harness = Harness::kept();
    harness.ask_for(device(1), register("ep=a&lt=300&lwm2m=1.1", "</>;ct=112,</3/0>"));
    harness.commit();
    harness.sent.clear();
    let id = wish(&mut harness, &[]);
    let first = asked(&mut harness);
    harness.answer(&first, Response::new(Code::NOT_ACCEPTABLE));
    let second = asked(&mut harness);
    assert_ne!(first.options.accept(), second.options.accept());
    harness.answer(&second, value("5", 1));
    assert!(harness.outcome(id).unwrap().is_ok());
}

#[test]
fn the_first_value_is_a_notification_if_nobody_waits_for_it() {
    let mut harness = Harness::kept();
    let id = wish(&mut harness, &[]);
    harness.server.detach("a", &TARGET);
    harness.ask_for(device(1), register("ep=a&lt=300&lwm2m=1.1", LIST));
    harness.commit();
    harness.sent.pop_front();
    let request = asked(&mut harness);
    harness.answer(&request, value("6", 1));
    assert_eq!((harness.outcome(id), notifications(&mut harness)), (None, 1));
}

#[test]
fn how_a_wish_is_to_be_observed_survives_a_crash() {
    let mut harness = Harness::kept();
    let target = Target::Composite([Path::resource(3, 0, 9), Path::instance(1, 0)].into());
    let options = WishOptions {
        format: Some(ContentFormat::SENML_CBOR),
        path_format: Some(ContentFormat::SENML_ETCH_JSON),
        attributes: vec![Attribute::parse("pmin=5").unwrap()],
    };
    harness.server.wish(harness.now, "a", target.clone(), options.clone()).unwrap();
    harness.drain();
    harness.commit();
    harness.crash();
    let kept = harness.server.wishes("a").next();
    assert_eq!(kept.map(|(target, wish, _)| (target, &wish.options)), Some((&target, &options)));
    harness.ask_for(device(1), register("ep=a&lt=300&lwm2m=1.2", LIST));
    harness.commit();
    harness.sent.pop_front();
    let request = harness.request();
    let format = request.options.content_format();
    assert_eq!(format, Some(ContentFormat::SENML_ETCH_JSON.0), "{request:?}");
}

#[test]
fn wishes_are_bounded() {
    let mut harness = Harness::with(Config::default().max_observations(2).max_wishes(3));
    let mut wish = |endpoint: &str, resource| {
        let target = Target::Path(Path::resource(3, 0, resource));
        harness.server.wish(harness.now, endpoint, target, WishOptions::default()).map(drop)
    };
    let full = Err(SubmitError::TooManyObservations);
    assert_eq!([wish("a", 1), wish("a", 2), wish("a", 3)], [Ok(()), Ok(()), full.clone()]);
    assert_eq!(wish("a", 2), Ok(()), "the same wish takes no more room");
    assert_eq!([wish("b", 1), wish("c", 1)], [Ok(()), full]);
    assert!(harness.server.cease(harness.now, "a", &Target::Path(Path::resource(3, 0, 1))));
    let target = Target::Path(Path::resource(3, 0, 1));
    assert!(harness.server.wish(harness.now, "c", target, WishOptions::default()).is_ok());
}

#[test]
fn after_a_restart_a_notification_nobody_asked_for_shows_that_the_device_is_there() {
    let (mut harness, earlier, _) = observed();
    harness.crash();
    harness.notify(&earlier, MessageType::Confirmable, value("6", 2));
    assert_eq!(harness.request().kind, MessageType::Reset);
    let request = asked(&mut harness);
    harness.answer(&request, value("6", 1));
    assert_eq!(state(&harness), Some(WishState::Observed(harness.now)));
}

#[test]
fn an_observe_that_is_answered_with_a_wrong_code_is_not_sent_again_and_again() {
    let (mut harness, ..) = observed();
    harness.ask_for(device(1), register("ep=a&lt=300&lwm2m=1.1", LIST));
    harness.commit();
    harness.sent.pop_front();
    let request = asked(&mut harness);
    harness.answer(&request, Response::new(Code::CHANGED));
    assert!(harness.sent.is_empty(), "{:?}", harness.sent);
    assert_eq!(state(&harness), Some(WishState::Refused(Code::CHANGED)));
}

#[test]
fn a_wish_goes_along_when_its_device_leaves_an_address_that_it_shared() {
    let (mut harness, _, location) = observed();
    harness.ask_for(device(1), register("ep=b&lt=300&lwm2m=1.1", LIST));
    harness.commit();
    harness.sent.clear();
    harness.events.clear();
    harness.ask_for(device(2), update(&location, ""));
    harness.commit();
    assert_eq!(harness.sent.pop_front().unwrap().code, Code::CHANGED);
    let ended = |event: &Event| matches!(event, Event::ObservationEnded { .. });
    assert!(!harness.events.iter().any(ended), "{:?}", harness.events);
    let request = asked(&mut harness);
    assert_eq!(request.to, device(2));
    harness.answer(&request, value("6", 1));
    assert_eq!(state(&harness), Some(WishState::Observed(harness.now)));
}

#[test]
fn a_refusal_is_known_after_a_restart_until_the_device_registers() {
    let mut harness = Harness::kept();
    harness.ask_for(device(1), register("ep=a&lt=300&lwm2m=1.1", LIST));
    harness.commit();
    let location = harness.sent.pop_front().unwrap().location();
    wish(&mut harness, &[]);
    let request = asked(&mut harness);
    harness.answer(&request, Response::new(Code::METHOD_NOT_ALLOWED));
    harness.ask_for(device(1), at(Request::delete(), &location));
    harness.commit();
    harness.crash();
    assert_eq!(state(&harness), Some(WishState::Refused(Code::METHOD_NOT_ALLOWED)));
    harness.ask_for(device(1), register("ep=a&lt=300&lwm2m=1.1", LIST));
    harness.commit();
    assert_eq!(state(&harness), Some(WishState::Waiting));
}
