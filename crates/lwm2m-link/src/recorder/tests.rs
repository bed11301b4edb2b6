//! Bounds and shares of the flight recorder.

use super::*;
use alloc::string::String;
use alloc::{format, vec};

const PEER: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::LOCALHOST), 1);
const LIMIT: usize = 1 << 20;

fn message(text: &[u8]) -> Recorded {
    Recorded {
        number: 0,
        at: Instant::ZERO,
        remote: PEER,
        way: Way::Received,
        carriage: Carriage { is_stream: false, is_secured: false },
        session: None,
        is_sealed: false,
        bytes: Bytes::copy_from_slice(text),
    }
}

fn texts(recorder: &Recorder, peer: u64) -> Vec<Bytes> {
    recorder.messages(Of::Peer(PeerId(peer))).map(|it| it.bytes.clone()).collect()
}

/// What must hold at any time.
fn check(recorder: &Recorder) {
    let of = |is_known| recorder.lanes.values().filter(move |lane| lane.is_known == is_known);
    for (pool, is_known) in [(&recorder.known, true), (&recorder.strangers, false)] {
        assert_eq!(pool.memory, of(is_known).map(|lane| lane.memory).sum::<usize>());
        assert_eq!(pool.order.len(), of(is_known).map(|lane| lane.messages.len()).sum());
    }
    assert!(recorder.memory() <= recorder.limit);
    assert!(recorder.openings.memory() <= recorder.limit / SHARE * OPENINGS);
    assert!(recorder.strangers.memory <= recorder.limit / SHARE);
    for lane in recorder.lanes.values() {
        assert!(!lane.messages.is_empty() && lane.memory <= recorder.limit / SHARE);
        assert!(lane.messages.iter().is_sorted_by_key(|it| it.number));
    }
    assert_eq!(recorder.by_peer.len() + recorder.by_name.len(), recorder.lanes.len());
}

#[test]
fn a_flood_of_strangers_pushes_out_strangers_alone() {
    let mut recorder = Recorder::new(LIMIT);
    recorder.record(PeerId(0), true, message(b"known"));
    for stranger in 1..20_000 {
        recorder.record(PeerId(stranger), false, message(&[7; 300]));
    }
    check(&recorder);
    assert_eq!(texts(&recorder, 0), [&b"known"[..]]);
    assert!(texts(&recorder, 1).is_empty() && !texts(&recorder, 19_999).is_empty());
}

#[test]
fn a_device_that_floods_loses_its_own_messages() {
    let mut recorder = Recorder::new(LIMIT);
    // So many that the memory is full of their messages.
    let others = (LIMIT / (OVERHEAD + 40)) as u64;
    (1..others).for_each(|peer| recorder.record(PeerId(peer), true, message(&[1; 40])));
    let before: Vec<_> = (1..others).filter(|it| !texts(&recorder, *it).is_empty()).collect();
    for number in 0..10_000_u32 {
        recorder.record(PeerId(0), true, message(&number.to_be_bytes()));
    }
    check(&recorder);
    let after: Vec<_> = (1..others).filter(|it| !texts(&recorder, *it).is_empty()).collect();
    assert!(before.len() - after.len() <= 2, "{} of {}", after.len(), before.len());
    assert_eq!(texts(&recorder, 0).last().unwrap()[..], 9_999_u32.to_be_bytes());
}

#[test]
fn one_device_alone_has_a_share_and_the_last_messages() {
    let mut recorder = Recorder::new(LIMIT);
    for number in 0..10_000_u32 {
        recorder.record(PeerId(0), true, message(&number.to_be_bytes()));
    }
    check(&recorder);
    let texts = texts(&recorder, 0);
    let share = LIMIT / SHARE / (OVERHEAD + 4);
    assert_eq!(texts.len(), share);
    assert_eq!(texts[0][..], (10_000 - share as u32).to_be_bytes());
    recorder.record(PeerId(1), true, message(&[0; LIMIT / SHARE]));
    assert!(recorder.messages(Of::Peer(PeerId(1))).next().is_none(), "it is longer than a share");
}

#[test]
fn what_a_device_said_stays_with_it() {
    let mut recorder = Recorder::new(LIMIT);
    let name: Arc<str> = Arc::from("device");
    recorder.record(PeerId(1), false, message(b"register"));
    recorder.know(PeerId(1));
    assert_eq!(recorder.strangers.memory, 0);
    recorder.record(PeerId(2), false, message(b"update"));
    recorder.record(PeerId(1), true, message(b"late"));
    recorder.join(PeerId(1), PeerId(2));
    check(&recorder);
    assert_eq!(texts(&recorder, 1), [&b"register"[..], b"update", b"late"]);
    recorder.leave(PeerId(1), &name);
    recorder.forget(PeerId(1));
    recorder.record(PeerId(1), false, message(b"of somebody else"));
    check(&recorder);
    assert_eq!(recorder.messages(Of::Left("device")).count(), 3);
    recorder.record(PeerId(3), false, message(b"again"));
    recorder.come_back(PeerId(3), "device");
    check(&recorder);
    assert_eq!(texts(&recorder, 3), [&b"register"[..], b"update", b"late", b"again"]);
    assert_eq!(recorder.messages(Of::Left("device")).count(), 0);
    recorder.leave(PeerId(3), &name);
    recorder.record(PeerId(4), true, message(b"other"));
    recorder.leave(PeerId(4), &name);
    check(&recorder);
    assert_eq!(recorder.messages(Of::Left("device")).count(), 1);
}

