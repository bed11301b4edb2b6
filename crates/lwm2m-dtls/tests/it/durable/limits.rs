//! Record numbers beyond the durable limit are not sent.

use super::{Nodes, Way, durable, protected_numbers, said};
use crate::support::{KEY, Pair, connected, events, psk_config, psk_profile};
use lwm2m_dtls::{Cause, Config, Error, Event, SessionId};
use std::time::Duration;

/// How many numbers a write reserves.
const RESERVE: u64 = 1 << 16;

fn due(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::CountersDue { .. })).count()
}

/// Sends and returns the numbers of the records.
fn send(nodes: &mut Nodes, session: SessionId, number: u64) -> Vec<u64> {
    let mut numbers = Vec::new();
    for _ in 0..number {
        nodes.server.endpoint.send(nodes.now, session, b"down").expect("established");
        while let Some(sent) = nodes.server.endpoint.poll_transmit() {
            numbers.extend(protected_numbers(&sent.payload, 4));
        }
    }
    numbers
}

fn connect() -> (Nodes, SessionId) {
    let mut nodes = Nodes::new(Way { mode: 0, has_cids: false });
    let [_, session] = nodes.connect();
    (nodes, session)
}

#[test]
fn a_write_is_asked_for_at_half_of_the_reserve_and_again_at_half_of_the_rest() {
    let (mut nodes, session) = connect();
    // Until the first counters are given out there is no limit.
    send(&mut nodes, session, 10);
    assert_eq!(due(&events(&mut nodes.server.endpoint)), 0);
    let first = nodes.server.write(session, None);
    assert!(!first.is_recorded && !first.is_limit_written);
    nodes.server.commit(nodes.now, 1);
    let (mut asked_at, mut last) = (Vec::new(), 0);
    while last + 2 < first.limit {
        last = *send(&mut nodes, session, 1).last().expect("a record");
        if due(&events(&mut nodes.server.endpoint)) > 0 {
            asked_at.push(first.limit - last - 1);
        }
    }
    assert_eq!(
        asked_at[..4],
        [RESERVE / 2 - 1, RESERVE / 4 - 2, RESERVE / 8 - 2, RESERVE / 16 - 2]
    );
    assert!(asked_at.len() > 10, "{asked_at:?}");
    // The store has recovered at last: what waits is sent.
    assert_eq!(send(&mut nodes, session, 3), []);
    assert_eq!(due(&events(&mut nodes.server.endpoint)), 3);
    let second = nodes.server.write(session, None);
    assert!(second.is_recorded && !second.is_limit_written);
    assert_eq!(second.limit, last + 1 + RESERVE);
    nodes.server.commit(nodes.now, 1);
    let mut late = Vec::new();
    while let Some(sent) = nodes.server.endpoint.poll_transmit() {
        late.extend(protected_numbers(&sent.payload, 4));
    }
    assert_eq!(late, [last + 1, last + 2, last + 3]);
    assert!(nodes.server.write(session, None).is_limit_written);
}

// proves: SEC-33
#[test]
fn a_session_without_a_new_limit_ends_and_its_peer_is_told() {
    let (mut nodes, session) = connect();
    let first = nodes.server.write(session, None);
    nodes.server.commit(nodes.now, 1);
    // The store takes writes, but does not say that they are durable.
    nodes.server.write(session, None);
    let mut sent = Vec::new();
    let mut send = |_| {
        let result = nodes.server.endpoint.send(nodes.now, session, b"down");
        while let Some(datagram) = nodes.server.endpoint.poll_transmit() {
            let close_notify = result.is_err().then(|| datagram.payload.clone());
            sent.extend(protected_numbers(&datagram.payload, 4));
            if close_notify.is_some() {
                return Some((result, close_notify));
            }
        }
        None
    };
    let end = (0..2 * RESERVE).find_map(&mut send);
    let Some((Err(Error::CountersNotWritten), Some(close_notify))) = end else { panic!("{end:?}") };
    assert_eq!(sent.last(), Some(&(first.limit - 1)));
    let server = crate::support::address(crate::support::SERVER);
    nodes.client.endpoint.handle_datagram(nodes.now, server, &close_notify);
    let by_peer = |event: &Event| matches!(event, Event::Closed { cause: Cause::ByPeer, .. });
    assert!(events(&mut nodes.client.endpoint).iter().any(by_peer));
    let ended = events(&mut nodes.server.endpoint).into_iter().find_map(|event| match event {
        Event::Closed { cause, kept, .. } => Some((cause, kept)),
        _ => None,
    });
    assert_eq!(ended, Some((Cause::CountersNotWritten, Some(first.fingerprint))));
}

