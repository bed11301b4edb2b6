//! The Mbed TLS backend: one connection on datagrams or a stream, with pre-shared keys or
//! certificates.
//!
//! The library (`lwm2m_mbedtls`) does the handshake and the records. The endpoint decides what the
//! library sees: whole messages in order and authentic records. The library alone would give up on
//! the first unexpected record, follow forged fragments and sequence numbers, and answer every
//! repetition, and anybody can send those (RFC 6347 section 4.1.2.7).

pub(crate) mod library;
mod owner;
mod reason;

use crate::alert::Alert;
use crate::config::{ClientProfile, ClientSecurity};
use crate::credential::check_still_known;
use crate::error::{Error, Reason};
use crate::handshake::context::Context;
use crate::handshake::framing::Framing;
use crate::handshake::output::{Completed, Step};
use crate::mode::{Mode, Role};
use crate::record::header::{ContentType, Record, write_plain};
use crate::suite::CipherSuite;
use crate::unsupported::Unsupported;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::IpAddr;
use core::time::Duration;
use lwm2m_mbedtls::{Connection, Failure, Settings, Transport, Verdict};
use lwm2m_time::Instant;
use owner::Owner;
use reason::Said;

/// The longest retransmission interval: RFC 6347 section 4.2.4.1.
const MAX_INTERVAL: Duration = Duration::from_secs(60);

/// A connection from its first byte on.
pub(crate) struct MbedTls {
    connection: Connection,
    owner: Arc<Owner>,
    framing: Framing,
    role: Role,
    is_established: bool,
    /// Datagrams, or pieces of the stream, that wait to be sent.
    outgoing: Vec<Vec<u8>>,
    /// The number of the next unprotected record for the library. Those of the peer could be
    /// forged, and a high one would make the library ignore the records that follow.
    next_plain: u64,
    /// The library has sent the alert for its failure by itself.
    has_told_peer: bool,
}

impl MbedTls {
    /// The client's side.
    ///
    /// # Errors
    /// [`Error::UnusableProfile`], [`Error::Unsupported`].
    pub(crate) fn client(
        profile: Arc<ClientProfile>,
        context: &Context<'_>,
    ) -> Result<Self, Error> {
        let settings = settings(Role::Client, Some(&profile), context);
        if settings.suites.is_empty() {
            return Err(Error::UnusableProfile);
        }
        let owner = Arc::new(Owner::new(Some(Arc::clone(&profile)), context));
        let asked = Arc::clone(&owner) as Arc<dyn lwm2m_mbedtls::Owner>;
        let connection = match &profile.security {
            ClientSecurity::Psk { identity, key } => {
                Connection::with_psk(context.now, &settings, identity, key, asked)
            }
            ClientSecurity::Certificate { certified, .. } => {
                let own = context.library.certificates.get(certified)?;
                Connection::with_certificate(context.now, &settings, &own, asked)
            }
            ClientSecurity::RawPublicKey { .. } => return Err(Unsupported::RawPublicKeys.into()),
        };
        let connection = connection.map_err(|_| Error::UnusableProfile)?;
        Ok(Self::new(Role::Client, connection, owner, context))
    }

    /// The server's side.
    ///
    /// # Errors
    /// [`Error::UnusableProfile`] if the library rejects our own certificate or a setting,
    /// [`Error::Unsupported`].
    pub(crate) fn server(context: &Context<'_>) -> Result<Self, Error> {
        let settings = settings(Role::Server, None, context);
        let owner = Arc::new(Owner::new(None, context));
        let asked = Arc::clone(&owner) as Arc<dyn lwm2m_mbedtls::Owner>;
        let credentials = context.config.credentials.as_deref();
        let own = credentials.and_then(|known| known.certificate(None));
        let own = own.map(|own| context.library.certificates.get(&own)).transpose()?;
        let trusted = credentials.map_or(&[][..], |known| known.client_authorities());
        let trusted: Vec<&[u8]> = trusted.iter().map(AsRef::as_ref).collect();
        let by_keys = credentials.is_some_and(|known| known.uses_psk());
        let own = own.as_deref();
        let connection = Connection::accept(context.now, &settings, own, &trusted, by_keys, asked)
            .map_err(|_| Error::UnusableProfile)?;
        Ok(Self::new(Role::Server, connection, owner, context))
    }

    fn new(role: Role, connection: Connection, owner: Arc<Owner>, context: &Context<'_>) -> Self {
        Self {
            connection,
            owner,
            framing: context.framing,
            role,
            is_established: false,
            outgoing: Vec::new(),
            next_plain: 0,
            has_told_peer: false,
        }
    }

    /// Numbers our records from that of the client's hello: RFC 6347 section 4.2.1.
    pub(crate) fn answering(self, record_sequence: u64) -> Self {
        Self { next_plain: record_sequence, ..self }
    }

    /// The mode, if it is known yet.
    pub(crate) fn mode(&self) -> Option<Mode> {
        self.owner.mode()
    }

    /// Whether a client has sent its Finished and waits for the server's.
    pub(crate) fn awaits_finished(&self) -> bool {
        self.connection.awaits_finished()
    }

