//! Goodput over a network that loses datagrams, in virtual time: a table that is compared with
//! `goodput.txt`. `LWM2M_SNAPSHOTS=write` in the environment updates it.

use bytes::Bytes;
use lwm2m_coap::{Code, Config, Event, Request, Response};
use lwm2m_link::{Link, LinkEvent};
use lwm2m_testkit::{CoapPeer, Conditions, Sim};
use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

const BODY: usize = 100 << 10;
const PATIENCE: Duration = Duration::from_secs(100_000);

/// The outcomes of one kind of exchange.
#[derive(Default)]
struct Tally {
    asked: u64,
    answered: u64,
    body_bytes: u64,
    time: Duration,
    datagrams: u64,
}

/// Sends requests one after the other from one end; the other answers each at once with `body`.
fn run(loss: u32, seed: u64, requests: u64, request: &Request, body: &Bytes, tally: &mut Tally) {
    let conditions = Conditions { loss, ..Conditions::GOOD };
    let link = |seed| Link::new(Config::default(), [seed; 32]);
    let mut sim = Sim::new(conditions, seed);
    let client = sim.add_engine(address(1), link(1));
    let server = sim.add_engine(address(2), answering(link(2), body.clone()));
    let peer = sim[client].connect(address(2)).unwrap();
    for _ in 0..requests {
        let begin = sim.now;
        sim.with(client, |it, now| it.coap().request(now, peer, request.clone())).unwrap();
        // That a server has not answered yet is an event, too.
        let ended = |sim: &mut Sim| {
            sim.events(client).iter().any(|(_, event)| matches!(event, LinkEvent::Coap(_)))
        };
        assert!(sim.run_until(PATIENCE, ended), "a request never ended");
        tally.asked += 1;
        for (_, event) in sim.take_events(client) {
            if let LinkEvent::Coap(Event::Response { response, .. }) = event
                && response.code == Code::CONTENT
            {
                tally.answered += 1;
                tally.body_bytes += (request.payload.len() + response.payload.len()) as u64;
            }
        }
        tally.time += sim.now - begin;
        sim.take_events(server);
    }
    tally.datagrams += sim.network.counts().0;
}

fn answering(link: Link, body: Bytes) -> CoapPeer {
    CoapPeer::new(link, move |_| Response::new(Code::CONTENT).payload(body.clone()))
}

fn address(host: u8) -> SocketAddr {
    ([192, 0, 2, host], 5683).into()
}

fn line(table: &mut String, what: &str, loss: u32, tally: &Tally) {
    let goodput = tally.body_bytes as f64 / tally.time.as_secs_f64();
    let datagrams = tally.datagrams as f64 / tally.asked as f64;
    let answered = 100.0 * tally.answered as f64 / tally.asked as f64;
    let seconds = tally.time.as_secs_f64() / tally.asked as f64;
    writeln!(
        table,
        "{what:<12} {loss:>5} {answered:>10.1} {seconds:>10.2} {datagrams:>10.1} {goodput:>12.0}"
    )
    .unwrap();
}

fn table() -> String {
    let mut table =
        String::from("exchange     loss%  answered%  seconds/1  datagrams/1      bytes/s\n");
    let body = Bytes::from(vec![b'x'; BODY]);
    let small = Bytes::from_static(&[b'y'; 64]);
    let get = Request::get().path(["large"]);
    let put = Request::put().path(["large"]).payload(body.clone());
    for (what, requests, request, answer) in [
        ("GET 64 B", 1_000, &get, &small),
        ("GET 100 KiB", 12, &get, &body),
        ("PUT 100 KiB", 12, &put, &Bytes::new()),
    ] {
        for loss in [0, 10, 20, 30, 40, 50] {
            let mut tally = Tally::default();
            (1..=4).for_each(|seed| run(loss, seed, requests / 4, request, answer, &mut tally));
            line(&mut table, what, loss, &tally);
        }
    }
    table
}

#[test]
fn goodput_by_loss_is_what_it_was() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/goodput.txt");
    let table = table();
    if std::env::var("LWM2M_SNAPSHOTS").is_ok_and(|value| value == "write") {
        std::fs::write(&path, &table).unwrap();
    }
    let before = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        before, table,
        "write it anew with LWM2M_SNAPSHOTS=write if that is meant:\n{table}"
    );
}
