//! ClientHellos: cookies, and hellos in fragments (RFC 6347 sections 4.2.1 and 4.2.3).
//!
//! The first fragment of a hello has everything that a cookie depends on, so that the server asks
//! for the cookie without keeping the fragment. Only a first fragment with a valid cookie opens a
//! buffer, and fragments that come before it are dropped, because the client will repeat them.

use super::Endpoint;
use super::hosts::Hosts;
use crate::cookie::CookieCheck;
use crate::error::{HelloFlaw, Reason};
use crate::event::{SessionId, Transmit};
use crate::handshake::fragment::{FRAGMENT_HEADER, Fragment, Reassembly};
use crate::mode::Role;
use alloc::collections::BTreeMap;
use bytes::Bytes;
use core::net::SocketAddr;
use core::ops::ControlFlow;
use core::time::Duration;
use lwm2m_time::Instant;

/// The longest accepted ClientHello in bytes. A handshake keeps its hello; only a ticket with a
/// certificate chain makes it long.
const MAX_HELLO: usize = 4096;
/// The most hellos that wait for their rest. The oldest is evicted for a new one.
const MAX_WAITING: usize = 64;
/// The most hellos of one host that wait for their rest. The oldest of the host is evicted.
const MAX_WAITING_PER_HOST: usize = 8;

/// How often hellos without an answer are reported.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// The hellos that wait for their rest, the oldest first.
pub(super) struct Hellos {
    waiting: BTreeMap<SessionId, Waiting>,
    hosts: Hosts,
    /// Those that got no answer since the latest report.
    ignored: u64,
    next_report: Instant,
}

struct Waiting {
    peer: SocketAddr,
    /// The number and length of the message.
    message: (u16, usize),
    parts: Reassembly,
}

impl Default for Hellos {
    fn default() -> Self {
        let (waiting, hosts) = (BTreeMap::new(), Hosts::default());
        Self { waiting, hosts, ignored: 0, next_report: Instant::ZERO }
    }
}

impl Hellos {
    fn of(&mut self, peer: SocketAddr) -> Option<(SessionId, &mut Waiting)> {
        let mut all = self.waiting.iter_mut();
        all.find(|(_, it)| it.peer == peer).map(|(&id, waiting)| (id, waiting))
    }

    fn remove(&mut self, id: SessionId) -> Option<SocketAddr> {
        let peer = self.waiting.remove(&id)?.peer;
        self.hosts.remove(peer.ip(), id);
        Some(peer)
    }
}

impl Endpoint {
    /// Handles a ClientHello or a fragment of one. Without a valid cookie it gets one and leaves no
    /// state.
    pub(super) fn on_hello(
        &mut self,
        now: Instant,
        from: SocketAddr,
        hello: &Fragment<'_>,
        record_sequence: u64,
    ) -> ControlFlow<()> {
        if hello.length > MAX_HELLO {
            self.ignore_hello(now, from, HelloFlaw::TooLong);
            return ControlFlow::Continue(());
        }
        if hello.offset > 0 {
            self.add_to_hello(now, from, hello, record_sequence);
            return ControlFlow::Continue(());
        }
        match self.cookies.check(now, from, hello, record_sequence) {
            CookieCheck::Malformed => self.ignore_hello(now, from, HelloFlaw::Malformed),
            CookieCheck::Missing(request) => {
                let payload = Bytes::from(request);
                self.transmits.push_back(Transmit { peer: from, payload });
                return ControlFlow::Break(());
            }
            CookieCheck::Valid if hello.is_whole() => {
                self.on_verified_hello(now, from, hello, record_sequence);
            }
            CookieCheck::Valid => {
                self.await_rest(now, from, hello);
                self.add_to_hello(now, from, hello, record_sequence);
            }
        }
        ControlFlow::Continue(())
    }

