//! The handshake: messages and the two state machines. They see whole messages, not datagrams.

pub(crate) mod client;
mod client_flight;
pub(crate) mod extension;
pub(crate) mod fragment;
pub(crate) mod message;
pub(crate) mod schedule;
pub(crate) mod server;
pub(crate) mod server_flight;
pub(crate) mod server_peer;
pub(crate) mod transcript;
pub(crate) mod wire;

pub(crate) use schedule::Master;
pub use schedule::Role;

use crate::Rng;
use crate::config::{Config, Mode};
use crate::credential::CredentialDigest;
use crate::crypto::{KeyExchange, Provider};
use crate::error::Reason;
use crate::identity::Identity;
use crate::record::{ContentType, Protection};
use crate::resumption::{CacheKey, Resumption, SessionCache, SessionState};
use crate::suite::{CipherSuite, KeyExchangeKind};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use message::MessageType;
use rand_chacha::rand_core::RngCore;
use schedule::{Randoms, session_keys};
use transcript::{Framing, Transcript};

/// What the state machines need of their endpoint.
pub(crate) struct Context<'a> {
    pub(crate) config: &'a Config,
    pub(crate) rng: &'a mut Rng,
    pub(crate) cache: &'a mut SessionCache,
    pub(crate) unix_time: Duration,
    pub(crate) framing: Framing,
}

impl Context<'_> {
    /// Fresh random bytes.
    pub(crate) fn random<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    /// An ephemeral key pair.
    fn key_exchange(&mut self) -> Result<Box<dyn KeyExchange>, Reason> {
        // One seed in four thousand million is no key; three of them are a broken library.
        (0..3)
            .find_map(|_| {
                let seed = zeroize::Zeroizing::new(self.random());
                self.config.provider.key_exchange(&seed).ok()
            })
            .ok_or(Reason::Internal)
    }

    /// The application protocol to speak of; none on datagrams.
    pub(crate) fn own_protocol(&self) -> Vec<Vec<u8>> {
        let configured = self.config.application_protocol.iter();
        let spoken_of = configured.filter(|_| self.framing == Framing::Stream);
        spoken_of.map(|protocol| protocol.to_vec()).collect()
    }

    fn provider(&self) -> &dyn Provider {
        &*self.config.provider
    }

    /// When a session made now may no longer be resumed, in Unix seconds.
    fn expiry(&self) -> u64 {
        self.unix_time.saturating_add(self.config.resumption_lifetime).as_secs()
    }
}

/// A message or ChangeCipherSpec of a flight.
#[derive(Clone, Debug)]
pub(crate) struct FlightItem {
    pub(crate) epoch: u16,
    pub(crate) content: ContentType,
    pub(crate) bytes: Vec<u8>,
}

/// The keys of an agreed session and how its records look.
pub(crate) struct Keys {
    pub(crate) suite: CipherSuite,
    pub(crate) read: Protection,
    pub(crate) write: Protection,
    /// The Connection ID that the peer puts on its records.
    pub(crate) read_cid: Vec<u8>,
    /// The one we put on ours.
    pub(crate) write_cid: Vec<u8>,
    /// Addresses are checked by RFC 9853.
    pub(crate) return_routability_check: bool,
    /// The longest plaintext that the peer takes.
    pub(crate) max_plaintext: usize,
}

/// A peer that has shown who it is.
#[derive(Clone)]
pub(crate) struct Authenticated {
    pub(crate) identity: Identity,
    /// What it was held against.
    pub(crate) credential: CredentialDigest,
    /// When that is no longer good, in Unix seconds.
    pub(crate) expires: u64,
}

/// What a finished handshake has established.
pub(crate) struct Completed {
    pub(crate) identity: Identity,
    pub(crate) suite: CipherSuite,
    pub(crate) resumed: bool,
    pub(crate) resumption: Option<Box<Resumption>>,
    /// Where a server keeps what resumes it.
    pub(crate) cached: Option<CacheKey>,
}

/// What a step of a state machine wants done.
#[derive(Default)]
pub(crate) struct Output {
    /// A new flight, to be sent now and again until it is answered.
    pub(crate) flight: Vec<FlightItem>,
    pub(crate) keys: Option<Box<Keys>>,
    pub(crate) completed: Option<Box<Completed>>,
}

impl Output {
    fn message(&mut self, transcript: &mut Transcript, kind: MessageType, body: &[u8]) {
        let bytes = transcript.send(kind, body);
        self.flight.push(FlightItem { epoch: 0, content: ContentType::HANDSHAKE, bytes });
    }

