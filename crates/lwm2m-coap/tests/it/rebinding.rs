//! A peer that goes on by another path: `Endpoint::rebind`.

use crate::pair::{Ack, Con, Message, Non, message};
use crate::stream::{Frame, csm, frame, frames};
use lwm2m_coap::{
    Code, Config, Endpoint, Event, ExchangeId, OptionNumber, PeerId, PeerParameters, Request,
    Response,
};
use lwm2m_time::Instant;

const KEEP: PeerId = PeerId(1);
const FROM: PeerId = PeerId(2);
const NOW: Instant = Instant::from_millis(1_000);

struct Paths(Endpoint);

impl Paths {
    fn new() -> Self {
        Self(Endpoint::new(Config::default(), [3; 32]))
    }

    /// As [`new`](Self::new), with `peer` on a connection.
    fn with_connection(peer: PeerId) -> Self {
        let mut paths = Self::new();
        paths.0.connected(NOW, peer).unwrap();
        paths.0.handle_stream(NOW, peer, &csm(1_152).bytes());
        paths.sent();
        paths
    }

    /// What was sent to whom.
    fn sent(&mut self) -> Vec<(PeerId, Vec<u8>)> {
        let sent = core::iter::from_fn(|| self.0.poll_transmit());
        sent.map(|it| (it.peer, it.payload.to_vec())).collect()
    }

    fn datagram_to(&mut self, peer: PeerId) -> Message {
        match &self.sent()[..] {
            [(to, bytes)] if *to == peer => Message::parse(bytes),
            other => panic!("not one datagram to {peer:?}: {other:?}"),
        }
    }

    fn frame_to(&mut self, peer: PeerId) -> Frame {
        match &self.sent()[..] {
            [(to, bytes)] if *to == peer => frames(bytes).remove(0),
            other => panic!("not one message to {peer:?}: {other:?}"),
        }
    }

    fn asks(&mut self, peer: PeerId, request: Request) {
        self.0.request(NOW, peer, request).unwrap();
    }

    /// The code and peer of the single response.
    fn answered(&mut self) -> (PeerId, Code) {
        let events = core::iter::from_fn(|| self.0.poll_event());
        let mut answers = events.filter_map(|event| match event {
            Event::Response { peer, response, .. } => Some((peer, response.code)),
            _ => None,
        });
        let first = answers.next().expect("a response");
        assert_eq!(answers.next(), None);
        first
    }
}

#[test]
fn who_has_something_of_its_own_is_not_taken_over() {
    let engaged: [fn(&mut Paths); 3] = [
        |it| it.asks(FROM, Request::get().path(["a"])),
        |it| {
            it.asks(FROM, Request::get().path(["a"]).observe(0));
            let asked = it.datagram_to(FROM);
            let answer = message(Ack, Code::CONTENT, asked.id, asked.token.as_bytes());
            it.0.handle_datagram(NOW, FROM, &answer.uint(OptionNumber::OBSERVE, 1).bytes());
        },
        |it| {
            let observe = message(Con, Code::GET, 1, b"o").uint(OptionNumber::OBSERVE, 0);
            it.0.handle_datagram(NOW, FROM, &observe.bytes());
            let Some(Event::Request { exchange, .. }) = it.0.poll_event() else {
                panic!("no request")
            };
            it.0.respond(NOW, exchange, Response::new(Code::CONTENT).observe()).unwrap();
        },
    ];
    for (number, engage) in engaged.into_iter().enumerate() {
        let mut paths = Paths::new();
        engage(&mut paths);
        assert!(!paths.0.rebind(NOW, KEEP, FROM), "{number}");
        assert!(paths.0.rebind(NOW, FROM, FROM), "nothing moves");
        assert!(paths.0.rebind(NOW, FROM, KEEP), "{number}: the other way round");
    }
}

#[test]
fn a_request_goes_on_between_datagrams() {
    for request in [Request::get(), Request::post()] {
        let mut paths = Paths::new();
        paths.asks(KEEP, request.path(["a"]));
        let before = paths.datagram_to(KEEP);
        assert!(paths.0.rebind(NOW, KEEP, FROM));
        let again = paths.sent();
        // A GET may be handled twice. A POST waits for its response, which the token tells.
        assert_eq!(again.len(), usize::from(before.code == Code::GET), "{again:?}");
        let response = message(Non, Code::CONTENT, 9, before.token.as_bytes());
        paths.0.handle_datagram(NOW, KEEP, &response.bytes());
        assert_eq!(paths.answered(), (KEEP, Code::CONTENT));
    }
}