    /// When [`step`](Self::step) is due without input.
    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.connection.next_timeout()
    }

    /// The longest application data that fits a record, in bytes.
    pub(crate) fn max_data(&self) -> usize {
        self.connection.max_data()
    }

    /// Whether a protected record is authentic; `None` for a repetition or a record of other keys.
    pub(crate) fn check(&self, record: &Record<'_>) -> Option<bool> {
        match self.connection.judge(record.raw) {
            Verdict::Authentic => Some(true),
            Verdict::Forged => Some(false),
            Verdict::NotNow => None,
        }
    }

    /// Wraps an unprotected body in a record for [`step`](Self::step).
    pub(crate) fn plain(&mut self, content: ContentType, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write_plain(&mut out, content, self.next_plain, body);
        self.next_plain = self.next_plain.wrapping_add(1);
        out
    }

    /// Gives input to the library, which may be empty, and lets it do what is due. The events are
    /// appended to `steps`; after an error the connection is over.
    pub(crate) fn step(
        &mut self,
        bytes: &[u8],
        context: &Context<'_>,
        steps: &mut Vec<Step>,
    ) -> Result<(), Reason> {
        self.owner.set_unix_time(context.unix_time());
        let step = self.connection.step(context.now, bytes);
        let said = self.collect();
        if let Some(suite) = step.connected {
            steps.push(Step::Connected(Box::new(self.completed(CipherSuite(suite), context)?)));
            self.is_established = true;
        }
        steps.extend(step.data.into_iter().map(|data| Step::Data(Bytes::from(data))));
        match step.ended {
            None => Ok(()),
            Some(Failure::CloseNotify) if self.is_established => {
                steps.push(Step::CloseNotify);
                Ok(())
            }
            Some(failure) => {
                self.has_told_peer = said != Said::Nothing;
                Err(self.reason(failure, said))
            }
        }
    }

    fn completed(&self, suite: CipherSuite, context: &Context<'_>) -> Result<Completed, Reason> {
        let peer = self.owner.peer().ok_or(Reason::Internal)?;
        if self.role == Role::Server {
            check_still_known(&peer, context.config)?;
        }
        let identity = peer.identity;
        Ok(Completed { identity, suite, resumed: false, resumption: None, cached: None })
    }

    fn reason(&self, failure: Failure, said: Said) -> Reason {
        if self.is_established {
            return reason::of_session(failure);
        }
        let refused = self.owner.refused();
        refused.unwrap_or_else(|| reason::of_handshake(failure, self.framing, said))
    }

    /// Takes what the library wants to send.
    fn collect(&mut self) -> Said {
        let mut said = Said::Nothing;
        while let Some(bytes) = self.connection.poll() {
            said = Said::of(self.framing, &bytes);
            self.outgoing.push(bytes);
        }
        said
    }

    pub(crate) fn has_outgoing(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Takes the datagrams, or pieces of the stream, to be sent.
    pub(crate) fn take_outgoing(&mut self) -> Vec<Vec<u8>> {
        core::mem::take(&mut self.outgoing)
    }

    /// Sends an alert, unless the library has already told the peer of its failure.
    pub(crate) fn alert(&mut self, alert: Alert) {
        if !self.has_told_peer || !alert.is_fatal() {
            self.connection.alert(alert.is_fatal(), alert.0);
            self.collect();
        }
    }

    /// Seals application data or an alert as a datagram.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::SequenceExhausted`].
    pub(crate) fn seal(
        &mut self,
        content: ContentType,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, Error> {
        match (content, Alert::decode(plaintext)) {
            (ContentType::ALERT, Some((alert, _))) => self.alert(alert),
            _ => {
                let limit = self.connection.max_data();
                if plaintext.len() > limit {
                    return Err(Error::TooLarge { limit });
                }
                self.send(plaintext).ok_or(Error::SequenceExhausted)?;
            }
        }
        Ok(self.take_outgoing().concat())
    }

    /// Sends application data in as many records as it takes; `None` when all sequence numbers
    /// are used.
    pub(crate) fn send(&mut self, data: &[u8]) -> Option<()> {
        let sent = self.connection.send(data);
        self.collect();
        sent.ok()
    }
}

fn settings(role: Role, profile: Option<&ClientProfile>, context: &Context<'_>) -> Settings {
    let config = context.config;
    let has_suite = |suite: &&CipherSuite| config.backend.has_suite(**suite);
    let suites = profile.map_or_else(|| config.suites.clone(), ClientProfile::offered);
    let protocol = context.own_protocol().pop().and_then(|name| String::from_utf8(name).ok());
    let name = profile.and_then(|profile| profile.server_name.clone());
    Settings {
        role: match role {
            Role::Client => lwm2m_mbedtls::Role::Client,
            Role::Server => lwm2m_mbedtls::Role::Server,
        },
        transport: match context.framing {
            Framing::Datagram => Transport::Datagram,
            Framing::Stream => Transport::Stream,
        },
        suites: suites.iter().filter(has_suite).map(|suite| suite.0).collect(),
        mtu: u16::try_from(config.mtu).unwrap_or(u16::MAX),
        retransmit_after: config.retransmit_after,
        retransmit_limit: MAX_INTERVAL.max(config.retransmit_after),
        application_protocol: protocol,
        max_fragment_length: profile.and_then(|profile| profile.max_fragment_length),
        // RFC 6066 section 3: names of hosts, no addresses.
        server_name: name.filter(|name| name.parse::<IpAddr>().is_err()),
    }
}
