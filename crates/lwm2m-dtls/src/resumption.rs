//! Sessions that can be resumed: RFC 5246 section 7.3, RFC 5077.

use crate::config::TicketKey;
use crate::credential::CredentialDigest;
use crate::handshake::framing::Framing;
use crate::handshake::schedule::Master;
use crate::identity::{CertificateIdentity, Identity};
use crate::seal;
use crate::suite::CipherSuite;
use crate::wire::{array, complete, put_u16, put_vector8, put_vector16, vector8, vector16};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;
use core::fmt;
use core::num::NonZeroU64;
use hashbrown::HashMap;
use nom::Parser;
use nom::multi::many0;
use nom::number::complete::{be_u8, be_u16, be_u64};
use zeroize::Zeroizing;

const VERSION: u8 = 2;
const PURPOSE: &[u8] = b"dtls session ticket";

/// The state that resumes a session.
#[derive(Clone)]
pub(crate) struct SessionState {
    /// DTLS sessions are resumed by DTLS only, TLS sessions by TLS only.
    pub(crate) framing: Framing,
    pub(crate) suite: CipherSuite,
    pub(crate) extended_master_secret: bool,
    pub(crate) master: Master,
    pub(crate) identity: Identity,
    pub(crate) server_name: Option<String>,
    /// The digest of the credential. The session is resumed only while the credential is the same.
    pub(crate) credential: CredentialDigest,
    /// When the session expires, in Unix seconds.
    pub(crate) expires: u64,
}

/// What a client needs to resume a session. The application keeps it, for
/// [`Endpoint::resume`](crate::Endpoint::resume).
#[derive(Clone)]
pub struct Resumption {
    pub(crate) session_id: Vec<u8>,
    pub(crate) ticket: Option<Vec<u8>>,
    pub(crate) state: SessionState,
}

impl fmt::Debug for Resumption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resumption").field("suite", &self.state.suite).finish_non_exhaustive()
    }
}

impl Resumption {
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let (state, ticket) = (self.state.encode(), self.ticket.as_deref().unwrap_or_default());
        let length = 1 + self.session_id.len() + 2 + ticket.len() + state.len();
        let mut out = Zeroizing::new(Vec::with_capacity(length));
        put_vector8(&mut out, &self.session_id);
        put_vector16(&mut out, ticket);
        out.extend_from_slice(&state);
        out
    }

    pub(crate) fn decode(input: &[u8]) -> Option<Self> {
        let (state, (session_id, ticket)) =
            (vector8, vector16).parse(input).map_err(|_: nom::Err<()>| ()).ok()?;
        Some(Self {
            session_id: session_id.to_vec(),
            ticket: (!ticket.is_empty()).then(|| ticket.to_vec()),
            state: SessionState::decode(state)?,
        })
    }
}

impl SessionState {
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let name = self.server_name.as_deref().unwrap_or_default().as_bytes();
        let identity = encode_identity(&self.identity);
        // Reserved at once: a vector that grows leaves copies that are not wiped.
        let length = 1 + 2 + 1 + 48 + 32 + 8 + 1 + name.len() + identity.len();
        let mut out = Zeroizing::new(Vec::with_capacity(length));
        out.push(VERSION);
        put_u16(&mut out, self.suite.0);
        let stream = u8::from(self.framing == Framing::Stream);
        out.push(u8::from(self.extended_master_secret) | stream << 1);
        out.extend_from_slice(&*self.master);
        out.extend_from_slice(&self.credential);
        out.extend_from_slice(&self.expires.to_be_bytes());
        put_vector8(&mut out, name);
        out.extend_from_slice(&identity);
        out
    }

    pub(crate) fn decode(input: &[u8]) -> Option<Self> {
        let head = (be_u8, be_u16, be_u8, array::<48>, array, be_u64, vector8);
        let (rest, head) = { head }.parse(input).map_err(|_: nom::Err<()>| ()).ok()?;
        let (version, suite, flags, master, credential, expires, name) = head;
        (version == VERSION).then_some(())?;
        Some(Self {
            framing: if flags & 2 == 0 { Framing::Datagram } else { Framing::Stream },
            suite: CipherSuite(suite),
            extended_master_secret: flags & 1 == 1,
            master: Zeroizing::new(master),
            identity: decode_identity(rest)?,
            server_name: (!name.is_empty()).then(|| text(name)).flatten(),
            credential,
            expires,
        })
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    core::str::from_utf8(bytes).ok().map(String::from)
}

/// Encodes an identity as its kind and its parts.
pub(crate) fn encode_identity(identity: &Identity) -> Vec<u8> {
    let (kind, parts): (u8, Vec<&[u8]>) = match identity {
        Identity::Psk(identity) => (0, alloc::vec![identity]),
        Identity::RawPublicKey(spki) => (1, alloc::vec![spki]),
        Identity::Certificate(certificate) => {
            let common = certificate.common_name.as_deref().unwrap_or_default();
            let mut parts = alloc::vec![&certificate.sha256[..], common.as_bytes()];
            parts.extend(certificate.dns_names.iter().map(|name| name.as_bytes()));
            (2, parts)
        }
    };
    let mut out = alloc::vec![kind];
    parts.iter().for_each(|part| put_vector16(&mut out, part));
    out
}

