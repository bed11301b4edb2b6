//! Each counter counts what its documentation says, and nothing else.

use crate::pair::{Ack, Con, Lone, Non, PEER, Rst, message};
use crate::stream::{LoneStream, csm, frame};
use core::time::Duration;
use lwm2m_coap::{Code, Request, Statistics};

/// What a table of counters has: one line an event.
type Case<L> = (&'static str, fn(&mut L), fn(&mut Statistics));

/// Runs each case three times: a counter that is set instead of counted would stay at one.
fn check<L>(new: fn() -> L, statistics: fn(&L) -> Statistics, cases: &[Case<L>]) {
    for (name, happens, counted) in cases {
        let mut lone = new();
        let mut expected = statistics(&lone);
        for _ in 0..3 {
            happens(&mut lone);
            counted(&mut expected);
        }
        assert_eq!(statistics(&lone), expected, "{name}");
    }
}

/// A request that waits for its answer; returns the message ID.
fn asking(lone: &mut Lone) -> u16 {
    lone.ask(Request::get().path(["a"])).1.id
}

#[test]
fn of_datagrams() {
    let cases: [Case<Lone>; 5] = [
        (
            "a ping",
            |it| _ = it.receive(&message(Con, Code::EMPTY, 1, b"")),
            |it| {
                it.received += 1;
                it.sent += 1;
                it.resets_sent += 1;
            },
        ),
        (
            "an acknowledgement of nothing",
            |it| _ = it.receive(&message(Ack, Code::EMPTY, 9, b"")),
            |it| {
                it.received += 1;
                it.unexpected += 1;
            },
        ),
        (
            "a Reset of nothing",
            |it| _ = it.receive(&message(Rst, Code::EMPTY, 9, b"")),
            |it| {
                it.received += 1;
                it.resets_received += 1;
                it.unexpected += 1;
            },
        ),
        (
            "a response that nobody waits for",
            |it| {
                it.receive(&message(Non, Code::CONTENT, it.now.as_micros() as u16, b"other"));
                it.now = it.now + Duration::from_secs(1);
            },
            |it| {
                it.received += 1;
                it.unexpected += 1;
            },
        ),
        (
            "no message at all",
            |it| assert!(it.receive_bytes(&[0; 3]).is_empty()),
            |it| {
                it.received += 1;
                it.malformed += 1;
            },
        ),
    ];
    check(Lone::new, |it| *it.endpoint.statistics(), &cases);
}

#[test]
fn of_requests() {
    let cases: [Case<Lone>; 3] = [
        (
            "a response in the acknowledgement of another token",
            |it| {
                let (asked, request) = it.ask(Request::get().path(["a"]));
                it.receive(&message(Ack, Code::CONTENT, request.id, b"other"));
                it.endpoint.cancel(asked);
            },
            |it| {
                it.sent += 1;
                it.received += 1;
                it.unexpected += 1;
            },
        ),
        (
            "a Reset of a request",
            |it| {
                let id = asking(it);
                it.receive(&message(Rst, Code::EMPTY, id, b""));
            },
            |it| {
                it.sent += 1;
                it.received += 1;
                it.resets_received += 1;
            },
        ),
        (
            "a request that nobody acknowledges",
            |it| {
                asking(it);
                it.pass(Duration::from_secs(100));
            },
            |it| {
                it.sent += 5;
                it.retransmitted += 4;
                it.timeouts += 1;
            },
        ),
    ];
    check(Lone::new, |it| *it.endpoint.statistics(), &cases);
}

#[test]
fn of_connections() {
    let cases: [Case<LoneStream>; 3] = [
        (
            "a ping",
            |it| _ = it.receive(&[frame(Code::PING, b"p")]),
            |it| {
                it.received += 1;
                it.sent += 1;
            },
        ),
        (
            "a response that nobody waits for",
            |it| _ = it.receive(&[frame(Code::CONTENT, b"x")]),
            |it| {
                it.received += 1;
                it.unexpected += 1;
            },
        ),
        (
            "an empty message",
            |it| _ = it.receive(&[frame(Code::EMPTY, b"")]),
            |it| {
                it.received += 1;
            },
        ),
    ];
    check(|| LoneStream::open(1_152), |it| *it.endpoint.statistics(), &cases);
}

#[test]
fn bytes_of_no_connection_are_not_counted() {
    let mut lone = Lone::new();
    for _ in 0..3 {
        lone.endpoint.handle_stream(lone.now, PEER, &csm(1_152).bytes());
    }
    assert!(lone.sent().is_empty());
    assert_eq!(*lone.endpoint.statistics(), Statistics::default());
}
