//! TLS 1.3 (RFC 8446) on streams by `rustls`, with certificates and raw public keys.
//!
//! The library does the protocol and its cryptography; trust is decided by the same code as in
//! version 1.2. There is no resumption and no early data.

mod key;
mod reason;
mod trust;

use crate::config::{ClientProfile, ClientSecurity, KeyLog};
use crate::credential::check_still_known;
use crate::error::Reason;
use crate::handshake::context::Context;
use crate::handshake::fragment::Message;
use crate::handshake::framing::Framing;
use crate::handshake::message::ClientHello;
use crate::handshake::output::{Completed, Step};
use crate::handshake::server_flight::{OwnKey, own_key_for_tls13};
use crate::mode::Mode;
use crate::record::header::{ContentType, MAX_PLAINTEXT, TLS_VERSION};
use crate::suite::CipherSuite;
use crate::wire::{put_u16, put_vector16};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use core::net::SocketAddr;
use core::time::Duration;
use key::Own;
use rustls::client::{Resumption, UnbufferedClientConnection};
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use rustls::server::{NoServerSessionStorage, UnbufferedServerConnection};
use rustls::time_provider::TimeProvider;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus,
    WriteTraffic,
};
use rustls::version::TLS13;
use rustls::{ClientConfig, CommonState, Error, ServerConfig};
use rustls_pki_types::{ServerName, UnixTime};
use trust::{Clients, Found, Servers};

/// The most input bytes that may wait for more: a record, and an incomplete handshake message in
/// the records before it. The library itself would wait for 64 KiB of message, and for the padding
/// of every record that brings a byte of it.
const MAX_WAITING: usize = 40 * 1024;

/// A connection of version 1.3.
pub(crate) struct Tls13 {
    side: Side,
    mode: Mode,
    /// The peer's key and identity, until the handshake is finished.
    found: Option<Arc<Found>>,
    /// Input that the library has not consumed yet.
    input: Vec<u8>,
}

enum Side {
    Client(Box<UnbufferedClientConnection>),
    Server(Box<UnbufferedServerConnection>),
}

impl Tls13 {
    /// The server's side, if the client offers this version and we have a key for it.
    pub(crate) fn accept(message: &Message, context: &Context<'_>) -> Result<Option<Self>, Reason> {
        let hello = ClientHello::decode(Framing::Stream, message.body());
        let hello = hello.ok_or(Reason::Malformed)?;
        let config = context.config;
        let credentials = config.credentials.clone().filter(|_| config.tls13);
        let Some(credentials) = credentials else { return Ok(None) };
        let Some((key, client_type)) = own_key_for_tls13(&hello, &config.suites, &*credentials)
        else {
            return Ok(None);
        };
        let own = match key {
            OwnKey::Raw(key) => Own::raw(key),
            OwnKey::Certified(certified) => Own::certified(&certified),
            OwnKey::Shared => return Ok(None),
        };
        let found = Arc::new(Found::default());
        let clients = Clients::new(client_type, credentials, context, Arc::clone(&found));
        let mode = clients.mode();
        let mut settings =
            ServerConfig::builder_with_details(library(), Arc::new(Now(context.unix_time())))
                .with_protocol_versions(&[&TLS13])
                .map_err(|_| Reason::Internal)?
                .with_client_cert_verifier(Arc::new(clients))
                .with_cert_resolver(Arc::new(own));
        settings.session_storage = Arc::new(NoServerSessionStorage {});
        settings.send_tls13_tickets = 0;
        settings.alpn_protocols = context.own_protocol();
        if let Some(log) = &config.key_log {
            settings.key_log = Arc::new(Logged(Arc::clone(log)));
        }
        let connection = UnbufferedServerConnection::new(Arc::new(settings));
        let side = Side::Server(Box::new(connection.map_err(|_| Reason::Internal)?));
        Ok(Some(Self { side, mode, found: Some(found), input: records(message.raw()) }))
    }