#[test]
fn a_request_goes_on_by_a_connection_and_back() {
    let mut paths = Paths::with_connection(FROM);
    paths.asks(KEEP, Request::get().path(["a"]));
    paths.datagram_to(KEEP);
    assert!(paths.0.rebind(NOW, KEEP, FROM));
    let again = paths.frame_to(KEEP);
    assert_eq!(again.code, Code::GET);
    // The other peer has the datagrams now.
    paths.asks(FROM, Request::get().path(["b"]));
    assert_eq!(paths.datagram_to(FROM).code, Code::GET);
    paths.0.handle_stream(NOW, KEEP, &frame(Code::CONTENT, again.token.as_bytes()).bytes());
    assert_eq!(paths.answered(), (KEEP, Code::CONTENT));
    paths.asks(KEEP, Request::get().path(["c"]));
    assert_eq!(paths.frame_to(KEEP).code, Code::GET, "one answer makes room for the next request");
}

#[test]
fn what_waits_to_be_sent_stays_on_its_path() {
    let mut paths = Paths::new();
    paths.0.handle_datagram(NOW, KEEP, &message(Con, Code::EMPTY, 8, b"").bytes());
    paths.0.handle_datagram(NOW, FROM, &message(Con, Code::EMPTY, 9, b"").bytes());
    // The answers to both pings have not left yet. An answer belongs to the path that its ping came by.
    assert!(paths.0.rebind(NOW, KEEP, FROM));
    let sent = paths.sent().into_iter();
    let mut sent: Vec<_> = sent.map(|(peer, bytes)| (peer, Message::parse(&bytes).id)).collect();
    sent.sort_unstable();
    assert_eq!(sent, [(KEEP, 9), (FROM, 8)]);
}

// RFC 8323 section 7.4
#[test]
fn observations_end_with_a_connection_and_go_on_between_datagrams() {
    for (connected, ends) in [(None, false), (Some(KEEP), true), (Some(FROM), true)] {
        let mut paths = connected.map_or_else(Paths::new, Paths::with_connection);
        let observe = message(Con, Code::GET, 1, b"o").uint(OptionNumber::OBSERVE, 0);
        match connected {
            Some(KEEP) => {
                let observe = frame(Code::GET, b"o").uint(6, 0);
                paths.0.handle_stream(NOW, KEEP, &observe.bytes());
            }
            _ => paths.0.handle_datagram(NOW, KEEP, &observe.bytes()),
        }
        let Some(Event::Request { exchange, .. }) = paths.0.poll_event() else {
            panic!("no request")
        };
        paths.0.respond(NOW, exchange, Response::new(Code::CONTENT).observe()).unwrap();
        paths.sent();
        assert!(paths.0.rebind(NOW, KEEP, FROM));
        let mut events = core::iter::from_fn(|| paths.0.poll_event());
        let gone = events.any(|event| matches!(event, Event::ObserverGone { .. }));
        assert_eq!(gone, ends, "{connected:?}");
    }
}

#[test]
fn an_acknowledged_request_is_sent_again_where_a_connection_is_involved() {
    for (request, connected, again) in [
        (Request::get(), false, 0),
        (Request::get(), true, 1),
        (Request::put(), true, 1),
        (Request::post(), true, 0),
    ] {
        let mut paths = if connected { Paths::with_connection(FROM) } else { Paths::new() };
        let code = request.code;
        paths.asks(KEEP, request.path(["a"]));
        let before = paths.datagram_to(KEEP);
        paths.0.handle_datagram(NOW, KEEP, &message(Ack, Code::EMPTY, before.id, b"").bytes());
        assert!(paths.0.rebind(NOW, KEEP, FROM));
        let sent = paths.sent();
        assert_eq!(sent.len(), again, "{code} {connected}: {sent:?}");
    }
}

#[test]
fn a_request_that_goes_to_and_fro_is_sent_as_often_as_a_silent_peer_gets_it() {
    for (request, most) in [(Request::get(), 4), (Request::post(), 0)] {
        let mut paths = Paths::with_connection(FROM);
        paths.asks(KEEP, request.path(["a"]));
        paths.datagram_to(KEEP);
        let mut again = 0;
        for _ in 0..10 {
            assert!(paths.0.rebind(NOW, KEEP, FROM));
            again += paths.sent().len();
        }
        assert_eq!(again, most);
    }
}

/// Lets a peer ask; returns the exchange.
fn asked_by(paths: &mut Paths, peer: PeerId, request: &Message) -> ExchangeId {
    paths.0.handle_datagram(NOW, peer, &request.bytes());
    match paths.0.poll_event() {
        Some(Event::Request { exchange, .. }) => exchange,
        other => panic!("no request: {other:?}"),
    }
}

