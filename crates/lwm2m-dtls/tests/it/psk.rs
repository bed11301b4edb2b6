//! Handshakes with pre-shared keys.

use crate::support::{
    IDENTITY, KEY, Pair, address, connected, deliver, events, psk_config, psk_profile, received,
};
use lwm2m_dtls::{Alert, CipherSuite, Config, Event, Identity, Mode, Reason, Role};
use std::time::Duration;

#[test]
pub(crate) fn both_sides_connect_and_talk() {
    let mut pair = Pair::new(Config::default(), psk_config());
    let to_server = pair.connect(psk_profile(KEY));
    pair.settle();
    assert_eq!(connected(&mut pair.client), to_server);
    let to_client = match events(&mut pair.server).as_slice() {
        [Event::Connected { session, identity, role: Role::Server, suite, .. }] => {
            assert_eq!(*identity, Identity::Psk(IDENTITY.into()));
            assert_eq!(*suite, CipherSuite::PSK_WITH_AES_128_CCM_8);
            *session
        }
        other => panic!("{other:?}"),
    };
    pair.client.send(pair.now, to_server, b"ping").expect("established");
    pair.server.send(pair.now, to_client, b"pong").expect("established");
    pair.settle();
    assert_eq!(received(&mut pair.server), [b"ping"]);
    assert_eq!(received(&mut pair.client), [b"pong"]);
}

#[test]
pub(crate) fn an_empty_key_is_none() {
    let psk = [(IDENTITY.to_vec(), Vec::new())].into();
    let store = crate::support::Store { psk, ..Default::default() };
    let mut pair = Pair::new(Config::default(), crate::support::server_config(store));
    pair.connect(psk_profile(KEY));
    pair.settle();
    let identity = IDENTITY.into();
    match events(&mut pair.server).as_slice() {
        [Event::Failed { reason, .. }] => {
            assert_eq!(*reason, Reason::UnknownIdentity { identity });
        }
        other => panic!("{other:?}"),
    }
}

// proves: PSK-03
#[test]
pub(crate) fn identities_and_keys_of_any_bytes_are_compared_exactly() {
    let identity: Vec<u8> = (0..128).map(|byte| byte * 2 + 1).chain([]).collect();
    let key = vec![0xff; 64];
    let attempt = |offered: Vec<u8>| {
        let store = crate::support::Store {
            psk: [(identity.clone(), key.clone())].into(),
            ..Default::default()
        };
        let mut pair = Pair::new(Config::default(), crate::support::server_config(store));
        let security =
            lwm2m_dtls::ClientSecurity::Psk { identity: offered.into(), key: key.clone().into() };
        pair.connect(lwm2m_dtls::ClientProfile::new(security));
        pair.settle();
        matches!(events(&mut pair.client).as_slice(), [Event::Connected { .. }])
    };
    assert!(attempt(identity.clone()));
    let mut other = identity.clone();
    // 'A' becomes 'a'.
    let upper = other.iter_mut().find(|byte| **byte == b'A').expect("an A");
    *upper = b'a';
    assert!(!attempt(other));
}

