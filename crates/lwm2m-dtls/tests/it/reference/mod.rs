//! A second, minimal implementation of DTLS 1.2 with a pre-shared key and AES_128_CCM_8, written
//! from the RFCs alone. Tests write its messages one by one, so that they can break any rule.

mod script;

pub(crate) use script::{ClientScript, ServerScript, go_on, greet, serve};

use ccm::aead::KeyInit;
use hmac::{Hmac, Mac};
use sha2::Sha256;

pub(crate) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(crate) const ALERT: u8 = 21;
pub(crate) const HANDSHAKE: u8 = 22;
pub(crate) const APPLICATION_DATA: u8 = 23;

pub(crate) const HELLO_REQUEST: u8 = 0;
pub(crate) const CLIENT_HELLO: u8 = 1;
pub(crate) const SERVER_HELLO: u8 = 2;
pub(crate) const HELLO_VERIFY_REQUEST: u8 = 3;
pub(crate) const NEW_SESSION_TICKET: u8 = 4;
pub(crate) const CERTIFICATE: u8 = 11;
pub(crate) const SERVER_KEY_EXCHANGE: u8 = 12;
pub(crate) const CERTIFICATE_REQUEST: u8 = 13;
pub(crate) const SERVER_HELLO_DONE: u8 = 14;
pub(crate) const CERTIFICATE_VERIFY: u8 = 15;
pub(crate) const CLIENT_KEY_EXCHANGE: u8 = 16;
pub(crate) const FINISHED: u8 = 20;

pub(crate) const SERVER_NAME: u16 = 0;
pub(crate) const EXTENDED_MASTER_SECRET: u16 = 23;

/// A record without a Connection ID.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) content: u8,
    pub(crate) epoch: u16,
    pub(crate) sequence: u64,
    pub(crate) body: Vec<u8>,
}

/// Takes the next `length` bytes.
pub(crate) fn take<'a>(rest: &mut &'a [u8], length: usize) -> &'a [u8] {
    let (taken, after) = rest.split_at(length);
    *rest = after;
    taken
}

pub(crate) fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Takes the next vector with a length of `width` bytes.
pub(crate) fn vector<'a>(rest: &mut &'a [u8], width: usize) -> &'a [u8] {
    let length = number(take(rest, width)) as usize;
    take(rest, length)
}

pub(crate) fn records(datagram: &[u8]) -> Vec<Seen> {
    let mut rest = datagram;
    let mut records = Vec::new();
    while !rest.is_empty() {
        let header = take(&mut rest, 11);
        let body = vector(&mut rest, 2).to_vec();
        let (epoch, sequence) = (number(&header[3..5]) as u16, number(&header[5..11]));
        records.push(Seen { content: header[0], epoch, sequence, body });
    }
    records
}

/// The type, number and body of the unprotected messages of a datagram. None is fragmented.
pub(crate) fn messages(datagram: &[u8]) -> Vec<(u8, u16, Vec<u8>)> {
    let plain = |record: &Seen| record.content == HANDSHAKE && record.epoch == 0;
    let message = |record: Seen| {
        let mut rest = record.body.as_slice();
        let header = take(&mut rest, 12);
        assert_eq!(header[1..4], header[9..12], "a message in parts");
        (header[0], number(&header[4..6]) as u16, rest.to_vec())
    };
    records(datagram).into_iter().filter(plain).map(message).collect()
}

pub(crate) fn record(content: u8, epoch: u16, sequence: u64, body: &[u8]) -> Vec<u8> {
    let mut record = vec![content, 0xfe, 0xfd];
    record.extend_from_slice(&(u64::from(epoch) << 48 | sequence).to_be_bytes());
    record.extend_from_slice(&(body.len() as u16).to_be_bytes());
    record.extend_from_slice(body);
    record
}

