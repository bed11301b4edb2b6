//! Cookies that vouch for an address without any state: RFC 6347 section 4.2.1.

use crate::handshake::fragment::Fragment;
use crate::handshake::message::{ClientHello, CookieParts, MessageType, hello_verify_request};
use crate::handshake::transcript::{Framing, frame};
use crate::record::{ContentType, write_plain};
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};
use hmac::{Hmac, KeyInit, Mac};
use lwm2m_time::Instant;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A cookie is good for one to two of these, in microseconds.
const SLOT: u64 = 60_000_000;
/// A hello is kept while its handshake is under way, so it has a bound: extensions are short, but
/// for a ticket with a chain of certificates in it.
const MAX_HELLO: usize = 4096;
/// Length of a cookie.
const LENGTH: usize = 16;

/// Makes and checks cookies.
pub(crate) struct Cookies {
    secret: Zeroizing<[u8; 32]>,
}

/// What a hello is worth.
pub(crate) enum CookieCheck {
    /// Its cookie is good.
    Yes,
    /// It needs a cookie: the datagram that demands one.
    Ask(Vec<u8>),
    /// It is none, or too long to be one.
    Never,
}

impl Cookies {
    /// Whether a hello shows a good cookie; leaves nothing behind.
    pub(crate) fn vouch(
        &self,
        now: Instant,
        from: SocketAddr,
        hello: &Fragment<'_>,
        record_sequence: u64,
    ) -> CookieCheck {
        let is_meant = hello.is_whole() && hello.length <= MAX_HELLO;
        let parts = ClientHello::cookie_parts(hello.body).filter(|_| is_meant);
        let Some(parts) = parts else { return CookieCheck::Never };
        if self.verify(now, from, &parts) {
            return CookieCheck::Yes;
        }
        let kind = MessageType::HELLO_VERIFY_REQUEST;
        let body = hello_verify_request(&self.make(now, from, &parts));
        let request = frame(Framing::Datagram, kind, hello.sequence, &body);
        let mut out = Vec::with_capacity(64);
        write_plain(&mut out, ContentType::HANDSHAKE, record_sequence, &request);
        CookieCheck::Ask(out)
    }

    pub(crate) fn new(secret: [u8; 32]) -> Self {
        Self { secret: Zeroizing::new(secret) }
    }

    /// The cookie for a hello from the address.
    fn make(&self, now: Instant, from: SocketAddr, hello: &CookieParts<'_>) -> [u8; LENGTH] {
        self.cookie(now.as_micros() / SLOT, from, hello)
    }

    /// Whether the hello has the cookie it was given a short while ago.
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
        hash.update(hello.after);
        let code: [u8; 32] = hash.finalize().into_bytes().into();
        code.first_chunk().copied().unwrap_or([0; LENGTH])
    }
}
