//! The end of a script: the losses stop, time passes, and everybody must get on.

use super::parties::KNOWN;
use super::rules::{Party, other};
use super::{MOST_CONNECTS, World, YOUNG};
use lwm2m_dtls::SessionId;
use std::time::Duration;

/// A handshake takes less when nothing is lost any more and its last loss was early.
const TIME_LEFT: Duration = Duration::from_secs(80);

impl World {
    pub(super) fn end(&mut self) {
        self.deliver_all();
        self.honest_handshake_completes();
        self.run_out();
        self.sessions_carry_data();
        for client in 0..KNOWN {
            self.connects_again(client);
        }
    }

    /// Until nobody has anything to do.
    fn run_out(&mut self) {
        for _ in 0..1_000 {
            self.deliver_all();
            let Some(due) = self.next_timeout() else {
                assert_eq!(self.server.handshake_count(), 0, "a handshake without a timer");
                return;
            };
            self.timeout(due);
        }
        panic!("it never ends");
    }

    fn honest_handshake_completes(&mut self) {
        let Some((client, session, start)) = self.honest else { return };
        if self.now.saturating_since(start) > YOUNG || !self.is_alone(client) {
            return;
        }
        let end = start + TIME_LEFT;
        while let Some(due) = self.next_timeout().filter(|due| *due < end) {
            self.timeout(due);
            self.deliver_all();
        }
        self.is_of_use(client, session);
    }

    /// A session of a client carries data in both directions.
    fn is_of_use(&mut self, client: usize, session: SessionId) {
        let party = Party::Client(client);
        assert!(self.rules.open(party).contains(&session), "the handshake does not complete");
        self.exchange(party, session);
        let partner = self.rules.open_partner((party, session));
        self.exchange(Party::Server, partner.expect("the server has the session"));
        assert!(self.rules.open_partner((party, session)).is_some(), "it was replaced");
    }

    /// What a party sends arrives.
    fn exchange(&mut self, party: Party, session: SessionId) {
        let message = self.send_in(party, session, 0);
        self.deliver_all();
        assert!(self.rules.is_delivered(message), "{party:?} {session:?} lost a message");
    }

    /// Sessions that both sides have are of use, whatever the attacker did: a client that has moved
    /// is found again, if the server gave out Connection IDs.
    fn sessions_carry_data(&mut self) {
        for client in 0..KNOWN {
            let party = Party::Client(client);
            for session in self.rules.open(party) {
                let Some(partner) = self.rules.open_partner((party, session)) else { continue };
                let address = self.clients[client].address;
                if self.server.peer(partner) != Some(address) && !self.setup.sessions_move() {
                    continue;
                }
                // The server answers a new address after it has heard from it once more.
                for _ in 0..2 {
                    self.exchange(party, session);
                    self.send_in(other(party, client), partner, 0);
                    self.deliver_all();
                }
                self.is_of_use(client, session);
            }
        }
    }

    fn connects_again(&mut self, client: usize) {
        self.connects = self.connects.min(MOST_CONNECTS - KNOWN);
        self.connect(client, false);
        let session = self.clients[client].handshake.expect("a handshake");
        self.deliver_all();
        self.is_of_use(client, session);
    }
}
