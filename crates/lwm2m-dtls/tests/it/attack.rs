//! What attackers do: forge, replay, flood, spoof addresses, and come back after they were barred.

use crate::support::{
    FourBytes, KEY, Pair, SERVER, Store, address, connected, data, deliver, events, psk_config,
    psk_profile, received, rpk, server_config, x509_profile, x509_store,
};
use lwm2m_dtls::certificate::CertificateUsage;
use lwm2m_dtls::{
    Alert, Cause, ClientProfile, ClientSecurity, Config, ConnectionIds, Credentials, Endpoint,
    Error, Event, Reason, Resumption, SessionId, TicketKey,
};
use lwm2m_time::Instant;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use zeroize::Zeroizing;

fn with_ids(mut config: Config) -> Config {
    config.connection_ids = Some(Arc::new(FourBytes));
    config
}

/// The records of a datagram without Connection IDs.
fn records(datagram: &[u8]) -> Vec<Vec<u8>> {
    let mut rest = datagram;
    let mut records = Vec::new();
    while rest.len() >= 13 {
        let length = 13 + usize::from(u16::from_be_bytes([rest[11], rest[12]]));
        records.push(rest[..length].to_vec());
        rest = &rest[length..];
    }
    records
}

/// A record of epoch 0 with the fragment of a handshake message.
fn fragment(kind: u8, length: u32, sequence: u16, offset: u32, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind];
    message.extend_from_slice(&length.to_be_bytes()[1..]);
    message.extend_from_slice(&sequence.to_be_bytes());
    message.extend_from_slice(&offset.to_be_bytes()[1..]);
    message.extend_from_slice(&(body.len() as u32).to_be_bytes()[1..]);
    message.extend_from_slice(body);
    let mut record = vec![22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 77];
    record.extend_from_slice(&(message.len() as u16).to_be_bytes());
    record.extend_from_slice(&message);
    record
}

/// A forged record of the epoch after the handshake.
fn forged(sequence: u8) -> Vec<u8> {
    let mut record = vec![22, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, sequence, 0, 40];
    record.extend_from_slice(&[7; 40]);
    record
}

/// A client of its own at another address of the same server.
fn second_client(pair: &mut Pair, from: &str, config: Config) -> (Endpoint, SessionId, SessionId) {
    let mut other = Pair::new(config, Config::default());
    other.client_address = address(from);
    std::mem::swap(&mut pair.server, &mut other.server);
    let to_server = other.connect(psk_profile(KEY));
    other.settle();
    let to_client = connected(&mut other.server);
    std::mem::swap(&mut pair.server, &mut other.server);
    (other.client, to_server, to_client)
}

/// The profile of a client that does not know RFC 9853.
fn without_checks() -> ClientProfile {
    let mut profile = psk_profile(KEY);
    profile.return_routability_check = false;
    profile
}

#[test]
fn a_device_cannot_take_the_address_of_another_and_evict_it() {
    let mut pair = Pair::new(Config::default(), with_ids(psk_config()));
    let mut profile = psk_profile(KEY);
    profile.connection_id = false;
    let victim = pair.connect(profile);
    pair.settle();
    let of_victim = connected(&mut pair.server);
    let (mut rogue, to_server, of_rogue) =
        second_client(&mut pair, "203.0.113.66:666", Config::default());
    for _ in 0..4 {
        rogue.send(pair.now, to_server, b"from the address of the victim").expect("established");
        let spoofed = rogue.poll_transmit().expect("a record").payload;
        pair.server.handle_datagram(pair.now, pair.client_address, &spoofed);
        pair.server.send(pair.now, of_rogue, b"so it seems").expect("established");
    }
    let said = events(&mut pair.server);
    assert!(!said.iter().any(|event| matches!(event, Event::Closed { .. })), "{said:?}");
    while pair.server.poll_transmit().is_some() {}
    pair.client.send(pair.now, victim, b"still here").expect("established");
    pair.settle();
    assert_eq!(received(&mut pair.server), [b"still here"]);
    pair.server.send(pair.now, of_victim, b"so are we").expect("established");
    let sent = pair.server.poll_transmit().expect("a record");
    assert_eq!(sent.peer, pair.client_address);
}

