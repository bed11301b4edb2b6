//! Sessions on datagrams that survive a crash, with a store that the application keeps.

use super::Endpoint;
use super::kept::Kept;
use super::sealed::Constants;
use crate::config::{ClientProfile, TicketKey};
use crate::counters::{SessionCounters, Stored};
use crate::credential::{self, CredentialDigest};
use crate::error::Error;
use crate::event::{Event, SessionId, Transmit};
use crate::identity::Identity;
use crate::mode::Role;
use crate::record::header::ContentType;
use crate::resumption::Resumption;
use crate::seal;
use crate::wire::{array, complete, put_vector16, vector16};
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;
use lwm2m_time::Instant;
use nom::bytes::complete::tag;
use nom::sequence::preceded;

const VERSION: u8 = 1;
const PURPOSE: &[u8] = b"durable dtls session";

/// A session as it was sealed.
struct Unsealed {
    constants: Constants,
    credential: CredentialDigest,
    resumption: Option<Resumption>,
}

/// A session that goes on after a restart.
#[derive(Debug)]
#[non_exhaustive]
pub struct Restored {
    /// The session.
    pub session: SessionId,
    /// The [note](SessionCounters::note) of its counters.
    pub note: Vec<u8>,
    /// What resumes a session that we began.
    pub resumption: Option<Resumption>,
}

/// # Sessions that survive a crash
/// With [`Config::durable_sessions`](crate::Config::durable_sessions) a session on datagrams is kept
/// as two values: a sealed one, written once, and its counters. Two rules make that safe:
///
/// - **No record number is sent twice.** Counters hold a limit, at which a restored session begins
///   to send. From the first call of [`counters`](Self::counters) on a session sends only numbers
///   below the greatest limit that is durable. [`Event::CountersDue`] asks for the next one early
///   enough. Records without a number wait for it, for a short time; then the session ends with
///   [`Cause::CountersNotWritten`](crate::Cause::CountersNotWritten).
/// - **No record counts twice.** Counters hold the number of the newest received record, and a
///   restored session takes newer ones only. An application writes the counters of a session together
///   with what a record has asked for, before it acknowledges that. So a repeated record is dropped,
///   unless what it asked for is lost. Above records, the application recognises requests that were
///   sent again in newer ones; their marks can be the [note](SessionCounters::note) of the counters.
impl Endpoint {
    /// The counters of a session, to be written now and in the order of these calls. `None` without
    /// [`Config::durable_sessions`](crate::Config::durable_sessions), for sessions on streams, and
    /// for those that have ended.
    pub fn counters(&mut self, session: SessionId) -> Option<SessionCounters> {
        self.shared.config.durable_sessions.as_ref()?;
        let open = self.sessions.get_mut(&session)?;
        let channel = open.records.channel_mut()?;
        let kept = &mut open.kept;
        let kept = kept.get_or_insert_with(|| Box::new(Kept::new(channel.fingerprint())));
        let limit = kept.limit(channel);
        Some(SessionCounters {
            session,
            fingerprint: kept.fingerprint,
            limit,
            is_recorded: kept.is_recorded,
            is_limit_written: kept.is_recorded && limit <= channel.limit,
            peer: open.peer,
            note: Vec::new(),
            window: channel.window,
        })
    }

    /// The store has made counters with this limit durable, and with them or before them the sealed
    /// session. Never call it for what might be lost: a record number would be used twice.
    pub fn limit_written(&mut self, now: Instant, session: SessionId, limit: u64) {
        let Self { sessions, transmits, shared, .. } = self;
        let Some(open) = sessions.get_mut(&session) else { return };
        let (Some(kept), Some(channel)) = (&mut open.kept, open.records.channel_mut()) else {
            return;
        };
        kept.written(channel, limit);
        for data in kept.take_held(now) {
            let content = ContentType::APPLICATION_DATA;
            // What cannot be sent even now counts as lost.
            if let Ok(datagram) = open.records.seal(content, &data, &mut shared.rng) {
                let peer = open.downlink(datagram.len());
                transmits.push_back(Transmit { peer, payload: Bytes::from(datagram) });
            }
        }
        if open.asks() {
            self.events.push_back(Event::CountersDue { session });
        }
    }

    /// Seals what stays the same in a session that a client began, as long as it lasts.
    ///
    /// # Errors
    /// [`Error::UnknownSession`] also without
    /// [`Config::durable_sessions`](crate::Config::durable_sessions), for sessions on streams and for
    /// those that we began. [`Error::CredentialChanged`] if the client is unknown by now.
    pub fn seal_session(&mut self, session: SessionId) -> Result<Vec<u8>, Error> {
        let open = self.sessions.get(&session).ok_or(Error::UnknownSession)?;
        let credential = self.credential_of(&open.identity).ok_or(Error::CredentialChanged)?;
        let resumption = open.cached.and_then(|key| self.shared.cache.resumption(key));
        self.seal_constants(session, Role::Server, &credential, resumption.as_ref())
    }

