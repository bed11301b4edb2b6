//! Peers on connections: RFC 8323.

use crate::pair::PEER;
use crate::stream::{Frame, LoneStream, StreamPair, csm, frame, frames};
use core::time::Duration;
use lwm2m_coap::{
    CloseReason, Code, Config, Error, Event, FailReason, Fault, FrameError, GoneReason, Observer,
    OptionNumber, PeerId, Request, RequestId, Response, Token,
};
use proptest::prelude::*;

const BLOCK1: u16 = 27;
const BLOCK2: u16 = 23;
const OBSERVE: u16 = 6;

fn content(body: impl Into<bytes::Bytes>) -> Response {
    Response::new(Code::CONTENT).payload(body)
}

fn get(token: &[u8]) -> Frame {
    frame(Code::GET, token).option(11, b"3")
}

/// A body whose bytes depend on their offset.
fn body(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 + at / 256) as u8).collect()
}

fn closed(reason: CloseReason) -> Event {
    Event::Closed { peer: PEER, reason }
}

/// Asserts that the peer gets an Abort, the application the reason, and no state is left.
fn assert_aborted(lone: &mut LoneStream, sent: &[Frame], reason: CloseReason) {
    let last = sent.last().expect("an Abort");
    assert_eq!(last.code, Code::ABORT, "{sent:?}");
    assert_eq!(last.payload, reason.to_string().as_bytes());
    assert_eq!(lone.events().last(), Some(&closed(reason)));
    assert!(lone.endpoint.is_idle(PEER));
    assert_eq!(lone.endpoint.poll_timeout(), None);
    assert_eq!(lone.receive(&[csm(1_152), get(b"x")]), []);
    assert_eq!(lone.events(), []);
}

// proves: TCP-02
#[test]
fn both_sides_begin_with_a_csm() {
    for first in [get(b"t"), frame(Code::CONTENT, b"t"), frame(Code::PING, b"t")] {
        let mut lone = LoneStream::fresh(Config::default());
        assert_eq!(lone.sent()[0].code, Code::CSM);
        let sent = lone.receive(&[first, csm(1_152)]);
        assert_aborted(&mut lone, &sent, CloseReason::NoCsm);
    }
    // A request may follow the own CSM before the peer's CSM arrives.
    let mut pair = StreamPair::new([Config::default(); 2]);
    pair.sides[0].request(pair.now, PEER, Request::get()).unwrap();
    let mut asked = 0;
    pair.run(&[1], |_, _, _, event| asked += usize::from(matches!(event, Event::Request { .. })));
    assert_eq!(asked, 1);
    let [to_server, to_client] = &pair.wire;
    assert_eq!(
        frames(to_server).iter().map(|sent| sent.code).collect::<Vec<_>>(),
        [Code::CSM, Code::GET]
    );
    assert_eq!(frames(to_client)[0].code, Code::CSM);
}

// proves: TCP-03
#[test]
fn no_message_is_longer_than_the_peer_accepts() {
    let mut lone = LoneStream::fresh(Config::default().max_message_size(4_000));
    let own = lone.sent();
    assert_eq!(own[0].options.get_uint(OptionNumber(2)), Some(4_000));
    assert_eq!(own[0].options.get(OptionNumber(4)), Some(&[][..]));

    // The default is 1,152 bytes.
    let (_, first) = lone.ask(Request::put().payload(body(2_000)));
    assert_eq!(first.block_value(OptionNumber::BLOCK1), Some((0, true, 6)));
    assert!(first.length <= 1_152);

    lone.receive(&[csm(512), get(b"t").option(17, b"")]);
    let (exchange, _) = lone.asked();
    let mut sent = lone.respond(exchange, content(body(2_048)));
    let mut received = Vec::new();
    loop {
        assert!(sent.len() == 1 && sent[0].length <= 512, "{sent:?}");
        let (number, more, szx) = sent[0].block_value(OptionNumber::BLOCK2).unwrap();
        received.extend_from_slice(&sent[0].payload);
        if !more {
            break;
        }
        let next = (number + 1) << 4 | szx;
        sent = lone.receive(&[get(b"t").option(17, b"").uint(BLOCK2, next)]);
    }
    assert_eq!(received, body(2_048));
    let (_, request) = lone.ask(Request::put().payload(body(600)));
    assert!(request.length <= 512 && request.block_value(OptionNumber::BLOCK1).is_some());

    // A later CSM updates what it mentions.
    lone.receive(&[frame(Code::CSM, b"").uint(2, 100_000)]);
    let (_, request) = lone.ask(Request::put().payload(body(50_000)));
    assert_eq!((request.payload, request.options.is_empty()), (body(50_000), true));
}

