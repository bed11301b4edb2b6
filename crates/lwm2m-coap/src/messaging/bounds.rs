//! How much is remembered, in total and of each peer.

use super::Messaging;
use crate::ids::PeerId;
use lwm2m_time::Instant;

impl Messaging {
    /// Makes room for remembering one more message of a peer: the oldest completed ones go.
    pub(super) fn make_room(&mut self, now: Instant, peer: PeerId) -> bool {
        let own = self.peers.get(&peer);
        if own.is_some_and(|own| own.outgoing.len() >= self.max_outgoing()) {
            return false;
        }
        let remembered = own.map_or(0, |own| own.duplicates.len());
        if remembered >= self.config.max_duplicates_per_peer && !self.evict(peer) {
            return false;
        }
        while self.remembered >= self.config.max_duplicates
            || self.reply_bytes > self.config.max_reply_bytes
        {
            let eldest = self.expiries.first();
            if !self.evict(peer) && !eldest.is_some_and(|eldest| self.evict(eldest)) {
                // The eldest peer may hold nothing: look at it later, so that the next is found.
                let Some(eldest) = eldest.filter(|eldest| self.holds_nothing(*eldest)) else {
                    return false;
                };
                if !self.postpone(now, eldest) {
                    return false;
                }
            }
        }
        true
    }

    /// How many messages to a peer may be under way until nothing new is taken from it: one for
    /// each thing that it may ask for or be asked for.
    const fn max_outgoing(&self) -> usize {
        let config = &self.config;
        config
            .max_pending_per_peer
            .saturating_add(config.max_observers_per_peer)
            .saturating_add(config.max_exchanges_per_peer)
    }

    fn holds_nothing(&self, peer: PeerId) -> bool {
        self.peers.get(&peer).is_none_or(|peer| peer.duplicates.len() == 0)
    }

    /// Looks at a peer that holds nothing not before it may be forgotten; `false` if that is when
    /// it is looked at anyway.
    fn postpone(&mut self, now: Instant, peer: PeerId) -> bool {
        let at = self.peers.get(&peer).map_or(now, |peer| peer.quiet_at());
        let postponed = self.expiries.at(peer).is_some_and(|before| before < at);
        if postponed {
            self.expiries.set(peer, at);
        }
        postponed
    }

    fn evict(&mut self, peer: PeerId) -> bool {
        let evicted = self.peers.get_mut(&peer).and_then(|peer| peer.duplicates.evict_completed());
        match evicted {
            Some(bytes) => {
                self.statistics.evicted += 1;
                self.release((1, bytes));
                true
            }
            None => false,
        }
    }

    pub(super) fn release(&mut self, (messages, bytes): (usize, usize)) {
        self.remembered -= messages;
        self.reply_bytes -= bytes;
    }
}
