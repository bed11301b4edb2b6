//! A TLS client and server on a connection that an attacker cuts, alters and adds to.

use crate::dtls::{SECRET, address, configured};
use lwm2m_dtls::{Endpoint, Event, Mode, SessionId};
use lwm2m_time::Instant;
use std::sync::Arc;

/// One side of the connection, and the bytes that are on their way to it.
struct Side {
    endpoint: Endpoint,
    session: SessionId,
    coming: Vec<u8>,
}

/// Plays a script to a connection: what goes to the one side is the attacker's, what goes to the
/// other arrives as it was sent. The first byte chooses the mode and whether the client speaks TLS
/// 1.3; then each step is an operation and a number.
///
/// | operation | what arrives |
/// |---|---|
/// | 0 | so many of the bytes on their way |
/// | 1 | all of them, that one altered |
/// | 2 | so many bytes of the script |
/// | 3 | the end of the connection |
pub fn attack(script: &[u8], the_server: bool) {
    let Some((&kind, mut rest)) = script.split_first() else { return };
    let now = Instant::from_millis(1);
    let (mut client, mut server, mut profile) = configured(kind & !1);
    profile.tls13 = kind & 1 == 1 && profile.security.mode() != Mode::Psk;
    let ours = client.connect_stream(now, address(true), Arc::new(profile), None);
    let theirs = server.accept_stream(now, address(false)).expect("room");
    let client = Side { endpoint: client, session: ours.expect("a profile"), coming: Vec::new() };
    let server = Side { endpoint: server, session: theirs, coming: Vec::new() };
    let (mut victim, mut other) = if the_server { (server, client) } else { (client, server) };
    let mut connected = 0;
    while let Some((&[operation, number], after)) = rest.split_first_chunk() {
        rest = after;
        carry(&mut victim, &mut other);
        let number = usize::from(number);
        let mut bytes = core::mem::take(&mut victim.coming);
        match operation % 4 {
            0 => victim.coming = bytes.split_off(number.min(bytes.len())),
            1 => {
                if let Some(byte) = bytes.get_mut(number) {
                    *byte ^= operation >> 2 | 1;
                }
            }
            2 => {
                victim.coming = bytes;
                let (given, after) = rest.split_at(number.min(rest.len()));
                (bytes, rest) = (given.to_vec(), after);
            }
            _ => victim.endpoint.handle_stream_end(now, victim.session),
        }
        victim.endpoint.handle_stream(now, victim.session, &bytes);
        let coming = std::mem::take(&mut other.coming);
        other.endpoint.handle_stream(now, other.session, &coming);
        for side in [&mut victim, &mut other] {
            connected += look(side, now);
        }
    }
    assert!(connected <= 2);
    for side in [&mut victim, &mut other] {
        if let Some(at) = side.endpoint.poll_timeout() {
            side.endpoint.handle_timeout(at);
        }
        assert_eq!(side.endpoint.poll_timeout(), None, "a handshake has no end");
    }
}

/// Puts what the sides have sent on its way.
fn carry(a: &mut Side, b: &mut Side) {
    while let Some((_, bytes)) = a.endpoint.poll_stream() {
        b.coming.extend_from_slice(&bytes);
    }
    while let Some((_, bytes)) = b.endpoint.poll_stream() {
        a.coming.extend_from_slice(&bytes);
    }
}

/// How often the side was connected; the client says its secret, the only data there ever is.
fn look(side: &mut Side, now: Instant) -> usize {
    let mut connected = 0;
    while let Some(event) = side.endpoint.poll_event() {
        match event {
            Event::Connected { session, role, .. } => {
                connected += 1;
                if role == lwm2m_dtls::Role::Client {
                    // It may have been closed by what came next.
                    let _ = side.endpoint.send(now, session, SECRET);
                }
            }
            Event::Data { data, .. } => assert_eq!(data, SECRET),
            _ => {}
        }
    }
    connected
}
