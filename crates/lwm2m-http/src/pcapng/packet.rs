//! Packets of IP for recorded payloads.

use crate::messages::{Framed, Framing};
use lwm2m_link::{Recorded, Way};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

/// What a packet may hold besides headers.
const MOST: usize = 1 << 15;
const UDP: u8 = 17;
const TCP: u8 = 6;
/// Flags of a segment: PSH and ACK.
const DATA: u8 = 0x18;

/// All streams, by the address of the peer and the port of the server.
#[derive(Default)]
pub(super) struct Streams(HashMap<(SocketAddr, u16), Stream>);

/// How far a stream has come each way, so that its segments follow one another.
struct Stream {
    received: u32,
    sent: u32,
    /// Where messages begin and end: Wireshark shows the first one of a segment.
    framing: Framing,
}

impl Stream {
    fn new() -> Self {
        Self { received: 1, sent: 1, framing: Framing::default() }
    }
}

impl Streams {
    /// The packets that carried a message.
    pub(super) fn packets(&mut self, recorded: &Recorded, server: SocketAddr) -> Vec<Vec<u8>> {
        let (from, to) = match recorded.way {
            Way::Received => (recorded.remote, server),
            Way::Sent => (server, recorded.remote),
        };
        if !recorded.carriage.is_stream {
            return vec![ip(from, to, UDP, &udp(from, to, &recorded.bytes))];
        }
        let stream = self.0.entry((recorded.remote, server.port())).or_insert_with(Stream::new);
        let pieces = match recorded.is_sealed {
            true => vec![recorded.bytes.clone()],
            false => stream.framing.take(recorded).into_iter().map(Framed::into_raw).collect(),
        };
        let (own, other) = match recorded.way {
            Way::Received => (&mut stream.received, stream.sent),
            Way::Sent => (&mut stream.sent, stream.received),
        };
        let segments = pieces.iter().flat_map(|piece| piece.chunks(MOST)).map(|piece| {
            let segment = tcp(from, to, *own, other, piece);
            *own = own.wrapping_add(u32::try_from(piece.len()).unwrap_or_default());
            ip(from, to, TCP, &segment)
        });
        segments.collect()
    }
}

fn udp(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len() + 8).unwrap_or(u16::MAX);
    let head = [from.port(), to.port(), length, 0].map(u16::to_be_bytes).concat();
    with_checksum(from, to, UDP, [&head, payload].concat(), 6)
}

fn tcp(from: SocketAddr, to: SocketAddr, number: u32, next: u32, payload: &[u8]) -> Vec<u8> {
    let ports = [from.port(), to.port()].map(u16::to_be_bytes).concat();
    let numbers = [number, next].map(u32::to_be_bytes).concat();
    let rest = [5 << 4, DATA, 0xff, 0xff, 0, 0, 0, 0];
    with_checksum(from, to, TCP, [&ports, &numbers, &rest[..], payload].concat(), 16)
}

/// Puts the checksum at its place: RFC 1071, with the pseudo-header of IP.
fn with_checksum(
    from: SocketAddr,
    to: SocketAddr,
    protocol: u8,
    mut segment: Vec<u8>,
    place: usize,
) -> Vec<u8> {
    let length = u32::try_from(segment.len()).unwrap_or_default();
    let mut pseudo = [address(from), address(to), length.to_be_bytes().to_vec()].concat();
    pseudo.extend_from_slice(&[0, 0, 0, protocol]);
    pseudo.extend_from_slice(&segment);
    // In UDP a zero means that the sender computed no checksum.
    let sum = match checksum(&pseudo) {
        0 => 0xffff,
        sum => sum,
    };
    if let Some(field) = segment.get_mut(place..place + 2) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
    segment
}

fn checksum(bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| {
        pair.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)) << (8 * (2 - pair.len()))
    };
    let mut sum: u32 = bytes.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or_default()
}

fn address(of: SocketAddr) -> Vec<u8> {
    match of.ip() {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// A packet of the version that both addresses have.
fn ip(from: SocketAddr, to: SocketAddr, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = match from {
        SocketAddr::V4(_) => {
            let length = u16::try_from(payload.len() + 20).unwrap_or(u16::MAX).to_be_bytes();
            let mut head = vec![0x45, 0, length[0], length[1], 0, 0, 0, 0, 64, protocol, 0, 0];
            head.extend_from_slice(&[address(from), address(to)].concat());
            let sum = checksum(&head).to_be_bytes();
            head[10..12].copy_from_slice(&sum);
            head
        }
        SocketAddr::V6(_) => {
            let length = u16::try_from(payload.len()).unwrap_or(u16::MAX).to_be_bytes();
            let mut head = vec![0x60, 0, 0, 0, length[0], length[1], protocol, 64];
            head.extend_from_slice(&[address(from), address(to)].concat());
            head
        }
    };
    packet.extend_from_slice(payload);
    packet
}
