//! An established session, and where its peer is: RFC 9146 section 6, RFC 9853.

use crate::channel::Channel;
use crate::identity::Identity;
use crate::resumption::CacheKey;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::net::SocketAddr;
use core::time::Duration;
use hashbrown::HashSet;
use lwm2m_time::Instant;

/// An unproved address is sent no more than so many times what came from it, and these bytes: a
/// server that waited for its device may have a block for it at once, and to send it again.
const AMPLIFICATION: usize = 3;
const FIRST_WORDS: usize = 4096;
/// A check that is not answered in this time is made again with the next record: RFC 9853 section
/// 5.5.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);
/// So many closed sessions are remembered that copies may exist of.
const MAX_SPENT: usize = 16 * 1024;

/// An established session.
pub(super) struct Session {
    pub(super) peer: SocketAddr,
    candidate: Option<Box<Candidate>>,
    pub(super) channel: Channel,
    pub(super) identity: Identity,
    /// Where it is in the cache, which must forget it after a fatal alert.
    pub(super) cached: Option<CacheKey>,
    /// Sealed copies of it exist.
    pub(super) is_copied: bool,
}

/// Where the peer seems to be: the newest record came from there, but anybody who can see records
/// can send them on, and a peer may lie about its address.
struct Candidate {
    address: SocketAddr,
    /// How many bytes may be sent there.
    budget: usize,
    /// Something was sent there.
    is_probed: bool,
    /// What was last sent there to be echoed, and when.
    asked: Option<(Cookie, Instant)>,
}

impl Session {
    pub(super) fn new(
        peer: SocketAddr,
        channel: Channel,
        identity: Identity,
        cached: Option<CacheKey>,
    ) -> Self {
        Self { peer, candidate: None, channel, identity, cached, is_copied: false }
    }

    /// Where the next so many bytes go.
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

    /// Takes note that the newest record, of so many bytes, came from the address.
    pub(super) fn follow(&mut self, now: Instant, from: SocketAddr, length: usize) -> PathChange {
        if from == self.peer {
            self.candidate = None;
            return PathChange::Stays;
        }
        let credit = length.saturating_mul(AMPLIFICATION);
        let checks = self.channel.return_routability_check;
        match &mut self.candidate {
            Some(candidate) if candidate.address == from => {
                if candidate.is_probed && !checks {
                    return self.move_to(from);
                }
                candidate.budget = candidate.budget.saturating_add(credit);
            }
            _ => {
                let budget = credit.saturating_add(FIRST_WORDS);
                let candidate = Candidate { address: from, budget, is_probed: false, asked: None };
                self.candidate = Some(Box::new(candidate));
            }
        }
        let asked = self.candidate.as_ref().and_then(|candidate| candidate.asked);
        let waits = asked.is_some_and(|(_, at)| now.saturating_since(at) < CHECK_TIMEOUT);
        if checks && !waits { PathChange::MayHaveMoved } else { PathChange::Stays }
    }

    /// Puts a cookie into the check of the new address.
    pub(super) fn challenge(&mut self, now: Instant, cookie: Cookie) {
        if let Some(candidate) = &mut self.candidate {
            candidate.asked = Some((cookie, now));
        }
    }

    /// Takes a cookie back that came from the address.
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

/// What the newest record's address means.
pub(super) enum PathChange {
    /// Nothing new, or not enough.
    Stays,
    /// The peer is to be asked whether it is there.
    MayHaveMoved,
    /// The peer is there: it echoed the cookie that was sent there; or, if it does not know of
    /// such checks, it went on from there after it was sent something.
    Moved { earlier: SocketAddr },
}

/// What only who is at an address can know: RFC 9853 section 4.
pub(super) type Cookie = [u8; 8];

/// A message of RFC 9853 that matters to us: the old path is not asked, so nobody drops it.
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

/// Sessions that are over although sealed copies of them exist: the latest, up to a bound.
#[derive(Default)]
pub(super) struct ClosedSessions {
    known: HashSet<[u8; 16]>,
    order: VecDeque<[u8; 16]>,
}

impl ClosedSessions {
    pub(super) fn contains(&self, fingerprint: &[u8; 16]) -> bool {
        self.known.contains(fingerprint)
    }

    pub(super) fn insert(&mut self, fingerprint: [u8; 16]) {
        if !self.known.insert(fingerprint) {
            return;
        }
        if self.order.len() >= MAX_SPENT
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        self.order.push_back(fingerprint);
    }
}
