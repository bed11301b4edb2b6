//! Requests whose answers are promised: copies of them must do nothing even after a restart.

use super::Messaging;
use super::duplicates::Reply;
use crate::delivery::{Content, Source};
use crate::ids::PeerId;
use crate::message::MessageType;
use alloc::vec::Vec;
use bytes::Bytes;
use lwm2m_time::Instant;
use nom::Parser;
use nom::combinator::all_consuming;
use nom::multi::{length_data, many0};
use nom::number::complete::{be_u8, be_u16, be_u64};

/// How many requests of a peer are given out. A peer has one request under way (NSTART, RFC 7252
/// section 4.7), or a few, and sends no copies of earlier ones.
const MAX_PROMISES: usize = 4;
/// The bytes of a promise without its reply.
const FIXED: usize = 2 + 8 + 1;

impl Messaging {
    /// Stores the reply that a request will get, and marks the request. A non-confirmable one is not
    /// sent again.
    pub(crate) fn promise(&mut self, source: Source, content: Content<'_>) {
        if source.confirmable && self.is_unanswered(source) {
            let message_id = source.message_id;
            let datagram = self.encode(MessageType::Acknowledgement, message_id, content);
            self.store_reply(source, Reply::Promised(datagram));
        }
    }

    /// The latest promised requests of a peer, as bytes.
    pub(crate) fn promises(&self, peer: PeerId) -> Vec<u8> {
        let Some(peer) = self.peers.get(&peer) else { return Vec::new() };
        let latest = || peer.duplicates.promised().take(MAX_PROMISES);
        // A copy gets no long answer: it is not done again, and its sender asks anew.
        let length = |reply: &Bytes| u8::try_from(reply.len()).unwrap_or_default();
        let bytes = latest().map(|(.., reply)| FIXED + usize::from(length(reply))).sum();
        let mut out = Vec::with_capacity(bytes);
        for (message_id, expires, reply) in latest() {
            out.extend_from_slice(&message_id.to_be_bytes());
            out.extend_from_slice(&expires.as_micros().to_be_bytes());
            out.push(length(reply));
            out.extend(reply.iter().take(length(reply).into()));
        }
        out
    }

    /// Remembers requests that were promised before a restart. Ignores malformed bytes.
    pub(crate) fn restore_promises(&mut self, now: Instant, peer: PeerId, promises: &[u8]) {
        let promise = (be_u16::<_, ()>, be_u64, length_data(be_u8));
        let Ok((_, promises)) = all_consuming(many0(promise)).parse(promises) else { return };
        let lifetime = self.transmission(peer).exchange_lifetime;
        // The oldest first.
        for (message_id, expires, reply) in promises.into_iter().rev() {
            let expires = Instant::from_micros(expires).min(now + lifetime);
            if expires <= now || !self.make_room(now, peer) {
                continue;
            }
            let Some(state) = self.peer(now, peer) else { return };
            let reply = match reply {
                [] => Reply::Never,
                reply => Reply::Kept(Bytes::copy_from_slice(reply)),
            };
            let bytes = reply.bytes();
            state.duplicates.insert(message_id, expires, reply);
            state.keep_until(expires);
            self.remembered += 1;
            self.reply_bytes += bytes;
        }
    }
}
