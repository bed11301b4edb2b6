//! An established session, and where its peer is: RFC 9146 section 6.

use crate::channel::Channel;
use crate::identity::Identity;
use crate::resumption::CacheKey;
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use core::net::SocketAddr;
use hashbrown::HashSet;

/// An unproved address is sent no more than so many times what came from it, and these bytes: a
/// server that waited for its device may have a block for it at once, and to send it again.
const AMPLIFICATION: usize = 3;
const FIRST_WORDS: usize = 4096;
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

    /// Takes note that the newest record, of so many bytes, came from the address. If the peer has
    /// moved there, which it has when it went on from there after it was sent something, returns
    /// where it was before.
    pub(super) fn follow(&mut self, from: SocketAddr, length: usize) -> Option<SocketAddr> {
        let credit = length.saturating_mul(AMPLIFICATION);
        if from == self.peer {
            self.candidate = None;
            return None;
        }
        match &mut self.candidate {
            Some(candidate) if candidate.address == from && candidate.is_probed => {
                self.candidate = None;
                return Some(core::mem::replace(&mut self.peer, from));
            }
            Some(candidate) if candidate.address == from => {
                candidate.budget = candidate.budget.saturating_add(credit);
            }
            _ => {
                let budget = credit.saturating_add(FIRST_WORDS);
                let candidate = Candidate { address: from, budget, is_probed: false };
                self.candidate = Some(Box::new(candidate));
            }
        }
        None
    }
}

/// Sessions that are over although sealed copies of them exist: the latest, up to a bound.
#[derive(Default)]
pub(super) struct Spent {
    known: HashSet<[u8; 16]>,
    order: VecDeque<[u8; 16]>,
}

impl Spent {
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
