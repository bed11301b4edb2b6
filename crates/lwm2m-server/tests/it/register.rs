//! Register: what is stored, what is refused.

use crate::harness::{Harness, LIST, Message, at, device, register, update};
use lwm2m_coap::{Code, MessageBuilder, MessageType, OptionNumber, Options, Request, Token};
use lwm2m_core::{ObjectVersion, Path, Version};
use lwm2m_link::{Engine, Input};
use lwm2m_server::{Config, DeregistrationReason, Event, Operation, OperationError};
use std::collections::BTreeSet;
use std::time::Duration;

// proves: REG-02
#[test]
fn a_good_register_is_stored_under_an_id_of_its_own() {
    let mut harness = Harness::new();
    let mut ids = BTreeSet::new();
    for n in 0..1_000 {
        let query = format!("ep=dev{n}&lt=300&lwm2m=1.1&b=UT&Q&sms=4912345");
        let answer = harness.ask(device(n), register(&query, LIST));
        assert_eq!(answer.code, Code::CREATED);
        assert!(answer.options.get(OptionNumber::LOCATION_QUERY).is_none());
        let location: Vec<_> = answer.options.location_path().collect();
        assert_eq!((location.len(), location[0], location[1].len()), (2, &b"rd"[..], 16));
        assert!(ids.insert(location[1].to_vec()));
    }
    let stored = harness.server.registration("dev7").unwrap().clone();
    assert_eq!(stored.lifetime, Duration::from_secs(300));
    assert_eq!((stored.binding.to_string().as_str(), stored.queue_mode), ("UT", true));
    assert_eq!((stored.version, stored.sms.as_deref()), (Version::V1_1, Some("4912345")));
    assert_eq!((stored.address, stored.list.links().len()), (device(7), 5));
    assert_eq!(stored.list.objects.keys().copied().collect::<Vec<_>>(), [1, 3, 6, 16, 19]);
    assert_eq!(harness.server.registration_by_id(stored.id.as_str()), Some(&stored));
    let again = harness.ask(device(7), register("ep=dev7&lt=300&lwm2m=1.1", LIST));
    assert_ne!(again.location(), format!("/rd/{}", stored.id));
}

#[test]
fn ids_depend_on_the_seed_alone() {
    let location = |seed| {
        let mut harness = Harness::new();
        harness.server = lwm2m_server::Server::new(Config::default(), [seed; 32]);
        harness.registered(0, "a")
    };
    assert_eq!(location(1), location(1));
    assert_ne!(location(1), location(2));
}

fn refused(query: &str, code: Code) {
    let mut harness = Harness::new();
    let answer = harness.ask(device(0), register(query, LIST));
    assert_eq!(answer.code, code, "{query}");
    assert_eq!(harness.server.registrations().count(), 0, "{query}");
    let tells = |event: &Event| matches!(event, Event::NameRefused(_));
    assert!(harness.events.iter().all(tells), "{query}");
}

// proves: REG-03
#[test]
fn lifetime_is_mandatory_since_1_1() {
    refused("ep=a&lwm2m=1.1", Code::BAD_REQUEST);
    for lt in ["abc", "", "-1", "+5", "1.5", "99999999999999999999"] {
        refused(&format!("ep=a&lwm2m=1.1&lt={lt}"), Code::BAD_REQUEST);
    }
    let mut harness = Harness::new();
    harness.registered_as(0, "ep=a", LIST);
    let stored = harness.server.registration("a").unwrap();
    assert_eq!((stored.version, stored.lifetime.as_secs()), (Version::V1_0, 86_400));
}

// proves: REG-04
#[test]
fn unknown_versions_are_refused() {
    for version in ["9.9", "2.0", "", "1", "x"] {
        refused(&format!("ep=a&lt=60&lwm2m={version}"), Code::PRECONDITION_FAILED);
    }
    for version in ["1.0", "1.1", "1.2", "\"1.1\""] {
        Harness::new().registered_as(0, &format!("ep=a&lt=60&lwm2m={version}"), LIST);
    }
    let config = Config::default().versions(vec![Version::V1_0, Version::V1_1]);
    let answer = Harness::with(config).ask(device(0), register("ep=a&lt=60&lwm2m=1.2", LIST));
    assert_eq!(answer.code, Code::PRECONDITION_FAILED);
}

