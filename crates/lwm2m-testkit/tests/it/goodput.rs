//! What arrives over a network that loses datagrams, in virtual time: a table that is compared with
//! the one beside this file. `LWM2M_SNAPSHOTS=write` in the environment writes it anew.

use bytes::Bytes;
use lwm2m_coap::{Code, Config, Event, PeerId, Request, Response};
use lwm2m_link::{Link, LinkEvent};
use lwm2m_testkit::pair::RIGHT;
use lwm2m_testkit::{Conditions, Pair};
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

const BODY: usize = 100 << 10;
const PATIENCE: Duration = Duration::from_secs(100_000);

/// What became of one kind of exchange.
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
    let mut pair = Pair::new(link(1), link(2), conditions, seed);
    let peer = pair.left.connect(RIGHT).unwrap();
    for _ in 0..requests {
        let begin = pair.now;
        let outcome = ask(&mut pair, peer, request.clone(), body);
        tally.asked += 1;
        if let Some(bytes) = outcome {
            tally.answered += 1;
            tally.body_bytes += bytes;
        }
        tally.time += pair.now - begin;
    }
    tally.datagrams += pair.network.counts().0;
}

/// The bytes of the bodies that crossed, if the answer came.
fn ask(pair: &mut Pair<Link, Link>, peer: PeerId, request: Request, body: &Bytes) -> Option<u64> {
    let sent = request.payload.len();
    pair.left.coap().request(pair.now, peer, request).unwrap();
    loop {
        let told = |pair: &mut Pair<Link, Link>| {
            !pair.left_events.is_empty() || !pair.right_events.is_empty()
        };
        assert!(pair.run_until(PATIENCE, told), "a request never ended");
        for (_, event) in pair.right_events.drain(..) {
            if let LinkEvent::Coap(Event::Request { exchange, .. }) = event {
                let response = Response::new(Code::CONTENT).payload(body.clone());
                pair.right.coap().respond(pair.now, exchange, response).unwrap();
            }
        }
        for (_, event) in pair.left_events.drain(..) {
            match event {
                LinkEvent::Coap(Event::Response { response, .. }) => {
                    let answered = response.code == Code::CONTENT;
                    return answered.then_some((sent + response.payload.len()) as u64);
                }
                LinkEvent::Coap(Event::Failed { .. }) => return None,
                _ => {}
            }
        }
    }
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
