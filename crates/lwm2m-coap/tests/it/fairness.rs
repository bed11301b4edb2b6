//! Floods of some peers do not starve others.

use crate::pair::{Ack, Con, message};
use core::time::Duration;
use lwm2m_coap::{
    Code, Config, Endpoint, Event, ExchangeId, MessageView, OptionNumber, PeerId, Response,
};
use lwm2m_time::Instant;
use std::collections::{BTreeMap, VecDeque};

const QUIET: PeerId = PeerId(1_000_000);

/// An endpoint whose application answers requests one after another, slowly.
struct Slow {
    now: Instant,
    endpoint: Endpoint,
    queue: VecDeque<ExchangeId>,
    next_id: u16,
    /// The number of responses by peer and code.
    answers: BTreeMap<(PeerId, Code), u32>,
    /// How long the requests of the quiet peer waited.
    waits: Vec<Duration>,
    asked_at: Instant,
    most_waiting: usize,
}

impl Slow {
    fn new(config: Config) -> Self {
        Self {
            now: Instant::from_millis(1),
            endpoint: Endpoint::new(config, [1; 32]),
            queue: VecDeque::new(),
            next_id: 0,
            answers: BTreeMap::new(),
            waits: Vec::new(),
            asked_at: Instant::ZERO,
            most_waiting: 0,
        }
    }

    fn ask(&mut self, peer: PeerId) {
        self.next_id = self.next_id.wrapping_add(1);
        let get = message(Con, Code::GET, self.next_id, &self.next_id.to_be_bytes()).path("3");
        self.endpoint.handle_datagram(self.now, peer, &get.bytes());
        self.asked_at = if peer == QUIET { self.now } else { self.asked_at };
        self.settle();
    }

    fn settle(&mut self) {
        while let Some(event) = self.endpoint.poll_event() {
            if let Event::Request { exchange, .. } = event {
                self.queue.push_back(exchange);
            }
        }
        self.most_waiting = self.most_waiting.max(self.queue.len());
        while let Some(transmit) = self.endpoint.poll_transmit() {
            let view = MessageView::parse(&transmit.payload).unwrap();
            if view.code() == Code::EMPTY {
                continue;
            }
            if view.kind() == Con {
                let acknowledgement = message(Ack, Code::EMPTY, view.message_id(), b"").bytes();
                self.endpoint.handle_datagram(self.now, transmit.peer, &acknowledgement);
            }
            if view.code() == Code::SERVICE_UNAVAILABLE {
                assert_eq!(view.to_options().get_uint(OptionNumber::MAX_AGE), Some(60));
            }
            *self.answers.entry((transmit.peer, view.code())).or_default() += 1;
            if transmit.peer == QUIET {
                self.waits.push(self.now - self.asked_at);
            }
        }
    }

    /// The application answers the oldest request.
    fn work(&mut self, time: Duration) {
        self.now = self.now + time;
        self.endpoint.handle_timeout(self.now);
        if let Some(exchange) = self.queue.pop_front() {
            let content = Response::new(Code::CONTENT).payload("x");
            self.endpoint.respond(self.now, exchange, content).unwrap();
        }
        self.settle();
    }

    fn count(&self, peer: PeerId, code: Code) -> u32 {
        self.answers.get(&(peer, code)).copied().unwrap_or_default()
    }
}

/// `flooders` peers send ten times as many requests as the application can answer. Another peer
/// sends one request per 100 answers.
fn flood(config: Config, flooders: u64) -> Slow {
    let mut slow = Slow::new(config);
    for turn in 0..5_000_u64 {
        for number in 0..10 {
            slow.ask(PeerId((10 * turn + number) % flooders));
        }
        if turn % 100 == 50 {
            slow.ask(QUIET);
        }
        slow.work(Duration::from_millis(1));
    }
    while !slow.queue.is_empty() {
        slow.work(Duration::from_millis(1));
    }
    slow
}

#[test]
fn flood_of_one_peer_delays_others_by_its_own_bound_only() {
    let slow = flood(Config::default(), 1);
    assert_eq!(slow.count(QUIET, Code::CONTENT), 50);
    assert_eq!(slow.count(QUIET, Code::SERVICE_UNAVAILABLE), 0);
    let longest = slow.waits.iter().max().unwrap();
    assert!(*longest <= Duration::from_millis(66), "{longest:?}");
    assert!(slow.most_waiting <= 65, "{}", slow.most_waiting);
    let refused = slow.count(PeerId(0), Code::SERVICE_UNAVAILABLE);
    assert!(refused > 40_000, "{refused}");
    assert_eq!(slow.endpoint.statistics().dropped_overload, u64::from(refused));
}

#[test]
fn flood_of_many_peers_leaves_room_for_new_ones() {
    let config = Config::default().max_exchanges(1_000);
    let slow = flood(config, 50);
    assert_eq!(slow.count(QUIET, Code::CONTENT), 50);
    assert_eq!(slow.count(QUIET, Code::SERVICE_UNAVAILABLE), 0);
    assert!(slow.most_waiting <= 1_000, "{}", slow.most_waiting);
    // The flooding peers share the rest equally.
    let served = (0..50).map(|peer| slow.count(PeerId(peer), Code::CONTENT));
    let (least, most) = (served.clone().min().unwrap(), served.max().unwrap());
    assert!(least > 0 && most <= 2 * least, "{least} to {most}");
}
