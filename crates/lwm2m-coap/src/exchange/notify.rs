//! Notifying observers: RFC 7641 section 4.

use super::key::RequestKey;
use super::observer::{Latest, ObserverState};
use super::state::Exchanges;
use crate::admit::Sender;
use crate::delivery::{Content, DeliveryOf};
use crate::error::Error;
use crate::event::{Event, GoneReason};
use crate::ids::{Observer, PeerId};
use crate::message::{BlockSize, BlockValue, OptionNumber};
use crate::request::Request;
use crate::response::Response;
use crate::transport::Transport;
use alloc::boxed::Box;
use lwm2m_time::Instant;

impl Exchanges {
    pub(super) fn has_room_for_observer(&self, observer: Observer) -> bool {
        let own = self.peers.get(&observer.peer).map_or(0, |peer| peer.observed_by.len());
        self.observers.contains_key(&observer)
            || (self.observers.len() < self.config.max_observers
                && own < self.config.max_observers_per_peer)
    }

    pub(super) fn next_sequence(&self, observer: Observer) -> u32 {
        self.observers.get(&observer).map_or(0, |state| (state.sequence + 1) & 0xFF_FFFF)
    }

    /// Adds an observer. Ends an observation of the same target by the same peer with another token.
    pub(super) fn register(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        observer: Observer,
        key: RequestKey,
        size: Option<BlockSize>,
        sequence: u32,
    ) {
        self.forget_observer(transport, observer);
        if let Some(replaced) = self.observer_of(observer.peer, &key) {
            self.observer_gone(transport, replaced, GoneReason::Replaced);
        }
        let state = ObserverState {
            key,
            size,
            sequence,
            notified_at: now,
            confirmed_at: now,
            latest: Latest::Settled,
        };
        self.observers.insert(observer, Box::new(state));
        self.with_peer(observer.peer, |peer| peer.observed_by.push(observer.token));
    }

    /// Goes on with an observation that a request began before a restart. Returns `false` without room.
    pub(crate) fn restore_observer(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        observer: Observer,
        request: &Request,
        sequence: u32,
    ) -> bool {
        let has_room = self.has_room_for_observer(observer);
        if has_room {
            let Request { code, options, payload, .. } = request;
            let size = options.get(OptionNumber::BLOCK2).and_then(BlockValue::read);
            let key = RequestKey::new(*code, options, payload);
            let size = size.map(|block| block.size);
            self.register(now, transport, observer, key, size, sequence & 0xFF_FFFF);
        }
        has_room
    }

    pub(crate) fn sequence(&self, observer: Observer) -> Option<u32> {
        Some(self.observers.get(&observer)?.sequence)
    }

    /// The observation that a peer already holds on the target of `key`.
    fn observer_of(&self, peer: PeerId, key: &RequestKey) -> Option<Observer> {
        let tokens = &self.peers.get(&peer)?.observed_by;
        let mut observers = tokens.iter().map(|token| Observer { peer, token: *token });
        observers.find(|observer| {
            self.observers.get(observer).is_some_and(|state| state.key.has_same_target(key))
        })
    }

    pub(crate) fn notify(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        observer: Observer,
        mut response: Response,
        confirmable: bool,
    ) -> Result<(), Error> {
        if !response.code.is_response() {
            return Err(Error::Code);
        }
        let sequence = self.next_sequence(observer);
        let state = self.observers.get(&observer).ok_or(Error::UnknownObserver(observer))?;
        let (key, last) = (state.key.clone(), !response.code.is_success());
        let block = state.size.map(|size| BlockValue { number: 0, more: false, size });
        response.options.remove(OptionNumber::OBSERVE);
        if !last {
            response.options.push_uint(OptionNumber::OBSERVE, sequence.into());
        }
        self.bodies.serve(Sender::Proven);
        let notification = self.cut(now, transport, observer.peer, &key, block, response)?;
        if last {
            self.notify_last(now, transport, observer, &notification, confirmable);
        } else {
            self.send_notification(now, transport, observer, &notification, confirmable);
        }
        Ok(())
    }

    /// Sends an error notification, which ends the observation (RFC 7641 section 4.2).
    fn notify_last(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        observer: Observer,
        notification: &Response,
        confirmable: bool,
    ) {
        self.forget_observer(transport, observer);
        let content = Content::new(notification, observer.token);
        let sent = transport.send(now, observer.peer, confirmable, content, DeliveryOf::Response);
        if let (Ok(Some(delivery)), false) = (sent, confirmable) {
            transport.messaging.forget(delivery);
        }
    }

