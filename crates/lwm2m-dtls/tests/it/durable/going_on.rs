//! A session goes on after a crash, without a handshake.

use super::{Nodes, Way, said};
use crate::support::{CLIENT, address};
use lwm2m_dtls::{Alert, Endpoint, Event, Resumption, SessionId};
use std::sync::Arc;
use std::time::Duration;

/// Sends and returns what has arrived. What waits for the store is committed.
fn exchange(nodes: &mut Nodes, sessions: [SessionId; 2]) -> [Vec<Vec<u8>>; 2] {
    let now = nodes.now;
    nodes.client.endpoint.send(now, sessions[0], b"up").expect("established");
    nodes.server.endpoint.send(now, sessions[1], b"down").expect("established");
    let mut handshakes = 0;
    let mut arrived = [Vec::new(), Vec::new()];
    for _ in 0..3 {
        nodes.carry(&mut |_, datagram| {
            handshakes += usize::from(datagram[0] == 22);
            true
        });
        for (node, arrived) in [&mut nodes.client, &mut nodes.server].into_iter().zip(&mut arrived)
        {
            arrived.extend(said(node.handle_events()));
            node.commit(now, usize::MAX);
        }
    }
    assert_eq!(handshakes, 0);
    arrived
}

// proves: SEC-35
#[test]
fn sessions_of_every_mode_go_on_after_any_number_of_crashes_of_either_side() {
    for way in Way::all() {
        let mut nodes = Nodes::new(way);
        let mut sessions = nodes.connect();
        for round in 0..6 {
            let [at_client, at_server] = exchange(&mut nodes, sessions);
            assert_eq!((at_client, at_server), (vec![b"down".to_vec()], vec![b"up".to_vec()]));
            let crashing = usize::from(round % 3 > 0);
            let node = [&mut nodes.client, &mut nodes.server][crashing].crash();
            assert_eq!(node.len(), 1, "{way:?}");
            sessions[crashing] = node[0];
        }
        assert_eq!(nodes.server.disk.done.len(), 6);
    }
}

/// A moved session without Connection ID does not exist; with one, the address of the newest
/// counters is where the restored session sends to.
#[test]
fn a_session_goes_on_at_the_address_that_was_written_last() {
    let way = Way { mode: 0, has_cids: true };
    let mut nodes = Nodes::new(way);
    let [to_server, to_client] = nodes.connect();
    let moved = "[fe80::1%3]:77".parse().expect("an address");
    let now = nodes.now;
    let mut moves = 0;
    for _ in 0..3 {
        nodes.client.endpoint.send(now, to_server, b"from elsewhere").expect("established");
        while let Some(sent) = nodes.client.endpoint.poll_transmit() {
            nodes.server.endpoint.handle_datagram(now, moved, &sent.payload);
        }
        let events = nodes.server.handle_events();
        moves += events.iter().filter(|it| matches!(it, Event::Moved { .. })).count();
        while let Some(sent) = nodes.server.endpoint.poll_transmit() {
            assert_eq!(sent.peer, moved);
            nodes.client.endpoint.handle_datagram(
                now,
                address(crate::support::SERVER),
                &sent.payload,
            );
        }
    }
    assert_eq!((moves, nodes.server.endpoint.peer(to_client)), (1, Some(moved)));
    nodes.server.commit(now, usize::MAX);
    let restored = nodes.server.crash()[0];
    assert_eq!(nodes.server.endpoint.peer(restored), Some(moved));
    // It has moved again while the server was down.
    nodes.client.endpoint.send(now, to_server, b"here").expect("established");
    let sent = nodes.client.endpoint.poll_transmit().expect("a record");
    nodes.server.endpoint.handle_datagram(now, address(CLIENT), &sent.payload);
    assert_eq!(said(nodes.server.handle_events()), [b"here"]);
    nodes.server.commit(now, usize::MAX);
    nodes.server.endpoint.send(now, restored, b"there").expect("established");
    let sent = nodes.server.endpoint.poll_transmit().expect("a record");
    assert_eq!(sent.peer, address(CLIENT));
}