// proves: CID-06
#[test]
fn a_new_address_gets_little_until_it_has_answered() {
    let mut pair = Pair::new(Config::default(), with_ids(psk_config()));
    let session = pair.connect(without_checks());
    pair.settle();
    connected(&mut pair.client);
    let to_client = connected(&mut pair.server);
    let (old, new) = (pair.client_address, address("198.51.100.7:4000"));
    let update = |pair: &mut Pair, text: &[u8]| {
        pair.client.send(pair.now, session, text).expect("established");
        let sent = pair.client.poll_transmit().expect("a record").payload.to_vec();
        pair.server.handle_datagram(pair.now, new, &sent);
        sent
    };
    let answer = |pair: &mut Pair| {
        pair.server.send(pair.now, to_client, &[1; 64]).expect("established");
        pair.server.poll_transmit().expect("a record")
    };
    let record = update(&mut pair, b"an Update");
    assert!(matches!(events(&mut pair.server).as_slice(), [Event::Data { .. }]));
    // The answer finds the client, but the address is not trusted with more than a little.
    let first = answer(&mut pair);
    assert_eq!(first.peer, new);
    let mut spent = first.payload.len();
    for _ in 0..100 {
        let sent = answer(&mut pair);
        if sent.peer == new {
            spent += sent.payload.len();
        }
    }
    assert!((1024..=4096 + 3 * record.len()).contains(&spent), "{spent} bytes");
    assert_eq!(pair.server.peer(to_client), Some(old));
    // Replays and forgeries from elsewhere change nothing.
    let attacker = address("203.0.113.66:666");
    let mut altered = record.clone();
    altered[10] = 200;
    for datagram in [&record, &altered] {
        pair.server.handle_datagram(pair.now, attacker, datagram);
        assert_ne!(answer(&mut pair).peer, attacker);
    }
    // Whoever got something there and goes on from there is there.
    update(&mut pair, b"another");
    match events(&mut pair.server).as_slice() {
        [Event::Moved { session, peer }, Event::Data { .. }] => {
            assert_eq!((*session, *peer), (to_client, new));
        }
        other => panic!("{other:?}"),
    }
    assert!((0..100).all(|_| answer(&mut pair).peer == new));
    assert_eq!(pair.server.peer(to_client), Some(new));
}

// proves: CID-06
#[test]
fn a_new_address_is_asked_for_what_only_it_can_know() {
    let mut pair = Pair::new(Config::default(), with_ids(psk_config()));
    let session = pair.connect(psk_profile(KEY));
    pair.settle();
    connected(&mut pair.client);
    let to_client = connected(&mut pair.server);
    let (old, new) = (pair.client_address, address("198.51.100.7:4000"));

    // A device that lies about its address gets no answer, so it has none to give.
    for second in 0..10 {
        pair.now = Instant::ZERO + Duration::from_secs(second);
        pair.client.send(pair.now, session, b"spoofed").expect("established");
        let spoofed = pair.client.poll_transmit().expect("a record").payload;
        pair.server.handle_datagram(pair.now, new, &spoofed);
        let check = pair.server.poll_transmit().expect("a check");
        assert_eq!((check.peer, check.payload[0]), (new, 27));
        pair.server.send(pair.now, to_client, b"data").expect("established");
        while pair.server.poll_transmit().is_some() {}
    }
    assert_eq!(pair.server.peer(to_client), Some(old));
    assert_eq!(received(&mut pair.server).len(), 10);

    // An answer from elsewhere, an old one and one that is none count for nothing.
    pair.now = Instant::ZERO + Duration::from_secs(20);
    pair.client.send(pair.now, session, b"here").expect("established");
    let record = pair.client.poll_transmit().expect("a record").payload;
    pair.server.handle_datagram(pair.now, new, &record);
    let check = pair.server.poll_transmit().expect("a check").payload;
    pair.client.handle_datagram(pair.now, address(SERVER), &check);
    let answer = pair.client.poll_transmit().expect("an answer").payload;
    assert!(pair.client.poll_transmit().is_none() && pair.client.poll_event().is_none());
    let mut server = Endpoint::new(with_ids(psk_config()), [9; 32]);
    let key = TicketKey::new([5; 16]);
    let copy = pair.server.snapshot(to_client, &key).expect("established");
    let copied = server.import(&copy, &key).expect("our export");
    server.handle_datagram(pair.now, new, &answer);
    assert_eq!(server.peer(copied), Some(old), "it asked for nothing");
    // The one that was asked for, in time or late, from where it was sent.
    pair.server.handle_datagram(pair.now, new, &answer);
    let said = events(&mut pair.server);
    let moved = |event: &Event| matches!(event, Event::Moved { peer, .. } if *peer == new);
    assert!(said.iter().any(moved), "{said:?}");
    assert_eq!(pair.server.peer(to_client), Some(new));
    pair.client_address = new;
    pair.server.send(pair.now, to_client, &[1; 1000]).expect("established");
    pair.settle();
    assert_eq!(received(&mut pair.client), [[1; 1000]]);
    assert_eq!(pair.server.poll_transmit(), None);
}