#[test]
fn every_max_message_size_is_respected() {
    for limit in (96..1_400).step_by(7).chain(1_015..1_060) {
        let mut lone = LoneStream::open(limit);
        let (_, request) = lone.ask(Request::put().payload(body(1_000)));
        lone.receive(&[get(b"8 bytes!")]);
        let (exchange, _) = lone.asked();
        let response = lone.respond(exchange, content(body(1_000)).content_format(60));
        for sent in [&request, &response[0]] {
            assert!(sent.length as u64 <= limit, "{limit}: {sent:?}");
        }
        // The message is as full as possible: it has the whole body, or the largest block.
        assert!(request.payload.len() == 1_000 || request.length as u64 * 2 + 128 > limit);
    }
}

#[test]
fn a_request_that_no_longer_fits_fails() {
    let mut lone = LoneStream::open(1_152);
    let (id, request) = lone.ask(Request::put().payload(body(2_000)));
    let request = frame(Code::CONTINUE, request.token.as_bytes()).uint(BLOCK1, 8 | 6);
    assert_eq!(lone.receive(&[csm(200), request]), []);
    let reason = FailReason::TooLong;
    assert_eq!(lone.events(), [Event::Failed { id, peer: PEER, reason }]);
    lone.receive(&[csm(10)]);
    let long = Request::get().query("longer-than-that");
    assert_eq!(lone.endpoint.request(lone.now, PEER, long), Err(Error::OptionsTooLong));
    let abort = lone.receive(&[frame(Code::CSM, b"").option(9, b"")]);
    assert_eq!((abort[0].code, abort[0].length), (Code::ABORT, 4));
}

// proves: TCP-04
#[test]
fn a_ping_is_answered_at_once() {
    let mut lone = LoneStream::open(1_152);
    lone.ask(Request::get());
    lone.receive(&[get(b"t")]);
    let pong = lone.receive(&[frame(Code::PING, &[0xAB]).option(2, b"")]);
    assert_eq!((pong.len(), pong[0].code), (1, Code::PONG));
    assert_eq!(pong[0].token.as_bytes(), [0xAB]);
    lone.asked();

    lone.endpoint.ping(PEER);
    assert_eq!(lone.sent()[0].code, Code::PING);
    lone.receive(&[frame(Code::PONG, b"")]);
    assert_eq!(lone.events(), [Event::Pong { peer: PEER }]);
}

// proves: TCP-05
#[test]
fn release_lets_pending_requests_finish() {
    let mut lone = LoneStream::open(1_152);
    let (id, asked) = lone.ask(Request::get());
    lone.receive(&[get(b"t").uint(OBSERVE, 0), frame(Code::RELEASE, b"")]);
    let (exchange, _) = lone.asked();
    let refused = lone.endpoint.request(lone.now, PEER, Request::get());
    assert_eq!(refused, Err(Error::Released(PEER)));
    let response = lone.respond(exchange, content(b"slow".to_vec()).observe());
    assert_eq!((response.len(), &response[0].payload[..]), (1, &b"slow"[..]));
    // An observation would end with the connection.
    assert_eq!(response[0].options.observe(), None);
    assert_eq!(lone.events(), []);
    lone.receive(&[frame(Code::CONTENT, asked.token.as_bytes())]);
    let events = lone.events();
    assert!(matches!(events[0], Event::Response { id: answered, .. } if answered == id));
    assert_eq!(events[1..], [closed(CloseReason::Released)]);
    assert!(lone.endpoint.is_idle(PEER));
}

