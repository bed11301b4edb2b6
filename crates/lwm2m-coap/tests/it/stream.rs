//! An endpoint with scripted connected peers, and a pair of endpoints on a connection.

use crate::pair::PEER;
use core::time::Duration;
use lwm2m_coap::{
    Code, Config, Endpoint, Event, ExchangeId, FrameView, OptionNumber, Options, Request, Response,
    Token, write_frame,
};
use lwm2m_time::Instant;

/// The parts of a message on a stream, to be compared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Frame {
    pub(crate) code: Code,
    pub(crate) token: Token,
    pub(crate) options: Options,
    pub(crate) payload: Vec<u8>,
    /// The encoded message.
    pub(crate) length: usize,
}

pub(crate) fn frame(code: Code, token: &[u8]) -> Frame {
    let token = Token::new(token).unwrap();
    Frame { code, token, options: Options::new(), payload: Vec::new(), length: 0 }
}

/// A CSM with Max-Message-Size and Block-Wise-Transfer.
pub(crate) fn csm(max_message_size: u64) -> Frame {
    frame(Code::CSM, b"").uint(2, max_message_size).option(4, b"")
}

impl Frame {
    pub(crate) fn option(mut self, number: u16, value: &[u8]) -> Self {
        self.options.push(OptionNumber(number), value);
        self
    }

    pub(crate) fn uint(mut self, number: u16, value: u64) -> Self {
        self.options.push_uint(OptionNumber(number), value);
        self
    }

    pub(crate) fn payload(mut self, payload: &[u8]) -> Self {
        self.payload = payload.to_vec();
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, self.code, self.token, &self.options, &self.payload);
        bytes
    }

    /// The value of a Block option: number, more, size exponent.
    pub(crate) fn block_value(&self, option: OptionNumber) -> Option<(u64, bool, u64)> {
        self.options.get_uint(option).map(|value| (value >> 4, value & 8 != 0, value & 7))
    }
}

/// All messages of a complete stream.
pub(crate) fn frames(mut stream: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while !stream.is_empty() {
        let (view, rest) =
            FrameView::parse(stream, usize::MAX).expect("good").expect("whole messages");
        frames.push(Frame {
            code: view.code(),
            token: view.token(),
            options: view.to_options(),
            payload: view.payload().to_vec(),
            length: stream.len() - rest.len(),
        });
        stream = rest;
    }
    frames
}

/// One endpoint on a connection. The test plays its peer.
pub(crate) struct LoneStream {
    pub(crate) now: Instant,
    pub(crate) endpoint: Endpoint,
}

impl LoneStream {
    /// A connection after the CSM of the endpoint was sent.
    pub(crate) fn fresh(config: Config) -> Self {
        let now = Instant::from_millis(1_000);
        let mut endpoint = Endpoint::new(config, [3; 32]);
        endpoint.connected(now, PEER).unwrap();
        Self { now, endpoint }
    }

    /// A connection on which both sides have sent their CSM.
    pub(crate) fn open(max_message_size: u64) -> Self {
        let mut lone = Self::fresh(Config::default());
        assert_eq!(lone.sent()[0].code, Code::CSM);
        assert_eq!(lone.receive(&[csm(max_message_size)]), []);
        lone
    }

    pub(crate) fn receive(&mut self, frames: &[Frame]) -> Vec<Frame> {
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::bytes).collect();
        self.receive_bytes(&bytes)
    }

    pub(crate) fn receive_bytes(&mut self, bytes: &[u8]) -> Vec<Frame> {
        self.endpoint.handle_stream(self.now, PEER, bytes);
        self.sent()
    }

    pub(crate) fn sent(&mut self) -> Vec<Frame> {
        frames(&self.sent_pieces().concat())
    }

    pub(crate) fn sent_pieces(&mut self) -> Vec<Vec<u8>> {
        let pieces = core::iter::from_fn(|| self.endpoint.poll_transmit());
        pieces.map(|transmit| transmit.payload.to_vec()).collect()
    }

    pub(crate) fn events(&mut self) -> Vec<Event> {
        core::iter::from_fn(|| self.endpoint.poll_event())
            .filter(|event| !matches!(event, Event::PeerIdle { .. }))
            .collect()
    }

    /// Advances the time, timer by timer.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.endpoint.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.endpoint.handle_timeout(self.now);
        }
        self.now = end;
    }

    /// Sends a request. Returns its message.
    pub(crate) fn ask(&mut self, request: Request) -> (lwm2m_coap::RequestId, Frame) {
        let id = self.endpoint.request(self.now, PEER, request).unwrap();
        let sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        (id, sent[0].clone())
    }

    /// The single request that the application has received.
    pub(crate) fn asked(&mut self) -> (ExchangeId, Request) {
        let events = self.events();
        match &events[..] {
            [Event::Request { exchange, request, .. }] => (*exchange, request.clone()),
            _ => panic!("not one request: {events:?}"),
        }
    }

    pub(crate) fn respond(&mut self, exchange: ExchangeId, response: Response) -> Vec<Frame> {
        self.endpoint.respond(self.now, exchange, response).unwrap();
        self.sent()
    }
}

/// Two endpoints on one connection.
pub(crate) struct StreamPair {
    pub(crate) now: Instant,
    pub(crate) sides: [Endpoint; 2],
    /// The bytes that each side sent.
    pub(crate) wire: [Vec<u8>; 2],
}

impl StreamPair {
    pub(crate) fn new(configs: [Config; 2]) -> Self {
        let now = Instant::from_millis(1_000);
        let mut sides = [1, 2].map(|seed| Endpoint::new(configs[seed - 1], [seed as u8; 32]));
        sides.iter_mut().for_each(|side| side.connected(now, PEER).unwrap());
        Self { now, sides, wire: [Vec::new(), Vec::new()] }
    }

    /// Transfers all bytes in pieces of these lengths, used cyclically.
    pub(crate) fn run(
        &mut self,
        lengths: &[usize],
        mut app: impl FnMut(&mut Endpoint, Instant, usize, Event),
    ) {
        let mut lengths = lengths.iter().copied().cycle();
        let mut busy = true;
        while core::mem::take(&mut busy) {
            for side in 0..2 {
                while let Some(event) = self.sides[side].poll_event() {
                    app(&mut self.sides[side], self.now, side, event);
                }
                let pieces = core::iter::from_fn(|| self.sides[side].poll_transmit());
                let bytes: Vec<u8> = pieces.flat_map(|piece| piece.payload.to_vec()).collect();
                busy |= !bytes.is_empty();
                self.wire[side].extend_from_slice(&bytes);
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let length = lengths.next().unwrap_or(1).clamp(1, rest.len());
                    let (piece, behind) = rest.split_at(length);
                    self.sides[1 - side].handle_stream(self.now, PEER, piece);
                    rest = behind;
                }
            }
        }
    }
}
