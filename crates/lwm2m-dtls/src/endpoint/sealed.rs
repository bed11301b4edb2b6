//! An established session as bytes, without its counters.

use super::session::Session;
use crate::channel::Channel;
use crate::counters::{SessionFingerprint, Stored};
use crate::identity::Identity;
use crate::mode::Role;
use crate::record::header::MAX_SEQUENCE;
use crate::record::keys::Protection;
use crate::records::Records;
use crate::resumption::{decode_identity, encode_identity};
use crate::suite::{Cipher, CipherSuite};
use crate::wire::{Parsed, array, put_u16, put_vector8, put_vector16, vector8, vector16};
use alloc::vec::Vec;
use nom::Parser;
use nom::combinator::map_opt;
use nom::number::complete::{be_u8, be_u16};
use zeroize::Zeroizing;

/// The bytes of an encoded session without its Connection IDs and its identity.
const FIXED: usize = 1 + 1 + 2 + 2 * (16 + 4 + 32) + 2 + 1 + 1 + 2;

const ENCRYPT_THEN_MAC: u8 = 1;
const RETURN_ROUTABILITY_CHECK: u8 = 2;
const CLIENT: u8 = 4;

/// What stays the same while a session lasts.
pub(super) struct Constants {
    channel: Channel,
    identity: Identity,
    pub(super) role: Role,
}

impl Constants {
    /// Encodes a session after a version, with room for `more` bytes behind it: a vector that grows
    /// leaves copies of the keys that are not wiped.
    pub(super) fn encode(
        version: u8,
        session: &Session,
        channel: &Channel,
        more: usize,
    ) -> Zeroizing<Vec<u8>> {
        let identity = encode_identity(&session.identity);
        let ids = channel.read_cid.len() + channel.write_cid.len();
        let mut out = Zeroizing::new(Vec::with_capacity(FIXED + ids + identity.len() + more));
        out.push(version);
        let flags = [
            (channel.read.encrypt_then_mac, ENCRYPT_THEN_MAC),
            (channel.return_routability_check, RETURN_ROUTABILITY_CHECK),
            (session.role == Role::Client, CLIENT),
        ];
        out.push(flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag).sum());
        put_u16(&mut out, channel.suite.0);
        for keys in [&channel.read, &channel.write] {
            out.extend_from_slice(&keys.key);
            out.extend_from_slice(&keys.fixed_iv);
            out.extend_from_slice(&keys.mac_key);
        }
        put_u16(&mut out, channel.max_plaintext);
        put_vector8(&mut out, &channel.read_cid);
        put_vector8(&mut out, &channel.write_cid);
        put_vector16(&mut out, &identity);
        out
    }

    /// Decodes a session without its version.
    pub(super) fn decode(input: &[u8]) -> Parsed<'_, Self> {
        let keys = (array::<16>, array::<4>, array::<32>);
        let identity = map_opt(vector16, decode_identity);
        let tail = (be_u16, vector8, vector8, identity);
        let (rest, (flags, suite, read, write, tail)) =
            (be_u8, map_opt(be_u16, known_suite), keys, { keys }, tail).parse(input)?;
        let ((suite, cipher), (max_plaintext, read_cid, write_cid, identity)) = (suite, tail);
        let protection = |(key, fixed_iv, mac_key)| Protection {
            cipher,
            encrypt_then_mac: flags & ENCRYPT_THEN_MAC != 0,
            key,
            fixed_iv,
            mac_key,
        };
        let channel = Channel {
            suite,
            read: protection(read),
            write: protection(write),
            window: Default::default(),
            sequence: 0,
            limit: MAX_SEQUENCE + 1,
            read_cid: read_cid.into(),
            write_cid: write_cid.into(),
            return_routability_check: flags & RETURN_ROUTABILITY_CHECK != 0,
            max_plaintext,
        };
        let role = if flags & CLIENT == 0 { Role::Server } else { Role::Client };
        Ok((rest, Self { channel, identity, role }))
    }

    pub(super) fn fingerprint(&self) -> SessionFingerprint {
        self.channel.fingerprint()
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The session with its counters: it sends from the limit on.
    pub(super) fn with(self, counters: &Stored<'_>) -> Session {
        let Self { mut channel, identity, role } = self;
        channel.sequence = counters.limit;
        channel.window = counters.window;
        Session::of(counters.peer, role, Records::Native(channel), identity, None)
    }
}

fn known_suite(number: u16) -> Option<(CipherSuite, Cipher)> {
    let suite = CipherSuite(number);
    suite.parts().map(|(_, cipher)| (suite, cipher))
}
