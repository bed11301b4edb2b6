//! Moving a peer to the path of another one.

use super::outgoing::{Outgoing, Retransmission, with_message_id};
use super::peer::Peer;
use super::{Messaging, Timer};
use crate::delivery::DeliveryOf;
use crate::event::Transmit;
use crate::ids::PeerId;
use alloc::vec::Vec;
use core::mem::take;
use lwm2m_time::Instant;

impl Messaging {
    /// Exchanges the paths of two peers. Message IDs and duplicates belong to a path (RFC 7252
    /// section 4.2), so they stay with it. Confirmable messages to `keep` are sent again on its new
    /// path under fresh message IDs, or forgotten if that is a stream. Returns those that cannot be
    /// sent.
    pub(crate) fn rebind(
        &mut self,
        now: Instant,
        keep: PeerId,
        from: PeerId,
        to_stream: bool,
    ) -> Vec<DeliveryOf> {
        let moving = self.peers.get_mut(&keep).map(|peer| take(&mut peer.outgoing));
        let moving = moving.unwrap_or_default();
        for outgoing in &moving {
            self.timers.cancel(Timer::Retransmit(keep, outgoing.serial));
        }
        self.exchange_states(keep, from);
        let sent = moving.into_iter().filter(|outgoing| outgoing.is_confirmable() && !to_stream);
        let failed = sent.filter_map(|outgoing| self.send_anew(now, keep, outgoing)).collect();
        self.look_again(keep);
        self.look_again(from);
        failed
    }

    fn exchange_states(&mut self, a: PeerId, b: PeerId) {
        let (of_a, of_b) = (self.peers.remove(&a), self.peers.remove(&b));
        let timers_of_a = of_a.as_deref().map(|state| self.take_timers(a, state, b));
        let timers_of_b = of_b.as_deref().map(|state| self.take_timers(b, state, a));
        let timers = timers_of_a.into_iter().chain(timers_of_b).flatten();
        timers.for_each(|(timer, at)| self.timers.set(timer, at));
        let (expiry_of_a, expiry_of_b) = (self.expiries.at(a), self.expiries.at(b));
        for (peer, state, expiry) in [(a, of_b, expiry_of_b), (b, of_a, expiry_of_a)] {
            match expiry {
                Some(at) => self.expiries.set(peer, at),
                None => _ = self.expiries.cancel(peer),
            }
            state.into_iter().for_each(|state| _ = self.peers.insert(peer, state));
        }
        self.parameters.exchange(a, b);
        for transmit in &mut self.transmits {
            if transmit.peer == a || transmit.peer == b {
                transmit.peer = if transmit.peer == a { b } else { a };
            }
        }
    }

    /// Takes the timers of a peer's state, for it to have another name.
    fn take_timers(&mut self, peer: PeerId, state: &Peer, name: PeerId) -> Vec<(Timer, Instant)> {
        let serials = state.outgoing.iter().map(|outgoing| outgoing.serial);
        let sent = serials.map(|it| (Timer::Retransmit(peer, it), Timer::Retransmit(name, it)));
        let unanswered = state.duplicates.unanswered();
        let asked =
            unanswered.map(|it| (Timer::Acknowledge(peer, it), Timer::Acknowledge(name, it)));
        let mut taken = Vec::new();
        for (before, after) in sent.chain(asked) {
            if let Some(at) = self.timers.at(before) {
                self.timers.cancel(before);
                taken.push((after, at));
            }
        }
        taken
    }

    /// Sends the newest content of a message under a fresh message ID, as one of its
    /// retransmissions: however often the path changes, it is not sent more often than without. After
    /// the last one it just waits.
    fn send_anew(&mut self, now: Instant, peer: PeerId, outgoing: Outgoing) -> Option<DeliveryOf> {
        let Outgoing { serial, delivery_of, confirmable, successor, .. } = outgoing;
        let Retransmission { datagram, timeout, count } = confirmable?;
        let content = successor.unwrap_or(datagram);
        let Ok(message_id) = self.message_id(now, peer) else { return Some(delivery_of) };
        let datagram = with_message_id(&content, message_id);
        let is_last = count >= self.transmission(peer).max_retransmit;
        self.timers.set(Timer::Retransmit(peer, serial), now + timeout);
        if !is_last {
            self.statistics.retransmitted += 1;
            self.transmits.push_back(Transmit { peer, payload: datagram.clone() });
        }
        let count = if is_last { count } else { count + 1 };
        let confirmable = Some(Retransmission { datagram, timeout, count });
        let state = self.peers.get_mut(&peer)?;
        state.outgoing.push(Outgoing {
            message_id,
            serial,
            delivery_of,
            confirmable,
            successor: None,
        });
        None
    }
}