    fn finished(&mut self, transcript: &mut Transcript, master: &Master, role: Role) {
        let data = schedule::verify_data(master, role, &transcript.hash());
        let content = ContentType::CHANGE_CIPHER_SPEC;
        self.flight.push(FlightItem { epoch: 0, content, bytes: alloc::vec![1] });
        let bytes = transcript.send(MessageType::FINISHED, &data);
        self.flight.push(FlightItem { epoch: 1, content: ContentType::HANDSHAKE, bytes });
    }
}

/// What the two hellos have settled.
#[derive(Clone)]
pub(crate) struct Agreed {
    pub(crate) suite: CipherSuite,
    pub(crate) exchange: KeyExchangeKind,
    pub(crate) randoms: Randoms,
    pub(crate) extended_master_secret: bool,
    pub(crate) encrypt_then_mac: bool,
    pub(crate) read_cid: Vec<u8>,
    pub(crate) write_cid: Vec<u8>,
    pub(crate) return_routability_check: bool,
    pub(crate) max_plaintext: usize,
    pub(crate) session_id: Vec<u8>,
    /// The application protocol, if one was agreed on.
    pub(crate) application_protocols: Vec<Vec<u8>>,
    /// The certificate types of client and server.
    pub(crate) certificate_types: (u8, u8),
}

impl Agreed {
    /// The mode that the suite and the certificate type of the side amount to.
    fn mode(&self, certificate_type: u8) -> Mode {
        match self.exchange {
            KeyExchangeKind::Psk | KeyExchangeKind::EcdhePsk => Mode::Psk,
            KeyExchangeKind::EcdheEcdsa if certificate_type == extension::RAW_PUBLIC_KEY => {
                Mode::RawPublicKey
            }
            KeyExchangeKind::EcdheEcdsa => Mode::Certificate,
        }
    }

    fn keys(&self, role: Role, master: &Master) -> Result<Box<Keys>, Reason> {
        let keys = session_keys(master, self.suite, &self.randoms, self.encrypt_then_mac)
            .ok_or(Reason::Internal)?;
        let (read, write) = match role {
            Role::Client => (keys.server, keys.client),
            Role::Server => (keys.client, keys.server),
        };
        Ok(Box::new(Keys {
            suite: self.suite,
            read,
            write,
            read_cid: self.read_cid.clone(),
            write_cid: self.write_cid.clone(),
            return_routability_check: self.return_routability_check,
            max_plaintext: self.max_plaintext,
        }))
    }

    /// The master secret of a full handshake; the transcript must end with ClientKeyExchange.
    fn master(&self, premaster: &[u8], transcript: &Transcript, config: &Config) -> Master {
        let hash = self.extended_master_secret.then(|| transcript.hash());
        let master = schedule::master(premaster, hash.as_ref(), &self.randoms);
        self.log(&master, config);
        master
    }

    fn log(&self, master: &Master, config: &Config) {
        if let Some(log) = &config.key_log {
            log.log("CLIENT_RANDOM", &self.randoms.client, &master[..]);
        }
    }

    fn state(
        &self,
        peer: Authenticated,
        server_name: Option<String>,
        master: &Master,
        context: &Context<'_>,
    ) -> SessionState {
        SessionState {
            framing: context.framing,
            suite: self.suite,
            extended_master_secret: self.extended_master_secret,
            master: master.clone(),
            identity: peer.identity,
            server_name,
            credential: peer.credential,
            expires: peer.expires.min(context.expiry()),
        }
    }
}

/// The bytes that the ServerKeyExchange's signature covers.
fn signed_parameters(randoms: &Randoms, parameters: &[u8]) -> Vec<u8> {
    [&randoms.client[..], &randoms.server, parameters].concat()
}

/// The longest plaintext towards a peer that answered or asked with these extensions.
fn max_plaintext(max_fragment_length: Option<u8>, record_size_limit: Option<u16>) -> usize {
    let by_code = match max_fragment_length {
        Some(code @ 1..=4) => 256 << code,
        _ => crate::record::MAX_PLAINTEXT,
    };
    record_size_limit.map_or(by_code, |limit| usize::from(limit).min(crate::record::MAX_PLAINTEXT))
}

/// Compares a received Finished with what it must hold.
fn check_finished(message: &fragment::Message, expected: &[u8; 12]) -> Result<(), Reason> {
    use subtle::ConstantTimeEq;
    if message.kind != MessageType::FINISHED || message.epoch != 1 {
        return Err(Reason::UnexpectedMessage);
    }
    let same = expected.as_slice().ct_eq(message.body());
    bool::from(same).then_some(()).ok_or(Reason::WrongKey)
}
