//! Request bodies that are being assembled, and responses whose blocks peers fetch: RFC 7959
//! sections 2.4 and 2.5.

use super::key::{RequestKey, digest, same_body};
use crate::admit::Sender;
use crate::config::Config;
use crate::ids::PeerId;
use crate::message::{Code, Options};
use crate::response::Response;
use crate::table::shrink;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;
use hashbrown::HashMap;
use lwm2m_time::{Instant, TimerTable};

/// A request body that is incomplete, or complete and answered.
#[derive(Clone, Debug)]
pub(super) struct Assembly {
    pub(super) code: Code,
    /// The options that all blocks of the body have in common.
    pub(super) options: Options,
    pub(super) body: Gathered,
    /// The bytes of the last block.
    pub(super) last: usize,
}

impl Assembly {
    /// Whether `payload` at `offset` is the block that came last.
    pub(super) fn ends_with(&self, offset: usize, payload: &[u8]) -> bool {
        let same = match &self.body {
            Gathered::Kept(bytes) => bytes.ends_with(payload),
            Gathered::HandedOut(_, last) | Gathered::Answered(_, last, _) => {
                *last == digest(payload)
            }
        };
        same && payload.len() == self.last && offset.checked_add(self.last) == Some(self.body.len())
    }
}

/// How much of the body of a request has come.
#[derive(Clone, Debug)]
pub(super) enum Gathered {
    /// Its bytes, which the application gets when it is complete.
    Kept(Vec<u8>),
    /// The number of bytes that the application has got already, and the digest of the last block.
    HandedOut(usize, u64),
    /// As `HandedOut`, of a complete body, and the answer to it: for a last block that is repeated
    /// under a new message ID.
    Answered(usize, u64, Box<Response>),
}

impl Gathered {
    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Kept(bytes) => bytes.len(),
            Self::HandedOut(length, _) | Self::Answered(length, ..) => *length,
        }
    }

    fn kept(&self) -> usize {
        match self {
            Self::Kept(bytes) => bytes.len(),
            Self::HandedOut(..) => 0,
            Self::Answered(_, _, answer) => {
                answer.options.as_encoded().len() + answer.payload.len()
            }
        }
    }
}

/// A response that is longer than a block, kept while its blocks are fetched.
#[derive(Clone, Debug)]
pub(super) struct CachedResponse {
    pub(super) key: RequestKey,
    pub(super) response: Response,
}

/// The bytes that the store needs per body besides its content: table entry and timer.
const OVERHEAD: usize = 256;

trait Body {
    /// The bytes that count towards the limit of the store.
    fn bytes(&self) -> usize;
}

impl Body for Assembly {
    fn bytes(&self) -> usize {
        OVERHEAD + self.body.kept() + self.options.as_encoded().len()
    }
}

impl Body for CachedResponse {
    fn bytes(&self) -> usize {
        let options = self.key.bytes() + self.response.options.as_encoded().len();
        OVERHEAD + options + self.response.payload.len()
    }
}

/// The bodies of all peers.
#[derive(Debug)]
pub(super) struct Bodies {
    assemblies: Store<Assembly>,
    cached: Store<CachedResponse>,
    /// Whose share new bodies belong to.
    share: Share,
}

/// Two kinds of peers that cannot take more than half of the room from each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Share {
    /// Peers that have sessions.
    Proven = 0,
    Others = 1,
}

impl Bodies {
    pub(super) fn new(config: &Config) -> Self {
        let (lifetime, per_peer) = (config.body_lifetime, config.max_assemblies_per_peer);
        Self {
            assemblies: Store::new(lifetime, per_peer, config.max_assembly_total),
            cached: Store::new(lifetime, per_peer, config.max_cached_total),
            share: Share::Proven,
        }
    }

    /// New bodies belong to a sender of this kind until the next call.
    pub(super) fn serve(&mut self, sender: Sender) {
        self.share = match sender {
            Sender::Proven => Share::Proven,
            Sender::Known | Sender::Stranger => Share::Others,
        };
    }

    pub(super) fn knows(&self, peer: PeerId) -> bool {
        self.assemblies.by_peer.contains_key(&peer) || self.cached.by_peer.contains_key(&peer)
    }

    pub(super) fn next(&self) -> Option<Instant> {
        self.assemblies.next().into_iter().chain(self.cached.next()).min()
    }

    pub(super) const fn take_evicted(&mut self) -> u64 {
        core::mem::replace(&mut self.assemblies.evicted, 0)
            + core::mem::replace(&mut self.cached.evicted, 0)
    }

