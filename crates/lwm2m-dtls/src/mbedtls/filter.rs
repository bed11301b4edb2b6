//! What a handshake on datagrams lets through to the library.
//!
//! The library gives a handshake up on the first record that is not what it waits for, is led
//! astray by forged fragments and record numbers, and answers every repetition. Anybody can send
//! such records (RFC 6347 section 4.1.2.7), so they end here, and it sees whole messages in order.

use super::{MbedTls, Session};
use crate::alert::Alert;
use crate::connecting::WRONG_KEY_INTERVALS;
use crate::event::SessionId;
use crate::handshake::Role;
use crate::handshake::fragment;
use crate::handshake::message::MessageType;
use crate::record::{ContentType, Record, header, write_plain};
use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::time::Duration;
use lwm2m_mbedtls::Verdict;
use lwm2m_time::Instant;

impl MbedTls {
    /// Gives a handshake what it may see of a datagram.
    pub(super) fn on_handshake(&mut self, now: Instant, id: SessionId, datagram: &[u8]) {
        let interval = self.config.retransmit_after;
        for (record, bytes) in records(datagram) {
            let Some(session) = self.session_mut(id) else { return };
            let passed = match record.header.epoch {
                0 => session.pass_plain(now, &record, interval / 2),
                _ => session.pass_protected(now, bytes, interval),
            };
            for bytes in passed {
                self.advance(now, id, &bytes);
            }
            self.set_timer(id);
        }
    }
}

impl Session {
    /// What the library may see of a record that is not protected.
    fn pass_plain(&mut self, now: Instant, record: &Record<'_>, pause: Duration) -> Vec<Vec<u8>> {
        let passes = match record.header.content {
            ContentType::HANDSHAKE => return self.pass_messages(now, record.body, pause),
            ContentType::CHANGE_CIPHER_SPEC => record.body == [1],
            ContentType::ALERT => Alert::decode(record.body).is_some_and(|(alert, is_fatal)| {
                is_fatal && !(self.role == Role::Client && alert.is_not_for_clients())
            }),
            _ => false,
        };
        let passed = passes.then(|| self.plain(record.header.content, record.body));
        passed.into_iter().collect()
    }

    /// The messages that have become complete, and repetitions unless one was answered just now.
    fn pass_messages(&mut self, now: Instant, body: &[u8], pause: Duration) -> Vec<Vec<u8>> {
        let mut repeated = false;
        let mut rest = body;
        while let Some((fragment, after)) = fragment::parse(rest) {
            rest = after;
            repeated |= self.messages.is_past(&fragment) && fragment.is_last();
            // Only the Finished is protected, and it always is: anything else is forged.
            if fragment.kind != MessageType::FINISHED {
                self.messages.insert(&fragment, 0);
            }
        }
        let mut passed = Vec::new();
        if repeated && now.saturating_since(self.answered_at) >= pause {
            self.answered_at = now;
            passed.push(self.plain(ContentType::HANDSHAKE, body));
        }
        while let Some(message) = self.messages.pop() {
            passed.push(self.plain(ContentType::HANDSHAKE, message.raw()));
        }
        passed
    }

    /// A record with a number of ours: that of a forged one would have the library take the peer's
    /// for old.
    fn plain(&mut self, content: ContentType, body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        write_plain(&mut out, content, self.next_plain, body);
        self.next_plain = self.next_plain.wrapping_add(1);
        out
    }

    /// What the library may see of a record that is protected: it must be authentic. If one is not,
    /// the peer's own is awaited for a while, for its key may be another.
    fn pass_protected(&mut self, now: Instant, bytes: &[u8], interval: Duration) -> Vec<Vec<u8>> {
        let verdict = self.connection.judge(bytes);
        if self.identity.is_some() || verdict == Verdict::Authentic {
            return [bytes.to_vec()].into();
        }
        if verdict == Verdict::Forged && !self.saw_bad_record {
            self.saw_bad_record = true;
            let patience = interval.saturating_mul(WRONG_KEY_INTERVALS);
            self.deadline = self.deadline.min(now + patience);
        }
        Vec::new()
    }
}

/// The records of a datagram that an established session may see. The library would take a hello
/// among the others for the client's return, and the cookie in it for a good one.
pub(super) fn protected_records(datagram: &[u8]) -> Cow<'_, [u8]> {
    let is_protected = |record: &Record<'_>| record.header.epoch > 0;
    if records(datagram).all(|(record, _)| is_protected(&record)) {
        return Cow::Borrowed(datagram);
    }
    let protected = records(datagram).filter(|(record, _)| is_protected(record));
    Cow::Owned(protected.map(|(_, bytes)| bytes).collect::<Vec<_>>().concat())
}

/// The records of a datagram, and their bytes with their headers.
fn records(datagram: &[u8]) -> impl Iterator<Item = (Record<'_>, &[u8])> {
    let mut rest = datagram;
    core::iter::from_fn(move || {
        let (record, after) = header::parse(rest, 0)?;
        let bytes = rest.get(..rest.len() - after.len())?;
        rest = after;
        Some((record, bytes))
    })
}