// proves: TCP-05
#[test]
fn abort_ends_all_at_once() {
    let mut lone = LoneStream::open(1_152);
    let (id, _) = lone.ask(Request::get());
    let observer = observed(&mut lone);
    lone.receive(&[get(b"t")]);
    let (exchange, _) = lone.asked();
    // An Abort is never answered.
    assert_eq!(lone.receive(&[frame(Code::ABORT, b"").option(9, b"")]), []);
    let (reason, gone) = (FailReason::Closed, GoneReason::Closed);
    assert_eq!(
        lone.events(),
        [
            Event::ObserverGone { observer, reason: gone },
            Event::Failed { id, peer: PEER, reason },
            closed(CloseReason::Aborted)
        ]
    );
    let late = lone.endpoint.respond(lone.now, exchange, content(b"".to_vec()));
    assert_eq!(late, Err(Error::UnknownExchange(exchange)));
    assert_eq!((lone.sent(), lone.endpoint.poll_timeout()), (vec![], None));
}

/// The peer registers an observation.
fn observed(lone: &mut LoneStream) -> Observer {
    lone.receive(&[get(b"obs").uint(OBSERVE, 0)]);
    let (exchange, _) = lone.asked();
    let sent = lone.respond(exchange, content(b"0".to_vec()).observe());
    assert!(sent[0].options.observe().is_some());
    Observer { peer: PEER, token: Token::new(b"obs").unwrap() }
}

#[test]
fn release_ends_observations_and_an_idle_connection() {
    let mut lone = LoneStream::open(1_152);
    let observer = observed(&mut lone);
    assert_eq!(lone.receive(&[frame(Code::RELEASE, b"")]), []);
    let reason = GoneReason::Closed;
    assert_eq!(
        lone.events(),
        [Event::ObserverGone { observer, reason }, closed(CloseReason::Released)]
    );
    // Bytes after the Release that ends the connection are ignored.
    let mut lone = LoneStream::open(1_152);
    assert_eq!(lone.receive(&[frame(Code::RELEASE, b""), get(b"t")]), []);
    assert_eq!(lone.events(), [closed(CloseReason::Released)]);
}

#[test]
fn a_connection_that_this_side_releases_is_closed_by_the_peer() {
    let mut lone = LoneStream::open(1_152);
    let (id, _) = lone.ask(Request::get());
    lone.endpoint.release(PEER);
    lone.endpoint.release(PEER);
    assert_eq!(lone.sent().iter().map(|sent| sent.code).collect::<Vec<_>>(), [Code::RELEASE]);
    let refused = lone.endpoint.request(lone.now, PEER, Request::get());
    assert_eq!(refused, Err(Error::Released(PEER)));
    assert_eq!(lone.receive(&[get(b"t")]), []);
    lone.asked();
    lone.endpoint.disconnected(lone.now, PEER);
    let reason = FailReason::Closed;
    assert_eq!(
        lone.events(),
        [Event::Failed { id, peer: PEER, reason }, closed(CloseReason::Lost)]
    );
    lone.endpoint.disconnected(lone.now, PEER);
    assert_eq!(lone.events(), []);
}

// proves: TCP-06
#[test]
fn signaling_messages_are_refused_for_critical_options_only() {
    let critical =
        |code, number| CloseReason::CriticalOption { code, number: OptionNumber(number) };
    for code in [Code::CSM, Code::PING, Code::PONG, Code::RELEASE] {
        let mut lone = LoneStream::open(1_152);
        let sent = lone.receive(&[frame(code, b"").option(9, b"")]);
        let bad_csm_option = sent[0].options.get_uint(OptionNumber(2));
        assert_eq!(bad_csm_option, (code == Code::CSM).then_some(9));
        assert_aborted(&mut lone, &sent, critical(code, 9));
    }
    let mut lone = LoneStream::fresh(Config::default());
    lone.sent();
    let empty = frame(Code::EMPTY, b"");
    let elective = csm(1_152).option(10, b"x").option(6, b"");
    let sent = lone.receive(&[empty.clone(), elective, empty, frame(Code::new(7, 9), b"")]);
    assert_eq!((sent, lone.events()), (vec![], vec![]));
    assert_eq!(lone.receive(&[frame(Code::PING, b"")])[0].code, Code::PONG);
}

