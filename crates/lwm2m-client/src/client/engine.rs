//! What the driver brings, and what it takes away.

use super::Client;
use crate::account::State;
use crate::bootstrap::BootstrapServer;
use crate::event::Event;
use crate::transport::same_address;
use core::net::SocketAddr;
use lwm2m_coap::Admit;
use lwm2m_link::{Engine, Input, Output, StreamAction};
use lwm2m_time::Instant;

impl Engine for Client {
    type Event = Event;

    fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.cx.now = now;
        if matches!(input, Input::Written(_) | Input::WriteFailed(_)) {
            self.handle_progress(&input);
            return self.drain();
        }
        // A receiver that is off hears nothing.
        if self.cx.asleep && matches!(input, Input::Datagram { .. }) {
            return;
        }
        let admit = match input {
            Input::Datagram { from, secured: false, .. } => self.admission(from),
            // A client opens connections and accepts none.
            Input::Connected { connection, .. } => {
                return self.cx.outputs.stream(StreamAction::Close { connection });
            }
            // The client has chosen the server of a session or a connection.
            _ => Some(Admit::All),
        };
        let Some(admit) = admit else { return };
        self.cx.link.handle_admitted(now, input, admit);
        self.drain();
        if matches!(input, Input::Timeout) {
            self.handle_timers();
            self.drain();
        }
    }

    fn poll(&mut self) -> Option<Output<Event>> {
        self.cx.outputs.poll()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        [self.cx.link.poll_timeout(), self.cx.timers.next()].into_iter().flatten().min()
    }
}

impl Client {
    /// What a server without security may send from an address; `None` for other senders, whose
    /// datagrams are dropped. Only a server that the client is registered with may send requests,
    /// and a server that has disabled itself nothing but repetitions of them.
    fn admission(&self, from: SocketAddr) -> Option<Admit> {
        if let Some(account) = self.accounts.iter().find(|it| !it.has_session() && it.is_at(from)) {
            return Some(match account.state {
                State::Registered(_) => Admit::All,
                State::Disabled => Admit::Repetitions,
                _ => Admit::NoRequests,
            });
        }
        let is =
            |it: &&BootstrapServer| !it.has_session() && same_address(it.account.address, from);
        let server = self.bootstrap.server.as_ref().filter(is)?;
        Some(if server.is_open(self.cx.version) { Admit::All } else { Admit::NoRequests })
    }
}
