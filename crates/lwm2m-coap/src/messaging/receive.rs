//! Acknowledgements, Resets and duplicates: RFC 7252 sections 4.2 to 4.5.

use super::duplicates::Reply;
use super::outgoing::{Outgoing, with_message_id};
use super::{Messaging, Timer};
use crate::delivery::{DeliveryOf, Source};
use crate::event::Transmit;
use crate::ids::PeerId;
use crate::message::MessageType;
use bytes::Bytes;
use lwm2m_time::Instant;

impl Messaging {
    /// Whether the message is a duplicate. If so, repeats its reply.
    pub(crate) fn is_duplicate(&mut self, now: Instant, source: Source) -> bool {
        let Some(peer) = self.peers.get_mut(&source.peer) else { return false };
        let reply = match peer.duplicates.recall(now, source.message_id) {
            Ok(reply) => reply,
            Err(forgotten) => {
                self.release(forgotten);
                return false;
            }
        };
        self.statistics.duplicates += 1;
        if let (true, Some(datagram)) = (source.confirmable, reply.datagram()) {
            self.transmits.push_back(Transmit { peer: source.peer, payload: datagram.clone() });
        }
        true
    }

    /// Remembers a message to detect its duplicates. Returns `false` without room for it.
    pub(crate) fn remember(&mut self, now: Instant, source: Source) -> bool {
        let transmission = self.transmission(source.peer);
        let (lifetime, reply) = if source.confirmable {
            (transmission.exchange_lifetime, Reply::Pending)
        } else {
            (transmission.non_lifetime, Reply::Never)
        };
        if !self.make_room(now, source.peer) {
            return false;
        }
        let Some(peer) = self.peer(now, source.peer) else { return false };
        peer.duplicates.insert(source.message_id, now + lifetime, reply);
        peer.keep_until(now + lifetime);
        self.remembered += 1;
        true
    }

    /// Forgets a message, and its peer if it has no other state.
    pub(super) fn forget_message(&mut self, now: Instant, peer: PeerId, message_id: u16) {
        self.timers.cancel(Timer::Acknowledge(peer, message_id));
        let Some(state) = self.peers.get_mut(&peer) else { return };
        let forgotten = state.duplicates.forget(message_id);
        let unused = state.is_unused(now);
        self.release(forgotten);
        if unused {
            self.peers.remove(&peer);
            self.expiries.cancel(peer);
        }
    }

    /// Schedules the empty acknowledgement of a confirmable request.
    pub(crate) fn expect_reply(&mut self, now: Instant, source: Source) {
        if source.confirmable {
            let timer = Timer::Acknowledge(source.peer, source.message_id);
            self.timers.set(timer, now + self.config.separate_after);
        }
    }

    /// Sends the empty acknowledgement of a confirmable message. Does nothing for others.
    pub(crate) fn acknowledge(&mut self, source: Source) {
        if source.confirmable {
            let datagram = empty(MessageType::Acknowledgement, source.message_id);
            self.reply_with(source, Reply::Acknowledged(datagram.clone()));
            self.transmits.push_back(Transmit { peer: source.peer, payload: datagram });
        }
    }

    /// Whether a message has neither an acknowledgement nor a reply yet.
    pub(crate) fn is_unanswered(&self, source: Source) -> bool {
        let peer = self.peers.get(&source.peer);
        peer.is_some_and(|peer| peer.duplicates.is_unanswered(source.message_id))
    }

    /// Sends a Reset.
    pub(crate) fn reset(&mut self, peer: PeerId, message_id: u16) {
        self.statistics.resets_sent += 1;
        let payload = empty(MessageType::Reset, message_id);
        self.transmits.push_back(Transmit { peer, payload });
    }

    /// Handles an acknowledgement. Returns `None` if it matches nothing, or if newer content replaced
    /// what it acknowledges and is sent now.
    pub(crate) fn acknowledged(
        &mut self,
        now: Instant,
        peer: PeerId,
        message_id: u16,
    ) -> Option<DeliveryOf> {
        let outgoing = self.take_unacknowledged(peer, message_id)?;
        match outgoing.successor {
            Some(newer) => {
                let Ok(message_id) = self.message_id(now, peer) else {
                    return Some(outgoing.delivery_of);
                };
                let datagram = with_message_id(&newer, message_id);
                let Outgoing { serial, delivery_of, .. } = outgoing;
                self.track_confirmable(now, peer, message_id, datagram, serial, delivery_of);
                None
            }
            None => Some(outgoing.delivery_of),
        }
    }

    /// What an acknowledgement of this message ID acknowledges.
    pub(crate) fn delivery_of(&self, peer: PeerId, message_id: u16) -> Option<DeliveryOf> {
        let outgoing = &self.peers.get(&peer)?.outgoing;
        outgoing
            .iter()
            .find(|outgoing| outgoing.message_id == message_id && outgoing.is_confirmable())
            .map(|outgoing| outgoing.delivery_of)
    }

    /// Handles a Reset. Returns `None` if it matches nothing.
    pub(crate) fn rejected(&mut self, peer: PeerId, message_id: u16) -> Option<DeliveryOf> {
        let state = self.peers.get_mut(&peer)?;
        let outgoing = state.take_outgoing(|outgoing| outgoing.message_id == message_id)?;
        self.timers.cancel(Timer::Retransmit(peer, outgoing.serial));
        self.look_again(peer);
        Some(outgoing.delivery_of)
    }

    fn take_unacknowledged(&mut self, peer: PeerId, message_id: u16) -> Option<Outgoing> {
        let state = self.peers.get_mut(&peer)?;
        let outgoing = state.take_outgoing(|outgoing| {
            outgoing.message_id == message_id && outgoing.is_confirmable()
        })?;
        self.timers.cancel(Timer::Retransmit(peer, outgoing.serial));
        self.look_again(peer);
        Some(outgoing)
    }
}

/// Encodes an empty message: RFC 7252 section 4.1.
fn empty(kind: MessageType, message_id: u16) -> Bytes {
    let [high, low] = message_id.to_be_bytes();
    Bytes::copy_from_slice(&[0x40 | ((kind as u8) << 4), 0, high, low])
}
