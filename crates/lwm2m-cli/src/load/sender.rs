//! One socket of a load: a window of requests under way, retransmission and counts.

use super::generator::{Load, Report};
use super::wire::Wire;
use lwm2m_coap::{
    Code, MessageBuilder, MessageType, MessageView, Request, Token, TransmissionParameters,
};
use lwm2m_net::Clock;
use lwm2m_time::{Instant, TimerTable};
use std::time::Duration;

/// The longest datagram that is taken in: that of RFC 7252, and some room.
pub(super) const DATAGRAM: usize = 2_048;
/// Datagrams taken from a socket before its window is filled again.
const BATCH: usize = 64;

/// A request under way.
#[derive(Debug, Clone, Copy)]
struct Pending {
    message_id: u16,
    /// First sent.
    sent: Instant,
    /// The wait after the latest transmission.
    wait: Duration,
    transmissions: u32,
}

/// One socket and its window.
pub(super) struct Sender {
    wire: Wire,
    clock: Clock,
    request: Request,
    params: TransmissionParameters,
    first_id: u16,
    random: u64,
    left: u32,
    started: u32,
    /// By slot; the token of a message is its slot and its number.
    window: Vec<Option<Pending>>,
    free: Vec<u16>,
    timers: TimerTable<u16>,
    buffer: Vec<u8>,
    report: Report,
}

impl Sender {
    pub(super) fn new(wire: Wire, load: &Load, left: u32, clock: Clock, random: u64) -> Self {
        let window = load.window.clamp(1, 1_024);
        Self {
            wire,
            clock,
            request: load.request.clone(),
            params: TransmissionParameters::default(),
            first_id: random as u16,
            random,
            left,
            started: 0,
            window: vec![None; window.into()],
            free: (0..window).rev().collect(),
            timers: TimerTable::new(),
            buffer: Vec::new(),
            report: Report::default(),
        }
    }

    /// Sends until all requests are done or the deadline passes.
    pub(super) async fn run(mut self, deadline: Instant) -> Report {
        let start = self.clock.now();
        let mut datagram = vec![0; DATAGRAM];
        loop {
            self.fill();
            let now = self.clock.now();
            if self.timers.is_empty() || now >= deadline {
                break;
            }
            let wake = self.timers.next().unwrap_or(deadline).min(deadline);
            let arrived = tokio::time::timeout_at(self.clock.to_tokio(wake), self.wire.readable());
            match arrived.await {
                Ok(_) => self.receive(&mut datagram),
                Err(_) => self.expire(),
            }
        }
        self.report.elapsed = self.clock.now().saturating_since(start);
        self.report
    }

    /// Starts requests until the window is full.
    fn fill(&mut self) {
        while self.left > 0
            && let Some(slot) = self.free.pop()
        {
            self.left -= 1;
            let now = self.clock.now();
            let wait = self.first_wait();
            let message_id = self.first_id.wrapping_add(self.started as u16);
            self.started += 1;
            let pending = Pending { message_id, sent: now, wait, transmissions: 1 };
            self.put(slot, Some(pending));
            self.timers.set(slot, now + wait);
            self.transmit(slot, message_id);
        }
    }

    /// ACK_TIMEOUT times a factor from 1 to ACK_RANDOM_FACTOR.
    fn first_wait(&mut self) -> Duration {
        // The numbers of Knuth's MMIX: good enough to spread timeouts.
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
        let above_one = u64::from(self.params.ack_random_factor.saturating_sub(1_000));
        let factor = 1_000 + (self.random >> 33) % (above_one + 1);
        self.params.ack_timeout * u32::try_from(factor).unwrap_or(1_000) / 1_000
    }

