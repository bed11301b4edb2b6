//! Forgeries, replays and floods while handshakes are under way.

use crate::reference::{ALERT, HANDSHAKE, Seen, record, records};
use crate::support::{
    CLIENT, KEY, Pair, SERVER, address, at_a_good_time, connected, deliver, events, key_pairs,
    psk_config, psk_profile, received,
};
use lwm2m_dtls::{Config, ConnectionIds, Endpoint, Event, Reason};
use lwm2m_time::Instant;
use std::sync::Arc;
use std::time::Duration;

/// A record of epoch 0 with a fragment of a message of any length.
fn forged_fragment(kind: u8, length: u32, sequence: u16, offset: u32, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind];
    message.extend_from_slice(&length.to_be_bytes()[1..]);
    message.extend_from_slice(&sequence.to_be_bytes());
    message.extend_from_slice(&offset.to_be_bytes()[1..]);
    message.extend_from_slice(&(body.len() as u32).to_be_bytes()[1..]);
    message.extend_from_slice(body);
    record(HANDSHAKE, 0, 77, &message)
}

/// A forged record of epoch 1.
fn forged(sequence: u64) -> Vec<u8> {
    record(HANDSHAKE, 1, sequence, &[7; 40])
}

#[test]
pub(crate) fn forged_records_do_not_end_a_handshake() {
    let mut pair = Pair::new(Config::default(), psk_config());
    pair.connect(psk_profile(KEY));
    let mut cut = false;
    pair.run(&mut |up, datagram| {
        let mut parts = records(datagram);
        if parts.last().is_none_or(|last| last.epoch == 0) {
            return deliver(up, datagram);
        }
        if up && !std::mem::replace(&mut cut, true) {
            // The server has keys, but has not received the Finished.
            parts.pop();
        }
        let again = |it: &Seen| record(it.content, it.epoch, it.sequence, &it.body);
        let rest = parts.iter().map(again).collect::<Vec<_>>().concat();
        // The message that is due, but unprotected.
        let finished = forged_fragment(20, 12, 3, 0, &[0; 12]);
        // Forged warnings: close_notify and user_canceled.
        let warnings = [0, 90].map(|alert| record(ALERT, 0, 1 << 20, &[1, alert]));
        let forgeries: Vec<_> = (0..20).map(forged).chain([finished]).chain(warnings).collect();
        [forgeries.clone(), vec![rest.clone()], forgeries, vec![rest]].concat()
    });
    assert!(cut);
    connected(&mut pair.client);
    connected(&mut pair.server);
}

#[test]
pub(crate) fn repeated_messages_do_not_have_flights_sent_without_end() {
    for up in [true, false] {
        let mut pair = Pair::new(Config::default(), psk_config());
        pair.connect(psk_profile(KEY));
        let mut last = Vec::new();
        // Up to the server's flight, or up to the client's last flight, which is lost.
        pair.exchange(&mut |from_client, datagram| {
            let hello = datagram[13] == if up { 1 } else { 2 };
            if from_client == up && hello {
                last = datagram.to_vec();
            }
            let lost = if up { datagram[13] == 2 } else { from_client && datagram[13] == 16 };
            if lost { Vec::new() } else { deliver(from_client, datagram) }
        });
        let (endpoint, from) = match up {
            true => (&mut pair.server, pair.client_address),
            false => (&mut pair.client, address(SERVER)),
        };
        let mut bytes = 0;
        for second in 0..10 {
            let now = pair.now + Duration::from_secs(second);
            for _ in 0..100 {
                endpoint.handle_datagram(now, from, &last);
            }
            bytes += std::iter::from_fn(|| endpoint.poll_transmit())
                .map(|sent| sent.payload.len())
                .sum::<usize>();
        }
        assert!((1..=20 * 200).contains(&bytes), "{bytes} bytes from client: {}", !up);
    }
}

/// A generator with only two Connection IDs.
struct OneBit;

impl ConnectionIds for OneBit {
    fn length(&self) -> usize {
        1
    }
    fn generate(&self, random: [u8; 8], cid: &mut [u8]) {
        cid[0] = random[0] & 1;
    }
}

