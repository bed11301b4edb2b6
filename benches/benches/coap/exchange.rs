//! A request and its response between two endpoints: all of the protocol, no sockets.

use criterion::Criterion;
use lwm2m_coap::{
    Code, Config, Endpoint, Event, MessageBuilder, MessageType, OptionNumber, PeerId, Request,
    Response, Token,
};
use lwm2m_time::Instant;
use std::time::Duration;

/// Each end takes the other for that many peers in turn.
const PEERS: u64 = 1000;
/// Between two requests; the endpoints remember the messages of the last minutes.
const STEP: Duration = Duration::from_millis(5);

pub(crate) fn measure(criterion: &mut Criterion) {
    let mut client = Endpoint::new(Config::default(), [1; 32]);
    let mut server = Endpoint::new(Config::default(), [2; 32]);
    let (mut now, mut turn) = (Instant::ZERO, 0);
    criterion.bench_function("coap/exchange/both ends", |bencher| {
        bencher.iter(|| {
            now = now + STEP;
            turn += 1;
            exchange(&mut client, &mut server, now, PeerId(turn % PEERS))
        });
    });
}

/// The server's half alone, with few and with many peers: what a datagram costs must hardly depend
/// on how many there are, although the last messages of each are remembered.
pub(crate) fn measure_serving(criterion: &mut Criterion) {
    for peers in [1_000, 1_000_000] {
        let mut server = Endpoint::new(Config::default(), [2; 32]);
        let (mut now, mut turn) = (Instant::ZERO, 0_u64);
        // Each peer asks once in 300 s, so that one message of it is remembered most of the time.
        let step = Duration::from_secs(300) / u32::try_from(peers).unwrap_or(u32::MAX);
        let mut next = || {
            now = now + step;
            turn += 1;
            serve(&mut server, now, PeerId(turn % peers), (turn / peers) as u16);
        };
        let before = resident();
        (0..2 * peers).for_each(|_| next());
        let taken = resident().zip(before).map_or(0, |(now, before)| now.saturating_sub(before));
        // Few peers find room in what was freed before.
        if taken > peers {
            println!("coap/serve/{peers} peers: {} B of memory each", taken / peers);
        }
        criterion.bench_function(&format!("coap/serve/{peers} peers"), |bencher| {
            bencher.iter(&mut next);
        });
    }
}

/// The memory of this process in bytes, where `/proc` tells it in pages of 4 KiB.
fn resident() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(statm.split(' ').nth(1)?.parse::<u64>().ok()? << 12)
}

fn serve(server: &mut Endpoint, now: Instant, peer: PeerId, message_id: u16) {
    let mut datagram = Vec::with_capacity(32);
    let token = Token::from(peer.0.to_be_bytes());
    MessageBuilder::new(&mut datagram, MessageType::Confirmable, Code::GET, message_id, token)
        .option(OptionNumber::URI_PATH, b"3303")
        .option(OptionNumber::URI_PATH, b"0")
        .option(OptionNumber::URI_PATH, b"5700");
    server.handle_timeout(now);
    while server.poll_event().is_some() {}
    server.handle_datagram(now, peer, &datagram);
    let Some(Event::Request { exchange, .. }) = server.poll_event() else { panic!("no request") };
    let response = Response::new(Code::CONTENT).content_format(0).payload("21.5");
    server.respond(now, exchange, response).expect("it waits for the answer");
    server.poll_transmit().expect("the response");
}

fn exchange(client: &mut Endpoint, server: &mut Endpoint, now: Instant, peer: PeerId) -> Response {
    client.handle_timeout(now);
    server.handle_timeout(now);
    while server.poll_event().is_some() || client.poll_event().is_some() {}
    let request = Request::get().path(["3303", "0", "5700"]);
    client.request(now, peer, request).expect("nothing is pending");
    let datagram = client.poll_transmit().expect("the request");
    server.handle_datagram(now, peer, &datagram.payload);
    let Some(Event::Request { exchange, .. }) = server.poll_event() else {
        panic!("no request");
    };
    let response = Response::new(Code::CONTENT).content_format(0).payload("21.5");
    server.respond(now, exchange, response).expect("it waits for the answer");
    let datagram = server.poll_transmit().expect("the response");
    client.handle_datagram(now, peer, &datagram.payload);
    match client.poll_event() {
        Some(Event::Response { response, .. }) => response,
        other => panic!("no response but {other:?}"),
    }
}