// proves: TCP-07
#[test]
fn a_malformed_stream_ends_the_connection() {
    let max = Config::default().max_message_size as usize;
    for (bytes, error) in [
        (&[0x0F][..], FrameError::Malformed(Fault::Token)),
        (&[0x09, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0], FrameError::Malformed(Fault::Token)),
        (&[0xF0, 0x7F, 0xFE, 0xFE, 0xF3, 1], FrameError::TooLong(max)),
        (&[0x10, 1, 0xFF], FrameError::Malformed(Fault::EmptyPayload)),
        (&[0x10, 1, 0xF0], FrameError::Malformed(Fault::Option)),
    ] {
        for piece in [1, bytes.len()] {
            let mut lone = LoneStream::open(1_152);
            let sent: Vec<Frame> =
                bytes.chunks(piece).flat_map(|piece| lone.receive_bytes(piece)).collect();
            assert_aborted(&mut lone, &sent, CloseReason::Stream(error));
            assert_eq!(lone.endpoint.statistics().malformed, 1);
        }
    }
    // `any_cut_gives_the_same_session` cuts whole sessions.
    assert_eq!(session(&[1]), session(&[usize::MAX]));
}

#[test]
fn a_csm_has_the_length_limit_and_ignores_invalid_sizes() {
    let max = Config::default().max_message_size as usize;
    let long = csm(1_152).payload(&vec![0; max]).bytes();
    let mut lone = LoneStream::fresh(Config::default());
    lone.sent();
    let sent: Vec<Frame> = long.chunks(1_000).flat_map(|it| lone.receive_bytes(it)).collect();
    assert_aborted(&mut lone, &sent, CloseReason::Stream(FrameError::TooLong(max)));
    // A size of more than 32 bits is ignored.
    let mut lone = LoneStream::open(600);
    assert_eq!(lone.receive(&[csm(1 << 32), csm(u64::MAX)]), []);
    let (_, request) = lone.ask(Request::put().payload(body(1_000)));
    assert!(request.length <= 600, "{request:?}");
}

/// A session with bodies in both directions and an observation. Returns all events and bytes.
fn session(lengths: &[usize]) -> (Vec<String>, [Vec<u8>; 2]) {
    let mut pair = StreamPair::new([Config::default(); 2]);
    let mut log = Vec::new();
    let requests = [
        Request::get().path(["small"]),
        Request::put().path(["large"]).payload(body(20_000)),
        Request::get().path(["observed"]).observe(0),
    ];
    for request in requests {
        pair.sides[0].request(pair.now, PEER, request).unwrap();
        pair.run(lengths, |endpoint, now, side, event| {
            log.push(format!("{side} {event:?}"));
            if let Event::Request { exchange, request, .. } = event {
                let body =
                    if request.payload.is_empty() { body(40) } else { request.payload.into() };
                endpoint.respond(now, exchange, content(body).observe()).unwrap();
            }
        });
    }
    assert_eq!(log.iter().filter(|event| event.contains("Response {")).count(), 3);
    (log, pair.wire)
}

#[test]
fn incomplete_messages_are_bounded_in_total() {
    let config = Config::default().max_incomplete_messages(1_000);
    let mut lone = LoneStream::fresh(config);
    let partial = &frame(Code::PUT, b"t").payload(&[0; 900]).bytes()[..600];
    for peer in [PEER, PeerId(8)] {
        lone.endpoint.connected(lone.now, peer).unwrap();
        lone.endpoint.handle_stream(lone.now, peer, &csm(1_152).bytes());
        lone.endpoint.handle_stream(lone.now, peer, partial);
    }
    let reason = CloseReason::Overload;
    assert_eq!(lone.events(), [Event::Closed { peer: PeerId(8), reason }]);
    // The other connection stays.
    lone.sent();
    lone.receive_bytes(&frame(Code::PUT, b"t").payload(&[0; 900]).bytes()[600..]);
    lone.asked();
}

