//! Memory and allocations of CoAP and the server, counted, so that results repeat exactly.

use allocation_counter::{AllocationInfo, measure};
use bytes::Bytes;
use lwm2m_coap::{
    Code, Config, Event, MessageBuilder, MessageType, Observer, OptionNumber, Options, Request,
    Response, Token,
};
use lwm2m_dtls::{ClientProfile, ClientSecurity, Credentials};
use lwm2m_link::{Engine, Input, Link, LinkEvent, Output, Transmit};
use lwm2m_server::Server;
use lwm2m_time::Instant;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

fn address(number: u32) -> SocketAddr {
    (Ipv4Addr::from_bits(0x0a00_0000 + number), 5683).into()
}

/// A confirmable GET of `/3/0/9`.
fn get(message_id: u16) -> Vec<u8> {
    let mut datagram = Vec::new();
    let mut options = Options::new();
    for segment in ["3", "0", "9"] {
        options.push(OptionNumber::URI_PATH, segment.as_bytes());
    }
    let token = Token::new(&message_id.to_be_bytes()).unwrap();
    MessageBuilder::new(&mut datagram, MessageType::Confirmable, Code::GET, message_id, token)
        .options(&options)
        .payload(b"");
    datagram
}

/// The next event of CoAP; drops what is to be sent before it.
fn event(link: &mut Link) -> Option<Event> {
    loop {
        if let Output::Event(LinkEvent::Coap(event)) = link.poll()? {
            return Some(event);
        }
    }
}

/// The next datagram to send; drops events before it.
fn transmit(link: &mut Link) -> Option<Transmit> {
    loop {
        if let Output::Transmit(transmit) = link.poll()? {
            return Some(transmit);
        }
    }
}

/// Takes a request in and answers it.
fn serve(link: &mut Link, now: Instant, from: SocketAddr, datagram: &[u8]) -> Bytes {
    link.handle(now, Input::datagram(from, datagram));
    let Some(Event::Request { exchange, .. }) = event(link) else { panic!("no request") };
    let response =
        Response::new(Code::CONTENT).content_format(0).payload(Bytes::from_static(b"87"));
    link.coap().respond(now, exchange, response).unwrap();
    let answer = transmit(link).expect("an answer").payload;
    assert!(link.poll().is_none());
    answer
}

/// Advances the time until all state has expired.
fn pass(link: &mut Link, now: &mut Instant, time: Duration) {
    let end = *now + time;
    while let Some(next) = link.poll_timeout().filter(|next| *next <= end) {
        *now = (*now).max(next);
        link.handle(*now, Input::Timeout);
        while link.poll().is_some() {}
    }
    *now = end;
}

fn print(what: &str, info: &AllocationInfo, number: u64) {
    let per = |total: u64| total as f64 / number as f64;
    println!(
        "{what}: {:.2} allocations, {:.0} B each",
        per(info.count_total),
        per(info.bytes_total)
    );
}

#[test]
fn request_that_is_answered_takes_two_allocations_at_most() {
    const REQUESTS: u16 = 1_000;
    let mut link = Link::new(Config::default(), [1; 32]);
    let mut now = Instant::from_millis(1);
    let datagrams: Vec<_> = (0..2 * REQUESTS).map(get).collect();
    let (warm, measured) = datagrams.split_at(usize::from(REQUESTS));
    let mut ask = |datagram: &Vec<u8>| {
        now = now + Duration::from_millis(500);
        link.handle(now, Input::Timeout);
        serve(&mut link, now, address(1), datagram);
    };
    warm.iter().for_each(&mut ask);
    let info = measure(|| measured.iter().for_each(&mut ask));
    print("serving", &info, REQUESTS.into());
    assert!(info.count_total <= 2 * u64::from(REQUESTS), "{info:?}");
}