    /// The client's side; `None` for pre-shared keys, which need version 1.2.
    pub(crate) fn connect(
        peer: SocketAddr,
        profile: &Arc<ClientProfile>,
        context: &Context<'_>,
    ) -> Option<Self> {
        let own = match &profile.security {
            ClientSecurity::RawPublicKey { key, .. } => Own::raw(Arc::clone(key)),
            ClientSecurity::Certificate { certified, .. } => Own::certified(certified),
            ClientSecurity::Psk { .. } => return None,
        };
        let found = Arc::new(Found::default());
        let servers = Servers::new(Arc::clone(profile), context, Arc::clone(&found));
        let mut settings =
            ClientConfig::builder_with_details(library(), Arc::new(Now(context.unix_time())))
                .with_protocol_versions(&[&TLS13])
                .ok()?
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(servers))
                .with_client_cert_resolver(Arc::new(own));
        settings.resumption = Resumption::disabled();
        settings.alpn_protocols = context.own_protocol();
        if let Some(log) = &context.config.key_log {
            settings.key_log = Arc::new(Logged(Arc::clone(log)));
        }
        // The library does not send an address as SNI.
        let address = || ServerName::from(peer.ip());
        let name = profile.server_name.clone().and_then(|name| ServerName::try_from(name).ok());
        let name = name.unwrap_or_else(address);
        let connection = UnbufferedClientConnection::new(Arc::new(settings), name).ok()?;
        let side = Side::Client(Box::new(connection));
        let mode = profile.security.mode();
        Some(Self { side, mode, found: Some(found), input: Vec::new() })
    }

    /// The mode by the certificate type.
    pub(crate) const fn mode(&self) -> Mode {
        self.mode
    }

    /// Handles the next bytes and appends bytes to be sent to `out`, after an error with its alert.
    pub(crate) fn handle(
        &mut self,
        bytes: &[u8],
        context: &Context<'_>,
        out: &mut Vec<u8>,
        steps: &mut Vec<Step>,
    ) -> Result<(), Reason> {
        self.input.extend_from_slice(bytes);
        loop {
            let turn = self.turn(out, None).map_err(|error| self.give_up(&error, out))?;
            if self.found.is_some() && !self.common().is_handshaking() {
                steps.push(Step::Connected(self.completed(context)?));
            }
            match turn {
                Turn::Again => {}
                Turn::Wait if self.input.len() > MAX_WAITING => return Err(Reason::Malformed),
                Turn::Wait => return Ok(()),
                Turn::Data(data) => steps.extend(data.into_iter().map(Step::Data)),
                Turn::Closed => {
                    steps.push(Step::CloseNotify);
                    return Ok(());
                }
            }
        }
    }

    /// Appends the records of application data.
    pub(crate) fn send(&mut self, data: &[u8], out: &mut Vec<u8>) -> Option<()> {
        self.write(out, &|traffic, room| traffic.encrypt(data, room))
    }

    /// Appends close_notify.
    pub(crate) fn close(&mut self, out: &mut Vec<u8>) {
        // An alert that cannot be sealed is not sent; the connection ends either way.
        let _ = self.write(out, &|traffic, room| traffic.close(room));
    }

    fn write(&mut self, out: &mut Vec<u8>, seal: Seal<'_>) -> Option<()> {
        loop {
            match self.turn(out, Some(seal)).ok()? {
                Turn::Again => {}
                Turn::Wait => return Some(()),
                Turn::Data(_) | Turn::Closed => return None,
            }
        }
    }

    /// Runs the library once. It remembers positions in the input, so that it must be given all
    /// unconsumed input each time.
    fn turn(&mut self, out: &mut Vec<u8>, seal: Option<Seal<'_>>) -> Result<Turn, Error> {
        let input = &mut self.input;
        let (used, turn) = match &mut self.side {
            Side::Client(it) => digest(it.process_tls_records(input), out, seal),
            Side::Server(it) => digest(it.process_tls_records(input), out, seal),
        };
        // An idle connection keeps no buffer.
        match used >= self.input.len() {
            true => self.input = Vec::new(),
            false => drop(self.input.drain(..used)),
        }
        turn
    }

    /// Appends the library's alert for its error, and returns the reason.
    fn give_up(&mut self, error: &Error, out: &mut Vec<u8>) -> Reason {
        // Only writes: the library must not see the input again.
        while self.common().wants_write() && self.turn(out, None).is_ok() {}
        let refused = self.found.as_ref().and_then(|found| found.refusal());
        refused.unwrap_or_else(|| reason::of(error))
    }

    fn completed(&mut self, context: &Context<'_>) -> Result<Box<Completed>, Reason> {
        let peer = self.found.take().and_then(|found| found.peer()).ok_or(Reason::Internal)?;
        if matches!(self.side, Side::Server(_)) {
            check_still_known(&peer, context.config)?;
        }
        let suite = self.common().negotiated_cipher_suite().ok_or(Reason::Internal)?;
        Ok(Box::new(Completed {
            identity: peer.identity,
            suite: CipherSuite(u16::from(suite.suite())),
            resumed: false,
            resumption: None,
            cached: None,
        }))
    }

    fn common(&self) -> &CommonState {
        match &self.side {
            Side::Client(connection) => connection,
            Side::Server(connection) => connection,
        }
    }
}

