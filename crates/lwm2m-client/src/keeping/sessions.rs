//! Sessions of DTLS that survive a restart.

use super::Held;
use crate::account::State;
use crate::client::Client;
use crate::ids::AccountId;
use crate::records::{self, COUNTERS, SESSIONS};
use alloc::vec::Vec;
use lwm2m_coap::PeerId;
use lwm2m_dtls::SessionFingerprint;
use lwm2m_link::{Record, Table};

impl Client {
    /// Keeps the session with a server as it is now.
    pub(crate) fn keep_session(&mut self, account: AccountId) {
        let Some(account) = self.accounts.get(account).filter(|_| self.cx.is_kept()) else {
            return;
        };
        let (server, Some(peer)) = (account.server(), account.peer) else { return };
        let Some(counters) = self.cx.link.counters(peer) else { return };
        let since = self.cx.journal.promised();
        self.keeping.sessions.insert(counters.fingerprint, server);
        let key = records::server_key(server, &counters.fingerprint.0);
        let mut keep = |table: Table, value: Vec<u8>| {
            let record = Record { table, key: key.clone(), value: Some(value.into()) };
            self.cx.journal.promise(&mut self.cx.outputs, record);
        };
        if !counters.is_recorded {
            let sealed = self.cx.link.session_record(peer);
            sealed.into_iter().for_each(|sealed| keep(SESSIONS, sealed));
        }
        keep(COUNTERS, counters.encode());
        if !counters.is_limit_written {
            // It is never free at once: there is a store, and it has just been written to.
            self.cx.journal.hold(since, Held::Limit(counters.session, counters.limit));
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
