//! Flights: messages that are sent and retransmitted together. RFC 6347 section 4.2.4.

use crate::channel::Channel;
use crate::handshake::fragment::FRAGMENT_HEADER;
use crate::handshake::output::FlightItem;
use crate::record::header::{ContentType, HEADER_LENGTH, MAX_PLAINTEXT, MAX_SEQUENCE, write_plain};
use crate::rng::Rng;
use crate::wire::put_u24;
use alloc::vec::Vec;

/// Our latest flight, and the sequence numbers of our unprotected records.
pub(crate) struct Flight {
    items: Vec<FlightItem>,
    /// The sequence number of our next record in epoch 0.
    sequence: u64,
    max_plaintext: usize,
}

impl Flight {
    /// Creates an empty flight; unprotected records are numbered from `sequence`.
    pub(crate) fn starting_at(sequence: u64) -> Self {
        Self { items: Vec::new(), sequence, max_plaintext: MAX_PLAINTEXT }
    }

    /// Limits the message bytes in a record (RFC 6066 section 4) and in a datagram: a peer that
    /// asks for short records may have no room for several at once.
    pub(crate) fn limit(&mut self, max_plaintext: usize) {
        self.max_plaintext = max_plaintext;
    }

    /// Appends an unprotected record with the next number. Does nothing if all numbers are used,
    /// because the client chooses where ours start.
    pub(crate) fn write_plain(&mut self, content: ContentType, body: &[u8], out: &mut Vec<u8>) {
        if self.sequence <= MAX_SEQUENCE {
            write_plain(out, content, self.sequence, body);
            self.sequence += 1;
        }
    }

    /// Replaces the messages.
    pub(crate) fn replace(&mut self, items: Vec<FlightItem>) {
        self.items = items;
    }

    /// Whether the flight ends with our Finished, which is protected by the new keys.
    pub(crate) fn has_changed_cipher(&self) -> bool {
        self.items.iter().any(|item| item.epoch > 0)
    }

    /// Returns the flight as datagrams of at most `mtu` bytes, with new sequence numbers.
    pub(crate) fn datagrams(
        &mut self,
        mtu: usize,
        mut channel: Option<&mut Channel>,
        rng: &mut Rng,
    ) -> Vec<Vec<u8>> {
        let room = mtu.min(HEADER_LENGTH + self.max_plaintext);
        let mut packer = Packer { room, done: Vec::new(), current: Vec::new() };
        let items = core::mem::take(&mut self.items);
        for item in &items {
            let protected = item.epoch > 0;
            let overhead = match &channel {
                Some(channel) if protected => channel.overhead(),
                _ => HEADER_LENGTH,
            };
            let longest = mtu.saturating_sub(overhead).min(self.max_plaintext);
            for body in fragments(item, longest) {
                let out = packer.room_for(overhead + body.len());
                match &mut channel {
                    // A record that cannot be sealed counts as lost; the timer decides.
                    Some(channel) if protected => {
                        let _ = channel.seal(item.content, &body, rng, out);
                    }
                    _ => self.write_plain(item.content, &body, out),
                }
            }
        }
        self.items = items;
        packer.finish()
    }
}

struct Packer {
    room: usize,
    done: Vec<Vec<u8>>,
    current: Vec<u8>,
}

impl Packer {
    fn left(&self) -> usize {
        self.room.saturating_sub(self.current.len())
    }

    /// Returns the datagram for a record of this length.
    fn room_for(&mut self, length: usize) -> &mut Vec<u8> {
        if !self.current.is_empty() && length > self.left() {
            self.done.push(core::mem::take(&mut self.current));
        }
        &mut self.current
    }

    fn finish(mut self) -> Vec<Vec<u8>> {
        if !self.current.is_empty() {
            self.done.push(self.current);
        }
        self.done
    }
}

/// Splits an item into the bodies of records, none longer than `longest`. A ClientHello is never
/// split, because servers without state cannot reassemble it.
fn fragments(item: &FlightItem, longest: usize) -> Vec<Vec<u8>> {
    const CLIENT_HELLO: u8 = 1;
    let whole = item.content != ContentType::HANDSHAKE || item.bytes.first() == Some(&CLIENT_HELLO);
    if whole || item.bytes.len() <= longest {
        return alloc::vec![item.bytes.clone()];
    }
    let room = longest.saturating_sub(FRAGMENT_HEADER).max(1);
    let (header, body) = item.bytes.split_at_checked(FRAGMENT_HEADER).unwrap_or_default();
    let kind_length_sequence = header.get(..6).unwrap_or_default();
    let mut offset = 0;
    let parts = body.chunks(room).map(|chunk| {
        let mut fragment = kind_length_sequence.to_vec();
        put_u24(&mut fragment, offset);
        put_u24(&mut fragment, chunk.len());
        fragment.extend_from_slice(chunk);
        offset += chunk.len();
        fragment
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lengths of the datagrams that records of these lengths go in.
    fn packed(lengths: &[usize]) -> Vec<usize> {
        let mut packer = Packer { room: 100, done: Vec::new(), current: Vec::new() };
        for length in lengths {
            packer.room_for(*length).extend(alloc::vec![7; *length]);
        }
        packer.finish().iter().map(Vec::len).collect()
    }

    #[test]
    fn records_share_a_datagram_as_long_as_they_fit() {
        assert_eq!(packed(&[]), []);
        assert_eq!(packed(&[40, 60]), [100]);
        assert_eq!(packed(&[40, 61]), [40, 61]);
        assert_eq!(packed(&[40, 90, 10, 1]), [40, 100, 1]);
        assert_eq!(packed(&[150, 10]), [150, 10], "what cannot be cut goes alone");
    }

    #[test]
    fn a_hello_is_not_cut_and_other_messages_are_in_equal_parts_at_most() {
        let lengths = |kind: u8, body: usize| -> Vec<usize> {
            let bytes = [&[kind][..], &[0; 11], &alloc::vec![7; body]].concat();
            let item = FlightItem { content: ContentType::HANDSHAKE, epoch: 0, bytes };
            fragments(&item, 50).iter().map(Vec::len).collect()
        };
        assert_eq!(lengths(1, 100), [112]);
        assert_eq!(lengths(11, 38), [50]);
        assert_eq!(lengths(11, 39), [50, 13]);
        assert_eq!(lengths(11, 100), [50, 50, 36]);
        let change = FlightItem {
            content: ContentType::CHANGE_CIPHER_SPEC,
            epoch: 0,
            bytes: alloc::vec![1; 60],
        };
        assert_eq!(fragments(&change, 50).len(), 1);
    }
}