#[test]
fn requests_that_wait_for_the_application_are_answered_on_the_new_path() {
    let silent = OptionNumber::NO_RESPONSE;
    for is_silent in [false, true] {
        let with = |id, token: &[u8]| {
            let request = message(Con, Code::GET, id, token);
            if is_silent { request.uint(silent, 2) } else { request }
        };
        let mut paths = Paths::new();
        let of_keep = asked_by(&mut paths, KEEP, &with(1, b"k"));
        let of_from = asked_by(&mut paths, FROM, &with(2, b"f"));
        assert!(paths.0.rebind(NOW, KEEP, FROM));
        paths.0.respond(NOW, of_keep, Response::new(Code::CONTENT)).unwrap();
        // It came by another path: there is nothing there that it could acknowledge.
        let sent = paths.sent();
        assert_eq!(sent.len(), usize::from(!is_silent), "{sent:?}");
        for (peer, bytes) in sent {
            let answer = Message::parse(&bytes);
            assert_eq!((peer, answer.kind, answer.token.as_bytes()), (KEEP, Con, &b"k"[..]));
        }
        paths.0.respond(NOW, of_from, Response::new(Code::CONTENT)).unwrap();
        let answer = paths.datagram_to(KEEP);
        assert_eq!((answer.kind, answer.id), (Ack, 2), "the path of the request");
    }
}

#[test]
fn frames_that_wait_to_be_sent_stay_on_their_connection() {
    let mut paths = Paths::with_connection(FROM);
    paths.0.connected(NOW, KEEP).unwrap();
    paths.0.handle_stream(NOW, KEEP, &csm(1_152).bytes());
    paths.sent();
    let ping = |token| frame(Code::PING, token).bytes();
    paths.0.handle_stream(NOW, KEEP, &ping(b"keep"));
    paths.0.handle_stream(NOW, FROM, &ping(b"from"));
    assert!(paths.0.rebind(NOW, KEEP, FROM));
    let sent = paths.sent().into_iter();
    let mut sent: Vec<_> =
        sent.map(|(peer, bytes)| (peer, frames(&bytes)[0].token.as_bytes().to_vec())).collect();
    sent.sort_unstable();
    assert_eq!(sent, [(KEEP, b"from".to_vec()), (FROM, b"keep".to_vec())]);
}

#[test]
fn parameters_belong_to_the_path() {
    let mut paths = Paths::new();
    let mut slow = PeerParameters::default();
    slow.transmission.ack_timeout = core::time::Duration::from_secs(100);
    paths.0.set_parameters(KEEP, slow.into()).unwrap();
    assert!(paths.0.rebind(NOW, KEEP, FROM));
    let mut is_slow = |peer| {
        paths.asks(peer, Request::get());
        paths.datagram_to(peer);
        let first = paths.0.poll_timeout().unwrap() - NOW;
        paths.0.lose(NOW, peer);
        first >= core::time::Duration::from_secs(100)
    };
    assert_eq!((is_slow(KEEP), is_slow(FROM)), (false, true));
}

#[test]
fn a_request_that_the_application_takes_long_for_is_acknowledged_on_its_path() {
    let mut paths = Paths::new();
    asked_by(&mut paths, KEEP, &message(Con, Code::GET, 1, b"k"));
    let at = paths.0.poll_timeout().unwrap();
    assert!(paths.0.rebind(NOW, KEEP, FROM));
    assert_eq!(paths.0.poll_timeout(), Some(at));
    paths.0.handle_timeout(at);
    let acknowledgement = paths.datagram_to(FROM);
    assert_eq!((acknowledgement.kind, acknowledgement.id), (Ack, 1));
}

#[test]
fn requests_that_wait_count_for_the_peer_that_has_them_now() {
    let config = Config::default().max_exchanges_per_peer(1);
    let mut paths = Paths(Endpoint::new(config, [3; 32]));
    asked_by(&mut paths, FROM, &message(Con, Code::GET, 1, b"f"));
    assert!(paths.0.rebind(NOW, KEEP, FROM));
    // The paths are exchanged: `FROM` has none of its requests left, `KEEP` has one.
    asked_by(&mut paths, FROM, &message(Con, Code::GET, 2, b"g"));
    paths.0.handle_datagram(NOW, KEEP, &message(Con, Code::GET, 3, b"k").bytes());
    assert_eq!(paths.datagram_to(KEEP).code, Code::SERVICE_UNAVAILABLE);
    let mut events = core::iter::from_fn(|| paths.0.poll_event());
    assert!(!events.any(|event| matches!(event, Event::Request { .. })));
}
