//! The seam for object security: OSCORE, RFC 8613.
//!
//! Protection sits between the exchanges and what carries their messages, as RFC 8613 section 4
//! and section 4.1.3.4 require: block-wise transfer and Observe above it see plaintext; message
//! types, message IDs, retransmission and framing below it see only the protected message.
//!
//! ```text
//! exchange     tokens, Observe, inner blocks
//!    │  Content            ▲  Incoming
//!    ▼  protect            │  unprotect
//! transport    messaging (datagrams) or connections (streams)
//! ```
//!
//! Every message of an exchange passes [`Protection::protect`] exactly once on its way out, before
//! it is encoded. A retransmission, or the reply to a duplicate, repeats the encoded datagram and
//! does not pass again, so it keeps its Partial IV. Every incoming request or response passes
//! [`Protection::unprotect`] exactly once, after the duplicates are gone and before its options
//! mean anything. Empty messages and signals belong to no exchange and pass neither.
//!
//! No protection is implemented: messages pass as they are. A message that has the OSCORE option
//! is refused, as RFC 8613 section 8.2 wants of an endpoint without OSCORE.

use crate::delivery::{Content, Incoming};
use crate::ids::PeerId;
use crate::message::Parts;

/// Protects the messages of all peers.
#[derive(Debug, Default)]
pub(crate) struct Protection {
    #[cfg(test)]
    pub(crate) protected: usize,
    #[cfg(test)]
    pub(crate) unprotected: usize,
}

impl Protection {
    /// Protects a message to a peer.
    pub(crate) fn protect<'a>(&mut self, _to: PeerId, content: Content<'a>) -> Content<'a> {
        #[cfg(test)]
        {
            self.protected += 1;
        }
        content
    }

    /// Verifies and decrypts a message from a peer.
    pub(crate) fn unprotect<'a>(&mut self, _from: PeerId, parts: &Parts<'a>) -> Incoming<'a> {
        #[cfg(test)]
        {
            self.unprotected += 1;
        }
        let &Parts { code, token, payload, .. } = parts;
        Incoming { code, token, options: parts.to_options(), payload }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Code, Config, Endpoint, Event, Observer, PeerId, Request, Response};
    use alloc::vec;
    use lwm2m_time::Instant;

    const PEER: PeerId = PeerId(0);

    fn passed(endpoint: &Endpoint) -> (usize, usize) {
        let protection = &endpoint.transport.protection;
        (protection.protected, protection.unprotected)
    }

    /// Delivers everything, each datagram twice: the second is a duplicate.
    fn exchange_twice(now: Instant, a: &mut Endpoint, b: &mut Endpoint) {
        fn deliver(now: Instant, from: &mut Endpoint, to: &mut Endpoint) -> bool {
            let Some(transmit) = from.poll_transmit() else { return false };
            to.handle_datagram(now, PEER, &transmit.payload);
            to.handle_datagram(now, PEER, &transmit.payload);
            true
        }
        while deliver(now, a, b) || deliver(now, b, a) {}
    }

    #[test]
    fn repeated_messages_pass_once() {
        let mut now = Instant::ZERO;
        let new = |seed| Endpoint::new(Config::default(), [seed; 32]);
        let (mut client, mut server) = (new(1), new(2));
        client.request(now, PEER, Request::get().path(["3"]).observe(0)).unwrap();
        // The first transmission is lost, so the request is sent again.
        client.poll_transmit().unwrap();
        now = client.poll_timeout().unwrap();
        client.handle_timeout(now);
        exchange_twice(now, &mut client, &mut server);
        let Some(Event::Request { exchange, token, .. }) = server.poll_event() else { panic!() };
        let content = Response::new(Code::CONTENT).payload("on");
        server.respond(now, exchange, content.observe()).unwrap();
        exchange_twice(now, &mut client, &mut server);
        assert_eq!((passed(&client), passed(&server)), ((1, 1), (1, 1)));

        // A notification in two blocks: the second is one more exchange.
        let content = Response::new(Code::CONTENT).payload(vec![7; 1_500]);
        server.notify(now, Observer { peer: PEER, token }, content, true).unwrap();
        exchange_twice(now, &mut client, &mut server);
        assert_eq!((passed(&client), passed(&server)), ((2, 3), (3, 2)));
    }
}