// proves: REG-06
#[test]
fn parameters_in_any_order_unknown_ones_kept() {
    let mut harness = Harness::new();
    harness.registered_as(0, "imei=1&b=U&flag&lt=60&ep=dev%41 b&lwm2m=1.1", LIST);
    let stored = harness.server.registration("dev%41 b").unwrap();
    assert_eq!(stored.additional.get("imei").map(String::as_str), Some("1"));
    assert_eq!(stored.additional.get("flag").map(String::as_str), Some(""));
    for query in ["ep=a&ep=b&lt=60&lwm2m=1.1", "ep=a&lt=60&lt=60&lwm2m=1.1"] {
        refused(query, Code::BAD_REQUEST);
    }
}

// proves: REG-07
#[test]
fn an_object_list_is_needed_in_link_format() {
    let query = "ep=a&lt=60&lwm2m=1.1";
    let with_format = |format| {
        let mut request = register(query, LIST);
        request.options.set_uint(OptionNumber::CONTENT_FORMAT, format);
        request
    };
    for request in [
        register(query, ""),
        register(query, "xyz"),
        register(query, "</x>"),
        register(query, "</3>;ver=1"),
        with_format(0),
        with_format(9_999),
    ] {
        let mut harness = Harness::new();
        assert_eq!(harness.ask(device(0), request).code, Code::BAD_REQUEST);
        assert_eq!(harness.server.registrations().count(), 0);
    }
}

// proves: REG-09
#[test]
fn unknown_objects_count_and_secret_ones_do_not() {
    let mut harness = Harness::new();
    let list = "</0/0>,</21/0>,</23>,</24/1>,</65000/3>";
    harness.registered_as(0, "ep=a&lt=60&lwm2m=1.1", list);
    let stored = harness.server.registration("a").unwrap();
    assert_eq!(stored.list.objects.keys().copied().collect::<Vec<_>>(), [65_000]);
    assert_eq!(stored.list.links().len(), 1);
}

// proves: REG-10
#[test]
fn a_second_register_replaces_the_first() {
    let mut harness = Harness::new();
    let old = harness.registered(0, "a");
    crate::observe::observed(&mut harness, "a", "/3/0");
    let (read, _) = harness.order("a", Operation::Read { path: Path::object(3), format: None });
    let answer = harness.ask(device(0), register("ep=a&lt=60&lwm2m=1.1", LIST));
    assert_eq!(answer.code, Code::CREATED);
    assert_eq!(harness.outcome(read), Some(Err(OperationError::Deregistered)));
    assert!(matches!(harness.events[0], Event::ObservationEnded { .. }));
    let reason = DeregistrationReason::Replaced;
    assert!(matches!(&harness.events[1], Event::Deregistered { reason: r, .. } if *r == reason));
    assert!(matches!(harness.events[2], Event::Registered(_)));
    assert_eq!(harness.server.observations("a").count(), 0);
    assert_eq!(harness.server.registrations().count(), 1);
    assert_eq!(harness.ask(device(0), update(&old, "")).code, Code::NOT_FOUND);
}

// proves: REG-22
#[test]
fn binding_modes_by_version() {
    for (version, b, stored) in [
        ("1.0", "b=U", Some(("U", false))),
        ("1.0", "b=UQ", Some(("U", true))),
        ("1.0", "b=UQS", Some(("US", true))),
        ("1.0", "b=UT", None),
        ("1.1", "", Some(("U", false))),
        ("1.1", "b=UTSN&Q", Some(("UTSN", true))),
        ("1.1", "Q=", Some(("U", true))),
        ("1.1", "b=\"U\"", Some(("U", false))),
        ("1.1", "b=UQ", None),
        ("1.1", "b=M", None),
        ("1.1", "b=", None),
        ("1.2", "b=MH", Some(("MH", false))),
        ("1.2", "b=X", None),
    ] {
        let query = format!("ep=a&lt=60&lwm2m={version}&{b}");
        let Some((binding, queue_mode)) = stored else {
            refused(&query, Code::BAD_REQUEST);
            continue;
        };
        let mut harness = Harness::new();
        harness.registered_as(0, &query, LIST);
        let it = harness.server.registration("a").unwrap();
        assert_eq!((it.binding.to_string().as_str(), it.queue_mode), (binding, queue_mode));
    }
}

