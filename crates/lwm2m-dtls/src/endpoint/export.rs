//! Established sessions as sealed bytes, to survive a restart or to move to another node.

use super::Endpoint;
use super::session::Session;
use crate::channel::Channel;
use crate::config::TicketKey;
use crate::error::Error;
use crate::event::{Cause, SessionId};
use crate::record::keys::Protection;
use crate::record::window::ReplayWindow;
use crate::records::Records;
use crate::resumption::{decode_identity, encode_identity};
use crate::seal;
use crate::suite::CipherSuite;
use crate::wire::{array, put_u16, put_vector8, put_vector16, vector8, vector16};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use nom::Parser;
use nom::number::complete::{be_u8, be_u16, be_u64};
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const PURPOSE: &[u8] = b"dtls session";
/// The most bytes of an encoded session without its Connection IDs and its identity.
const MOST: usize = 1 + 17 + 2 + 2 + 1 + 2 * (16 + 4 + 32) + 3 * 8 + 2 + 2 + 2;
/// The record numbers that an import skips: the session may have used them after the copy.
const SKIPPED: u64 = 1 << 20;

impl Endpoint {
    /// Takes a session out, sealed with the key, to go on here or elsewhere without a handshake.
    /// Import it once and delete it then: a session that goes on twice uses record numbers twice,
    /// which breaks its encryption.
    ///
    /// # Errors
    /// [`Error::UnknownSession`], [`Error::Unsupported`].
    pub fn export(&mut self, session: SessionId, key: &TicketKey) -> Result<Vec<u8>, Error> {
        let sealed = self.seal_session(session, key, 0)?;
        self.remove(session, Cause::Exported);
        Ok(sealed)
    }

    /// Returns a sealed copy of a session that goes on, for recovery from a crash: import the newest
    /// copy only. The imported session skips 2^20 record numbers, so that none is used twice if
    /// fewer records were sent since; it accepts no records older than the copy.
    ///
    /// # Errors
    /// [`Error::UnknownSession`], [`Error::Unsupported`].
    pub fn snapshot(&mut self, session: SessionId, key: &TicketKey) -> Result<Vec<u8>, Error> {
        let sealed = self.seal_session(session, key, SKIPPED)?;
        if let Some(open) = self.sessions.get_mut(&session) {
            open.is_copied = true;
        }
        Ok(sealed)
    }

    /// Goes on with an exported session. Refuses a copy of a session that is open, or that was
    /// closed lately. An endpoint does not know what others have imported.
    ///
    /// # Errors
    /// [`Error::TooManySessions`], [`Error::ImportRefused`], [`Error::AlreadyOpen`],
    /// [`Error::Unsupported`].
    pub fn import(&mut self, sealed: &[u8], key: &TicketKey) -> Result<SessionId, Error> {
        self.config().backend.check_export()?;
        if self.sessions.len() >= self.config().max_sessions {
            return Err(Error::TooManySessions);
        }
        let plain = seal::open(key, PURPOSE, sealed).ok_or(Error::ImportRefused)?;
        let mut session = decode(&plain).ok_or(Error::ImportRefused)?;
        session.is_copied = true;
        let channel = session.records.channel().ok_or(Error::ImportRefused)?;
        let cid = &channel.read_cid;
        let ids = self.config().connection_ids.as_ref();
        if !cid.is_empty() && ids.map(|ids| ids.length()) != Some(cid.len()) {
            return Err(Error::ImportRefused);
        }
        if self.by_cid.contains_key(cid)
            || self.session_by_address.contains_key(&session.peer)
            || self.closed.contains(&channel.fingerprint())
        {
            return Err(Error::AlreadyOpen);
        }
        let cid = cid.clone();
        let id = self.next_id();
        if !cid.is_empty() {
            self.by_cid.insert(cid, id);
        }
        self.session_by_address.insert(session.peer, id);
        self.sessions.insert(id, Box::new(session));
        Ok(id)
    }

    fn seal_session(
        &mut self,
        session: SessionId,
        key: &TicketKey,
        skipped: u64,
    ) -> Result<Vec<u8>, Error> {
        self.shared.config.backend.check_export()?;
        let open = self.sessions.get(&session).ok_or(Error::UnknownSession)?;
        let channel = open.records.channel().ok_or(Error::UnknownSession)?;
        let nonce = self.shared.random();
        Ok(seal::seal(key, nonce, PURPOSE, &encode(open, channel, skipped)))
    }
}

fn encode(session: &Session, channel: &Channel, skipped: u64) -> Zeroizing<Vec<u8>> {
    let Session { peer, identity, .. } = session;
    let who = encode_identity(identity);
    // Reserved at once: a vector that grows leaves copies that are not wiped.
    let ids = channel.read_cid.len() + channel.write_cid.len();
    let mut out = Zeroizing::new(Vec::with_capacity(MOST + ids + who.len()));
    out.push(VERSION);
    match peer.ip() {
        IpAddr::V4(ip) => put_vector8(&mut out, &ip.octets()),
        IpAddr::V6(ip) => put_vector8(&mut out, &ip.octets()),
    }
    put_u16(&mut out, peer.port());
    put_u16(&mut out, channel.suite.0);
    let check = u8::from(channel.return_routability_check);
    out.push(u8::from(channel.read.encrypt_then_mac) | check << 1);
    for keys in [&channel.read, &channel.write] {
        out.extend_from_slice(&keys.key);
        out.extend_from_slice(&keys.fixed_iv);
        out.extend_from_slice(&keys.mac_key);
    }
    let (next, seen) = match skipped {
        0 => channel.window.parts(),
        _ => (channel.window.parts().0, u64::MAX),
    };
    for number in [next, seen, channel.sequence + skipped] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    put_vector8(&mut out, &channel.read_cid);
    put_vector8(&mut out, &channel.write_cid);
    put_u16(&mut out, channel.max_plaintext);
    put_vector16(&mut out, &who);
    out
}

fn decode(input: &[u8]) -> Option<Session> {
    let head = (be_u8, vector8, be_u16, be_u16, be_u8);
    let keys = (array::<16>, array::<4>, array::<32>);
    let tail = (be_u64, be_u64, be_u64, vector8, vector8, be_u16, vector16);
    let (rest, (head, read, write, tail)) =
        (head, keys, { keys }, tail).parse(input).map_err(|_: nom::Err<()>| ()).ok()?;
    let (version, ip, port, suite, flags) = head;
    (version == VERSION && rest.is_empty()).then_some(())?;
    let suite = CipherSuite(suite);
    let (_, cipher) = suite.parts()?;
    let protection = |(key, fixed_iv, mac_key)| Protection {
        cipher,
        encrypt_then_mac: flags & 1 != 0,
        key,
        fixed_iv,
        mac_key,
    };
    let (next, seen, sequence, read_cid, write_cid, max_plaintext, who) = tail;
    let channel = Channel {
        suite,
        read: protection(read),
        write: protection(write),
        window: ReplayWindow::from_parts(next, seen),
        sequence,
        read_cid: read_cid.into(),
        write_cid: write_cid.into(),
        return_routability_check: flags & 2 != 0,
        max_plaintext,
    };
    let peer = SocketAddr::new(ip_address(ip)?, port);
    Some(Session::of(peer, Records::Native(channel), decode_identity(who)?, None))
}

fn ip_address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(octets).map(Ipv4Addr::from).map(IpAddr::V4);
    let v6 = || <[u8; 16]>::try_from(octets).map(Ipv6Addr::from).map(IpAddr::V6);
    v4().or_else(|_| v6()).ok()
}