/// Wraps a handshake message in records.
fn records(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 16);
    for part in message.chunks(MAX_PLAINTEXT) {
        out.push(ContentType::HANDSHAKE.0);
        put_u16(&mut out, TLS_VERSION);
        put_vector16(&mut out, part);
    }
    out
}

/// The result of one run of the library.
enum Turn {
    Again,
    Wait,
    Data(Vec<Bytes>),
    Closed,
}

/// Sealing of application data on either side.
trait Traffic {
    fn encrypt(&mut self, data: &[u8], room: &mut [u8]) -> Result<usize, EncryptError>;
    fn close(&mut self, room: &mut [u8]) -> Result<usize, EncryptError>;
}

impl<D> Traffic for WriteTraffic<'_, D> {
    fn encrypt(&mut self, data: &[u8], room: &mut [u8]) -> Result<usize, EncryptError> {
        WriteTraffic::encrypt(self, data, room)
    }

    fn close(&mut self, room: &mut [u8]) -> Result<usize, EncryptError> {
        self.queue_close_notify(room)
    }
}

type Seal<'a> = &'a dyn Fn(&mut dyn Traffic, &mut [u8]) -> Result<usize, EncryptError>;

/// Does what the library asks for. Returns the number of consumed bytes and the result.
fn digest<D>(
    status: UnbufferedStatus<'_, '_, D>,
    out: &mut Vec<u8>,
    seal: Option<Seal<'_>>,
) -> (usize, Result<Turn, Error>) {
    let UnbufferedStatus { mut discard, state, .. } = status;
    let turn = state.and_then(|state| match state {
        ConnectionState::ReadTraffic(mut traffic) => {
            let mut data = Vec::new();
            while let Some(record) = traffic.next_record() {
                let record = record?;
                discard += record.discard;
                data.push(Bytes::copy_from_slice(record.payload));
            }
            Ok(Turn::Data(data))
        }
        ConnectionState::EncodeTlsData(mut chunk) => {
            append(out, |room| {
                chunk.encode(room).map_err(|error| match error {
                    EncodeError::InsufficientSize(size) => Some(size),
                    EncodeError::AlreadyEncoded => None,
                })
            });
            Ok(Turn::Again)
        }
        ConnectionState::TransmitTlsData(chunk) => {
            chunk.done();
            Ok(Turn::Again)
        }
        ConnectionState::PeerClosed => Ok(Turn::Closed),
        ConnectionState::WriteTraffic(mut traffic) => {
            let sealed = seal.is_none_or(|seal| {
                append(out, |room| {
                    seal(&mut traffic, room).map_err(|error| match error {
                        EncryptError::InsufficientSize(size) => Some(size),
                        EncryptError::EncryptExhausted => None,
                    })
                })
            });
            if sealed { Ok(Turn::Wait) } else { Err(Error::EncryptError) }
        }
        _ => Ok(Turn::Wait),
    });
    (discard, turn)
}

/// Appends what `write` writes, with the room that it asks for. Returns whether it succeeded.
fn append(
    out: &mut Vec<u8>,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, Option<InsufficientSizeError>>,
) -> bool {
    let start = out.len();
    let mut written = write(&mut []);
    if let Err(Some(size)) = written {
        out.resize(start + size.required_size, 0);
        written = write(out.get_mut(start..).unwrap_or_default());
    }
    out.truncate(start + written.as_ref().map_or(0, |written| *written));
    written.is_ok()
}

/// The suites and groups of RFC 8446 that we offer.
fn library() -> Arc<CryptoProvider> {
    Arc::new(CryptoProvider {
        cipher_suites: [
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS13_AES_256_GCM_SHA384,
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ]
        .to_vec(),
        kx_groups: [kx_group::X25519, kx_group::SECP256R1].to_vec(),
        ..default_provider()
    })
}

/// A clock that stands still during the handshake.
#[derive(Debug)]
struct Now(Duration);

impl TimeProvider for Now {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(self.0))
    }
}

/// The key log in the form that the library asks for.
struct Logged(Arc<dyn KeyLog>);

impl fmt::Debug for Logged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyLog(..)")
    }
}

impl rustls::KeyLog for Logged {
    fn log(&self, label: &str, client_random: &[u8], secret: &[u8]) {
        if let Ok(random) = client_random.try_into() {
            self.0.log(label, random, secret);
        }
    }
}