/// What serving a number of requests takes, of which so many are by each of the peers.
fn served(recorder: usize, peers: u32, each: u32) -> (AllocationInfo, Link) {
    let mut link = Link::new(Config::default(), [1; 32]);
    link.set_recorder(recorder);
    let mut now = Instant::ZERO;
    for peer in 0..peers {
        let peer = link.connect(address(peer)).expect("room");
        link.hold(peer);
    }
    let info = measure(|| {
        for number in 0..each {
            for peer in 0..peers {
                let message_id = (number & 0xffff) as u16;
                serve(&mut link, now, address(peer), &get(message_id));
            }
            // CoAP forgets the messages, so that the recorder alone keeps something.
            pass(&mut link, &mut now, Duration::from_secs(300));
        }
    });
    (info, link)
}

#[test]
fn a_request_that_is_recorded_takes_two_allocations_more_and_the_memory_that_is_allowed() {
    const LIMIT: usize = 1 << 20;
    let (without, _) = served(0, 100, 100);
    let (with, link) = served(LIMIT, 100, 100);
    print("serving and recording", &with, 10_000);
    assert!(with.count_total <= without.count_total + 2 * 10_000, "{with:?} {without:?}");
    let taken = with.bytes_current - without.bytes_current;
    println!("recorder: {taken} B for {LIMIT} B");
    let recorder = link.recorder().expect("it records");
    assert!(recorder.memory() > LIMIT / 2, "it is full");
    // A quarter is kept free for handshakes; this fleet makes none.
    assert!(taken <= (LIMIT * 3 / 4) as i64, "{taken}");
}

#[test]
fn request_that_is_sent_takes_two_allocations_at_most() {
    const REQUESTS: u64 = 1_000;
    let mut client = Link::new(Config::default(), [1; 32]);
    let mut server = Link::new(Config::default(), [2; 32]);
    let mut now = Instant::from_millis(1);
    let peer = client.connect(address(2)).unwrap();
    let mut counted = 0;
    for number in 0..2 * REQUESTS {
        now = now + Duration::from_millis(500);
        let mut sent = None;
        let sending = measure(|| {
            client.handle(now, Input::Timeout);
            let request = Request::get().path(["3", "0", "9"]);
            client.coap().request(now, peer, request).unwrap();
            sent = transmit(&mut client);
        });
        let answer = serve(&mut server, now, address(1), &sent.unwrap().payload);
        let hearing = measure(|| {
            client.handle(now, Input::datagram(address(2), &answer));
            let event = event(&mut client);
            assert!(matches!(event, Some(Event::Response { .. })), "{event:?}");
        });
        if number >= REQUESTS {
            counted += sending.count_total + hearing.count_total;
        }
    }
    println!("asking: {:.2} allocations each", counted as f64 / REQUESTS as f64);
    assert!(counted <= 2 * REQUESTS, "{counted}");
}

#[test]
fn idle_peer_takes_two_hundred_bytes_at_most() {
    const PEERS: u32 = 100_000;
    let config = Config::default().max_peers(1 << 20);
    let mut link = None;
    let mut now = Instant::from_millis(1);
    let info = measure(|| {
        let mut new = Link::new(config, [1; 32]);
        for number in 0..PEERS {
            let peer = new.connect(address(number)).unwrap();
            new.hold(peer);
            serve(&mut new, now, address(number), &get(1));
        }
        pass(&mut new, &mut now, Duration::from_secs(600));
        link = Some(new);
    });
    let each = info.bytes_current / i64::from(PEERS);
    println!("{each} B an idle peer, {} B at most", info.bytes_max / u64::from(PEERS));
    assert_eq!(link.unwrap().peer_count(), PEERS as usize);
    assert!(each <= 200, "{each} B");
}

struct OneKey;

impl Credentials for OneKey {
    fn uses_psk(&self) -> bool {
        true
    }
    fn psk(&self, _: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        Some(Zeroizing::new(vec![7; 16]))
    }
}

