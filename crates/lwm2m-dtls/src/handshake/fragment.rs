//! Reassembly of messages from fragments: RFC 6347 section 4.2.3.

use super::framing::{Framing, MessageType, frame};
use alloc::vec::Vec;
use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::{be_u8, be_u16, be_u24};

/// How many messages ahead of the next one fragments are kept.
const MAX_AHEAD: u16 = 8;
/// The most incomplete messages, including forged ones.
const MAX_PARTIAL: usize = 16;
/// The most ranges of an incomplete message.
const MAX_RANGES: usize = 128;
/// The length of a fragment's header in bytes.
pub(crate) const FRAGMENT_HEADER: usize = 12;

/// A received fragment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fragment<'a> {
    pub(crate) kind: MessageType,
    pub(crate) length: usize,
    pub(crate) sequence: u16,
    pub(crate) offset: usize,
    pub(crate) body: &'a [u8],
}

impl Fragment<'_> {
    /// Whether the fragment is the whole message.
    pub(crate) fn is_whole(&self) -> bool {
        self.body.len() == self.length
    }

    /// Whether the fragment ends its message.
    pub(crate) fn is_last(&self) -> bool {
        self.offset + self.body.len() == self.length
    }

    /// Encodes the fragment with its header.
    #[cfg(feature = "mbedtls")]
    pub(crate) fn encode(&self) -> Vec<u8> {
        use crate::wire::put_u24;
        let mut out = Vec::with_capacity(FRAGMENT_HEADER + self.body.len());
        out.push(self.kind.0);
        put_u24(&mut out, self.length);
        out.extend_from_slice(&self.sequence.to_be_bytes());
        put_u24(&mut out, self.offset);
        put_u24(&mut out, self.body.len());
        out.extend_from_slice(self.body);
        out
    }
}

/// Parses the next fragment in the body of a record; rejects one that overruns its message.
pub(crate) fn parse(input: &[u8]) -> Option<(Fragment<'_>, &[u8])> {
    let header = (be_u8::<_, ()>, be_u24, be_u16, be_u24, be_u24);
    let (rest, (kind, length, sequence, offset, part)) = { header }.parse(input).ok()?;
    let (rest, body) = take::<_, _, ()>(part)(rest).ok()?;
    let (length, offset) = (length as usize, offset as usize);
    let fits = offset + body.len() <= length;
    fits.then_some((Fragment { kind: MessageType(kind), length, sequence, offset, body }, rest))
}

/// A complete handshake message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) kind: MessageType,
    pub(crate) sequence: u16,
    /// The epoch of the records that brought it.
    pub(crate) epoch: u16,
    raw: Vec<u8>,
    header: usize,
}

impl Message {
    /// Creates a message from a whole fragment.
    pub(crate) fn whole(fragment: &Fragment<'_>, epoch: u16) -> Self {
        let Fragment { kind, sequence, body, .. } = *fragment;
        Self::framed(Framing::Datagram, kind, (sequence, epoch), body)
    }

    /// Creates a message and its header.
    pub(crate) fn framed(
        framing: Framing,
        kind: MessageType,
        (sequence, epoch): (u16, u16),
        body: &[u8],
    ) -> Self {
        let raw = frame(framing, kind, sequence, body);
        Self { kind, sequence, epoch, raw, header: framing.header_length() }
    }

    /// The message with its header, as in the transcript.
    pub(crate) fn raw(&self) -> &[u8] {
        &self.raw
    }

    pub(crate) fn body(&self) -> &[u8] {
        self.raw.get(self.header..).unwrap_or_default()
    }
}

/// An incomplete message. Anybody can forge a fragment, so fragments that differ in type or length
/// belong to different messages with the same number; the first complete one counts.
struct Partial {
    message: Message,
    /// The received ranges; they neither overlap nor touch.
    ranges: Vec<(usize, usize)>,
}

/// Reassembles messages in order, in bounded memory.
pub(crate) struct Reassembly {
    next: u16,
    partial: Vec<Partial>,
    max_bytes: usize,
}

impl Reassembly {
    /// Starts with message number `next`; incomplete messages hold at most `max_bytes`.
    pub(crate) fn new(next: u16, max_bytes: usize) -> Self {
        Self { next, partial: Vec::new(), max_bytes }
    }