    /// Opens a buffer for a hello, whose first fragment has a valid cookie.
    fn await_rest(&mut self, now: Instant, from: SocketAddr, hello: &Fragment<'_>) {
        let message = (hello.sequence, hello.length);
        match self.hellos.of(from) {
            Some((_, waiting)) if waiting.message == message => return,
            Some((earlier, _)) => self.forget_hello(earlier),
            None => {}
        }
        if self.hellos.hosts.count(from.ip()) >= MAX_WAITING_PER_HOST
            && let Some(oldest) = self.hellos.hosts.oldest(from.ip())
        {
            self.give_up_hello(oldest);
        }
        let oldest = self.hellos.waiting.first_key_value().map(|(&id, _)| id);
        if let Some(oldest) = oldest.filter(|_| self.hellos.waiting.len() >= MAX_WAITING) {
            self.give_up_hello(oldest);
        }
        let id = self.next_id();
        let parts = Reassembly::new(hello.sequence, MAX_HELLO + FRAGMENT_HEADER);
        self.hellos.hosts.add(from.ip(), id);
        self.hellos.waiting.insert(id, Waiting { peer: from, message, parts });
        self.timers.set(id, now + self.config().handshake_timeout);
    }

    /// Adds a fragment to the hello that waits for it, and handles the hello when it is complete.
    fn add_to_hello(
        &mut self,
        now: Instant,
        from: SocketAddr,
        fragment: &Fragment<'_>,
        record_sequence: u64,
    ) {
        // The rest of a hello that was asked for its cookie is expected, and needs no answer.
        let Some((id, waiting)) = self.hellos.of(from) else { return };
        if waiting.message != (fragment.sequence, fragment.length) {
            return;
        }
        waiting.parts.insert(fragment, 0);
        let Some(message) = waiting.parts.pop() else { return };
        self.forget_hello(id);
        let hello = Fragment { offset: 0, body: message.body(), ..*fragment };
        self.on_verified_hello(now, from, &hello, record_sequence);
    }

    /// Counts a hello that gets no answer, and reports such hellos from time to time.
    fn ignore_hello(&mut self, now: Instant, from: SocketAddr, flaw: HelloFlaw) {
        self.hellos.ignored += 1;
        if self.hellos.next_report <= now {
            let count = core::mem::take(&mut self.hellos.ignored);
            self.hellos.next_report = now + REPORT_INTERVAL;
            self.turn_away(from, Reason::IgnoredHellos { flaw, count });
        }
    }

    fn forget_hello(&mut self, id: SessionId) {
        self.hellos.remove(id);
        self.timers.cancel(id);
    }

    /// Reports that the rest of a hello has not arrived. Returns whether one waited under this id.
    pub(super) fn give_up_hello(&mut self, id: SessionId) -> bool {
        let Some(peer) = self.hellos.remove(id) else { return false };
        self.timers.cancel(id);
        self.turn_away(peer, Reason::IncompleteHello);
        true
    }

    /// Handles a ClientHello with a valid cookie: a retransmission, or a new handshake.
    fn on_verified_hello(
        &mut self,
        now: Instant,
        from: SocketAddr,
        hello: &Fragment<'_>,
        record_sequence: u64,
    ) {
        let known = self.handshake_by_address.get(&from).copied();
        let Some((id, earlier)) = known.and_then(|id| Some((id, self.handshakes.get(&id)?))) else {
            if self.admits(now, from.ip()) {
                self.accept(now, from, hello, record_sequence);
            }
            return;
        };
        if earlier.hello == hello.body {
            return self.on_fragment(now, id, hello);
        }
        // An attacker that has seen two hellos could replay them in turn to trigger a flight each.
        let is_too_soon = earlier.is_replacement && earlier.has_just_sent(now);
        if earlier.role == Role::Client || is_too_soon || !self.admits(now, from.ip()) {
            return;
        }
        self.abandon(id, Reason::Cancelled);
        self.accept(now, from, hello, record_sequence);
        let replacement = self.handshake_by_address.get(&from);
        if let Some(next) = replacement.and_then(|id| self.handshakes.get_mut(id)) {
            next.is_replacement = true;
        }
    }
}