#[test]
fn connections_are_peers_and_bounded_like_them() {
    let mut lone = LoneStream::fresh(Config::default().max_peers(1));
    let refused = lone.endpoint.connected(lone.now, PeerId(8));
    assert_eq!(refused, Err(Error::TooManyPeers(PeerId(8))));
    lone.endpoint.remove_peer(PEER);
    assert_eq!(lone.sent(), []);
    assert!(lone.endpoint.is_idle(PEER));
    let begun = lone.endpoint.connected(lone.now, PeerId(8));
    assert_eq!(begun, Ok(()));
    // Connecting removes the state of a peer of datagrams.
    let mut lone = LoneStream::fresh(Config::default());
    let id = lone.endpoint.request(lone.now, PeerId(8), Request::get()).unwrap();
    lone.sent_pieces();
    lone.endpoint.connected(lone.now, PeerId(8)).unwrap();
    let events: Vec<Event> = core::iter::from_fn(|| lone.endpoint.poll_event()).collect();
    let reason = FailReason::Cancelled;
    assert_eq!(events, [Event::Failed { id, peer: PeerId(8), reason }]);
    assert_eq!(lone.sent()[0].code, Code::CSM);
}

// proves: TCP-08
#[test]
fn several_blocks_travel_in_one_message() {
    let configs = [Config::default().max_message_size(8_192); 2];
    for (upload, download) in [(10 << 10, 0), (0, 10 << 10), (10_001, 30_000)] {
        let mut pair = StreamPair::new(configs);
        pair.run(&[100], |_, _, _, _| ());
        let request = Request::new(Code::POST).payload(body(upload));
        pair.sides[0].request(pair.now, PEER, request).unwrap();
        let mut answered = false;
        pair.run(&[100], |endpoint, now, _, event| match event {
            Event::Request { exchange, request, .. } => {
                assert_eq!(request.payload, body(upload));
                endpoint.respond(now, exchange, content(body(download))).unwrap();
            }
            Event::Response { response, .. } => {
                answered = true;
                assert_eq!(response.payload, body(download));
            }
            event => assert!(matches!(event, Event::PeerIdle { .. }), "{event:?}"),
        });
        assert!(answered);
        assert_bert(&frames(&pair.wire[0]), OptionNumber::BLOCK1, upload);
        assert_bert(&frames(&pair.wire[1]), OptionNumber::BLOCK2, download);
    }
}

/// Asserts that a body took the fewest messages, with block numbers in units of 1,024 bytes.
fn assert_bert(frames: &[Frame], option: OptionNumber, length: usize) {
    assert!(frames.iter().all(|frame| frame.length <= 8_192));
    let mut at = 0;
    for frame in frames.iter().filter(|frame| !frame.payload.is_empty()) {
        let (number, more, szx) = frame.block_value(option).unwrap();
        assert_eq!((number, szx), (at / 1_024, 7));
        assert_eq!(more, at + (frame.payload.len() as u64) < length as u64);
        assert!(!more || frame.payload.len() == 7 * 1_024);
        at += frame.payload.len() as u64;
    }
    assert_eq!(at, length as u64);
}

#[test]
fn blocks_of_one_size_go_to_a_peer_that_asks_for_them() {
    let mut lone = LoneStream::open(8_192);
    let sent = lone.receive(&[get(b"t").uint(BLOCK2, 6)]);
    assert_eq!(sent, []);
    let (exchange, _) = lone.asked();
    let sent = lone.respond(exchange, content(body(3_000)));
    assert_eq!(sent[0].block_value(OptionNumber::BLOCK2), Some((0, true, 6)));
    assert_eq!(sent[0].payload, body(3_000)[..1_024]);
    let sent = lone.receive(&[get(b"t").uint(BLOCK2, 1 << 4 | 7)]);
    assert_eq!(sent[0].block_value(OptionNumber::BLOCK2), Some((1, false, 7)));
    assert_eq!(sent[0].payload, body(3_000)[1_024..]);
    // Last messages with several blocks and with none.
    for (more, length, answer) in [(true, 2_048, Code::CONTINUE), (true, 100, Code::BAD_REQUEST)] {
        let block = frame(Code::PUT, b"u").uint(BLOCK1, u64::from(more) << 3 | 7);
        assert_eq!(lone.receive(&[block.payload(&body(length))])[0].code, answer);
    }
}

