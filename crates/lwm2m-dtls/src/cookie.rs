//! Stateless cookies, by which a client proves its address: RFC 6347 section 4.2.1.

use crate::handshake::fragment::Fragment;
use crate::handshake::framing::{Framing, MessageType, frame};
use crate::handshake::message::{ClientHello, CookieParts, hello_verify_request};
use crate::record::header::{ContentType, write_plain};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use hmac::{Hmac, KeyInit, Mac};
use lwm2m_time::Instant;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// The unit of a cookie's lifetime, in microseconds; a cookie is valid for one to two of them.
const SLOT: u64 = 60_000_000;
/// The length of a cookie in bytes.
const LENGTH: usize = 16;

/// Makes and checks cookies.
pub(crate) struct Cookies {
    secret: Zeroizing<[u8; 32]>,
}

/// The check of a ClientHello.
pub(crate) enum CookieCheck {
    /// Its cookie is valid.
    Valid,
    /// It has no valid cookie: the datagram that asks for one.
    Missing(Vec<u8>),
    /// It is malformed, or its first fragment is too short for a cookie.
    Malformed,
}

impl Cookies {
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        Self { secret: Zeroizing::new(secret) }
    }

    /// Checks the cookie of a ClientHello or of its first fragment.
    pub(crate) fn check(
        &self,
        now: Instant,
        from: SocketAddr,
        hello: &Fragment<'_>,
        record_sequence: u64,
    ) -> CookieCheck {
        let Some(parts) = ClientHello::cookie_parts(hello.body) else {
            return CookieCheck::Malformed;
        };
        if self.verify(now, from, &parts) {
            return CookieCheck::Valid;
        }
        let kind = MessageType::HELLO_VERIFY_REQUEST;
        let body = hello_verify_request(&self.make(now, from, &parts));
        let request = frame(Framing::Datagram, kind, hello.sequence, &body);
        let mut out = Vec::with_capacity(64);
        write_plain(&mut out, ContentType::HANDSHAKE, record_sequence, &request);
        CookieCheck::Missing(out)
    }

    /// Makes the cookie for a hello from the address.
    fn make(&self, now: Instant, from: SocketAddr, hello: &CookieParts<'_>) -> [u8; LENGTH] {
        self.cookie(now.as_micros() / SLOT, from, hello)
    }

    /// Whether the hello has a cookie of this or the previous time slot.
    fn verify(&self, now: Instant, from: SocketAddr, hello: &CookieParts<'_>) -> bool {
        let slot = now.as_micros() / SLOT;
        [slot, slot.wrapping_sub(1)]
            .iter()
            .any(|&slot| self.cookie(slot, from, hello).as_slice().ct_eq(hello.cookie).into())
    }

    fn cookie(&self, slot: u64, from: SocketAddr, hello: &CookieParts<'_>) -> [u8; LENGTH] {
        let mut key = [0; 64];
        if let Some(room) = key.first_chunk_mut() {
            *room = *self.secret;
        }
        let mut hash = Hmac::<Sha256>::new(&key.into());
        hash.update(&slot.to_be_bytes());
        match from.ip() {
            IpAddr::V4(ip) => hash.update(&ip.octets()),
            IpAddr::V6(ip) => hash.update(&ip.octets()),
        }
        hash.update(&from.port().to_be_bytes());
        hash.update(hello.before);
        let code: [u8; 32] = hash.finalize().into_bytes().into();
        code.first_chunk().copied().unwrap_or([0; LENGTH])
    }
}