#[test]
pub(crate) fn connection_ids_of_handshakes_under_way_differ() {
    for seed in 0..16 {
        let mut config = psk_config();
        config.connection_ids = Some(Arc::new(OneBit));
        let mut server = Endpoint::new(config, [seed; 32]);
        let mut clients: Vec<_> = (0..3)
            .map(|index| (Endpoint::new(Config::default(), [index + 1; 32]), index))
            .collect();
        let from = |index: u8| address(&format!("192.0.2.1:{}", 1000 + u16::from(index)));
        let now = Instant::ZERO;
        let mut sessions = Vec::new();
        for (client, _) in &mut clients {
            let profile = Arc::new(psk_profile(KEY));
            sessions.push(client.connect(now, address(SERVER), profile).expect("a good profile"));
        }
        // All three handshakes advance together.
        for _ in 0..3 {
            for (client, index) in &mut clients {
                while let Some(sent) = client.poll_transmit() {
                    server.handle_datagram(now, from(*index), &sent.payload);
                }
            }
            while let Some(sent) = server.poll_transmit() {
                let index = usize::from(sent.peer.port() - 1000);
                clients[index].0.handle_datagram(now, address(SERVER), &sent.payload);
            }
        }
        events(&mut server);
        for ((client, index), session) in clients.iter_mut().zip(sessions) {
            client.send(now, session, b"mine").expect("established");
            let record = client.poll_transmit().expect("a record").payload;
            server.handle_datagram(now, from(*index), &record);
            assert_eq!(received(&mut server), [b"mine"], "client {index} with seed {seed}");
        }
    }
}

// proves: SEC-07
#[test]
pub(crate) fn forged_fragments_do_not_stall_a_handshake() {
    let (profile, server) = key_pairs();
    let [client, server] = [at_a_good_time(Config::default()), server].map(|mut config| {
        config.mtu = 160;
        config
    });
    let mut pair = Pair::new(client, server);
    pair.connect(profile);
    pair.exchange(&mut |up, datagram| {
        let mut all = Vec::new();
        for sequence in 0..8 {
            for (kind, length) in [(11, 16_000), (11, 90), (11, 91), (12, 200), (20, 12), (2, 70)] {
                all.push(forged_fragment(kind, length, sequence, 3, &[9]));
            }
        }
        all.extend(deliver(up, datagram));
        all
    });
    connected(&mut pair.client);
    connected(&mut pair.server);
}

#[test]
pub(crate) fn record_numbers_of_a_client_do_not_run_over() {
    let mut pair = Pair::new(Config::default(), psk_config());
    pair.connect(psk_profile(KEY));
    pair.exchange(&mut |up, datagram| {
        let mut datagram = datagram.to_vec();
        if up {
            datagram[5..11].fill(0xff);
        } else {
            for record in records(&datagram) {
                assert_eq!(record.epoch, 0, "{record:?}");
            }
        }
        vec![datagram]
    });
}

#[test]
pub(crate) fn a_datagram_full_of_hellos_gets_one_answer() {
    let mut pair = Pair::new(Config::default(), psk_config());
    pair.connect(psk_profile(KEY));
    let hello = pair.client.poll_transmit().expect("a hello").payload;
    let mut body = vec![0xfe, 0xfd];
    body.extend_from_slice(&[0; 32]);
    body.extend_from_slice(&[0, 0, 0]);
    let short = forged_fragment(1, body.len() as u32, 0, 0, &body);
    let one_record: Vec<u8> = {
        let message = &short[13..];
        let mut record = short[..11].to_vec();
        record.extend_from_slice(&(20 * message.len() as u16).to_be_bytes());
        record.extend((0..20).flat_map(|_| message.to_vec()));
        record
    };
    for datagram in [hello.repeat(8), short.repeat(20), one_record] {
        pair.server.handle_datagram(pair.now, pair.client_address, &datagram);
        let sent = std::iter::from_fn(|| pair.server.poll_transmit());
        let bytes: usize = sent.map(|sent| sent.payload.len()).sum();
        assert!(bytes <= hello.len().min(64), "{bytes} bytes");
    }
}

