//! Limits of the message layer, in total and per peer.

use super::Messaging;
use crate::ids::PeerId;
use lwm2m_time::Instant;

impl Messaging {
    /// Makes room to remember one more message of a peer by evicting the oldest completed ones.
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
                // The eldest peer may hold no message. Look at it later to find the next one.
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

    /// How many messages to a peer may be in flight before nothing new is accepted from it: one for
    /// each request in either direction and each observation.
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

    /// Postpones the next look at a peer without messages until its state expires. Returns `false`
    /// if it is scheduled for then already.
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
