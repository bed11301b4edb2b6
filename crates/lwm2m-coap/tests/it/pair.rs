//! An endpoint with a scripted peer, and a pair of endpoints on a bad network, on a virtual clock.

use core::time::Duration;
use lwm2m_coap::{
    Code, Config, Endpoint, Event, MessageBuilder, MessageType, MessageView, OptionNumber, Options,
    PeerId, Request, Response, Token,
};
use lwm2m_time::Instant;
use std::collections::BTreeMap;

pub(crate) use MessageType::{
    Acknowledgement as Ack, Confirmable as Con, NonConfirmable as Non, Reset as Rst,
};

/// The scripted peer.
pub(crate) const PEER: PeerId = PeerId(7);

/// The parts of a message, to be compared.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Message {
    pub(crate) kind: MessageType,
    pub(crate) code: Code,
    pub(crate) id: u16,
    pub(crate) token: Token,
    pub(crate) options: Options,
    pub(crate) payload: Vec<u8>,
}

/// A message to send.
pub(crate) fn message(kind: MessageType, code: Code, id: u16, token: &[u8]) -> Message {
    let token = Token::new(token).unwrap();
    Message { kind, code, id, token, options: Options::new(), payload: Vec::new() }
}

impl Message {
    pub(crate) fn option(mut self, number: OptionNumber, value: &[u8]) -> Self {
        self.options.push(number, value);
        self
    }

    pub(crate) fn uint(mut self, number: OptionNumber, value: u64) -> Self {
        self.options.push_uint(number, value);
        self
    }

    pub(crate) fn path(self, path: &str) -> Self {
        path.split('/').fold(self, |message, segment| {
            message.option(OptionNumber::URI_PATH, segment.as_bytes())
        })
    }

    /// The value of a Block option: number, more, size exponent.
    pub(crate) fn block(self, option: OptionNumber, number: u64, more: bool, szx: u64) -> Self {
        self.uint(option, number << 4 | u64::from(more) << 3 | szx)
    }

    pub(crate) fn payload(mut self, payload: &[u8]) -> Self {
        self.payload = payload.to_vec();
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        MessageBuilder::new(&mut bytes, self.kind, self.code, self.id, self.token)
            .options(&self.options)
            .payload(&self.payload);
        bytes
    }

    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let view = MessageView::parse(bytes).expect("endpoints send good messages");
        Self {
            kind: view.kind(),
            code: view.code(),
            id: view.message_id(),
            token: view.token(),
            options: view.to_options(),
            payload: view.payload().to_vec(),
        }
    }

    /// The value of a Block option: number, more, size exponent.
    pub(crate) fn block_value(&self, option: OptionNumber) -> Option<(u64, bool, u64)> {
        self.options.get_uint(option).map(|value| (value >> 4, value & 8 != 0, value & 7))
    }
}

/// One endpoint. The test plays its peer.
pub(crate) struct Lone {
    pub(crate) now: Instant,
    pub(crate) endpoint: Endpoint,
}

impl Lone {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        Self { now: Instant::from_millis(1_000), endpoint: Endpoint::new(config, [3; 32]) }
    }

    /// The peer sends a message. Returns what the endpoint sends at once.
    pub(crate) fn receive(&mut self, message: &Message) -> Vec<Message> {
        self.receive_bytes(&message.bytes())
    }

    pub(crate) fn receive_bytes(&mut self, bytes: &[u8]) -> Vec<Message> {
        self.endpoint.handle_datagram(self.now, PEER, bytes);
        self.sent()
    }

    pub(crate) fn sent(&mut self) -> Vec<Message> {
        self.sent_bytes().iter().map(|bytes| Message::parse(bytes)).collect()
    }

    pub(crate) fn sent_bytes(&mut self) -> Vec<Vec<u8>> {
        core::iter::from_fn(|| self.endpoint.poll_transmit())
            .map(|transmit| {
                assert!(transmit.payload.len() <= 1_152);
                transmit.payload.to_vec()
            })
            .collect()
    }

    /// The single message that the endpoint sends.
    pub(crate) fn sent_one(&mut self) -> Message {
        let sent = self.sent();
        assert_eq!(sent.len(), 1, "{sent:?}");
        sent[0].clone()
    }

    pub(crate) fn events(&mut self) -> Vec<Event> {
        core::iter::from_fn(|| self.endpoint.poll_event())
            .filter(|event| !matches!(event, Event::PeerIdle { .. }))
            .collect()
    }

    /// Advances the time, timer by timer. Returns what was sent, and when.
    pub(crate) fn pass(&mut self, time: Duration) -> Vec<(Instant, Message)> {
        let end = self.now + time;
        let mut sent = Vec::new();
        while let Some(at) = self.endpoint.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.endpoint.handle_timeout(self.now);
            sent.extend(self.sent().into_iter().map(|message| (self.now, message)));
        }
        self.now = end;
        sent
    }

    /// Sends a request. Returns its message.
    pub(crate) fn ask(&mut self, request: Request) -> (lwm2m_coap::RequestId, Message) {
        let id = self.endpoint.request(self.now, PEER, request).unwrap();
        (id, self.sent_one())
    }

    /// Answers the single request that the application has received.
    pub(crate) fn answer(&mut self, response: Response) -> Vec<Message> {
        let (exchange, _) = self.asked();
        self.endpoint.respond(self.now, exchange, response).unwrap();
        self.sent()
    }

    /// The single request that the application has received.
    pub(crate) fn asked(&mut self) -> (lwm2m_coap::ExchangeId, Request) {
        let events = self.events();
        match &events[..] {
            [Event::Request { exchange, request, .. }] => (*exchange, request.clone()),
            _ => panic!("not one request: {events:?}"),
        }
    }
}

