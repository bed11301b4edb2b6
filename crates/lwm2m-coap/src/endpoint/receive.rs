//! Receiving datagrams: RFC 7252 section 4.

use super::Endpoint;
use crate::admit::{Admit, Sender};
use crate::delivery::{Content, DeliveryOf, Source};
use crate::event::{Event, FailReason, GoneReason};
use crate::ids::PeerId;
use crate::message::{Code, Fault, MessageType, MessageView, OptionNumber, ParseError};
use lwm2m_time::Instant;

impl Endpoint {
    /// Handles a datagram. Any input is accepted: invalid datagrams are answered, reset or dropped,
    /// and counted in the [`Statistics`](crate::Statistics).
    pub fn handle_datagram(&mut self, now: Instant, peer: PeerId, datagram: &[u8]) {
        self.handle_admitted(now, peer, datagram, Admit::All);
    }

    /// Takes a datagram in if the rule admits it; see [`handle_datagram`](Self::handle_datagram).
    pub fn handle_admitted(&mut self, now: Instant, peer: PeerId, datagram: &[u8], admit: Admit) {
        self.handle_from(now, peer, Sender::Proven, datagram, admit);
    }

    /// Takes a datagram in of which only so much is known; see
    /// [`handle_admitted`](Self::handle_admitted).
    pub fn handle_from(
        &mut self,
        now: Instant,
        peer: PeerId,
        sender: Sender,
        datagram: &[u8],
        admit: Admit,
    ) {
        self.now = self.now.max(now);
        self.transport.messaging.statistics.received += 1;
        match MessageView::parse(datagram) {
            Ok(view) if !admit.takes(view.code()) => self.answer_repetition(peer, sender, &view),
            Ok(view) if view.token().len() > self.transport.max_token_length => {
                let (kind, message_id) = (view.kind(), view.message_id());
                let fault = Fault::Token;
                self.handle_malformed(peer, ParseError::Malformed { kind, message_id, fault });
            }
            Ok(view) => self.handle_message(peer, sender, &view),
            Err(_) if admit == Admit::Repetitions => {}
            Err(error) => self.handle_malformed(peer, error),
        }
        self.settle(peer);
        self.settle_touched();
    }

    /// Answers a message that is not admitted, if it is a repeated request.
    fn answer_repetition(&mut self, peer: PeerId, sender: Sender, view: &MessageView<'_>) {
        let confirmable = view.kind() == MessageType::Confirmable;
        if view.code().is_request() && (confirmable || view.kind() == MessageType::NonConfirmable) {
            let message_id = view.message_id();
            let source = Source { peer, message_id, confirmable, sender };
            self.transport.messaging.is_duplicate(self.now, source);
        }
    }

    fn handle_malformed(&mut self, peer: PeerId, error: ParseError) {
        self.transport.messaging.statistics.malformed += 1;
        if let ParseError::Malformed { kind: MessageType::Confirmable, message_id, .. } = error {
            self.transport.messaging.reset(peer, message_id);
        }
    }

    fn handle_message(&mut self, peer: PeerId, sender: Sender, view: &MessageView<'_>) {
        let message_id = view.message_id();
        let confirmable = view.kind() == MessageType::Confirmable;
        match view.kind() {
            MessageType::Acknowledgement => self.handle_acknowledgement(peer, view),
            MessageType::Reset => self.handle_reset(peer, view),
            MessageType::Confirmable | MessageType::NonConfirmable => {
                let source = Source { peer, message_id, confirmable, sender };
                if view.code().is_request() {
                    self.handle_request(source, view);
                } else if view.code().is_response() {
                    self.handle_response(source, view);
                } else if confirmable {
                    // A ping, or a code of a reserved class.
                    self.transport.messaging.reset(peer, message_id);
                }
            }
        }
    }

    fn handle_request(&mut self, source: Source, view: &MessageView<'_>) {
        if self.transport.messaging.is_duplicate(self.now, source) {
            return;
        }
        if self.transport.messaging.remember(self.now, source) {
            self.exchanges.accept(self.now, &mut self.transport, source, view.parts());
            return;
        }
        let overload = self.exchanges.overload();
        let overload = source.sender.curtail(&overload).unwrap_or(overload);
        let content = Content::new(&overload, view.token());
        self.transport.messaging.statistics.dropped_overload += 1;
        self.transport.reply_unremembered(source, content);
    }

    fn handle_response(&mut self, source: Source, view: &MessageView<'_>) {
        if self.transport.messaging.is_duplicate(self.now, source) {
            return;
        }
        let transport = &mut self.transport;
        if self.exchanges.response(self.now, transport, source.peer, view.parts(), true) {
            // Without room to remember the response, it is acknowledged all the same.
            self.transport.messaging.remember(self.now, source);
            self.transport.messaging.acknowledge(source);
            return;
        }
        self.transport.messaging.statistics.unexpected += 1;
        // An unexpected notification is rejected, also a non-confirmable one, so that the peer stops
        // (RFC 7641 section 3.6).
        let notifies = view.options().any(|(number, _)| number == OptionNumber::OBSERVE);
        if source.confirmable || notifies {
            self.transport.messaging.reset(source.peer, source.message_id);
        }
        if notifies && !self.exchanges.has_token(source.peer, view.token()) {
            self.exchanges.events.push_back(Event::Unexpected { peer: source.peer });
        }
    }

    fn handle_acknowledgement(&mut self, peer: PeerId, view: &MessageView<'_>) {
        let (message_id, code) = (view.message_id(), view.code());
        let Some(delivery_of) = self.transport.messaging.delivery_of(peer, message_id) else {
            self.transport.messaging.statistics.unexpected += 1;
            return;
        };
        if code == Code::EMPTY {
            match self.transport.messaging.acknowledged(self.now, peer, message_id) {
                Some(DeliveryOf::Request(id)) => {
                    self.exchanges.request_acknowledged(self.now, &mut self.transport, id);
                }
                Some(DeliveryOf::Notification(observer)) => {
                    self.exchanges.notification_acknowledged(observer);
                }
                Some(DeliveryOf::Response) | None => {}
            }
            return;
        }
        match delivery_of {
            DeliveryOf::Request(id)
                if code.is_response() && self.exchanges.awaits(id, peer, view.token()) =>
            {
                self.transport.messaging.acknowledged(self.now, peer, message_id);
                let transport = &mut self.transport;
                self.exchanges.response(self.now, transport, peer, view.parts(), false);
            }
            _ => self.transport.messaging.statistics.unexpected += 1,
        }
    }

    fn handle_reset(&mut self, peer: PeerId, view: &MessageView<'_>) {
        self.transport.messaging.statistics.resets_received += 1;
        if view.code() != Code::EMPTY {
            return;
        }
        match self.transport.messaging.rejected(peer, view.message_id()) {
            Some(delivery_of) => {
                self.undelivered(delivery_of, FailReason::Reset, GoneReason::Reset)
            }
            None => self.transport.messaging.statistics.unexpected += 1,
        }
    }

    pub(super) fn undelivered(
        &mut self,
        delivery_of: DeliveryOf,
        reason: FailReason,
        gone: GoneReason,
    ) {
        let transport = &mut self.transport;
        match delivery_of {
            DeliveryOf::Request(id) => {
                self.exchanges.request_failed(self.now, transport, id, reason)
            }
            DeliveryOf::Notification(observer) => {
                self.exchanges.observer_gone(transport, observer, gone);
            }
            DeliveryOf::Response => {}
        }
    }
}
