//! A load of CoAP requests over UDP or DTLS that costs the machine far less than what it measures.
//!
//! Each socket is a peer to the server, with a window of confirmable requests under way. A request
//! without an answer is sent again as RFC 7252 section 4.2 says.

use super::sender::Sender;
use super::wire::Wire;
use lwm2m_coap::Request;
use lwm2m_net::Clock;
use lwm2m_net::coap::Security;
use lwm2m_time::Instant;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::task::JoinSet;

/// Requests that one socket may send: half of the message IDs, so that runs in a row reuse none
/// while the server still remembers it (247 s).
pub(super) const MAX_PER_SOCKET: u32 = 32_768;

/// What to send and how much of it.
#[derive(Debug, Clone)]
pub(super) struct Load {
    /// The address of the server.
    pub(super) server: SocketAddr,
    /// The request; its payload must fit into one message.
    pub(super) request: Request,
    /// The keys of DTLS sessions, one session a socket. `None` sends in the clear.
    pub(super) security: Option<Security>,
    /// Number of requests, over all sockets.
    pub(super) requests: u64,
    /// Number of sockets; each is a peer to the server.
    pub(super) sockets: u32,
    /// Requests that each socket has under way, from 1 to 1,024.
    pub(super) window: u16,
    /// Time after which the load ends, finished or not.
    pub(super) at_most: Duration,
}

/// The load could not begin.
#[derive(Debug, thiserror::Error)]
pub(super) enum LoadError {
    /// A socket cannot be opened, usually because too many files are open.
    #[error("a socket cannot be opened: {0}")]
    Socket(#[from] io::Error),
    /// The keys cannot be used.
    #[error(transparent)]
    Keys(#[from] lwm2m_dtls::Error),
    /// The handshake failed.
    #[error("the handshake with the server failed: {0}")]
    NoSession(lwm2m_dtls::Reason),
}

/// Counts and times of a load.
#[derive(Debug, Clone, Default)]
pub(super) struct Report {
    /// Requests that were answered with success.
    pub(super) succeeded: u64,
    /// Requests that were answered with an error.
    pub(super) refused: u64,
    /// Requests that were rejected by a Reset or never answered.
    pub(super) failed: u64,
    /// Requests that had no answer, or were not sent, when the time was over.
    pub(super) unfinished: u64,
    /// Messages that were sent again.
    pub(super) retransmitted: u64,
    /// Time of the handshakes, which run at the same time. Zero without security.
    pub(super) handshakes: Duration,
    /// From the first request to the last answer.
    pub(super) elapsed: Duration,
    /// From each request to its answer, in microseconds, in ascending order.
    pub(super) latencies: Vec<u32>,
}

impl Report {
    /// The latency that `share` of all requests, from 0 to 1, do not exceed.
    pub(super) fn latency(&self, share: f64) -> Duration {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let place = (share * self.latencies.len() as f64).ceil() as usize;
        let micros = self.latencies.get(place.saturating_sub(1)).copied().unwrap_or_default();
        Duration::from_micros(micros.into())
    }

    /// Answered requests a second.
    pub(super) fn rate(&self) -> f64 {
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

/// Runs a load to its end. `seed` spreads the message IDs and the first timeouts; with security it
/// must be unpredictable.
pub(super) async fn run(load: &Load, seed: [u8; 32]) -> Result<Report, LoadError> {
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

/// Opens all sockets; their handshakes run at the same time.
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
