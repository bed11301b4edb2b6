//! Both backends with each other in every common mode, on datagrams and streams.

mod again;
mod hostile;
mod refusals;

use crate::support::{
    KEY, Pair, address, at_a_good_time, certified, connected, data, events, psk_config,
    psk_profile, received, server_config, set_backends, x509_profile, x509_store,
};
use lwm2m_dtls::certificate::CertificateUsage;
use lwm2m_dtls::{
    Backend, CipherSuite, ClientProfile, ClientSecurity, Config, Event, Identity, Reason, SessionId,
};
use std::sync::Arc;

const BACKENDS: [Backend; 2] = [Backend::Native, Backend::MbedTls];

/// A client and a server with these backends.
fn pair((client, server): (Backend, Backend), config: Config) -> Pair {
    set_backends(client, server);
    Pair::new(at_a_good_time(Config::default()), at_a_good_time(config))
}

/// Every pair of backends, the client's first.
fn pairs() -> impl Iterator<Item = (Backend, Backend)> {
    BACKENDS.into_iter().flat_map(|client| BACKENDS.map(|server| (client, server)))
}

/// The server configuration and client profile of both modes.
fn modes() -> [(Config, ClientProfile); 2] {
    let by_certificate = x509_profile(CertificateUsage::TrustAnchorAssertion, data!("root.cert"));
    [(psk_config(), psk_profile(KEY)), (server_config(x509_store()), by_certificate)]
}

fn assert_identity(event: &[Event]) -> SessionId {
    match event {
        [Event::Connected { session, identity, .. }] => {
            match identity {
                Identity::Psk(identity) => assert_eq!(identity, crate::support::IDENTITY),
                Identity::Certificate(who) => {
                    assert_eq!(who.common_name.as_deref(), Some("urn:dev:1"));
                }
                other => panic!("{other:?}"),
            }
            *session
        }
        other => panic!("not connected: {other:?}"),
    }
}

#[test]
fn each_talks_with_each_on_datagrams() {
    for (client, server) in pairs() {
        for (config, profile) in modes() {
            let mut pair = pair((client, server), config);
            let to_server = pair.connect(profile);
            pair.settle();
            assert_eq!(connected(&mut pair.client), to_server, "{client} to {server}");
            let to_client = assert_identity(&events(&mut pair.server));
            pair.client.send(pair.now, to_server, b"ping").expect("established");
            pair.server.send(pair.now, to_client, b"pong").expect("established");
            pair.settle();
            assert_eq!(received(&mut pair.server), [b"ping"]);
            assert_eq!(received(&mut pair.client), [b"pong"]);
            assert_eq!(pair.client.poll_timeout(), None);
            pair.client.close(to_server).expect("established");
            pair.settle();
            assert!(matches!(events(&mut pair.server)[..], [Event::Closed { .. }]));
            assert_eq!(pair.server.session_count(), 0);
        }
    }
}

#[test]
fn each_talks_with_each_on_streams() {
    for (client, server) in pairs() {
        for (config, profile) in modes() {
            for cut in [1, 7, 100_000] {
                let mut pair = pair((client, server), config.clone());
                let profile = Arc::new(profile.clone());
                let ours =
                    pair.client.connect_stream(pair.now, address("192.0.2.2:1"), profile, None);
                let ours = ours.expect("a good profile");
                let theirs = pair.server.accept_stream(pair.now, address("192.0.2.1:1"));
                let theirs = theirs.expect("room");
                carry(&mut pair, (ours, theirs), cut);
                assert_eq!(connected(&mut pair.client), ours, "{client} to {server}");
                assert_eq!(assert_identity(&events(&mut pair.server)), theirs);
                let long = vec![7; 40_000];
                pair.client.send(pair.now, ours, b"up").expect("established");
                pair.server.send(pair.now, theirs, &long).expect("established");
                carry(&mut pair, (ours, theirs), cut);
                assert_eq!(received(&mut pair.server), [b"up"]);
                assert_eq!(received(&mut pair.client).concat(), long);
            }
        }
    }
}

/// Delivers the bytes of a stream both ways, `cut` at once, until there are none.
fn carry(pair: &mut Pair, (ours, theirs): (SessionId, SessionId), cut: usize) {
    loop {
        let up: Vec<u8> =
            std::iter::from_fn(|| pair.client.poll_stream()).flat_map(|(_, it)| it).collect();
        let down: Vec<u8> =
            std::iter::from_fn(|| pair.server.poll_stream()).flat_map(|(_, it)| it).collect();
        if up.is_empty() && down.is_empty() {
            return;
        }
        up.chunks(cut).for_each(|part| pair.server.handle_stream(pair.now, theirs, part));
        down.chunks(cut).for_each(|part| pair.client.handle_stream(pair.now, ours, part));
    }
}

#[test]
fn every_suite_that_the_library_has() {
    let all = CipherSuite::SERVER_DEFAULTS.into_iter();
    let common: Vec<_> = all.filter(|suite| Backend::MbedTls.has_suite(*suite)).collect();
    assert_eq!(common.len(), 9, "{common:?}");
    for suite in common {
        for (client, server) in pairs() {
            let by_key = suite.suits(lwm2m_dtls::Mode::Psk);
            let [of_keys, of_certificates] = modes();
            let (config, mut profile) = if by_key { of_keys } else { of_certificates };
            let mut pair = pair((client, server), config);
            profile.suites = vec![suite];
            let session = pair.connect(profile);
            pair.settle();
            match events(&mut pair.client).as_slice() {
                [Event::Connected { suite: agreed, .. }] => assert_eq!(*agreed, suite),
                other => panic!("{client} to {server} by {suite}: {other:?}"),
            }
            events(&mut pair.server);
            pair.client.send(pair.now, session, &[7; 200]).expect("established");
            pair.settle();
            assert_eq!(received(&mut pair.server), [[7; 200]], "{client} to {server} by {suite}");
        }
    }
}

#[test]
fn certificates_of_unknown_algorithms_do_no_harm_where_they_are_not_needed() {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).expect("a key");
    let unknown = rcgen::CertificateParams::default().self_signed(&key).expect("signed");
    let unknown = unknown.der().as_ref();
    let cases = [(&[data!("client.cert"), unknown][..], true), (&[unknown], false)];
    for (server, (chain, is_accepted)) in
        BACKENDS.into_iter().flat_map(|server| cases.map(|case| (server, case)))
    {
        let [_, (config, mut profile)] = modes();
        if let ClientSecurity::Certificate { certified: own, .. } = &mut profile.security {
            *own = certified(chain, data!("client.key"));
        }
        let mut pair = pair((Backend::Native, server), config);
        pair.connect(profile);
        pair.settle();
        match (is_accepted, events(&mut pair.server).as_slice()) {
            (true, accepted) => _ = assert_identity(accepted),
            (
                false,
                [
                    Event::Failed {
                        reason: Reason::BadCertificate(_) | Reason::UnknownAuthority,
                        ..
                    },
                ],
            ) => {}
            (false, other) => panic!("{server}: {other:?}"),
        }
    }
}