#[test]
pub(crate) fn one_host_cannot_take_all_places() {
    let mut config = psk_config();
    config.max_handshakes_per_host = 3;
    let mut server = Endpoint::new(config, [2; 32]);
    let mut begin = |from: &str| {
        let mut pair = Pair::new(Config::default(), psk_config());
        pair.client_address = address(from);
        std::mem::swap(&mut pair.server, &mut server);
        pair.connect(psk_profile(KEY));
        // The answer to the second hello is lost.
        pair.exchange(&mut |up, datagram| match up || datagram[13] == 3 {
            true => deliver(up, datagram),
            false => Vec::new(),
        });
        std::mem::swap(&mut pair.server, &mut server);
        server.handshake_count()
    };
    for port in 1000..1010 {
        begin(&format!("192.0.2.1:{port}"));
    }
    assert_eq!(begin("[::ffff:192.0.2.1]:1"), 3);
    assert_eq!(begin("192.0.2.2:1000"), 4);
    for host in 1..10 {
        begin(&format!("[2001:db8::{host}]:1000"));
    }
    assert_eq!(server.handshake_count(), 7);
    while let Some(next) = server.poll_timeout() {
        server.handle_timeout(next);
    }
    assert_eq!(server.handshake_count(), 0);
    let said = events(&mut server);
    let evicted = said.iter().filter(|event| {
        matches!(event, Event::Failed { session: Some(_), reason: Reason::Evicted, .. })
    });
    assert_eq!((evicted.count(), said.len()), (8 + 6, 8 + 6 + 7));
}

/// Devices behind one address translator connect whatever another one of them does.
#[test]
fn a_host_full_of_handshakes_lets_a_device_in() {
    let mut config = psk_config();
    config.max_handshakes_per_host = 3;
    let mut pair = Pair::new(Config::default(), config);
    for port in 1_000..1_010 {
        pair.client = Endpoint::new(Config::default(), [port as u8; 32]);
        pair.client_address = address(&format!("192.0.2.1:{port}"));
        pair.connect(psk_profile(KEY));
        pair.exchange(&mut |up, datagram| match up || datagram[13] == 3 {
            true => deliver(up, datagram),
            false => Vec::new(),
        });
    }
    pair.client = Endpoint::new(Config::default(), [9; 32]);
    pair.client_address = address("192.0.2.1:9");
    pair.connect(psk_profile(KEY));
    pair.settle();
    assert_eq!((pair.server.session_count(), pair.server.handshake_count()), (1, 2));
    // And on streams, whose places are others.
    let now = pair.now;
    for port in 1..10 {
        let from = address(&format!("192.0.2.1:{port}"));
        assert!(pair.server.accept_stream(now, from).is_ok());
    }
    let evicted = |event: &Event| matches!(event, Event::Failed { reason: Reason::Evicted, .. });
    let evicted = events(&mut pair.server).iter().filter(|it| evicted(it)).count();
    assert_eq!(evicted, 8 + 6);
}

/// A hello is kept during its handshake, so that its length is bounded.
#[test]
pub(crate) fn hellos_as_long_as_datagrams_are_not_heard() {
    let mut server = Endpoint::new(psk_config(), [2; 32]);
    for (padding, is_heard) in [(0, true), (4000, true), (4100, false), (60_000, false)] {
        let mut body = vec![0xfe, 0xfd];
        body.extend_from_slice(&[0; 32]);
        body.extend_from_slice(&[0, 0, 0, 2, 0xc0, 0xa8, 1, 0]);
        body.extend_from_slice(&(padding + 4_u16).to_be_bytes());
        body.extend_from_slice(&[0, 21]);
        body.extend_from_slice(&padding.to_be_bytes());
        body.resize(body.len() + usize::from(padding), 0);
        let hello = forged_fragment(1, body.len() as u32, 0, 0, &body);
        server.handle_datagram(Instant::ZERO, address(CLIENT), &hello);
        assert_eq!(server.poll_transmit().is_some(), is_heard, "{padding} bytes");
    }
}

#[test]
pub(crate) fn hellos_repeated_in_turn_do_not_have_flights_sent_without_end() {
    let (profile, config) = key_pairs();
    let mut server = Endpoint::new(config, [2; 32]);
    let hellos = [1, 2].map(|seed| {
        let mut client = Endpoint::new(Config::default(), [seed; 32]);
        client.connect(Instant::ZERO, address(SERVER), Arc::new(profile.clone())).expect("good");
        let first = client.poll_transmit().expect("a hello").payload;
        server.handle_datagram(Instant::ZERO, address(CLIENT), &first);
        let request = server.poll_transmit().expect("a demand").payload;
        client.handle_datagram(Instant::ZERO, address(SERVER), &request);
        client.poll_transmit().expect("a hello with a cookie").payload
    });
    let mut flights = 0;
    for second in 0..5 {
        let now = Instant::ZERO + Duration::from_secs(second);
        for hello in hellos.iter().cycle().take(100) {
            server.handle_datagram(now, address(CLIENT), hello);
        }
        flights += std::iter::from_fn(|| server.poll_transmit()).count();
    }
    assert_eq!(server.handshake_count(), 1);
    assert!((5..=10).contains(&flights), "{flights} flights");
}