    /// Adds a fragment. Drops it if it exceeds the bound or is too far ahead, because the peer will
    /// retransmit it. When full, evicts the message with the fewest received bytes.
    pub(crate) fn insert(&mut self, fragment: &Fragment<'_>, epoch: u16) {
        let ahead = fragment.sequence.wrapping_sub(self.next);
        let size = fragment.length + FRAGMENT_HEADER;
        if ahead >= MAX_AHEAD || size > self.max_bytes {
            return;
        }
        let known = |partial: &&mut Partial| partial.is_of(fragment, epoch);
        if let Some(partial) = self.partial.iter_mut().find(known) {
            partial.insert(fragment);
            return;
        }
        while self.partial.len() >= MAX_PARTIAL || self.held() + size > self.max_bytes {
            if !self.make_room(fragment.body.len()) {
                return;
            }
        }
        let mut partial = Partial::new(fragment, epoch);
        partial.insert(fragment);
        self.partial.push(partial);
    }

    /// Evicts the message with the fewest received bytes, if they are at most `bytes`.
    fn make_room(&mut self, bytes: usize) -> bool {
        let least = (0..).zip(&self.partial).min_by_key(|(_, partial)| partial.present());
        let index = least.filter(|(_, partial)| partial.present() <= bytes).map(|(index, _)| index);
        index.map(|index: usize| self.partial.remove(index)).is_some()
    }

    fn held(&self) -> usize {
        self.partial.iter().map(|partial| partial.message.raw.len()).sum()
    }

    /// Returns the next message, once it is complete.
    pub(crate) fn pop(&mut self) -> Option<Message> {
        let due =
            |partial: &Partial| partial.message.sequence == self.next && partial.is_complete();
        let index = self.partial.iter().position(due)?;
        let message = self.partial.remove(index).message;
        self.partial.retain(|partial| partial.message.sequence != self.next);
        self.next = self.next.wrapping_add(1);
        Some(message)
    }
}

impl Partial {
    fn new(fragment: &Fragment<'_>, epoch: u16) -> Self {
        let body = alloc::vec![0; fragment.length];
        let Fragment { kind, sequence, .. } = *fragment;
        let message = Message::framed(Framing::Datagram, kind, (sequence, epoch), &body);
        Self { message, ranges: Vec::new() }
    }

    fn length(&self) -> usize {
        self.message.body().len()
    }

    fn is_of(&self, fragment: &Fragment<'_>, epoch: u16) -> bool {
        let Message { kind, sequence, epoch: own, .. } = self.message;
        (kind, sequence, own) == (fragment.kind, fragment.sequence, epoch)
            && self.length() == fragment.length
    }

    fn insert(&mut self, fragment: &Fragment<'_>) {
        // This is no sensible fragmentation: start again and wait for the retransmission.
        if self.ranges.len() >= MAX_RANGES {
            self.ranges.clear();
        }
        let start = FRAGMENT_HEADER + fragment.offset;
        if let Some(place) = self.message.raw.get_mut(start..start + fragment.body.len()) {
            place.copy_from_slice(fragment.body);
            self.cover(fragment.offset, fragment.offset + fragment.body.len());
        }
    }

    fn cover(&mut self, mut start: usize, mut end: usize) {
        self.ranges.retain(|&(from, to)| {
            let apart = to < start || from > end;
            if !apart {
                start = start.min(from);
                end = end.max(to);
            }
            apart
        });
        self.ranges.push((start, end));
    }

    /// The number of received bytes.
    fn present(&self) -> usize {
        self.ranges.iter().map(|(from, to)| to - from).sum()
    }

