//! Whatever the server receives, it neither panics nor grows without a bound.

use crate::harness::{Harness, LIST, device, register, update};
use lwm2m_coap::{Code, MessageBuilder, MessageType, Token};
use lwm2m_link::{Engine, Input, Output};
use lwm2m_server::{Config, Event};
use proptest::prelude::*;
use std::time::Duration;

const ROOM: usize = 8;

fn small() -> Harness {
    Harness::with(Config::default().max_registrations(ROOM))
}

fn datagram(n: u16, query: &str, list: &str) -> Vec<u8> {
    let (mut datagram, request) = (Vec::new(), register(query, list));
    let token = Token::new(&n.to_be_bytes()).unwrap();
    MessageBuilder::new(&mut datagram, MessageType::Confirmable, Code::POST, n, token)
        .options(&request.options)
        .payload(&request.payload);
    datagram
}

proptest! {
    #[test]
    fn random_datagrams(all in proptest::collection::vec((0u16..4, any::<Vec<u8>>()), 0..40)) {
        let mut harness = small();
        for (from, bytes) in &all {
            harness.datagram(device(*from), bytes);
        }
        prop_assert_eq!(harness.server.registrations().count(), 0);
    }

    #[test]
    fn mutated_registers(
        all in proptest::collection::vec((0u16..20, any::<prop::sample::Index>(), any::<u8>()), 0..60)
    ) {
        let mut harness = small();
        for (number, (n, place, byte)) in all.iter().enumerate() {
            let query = format!("ep=dev{n}&lt=60&lwm2m=1.1&b=U&x=1");
            let mut bytes = datagram(u16::try_from(number).unwrap(), &query, LIST);
            let place = place.index(bytes.len());
            bytes[place] = *byte;
            harness.datagram(device(*n), &bytes);
            prop_assert!(harness.server.registrations().count() <= ROOM);
        }
    }

    #[test]
    fn any_query_and_list(query in ".{0,60}", list in "[</>0-9;=\",a-z. ]{0,80}") {
        let mut harness = small();
        harness.datagram(device(0), &datagram(1, &query, &list));
        harness.datagram(device(0), &datagram(2, &format!("ep=a&lt=60&lwm2m=1.1&{query}"), &list));
        prop_assert!(harness.server.registrations().count() <= 1);
        prop_assert_eq!(harness.sent.len(), 2, "each request has one answer");
    }
}

#[test]
fn a_truncated_register_is_never_a_registration_with_half_a_name() {
    let whole = datagram(1, "lt=60&lwm2m=1.1&ep=device", LIST);
    for length in 0..whole.len() {
        let mut harness = small();
        harness.datagram(device(0), &whole[..length]);
        assert!(harness.server.registrations().all(|it| &*it.endpoint == "device"));
    }
}

#[test]
fn a_long_object_list_is_refused() {
    let mut harness = Harness::with(Config::default().max_object_list(100));
    let list = ["</3303/0>"; 12].join(",");
    let answer = harness.ask(device(0), register("ep=a&lt=60&lwm2m=1.1", &list));
    assert_eq!(answer.code, Code::REQUEST_ENTITY_TOO_LARGE);
}

fn list_of(links: u16) -> String {
    (100..100 + links).map(|n| format!("</{n}>")).collect::<Vec<_>>().join(",")
}

#[test]
fn an_object_list_of_many_links_is_refused() {
    let mut harness = Harness::new();
    let query = "ep=a&lt=60&lwm2m=1.1";
    let answer = harness.ask(device(0), register(query, &list_of(1_001)));
    assert_eq!(answer.code, Code::REQUEST_ENTITY_TOO_LARGE);
    let location = harness.registered_as(0, query, &list_of(1_000));
    let longer = update(&location, "").content_format(40).payload(list_of(1_001));
    assert_eq!(harness.ask(device(0), longer).code, Code::REQUEST_ENTITY_TOO_LARGE);
}

#[test]
fn a_link_of_many_attributes_is_refused() {
    let link = |attributes: u8| {
        let names = (0..attributes).map(|n| char::from(b'a' + n)).map(|name| format!(";{name}"));
        format!("</1/0>,</3/0>{}", names.collect::<String>())
    };
    let mut harness = Harness::new();
    let query = "ep=a&lt=60&lwm2m=1.1";
    let answer = harness.ask(device(0), register(query, &link(17)));
    assert_eq!(answer.code, Code::REQUEST_ENTITY_TOO_LARGE);
    let location = harness.registered_as(0, query, &link(16));
    let longer = update(&location, "").content_format(40).payload(link(17));
    assert_eq!(harness.ask(device(0), longer).code, Code::REQUEST_ENTITY_TOO_LARGE);
}