#[test]
fn a_client_that_goes_on_where_it_was_takes_a_stolen_downlink_back() {
    let mut pair = Pair::new(Config::default(), with_ids(psk_config()));
    let session = pair.connect(psk_profile(KEY));
    pair.settle();
    let to_client = connected(&mut pair.server);
    pair.client.send(pair.now, session, b"overtaken").expect("established");
    let copied = pair.client.poll_transmit().expect("a record").payload;
    pair.server.handle_datagram(pair.now, address("203.0.113.66:666"), &copied);
    pair.server.handle_datagram(pair.now, pair.client_address, &copied);
    pair.client.send(pair.now, session, b"again").expect("established");
    pair.settle();
    pair.server.send(pair.now, to_client, b"answer").expect("established");
    assert_eq!(pair.server.poll_transmit().expect("a record").peer, pair.client_address);
}

#[test]
fn forged_records_do_not_end_a_handshake() {
    let mut pair = Pair::new(Config::default(), psk_config());
    pair.connect(psk_profile(KEY));
    let mut cut = false;
    pair.run(&mut |up, datagram| {
        let mut parts = records(datagram);
        let last = parts.last().map(|record| record[4]);
        if last != Some(1) {
            return deliver(up, datagram);
        }
        if up && !std::mem::replace(&mut cut, true) {
            // The server has keys, but no Finished yet.
            parts.pop();
        }
        let forgeries = (0..20).map(forged);
        [vec![parts.concat()], forgeries.collect(), vec![parts.concat()]].concat()
    });
    assert!(cut);
    connected(&mut pair.client);
    connected(&mut pair.server);
}