#[test]
fn a_client_accepts_single_blocks_instead_of_bert() {
    let mut lone = LoneStream::open(8_192);
    let (id, request) = lone.ask(Request::get());
    let token = request.token;
    let piece = |token: Token, value, range: core::ops::Range<usize>| {
        frame(Code::CONTENT, token.as_bytes()).uint(BLOCK2, value).payload(&body(5_000)[range])
    };
    let sent = lone.receive(&[piece(token, 8 | 7, 0..2_048)]);
    assert_eq!(sent[0].block_value(OptionNumber::BLOCK2), Some((2, false, 7)));
    // A server may return to single blocks.
    let sent = lone.receive(&[piece(sent[0].token, 2 << 4 | 8 | 6, 2_048..3_072)]);
    assert_eq!(sent[0].block_value(OptionNumber::BLOCK2), Some((3, false, 6)));
    let sent = lone.receive(&[piece(sent[0].token, 3 << 4 | 8 | 6, 3_072..4_096)]);
    assert_eq!(lone.events(), []);
    lone.receive(&[piece(sent[0].token, 4 << 4 | 6, 4_096..5_000)]);
    match &lone.events()[..] {
        [Event::Response { id: answered, response, .. }] => {
            assert_eq!((*answered, &response.payload[..]), (id, &body(5_000)[..]));
        }
        events => panic!("{events:?}"),
    }
}

// proves: TCP-09
#[test]
fn notifications_come_in_the_order_of_the_connection() {
    let mut lone = LoneStream::open(1_152);
    let (id, request) = lone.ask(Request::get().path(["3"]).observe(0));
    let notify = |sequence: &[u8], text: &[u8]| {
        frame(Code::CONTENT, request.token.as_bytes()).option(OBSERVE, sequence).payload(text)
    };
    let sequences = [&[9_u8][..], &[9], &[], &[3], &[0xFF, 0xFF, 0xFF], &[]];
    let stream: Vec<Frame> =
        sequences.iter().zip(b"abcdef").map(|(seq, text)| notify(seq, &[*text])).collect();
    assert_eq!(lone.receive(&stream), []);
    let payloads: Vec<u8> = lone
        .events()
        .iter()
        .map(|event| match event {
            Event::Response { response, .. } | Event::Notification { response, .. } => {
                response.payload[0]
            }
            event => panic!("{event:?}"),
        })
        .collect();
    assert_eq!(payloads, b"abcdef");

    let cancelled = lone.endpoint.cancel_observation(lone.now, id).unwrap();
    let cancel = lone.sent();
    assert_eq!((cancel[0].code, cancel[0].options.observe()), (Code::GET, Some(1)));
    assert_eq!(cancel[0].token, request.token);
    // A notification from before the cancellation is not its response.
    assert_eq!(lone.receive(&[notify(b"", b"late")]), []);
    assert_eq!(lone.events(), []);
    lone.receive(&[frame(Code::CONTENT, request.token.as_bytes())]);
    assert!(matches!(lone.events()[..], [Event::Response { id, .. }] if id == cancelled));

    // In the server role, a cancellation ends the notifications.
    let observer = observed(&mut lone);
    for confirmable in [false, true] {
        let state = content(b"1".to_vec());
        lone.endpoint.notify(lone.now, observer, state, confirmable).unwrap();
        assert_eq!(lone.sent()[0].token, observer.token);
        let delivered = [Event::Delivered { observer }];
        assert_eq!(lone.events(), if confirmable { &delivered[..] } else { &[] });
    }
    lone.receive(&[get(b"obs").uint(OBSERVE, 1)]);
    let reason = GoneReason::Cancelled;
    assert_eq!(lone.events()[0], Event::ObserverGone { observer, reason });
    let late = lone.endpoint.notify(lone.now, observer, content(b"2".to_vec()), false);
    assert_eq!(late, Err(Error::UnknownObserver(observer)));
}

/// The messages that end an observation: their codes, tokens and values of Observe.
fn ends(sent: &[Frame]) -> Vec<(Code, Token, Option<u32>)> {
    sent.iter().map(|it| (it.code, it.token, it.options.observe())).collect()
}