/// Sessions with Connection IDs may have had the same address; without one, only one can.
#[test]
fn sessions_that_share_an_address_are_restored_in_any_order() {
    for first_has_cid in [false, true] {
        let mut nodes = Nodes::new(Way { mode: 0, has_cids: true });
        let mut on_disk = Vec::new();
        for has_cid in [true, true, first_has_cid] {
            let mut other = Nodes::new(Way { mode: 0, has_cids: true });
            other.server.endpoint =
                Endpoint::new(other.server.config.clone(), [on_disk.len() as u8 + 30; 32]);
            if !has_cid {
                other.server.config.connection_ids = None;
                other.server.endpoint = Endpoint::new(other.server.config.clone(), [20; 32]);
            }
            let [_, to_client] = other.connect();
            other.server.write(to_client, None);
            other.server.commit(other.now, 1);
            on_disk.extend(other.server.disk.sessions);
        }
        nodes.server.disk.sessions = on_disk.into_iter().collect();
        assert_eq!(nodes.server.crash().len(), 3);
        assert_eq!(nodes.server.endpoint.session_count(), 3);
    }
}

/// What a client has of its only session, and the session of the server.
fn resumable(nodes: &mut Nodes) -> (Arc<Resumption>, SessionId) {
    let server = address(crate::support::SERVER);
    let profile = Arc::new(nodes.way.profile());
    nodes.client.endpoint.connect(nodes.now, server, profile).expect("a good profile");
    nodes.carry(&mut |_, _| true);
    let resumption = nodes.client.handle_events().into_iter().find_map(|event| match event {
        Event::Connected { resumption, .. } => resumption,
        _ => None,
    });
    let session = nodes.server.handle_events().into_iter().find_map(|event| match event {
        Event::Connected { session, .. } => Some(session),
        _ => None,
    });
    (resumption.expect("what resumes it"), session.expect("connected"))
}

/// Whether the client resumes a session, and the new session of the server.
fn resume(nodes: &mut Nodes, resumption: &Arc<Resumption>) -> (bool, SessionId) {
    nodes.now = nodes.now + Duration::from_secs(1);
    let profile = Arc::new(nodes.way.profile());
    let (server, resumption) = (address(crate::support::SERVER), Arc::clone(resumption));
    let resuming = nodes.client.endpoint.resume(nodes.now, server, profile, resumption);
    resuming.expect("a good profile");
    nodes.carry(&mut |_, _| true);
    nodes.client.handle_events();
    let connected = nodes.server.handle_events().into_iter().find_map(|event| match event {
        Event::Connected { session, resumed, .. } => Some((resumed, session)),
        _ => None,
    });
    connected.expect("connected")
}

/// Writes a session, and restores it after a crash.
fn crash_with(nodes: &mut Nodes, session: SessionId) -> SessionId {
    nodes.server.write(session, None);
    nodes.server.commit(nodes.now, usize::MAX);
    nodes.server.crash()[0]
}

#[test]
fn a_session_can_be_resumed_by_id_after_any_number_of_crashes() {
    let mut nodes = Nodes::new(Way { mode: 0, has_cids: false });
    let (resumption, mut session) = resumable(&mut nodes);
    for _ in 0..3 {
        let restored = crash_with(&mut nodes, session);
        crash_with(&mut nodes, restored);
        let (is_resumed, resumed) = resume(&mut nodes, &resumption);
        assert!(is_resumed);
        session = resumed;
    }
}

#[test]
fn a_restored_session_that_ends_with_a_fatal_alert_is_not_resumed_by_id() {
    for is_fatal in [false, true] {
        let mut nodes = Nodes::new(Way { mode: 0, has_cids: false });
        let (resumption, session) = resumable(&mut nodes);
        let session = crash_with(&mut nodes, session);
        let ended = match is_fatal {
            false => nodes.server.endpoint.close(session),
            true => nodes.server.endpoint.abort(session, Alert::INTERNAL_ERROR),
        };
        ended.expect("restored");
        assert_eq!(resume(&mut nodes, &resumption).0, !is_fatal);
    }
}