/// A server that adopted a device knows its list, though it would not accept it.
#[test]
fn a_list_that_is_known_is_checked_like_a_new_one() {
    const LIST: &str = "</1/0>,</3/0>;a;b,</6/0>";
    for (config, format, code) in [
        (Config::default(), 40, Code::CREATED),
        (Config::default(), 0, Code::BAD_REQUEST),
        (Config::default().max_links(2), 40, Code::REQUEST_ENTITY_TOO_LARGE),
        (Config::default().max_link_attributes(1), 40, Code::REQUEST_ENTITY_TOO_LARGE),
        (Config::default().max_object_list(9), 40, Code::REQUEST_ENTITY_TOO_LARGE),
    ] {
        let mut fresh = Harness::with(config.clone());
        let mut knowing = Harness::with(config);
        let mut old = Harness::new();
        old.registered_as(0, "ep=a&lt=60&lwm2m=1.1", LIST);
        let released = old.server.release(old.now, "a").unwrap();
        knowing.server.adopt(knowing.now, released, None).unwrap();
        for harness in [&mut fresh, &mut knowing] {
            let mut register = register("ep=b&lt=60&lwm2m=1.1", LIST);
            register = register.content_format(format);
            assert_eq!(harness.ask(device(1), register).code, code);
        }
    }
}

#[test]
fn the_memory_of_all_registrations_is_bounded() {
    let harness = || Harness::with(Config::default().max_registration_bytes(100_000));
    for (query, list) in [
        ("", list_of(200)),
        ("", format!("</3>;x=\"{}\"", "y".repeat(700))),
        ("&u&v&w&x&y&z", LIST.to_owned()),
    ] {
        let mut harness = harness();
        let mut code = Code::CREATED;
        let mut count = 0;
        while code == Code::CREATED && count < 200 {
            let query = format!("ep=dev{count}&lt=0&lwm2m=1.1{query}");
            let answer = harness.ask(device(count), register(&query, &list));
            (code, count) = (answer.code, count + 1);
        }
        assert_eq!(code, Code::SERVICE_UNAVAILABLE, "{query} {list}");
        assert!(count > 1, "the first one fits");
    }
}

#[test]
fn a_full_server_goes_on_with_those_that_do_not_grow() {
    let mut harness = Harness::with(Config::default().max_registration_bytes(8_000));
    let query = "ep=a&lt=60&lwm2m=1.1";
    let list = list_of(20);
    let location = harness.registered_as(0, query, &list);
    let with = |list: &str| update(&location, "").content_format(40).payload(list.to_owned());
    let grown = harness.ask(device(0), with(&list_of(200)));
    assert_eq!(grown.code, Code::SERVICE_UNAVAILABLE);
    assert_eq!(grown.options.max_age(), Some(60));
    assert_eq!(harness.server.registration("a").unwrap().list.links().len(), 20);
    let code = |harness: &mut Harness, request| harness.ask(device(0), request).code;
    assert_eq!(code(&mut harness, update(&location, "lt=30")), Code::CHANGED);
    assert_eq!(code(&mut harness, with(&list)), Code::CHANGED);
    assert_eq!(code(&mut harness, with(&list_of(2))), Code::CHANGED);
    assert_eq!(code(&mut harness, with(&list)), Code::CHANGED, "what was freed can be used again");
    let sms = format!("sms={}", "1".repeat(200));
    for _ in 0..40 {
        assert_eq!(code(&mut harness, update(&location, &sms)), Code::CHANGED, "counted once");
    }
    let replacing = harness.ask(device(0), register(query, &list_of(200)));
    assert_eq!(replacing.code, Code::SERVICE_UNAVAILABLE);
    assert_eq!(
        code(&mut harness, update(&location, "")),
        Code::CHANGED,
        "the old one is still there"
    );
    assert_eq!(code(&mut harness, register(query, &list)), Code::CREATED);
}

/// The most that anything at one address can register without security.
fn registered_by(harness: &mut Harness, host: [u8; 4], name: &str, count: u16) -> usize {
    let before = harness.server.registrations().count();
    for number in 0..count {
        let query = format!("ep={name}{number}&lt=0&lwm2m=1.1");
        harness.datagram((host, number).into(), &datagram(number, &query, "</3/0>"));
    }
    harness.server.registrations().count() - before
}

