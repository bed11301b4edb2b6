//! Captures for Wireshark: pcapng (draft-ietf-opsawg-pcapng) with packets of IP that carry what was recorded.
//!
//! The recorder has payloads of UDP and pieces of streams, so the headers of IP, UDP and TCP are made here. The
//! server's port is written as 5683 or 5684, by which Wireshark knows what is in it.

mod packet;

use bytes::Bytes;
use lwm2m_link::{Capture, Recorded};
use lwm2m_net::{Addresses, Clock};
use packet::Streams;
use std::net::SocketAddr;
use std::time::UNIX_EPOCH;

/// The media type of a capture.
pub(crate) const MEDIA_TYPE: &str = "application/x-pcapng";

/// Types of blocks.
const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;
const SECRETS: u32 = 10;
/// Packets begin with the header of IPv4 or IPv6 (LINKTYPE_RAW).
const RAW_IP: u16 = 101;
/// The secrets are a key log of TLS.
const TLS_KEY_LOG: u32 = 0x544c_534b;
/// An option with a text.
const COMMENT: u16 = 1;
const DESCRIPTION: u16 = 3;
const END: u16 = 0;

/// What is said of packets that are not what was on the wire.
const PLAINTEXT: &str = "the plaintext of what DTLS or TLS protected: the handshake is not recorded any \
                         more, or the server keeps no keys";

/// The capture as a file.
pub(crate) fn write(capture: &Capture, local: &Addresses, clock: Clock) -> Bytes {
    let mut file = Vec::new();
    let section = [0x1a2b_3c4d_u32.to_le_bytes().as_slice(), &[1, 0, 0, 0], &[0xff; 8]].concat();
    block(&mut file, SECTION, &section);
    let mut interface = [RAW_IP.to_le_bytes(), [0; 2], [0; 2], [0; 2]].concat();
    option(&mut interface, DESCRIPTION, "the server; its ports are written as 5683 and 5684");
    option(&mut interface, COMMENT, &format!("it listens on {}", listening(local)));
    option(&mut interface, END, "");
    block(&mut file, INTERFACE, &interface);
    if !capture.secrets.is_empty() {
        block(&mut file, SECRETS, &secrets(capture));
    }
    let mut streams = Streams::default();
    for recorded in &capture.packets {
        let server = side(recorded, local);
        for packet in streams.packets(recorded, server) {
            write_packet(&mut file, recorded, &packet, clock);
        }
    }
    file.into()
}

fn listening(local: &Addresses) -> String {
    let all = local.iter().map(|(scheme, address)| format!("{}://{address}", scheme.name()));
    all.collect::<Vec<_>>().join(", ")
}

/// The key log as data of its block.
fn secrets(capture: &Capture) -> Vec<u8> {
    let lines: Vec<_> = capture.secrets.iter().map(|secret| secret.line()).collect();
    let length: usize = lines.iter().map(|line| line.len()).sum();
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    let mut data = [TLS_KEY_LOG.to_le_bytes(), length.to_le_bytes()].concat();
    lines.iter().for_each(|line| data.extend_from_slice(line.as_bytes()));
    pad(&mut data);
    data
}

/// The address of the server that a message came to or from.
fn side(recorded: &Recorded, local: &Addresses) -> SocketAddr {
    let carriage = recorded.carriage;
    let own = match (carriage.is_stream, carriage.is_secured) {
        (false, false) => local.udp,
        (false, true) => local.dtls,
        (true, false) => local.tcp,
        (true, true) => local.tls,
    };
    let port = if carriage.is_secured && recorded.is_sealed { 5684 } else { 5683 };
    let ip = own
        .map(|own| own.ip().to_canonical())
        .filter(|ip| ip.is_ipv4() == recorded.remote.is_ipv4());
    let any = match recorded.remote {
        SocketAddr::V4(_) => SocketAddr::from(([0; 4], port)),
        SocketAddr::V6(_) => SocketAddr::from(([0; 16], port)),
    };
    ip.map_or(any, |ip| SocketAddr::new(ip, port))
}

fn write_packet(file: &mut Vec<u8>, recorded: &Recorded, packet: &[u8], clock: Clock) {
    let time = clock.to_wall(recorded.at).duration_since(UNIX_EPOCH).unwrap_or_default();
    let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
    let [high, low] = [micros >> 32, micros & 0xffff_ffff].map(|it| u32::try_from(it).unwrap_or(0));
    let mut data: Vec<u8> =
        [0, high, low, length, length].iter().flat_map(|word: &u32| word.to_le_bytes()).collect();
    data.extend_from_slice(packet);
    pad(&mut data);
    if recorded.carriage.is_secured && !recorded.is_sealed {
        option(&mut data, COMMENT, PLAINTEXT);
        option(&mut data, END, "");
    }
    block(file, PACKET, &data);
}

fn option(data: &mut Vec<u8>, code: u16, text: &str) {
    data.extend_from_slice(&code.to_le_bytes());
    data.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
    data.extend_from_slice(text.as_bytes());
    pad(data);
}

/// Appends a block, whose data has a whole number of words.
fn block(file: &mut Vec<u8>, kind: u32, data: &[u8]) {
    let length = u32::try_from(data.len() + 12).unwrap_or(u32::MAX).to_le_bytes();
    file.extend_from_slice(&kind.to_le_bytes());
    file.extend_from_slice(&length);
    file.extend_from_slice(data);
    file.extend_from_slice(&length);
}

fn pad(data: &mut Vec<u8>) {
    data.resize(data.len().next_multiple_of(4), 0);
}
