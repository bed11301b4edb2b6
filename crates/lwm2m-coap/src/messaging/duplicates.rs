//! The messages that one peer sent lately: RFC 7252 section 4.5.

use alloc::collections::VecDeque;
use bytes::Bytes;
use lwm2m_time::Instant;

/// The reply to a message.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// There is no reply yet.
    Pending,
    /// The reply that will be sent when what it promises is durable.
    Promised(Bytes),
    /// A non-confirmable message has no reply to repeat.
    Never,
    /// An acknowledgement, empty or with a piggybacked response.
    Acknowledged(Bytes),
    /// An acknowledgement that was promised.
    Kept(Bytes),
}

impl Reply {
    pub(super) const fn datagram(&self) -> Option<&Bytes> {
        match self {
            Self::Pending | Self::Promised(_) | Self::Never => None,
            Self::Acknowledged(datagram) | Self::Kept(datagram) => Some(datagram),
        }
    }

    /// The reply of a promised request.
    fn promised(&self) -> Option<&Bytes> {
        match self {
            Self::Promised(datagram) | Self::Kept(datagram) => Some(datagram),
            _ => None,
        }
    }

    const fn is_pending(&self) -> bool {
        matches!(self, Self::Pending | Self::Promised(_))
    }

    pub(super) fn bytes(&self) -> usize {
        self.datagram().or_else(|| self.promised()).map_or(0, Bytes::len)
    }
}

#[derive(Clone, Debug)]
struct Entry {
    expires: Instant,
    reply: Reply,
}

/// Message IDs in the order of arrival, each with its reply. The IDs are stored separately, so that a
/// search reads few bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Duplicates {
    ids: VecDeque<u16>,
    entries: VecDeque<Entry>,
}

impl Duplicates {
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    fn position(&self, message_id: u16) -> Option<usize> {
        // Most requests are answered before the next one arrives.
        if self.ids.back() == Some(&message_id) {
            return Some(self.ids.len() - 1);
        }
        let (front, back) = self.ids.as_slices();
        if !front.contains(&message_id) && !back.contains(&message_id) {
            return None;
        }
        self.ids.iter().rposition(|id| *id == message_id)
    }

    /// The reply to a message that came before and is still remembered. Forgets the message if it
    /// has expired.
    ///
    /// # Errors
    /// The message is not remembered. Returns the number of messages and bytes that were forgotten.
    pub(super) fn recall(
        &mut self,
        now: Instant,
        message_id: u16,
    ) -> Result<&Reply, (usize, usize)> {
        let Some(position) = self.position(message_id) else { return Err((0, 0)) };
        if self.entries.get(position).is_some_and(|entry| entry.expires <= now) {
            return Err((1, self.remove(position)));
        }
        self.entries.get(position).map(|entry| &entry.reply).ok_or((0, 0))
    }

    /// Whether a remembered message has no reply yet.
    pub(super) fn is_unanswered(&self, message_id: u16) -> bool {
        let entry = self.position(message_id).and_then(|position| self.entries.get(position));
        entry.is_some_and(|entry| entry.reply.is_pending())
    }

    /// The messages that have no reply yet.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = u16> {
        let pairs = self.ids.iter().zip(&self.entries);
        pairs.filter(|(_, entry)| entry.reply.is_pending()).map(|(id, _)| *id)
    }

    /// The promised requests, the latest first, with the times when they expire and their replies.
    pub(super) fn promised(&self) -> impl Iterator<Item = (u16, Instant, &Bytes)> {
        let pairs = self.ids.iter().zip(&self.entries).rev();
        pairs.filter_map(|(id, entry)| Some((*id, entry.expires, entry.reply.promised()?)))
    }

    /// Remembers a new message.
    pub(super) fn insert(&mut self, message_id: u16, expires: Instant, reply: Reply) {
        if self.ids.is_empty() {
            // Most peers send one message and then none for a long time.
            self.ids.reserve_exact(1);
            self.entries.reserve_exact(1);
        }
        self.ids.push_back(message_id);
        self.entries.push_back(Entry { expires, reply });
    }

    /// Stores the reply to a message. Returns the stored bytes before and after.
    pub(super) fn answer(&mut self, message_id: u16, reply: Reply) -> (usize, usize) {
        let position = self.position(message_id);
        let Some(entry) = position.and_then(|position| self.entries.get_mut(position)) else {
            return (0, 0);
        };
        let before = entry.reply.bytes();
        entry.reply = match (entry.reply.promised(), reply) {
            (Some(_), Reply::Acknowledged(datagram)) => Reply::Kept(datagram),
            (_, reply) => reply,
        };
        (before, entry.reply.bytes())
    }

    fn remove(&mut self, position: usize) -> usize {
        self.ids.remove(position);
        self.entries.remove(position).map_or(0, |entry| entry.reply.bytes())
    }

    /// Forgets a message. Returns the number of messages and bytes that were forgotten.
    pub(super) fn forget(&mut self, message_id: u16) -> (usize, usize) {
        self.position(message_id).map_or((0, 0), |position| (1, self.remove(position)))
    }

    /// Forgets the oldest message that does not wait for a reply. Returns the freed bytes.
    pub(super) fn evict_completed(&mut self) -> Option<usize> {
        let completed = |entry: &Entry| !entry.reply.is_pending();
        let position = self.entries.iter().position(completed)?;
        Some(self.remove(position))
    }

    /// Forgets expired messages. Returns their number and bytes.
    pub(super) fn forget_expired(&mut self, now: Instant) -> (usize, usize) {
        let mut forgotten = (0, 0);
        while self.entries.front().is_some_and(|entry| entry.expires <= now) {
            forgotten.0 += 1;
            forgotten.1 += self.remove(0);
        }
        forgotten
    }

    /// When the oldest message expires.
    pub(super) fn next_expiry(&self) -> Option<Instant> {
        self.entries.front().map(|entry| entry.expires)
    }

    /// The number of messages and the bytes of their replies.
    pub(super) fn totals(&self) -> (usize, usize) {
        (self.len(), self.entries.iter().map(|entry| entry.reply.bytes()).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_forgotten_is_what_was_remembered() {
        let at = |seconds: u64| Instant::from_millis(seconds * 1_000);
        let reply = |length: usize| Reply::Acknowledged(vec![7; length].into());
        let mut duplicates = Duplicates::default();
        assert_eq!(duplicates.next_expiry(), None);
        for (id, length) in [(1, 10), (2, 20), (3, 30), (4, 40)] {
            duplicates.insert(id, at(id.into()), Reply::Pending);
            assert_eq!(duplicates.answer(id, reply(length)), (0, length));
        }
        assert_eq!((duplicates.totals(), duplicates.next_expiry()), ((4, 100), Some(at(1))));
        assert_eq!(duplicates.forget_expired(at(3)), (3, 60));
        assert_eq!((duplicates.totals(), duplicates.next_expiry()), ((1, 40), Some(at(4))));
        assert_eq!(duplicates.answer(4, reply(5)), (40, 5));
        assert_eq!(duplicates.recall(at(4), 4).err(), Some((1, 5)));
        assert_eq!((duplicates.totals(), duplicates.next_expiry()), ((0, 0), None));
    }
}