// proves: TCP-09
#[test]
fn who_ends_an_observation_says_so() {
    for begin in [Request::get(), Request::fetch().payload("[]")] {
        let code = begin.code;
        let mut lone = LoneStream::open(1_152);
        let begin = || begin.clone().path(["3"]).observe(0);
        let (first, request) = lone.ask(begin());
        let accepted = frame(Code::CONTENT, request.token.as_bytes()).option(OBSERVE, b"");
        lone.receive(&[accepted]);
        // Another one of the same target replaces it.
        let (second, again) = lone.ask(begin());
        let accepted = frame(Code::CONTENT, again.token.as_bytes()).option(OBSERVE, b"");
        assert_eq!(ends(&lone.receive(&[accepted])), [(code, request.token, Some(1))]);
        lone.endpoint.cancel(first);
        assert_eq!(lone.sent(), []);
        // The application forgets it.
        lone.events();
        lone.endpoint.cancel(second);
        let sent = lone.sent();
        assert_eq!(ends(&sent), [(code, again.token, Some(1))]);
        assert_eq!(
            (&sent[0].payload, sent[0].options.uri_path().next()),
            (&again.payload, Some(&b"3"[..]))
        );
        // The answer is of no interest.
        lone.receive(&[frame(Code::CONTENT, again.token.as_bytes())]);
        assert_eq!(lone.events(), []);
        // One that is given up before it has begun.
        let (third, request) = lone.ask(begin());
        lone.endpoint.cancel(third);
        assert_eq!(ends(&lone.sent()), [(code, request.token, Some(1))]);
        let (_, request) = lone.ask(begin());
        lone.pass(Duration::from_secs(248));
        assert_eq!(ends(&lone.sent()), [(code, request.token, Some(1))]);
        // A request that observes nothing ends without a word, and so does a connection.
        let (fourth, _) = lone.ask(Request::get());
        lone.endpoint.cancel(fourth);
        lone.ask(begin());
        lone.endpoint.disconnected(lone.now, PEER);
        assert_eq!(lone.sent(), []);
    }
}

#[test]
fn all_requests_go_out_at_once_and_time_out_alone() {
    let mut lone = LoneStream::open(1_152);
    let ids: Vec<RequestId> = (0..4).map(|_| lone.ask(Request::get()).0).collect();
    lone.pass(Duration::from_secs(246));
    assert_eq!((lone.sent(), lone.events()), (vec![], vec![]));
    lone.pass(Duration::from_secs(2));
    let mut failed: Vec<RequestId> = lone
        .events()
        .iter()
        .filter_map(|event| match event {
            Event::Failed { id, reason: FailReason::Timeout, .. } => Some(*id),
            _ => None,
        })
        .collect();
    failed.sort_unstable();
    assert_eq!(failed, ids);
}

#[test]
fn datagrams_and_connections_live_side_by_side() {
    let mut lone = LoneStream::open(1_152);
    let other = PeerId(8);
    lone.endpoint.request(lone.now, other, Request::get()).unwrap();
    let datagram = lone.endpoint.poll_transmit().unwrap();
    assert_eq!((datagram.peer, datagram.payload[0] >> 4), (other, 4));
    lone.endpoint.handle_stream(lone.now, other, &csm(1_152).bytes());
    assert_eq!(lone.sent(), []);
    lone.ask(Request::get());
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_session(lengths in prop::collection::vec(1..2_000_usize, 1..20)) {
        prop_assert_eq!(session(&lengths), session(&[usize::MAX]));
    }

    #[test]
    fn any_stream_is_handled(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..20),
    ) {
        let mut lone = LoneStream::open(1_152);
        let _ = lone.endpoint.request(lone.now, PEER, Request::get().observe(0));
        for piece in pieces {
            lone.endpoint.handle_stream(lone.now, PEER, &piece);
            lone.sent();
        }
        lone.endpoint.disconnected(lone.now, PEER);
        lone.events();
        prop_assert!(lone.endpoint.is_idle(PEER));
        prop_assert_eq!(lone.endpoint.poll_timeout(), None);
    }
}