#[test]
fn repeated_messages_do_not_have_flights_sent_without_end() {
    for up in [true, false] {
        let mut pair = Pair::new(Config::default(), psk_config());
        pair.connect(psk_profile(KEY));
        let mut last = Vec::new();
        // Up to the flight of the server, or to the last one of the client, which is lost.
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

/// Connection IDs of which there are but two.
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
fn connection_ids_of_handshakes_under_way_differ() {
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
        // All three go on in step.
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
fn forged_fragments_do_not_stall_a_handshake() {
    let (profile, store) = rpk();
    let [client, server] = [Config::default(), server_config(store)].map(|mut config| {
        config.mtu = 160;
        config
    });
    let mut pair = Pair::new(client, server);
    pair.connect(profile);
    pair.exchange(&mut |up, datagram| {
        let mut all = Vec::new();
        for sequence in 0..8 {
            for (kind, length) in [(11, 16_000), (11, 90), (11, 91), (12, 200), (20, 12), (2, 70)] {
                all.push(fragment(kind, length, sequence, 3, &[9]));
            }
        }
        all.extend(deliver(up, datagram));
        all
    });
    connected(&mut pair.client);
    connected(&mut pair.server);
}

/// A device whose key can be changed.
struct OneKey(Mutex<Vec<u8>>);

impl Credentials for OneKey {
    fn uses_psk(&self) -> bool {
        true
    }
    fn psk(&self, _: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        Some(Zeroizing::new(self.0.lock().expect("no panic").clone()))
    }
}

fn resumption(pair: &mut Pair) -> Arc<Resumption> {
    let said = events(&mut pair.client);
    let of = |event: &Event| match event {
        Event::Connected { resumption, .. } => resumption.clone(),
        _ => None,
    };
    said.iter().find_map(of).expect("connected and resumable")
}

/// Goes on with an earlier session; whether the server did.
fn resumes(pair: &mut Pair, profile: ClientProfile, earlier: &Arc<Resumption>) -> Option<bool> {
    events(&mut pair.server);
    let profile = Arc::new(profile);
    let earlier = Arc::clone(earlier);
    pair.client.resume(pair.now, address(SERVER), profile, earlier).expect("a good profile");
    pair.run(&mut deliver);
    let of = |event: Event| match event {
        Event::Connected { resumed, .. } => Some(resumed),
        _ => None,
    };
    events(&mut pair.server).into_iter().find_map(of)
}

#[test]
fn a_changed_key_ends_what_the_old_one_began() {
    for tickets in [false, true] {
        let keys = Arc::new(OneKey(Mutex::new(KEY.to_vec())));
        let mut config = Config::default();
        config.credentials = Some(keys.clone());
        config.ticket_key = tickets.then(|| TicketKey::new([9; 16]));
        let mut pair = Pair::new(Config::default(), config);
        pair.connect(psk_profile(KEY));
        pair.settle();
        let earlier = resumption(&mut pair);
        assert_eq!(resumes(&mut pair, psk_profile(KEY), &earlier), Some(true));
        *keys.0.lock().expect("no panic") = b"another key".to_vec();
        assert_eq!(resumes(&mut pair, psk_profile(KEY), &earlier), None);
        // With its new key the client does not even ask.
        let profile = psk_profile(b"another key");
        assert_eq!(resumes(&mut pair, profile, &earlier), Some(false));
    }
}

#[test]
fn an_expired_certificate_is_not_resumed() {
    let origin = Duration::from_secs(1_795_400_000);
    let [client, server] = [Config::default(), server_config(x509_store())].map(|mut config| {
        config.unix_time_of_origin = origin;
        config.resumption_lifetime = Duration::from_secs(10_000_000_000);
        config
    });
    let profile = || {
        let mut profile = x509_profile(CertificateUsage::DomainIssued, data!("server.cert"));
        if let ClientSecurity::Certificate { certified, .. } = &mut profile.security {
            *certified = crate::support::certified(&[data!("short.cert")], data!("short.key"));
        }
        profile
    };
    let mut pair = Pair::new(client, server);
    pair.connect(profile());
    pair.settle();
    let earlier = resumption(&mut pair);
    assert_eq!(resumes(&mut pair, profile(), &earlier), Some(true));
    pair.now = pair.now + Duration::from_secs(400_000_000);
    assert_eq!(resumes(&mut pair, profile(), &earlier), None);
    let reason = events(&mut pair.client).into_iter().find_map(|event| match event {
        Event::Failed { reason, .. } => Some(reason),
        _ => None,
    });
    assert_eq!(reason, Some(Reason::PeerAlert(Alert::CERTIFICATE_EXPIRED)));
}

#[test]
fn other_authorities_end_what_the_old_ones_began() {
    let [client, server] =
        [Config::default(), server_config(x509_store())].map(crate::support::at_a_good_time);
    let key = || Some(TicketKey::new([9; 16]));
    let mut pair = Pair::new(client, server);
    let profile = || x509_profile(CertificateUsage::DomainIssued, data!("server.cert"));
    let with_tickets = |store: Store| {
        let mut config = crate::support::at_a_good_time(server_config(store));
        config.ticket_key = key();
        config
    };
    pair.server = Endpoint::new(with_tickets(x509_store()), [3; 32]);
    pair.connect(profile());
    pair.settle();
    let earlier = resumption(&mut pair);
    assert_eq!(resumes(&mut pair, profile(), &earlier), Some(true));
    let mut store = x509_store();
    store.authorities = vec![data!("other.cert").into()];
    pair.server = Endpoint::new(with_tickets(store), [4; 32]);
    assert_eq!(resumes(&mut pair, profile(), &earlier), None);
}

#[test]
fn a_fatal_alert_ends_the_session_for_good() {
    for by_client in [true, false] {
        let mut pair = Pair::new(Config::default(), psk_config());
        let at_client = pair.connect(psk_profile(KEY));
        pair.settle();
        let earlier = resumption(&mut pair);
        let at_server = connected(&mut pair.server);
        if by_client {
            pair.client.abort(at_client, Alert::INTERNAL_ERROR).expect("established");
        } else {
            pair.server.abort(at_server, Alert::INTERNAL_ERROR).expect("established");
        }
        pair.settle();
        assert_eq!(resumes(&mut pair, psk_profile(KEY), &earlier), Some(false));
    }
    // close_notify is no error: the session may be resumed.
    let mut pair = Pair::new(Config::default(), psk_config());
    let session = pair.connect(psk_profile(KEY));
    pair.settle();
    let earlier = resumption(&mut pair);
    pair.client.close(session).expect("established");
    pair.settle();
    assert_eq!(resumes(&mut pair, psk_profile(KEY), &earlier), Some(true));
}

#[test]
fn record_numbers_of_a_client_do_not_run_over() {
    let mut pair = Pair::new(Config::default(), psk_config());
    pair.connect(psk_profile(KEY));
    pair.exchange(&mut |up, datagram| {
        let mut datagram = datagram.to_vec();
        if up {
            datagram[5..11].fill(0xff);
        } else {
            for record in records(&datagram) {
                assert_eq!(record[3..5], [0, 0], "the epoch of {record:02x?}");
            }
        }
        vec![datagram]
    });
}

#[test]
fn an_imported_session_is_not_imported_again_when_it_is_closed() {
    let key = TicketKey::new([5; 16]);
    let mut pair = Pair::new(Config::default(), psk_config());
    pair.connect(psk_profile(KEY));
    pair.settle();
    let session = connected(&mut pair.server);
    let copy = pair.server.snapshot(session, &key).expect("established");
    let sealed = pair.server.export(session, &key).expect("established");
    let imported = pair.server.import(&sealed, &key).expect("our export");
    pair.server.close(imported).expect("established");
    for bytes in [&sealed, &copy] {
        assert_eq!(pair.server.import(bytes, &key), Err(Error::AlreadyOpen));
    }
    assert_eq!(pair.server.session_count(), 0);
}

#[test]
fn a_datagram_full_of_hellos_gets_one_answer() {
    let mut pair = Pair::new(Config::default(), psk_config());
    pair.connect(psk_profile(KEY));
    let hello = pair.client.poll_transmit().expect("a hello").payload;
    let mut body = vec![0xfe, 0xfd];
    body.extend_from_slice(&[0; 32]);
    body.extend_from_slice(&[0, 0, 0]);
    let short = fragment(1, body.len() as u32, 0, 0, &body);
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
fn one_host_cannot_take_all_places() {
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
    assert_eq!(events(&mut server).len(), 7);
}

#[test]
fn peers_without_credentials_are_shut_out_at_once() {
    let mut pair = Pair::new(Config::default(), with_ids(psk_config()));
    let session = pair.connect(psk_profile(KEY));
    pair.settle();
    connected(&mut pair.server);
    let (mut other, _, _) = second_client(&mut pair, "192.0.2.9:9", Config::default());
    events(&mut pair.server);
    assert_eq!(pair.server.sessions().count(), 2);
    assert_eq!(pair.server.close_where(|_| false), 0);
    assert_eq!(pair.server.close_where(|_| true), 2);
    let said = events(&mut pair.server);
    let by_us = |event: &Event| matches!(event, Event::Closed { cause: Cause::ByUs, .. });
    assert!(said.len() == 2 && said.iter().all(by_us), "{said:?}");
    while let Some(sent) = pair.server.poll_transmit() {
        let to = if sent.peer == pair.client_address { &mut pair.client } else { &mut other };
        to.handle_datagram(pair.now, address(SERVER), &sent.payload);
    }
    assert_eq!((pair.client.session_count(), other.session_count()), (0, 0));
    assert_eq!(pair.client.send(pair.now, session, b"x"), Err(Error::UnknownSession));
}
