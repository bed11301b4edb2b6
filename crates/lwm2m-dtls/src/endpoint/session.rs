//! An established session on datagrams and the address of its peer: RFC 9146 section 6, RFC 9853.

use super::kept::Kept;
use crate::counters::SessionFingerprint;
use crate::handshake::output::Completed;
use crate::identity::Identity;
use crate::mode::Role;
use crate::records::Records;
use crate::resumption::CacheKey;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::net::SocketAddr;
use core::time::Duration;
use hashbrown::HashSet;
use lwm2m_time::Instant;

/// An unconfirmed address is sent at most this many times the bytes that came from it, plus
/// `INITIAL_BUDGET`: a server that waited for its device may have a block to send at once, and to
/// resend.
const AMPLIFICATION: usize = 3;
const INITIAL_BUDGET: usize = 4096;
/// An unanswered check is repeated with the next record after this time: RFC 9853 section 5.5.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);
/// The most entries of [`ClosedSessions`].
const MAX_CLOSED: usize = 16 * 1024;

/// An established session.
pub(super) struct Session {
    pub(super) peer: SocketAddr,
    candidate: Option<Box<Candidate>>,
    pub(super) records: Records,
    pub(super) identity: Identity,
    /// The server's cache entry for the session, which a fatal alert deletes.
    pub(super) cached: Option<CacheKey>,
    pub(super) role: Role,
    /// Exported copies of the session exist.
    pub(super) is_copied: bool,
    /// What a store has of the session, if it has been asked for.
    pub(super) kept: Option<Box<Kept>>,
}

/// The unconfirmed address of the newest record. Anybody who sees a record can forward it, and a
/// peer can lie about its address.
struct Candidate {
    address: SocketAddr,
    /// The bytes that may still be sent there.
    budget: usize,
    /// Whether something was sent there.
    is_probed: bool,
    /// The cookie of the latest check, and when it was sent.
    asked: Option<(Cookie, Instant)>,
}

impl Session {
    pub(super) fn new(
        peer: SocketAddr,
        role: Role,
        records: Records,
        completed: &Completed,
    ) -> Self {
        Self::of(peer, role, records, completed.identity.clone(), completed.cached)
    }

    /// Creates the session of an identity.
    pub(super) const fn of(
        peer: SocketAddr,
        role: Role,
        records: Records,
        identity: Identity,
        cached: Option<CacheKey>,
    ) -> Self {
        let (candidate, kept) = (None, None);
        Self { peer, candidate, records, identity, cached, role, is_copied: false, kept }
    }

    /// Lets data wait for new record numbers; `false` if it cannot wait.
    pub(super) fn waits(&mut self, now: Instant, data: &[u8]) -> bool {
        self.kept.as_mut().is_some_and(|kept| kept.hold(now, data))
    }

    /// Whether it is time to ask for a write of the counters.
    pub(super) fn asks(&mut self) -> bool {
        match (&mut self.kept, self.records.channel()) {
            (Some(kept), Some(channel)) => kept.asks(channel),
            _ => false,
        }
    }

    /// Returns where the peer was last.
    pub(super) fn path(&self) -> SocketAddr {
        let candidate = self.candidate.as_ref().filter(|candidate| candidate.budget > 0);
        candidate.map_or(self.peer, |candidate| candidate.address)
    }

    /// Returns the destination of the next `length` bytes.
    pub(super) fn downlink(&mut self, length: usize) -> SocketAddr {
        match &mut self.candidate {
            Some(candidate) if candidate.budget >= length => {
                candidate.budget -= length;
                candidate.is_probed = true;
                candidate.address
            }
            _ => self.peer,
        }
    }

    /// Notes that the newest record, of `length` bytes, came from the address.
    pub(super) fn follow(&mut self, now: Instant, from: SocketAddr, length: usize) -> PathChange {
        if from == self.peer {
            self.candidate = None;
            return PathChange::Stays;
        }
        let credit = length.saturating_mul(AMPLIFICATION);
        let checks = self.records.checks_paths();
        match &mut self.candidate {
            Some(candidate) if candidate.address == from => {
                if candidate.is_probed && !checks {
                    return self.move_to(from);
                }
                candidate.budget = candidate.budget.saturating_add(credit);
            }
            _ => {
                let budget = credit.saturating_add(INITIAL_BUDGET);
                let candidate = Candidate { address: from, budget, is_probed: false, asked: None };
                self.candidate = Some(Box::new(candidate));
            }
        }
        let asked = self.candidate.as_ref().and_then(|candidate| candidate.asked);
        let waits = asked.is_some_and(|(_, at)| now.saturating_since(at) < CHECK_TIMEOUT);
        if checks && !waits { PathChange::MayHaveMoved } else { PathChange::Stays }
    }

    /// Starts a check of the new address.
    pub(super) fn challenge(&mut self, now: Instant, cookie: Cookie) {
        if let Some(candidate) = &mut self.candidate {
            candidate.asked = Some((cookie, now));
        }
    }

    /// Handles an echoed cookie from the address.
    pub(super) fn confirm(&mut self, from: SocketAddr, cookie: Cookie) -> PathChange {
        let waits = |candidate: &Candidate| {
            candidate.address == from && candidate.asked.is_some_and(|(sent, _)| sent == cookie)
        };
        match self.candidate.as_deref().is_some_and(waits) {
            true => self.move_to(from),
            false => PathChange::Stays,
        }
    }

    fn move_to(&mut self, address: SocketAddr) -> PathChange {
        self.candidate = None;
        PathChange::Moved { earlier: core::mem::replace(&mut self.peer, address) }
    }
}

/// The consequence of a record's address.
pub(super) enum PathChange {
    /// The peer's address stays the same.
    Stays,
    /// The new address is to be checked.
    MayHaveMoved,
    /// The peer has confirmed the new address: it echoed the cookie, or without support of RFC
    /// 9853, it went on from there after we sent something.
    Moved { earlier: SocketAddr },
}

/// The cookie of a path message: RFC 9853 section 4.
pub(super) type Cookie = [u8; 8];

/// A path message (RFC 9853 section 4). path_drop is left out: we do not check the old path.
pub(super) enum PathMessage {
    Challenge(Cookie),
    Response(Cookie),
}

impl PathMessage {
    pub(super) fn encode(&self) -> [u8; 9] {
        let (kind, [a, b, c, d, e, f, g, h]) = match self {
            Self::Challenge(cookie) => (0, *cookie),
            Self::Response(cookie) => (1, *cookie),
        };
        [kind, a, b, c, d, e, f, g, h]
    }

    /// Unknown kinds are ignored.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (kind, cookie) = bytes.split_first()?;
        let cookie = cookie.try_into().ok()?;
        match kind {
            0 => Some(Self::Challenge(cookie)),
            1 => Some(Self::Response(cookie)),
            _ => None,
        }
    }
}

/// The fingerprints of the latest ended sessions of which sealed copies exist.
#[derive(Default)]
pub(super) struct ClosedSessions {
    known: HashSet<SessionFingerprint>,
    order: VecDeque<SessionFingerprint>,
}

impl ClosedSessions {
    pub(super) fn contains(&self, fingerprint: &SessionFingerprint) -> bool {
        self.known.contains(fingerprint)
    }

    pub(super) fn insert(&mut self, fingerprint: SessionFingerprint) {
        if !self.known.insert(fingerprint) {
            return;
        }
        if self.order.len() >= MAX_CLOSED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(fingerprint);
    }
}