    /// Drops expired bodies and appends their peers to `touched`.
    pub(super) fn expire(&mut self, now: Instant, touched: &mut Vec<PeerId>) {
        self.assemblies.expire(now, touched);
        self.cached.expire(now, touched);
    }

    /// Gives memory back, if that of most peers has gone.
    pub(super) fn shrink(&mut self) {
        shrink(&mut self.assemblies.by_peer);
        shrink(&mut self.cached.by_peer);
    }

    pub(super) fn remove_peer(&mut self, peer: PeerId) {
        self.assemblies.remove_peer(peer);
        self.cached.remove_peer(peer);
    }

    /// Takes the incomplete body that a block continues.
    pub(super) fn take_assembly(
        &mut self,
        peer: PeerId,
        code: Code,
        options: &Options,
    ) -> Option<Assembly> {
        self.assemblies.take(peer, |body| body.code == code && same_body(&body.options, options))
    }

    pub(super) fn keep_assembly(
        &mut self,
        now: Instant,
        peer: PeerId,
        assembly: Assembly,
        touched: &mut Vec<PeerId>,
    ) {
        self.assemblies.insert(now, peer, self.share, assembly, touched);
    }

    /// The cached response whose next block a request fetches.
    pub(super) fn cached(
        &mut self,
        now: Instant,
        peer: PeerId,
        continues: impl Fn(&RequestKey) -> bool,
    ) -> Option<&Response> {
        let cached = self.cached.touch(now, peer, |cached| continues(&cached.key))?;
        Some(&cached.response)
    }

    /// Caches a response. Replaces an older one to the same request.
    pub(super) fn cache(
        &mut self,
        now: Instant,
        peer: PeerId,
        cached: CachedResponse,
        touched: &mut Vec<PeerId>,
    ) {
        self.forget_cached(peer, &cached.key);
        self.cached.insert(now, peer, self.share, cached, touched);
    }

    pub(super) fn forget_cached(&mut self, peer: PeerId, key: &RequestKey) {
        self.cached.take(peer, |cached| cached.key == *key);
    }
}

/// Names a body of a peer. Its lowest bit is the share that it belongs to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Serial(u64);

impl Serial {
    const fn new(number: u64, share: Share) -> Self {
        Self(number << 1 | share as u64)
    }

    const fn share(self) -> Share {
        if self.0 & 1 == 0 { Share::Proven } else { Share::Others }
    }
}

/// What the bodies of a share take, and when they expire.
#[derive(Debug, Default)]
struct Taken {
    bytes: usize,
    deadlines: TimerTable<(PeerId, Serial)>,
}

/// Bodies of one kind, bounded per peer and in total. Evicts the least recently used one of the
/// share that takes more than half of the room.
#[derive(Debug)]
struct Store<T> {
    by_peer: HashMap<PeerId, Vec<(Serial, T)>>,
    proven: Taken,
    others: Taken,
    next_serial: u64,
    evicted: u64,
    lifetime: Duration,
    max_per_peer: usize,
    max_bytes: usize,
}

impl<T: Body> Store<T> {
    fn new(lifetime: Duration, max_per_peer: usize, max_bytes: usize) -> Self {
        Self {
            by_peer: HashMap::new(),
            proven: Taken::default(),
            others: Taken::default(),
            next_serial: 0,
            evicted: 0,
            lifetime,
            max_per_peer,
            max_bytes,
        }
    }

    const fn of(&mut self, serial: Serial) -> &mut Taken {
        match serial.share() {
            Share::Proven => &mut self.proven,
            Share::Others => &mut self.others,
        }
    }

    fn next(&self) -> Option<Instant> {
        self.proven.deadlines.next().into_iter().chain(self.others.deadlines.next()).min()
    }

    fn insert(
        &mut self,
        now: Instant,
        peer: PeerId,
        share: Share,
        body: T,
        touched: &mut Vec<PeerId>,
    ) {
        let own = self.by_peer.entry(peer).or_default();
        if own.len() >= self.max_per_peer
            && let Some(eldest) = own.first().map(|(serial, _)| *serial)
        {
            self.remove(peer, eldest);
            self.evicted += 1;
        }
        let serial = Serial::new(self.next_serial, share);
        self.next_serial += 1;
        let expires = now + self.lifetime;
        let taken = self.of(serial);
        taken.bytes += body.bytes();
        taken.deadlines.set((peer, serial), expires);
        let own = self.by_peer.entry(peer).or_default();
        if own.is_empty() {
            // Most peers have a single body.
            own.reserve_exact(1);
        }
        own.push((serial, body));
        while self.proven.bytes + self.others.bytes > self.max_bytes {
            let greedy = match self.others.bytes > self.max_bytes / 2 {
                true => &self.others,
                false => &self.proven,
            };
            let Some((peer, serial)) = greedy.deadlines.first() else { break };
            self.remove(peer, serial);
            self.evicted += 1;
            touched.push(peer);
        }
    }