// proves: REG-29
#[test]
fn plain_registrations_leave_room_and_end() {
    let config = || Config::default().max_registrations(100);
    let secured = config().dtls(Some(lwm2m_dtls::Config::default()));
    // A quarter of the places is for devices with security.
    for (config, places) in [(config(), 100), (secured, 75)] {
        let mut harness = Harness::with(config);
        let first = registered_by(&mut harness, [192, 0, 2, 1], "a", 500);
        assert!(first <= places / 2 + 1, "{first} by one host");
        let second = registered_by(&mut harness, [198, 51, 100, 2], "b", 500);
        assert!(second >= places / 5, "others find room: {second}");
        for host in 3..100 {
            registered_by(&mut harness, [192, 0, 2, host], &format!("{host}-"), 3);
        }
        assert!(harness.server.registrations().count() <= places);
        let overloaded = |it: &Event| matches!(it, Event::Overloaded(_));
        let told: Vec<_> = harness.events.iter().filter(|it| overloaded(it)).collect();
        let [Event::Overloaded(overload)] = told[..] else { panic!("{told:?}") };
        assert_eq!(overload.to_string(), "bounds were reached: 1 registrations refused");
        // Not for ever, whatever they asked for.
        let registration = harness.server.registrations().next().unwrap();
        assert_eq!(registration.lifetime, Duration::from_secs(30 * 86_400));
        harness.pass(Duration::from_secs(30 * 86_400 + 1));
        assert_eq!(harness.server.registrations().count(), 0);
        assert!(registered_by(&mut harness, [192, 0, 2, 1], "a", 1) == 1);
    }
}

// proves: REG-29
#[test]
fn plain_registrations_of_a_network_leave_room_for_others() {
    let mut harness = Harness::with(Config::default().max_registrations(300));
    let host = |host| [192, 0, 2, host];
    let all: usize =
        (1..200).map(|it| registered_by(&mut harness, host(it), &format!("{it}-"), 300)).sum();
    assert!((190..=201).contains(&all), "{all} by one network");
    let foreign = registered_by(&mut harness, [192, 0, 3, 1], "foreign-", 300);
    assert!(foreign >= 45, "others find room: {foreign}");
}

// proves: REG-29
#[test]
fn the_memory_of_plain_registrations_of_a_host_leaves_room_for_others() {
    const MOST: usize = 1_000_000;
    let config = || Config::default().max_registration_bytes(MOST);
    let secured = config().dtls(Some(lwm2m_dtls::Config::default()));
    let list =
        |host: u8, number: u16| format!("</3/0>,</1{host}/{number}>;x=\"{}\"", "y".repeat(4_000));
    let register_all = |harness: &mut Harness, host: u8, count: u16| {
        let registers = |number: &u16| {
            let query = format!("ep={host}-{number}&lt=0&lwm2m=1.1");
            let request = register(&query, &list(host, *number));
            harness.ask(([192, 0, host, 1], *number).into(), request).code == Code::CREATED
        };
        (1..=count).filter(registers).count()
    };
    // A quarter is for devices with security.
    for (config, most) in [(config(), MOST), (secured, 3 * MOST / 4)] {
        let mut harness = Harness::with(config);
        let first = register_all(&mut harness, 1, 400);
        // Each takes some 5,100 bytes.
        let half = most / 2 / 5_500..most / 2 / 4_800;
        assert!(half.contains(&first), "{first} of {half:?}");
        assert!(register_all(&mut harness, 2, 400) >= first / 3, "others find room");
        // What they free is theirs again.
        harness.pass(Duration::from_secs(30 * 86_400 + 1));
        assert_eq!(register_all(&mut harness, 1, 400), first);
    }
}