// REG-24 as a whole needs authenticated peers; this is its NoSec part.
#[test]
fn an_endpoint_name_is_needed_without_security() {
    refused("lt=60&lwm2m=1.1", Code::BAD_REQUEST);
    refused("ep=&lt=60&lwm2m=1.1", Code::BAD_REQUEST);
    refused("ep=.&lt=60&lwm2m=1.1", Code::BAD_REQUEST);
    refused("ep=..&lt=60&lwm2m=1.1", Code::BAD_REQUEST);
    refused("ep=a\0&lt=60&lwm2m=1.1", Code::BAD_REQUEST);
    let ask =
        |config, query: &str| Harness::with(config).ask(device(0), register(query, LIST)).code;
    let short = Config::default().max_endpoint_name(3);
    assert_eq!(ask(short.clone(), "ep=abc&lt=60&lwm2m=1.1"), Code::CREATED);
    assert_eq!(ask(short, "ep=abcd&lt=60&lwm2m=1.1"), Code::BAD_REQUEST);
    let narrow = Config::default().max_query(22);
    assert_eq!(ask(narrow.clone(), "ep=a&lt=60&lwm2m=1.1"), Code::CREATED);
    assert_eq!(ask(narrow, "ep=a&lt=60&lwm2m=1.1&xx"), Code::BAD_REQUEST);
}

#[test]
fn a_profile_id_is_told_to_be_unknown() {
    refused("ep=a&lt=60&lwm2m=1.2&pid=6:27354b9a", Code::CONFLICT);
    Harness::new().registered_as(0, "ep=a&lt=60&lwm2m=1.1&pid=6:27354b9a", LIST);
}

// proves: MODEL-04
#[test]
fn object_versions_follow_the_version_of_the_client() {
    let list = "</1/0>,</2>,</3/0>,</4/0>,</5/0>,</6/0>,</7/0>,</30000/0>";
    for (version, expected) in [
        ("1.0", ["1.0", "1.0", "1.0", "1.0", "1.0", "1.0", "1.0", "1.0"]),
        ("1.1", ["1.1", "1.0", "1.1", "1.2", "1.0", "1.0", "1.0", "1.0"]),
        ("1.2", ["1.2", "1.1", "1.2", "1.3", "1.1", "1.0", "1.0", "1.0"]),
    ] {
        let mut harness = Harness::new();
        harness.registered_as(0, &format!("ep=a&lt=60&lwm2m={version}"), list);
        let it = harness.server.registration("a").unwrap();
        let versions: Vec<_> =
            it.list.objects.keys().map(|id| it.object_version(*id).to_string()).collect();
        assert_eq!(versions, expected);
    }
    let mut harness = Harness::new();
    harness.registered_as(0, "ep=a&lt=60&lwm2m=1.1", "</3>;ver=1.2,</3/0>");
    let it = harness.server.registration("a").unwrap();
    assert_eq!(it.object_version(3), ObjectVersion::new(1, 2));
}

// proves: BLK-12
#[test]
fn an_object_list_may_come_in_blocks() {
    let mut harness = Harness::new();
    let list: Vec<_> = (0..200).map(|id| format!("</3303/{id}>")).collect();
    let list = list.join(",");
    assert!(list.len() > 2_048);
    let blocks: Vec<_> = list.as_bytes().chunks(256).collect();
    for (number, block) in blocks.iter().enumerate() {
        let more = number + 1 < blocks.len();
        let mut request = register("ep=a&lt=60&lwm2m=1.1", "").payload(block.to_vec());
        // Block1 with 256 bytes: SZX 4.
        let value = (number as u64) << 4 | u64::from(more) << 3 | 4;
        request.options.set_uint(OptionNumber::BLOCK1, value);
        let expected = if more { Code::CONTINUE } else { Code::CREATED };
        assert_eq!(harness.ask(device(0), request).code, expected);
    }
    let it = harness.server.registration("a").unwrap();
    assert_eq!(it.list.objects[&3303].instances.len(), 200);
}

// proves: COAP-24
#[test]
fn what_is_ordered_at_the_register_follows_its_answer() {
    let mut harness = Harness::new();
    let mut datagram = Vec::new();
    let request = register("ep=a&lt=60&lwm2m=1.1", LIST);
    let token = Token::new(b"t").unwrap();
    MessageBuilder::new(&mut datagram, MessageType::Confirmable, Code::POST, 1, token)
        .options(&request.options)
        .payload(&request.payload);
    harness.server.handle(harness.now, Input::datagram(device(0), &datagram));
    // Nothing has left the server yet.
    let read = Operation::Read { path: Path::object(3), format: None };
    harness.server.submit(harness.now, "a", read).unwrap();
    harness.drain();
    let codes: Vec<_> = harness.sent.iter().map(|message| message.code).collect();
    assert_eq!(codes, [Code::CREATED, Code::GET]);
}