    fn take(&mut self, peer: PeerId, which: impl Fn(&T) -> bool) -> Option<T> {
        let own = self.by_peer.get(&peer)?;
        let (serial, _) = own.iter().find(|(_, body)| which(body))?;
        self.remove(peer, *serial)
    }

    fn touch(&mut self, now: Instant, peer: PeerId, which: impl Fn(&T) -> bool) -> Option<&T> {
        let (serial, body) = self.by_peer.get(&peer)?.iter().find(|(_, body)| which(body))?;
        let taken = match serial.share() {
            Share::Proven => &mut self.proven,
            Share::Others => &mut self.others,
        };
        taken.deadlines.set((peer, *serial), now + self.lifetime);
        Some(body)
    }

    fn remove(&mut self, peer: PeerId, serial: Serial) -> Option<T> {
        let own = self.by_peer.get_mut(&peer)?;
        let position = own.iter().position(|(other, _)| *other == serial)?;
        let (_, body) = own.remove(position);
        if own.is_empty() {
            self.by_peer.remove(&peer);
        }
        let taken = self.of(serial);
        taken.deadlines.cancel((peer, serial));
        taken.bytes -= body.bytes();
        Some(body)
    }

    fn expire(&mut self, now: Instant, touched: &mut Vec<PeerId>) {
        loop {
            let expired = self.proven.deadlines.pop_expired(now);
            let expired = expired.or_else(|| self.others.deadlines.pop_expired(now));
            let Some((peer, serial)) = expired else { return };
            self.remove(peer, serial);
            touched.push(peer);
        }
    }

    fn remove_peer(&mut self, peer: PeerId) {
        for (serial, body) in self.by_peer.remove(&peer).unwrap_or_default() {
            let taken = self.of(serial);
            taken.deadlines.cancel((peer, serial));
            taken.bytes -= body.bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sized(usize);

    impl Body for Sized {
        fn bytes(&self) -> usize {
            self.0
        }
    }

    const NOW: Instant = Instant::from_millis(1_000);
    const LIFETIME: Duration = Duration::from_secs(60);

    /// Inserts a body; returns the peers whose bodies had to go.
    fn insert(store: &mut Store<Sized>, peer: u64, share: Share, bytes: usize) -> Vec<PeerId> {
        let mut touched = Vec::new();
        store.insert(NOW, PeerId(peer), share, Sized(bytes), &mut touched);
        touched
    }

    #[test]
    fn the_room_of_what_is_gone_is_free_again() {
        let mut store = Store::new(LIFETIME, 2, 100);
        for _ in 0..10 {
            for share in [Share::Proven, Share::Others] {
                assert_eq!(insert(&mut store, 1, share, 50), []);
            }
            assert_eq!((store.proven.bytes, store.others.bytes), (50, 50));
            store.remove_peer(PeerId(1));
            assert_eq!((store.proven.bytes, store.others.bytes), (0, 0));
            assert_eq!(store.next(), None, "nor is there a timer");
            assert_eq!(insert(&mut store, 2, Share::Others, 100), []);
            assert!(store.take(PeerId(2), |_| true).is_some());
            assert_eq!(insert(&mut store, 3, Share::Others, 100), []);
            let mut touched = Vec::new();
            store.expire(NOW + LIFETIME, &mut touched);
            assert_eq!((touched, store.others.bytes), (vec![PeerId(3)], 0));
        }
        assert_eq!(store.evicted, 0);
    }

    #[test]
    fn the_eldest_of_the_share_that_has_more_than_half_gives_way() {
        let mut store = Store::new(LIFETIME, 2, 100);
        for (peer, share) in [(1, Share::Proven), (2, Share::Others), (3, Share::Others)] {
            insert(&mut store, peer, share, 25);
        }
        assert_eq!(insert(&mut store, 4, Share::Proven, 25), [], "full, and not too full");
        assert_eq!(insert(&mut store, 5, Share::Others, 25), [PeerId(2)]);
        assert_eq!(insert(&mut store, 6, Share::Proven, 25), [PeerId(1)], "the others have half");
        assert_eq!(store.evicted, 2);
        // A peer has two bodies at most; its own eldest gives way.
        for _ in 0..3 {
            insert(&mut store, 7, Share::Proven, 0);
        }
        assert_eq!((store.by_peer[&PeerId(7)].len(), store.evicted), (2, 3));
    }
}
