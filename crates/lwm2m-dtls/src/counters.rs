//! The counters of an established session as bytes: small, and written often.

use crate::event::SessionId;
use crate::record::header::MAX_SEQUENCE;
use crate::record::window::ReplayWindow;
use crate::wire::{Parsed, complete, put_u16, put_vector8, put_vector16, vector8, vector16};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use nom::Parser;
use nom::combinator::map_opt;
use nom::number::complete::{be_u8, be_u16, be_u32, be_u64};

const VERSION: u8 = 1;
/// The most bytes of encoded counters without their note.
const MOST: usize = 1 + 3 * 8 + 2 + 17 + 4 + 2 + CHECK;
/// The length of the checksum.
const CHECK: usize = 4;

/// Tells a session from all others, also after a restart, without revealing its keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionFingerprint(pub [u8; 16]);

/// The counters of a session at this moment: what has to be durable before something that the peer
/// asked for counts as done.
///
/// [`Endpoint::restore`](crate::Endpoint::restore) needs the newest ones that are durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionCounters {
    /// The session in this endpoint.
    pub session: SessionId,
    /// The key under which the store keeps the session.
    pub fingerprint: SessionFingerprint,
    /// The record number at which a restored session begins to send, up to 2^48.
    pub limit: u64,
    /// Whether the store has the [sealed session](crate::Endpoint::seal_session). If not, write it
    /// with these counters.
    pub is_recorded: bool,
    /// Whether the store has this limit. If not, tell
    /// [`limit_written`](crate::Endpoint::limit_written) when these counters are durable.
    pub is_limit_written: bool,
    /// The address of the peer, as of [`Endpoint::peer`](crate::Endpoint::peer).
    pub peer: SocketAddr,
    /// What the application wants back with the session, 65,535 bytes at most. Default: nothing.
    pub note: Vec<u8>,
    pub(crate) window: ReplayWindow,
}

/// The counters that a store keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stored<'a> {
    /// The number after the greatest one that may have been used.
    pub(crate) limit: u64,
    pub(crate) window: ReplayWindow,
    pub(crate) peer: SocketAddr,
    pub(crate) note: &'a [u8],
}

impl SessionCounters {
    /// Encodes the counters: 58 bytes at most, and the note. They hold no secret, and a checksum that
    /// binds them to their session.
    pub fn encode(&self) -> Vec<u8> {
        let Self { limit, window, peer, ref note, .. } = *self;
        Stored { limit, window, peer, note }.encode(&self.fingerprint)
    }
}

impl<'a> Stored<'a> {
    pub(crate) fn encode(&self, fingerprint: &SessionFingerprint) -> Vec<u8> {
        let mut out = Vec::with_capacity(MOST + self.note.len());
        out.push(VERSION);
        let (next, seen) = self.window.parts();
        for number in [self.limit, next, seen] {
            out.extend_from_slice(&number.to_be_bytes());
        }
        put_address(&mut out, self.peer);
        put_vector16(&mut out, self.note);
        let check = check(fingerprint, &out);
        out.extend_from_slice(&check);
        out
    }

    /// Decodes the counters of a session; `None` if they are torn, or those of another session.
    pub(crate) fn decode(fingerprint: &SessionFingerprint, input: &'a [u8]) -> Option<Self> {
        let (body, expected) = input.split_last_chunk::<CHECK>()?;
        (check(fingerprint, body) == *expected).then_some(())?;
        let parser = (be_u8, be_u64, be_u64, be_u64, address, vector16);
        let (version, limit, next, seen, peer, note) = complete(parser, body)?;
        let is_possible = version == VERSION && limit <= MAX_SEQUENCE + 1;
        let window = ReplayWindow::from_parts(next, seen);
        (is_possible && next <= MAX_SEQUENCE + 1).then_some(Self { limit, window, peer, note })
    }
}

fn check(fingerprint: &SessionFingerprint, body: &[u8]) -> [u8; CHECK] {
    let mut hash = crc32fast::Hasher::new();
    hash.update(&fingerprint.0);
    hash.update(body);
    hash.finalize().to_be_bytes()
}

