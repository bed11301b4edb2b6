//! Reassembly of messages from fragments: RFC 6347 section 4.2.3.

use super::message::MessageType;
use super::transcript::{Framing, frame};
use alloc::vec::Vec;
use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::{be_u8, be_u16, be_u24};

/// How far ahead of the next message fragments are kept.
const MAX_AHEAD: u16 = 8;
/// The length of a fragment's header.
pub(crate) const FRAGMENT_HEADER: usize = 12;

/// A fragment as it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fragment<'a> {
    pub(crate) kind: MessageType,
    pub(crate) length: usize,
    pub(crate) sequence: u16,
    pub(crate) offset: usize,
    pub(crate) body: &'a [u8],
}

impl Fragment<'_> {
    /// Whether it is all of its message.
    pub(crate) fn is_whole(&self) -> bool {
        self.body.len() == self.length
    }

    /// Whether it is the last part of its message.
    pub(crate) fn is_last(&self) -> bool {
        self.offset + self.body.len() == self.length
    }
}

/// Takes the next fragment off the body of a record; those that overrun their message are none.
pub(crate) fn parse(input: &[u8]) -> Option<(Fragment<'_>, &[u8])> {
    let header = (be_u8::<_, ()>, be_u24, be_u16, be_u24, be_u24);
    let (rest, (kind, length, sequence, offset, part)) = { header }.parse(input).ok()?;
    let (rest, body) = take::<_, _, ()>(part)(rest).ok()?;
    let (length, offset) = (length as usize, offset as usize);
    let fits = offset + body.len() <= length;
    fits.then_some((Fragment { kind: MessageType(kind), length, sequence, offset, body }, rest))
}

/// A complete message.
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
    /// A message that came in one piece.
    pub(crate) fn whole(fragment: &Fragment<'_>, epoch: u16) -> Self {
        let Fragment { kind, sequence, body, .. } = *fragment;
        Self::framed(Framing::Datagram, kind, (sequence, epoch), body)
    }

    /// A message with a header of its own.
    pub(crate) fn framed(
        framing: Framing,
        kind: MessageType,
        (sequence, epoch): (u16, u16),
        body: &[u8],
    ) -> Self {
        let raw = frame(framing, kind, sequence, body);
        Self { kind, sequence, epoch, raw, header: framing.header_length() }
    }

    /// The message with its header, as the transcript wants it.
    pub(crate) fn raw(&self) -> &[u8] {
        &self.raw
    }

    pub(crate) fn body(&self) -> &[u8] {
        self.raw.get(self.header..).unwrap_or_default()
    }
}

/// A message of which parts are there.
struct Partial {
    message: Message,
    /// The parts that are there: disjoint, ascending, not adjacent.
    ranges: Vec<(usize, usize)>,
}

/// Puts messages together, in order, within a bound.
pub(crate) struct Reassembly {
    next: u16,
    partial: Vec<Partial>,
    max_bytes: usize,
}

impl Reassembly {
    /// Expects message number `next`; messages under way hold at most `max_bytes`.
    pub(crate) fn new(next: u16, max_bytes: usize) -> Self {
        Self { next, partial: Vec::new(), max_bytes }
    }

    /// Takes a fragment in. What contradicts earlier ones, exceeds the bound or lies too far
    /// ahead is dropped: its sender will say it again.
    pub(crate) fn insert(&mut self, fragment: &Fragment<'_>, epoch: u16) {
        let ahead = fragment.sequence.wrapping_sub(self.next);
        if ahead >= MAX_AHEAD {
            return;
        }
        let known = |partial: &&mut Partial| partial.message.sequence == fragment.sequence;
        if let Some(partial) = self.partial.iter_mut().find(known) {
            partial.insert(fragment, epoch);
            return;
        }
        let held: usize = self.partial.iter().map(|partial| partial.message.raw.len()).sum();
        if held + fragment.length + FRAGMENT_HEADER > self.max_bytes {
            return;
        }
        let mut partial = Partial::new(fragment, epoch);
        partial.insert(fragment, epoch);
        self.partial.push(partial);
    }

    /// The message that is due, once complete.
    pub(crate) fn pop(&mut self) -> Option<Message> {
        let due =
            |partial: &Partial| partial.message.sequence == self.next && partial.is_complete();
        let index = self.partial.iter().position(due)?;
        self.next = self.next.wrapping_add(1);
        Some(self.partial.swap_remove(index).message)
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

    fn insert(&mut self, fragment: &Fragment<'_>, epoch: u16) {
        let same = self.message.kind == fragment.kind
            && self.length() == fragment.length
            && self.message.epoch == epoch;
        let start = FRAGMENT_HEADER + fragment.offset;
        let place = self.message.raw.get_mut(start..start + fragment.body.len());
        if let (true, Some(place)) = (same, place) {
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
    fn contradictions_and_excess_are_dropped() {
        let mut reassembly = Reassembly::new(0, 100);
        reassembly.insert(&fragment(0, 4, 0, b"ab"), 0);
        reassembly.insert(&fragment(0, 5, 2, b"cde"), 0);
        reassembly.insert(&fragment(0, 4, 2, b"cd"), 1);
        assert_eq!(reassembly.pop(), None);
        reassembly.insert(&fragment(1, 90, 0, &[0; 90]), 0);
        assert_eq!(reassembly.partial.len(), 1);
        reassembly.insert(&fragment(9, 1, 0, b"x"), 0);
        assert_eq!(reassembly.partial.len(), 1);
        reassembly.insert(&fragment(0, 4, 1, b"bcd"), 0);
        assert_eq!(reassembly.pop().expect("complete").body(), b"abcd");
    }
}