    fn is_complete(&self) -> bool {
        self.ranges.contains(&(0, self.length()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fragment(sequence: u16, length: usize, offset: usize, body: &[u8]) -> Fragment<'_> {
        Fragment { kind: MessageType::CERTIFICATE, length, sequence, offset, body }
    }

    #[test]
    fn any_order_overlaps_and_repeats() {
        let body: Vec<u8> = (0..=255).cycle().take(2048).collect();
        let mut reassembly = Reassembly::new(3, 8192);
        let starts = (0..2048).step_by(60).collect::<Vec<_>>();
        for &start in starts.iter().rev().chain(&starts) {
            let end = (start + 100).min(2048);
            reassembly.insert(&fragment(3, 2048, start, &body[start..end]), 0);
        }
        assert_eq!(reassembly.pop().expect("complete").body(), body);
        assert_eq!((reassembly.pop(), reassembly.next), (None, 4));
    }

    #[test]
    fn contradictions_are_kept_apart() {
        let mut reassembly = Reassembly::new(0, 1000);
        reassembly.insert(&fragment(0, 4, 0, b"ab"), 0);
        reassembly.insert(&fragment(0, 5, 2, b"cde"), 0);
        reassembly.insert(&fragment(0, 4, 2, b"cd"), 1);
        let other_kind = Fragment { kind: MessageType::FINISHED, ..fragment(0, 4, 2, b"cd") };
        reassembly.insert(&other_kind, 0);
        assert_eq!(reassembly.pop(), None);
        reassembly.insert(&fragment(0, 4, 1, b"bcd"), 0);
        assert_eq!(reassembly.pop().expect("complete").body(), b"abcd");
        assert!(reassembly.partial.is_empty());
    }

    #[test]
    fn memory_is_bounded_and_most_of_a_message_is_not_given_up_for_less() {
        let mut reassembly = Reassembly::new(0, 1000);
        reassembly.insert(&fragment(0, 400, 0, &[1; 300]), 0);
        for sequence in 0..8 {
            for length in 2..2000 {
                reassembly.insert(&fragment(sequence, length, 0, &[2]), 0);
                reassembly.insert(&fragment(sequence, length, 0, &[]), 0);
            }
        }
        assert!(reassembly.held() <= 1000 && reassembly.partial.len() <= MAX_PARTIAL);
        reassembly.insert(&fragment(0, 400, 300, &[1; 100]), 0);
        assert_eq!(reassembly.pop().expect("complete").body()[1..], [1; 399]);
    }

    #[test]
    fn a_message_in_crumbs_takes_no_more_memory_than_its_length() {
        let mut reassembly = Reassembly::new(0, 16 * 1024);
        for offset in (0..16_000).step_by(2) {
            reassembly.insert(&fragment(0, 16_000, offset, &[1]), 0);
        }
        assert!(reassembly.partial.iter().all(|partial| partial.ranges.capacity() <= 256));
        for offset in (0..16_000).step_by(1000) {
            reassembly.insert(&fragment(0, 16_000, offset, &[1; 1000]), 0);
        }
        assert_eq!(reassembly.pop().expect("complete").body(), [1; 16_000]);
    }

    #[test]
    fn a_fragment_knows_whether_it_is_the_whole_and_the_end() {
        for (length, offset, body, whole, last) in [
            (4, 0, &b"abcd"[..], true, true),
            (4, 0, b"abc", false, false),
            (4, 1, b"bcd", false, true),
            (0, 0, b"", true, true),
        ] {
            let fragment = fragment(0, length, offset, body);
            assert_eq!((fragment.is_whole(), fragment.is_last()), (whole, last), "{fragment:?}");
        }
    }

    #[test]
    fn ranges_that_overlap_or_touch_become_one() {
        for (before, merged) in [
            (&[][..], vec![(2, 4)]),
            (&[(0, 1)], vec![(0, 1), (2, 4)]),
            (&[(0, 2)], vec![(0, 4)]),
            (&[(0, 3)], vec![(0, 4)]),
            (&[(3, 6)], vec![(2, 6)]),
            (&[(4, 6)], vec![(2, 6)]),
            (&[(5, 6)], vec![(5, 6), (2, 4)]),
            (&[(0, 2), (4, 6)], vec![(0, 6)]),
            (&[(0, 6)], vec![(0, 6)]),
        ] {
            let mut partial = Partial::new(&fragment(0, 6, 0, b""), 0);
            partial.ranges = before.to_vec();
            partial.cover(2, 4);
            assert_eq!(partial.ranges, merged, "{before:?}");
            let present = merged.iter().map(|(from, to)| to - from).sum::<usize>();
            assert_eq!((partial.present(), partial.is_complete()), (present, present == 6));
        }
    }

    #[test]
    fn a_message_has_as_many_bytes_as_there_is_room_for() {
        let kept = |reassembly: &Reassembly| {
            let lengths = reassembly.partial.iter().map(|it| it.message.raw().len());
            lengths.collect::<Vec<_>>()
        };
        for (length, sequence, fits) in
            [(88, 0, true), (89, 0, false), (200, 0, false), (88, 7, true), (88, 8, false)]
        {
            let mut reassembly = Reassembly::new(0, 100);
            reassembly.insert(&fragment(sequence, length, 0, b"a"), 0);
            assert_eq!(kept(&reassembly), vec![100; usize::from(fits)], "{length} {sequence}");
        }
        // Two fill it; a third one has to be worth more than what goes.
        let mut reassembly = Reassembly::new(0, 100);
        for (sequence, body, left) in [
            (0, &b"abc"[..], vec![50]),
            (1, b"abc", vec![50, 50]),
            (2, b"ab", vec![50, 50]),
            (3, b"abc", vec![50, 50]),
        ] {
            reassembly.insert(&fragment(sequence, 38, 0, body), 0);
            assert_eq!((kept(&reassembly), reassembly.held()), (left.clone(), left.iter().sum()));
        }
        let numbers = reassembly.partial.iter().map(|it| it.message.sequence);
        assert_eq!(numbers.collect::<Vec<_>>(), [1, 3]);
    }
}