    fn transmit(&mut self, slot: u16, message_id: u16) {
        let mut token = [0; 4];
        token[..2].copy_from_slice(&slot.to_be_bytes());
        token[2..].copy_from_slice(&message_id.to_be_bytes());
        let token = Token::new(&token).unwrap_or(Token::EMPTY);
        self.buffer.clear();
        let Request { code, options, payload, .. } = &self.request;
        MessageBuilder::new(&mut self.buffer, MessageType::Confirmable, *code, message_id, token)
            .options(options)
            .payload(payload);
        // If it is lost, it is sent again.
        self.wire.send(self.clock.now(), &self.buffer);
    }

    fn receive(&mut self, datagram: &mut [u8]) {
        for _ in 0..BATCH {
            let Some(length) = self.wire.receive(self.clock.now(), datagram) else { return };
            let bytes = datagram.get(..length).unwrap_or_default();
            if let Ok(view) = MessageView::parse(bytes) {
                self.handle(&view);
            }
        }
    }

    fn handle(&mut self, view: &MessageView<'_>) {
        let code = view.code();
        if view.kind() == MessageType::Confirmable {
            self.acknowledge(view.message_id());
        }
        if code.is_response() {
            if let [a, b, c, d] = *view.token().as_bytes() {
                let (slot, message_id) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
                self.answered(slot, message_id, code);
            }
        } else if code == Code::EMPTY {
            self.empty(view.kind(), view.message_id());
        }
    }

    fn answered(&mut self, slot: u16, message_id: u16, code: Code) {
        let Some(pending) = self.pending(slot).filter(|it| it.message_id == message_id) else {
            return;
        };
        let latency = self.clock.now().saturating_since(pending.sent);
        self.report.latencies.push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
        if code.is_success() {
            self.report.succeeded += 1;
        } else {
            self.report.refused += 1;
        }
        self.end(slot);
    }

    /// An empty acknowledgement, or a Reset.
    fn empty(&mut self, kind: MessageType, message_id: u16) {
        let is_it = |it: &Option<Pending>| it.is_some_and(|it| it.message_id == message_id);
        let Some(slot) = self.window.iter().position(is_it) else { return };
        let Ok(slot) = u16::try_from(slot) else { return };
        if kind == MessageType::Reset {
            self.report.failed += 1;
            self.end(slot);
        } else if kind == MessageType::Acknowledgement
            && let Some(pending) = self.pending(slot)
        {
            // A separate response follows; the request is not sent again.
            let transmissions = u32::MAX;
            self.put(slot, Some(Pending { transmissions, ..pending }));
            self.timers.set(slot, self.clock.now() + self.params.response_timeout);
        }
    }

    fn acknowledge(&mut self, message_id: u16) {
        self.buffer.clear();
        let kind = MessageType::Acknowledgement;
        MessageBuilder::new(&mut self.buffer, kind, Code::EMPTY, message_id, Token::EMPTY)
            .payload(b"");
        // If it is lost, the server sends its response again.
        self.wire.send(self.clock.now(), &self.buffer);
    }

    fn expire(&mut self) {
        let now = self.clock.now();
        while let Some(slot) = self.timers.pop_expired(now) {
            let Some(pending) = self.pending(slot) else { continue };
            if pending.transmissions > self.params.max_retransmit {
                self.report.failed += 1;
                self.end(slot);
                continue;
            }
            let (wait, transmissions) = (pending.wait * 2, pending.transmissions + 1);
            self.put(slot, Some(Pending { wait, transmissions, ..pending }));
            self.timers.set(slot, now + wait);
            self.report.retransmitted += 1;
            self.transmit(slot, pending.message_id);
        }
    }

    fn pending(&self, slot: u16) -> Option<Pending> {
        self.window.get(usize::from(slot)).copied().flatten()
    }

    fn put(&mut self, slot: u16, pending: Option<Pending>) {
        if let Some(place) = self.window.get_mut(usize::from(slot)) {
            *place = pending;
        }
    }

    fn end(&mut self, slot: u16) {
        self.put(slot, None);
        self.timers.cancel(slot);
        self.free.push(slot);
    }
}
