//! Sending messages, confirmable ones with retransmission: RFC 7252 sections 4.2 and 4.3.

use super::duplicates::Reply;
use super::outgoing::{Outgoing, Retransmission};
use super::{Messaging, Timer};
use crate::delivery::{Content, Delivery, DeliveryOf, Refused, Source};
use crate::event::Transmit;
use crate::ids::PeerId;
use crate::message::{MessageBuilder, MessageType};
use bytes::Bytes;
use core::time::Duration;
use lwm2m_time::Instant;
use rand_chacha::rand_core::RngCore;
use smallvec::SmallVec;

impl Messaging {
    /// Sends a message: confirmable if `reliable`, else non-confirmable.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        peer: PeerId,
        reliable: bool,
        content: Content<'_>,
        delivery_of: DeliveryOf,
    ) -> Result<Delivery, Refused> {
        let message_id = self.message_id(now, peer)?;
        let serial = self.next_serial;
        self.next_serial = serial.wrapping_add(1);
        if reliable {
            let datagram = self.encode(MessageType::Confirmable, message_id, content);
            self.track_confirmable(now, peer, message_id, datagram, serial, delivery_of);
        } else {
            let payload = self.encode(MessageType::NonConfirmable, message_id, content);
            self.transmits.push_back(Transmit { peer, payload });
            if let Some(state) = self.peers.get_mut(&peer) {
                let state = &mut state.outgoing;
                state.push(Outgoing {
                    message_id,
                    serial,
                    delivery_of,
                    confirmable: None,
                    successor: None,
                });
            }
        }
        Ok(Delivery { peer, serial })
    }

    /// Replies to a message: in its acknowledgement if that is not sent yet, else in a message of its
    /// own (RFC 7252 sections 5.2.1 to 5.2.3).
    pub(crate) fn reply(
        &mut self,
        now: Instant,
        source: Source,
        content: Content<'_>,
    ) -> Result<(), Refused> {
        if !source.confirmable {
            let message_id = self.message_id(now, source.peer)?;
            let payload = self.encode(MessageType::NonConfirmable, message_id, content);
            self.transmits.push_back(Transmit { peer: source.peer, payload });
            return Ok(());
        }
        if !self.is_unanswered(source) {
            return self.send(now, source.peer, true, content, DeliveryOf::Response).map(|_| ());
        }
        let datagram = self.encode(MessageType::Acknowledgement, source.message_id, content);
        self.reply_with(source, Reply::Acknowledged(datagram.clone()));
        self.transmits.push_back(Transmit { peer: source.peer, payload: datagram });
        Ok(())
    }

    /// Replies to a message that is not remembered. A non-confirmable message gets no reply.
    pub(crate) fn reply_unremembered(&mut self, source: Source, content: Content<'_>) {
        if source.confirmable {
            let payload = self.encode(MessageType::Acknowledgement, source.message_id, content);
            self.transmits.push_back(Transmit { peer: source.peer, payload });
        }
    }

    /// Refuses the request of a stranger and forgets it: the same request again is refused again.
    pub(crate) fn refuse(&mut self, now: Instant, source: Source, content: Content<'_>) {
        let Source { peer, message_id, confirmable, .. } = source;
        let payload = match confirmable {
            true => self.encode(MessageType::Acknowledgement, message_id, content),
            false => {
                let message_id = self.random.next_u32() as u16;
                self.encode(MessageType::NonConfirmable, message_id, content)
            }
        };
        self.transmits.push_back(Transmit { peer, payload });
        self.forget_message(now, peer, message_id);
    }

    /// Whether a confirmable message is neither acknowledged nor given up.
    pub(crate) fn is_in_flight(&self, delivery: Delivery) -> bool {
        let peer = self.peers.get(&delivery.peer);
        let outgoing = peer.and_then(|peer| peer.outgoing(delivery.serial));
        outgoing.is_some_and(Outgoing::is_confirmable)
    }

    /// Replaces the content of a message that is in flight: its next retransmission carries the
    /// newer content under a new message ID (RFC 7641 section 4.5.2).
    pub(crate) fn replace(&mut self, delivery: Delivery, content: Content<'_>) {
        let datagram = self.encode(MessageType::Confirmable, 0, content);
        let peer = self.peers.get_mut(&delivery.peer);
        if let Some(outgoing) = peer.and_then(|peer| peer.outgoing_mut(delivery.serial)) {
            outgoing.successor = Some(datagram);
        }
    }

    /// Cancels a delivery: the message is not retransmitted, and no outcome is reported.
    pub(crate) fn forget(&mut self, delivery: Delivery) {
        if let Some(peer) = self.peers.get_mut(&delivery.peer) {
            peer.take_outgoing(|outgoing| outgoing.serial == delivery.serial);
            self.timers.cancel(Timer::Retransmit(delivery.peer, delivery.serial));
            self.look_again(delivery.peer);
        }
    }

    /// Removes all state about a peer, and its queued datagrams.
    pub(crate) fn remove_peer(&mut self, peer: PeerId) {
        self.transmits.retain(|transmit| transmit.peer != peer);
        self.expiries.cancel(peer);
        let Some(state) = self.peers.remove(&peer) else { return };
        for outgoing in &state.outgoing {
            self.timers.cancel(Timer::Retransmit(peer, outgoing.serial));
        }
        for message_id in state.duplicates.unanswered() {
            self.timers.cancel(Timer::Acknowledge(peer, message_id));
        }
        self.release(state.duplicates.totals());
    }

    pub(super) fn track_confirmable(
        &mut self,
        now: Instant,
        peer: PeerId,
        message_id: u16,
        datagram: Bytes,
        serial: u32,
        delivery_of: DeliveryOf,
    ) {
        let timeout = self.first_timeout(peer);
        self.timers.set(Timer::Retransmit(peer, serial), now + timeout);
        self.transmits.push_back(Transmit { peer, payload: datagram.clone() });
        if let Some(state) = self.peers.get_mut(&peer) {
            let confirmable = Some(Retransmission { datagram, timeout, count: 0 });
            state.outgoing.push(Outgoing {
                message_id,
                serial,
                delivery_of,
                confirmable,
                successor: None,
            });
        }
    }

    /// A random wait between ACK_TIMEOUT and ACK_TIMEOUT * ACK_RANDOM_FACTOR.
    fn first_timeout(&mut self, peer: PeerId) -> Duration {
        let transmission = self.transmission(peer);
        let stretch = u64::from(transmission.ack_random_factor.saturating_sub(1_000));
        let shortest = transmission.ack_timeout.as_micros() as u64;
        let spread = shortest.saturating_mul(stretch) / 1_000;
        let extra = (u128::from(self.random.next_u64()) * (u128::from(spread) + 1)) >> 64;
        Duration::from_micros(shortest.saturating_add(extra as u64))
    }

    pub(super) fn encode(
        &mut self,
        kind: MessageType,
        message_id: u16,
        content: Content<'_>,
    ) -> Bytes {
        self.scratch.clear();
        MessageBuilder::new(&mut self.scratch, kind, content.code, message_id, content.token)
            .options(content.options)
            .payload(content.payload);
        shared(&self.scratch)
    }
}

/// A datagram that is sent and kept. Short datagrams, which are most, take a single allocation:
/// `Bytes` alone allocates again when it is first cloned.
fn shared(datagram: &[u8]) -> Bytes {
    const SHORT: usize = 64;
    match datagram.len() {
        0..=SHORT => Bytes::from_owner(SmallVec::<[u8; SHORT]>::from_slice(datagram)),
        _ => Bytes::copy_from_slice(datagram),
    }
}
