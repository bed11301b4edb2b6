//! An established session moves to another node.

use super::Endpoint;
use super::sealed::Constants;
use super::session::Session;
use crate::config::TicketKey;
use crate::counters::Stored;
use crate::error::Error;
use crate::event::{Cause, SessionId};
use crate::seal;
use crate::wire::{complete, put_vector8, vector8};
use alloc::boxed::Box;
use alloc::vec::Vec;
use nom::bytes::complete::tag;
use nom::sequence::preceded;

const VERSION: u8 = 2;
const PURPOSE: &[u8] = b"dtls session";

impl Endpoint {
    /// Takes a session out, sealed with the key, to go on here or elsewhere without a handshake.
    /// Import it once and delete it then: a session that goes on twice uses record numbers twice,
    /// which breaks its encryption. If a store [has it](Self::counters), remove it there before.
    ///
    /// # Errors
    /// [`Error::UnknownSession`], [`Error::Unsupported`].
    pub fn export(&mut self, session: SessionId, key: &TicketKey) -> Result<Vec<u8>, Error> {
        self.shared.config.backend.check_export()?;
        let open = self.sessions.get(&session).ok_or(Error::UnknownSession)?;
        let channel = open.records.channel().ok_or(Error::UnknownSession)?;
        let exact =
            Stored { limit: channel.sequence, window: channel.window, peer: open.peer, note: &[] };
        let counters = exact.encode(&channel.fingerprint());
        let mut plain = Constants::encode(VERSION, open, channel, 1 + counters.len());
        put_vector8(&mut plain, &counters);
        let sealed = seal::seal(key, self.shared.random(), PURPOSE, &plain);
        self.remove(session, Cause::Exported);
        Ok(sealed)
    }

    /// Goes on with an exported session. Refuses a session that is open, or that was closed lately.
    /// An endpoint does not know what others have imported.
    ///
    /// # Errors
    /// [`Error::TooManySessions`], [`Error::ImportRefused`], [`Error::AlreadyOpen`],
    /// [`Error::Unsupported`].
    pub fn import(&mut self, sealed: &[u8], key: &TicketKey) -> Result<SessionId, Error> {
        self.config().backend.check_export()?;
        let plain = seal::open(key, PURPOSE, sealed).ok_or(Error::ImportRefused)?;
        let mut session = decode(&plain).ok_or(Error::ImportRefused)?;
        session.is_copied = true;
        self.add_session(session)
    }

    /// Adds a session that was established elsewhere or earlier.
    pub(super) fn add_session(&mut self, session: Session) -> Result<SessionId, Error> {
        if self.sessions.len() >= self.config().max_sessions {
            return Err(Error::TooManySessions);
        }
        let channel = session.records.channel().ok_or(Error::ImportRefused)?;
        let cid = &channel.read_cid;
        let ids = self.config().connection_ids.as_ref();
        if !cid.is_empty() && ids.map(|ids| ids.length()) != Some(cid.len()) {
            return Err(Error::ImportRefused);
        }
        if self.by_cid.contains_key(cid) || self.closed.contains(&channel.fingerprint()) {
            return Err(Error::AlreadyOpen);
        }
        let at_address = self.session_by_address.get(&session.peer);
        let at_address = at_address.and_then(|id| self.sessions.get(id));
        // A session with a Connection ID is found without its address.
        let gives_way = |other: &Session| !other.records.read_cid().is_empty();
        if cid.is_empty() && !at_address.is_none_or(|other| gives_way(other)) {
            return Err(Error::AlreadyOpen);
        }
        let id = self.next_id();
        if cid.is_empty() {
            self.session_by_address.insert(session.peer, id);
        } else {
            self.by_cid.insert(session.records.read_cid().into(), id);
            self.session_by_address.entry(session.peer).or_insert(id);
        }
        self.sessions.insert(id, Box::new(session));
        Ok(id)
    }
}

fn decode(plain: &[u8]) -> Option<Session> {
    let parser = preceded(tag(&[VERSION][..]), (Constants::decode, vector8));
    let (constants, counters) = complete(parser, plain)?;
    let counters = Stored::decode(&constants.fingerprint(), counters)?;
    Some(constants.with(&counters))
}
