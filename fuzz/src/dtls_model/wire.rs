//! The network: datagrams that are under way, those that an attacker has kept, and what it does to
//! them.

use std::collections::VecDeque;
use std::net::SocketAddr;

/// More are lost.
const MOST_UNDER_WAY: usize = 256;
/// How many the attacker keeps.
const MOST_KEPT: usize = 64;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const RECORD_HEADER: usize = 13;
const MESSAGE_HEADER: usize = 12;

#[derive(Clone)]
pub(super) struct Datagram {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) bytes: Vec<u8>,
}

#[derive(Default)]
pub(super) struct Wire {
    under_way: VecDeque<Datagram>,
    kept: VecDeque<Datagram>,
}

impl Wire {
    /// Puts a datagram on its way.
    pub(super) fn send(&mut self, datagram: Datagram) {
        if self.kept.len() == MOST_KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(datagram.clone());
        self.put(datagram);
    }

    fn put(&mut self, datagram: Datagram) {
        if self.under_way.len() < MOST_UNDER_WAY {
            self.under_way.push_back(datagram);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    pub(super) fn first(&mut self) -> Option<Datagram> {
        self.under_way.pop_front()
    }

    /// Takes one of those under way.
    pub(super) fn take(&mut self, number: u8) -> Option<Datagram> {
        let count = self.under_way.len().max(1);
        self.under_way.remove(usize::from(number) % count)
    }

    /// Puts a copy of one under way behind the others.
    pub(super) fn duplicate(&mut self, number: u8) {
        let count = self.under_way.len().max(1);
        if let Some(datagram) = self.under_way.get(usize::from(number) % count).cloned() {
            self.put(datagram);
        }
    }

    /// A copy of one that was sent before, the newest first.
    pub(super) fn kept(&self, number: u8) -> Option<Datagram> {
        let count = self.kept.len().max(1);
        self.kept.iter().rev().nth(usize::from(number) % count).cloned()
    }
}

impl Datagram {
    /// Alters a byte.
    pub(super) fn corrupted(mut self, place: u8, value: u8) -> Self {
        let place = self.place(place);
        if let Some(byte) = self.bytes.get_mut(place) {
            *byte ^= value.max(1);
        }
        self
    }

    pub(super) fn truncated(mut self, place: u8) -> Self {
        self.bytes.truncate(self.place(place));
        self
    }

    /// Near the beginning, where the headers are, or anywhere.
    fn place(&self, place: u8) -> usize {
        match place {
            0..64 => place.into(),
            _ => usize::from(place - 64) * self.bytes.len() / 192,
        }
    }

    /// Cuts each unprotected message in two, each part in a datagram of its own. A hello to a server
    /// stays whole: without state a server cannot collect parts.
    pub(super) fn fragment(&self, place: u8) -> Vec<Self> {
        let mut parts = vec![self.part(Vec::new())];
        let mut rest = &self.bytes[..];
        while let Some((record, after)) = first_record(rest) {
            rest = after;
            match halves(record, place) {
                Some(halves) => parts.extend(halves.map(|half| self.part(half))),
                None => parts[0].bytes.extend_from_slice(record),
            }
        }
        parts.retain(|part| !part.bytes.is_empty());
        parts
    }

    fn part(&self, bytes: Vec<u8>) -> Self {
        Self { bytes, ..*self }
    }
}

fn first_record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = usize::from(u16::from_be_bytes([*bytes.get(11)?, *bytes.get(12)?]));
    // A record with a Connection ID has another header; it stays with all that follows.
    let end = if bytes[0] == 25 { bytes.len() } else { RECORD_HEADER + length };
    bytes.split_at_checked(end)
}

/// The two halves of an unprotected record with one whole handshake message.
fn halves(record: &[u8], place: u8) -> Option<[Vec<u8>; 2]> {
    let (header, body) = record.split_at_checked(RECORD_HEADER)?;
    let (message, content) = body.split_at_checked(MESSAGE_HEADER)?;
    let is_plain = header[0] == HANDSHAKE && header[3..5] == [0, 0];
    let is_whole = message[6..9] == [0; 3]
        && message[1..4] == message[9..12]
        && number(&message[1..4]) == content.len();
    if !is_plain || !is_whole || message[0] == CLIENT_HELLO || content.len() < 2 {
        return None;
    }
    let middle = 1 + usize::from(place) % (content.len() - 1);
    let half = |from: usize, to: usize| {
        let mut out = header[..11].to_vec();
        let length = MESSAGE_HEADER + to - from;
        out.extend_from_slice(&(length as u16).to_be_bytes());
        out.extend_from_slice(&message[..6]);
        out.extend_from_slice(&(from as u32).to_be_bytes()[1..]);
        out.extend_from_slice(&((to - from) as u32).to_be_bytes()[1..]);
        out.extend_from_slice(&content[from..to]);
        out
    };
    Some([half(0, middle), half(middle, content.len())])
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte))
}
