//! Established sessions on datagrams by Mbed TLS, which reads its records by itself.

use super::Endpoint;
use crate::alert::Alert;
use crate::event::{Cause, Event, SessionId};
use crate::handshake::framing::Framing;
use crate::handshake::output::Step;
use crate::records::Records;
use alloc::vec::Vec;
use lwm2m_time::Instant;

impl Endpoint {
    /// Gives a record to the library, or no bytes when its timer has expired.
    pub(super) fn advance_session(&mut self, now: Instant, id: SessionId, bytes: &[u8]) {
        let Self { shared, sessions, .. } = self;
        let Some(session) = sessions.get_mut(&id) else { return };
        let Records::MbedTls(library) = &mut session.records else { return };
        let mut steps = Vec::new();
        let context = shared.context(now, Framing::Datagram);
        let result = library.step(bytes, &context, &mut steps);
        let (datagrams, next_timeout) = (library.take_outgoing(), library.next_timeout());
        let peer = session.peer;
        self.transmit(peer, datagrams);
        match next_timeout {
            Some(next) => self.timers.set(id, next),
            None => drop(self.timers.cancel(id)),
        }
        for step in steps {
            match step {
                Step::Data(data) => self.events.push_back(Event::Data { session: id, data }),
                Step::CloseNotify => {
                    self.send_alert(id, Alert::CLOSE_NOTIFY);
                    self.remove(id, Cause::ByPeer);
                }
                Step::Connected(_) => {}
            }
        }
        if let Err(reason) = result {
            if let Some(alert) = reason.answer() {
                self.send_alert(id, alert);
            }
            self.end_for_good(id, Cause::of(&reason));
        }
    }
}