    fn send_notification(
        &mut self,
        now: Instant,
        transport: &mut Transport,
        observer: Observer,
        notification: &Response,
        confirmable: bool,
    ) {
        let Some(state) = self.observers.get_mut(&observer) else { return };
        let content = Content::new(notification, observer.token);
        state.sequence = (state.sequence + 1) & 0xFF_FFFF;
        let interval = now - core::mem::replace(&mut state.notified_at, now);
        match state.latest {
            Latest::InFlight(delivery) if transport.replace(delivery, content) => return,
            Latest::InFlight(delivery) | Latest::Unconfirmed(delivery) => {
                transport.messaging.forget(delivery);
            }
            Latest::Settled => {}
        }
        // The next notification may be as late as this one was, which may be too late to confirm.
        let due = state.confirmed_at + self.config.confirm_notifications_every;
        let reliable = confirmable || now + interval >= due;
        let delivery_of = DeliveryOf::Notification(observer);
        state.latest = match transport.send(now, observer.peer, reliable, content, delivery_of) {
            Ok(None) => {
                if confirmable {
                    self.events.push_back(Event::Delivered { observer });
                }
                Latest::Settled
            }
            Ok(Some(delivery)) if reliable => {
                state.confirmed_at = now;
                Latest::InFlight(delivery)
            }
            Ok(Some(delivery)) => Latest::Unconfirmed(delivery),
            // No message ID is free: this state is skipped, a later one is sent.
            Err(_) => Latest::Settled,
        };
    }

    /// The observer acknowledged the latest notification.
    pub(crate) fn notification_acknowledged(&mut self, observer: Observer) {
        if let Some(state) = self.observers.get_mut(&observer) {
            state.latest = Latest::Settled;
            self.events.push_back(Event::Delivered { observer });
        }
    }

    /// Ends an observation and reports it to the application.
    pub(crate) fn observer_gone(
        &mut self,
        transport: &mut Transport,
        observer: Observer,
        reason: GoneReason,
    ) {
        if self.forget_observer(transport, observer) {
            self.events.push_back(Event::ObserverGone { observer, reason });
        }
    }

    /// Removes an observation. Returns `false` if there was none.
    pub(crate) fn forget_observer(
        &mut self,
        transport: &mut Transport,
        observer: Observer,
    ) -> bool {
        let Some(state) = self.observers.remove(&observer) else { return false };
        match state.latest {
            Latest::InFlight(delivery) | Latest::Unconfirmed(delivery) => {
                transport.messaging.forget(delivery);
            }
            Latest::Settled => {}
        }
        self.with_peer(observer.peer, |peer| {
            peer.observed_by.retain(|token| *token != observer.token);
        });
        true
    }
}

#[cfg(test)]
mod tests {
    use crate::ids::{Observer, PeerId};
    use crate::message::{Code, MessageBuilder, MessageType, MessageView, OptionNumber, Token};
    use crate::{Config, Endpoint, Event, Request, Response};
    use alloc::vec::Vec;
    use lwm2m_time::Instant;

    #[test]
    fn an_observation_goes_on_after_a_restart() {
        let (peer, token, now) = (PeerId(1), Token::new(b"t").unwrap(), Instant::ZERO);
        let observer = Observer { peer, token };
        let mut endpoint = Endpoint::new(Config::default(), [1; 32]);
        let request = Request::get().path(["3", "0", "9"]).observe(0);
        assert!(endpoint.restore_observer(now, observer, &request, 0xFF_FFFF));
        assert_eq!(endpoint.sequence(observer), Some(0xFF_FFFF));
        let content = Response::new(Code::CONTENT);
        endpoint.notify(now, observer, content, false).unwrap();
        let sent = endpoint.poll_transmit().unwrap();
        let view = MessageView::parse(&sent.payload).unwrap();
        assert_eq!((view.token(), view.to_options().observe()), (token, Some(0)));
        assert_eq!(endpoint.sequence(observer), Some(0));
        // As in any other observation, the bound holds.
        let mut small = Endpoint::new(Config::default().max_observers(0), [1; 32]);
        assert!(!small.restore_observer(now, observer, &request, 1));
    }

    #[test]
    fn sequence_numbers_wrap_at_24_bits() {
        let (peer, token, now) = (PeerId(1), Token::new(b"t").unwrap(), Instant::ZERO);
        let mut endpoint = Endpoint::new(Config::default(), [1; 32]);
        let mut datagram = Vec::new();
        MessageBuilder::new(&mut datagram, MessageType::Confirmable, Code::GET, 1, token)
            .option(OptionNumber::OBSERVE, b"");
        endpoint.handle_datagram(now, peer, &datagram);
        let Some(Event::Request { exchange, .. }) = endpoint.poll_event() else { panic!() };
        let content = Response::new(Code::CONTENT);
        endpoint.respond(now, exchange, content.clone().observe()).unwrap();
        endpoint.poll_transmit().unwrap();
        for state in endpoint.exchanges.observers.values_mut() {
            state.sequence = 0xFF_FFFD;
        }
        for number in [0xFF_FFFE, 0xFF_FFFF, 0, 1] {
            endpoint.notify(now, Observer { peer, token }, content.clone(), false).unwrap();
            let sent = endpoint.poll_transmit().unwrap();
            let view = MessageView::parse(&sent.payload).unwrap();
            assert_eq!(view.to_options().observe(), Some(number));
        }
    }
}