/// A device opens a session, sends one request and goes silent; its peer is kept.
fn visit(link: &mut Link, now: Instant, number: u32, profile: &Arc<ClientProfile>) {
    let mut seed = [0; 32];
    seed[..4].copy_from_slice(&number.to_le_bytes());
    let mut device = lwm2m_dtls::Endpoint::new(lwm2m_dtls::Config::default(), seed);
    let (from, server) = (address(number), address(0));
    let session = device.connect(now, server, Arc::clone(profile)).unwrap();
    let mut asked = false;
    loop {
        while let Some(sent) = device.poll_transmit() {
            link.handle(now, Input::secured_datagram(from, &sent.payload));
        }
        while let Some(output) = link.poll() {
            match output {
                Output::Transmit(sent) => device.handle_datagram(now, server, &sent.payload),
                Output::Event(LinkEvent::Coap(Event::Request { exchange, peer, .. })) => {
                    link.coap().respond(now, exchange, Response::new(Code::CONTENT)).unwrap();
                    link.hold(peer);
                    while link.poll().is_some() {}
                    return;
                }
                _ => {}
            }
        }
        if !asked && device.send(now, session, &get(1)).is_ok() {
            asked = true;
        }
    }
}

#[test]
fn idle_session_takes_a_kibibyte_at_most() {
    const PEERS: u32 = 1_000;
    let mut link = Link::new(Config::default(), [0; 32]);
    let mut config = lwm2m_dtls::Config::default();
    config.credentials = Some(Arc::new(OneKey));
    config.session_cache = 0;
    link.set_security(config);
    let (identity, key) = ("urn:dev:os:0123456789".into(), Zeroizing::new(vec![7; 16]));
    let profile = Arc::new(ClientProfile::new(ClientSecurity::Psk { identity, key }));
    let mut now = Instant::ZERO;
    let info = measure(|| {
        for number in 1..=PEERS {
            visit(&mut link, now, number, &profile);
        }
        pass(&mut link, &mut now, Duration::from_secs(400));
    });
    assert_eq!(link.peer_count(), PEERS as usize);
    let each = info.bytes_current / i64::from(PEERS);
    println!("an idle session and its peer: {each} B");
    assert!(each <= 1_024, "{each} B");
}

/// The first block of a body that never ends, a request that the application never answers, and an
/// observation with an answer in blocks.
fn attack(link: &mut Link, now: Instant, from: SocketAddr, body: &[u8]) {
    const OBSERVE: (OptionNumber, &[u8]) = (OptionNumber::OBSERVE, b"");
    const FIRST_BLOCK: (OptionNumber, &[u8]) = (OptionNumber::BLOCK1, b"\x0e");
    let block = &body[..1_024];
    for (id, code, (option, value), payload) in [
        (1, Code::PUT, FIRST_BLOCK, block),
        (2, Code::POST, (OptionNumber::URI_PATH, &b"never"[..]), b""),
        (3, Code::GET, OBSERVE, b""),
    ] {
        let mut datagram = Vec::new();
        MessageBuilder::new(&mut datagram, MessageType::Confirmable, code, id, Token::EMPTY)
            .option(option, value)
            .payload(payload);
        link.handle(now, Input::datagram(from, &datagram));
        while let Some(event) = event(link) {
            if let (Event::Request { exchange, .. }, Code::GET) = (event, code) {
                let content = Response::new(Code::CONTENT).payload(body.to_vec()).observe();
                link.coap().respond(now, exchange, content).unwrap();
            }
        }
        while link.poll().is_some() {}
    }
}

#[test]
fn attack_of_many_peers_takes_the_memory_that_is_allowed() {
    const PEERS: u32 = 100_000;
    const MIB: usize = 1 << 20;
    let config = Config::default()
        .max_exchanges(10_000)
        .max_duplicates(150_000)
        .max_reply_bytes(8 * MIB)
        .max_observers(20_000)
        .max_assembly_total(4 * MIB)
        .max_cached_total(4 * MIB);
    let bodies = config.max_reply_bytes + config.max_assembly_total + config.max_cached_total;
    let body = vec![1; 2_000];
    let mut link = None;
    let info = measure(|| {
        let mut new = Link::new(config, [1; 32]);
        for number in 0..PEERS {
            let now = Instant::from_millis(1 + u64::from(number) / 100);
            attack(&mut new, now, address(number), &body);
        }
        link = Some(new);
    });
    let each = info.bytes_max.saturating_sub(bodies as u64) / u64::from(PEERS);
    println!("{} MiB at most: 16 MiB of bodies, and {each} B a peer", info.bytes_max >> 20);
    assert!(each <= 400, "{each} B");
    // Everything is freed at the end.
    let mut link = link.unwrap();
    let mut now = Instant::from_millis(2_000_000);
    (0..PEERS).for_each(|number| {
        let peer = link.connect(address(number)).unwrap();
        link.coap().remove_peer(peer);
    });
    pass(&mut link, &mut now, Duration::from_secs(600));
    while link.poll().is_some() {}
    assert_eq!((link.peer_count(), link.poll_timeout()), (0, None));
}

