//! A load of CoAP requests over UDP that costs far less than what it measures; with DTLS, as much.
//!
//! It is made of message views and sockets alone. Each socket is a peer of its own to the server,
//! with a window of confirmable requests under way; what is not answered is sent again as RFC
//! 7252 section 4.2 says. A peer has no more than 32,768 message IDs here: while the server remembers
//! them (247 s), none comes again.

mod wire;

use crate::clock::Clock;
use crate::coap::Security;
use lwm2m_coap::{
    Code, MessageBuilder, MessageType, MessageView, Request, Token, TransmissionParams,
};
use lwm2m_link::HandshakeFailure;
use lwm2m_time::{Instant, TimerTable};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinSet;
use wire::Wire;

/// Requests that one socket may send: half of the message IDs, so that none is used twice however
/// runs follow each other.
pub const MAX_PER_SOCKET: u32 = 32_768;
/// The largest datagram of RFC 7252, and some room for those who send larger ones.
const DATAGRAM: usize = 2_048;
/// Datagrams taken from a socket before its window is filled again.
const BATCH: usize = 64;

/// What to send and how much of it.
#[derive(Debug, Clone)]
pub struct Load {
    /// Where to.
    pub server: SocketAddr,
    /// Which request; its payload must fit into one message.
    pub request: Request,
    /// The keys, if the server is to be reached by sessions of DTLS: one a socket.
    pub security: Option<Security>,
    /// How often, over all sockets.
    pub requests: u64,
    /// How many sockets, which are as many peers.
    pub sockets: u32,
    /// How many requests each has under way, from 1 to 1,024.
    pub window: u16,
    /// When to stop in any case.
    pub at_most: Duration,
}

/// Why a load could not begin.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A socket cannot be opened, usually because too many files are open.
    #[error("a socket cannot be opened: {0}")]
    Socket(#[from] io::Error),
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] lwm2m_dtls::Error),
    /// The server does not take the keys.
    #[error("{0}")]
    NoSession(HandshakeFailure),
}

impl From<HandshakeFailure> for LoadError {
    fn from(failure: HandshakeFailure) -> Self {
        Self::NoSession(failure)
    }
}

/// What came of a load.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Requests that were answered with success.
    pub succeeded: u64,
    /// Requests that were answered with an error.
    pub refused: u64,
    /// Requests that were rejected by a Reset or never answered.
    pub failed: u64,
    /// Requests that were under way or not sent at all when the time was over.
    pub unfinished: u64,
    /// Messages that were sent again.
    pub retransmitted: u64,
    /// From the first handshake to the last, all at a time; nothing without security.
    pub handshakes: Duration,
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// From each request to its answer, in microseconds, in ascending order.
    pub latencies: Vec<u32>,
}

impl Report {
    /// The latency that `share` of all requests, from 0 to 1, do not exceed.
    #[must_use]
    pub fn latency(&self, share: f64) -> Duration {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let place = (share * self.latencies.len() as f64).ceil() as usize;
        let micros = self.latencies.get(place.saturating_sub(1)).copied().unwrap_or_default();
        Duration::from_micros(micros.into())
    }

    /// Answered requests a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        (self.succeeded + self.refused) as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    fn add(&mut self, other: Self) {
        self.succeeded += other.succeeded;
        self.refused += other.refused;
        self.failed += other.failed;
        self.unfinished += other.unfinished;
        self.retransmitted += other.retransmitted;
        self.elapsed = self.elapsed.max(other.elapsed);
        self.latencies.extend(other.latencies);
    }
}

/// Runs a load to its end. `seed` spreads the message IDs and the first timeouts, and with security
/// must be unpredictable.
///
/// # Errors
/// See [`LoadError`].
pub async fn run(load: &Load, seed: [u8; 32]) -> Result<Report, LoadError> {
    let clock = Clock::start();
    let deadline = clock.now() + load.at_most;
    let wires = open(load, clock, seed).await?;
    let handshakes = match load.security {
        Some(_) => clock.now().saturating_since(Instant::ZERO),
        None => Duration::ZERO,
    };
    let mut tasks = JoinSet::new();
    let sockets = wires.len() as u64;
    for (number, wire) in (0..sockets).zip(wires) {
        let share = load.requests / sockets + u64::from(number < load.requests % sockets);
        let share = u32::try_from(share).unwrap_or(u32::MAX).min(MAX_PER_SOCKET);
        let byte = |place: usize| u64::from(seed.get(place).copied().unwrap_or_default());
        let random = (byte(0) | byte(1) << 8 | byte(2) << 16).wrapping_add(number * 40_503);
        let sender = Sender::new(wire, load, share, clock, random);
        tasks.spawn(sender.run(deadline));
    }
    let mut report = Report { handshakes, ..Report::default() };
    while let Some(done) = tasks.join_next().await {
        report.add(done.map_err(io::Error::other)?);
    }
    report.unfinished = load.requests - (report.succeeded + report.refused + report.failed);
    report.latencies.sort_unstable();
    Ok(report)
}

/// Opens all sockets, with their handshakes at a time.
async fn open(load: &Load, clock: Clock, seed: [u8; 32]) -> Result<Vec<Wire>, LoadError> {
    let mut tasks = JoinSet::new();
    for number in 0..load.sockets.max(1) {
        let mut own = seed;
        own.iter_mut().zip(number.to_le_bytes()).for_each(|(byte, other)| *byte ^= other);
        let (server, security) = (load.server, load.security.clone());
        tasks.spawn(async move { Wire::open(server, security.as_ref(), clock, own).await });
    }
    let mut wires = Vec::new();
    while let Some(done) = tasks.join_next().await {
        wires.push(done.map_err(io::Error::other)??);
    }
    Ok(wires)
}

/// A request under way.
#[derive(Debug, Clone, Copy)]
struct Pending {
    message_id: u16,
    /// First sent.
    sent: Instant,
    /// The wait after the latest transmission; none after an empty acknowledgement.
    wait: Duration,
    transmissions: u32,
}

/// One socket and its window.
struct Sender {
    wire: Wire,
    clock: Clock,
    request: Request,
    params: TransmissionParams,
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
    fn new(wire: Wire, load: &Load, left: u32, clock: Clock, random: u64) -> Self {
        let window = load.window.clamp(1, 1_024);
        Self {
            wire,
            clock,
            request: load.request.clone(),
            params: TransmissionParams::default(),
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

    async fn run(mut self, deadline: Instant) -> Report {
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
            // The response comes by itself; it is not asked for again.
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
