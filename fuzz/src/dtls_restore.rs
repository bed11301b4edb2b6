//! A server that restores a session from values that are sealed rightly and have any content.

use crate::dtls::{address, configs};
use aes_gcm::Aes128Gcm;
use aes_gcm::aead::{AeadInOut, KeyInit};
use lwm2m_dtls::{Config, Endpoint, Event, SessionId, TicketKey};
use lwm2m_time::Instant;
use sha2::{Digest, Sha256};
use std::cell::OnceCell;
use std::sync::Arc;

const KEY: [u8; 16] = [5; 16];
const PURPOSE: &[u8] = b"durable dtls session";
/// Where the keys of both directions are, after version, flags and suite.
const KEYS: std::ops::Range<usize> = 4..4 + 2 * 52;
const NOW: Instant = Instant::from_millis(1);

/// A server that keeps sessions, with Connection IDs or without. A session as it is sealed, its
/// counters, and a record of the client that has not arrived.
#[derive(Clone)]
struct Template {
    config: Config,
    plain: Vec<u8>,
    counters: Vec<u8>,
    record: Vec<u8>,
}

thread_local! {
    static TEMPLATES: [OnceCell<Template>; 2] = const { [OnceCell::new(), OnceCell::new()] };
}

fn connected(endpoint: &mut Endpoint) -> Option<SessionId> {
    match endpoint.poll_event()? {
        Event::Connected { session, .. } => Some(session),
        _ => None,
    }
}

impl Template {
    fn new(kind: u8) -> Self {
        let (client, mut config, profile) = configs(kind);
        config.durable_sessions = Some(TicketKey::new(KEY));
        let mut client = Endpoint::new(client, [1; 32]);
        let mut server = Endpoint::new(config.clone(), [2; 32]);
        let to_server = client.connect(NOW, address(true), Arc::new(profile)).expect("a profile");
        for _ in 0..3 {
            while let Some(sent) = client.poll_transmit() {
                server.handle_datagram(NOW, address(false), &sent.payload);
            }
            while let Some(sent) = server.poll_transmit() {
                client.handle_datagram(NOW, address(true), &sent.payload);
            }
        }
        let session = connected(&mut server).expect("connected");
        client.send(NOW, to_server, b"data").expect("connected");
        let record = client.poll_transmit().expect("a record").payload.to_vec();
        let counters = server.counters(session).expect("connected").encode();
        let sealed = server.seal_session(session).expect("connected");
        let (nonce, body) = sealed.split_first_chunk::<12>().expect("a nonce");
        let mut plain = body.to_vec();
        let gcm = Aes128Gcm::new(&KEY.into());
        gcm.decrypt_in_place(&(*nonce).into(), PURPOSE, &mut plain).expect("sealed by us");
        Self { config, plain, counters, record }
    }

    fn sealed(&self) -> Vec<u8> {
        let nonce = [0; 12];
        let mut body = self.plain.clone();
        let gcm = Aes128Gcm::new(&KEY.into());
        gcm.encrypt_in_place(&nonce.into(), PURPOSE, &mut body).expect("short");
        [&nonce[..], &body].concat()
    }

    /// The counters with the checksum that binds them to the session.
    fn bound_counters(&self) -> Vec<u8> {
        let digest = Sha256::digest(self.plain.get(KEYS).unwrap_or_default());
        let body = &self.counters[..self.counters.len().saturating_sub(4)];
        let mut hash = crc32fast::Hasher::new();
        hash.update(&digest[..16]);
        hash.update(body);
        [body, &hash.finalize().to_be_bytes()].concat()
    }
}

/// Plays a script: kind, number of edits of the session, the edits as position and byte, then the
/// edits of the counters. A position beyond the end cuts or extends.
pub fn play(script: &[u8]) {
    let Some((&[kind, edits], rest)) = script.split_first_chunk() else { return };
    let kind = kind & 1;
    let mut template = TEMPLATES
        .with(|templates| templates[usize::from(kind)].get_or_init(|| Template::new(kind)).clone());
    let (of_session, of_counters) = rest.split_at(rest.len().min(usize::from(edits) * 2));
    edit(&mut template.plain, of_session);
    edit(&mut template.counters, of_counters);
    let mut server = Endpoint::new(template.config.clone(), [3; 32]);
    let counters = template.bound_counters();
    let Ok(restored) = server.restore(&template.sealed(), &counters) else {
        assert!(!script[2..].is_empty(), "the values of a session are refused");
        return;
    };
    go_on(&mut server, restored.session, &template, &counters);
}

/// Changes bytes: a position of 255 cuts the last bytes off or appends one.
fn edit(bytes: &mut Vec<u8>, edits: &[u8]) {
    for pair in edits.chunks_exact(2) {
        match (usize::from(pair[0]), pair[1]) {
            (255, cut @ 1..16) => bytes.truncate(bytes.len().saturating_sub(cut.into())),
            (255, value) => bytes.push(value),
            (position, value) => bytes.iter_mut().skip(position).take(1).for_each(|it| *it = value),
        }
    }
}

/// Lets the session receive, wait for its limit, send and end.
fn go_on(server: &mut Endpoint, session: SessionId, template: &Template, counters: &[u8]) {
    let limit = u64::from_be_bytes(counters[1..9].try_into().expect("8 bytes"));
    server.handle_datagram(NOW, address(false), &template.record);
    // Fails in a session that may not send longer data.
    let _ = server.send(NOW, session, b"waits");
    assert!(server.poll_transmit().is_none(), "no number is reserved");
    let Some(next) = server.counters(session) else { return };
    assert!(next.limit >= limit);
    server.limit_written(NOW, session, next.limit);
    let _ = server.send(NOW, session, b"sent");
    while let Some(sent) = server.poll_transmit() {
        let number: [u8; 8] = sent.payload[3..11].try_into().expect("a header");
        assert!(u64::from_be_bytes(number) & ((1 << 48) - 1) >= limit);
    }
    let _ = server.seal_session(session);
    let _ = server.close(session);
    while server.poll_event().is_some() {}
}