/// A fragment of a message with its header.
pub(crate) fn fragment(
    kind: u8,
    sequence: u16,
    body: &[u8],
    part: core::ops::Range<usize>,
) -> Vec<u8> {
    let mut fragment = vec![kind];
    fragment.extend_from_slice(&(body.len() as u32).to_be_bytes()[1..]);
    fragment.extend_from_slice(&sequence.to_be_bytes());
    fragment.extend_from_slice(&(part.start as u32).to_be_bytes()[1..]);
    fragment.extend_from_slice(&(part.len() as u32).to_be_bytes()[1..]);
    fragment.extend_from_slice(&body[part]);
    fragment
}

pub(crate) fn message(kind: u8, sequence: u16, body: &[u8]) -> Vec<u8> {
    fragment(kind, sequence, body, 0..body.len())
}

/// The PRF: RFC 5246 section 5.
pub(crate) fn prf(secret: &[u8], label: &str, seed: &[u8], length: usize) -> Vec<u8> {
    let hmac = |parts: [&[u8]; 2]| {
        let mut hmac = Hmac::<Sha256>::new_from_slice(secret).expect("any length");
        parts.iter().for_each(|part| hmac.update(part));
        hmac.finalize().into_bytes().to_vec()
    };
    let seed = [label.as_bytes(), seed].concat();
    let (mut a, mut out) = (seed.clone(), Vec::new());
    while out.len() < length {
        a = hmac([&a, &[]]);
        out.extend(hmac([&a, &seed]));
    }
    out.truncate(length);
    out
}

/// A parsed ClientHello.
#[derive(Debug)]
pub(crate) struct Hello {
    pub(crate) random: Vec<u8>,
    pub(crate) session_id: Vec<u8>,
    pub(crate) compressions: Vec<u8>,
    pub(crate) extensions: Vec<(u16, Vec<u8>)>,
}

impl Hello {
    pub(crate) fn parse(body: &[u8]) -> Self {
        let mut rest = &body[2..];
        let random = take(&mut rest, 32).to_vec();
        let session_id = vector(&mut rest, 1).to_vec();
        vector(&mut rest, 1);
        vector(&mut rest, 2);
        let compressions = vector(&mut rest, 1).to_vec();
        let extensions = extensions(rest);
        Self { random, session_id, compressions, extensions }
    }

    pub(crate) fn extension(&self, kind: u16) -> Option<&[u8]> {
        find(&self.extensions, kind)
    }
}

/// A parsed ServerHello.
pub(crate) struct ServerHello {
    pub(crate) random: Vec<u8>,
    pub(crate) session_id: Vec<u8>,
    pub(crate) extensions: Vec<(u16, Vec<u8>)>,
}

impl ServerHello {
    pub(crate) fn parse(body: &[u8]) -> Self {
        let mut rest = &body[2..];
        let random = take(&mut rest, 32).to_vec();
        let session_id = vector(&mut rest, 1).to_vec();
        // Suite and compression.
        take(&mut rest, 3);
        Self { random, session_id, extensions: extensions(rest) }
    }
}

pub(crate) fn find(extensions: &[(u16, Vec<u8>)], kind: u16) -> Option<&[u8]> {
    extensions.iter().find(|(of, _)| *of == kind).map(|(_, body)| body.as_slice())
}

fn extensions(mut rest: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let mut extensions = Vec::new();
    if !rest.is_empty() {
        let mut block = vector(&mut rest, 2);
        while !block.is_empty() {
            let kind = number(take(&mut block, 2)) as u16;
            extensions.push((kind, vector(&mut block, 2).to_vec()));
        }
    }
    extensions
}

pub(super) fn extension_block(extensions: &[(u16, &[u8])]) -> Vec<u8> {
    let mut block = Vec::new();
    for (kind, body) in extensions {
        block.extend_from_slice(&kind.to_be_bytes());
        block.extend_from_slice(&(body.len() as u16).to_be_bytes());
        block.extend_from_slice(body);
    }
    [&(block.len() as u16).to_be_bytes()[..], &block].concat()
}