#[test]
fn a_restored_session_asks_with_the_first_record_and_sends_when_the_limit_is_written() {
    let (mut nodes, session) = connect();
    let [limit, restored] = {
        let limit = nodes.server.write(session, None).limit;
        nodes.server.commit(nodes.now, 1);
        [limit, nodes.server.crash()[0].0]
    };
    let restored = SessionId(restored);
    // Nothing is written for a device that does not come.
    assert!(events(&mut nodes.server.endpoint).is_empty());
    assert_eq!(send(&mut nodes, restored, 16), []);
    assert_eq!(due(&nodes.server.handle_events()), 16);
    let full = nodes.server.endpoint.send(nodes.now, restored, b"one too many");
    assert_eq!(full, Err(Error::CountersNotWritten));
    assert_eq!(nodes.server.endpoint.session_count(), 0);

    let (mut nodes, session) = connect();
    nodes.server.write(session, None);
    nodes.server.commit(nodes.now, 1);
    let restored = nodes.server.crash()[0];
    let client = nodes.client.endpoint.sessions().map(|(id, _)| id).next().expect("open");
    nodes.client.endpoint.send(nodes.now, client, b"up").expect("established");
    nodes.carry(&mut |_, _| true);
    let events = nodes.server.handle_events();
    let [Event::CountersDue { .. }, Event::Data { .. }] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(send(&mut nodes, restored, 1), []);
    nodes.now = nodes.now + Duration::from_secs(4);
    assert_eq!(send(&mut nodes, restored, 1), []);
    nodes.now = nodes.now + Duration::from_secs(2);
    nodes.server.commit(nodes.now, usize::MAX);
    let sent = nodes.server.endpoint.poll_transmit().expect("what has not waited for too long");
    assert_eq!(protected_numbers(&sent.payload, 4), [limit]);
    assert!(nodes.server.endpoint.poll_transmit().is_none());
}

#[test]
fn a_record_does_not_wait_for_more_than_five_seconds() {
    let (mut nodes, session) = connect();
    nodes.server.write(session, None);
    nodes.server.commit(nodes.now, 1);
    let restored = nodes.server.crash()[0];
    send(&mut nodes, restored, 1);
    nodes.now = nodes.now + Duration::from_secs(5);
    send(&mut nodes, restored, 1);
    nodes.now = nodes.now + Duration::from_millis(1);
    let late = nodes.server.endpoint.send(nodes.now, restored, b"late");
    assert_eq!(late, Err(Error::CountersNotWritten));
}

#[test]
fn a_limit_that_was_never_given_out_or_is_old_changes_nothing() {
    let (mut nodes, session) = connect();
    nodes.server.endpoint.limit_written(nodes.now, session, 1 << 40);
    let counters = nodes.server.write(session, None);
    nodes.server.commit(nodes.now, 1);
    nodes.server.endpoint.limit_written(nodes.now, session, 1 << 40);
    nodes.server.endpoint.limit_written(nodes.now, session, 0);
    let restored = nodes.server.crash()[0];
    assert_eq!(
        nodes.server.endpoint.counters(restored).map(|it| it.limit - RESERVE),
        Some(counters.limit)
    );
    nodes.server.endpoint.limit_written(nodes.now, restored, counters.limit);
    assert_eq!(send(&mut nodes, restored, 1), []);
}

#[test]
fn without_a_key_nothing_is_kept_and_nothing_is_limited() {
    let mut pair = Pair::new(Config::default(), psk_config());
    pair.connect(psk_profile(KEY));
    pair.settle();
    let session = connected(&mut pair.server);
    assert_eq!(pair.server.counters(session), None);
    assert_eq!(pair.server.seal_session(session), Err(Error::UnknownSession));
    for _ in 0..RESERVE + 10 {
        pair.server.send(pair.now, session, b"down").expect("established");
        pair.server.poll_transmit().expect("a record");
    }
    assert!(events(&mut pair.server).is_empty());
    pair.server.close(session).expect("established");
    let closed = events(&mut pair.server);
    assert!(matches!(closed[..], [Event::Closed { kept: None, .. }]));
    // On streams nothing is kept either.
    let mut pair = Pair::new(Config::default(), durable(psk_config()));
    let stream = pair.server.accept_stream(pair.now, pair.client_address).expect("room");
    assert_eq!(pair.server.counters(stream), None);
    let said = said(events(&mut pair.server));
    assert!(said.is_empty());
}