/// Decodes an identity that fills the input.
pub(crate) fn decode_identity(input: &[u8]) -> Option<Identity> {
    let (kind, parts) = complete((be_u8, many0(vector16)), input)?;
    match (kind, parts.as_slice()) {
        (0, [identity]) => Some(Identity::Psk(Bytes::copy_from_slice(identity))),
        (1, [spki]) => Some(Identity::RawPublicKey(Bytes::copy_from_slice(spki))),
        (2, [sha256, common, names @ ..]) => {
            Some(Identity::Certificate(Arc::new(CertificateIdentity {
                common_name: (!common.is_empty()).then(|| text(common)).flatten(),
                dns_names: names.iter().filter_map(|name| text(name)).collect(),
                sha256: (*sha256).try_into().ok()?,
            })))
        }
        _ => None,
    }
}

/// Seals the state as a session ticket.
pub(crate) fn seal_ticket(key: &TicketKey, nonce: [u8; 12], state: &SessionState) -> Vec<u8> {
    seal::seal(key, nonce, PURPOSE, &state.encode())
}

/// Opens a ticket that we have sealed.
pub(crate) fn open_ticket(key: &TicketKey, ticket: &[u8]) -> Option<SessionState> {
    SessionState::decode(&seal::open(key, PURPOSE, ticket)?)
}

/// The key of a [`SessionCache`] entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CacheKey(NonZeroU64);

/// The latest sessions that a server can resume by id.
pub(crate) struct SessionCache {
    sessions: HashMap<[u8; 32], (CacheKey, SessionState)>,
    /// The oldest first.
    ids: BTreeMap<CacheKey, [u8; 32]>,
    next: NonZeroU64,
    capacity: usize,
}

impl SessionCache {
    pub(crate) fn new(capacity: usize) -> Self {
        let next = NonZeroU64::MIN;
        Self { sessions: HashMap::new(), ids: BTreeMap::new(), next, capacity }
    }

    /// Whether the capacity is more than 0.
    pub(crate) fn is_enabled(&self) -> bool {
        self.capacity > 0
    }

    pub(crate) fn get(&self, id: &[u8]) -> Option<(CacheKey, &SessionState)> {
        let (key, state) = self.sessions.get(&<[u8; 32]>::try_from(id).ok()?)?;
        Some((*key, state))
    }

    /// The session with a key as what resumes it.
    pub(crate) fn resumption(&self, key: CacheKey) -> Option<Resumption> {
        let id = self.ids.get(&key)?;
        let (_, state) = self.sessions.get(id)?;
        Some(Resumption { session_id: id.to_vec(), ticket: None, state: state.clone() })
    }

    /// Adds a session again that it had before a restart.
    pub(crate) fn restore(&mut self, resumption: Resumption) -> Option<CacheKey> {
        let known = self.get(&resumption.session_id).map(|(key, _)| key);
        let id = resumption.session_id.as_slice().try_into().ok()?;
        known.or_else(|| self.insert(id, resumption.state))
    }

    /// Adds a session; its id is random, so that no other session has it. Evicts the oldest when
    /// full.
    pub(crate) fn insert(&mut self, id: [u8; 32], state: SessionState) -> Option<CacheKey> {
        if !self.is_enabled() {
            return None;
        }
        if self.ids.len() >= self.capacity
            && let Some((_, oldest)) = self.ids.pop_first()
        {
            self.sessions.remove(&oldest);
        }
        let key = CacheKey(self.next);
        self.next = self.next.saturating_add(1);
        self.ids.insert(key, id);
        self.sessions.insert(id, (key, state));
        Some(key)
    }

    /// Deletes a session, so that it cannot be resumed.
    pub(crate) fn forget(&mut self, key: CacheKey) {
        if let Some(id) = self.ids.remove(&key) {
            self.sessions.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> SessionState {
        SessionState {
            framing: Framing::Stream,
            suite: CipherSuite::PSK_WITH_AES_128_CCM_8,
            extended_master_secret: true,
            master: Zeroizing::new([7; 48]),
            identity: Identity::Certificate(Arc::new(CertificateIdentity {
                common_name: Some("urn:a".into()),
                dns_names: vec!["a.example".into()],
                sha256: [3; 32],
            })),
            server_name: Some("s.example".into()),
            credential: [5; 32],
            expires: 99,
        }
    }

    #[test]
    fn a_ticket_comes_back_whole_and_not_altered() {
        let key = TicketKey::new([1; 16]);
        let ticket = seal_ticket(&key, [2; 12], &state());
        let opened = open_ticket(&key, &ticket).expect("a ticket of ours");
        assert_eq!((opened.identity, opened.server_name), (state().identity, state().server_name));
        for index in 0..ticket.len() {
            let mut altered = ticket.clone();
            altered[index] ^= 1;
            assert!(open_ticket(&key, &altered).is_none());
        }
    }

    #[test]
    fn no_copy_of_the_secret_is_left_behind() {
        for length in [0, 1, 91, 1000] {
            let identity = Identity::Psk(vec![7; length].into());
            let encoded = SessionState { identity, ..state() }.encode();
            assert_eq!(encoded.capacity(), encoded.len(), "it has grown");
        }
    }

    #[test]
    fn the_cache_forgets_the_oldest() {
        let mut cache = SessionCache::new(2);
        for id in 0..3 {
            cache.insert([id; 32], state());
        }
        assert!(cache.get(&[0; 32]).is_none() && cache.get(&[1; 32]).is_some());
        assert!(cache.get(&[2; 32]).is_some() && cache.get(&[2; 31]).is_none());
        let (key, _) = cache.get(&[2; 32]).expect("the newest");
        cache.forget(key);
        assert!(cache.get(&[2; 32]).is_none() && cache.get(&[1; 32]).is_some());
    }
}
