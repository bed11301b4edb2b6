//! Sessions of DTLS that survive a restart.

use super::Held;
use crate::account::State;
use crate::client::Client;
use crate::ids::AccountId;
use crate::records::{self, COUNTERS, SESSIONS};
use lwm2m_coap::PeerId;
use lwm2m_dtls::SessionFingerprint;
use lwm2m_link::{Record, SessionWrites};

impl Client {
    /// Keeps the session with a server as it is now.
    pub(crate) fn keep_session(&mut self, account: AccountId) {
        let Some(account) = self.accounts.get(account).filter(|_| self.cx.is_kept()) else {
            return;
        };
        let (server, Some(peer)) = (account.server(), account.peer) else { return };
        let Some(writes) = self.cx.link.session_writes(peer) else { return };
        let SessionWrites { fingerprint, sealed, counters, limit, .. } = writes;
        let since = self.cx.journal.promised();
        self.keeping.sessions.insert(fingerprint, server);
        let parts = [(SESSIONS, sealed), (COUNTERS, Some(counters))];
        for (table, value) in parts.into_iter().filter(|(_, value)| value.is_some()) {
            let key = records::server_key(server, &fingerprint.0);
            self.cx.promise(Record { table, key, value: value.map(Into::into) });
        }
        if let Some((session, limit)) = limit {
            // It is never free at once: there is a store, and it has just been written to.
            self.cx.journal.hold(since, Held::Limit(session, limit));
        }
    }

    /// Keeps a new session in which a registration goes on. Otherwise it is kept with the registration.
    pub(crate) fn keep_new_session(&mut self, peer: PeerId) {
        let account = self.accounts.of_peer(peer);
        if let Some(account) = account.filter(|it| matches!(it.state, State::Registered(_))) {
            let id = account.id;
            self.keep_session(id);
        }
    }

    /// Keeps the session of a peer, because it has few record numbers left.
    pub(crate) fn keep_session_of(&mut self, peer: PeerId) {
        if let Some(account) = self.accounts.of_peer(peer).map(|account| account.id) {
            self.keep_session(account);
        }
    }

    /// Removes a session that is over, at once: nobody may find it again after a crash.
    pub(crate) fn forget_session(&mut self, session: &SessionFingerprint) {
        let Some(server) = self.keeping.sessions.remove(session) else { return };
        for table in [SESSIONS, COUNTERS] {
            self.cx.promise(records::remove(table, records::server_key(server, &session.0)));
        }
    }
}
