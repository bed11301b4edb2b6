//! A CoAP endpoint on a connection whose stream comes cut anywhere, among requests, answers and
//! notifications. What it sends is well-formed and not longer than the peer takes, and cutting the
//! stream elsewhere changes nothing.
//!
//! A script is a list of steps, each `operation, length, bytes`: operations 0 to 3 send the bytes
//! as they are, 4 to 7 as a message of that code, token, options and payload behind a good length,
//! in pieces of `operation` bytes; 8 and above are the application's.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lwm2m_coap::{Code, Config, Endpoint, Event, FrameView, Observer, PeerId, Request, Response};
use lwm2m_time::Instant;
use std::time::Duration;

const PEER: PeerId = PeerId(1);
const MAX_MESSAGE: u16 = 2_100;
/// More output than any step of a script can ask for.
const MOST_OUTPUT: usize = 10_000;

fuzz_target!(|script: &[u8]| {
    let in_pieces = Session::new(true).play(script);
    let at_once = Session::new(false).play(script);
    assert_eq!(in_pieces, at_once);
});

struct Session {
    endpoint: Endpoint,
    now: Instant,
    cuts: bool,
    /// All that the endpoint sent.
    sent: Vec<u8>,
    events: Vec<Event>,
    observer: Option<Observer>,
    closed: bool,
}

impl Session {
    fn new(cuts: bool) -> Self {
        let now = Instant::from_millis(1);
        let mut endpoint = Endpoint::new(Config::default(), [7; 32]);
        endpoint.connected(now, PEER).expect("the first peer");
        let (sent, events) = (Vec::new(), Vec::new());
        let mut session = Self { endpoint, now, cuts, sent, events, observer: None, closed: false };
        let [high, low] = MAX_MESSAGE.to_be_bytes();
        session.receive(&[0x40, Code::CSM.as_byte(), 0x22, high, low, 0x20], 0);
        session
    }

    fn play(mut self, script: &[u8]) -> (Vec<u8>, Vec<Event>) {
        let mut rest = script;
        while let Some((&[operation, length], after)) = rest.split_first_chunk() {
            let (bytes, after) = after.split_at(after.len().min(length.into()));
            rest = after;
            match operation {
                0..4 => self.receive(bytes, operation),
                4..8 => self.receive(&framed(bytes), operation),
                _ => self.act(operation, bytes),
            }
        }
        self.endpoint.disconnected(self.now, PEER);
        self.drain();
        assert!(self.endpoint.is_idle(PEER) && self.endpoint.poll_timeout().is_none());
        self.check_sent();
        (self.sent, self.events)
    }

    fn receive(&mut self, bytes: &[u8], piece: u8) {
        let whole = bytes.len().max(1);
        let piece = if self.cuts { usize::from(piece).clamp(1, whole) } else { whole };
        for piece in bytes.chunks(piece) {
            self.endpoint.handle_stream(self.now, PEER, piece);
        }
        self.drain();
    }

    /// What the application does, with the bytes 100 times over, so that bodies take many blocks.
    fn act(&mut self, operation: u8, bytes: &[u8]) {
        let body = bytes.repeat(100);
        match operation % 4 {
            // The name of a peer is not used any more after its connection.
            0 if !self.closed => {
                let request = Request::new(Code::new(0, 1 + operation / 4 % 7)).payload(body);
                let request = if operation < 128 { request } else { request.observe(0) };
                let _ = self.endpoint.request(self.now, PEER, request);
            }
            1 => {
                if let Some(observer) = self.observer {
                    let state = Response::new(Code::CONTENT).payload(body);
                    let _ = self.endpoint.notify(self.now, observer, state, operation < 128);
                }
            }
            2 => self.pass(Duration::from_secs(operation.into())),
            3 if operation < 16 => self.endpoint.release(PEER),
            3 => self.endpoint.ping(PEER),
            _ => {}
        }
        self.drain();
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        for _ in 0..MOST_OUTPUT {
            let Some(due) = self.endpoint.poll_timeout().filter(|due| *due <= until) else { break };
            self.now = self.now.max(due);
            self.endpoint.handle_timeout(self.now);
            self.drain();
        }
        self.now = until;
    }

    fn drain(&mut self) {
        for _ in 0..MOST_OUTPUT {
            if let Some(transmit) = self.endpoint.poll_transmit() {
                self.sent.extend_from_slice(&transmit.payload);
            } else if let Some(event) = self.endpoint.poll_event() {
                self.take(event);
            } else {
                return;
            }
        }
        panic!("the endpoint has output without end");
    }

    fn take(&mut self, event: Event) {
        if let Event::Request { exchange, peer, token, request } = &event {
            self.observer = Some(Observer { peer: *peer, token: *token });
            let body = request.payload.repeat(10);
            let response = Response::new(Code::CONTENT).payload(body).observe();
            let _ = self.endpoint.respond(self.now, *exchange, response);
        }
        self.closed |= matches!(event, Event::Closed { .. });
        self.events.push(event);
    }

    /// The stream that was sent is one of good messages.
    fn check_sent(&self) {
        let mut rest = &self.sent[..];
        while !rest.is_empty() {
            let frame = FrameView::parse(rest, 1 << 20).expect("a good stream");
            rest = frame.expect("whole messages").1;
        }
    }
}

/// The bytes as a message: the token length, then code, token, options and payload.
fn framed(bytes: &[u8]) -> Vec<u8> {
    let Some((&first, rest)) = bytes.split_first() else { return vec![0, 0] };
    let token = usize::from(first % 9);
    let Some(length) = rest.len().checked_sub(1 + token) else { return vec![0, 0] };
    let head = match length {
        0..13 => vec![((length as u8) << 4) | (first % 9)],
        _ => vec![0xD0 | (first % 9), (length - 13) as u8],
    };
    [&head, rest].concat()
}