// proves: PSK-04
#[test]
pub(crate) fn an_unknown_identity_is_named() {
    let mut pair = Pair::new(Config::default(), psk_config());
    let security = lwm2m_dtls::ClientSecurity::Psk {
        identity: b"nobody"[..].into(),
        key: KEY.to_vec().into(),
    };
    pair.connect(lwm2m_dtls::ClientProfile::new(security));
    pair.settle();
    match events(&mut pair.server).as_slice() {
        [Event::Failed { mode: Some(Mode::Psk), reason, .. }] => {
            assert_eq!(*reason, Reason::UnknownIdentity { identity: b"nobody"[..].into() });
            assert!(reason.to_string().contains("\"nobody\""));
        }
        other => panic!("{other:?}"),
    }
    match events(&mut pair.client).as_slice() {
        [Event::Failed { reason, .. }] => {
            assert_eq!(*reason, Reason::PeerAlert(Alert::UNKNOWN_PSK_IDENTITY));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!((pair.server.session_count(), pair.server.handshake_count()), (0, 0));
}

// proves: PSK-05
#[test]
pub(crate) fn one_wrong_bit_of_the_key_and_there_is_no_session() {
    let mut pair = Pair::new(Config::default(), psk_config());
    let mut key = KEY.to_vec();
    key[3] ^= 1;
    let session = pair.connect(psk_profile(&key));
    pair.settle();
    assert!(pair.client.send(pair.now, session, b"x").is_err());
    pair.run(&mut deliver);
    assert!(matches!(
        events(&mut pair.server).as_slice(),
        [Event::Failed { reason: Reason::WrongKey, .. }]
    ));
    let took = pair.now.saturating_since(lwm2m_time::Instant::ZERO);
    assert!(took <= Duration::from_secs(10), "{took:?}");
    assert!(matches!(events(&mut pair.client).as_slice(), [Event::Failed { .. }]));
}

#[test]
pub(crate) fn silence_is_a_timeout_after_doubling_intervals() {
    let mut pair = Pair::new(Config::default(), psk_config());
    pair.connect(psk_profile(KEY));
    let mut sent = Vec::new();
    while let Some(next) = pair.client.poll_timeout() {
        while let Some(datagram) = pair.client.poll_transmit() {
            assert_eq!(datagram.peer, address(crate::support::SERVER));
            sent.push((pair.now.as_micros() / 1_000_000, datagram.payload));
        }
        pair.now = next;
        pair.client.handle_timeout(next);
    }
    assert_eq!(sent.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [0, 1, 3, 7, 15, 31, 63]);
    for (index, (_, datagram)) in sent.iter().enumerate() {
        assert_eq!(usize::from(datagram[10]), index, "record numbers are never used twice");
        assert_eq!(datagram[11..], sent[0].1[11..]);
    }
    let told: Vec<_> = std::iter::from_fn(|| pair.client.poll_event()).collect();
    let [Event::Unanswered { .. }, Event::Failed { reason, .. }] = &told[..] else {
        panic!("{told:?}")
    };
    assert_eq!(*reason, Reason::Unanswered { sent: 7 });
    assert_eq!(pair.now.saturating_since(lwm2m_time::Instant::ZERO), Duration::from_secs(90));
}

// proves: PSK-01
#[test]
pub(crate) fn every_suite_works_and_the_strong_ones_are_offered() {
    let suites = [
        CipherSuite::PSK_WITH_AES_128_CCM_8,
        CipherSuite::PSK_WITH_AES_128_CCM,
        CipherSuite::PSK_WITH_AES_128_GCM_SHA256,
        CipherSuite::PSK_WITH_AES_128_CBC_SHA256,
        CipherSuite::ECDHE_PSK_WITH_AES_128_CCM_8_SHA256,
        CipherSuite::ECDHE_PSK_WITH_AES_128_CCM_SHA256,
        CipherSuite::ECDHE_PSK_WITH_AES_128_GCM_SHA256,
        CipherSuite::ECDHE_PSK_WITH_AES_128_CBC_SHA256,
    ];
    for suite in suites {
        let mut pair = Pair::new(Config::default(), psk_config());
        let mut profile = psk_profile(KEY);
        profile.suites = vec![suite];
        let session = pair.connect(profile);
        pair.settle();
        connected(&mut pair.client);
        connected(&mut pair.server);
        pair.client.send(pair.now, session, b"ping").expect("established");
        pair.settle();
        assert_eq!(received(&mut pair.server), [b"ping"], "{suite}");
    }
    let mut pair = Pair::new(Config::default(), psk_config());
    pair.connect(psk_profile(KEY));
    let hello = pair.client.poll_transmit().expect("a hello").payload;
    // After the headers, version, random value, empty session id and empty cookie.
    let length = usize::from(hello[62]);
    let offered: Vec<_> = hello[63..63 + length].as_chunks::<2>().0.to_vec();
    assert!(offered.contains(&[0xc0, 0xa8]) && !offered.contains(&[0x00, 0xae]));
}

/// A server with another key drops a Finished that it cannot open, and says nothing.
#[test]
pub(crate) fn silence_after_the_finished_means_another_key_if_the_key_is_shared() {
    let (profile, config) = crate::support::key_pairs();
    for (profile, config, is_shared) in
        [(psk_profile(KEY), psk_config(), true), (profile, config, false)]
    {
        let mut pair = Pair::new(crate::support::at_a_good_time(Config::default()), config);
        pair.connect(profile);
        let mut is_silent = false;
        pair.exchange(&mut |up, datagram| {
            const CHANGE_CIPHER_SPEC: u8 = 20;
            let of = crate::reference::records(datagram);
            is_silent |= up && of.iter().any(|record| record.content == CHANGE_CIPHER_SPEC);
            if is_silent { Vec::new() } else { vec![datagram.to_vec()] }
        });
        while let Some(next) = pair.client.poll_timeout() {
            pair.now = next;
            pair.client.handle_timeout(next);
        }
        let all = events(&mut pair.client);
        let [Event::Failed { reason, .. }] = &all[..] else { panic!("{all:?}") };
        let is_key = matches!(reason, Reason::WrongKey);
        assert!(is_key || matches!(reason, Reason::Unanswered { .. }), "{reason:?}");
        assert_eq!(is_key, is_shared, "{reason:?}");
    }
}