/// Observes by a FETCH with a body of 64 KiB, in blocks; the query makes it another target.
fn observe_at_length(link: &mut Link, now: Instant, number: u16) {
    for block in 0..64_u16 {
        let (id, token) = (number * 64 + block, Token::new(&number.to_be_bytes()).unwrap());
        let more = u16::from(block < 63) << 3;
        let mut datagram = Vec::new();
        MessageBuilder::new(&mut datagram, MessageType::Confirmable, Code::FETCH, id, token)
            .option(OptionNumber::OBSERVE, b"")
            .option(OptionNumber::URI_QUERY, &number.to_be_bytes().map(|byte| byte % 64 + b'0'))
            .option(OptionNumber::BLOCK1, &((block << 4) | more | 6).to_be_bytes())
            .payload(&[1; 1_024]);
        link.handle(now, Input::datagram(address(1), &datagram));
    }
    while let Some(event) = event(link) {
        if let Event::Request { exchange, .. } = event {
            link.coap().respond(now, exchange, Response::new(Code::CONTENT).observe()).unwrap();
        }
    }
    while link.poll().is_some() {}
}

#[test]
fn observation_does_not_keep_the_body_that_began_it() {
    const OBSERVATIONS: u16 = 32;
    let mut link = Link::new(Config::default(), [1; 32]);
    let info = measure(|| {
        (0..OBSERVATIONS).for_each(|number| observe_at_length(&mut link, Instant::ZERO, number));
    });
    print("observations by a long FETCH", &info, OBSERVATIONS.into());
    assert!(info.bytes_current < 2_048 * i64::from(OBSERVATIONS), "{} B", info.bytes_current);
    let observed = (0..OBSERVATIONS).all(|number| {
        let (peer, token) = (link.connect(address(1)).unwrap(), number.to_be_bytes());
        let observer = Observer { peer, token: Token::new(&token).unwrap() };
        let content = Response::new(Code::CONTENT);
        link.coap().notify(Instant::ZERO, observer, content, false).is_ok()
    });
    assert!(observed);
}

/// What an Update without parameters takes, of a device with this object list. The registration is
/// held elsewhere as well, as by a directory of the fleet.
fn bare_update(list: &str) -> AllocationInfo {
    let (mut server, from) = (Server::new(lwm2m_server::Config::default(), [7; 32]), address(1));
    let register = b"\x40\x02\0\x01\xb2rd\x11\x28\x34ep=a\x05lt=60\x09lwm2m=1.1\xff";
    server.handle(Instant::ZERO, Input::datagram(from, &[register, list.as_bytes()].concat()));
    while server.poll().is_some() {}
    let held = Arc::clone(server.registration("a").unwrap());
    let id = held.id.as_str().as_bytes();
    let head = [0x40, 2, 0, 2, 0xb2, b'r', b'd', 0x0d, u8::try_from(id.len()).unwrap() - 13];
    let update = [&head, id].concat();
    let info = measure(|| {
        server.handle(Instant::from_millis(9), Input::datagram(from, &update));
        while server.poll().is_some() {}
    });
    let updated = server.registration("a").unwrap();
    assert!(updated.updated_at > held.updated_at && Arc::ptr_eq(&updated.list, &held.list));
    info
}

#[test]
fn update_takes_as_much_for_a_thousand_links_as_for_one() {
    let many: Vec<_> = (0..1_000).map(|it| format!("</3303/{it}>;a;b;c;d;e;f;g;h")).collect();
    let (few, many) = (bare_update("</3303/0>"), bare_update(&many.join(",")));
    print("an Update without parameters", &many, 1);
    assert_eq!((few.count_total, few.bytes_total), (many.count_total, many.bytes_total));
}