const SESSION: SessionId = SessionId(7);

fn sealed(text: &[u8], session: SessionId, is_stream: bool) -> Recorded {
    let carriage = Carriage { is_stream, is_secured: true };
    Recorded { carriage, session: Some(session), is_sealed: true, ..message(text) }
}

/// The plaintext of a sealed message.
fn opened(text: &[u8], session: SessionId) -> Recorded {
    Recorded { is_sealed: false, ..sealed(text, session, false) }
}

/// The handshake of a session, and its secret.
fn begin(recorder: &mut Recorder, session: SessionId, length: usize) {
    let label = String::from("CLIENT_RANDOM");
    let secret = Secret { label, client_random: [1; 32], secret: vec![2; 48].into() };
    recorder.record_opening(session, sealed(&vec![b'h'; length], session, false));
    recorder.openings().add_secrets(session, vec![secret]);
    recorder.openings().establish(session);
}

/// A message in a session, sealed and in the clear.
fn say(recorder: &mut Recorder, peer: u64, session: SessionId) {
    recorder.record(PeerId(peer), true, sealed(b"sealed", session, false));
    recorder.record(PeerId(peer), true, opened(b"opened", session));
}

/// The first byte of what is in a capture: h, s or o.
fn captured(recorder: &Recorder, peer: u64) -> String {
    let packets = recorder.capture(Of::Peer(PeerId(peer))).packets;
    packets.iter().map(|it| char::from(it.bytes[0])).collect()
}

#[test]
fn a_session_is_captured_as_it_went_over_the_wire() {
    let mut recorder = Recorder::new(LIMIT);
    begin(&mut recorder, SESSION, 100);
    say(&mut recorder, 1, SESSION);
    // One that was restored has no handshake.
    say(&mut recorder, 1, SessionId(8));
    check(&recorder);
    assert_eq!(captured(&recorder, 1), "hso");
    let secrets = recorder.capture(Of::Peer(PeerId(1))).secrets;
    let line = format!("CLIENT_RANDOM {} {}\n", "01".repeat(32), "02".repeat(48));
    assert_eq!((secrets.len(), &**secrets[0].line()), (1, &*line));
    assert!(!format!("{secrets:?}").contains('2'), "secrets are not shown");
    assert_eq!(texts(&recorder, 1), [&b"opened"[..], b"opened"], "the log has no sealed ones");
    assert_eq!(captured(&recorder, 2), "");
}

#[test]
fn handshakes_that_lead_to_nothing_push_out_no_session() {
    let mut recorder = Recorder::new(LIMIT);
    begin(&mut recorder, SESSION, 1_000);
    for stranger in 100..2_000 {
        let session = SessionId(stranger);
        recorder.record_opening(session, sealed(&[b'h'; 1_000], session, false));
    }
    say(&mut recorder, 1, SESSION);
    check(&recorder);
    assert_eq!(captured(&recorder, 1), "hs");
}

#[test]
fn a_device_that_makes_sessions_for_ever_pushes_out_its_own() {
    let mut recorder = Recorder::new(LIMIT);
    begin(&mut recorder, SESSION, 1_000);
    say(&mut recorder, 1, SESSION);
    for session in 100..2_000 {
        begin(&mut recorder, SessionId(session), 1_000);
        say(&mut recorder, 2, SessionId(session));
    }
    check(&recorder);
    assert_eq!(captured(&recorder, 1), "hs");
    assert_eq!(captured(&recorder, 2).matches('h').count(), MAX_SESSIONS);
}

#[test]
fn a_handshake_that_is_too_long_or_broken_opens_nothing() {
    let mut recorder = Recorder::new(LIMIT);
    begin(&mut recorder, SESSION, 30 << 10);
    say(&mut recorder, 1, SESSION);
    assert_eq!(captured(&recorder, 1), "o");
    // Of a stream that has lost a piece, nothing after it can be opened.
    begin(&mut recorder, SessionId(8), 100);
    recorder.record(PeerId(2), true, sealed(&[b's'; LIMIT / SHARE], SessionId(8), true));
    say(&mut recorder, 2, SessionId(8));
    assert_eq!(captured(&recorder, 2), "o");
    check(&recorder);
}

#[test]
fn a_recorder_without_memory_records_nothing() {
    let mut recorder = Recorder::new(0);
    recorder.record(PeerId(0), true, message(b""));
    assert!(recorder.lanes.is_empty() && recorder.by_peer.is_empty());
}