/// The faults of a network, in percent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weather {
    pub(crate) loss: u64,
    pub(crate) duplication: u64,
    /// The longest delay. Delays are random, so messages are reordered.
    pub(crate) delay: u64,
}

/// Two endpoints that call each other [`PEER`].
pub(crate) struct Pair {
    pub(crate) now: Instant,
    pub(crate) sides: [Endpoint; 2],
    weather: Weather,
    random: u64,
    in_flight: BTreeMap<(Instant, u64), (usize, Vec<u8>)>,
    /// All messages, with the sending side.
    pub(crate) wire: Vec<(usize, Vec<u8>)>,
}

impl Pair {
    pub(crate) fn new(configs: [Config; 2], weather: Weather, seed: u64) -> Self {
        let [first, second] = configs;
        let key = |side: u8| {
            let mut key = [side; 32];
            key[..8].copy_from_slice(&seed.to_be_bytes());
            key
        };
        Self {
            now: Instant::ZERO,
            sides: [Endpoint::new(first, key(1)), Endpoint::new(second, key(2))],
            weather,
            random: seed.wrapping_mul(2).wrapping_add(1),
            in_flight: BTreeMap::new(),
            wire: Vec::new(),
        }
    }

    /// xorshift64.
    fn chance(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }

    fn carry(&mut self, from: usize, bytes: &[u8]) {
        self.wire.push((from, bytes.to_vec()));
        if self.chance(100) < self.weather.loss {
            return;
        }
        let copies = 1 + u64::from(self.chance(100) < self.weather.duplication);
        for _ in 0..copies {
            let delay = 1 + self.chance(self.weather.delay + 1);
            let at = self.now + Duration::from_millis(delay);
            let order = self.chance(u64::MAX);
            self.in_flight.insert((at, order), (1 - from, bytes.to_vec()));
        }
    }

    /// Runs to `until`, or until nothing is pending. Passes each event to the application.
    pub(crate) fn run(
        &mut self,
        until: Instant,
        mut app: impl FnMut(&mut Endpoint, Instant, usize, Event),
    ) {
        loop {
            for side in 0..2 {
                while let Some(event) = self.sides[side].poll_event() {
                    app(&mut self.sides[side], self.now, side, event);
                }
                while let Some(transmit) = self.sides[side].poll_transmit() {
                    self.carry(side, &transmit.payload);
                }
            }
            let timeouts = self.sides.iter().filter_map(Endpoint::poll_timeout).min();
            let arrival = self.in_flight.keys().next().map(|(at, _)| *at);
            let Some(next) = timeouts.into_iter().chain(arrival).min() else { return };
            if next > until {
                self.now = until;
                return;
            }
            self.now = self.now.max(next);
            if arrival == Some(next) {
                let (_, (to, bytes)) = self.in_flight.pop_first().unwrap();
                self.sides[to].handle_datagram(self.now, PEER, &bytes);
            } else {
                self.sides.iter_mut().for_each(|side| side.handle_timeout(self.now));
            }
        }
    }
}