#[test]
fn a_full_server_takes_known_devices_alone() {
    let config = Config::default().max_registrations(2);
    let mut harness = Harness::with(config);
    harness.registered(0, "a");
    let location = harness.registered(1, "b");
    let third = harness.ask(device(2), register("ep=c&lt=60&lwm2m=1.1", LIST));
    assert_eq!(third.code, Code::SERVICE_UNAVAILABLE);
    // A stranger is not told more than the code; the default of Max-Age is a minute.
    assert_eq!(third.options.max_age(), None);
    harness.registered(0, "a");
    assert_eq!(harness.ask(device(1), at(Request::delete(), &location)).code, Code::DELETED);
    harness.registered(2, "c");
}

#[test]
fn other_resources_and_methods() {
    let mut harness = Harness::new();
    let location = harness.registered(0, "a");
    let ask = |harness: &mut Harness, request: Request, path: &str| {
        harness.ask(device(0), at(request, path)).code
    };
    for path in ["/", "/bs", "/rd/none", "/rd/abcdefghijklmnop", "/rd/a/b", "/3/0", "/x"] {
        assert_eq!(ask(&mut harness, Request::post(), path), Code::NOT_FOUND, "{path}");
    }
    let deeper = format!("{location}/x");
    assert_eq!(ask(&mut harness, Request::post(), &deeper), Code::NOT_FOUND);
    for request in [Request::get(), Request::put(), Request::delete(), Request::fetch()] {
        assert_eq!(ask(&mut harness, request, "/rd"), Code::METHOD_NOT_ALLOWED);
    }
    for request in [Request::get(), Request::put(), Request::ipatch()] {
        assert_eq!(ask(&mut harness, request, &location), Code::METHOD_NOT_ALLOWED);
    }
}

#[test]
fn a_register_that_comes_twice_is_answered_twice_and_done_once() {
    let mut harness = Harness::new();
    let request = register("ep=a&lt=60&lwm2m=1.1", LIST);
    let token = Token::new(b"t").unwrap();
    let (kind, options) = (MessageType::Confirmable, Options::clone(&request.options));
    for _ in 0..2 {
        harness.message(device(0), kind, Code::POST, 1, token, &options, &request.payload);
    }
    assert_eq!((harness.sent.len(), harness.events.len()), (2, 1));
    assert_eq!(harness.sent[0], harness.sent[1]);
}

/// Registers a device from a host of its own.
fn from_its_host(harness: &mut Harness, number: u16) -> Message {
    let [high, low] = number.to_be_bytes();
    let query = format!("ep=dev-{number}&lt=60&lwm2m=1.1&b=U");
    harness.ask(([10, 0, high, low], 5683).into(), register(&query, LIST))
}

#[test]
fn a_crowd_is_told_to_come_back() {
    let mut harness = Harness::with(Config::default().max_registers_per_second(10));
    let answers: Vec<_> = (0..60).map(|number| from_its_host(&mut harness, number)).collect();
    let of = |code: Code| answers.iter().filter(|answer| answer.code == code).count();
    assert_eq!((of(Code::CREATED), of(Code::SERVICE_UNAVAILABLE)), (10, 50));
    // Their addresses may be forged, and then they are told no more than the code.
    assert!(answers.iter().all(|answer| answer.options.max_age().is_none()));
    assert!(answers.iter().all(|answer| answer.payload.is_empty()));
    harness.pass(Duration::from_secs(1));
    assert_eq!(from_its_host(&mut harness, 59).code, Code::CREATED);
}

#[test]
fn a_plain_device_that_registers_again_and_again_is_a_crowd() {
    let mut harness = Harness::with(Config::default().max_registers_per_second(100));
    let same = (0..200).filter(|_| from_its_host(&mut harness, 1).code == Code::CREATED);
    assert_eq!(same.count(), 50);
    assert_eq!(from_its_host(&mut harness, 2).code, Code::CREATED, "others find room");
    harness.pass(Duration::from_secs(1));
    assert_eq!(from_its_host(&mut harness, 1).code, Code::CREATED);
}

#[test]
fn a_host_with_a_crowd_leaves_room_for_others() {
    let mut harness = Harness::with(Config::default().max_registers_per_second(100));
    let of_one_host = (0..200).filter(|number| {
        let query = format!("ep=flood-{number}&lt=60&lwm2m=1.1&b=U");
        harness.ask(device(*number), register(&query, LIST)).code == Code::CREATED
    });
    assert_eq!(of_one_host.count(), 50);
    assert_eq!(from_its_host(&mut harness, 1).code, Code::CREATED);
}
