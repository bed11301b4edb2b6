//! Cookies that vouch for an address without any state: RFC 6347 section 4.2.1.

use crate::handshake::message::CookieParts;
use core::net::{IpAddr, SocketAddr};
use hmac::{Hmac, KeyInit, Mac};
use lwm2m_time::Instant;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A cookie is good for one to two of these, in microseconds.
const SLOT: u64 = 60_000_000;
/// Length of a cookie.
const LENGTH: usize = 16;

/// Makes and checks cookies.
pub(crate) struct Cookies {
    secret: Zeroizing<[u8; 32]>,
}

impl Cookies {
    pub(crate) fn new(secret: [u8; 32]) -> Self {
        Self { secret: Zeroizing::new(secret) }
    }

    /// The cookie for a hello from the address.
    pub(crate) fn make(
        &self,
        now: Instant,
        from: SocketAddr,
        hello: &CookieParts<'_>,
    ) -> [u8; LENGTH] {
        self.cookie(now.as_micros() / SLOT, from, hello)
    }

    /// Whether the hello has the cookie it was given a short while ago.
    pub(crate) fn verify(&self, now: Instant, from: SocketAddr, hello: &CookieParts<'_>) -> bool {
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