fn put_address(out: &mut Vec<u8>, address: SocketAddr) {
    put_u16(out, address.port());
    match address {
        SocketAddr::V4(v4) => put_vector8(out, &v4.ip().octets()),
        SocketAddr::V6(v6) => {
            put_vector8(out, &v6.ip().octets());
            // A link-local address cannot be answered without its scope.
            out.extend_from_slice(&v6.scope_id().to_be_bytes());
        }
    }
}

fn address(input: &[u8]) -> Parsed<'_, SocketAddr> {
    let (rest, (port, ip)) = (be_u16, map_opt(vector8, ip_address)).parse(input)?;
    match ip {
        IpAddr::V4(ip) => Ok((rest, SocketAddr::new(ip.into(), port))),
        IpAddr::V6(ip) => {
            let (rest, scope) = be_u32(rest)?;
            Ok((rest, SocketAddrV6::new(ip, port, 0, scope).into()))
        }
    }
}

fn ip_address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(octets).map(Ipv4Addr::from).map(IpAddr::V4);
    let v6 = || <[u8; 16]>::try_from(octets).map(Ipv6Addr::from).map(IpAddr::V6);
    v4().or_else(|_| v6()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ONE: SessionFingerprint = SessionFingerprint([1; 16]);

    fn peer() -> impl Strategy<Value = SocketAddr> {
        let v4 = (any::<[u8; 4]>(), any::<u16>()).prop_map(SocketAddr::from);
        let v6 = (any::<[u8; 16]>(), any::<u16>(), any::<u32>());
        let v6 = v6.prop_map(|(ip, port, scope)| SocketAddrV6::new(ip.into(), port, 0, scope));
        prop_oneof![v4, v6.prop_map(SocketAddr::V6)]
    }

    fn stored() -> impl Strategy<Value = Stored<'static>> {
        let number = 0..=MAX_SEQUENCE + 1;
        (number.clone(), number, any::<u64>(), peer()).prop_map(|(limit, next, seen, peer)| {
            Stored { limit, window: ReplayWindow::from_parts(next, seen), peer, note: b"note" }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn counters_come_back_and_torn_or_foreign_ones_do_not(
            (old, new) in (stored(), stored()),
            at in any::<prop::sample::Index>(),
            change in 1..=u8::MAX,
        ) {
            let bytes = new.encode(&ONE);
            prop_assert!(bytes.len() <= 58 + 4);
            prop_assert_eq!(Stored::decode(&ONE, &bytes), Some(new));
            let other = SessionFingerprint([2; 16]);
            prop_assert_eq!(Stored::decode(&other, &bytes), None);
            for length in 0..bytes.len() {
                prop_assert_eq!(Stored::decode(&ONE, &bytes[..length]), None);
            }
            let mut altered = bytes.clone();
            altered[at.index(bytes.len())] ^= change;
            prop_assert_eq!(Stored::decode(&ONE, &altered), None);
            // The beginning of the new value over the old one.
            let mut torn = old.encode(&ONE);
            let from_new = at.index(bytes.len()).min(torn.len());
            torn[..from_new].copy_from_slice(&bytes[..from_new]);
            let whole = torn == old.encode(&ONE) || torn == bytes;
            prop_assert!(whole || Stored::decode(&ONE, &torn).is_none());
        }

        #[test]
        fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            Stored::decode(&ONE, &bytes);
        }

        #[test]
        fn numbers_beyond_the_last_are_refused(stored in stored(), beyond in 1..1u64 << 63) {
            let beyond = MAX_SEQUENCE + 1 + beyond;
            let window = ReplayWindow::from_parts(beyond, 0);
            for late in [Stored { limit: beyond, ..stored }, Stored { window, ..stored }] {
                let bytes = late.encode(&ONE);
                prop_assert_eq!(Stored::decode(&ONE, &bytes), None);
            }
        }
    }
}