    /// As [`seal_session`](Self::seal_session) for a session that we began with a profile, with what
    /// resumes it.
    ///
    /// # Errors
    /// As of [`seal_session`](Self::seal_session).
    pub fn seal_client_session(
        &mut self,
        session: SessionId,
        profile: &ClientProfile,
        resumption: Option<&Resumption>,
    ) -> Result<Vec<u8>, Error> {
        self.seal_constants(session, Role::Client, &credential::of_profile(profile), resumption)
    }

    /// Goes on with a session that a client began, after a restart. `counters` are the newest ones
    /// that are durable; older ones break the encryption of the session. A session without a
    /// Connection ID takes the address of its peer.
    ///
    /// # Errors
    /// [`Error::ImportRefused`] also without
    /// [`Config::durable_sessions`](crate::Config::durable_sessions); [`Error::CredentialChanged`];
    /// [`Error::AlreadyOpen`]; [`Error::TooManySessions`].
    pub fn restore(&mut self, sealed: &[u8], counters: &[u8]) -> Result<Restored, Error> {
        let unsealed = self.unseal(sealed, Role::Server)?;
        if self.credential_of(unsealed.constants.identity()) != Some(unsealed.credential) {
            return Err(Error::CredentialChanged);
        }
        let restored = self.add_restored(unsealed.constants, counters)?;
        let cached = unsealed.resumption.and_then(|it| self.shared.cache.restore(it));
        if let Some(open) = self.sessions.get_mut(&restored.session) {
            open.cached = cached;
        }
        Ok(restored)
    }

    /// As [`restore`](Self::restore) for a session that we began with this profile.
    ///
    /// # Errors
    /// As of [`restore`](Self::restore).
    pub fn restore_client(
        &mut self,
        sealed: &[u8],
        counters: &[u8],
        profile: &ClientProfile,
    ) -> Result<Restored, Error> {
        let unsealed = self.unseal(sealed, Role::Client)?;
        if credential::of_profile(profile) != unsealed.credential {
            return Err(Error::CredentialChanged);
        }
        let restored = self.add_restored(unsealed.constants, counters)?;
        Ok(Restored { resumption: unsealed.resumption, ..restored })
    }

    fn credential_of(&self, identity: &Identity) -> Option<CredentialDigest> {
        credential::of_client(identity, self.config().credentials.as_deref()?)
    }

    fn durable_key(&self) -> Option<TicketKey> {
        self.config().durable_sessions.clone()
    }

    fn seal_constants(
        &mut self,
        session: SessionId,
        role: Role,
        credential: &CredentialDigest,
        resumption: Option<&Resumption>,
    ) -> Result<Vec<u8>, Error> {
        let key = self.durable_key().ok_or(Error::UnknownSession)?;
        let open = self.sessions.get(&session).filter(|open| open.role == role);
        let open = open.ok_or(Error::UnknownSession)?;
        let channel = open.records.channel().ok_or(Error::UnknownSession)?;
        // A ticket that is too long to be kept costs a full handshake.
        let resumption = resumption.map(Resumption::encode).unwrap_or_default();
        let fits = resumption.len() <= usize::from(u16::MAX);
        let resumption = if fits { &**resumption } else { &[] };
        let more = credential.len() + 2 + resumption.len();
        let mut plain = Constants::encode(VERSION, open, channel, more);
        plain.extend_from_slice(credential);
        put_vector16(&mut plain, resumption);
        Ok(seal::seal(&key, self.shared.random(), PURPOSE, &plain))
    }

    fn unseal(&self, sealed: &[u8], role: Role) -> Result<Unsealed, Error> {
        let key = self.durable_key().ok_or(Error::ImportRefused)?;
        let plain = seal::open(&key, PURPOSE, sealed).ok_or(Error::ImportRefused)?;
        let unsealed = decode(&plain).filter(|it| it.constants.role == role);
        unsealed.ok_or(Error::ImportRefused)
    }

    fn add_restored(&mut self, constants: Constants, counters: &[u8]) -> Result<Restored, Error> {
        let fingerprint = constants.fingerprint();
        let counters = Stored::decode(&fingerprint, counters).ok_or(Error::ImportRefused)?;
        let mut session = constants.with(&counters);
        if let Some(channel) = session.records.channel_mut() {
            channel.limit = counters.limit;
            // Copies of requests may be in records that are older and were held back.
            channel.window = channel.window.closed();
        }
        session.kept = Some(Box::new(Kept::restored(fingerprint, counters.limit)));
        let session = self.add_session(session)?;
        Ok(Restored { session, note: counters.note.to_vec(), resumption: None })
    }
}

fn decode(plain: &[u8]) -> Option<Unsealed> {
    let parser = preceded(tag(&[VERSION][..]), (Constants::decode, array, vector16));
    let (constants, credential, resumption) = complete(parser, plain)?;
    let resumption = match resumption {
        [] => None,
        bytes => Some(Resumption::decode(bytes)?),
    };
    Some(Unsealed { constants, credential, resumption })
}