// proves: REG-29
#[test]
fn updates_of_a_host_take_no_more_memory_than_its_registers() {
    let mut harness = Harness::with(Config::default().max_registration_bytes(100_000));
    let list = |number: u16, length| format!("</3/0>,</9/{number}>;x=\"{}\"", "y".repeat(length));
    let places: Vec<_> = (0..30)
        .map(|number| {
            let query = format!("ep=dev-{number}&lt=0&lwm2m=1.1");
            harness.registered_as(number, &query, &list(number, 1))
        })
        .collect();
    let mut grows = |length| {
        let updates = (0..30).zip(&places).filter(|(number, place)| {
            let request = update(place, "").content_format(40).payload(list(*number, length));
            harness.ask(device(*number), request).code == Code::CHANGED
        });
        updates.count()
    };
    let grown = grows(4_000);
    assert!((3..8).contains(&grown), "{grown} of 30, half of the memory");
    assert_eq!(grows(1), 30, "what becomes smaller fits");
    assert_eq!(grows(4_000), grown, "and what was freed can be used again");
    let names = (0..400).filter(|length| {
        let request = update(&places[0], &format!("sms={}", "1".repeat(*length)));
        harness.ask(device(0), request).code == Code::CHANGED
    });
    assert!(names.count() < 400, "a phone number is memory as well");
}

/// Requests that anyone can send in the name of any address.
fn requests() -> Vec<(&'static str, Vec<u8>)> {
    let built = |kind, code, request: lwm2m_coap::Request| {
        let mut bytes = Vec::new();
        MessageBuilder::new(&mut bytes, kind, code, 7, Token::EMPTY)
            .options(&request.options)
            .payload(&request.payload);
        bytes
    };
    let con = MessageType::Confirmable;
    let get = lwm2m_coap::Request::get;
    let post = lwm2m_coap::Request::post;
    let mut critical = get();
    critical.options.push_uint(lwm2m_coap::OptionNumber(65_001), 1);
    let mut proxied = get();
    proxied.options.push(lwm2m_coap::OptionNumber::PROXY_SCHEME, b"c");
    let mut block = post().path(["rd"]).payload(vec![b'x'; 16]);
    block.options.push_uint(lwm2m_coap::OptionNumber::BLOCK1, 8);
    let mut late = block.clone();
    late.options.set_uint(lwm2m_coap::OptionNumber::BLOCK1, 9 << 4 | 8);
    vec![
        ("ping", vec![0x40, 0, 0, 7]),
        ("GET", vec![0x40, 1, 0, 7]),
        ("GET with a token", vec![0x44, 1, 0, 7, 1, 2, 3, 4]),
        ("non-confirmable GET", vec![0x50, 1, 0, 7]),
        ("malformed", vec![0x40, 1, 0, 7, 0xFF]),
        ("reserved token length", vec![0x4F, 1, 0, 7]),
        ("reserved code", vec![0x40, 0x20, 0, 7]),
        ("unexpected notification", vec![0x40, 0x45, 0, 7, 0x60]),
        ("unknown option", built(con, Code::GET, critical)),
        ("proxy", built(con, Code::GET, proxied)),
        ("discovery", built(con, Code::GET, get().path([".well-known", "core"]))),
        ("method", built(con, Code::GET, get().path(["rd"]))),
        ("empty register", built(con, Code::POST, post().path(["rd"]))),
        ("register", datagram(7, "ep=a&lt=1&lwm2m=1.1", "</3>")),
        ("update", built(con, Code::POST, post().path(["rd", "abcdefghijklmnop"]))),
        ("send", built(con, Code::POST, post().path(["dp"]))),
        ("bootstrap", built(con, Code::POST, post().path(["bs"]).query("ep=a"))),
        ("block", built(con, Code::POST, block)),
        ("late block", built(con, Code::POST, late)),
    ]
}

// proves: COAP-25
#[test]
fn forged_addresses_get_no_more_bytes_than_were_sent() {
    for (what, bytes) in requests() {
        let mut harness = Harness::new();
        for copy in 0..5 {
            harness.server.handle(harness.now, Input::datagram(device(0), &bytes));
            let mut sent = 0;
            while let Some(output) = harness.server.poll() {
                if let Output::Transmit(transmit) = output {
                    sent += transmit.payload.len();
                }
            }
            assert!(sent <= bytes.len(), "{what}, copy {copy}: {} in, {sent} out", bytes.len());
        }
        harness.pass(Duration::from_secs(600));
        let later: usize = harness.sent.len();
        assert_eq!(later, 0, "{what}");
    }
}

#[test]
fn requests_that_are_refused_leave_no_peer() {
    let mut harness = Harness::new();
    for number in 0..1_000 {
        for (_, bytes) in
            requests().into_iter().filter(|(what, _)| !["register", "block"].contains(what))
        {
            harness.datagram(device(number), &bytes);
        }
    }
    assert_eq!(harness.server.peer_count(), 0);
}
