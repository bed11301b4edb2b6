//! What both sides agree on from the hellos: RFC 5246 section 7.4.1, RFC 7250, RFC 8422.

use super::{FATAL, NOW, alert_of, client, reason};
use crate::reference::{
    ALERT, CERTIFICATE_VERIFY, CLIENT_HELLO, ClientScript, SERVER_HELLO, SERVER_HELLO_DONE,
    SERVER_KEY_EXCHANGE, ServerHello, ServerScript, find, go_on, greet, message, messages, records,
    serve, vector,
};
use crate::support::{
    IDENTITY, KEY, Pair, SERVER, address, at_a_good_time, connected, deliver, psk_config,
    psk_profile, rpk, server_config,
};
use lwm2m_dtls::crypto::{Provider, RustCrypto};
use lwm2m_dtls::{CipherSuite, ClientSecurity, Config, Endpoint, Error, Reason};
use std::sync::Arc;
use zeroize::Zeroizing;

const PSK: u16 = 0xc0a8;
const ECDHE_PSK: u16 = 0xd003;
const ECDHE_ECDSA: u16 = 0xc0ae;
const FALLBACK: u16 = 0x5600;

const NAME: u16 = 0;
const GROUPS: u16 = 10;
const POINTS: u16 = 11;
const ALGORITHMS: u16 = 13;
const CLIENT_TYPE: u16 = 19;
const SERVER_TYPE: u16 = 20;
const ENCRYPT_THEN_MAC: u16 = 22;
const VERSIONS: u16 = 43;
const CONNECTION_ID: u16 = 54;
const RENEGOTIATION: u16 = 0xff01;

const P256: &[u8] = &[0, 2, 0, 23];
const P384: &[u8] = &[0, 2, 0, 24];

fn hello(suites: &'static [u16], more: &[(u16, &[u8])]) -> ClientScript {
    let more = more.iter().map(|(kind, body)| (*kind, body.to_vec())).collect();
    ClientScript { suites, more, ..ClientScript::default() }
}

/// The extensions of the server's answer, or the alert that it refuses a hello with.
fn answer(config: Config, how: &ClientScript) -> Result<Vec<(u16, Vec<u8>)>, u8> {
    let mut server = Endpoint::new(config, [2; 32]);
    let (_, flight) = greet(&mut server, how);
    if records(&flight).iter().any(|record| record.content == ALERT) {
        return Err(alert_of(&flight));
    }
    let all = messages(&flight);
    let (.., body) = all.iter().find(|it| it.0 == SERVER_HELLO).expect("a hello");
    Ok(ServerHello::parse(body).extensions)
}

/// Whether the server answers an extension.
fn answers(config: Config, how: &ClientScript, kind: u16) -> bool {
    find(&answer(config, how).expect("it is accepted"), kind).is_some()
}

fn raw_keys() -> Config {
    server_config(rpk().1)
}

/// A hello for raw public keys, with these groups and algorithms.
fn for_raw_keys<'a>(groups: &'a [u8], algorithms: &'a [u8]) -> Vec<(u16, &'a [u8])> {
    let types = &[1, 2][..];
    vec![(GROUPS, groups), (ALGORITHMS, algorithms), (CLIENT_TYPE, types), (SERVER_TYPE, types)]
}

const ECDSA: &[u8] = &[0, 2, 4, 3];
const RSA: &[u8] = &[0, 2, 4, 1];

#[test]
fn a_suite_is_chosen_if_the_client_has_its_curve_and_signature_and_the_server_its_key() {
    let refused = Err(40);
    for (groups, algorithms, fits) in
        [(P256, ECDSA, true), (P384, ECDSA, false), (P256, RSA, false), (P384, RSA, false)]
    {
        let how = hello(&[ECDHE_ECDSA], &for_raw_keys(groups, algorithms));
        let answered = answer(raw_keys(), &how).map(drop);
        assert_eq!(answered, if fits { Ok(()) } else { refused }, "{groups:?} {algorithms:?}");
    }
    // Without the extensions the client has all that there is.
    let types = [(CLIENT_TYPE, &[1, 2][..]), (SERVER_TYPE, &[1, 2])];
    assert!(answer(raw_keys(), &hello(&[ECDHE_ECDSA], &types)).is_ok());
    // A pre-shared key needs no curve, unless it goes with ECDHE.
    assert!(answer(psk_config(), &hello(&[PSK], &[(GROUPS, P384)])).is_ok());
    assert_eq!(answer(psk_config(), &hello(&[ECDHE_PSK], &[(GROUPS, P384)])).map(drop), refused);
    assert!(answer(psk_config(), &hello(&[ECDHE_PSK], &[(GROUPS, P256)])).is_ok());
    // A server that has no pre-shared keys takes no suite that needs one.
    for suite in [&[PSK][..], &[ECDHE_PSK]] {
        assert_eq!(answer(raw_keys(), &hello(suite, &[(GROUPS, P256)])).map(drop), refused);
    }
}

#[test]
fn only_what_was_offered_and_matters_for_the_suite_is_answered() {
    let name: &[u8] = &[0, 6, 0, 0, 3, b'a', b'.', b'b'];
    let more = [
        (NAME, name),
        (POINTS, &[1, 0]),
        (CLIENT_TYPE, &[1, 2]),
        (SERVER_TYPE, &[1, 2]),
        (CONNECTION_ID, &[0]),
    ];
    let all = |suites| hello(suites, &more);
    for (kind, by_psk, by_ecdhe_psk, by_key) in [
        (NAME, false, false, true),
        (POINTS, false, true, true),
        (CLIENT_TYPE, false, false, true),
        (SERVER_TYPE, false, false, true),
        (CONNECTION_ID, false, false, false),
    ] {
        assert_eq!(answers(psk_config(), &all(&[PSK]), kind), by_psk, "{kind}");
        assert_eq!(answers(psk_config(), &all(&[ECDHE_PSK]), kind), by_ecdhe_psk, "{kind}");
        assert_eq!(answers(raw_keys(), &all(&[ECDHE_ECDSA]), kind), by_key, "{kind}");
        let silent = hello(&[ECDHE_PSK], &[]);
        assert!(!answers(psk_config(), &silent, kind), "{kind} was not offered");
    }
}

// RFC 5746 section 3.6
#[test]
fn secure_renegotiation_is_answered_to_either_sign_of_it() {
    let signal: &'static [u16] = &[PSK, 0x00ff];
    for (suites, more, answered) in [
        (&[PSK][..], &[][..], false),
        (signal, &[], true),
        (&[PSK], &[(RENEGOTIATION, &[0][..])], true),
        (signal, &[(RENEGOTIATION, &[0])], true),
    ] {
        assert_eq!(answers(psk_config(), &hello(suites, more), RENEGOTIATION), answered);
    }
    // In a first handshake it is empty.
    let again = hello(&[PSK], &[(RENEGOTIATION, &[1, 7])]);
    assert!(answer(psk_config(), &again).is_err());
}

// RFC 7507 section 3, RFC 8446 section 4.1.3
#[test]
fn a_server_without_a_newer_version_takes_a_fallback_and_marks_nothing() {
    let mut server = Endpoint::new(psk_config(), [2; 32]);
    let how = hello(&[PSK, FALLBACK], &[]);
    let (mut script, flight) = greet(&mut server, &how);
    let random = ServerHello::parse(&messages(&flight)[0].2).random;
    assert!(!random.ends_with(b"DOWNGRD\x01") && !random.ends_with(b"DOWNGRD\x00"));
    go_on(&mut server, &how, &mut script, &flight, IDENTITY);
    connected(&mut server);
}

#[test]
fn an_extension_comes_once_and_a_flag_is_empty() {
    for (more, expected) in [
        (&[(ENCRYPT_THEN_MAC, &[][..])][..], Ok(())),
        (&[(ENCRYPT_THEN_MAC, &[0])], Err(50)),
        (&[(ENCRYPT_THEN_MAC, &[]), (ENCRYPT_THEN_MAC, &[])], Err(50)),
        (&[(999, &[]), (999, &[])], Err(50)),
    ] {
        assert_eq!(answer(psk_config(), &hello(&[PSK], more)).map(drop), expected, "{more:?}");
    }
    let many = |count: u16| {
        let more: Vec<_> = (1_000..1_000 + count).map(|kind| (kind, &[][..])).collect();
        // The extended master secret is one as well.
        answer(psk_config(), &hello(&[PSK], &more)).map(drop)
    };
    assert_eq!((many(64), many(65), many(80)), (Ok(()), Err(50), Err(50)));
}

/// How a client ends a handshake with a server that answers so.
fn refused(how: &ServerScript) -> (Option<u8>, Reason) {
    let mut client = client();
    let (_, alert) = serve(&mut client, how);
    (alert.map(|it| it[1]), reason(&mut client))
}

#[test]
fn a_client_ends_what_it_has_not_offered() {
    let unsupported = (Some(110), Reason::UnsupportedExtension);
    for extension in
        [(SERVER_TYPE, &[2][..]), (CLIENT_TYPE, &[2]), (VERSIONS, &[2, 0xfe, 0xfd]), (NAME, &[])]
    {
        let how = ServerScript { extension: Some(extension), ..ServerScript::default() };
        assert_eq!(refused(&how), unsupported, "{extension:?}");
    }
    for (compression, session_id) in [(1, 0), (0, 33), (1, 33)] {
        let how = ServerScript { compression, session_id, ..ServerScript::default() };
        assert_eq!(refused(&how).1, Reason::Malformed, "{compression} {session_id}");
    }
    let how = ServerScript { session_id: 32, ..ServerScript::default() };
    let mut client = client();
    assert_eq!(serve(&mut client, &how).1, None);
    connected(&mut client);
}

#[test]
fn a_client_takes_the_length_of_records_that_it_asked_for() {
    for (asked, answered, fits) in [(1, 1, true), (1, 2, false), (4, 1, false)] {
        let mut client = Endpoint::new(Config::default(), [1; 32]);
        let mut profile = psk_profile(KEY);
        profile.max_fragment_length = Some(asked);
        client.connect(NOW, address(SERVER), Arc::new(profile)).expect("a good profile");
        let body: &'static [u8] = if answered == 1 { &[1] } else { &[2] };
        let how = ServerScript { extension: Some((1, body)), ..ServerScript::default() };
        let (_, alert) = serve(&mut client, &how);
        assert_eq!(alert.as_deref(), (!fits).then_some(&[FATAL, 47][..]), "{asked} {answered}");
    }
}

#[test]
fn the_end_of_a_servers_flight_is_empty_and_a_ticket_is_one_that_was_announced() {
    let how = ServerScript { more: &[(SERVER_HELLO_DONE, &[0])], ..ServerScript::default() };
    assert_eq!(refused(&how), (Some(10), Reason::UnexpectedMessage));
    let how = ServerScript { gives_ticket: true, ..ServerScript::default() };
    assert_eq!(refused(&how).1, Reason::UnexpectedMessage);
}

// RFC 5246 sections 7.4.3 and 7.4.8
#[test]
fn each_side_signs_what_binds_its_key_to_the_handshake() {
    let (profile, store) = rpk();
    let server_key = store.raw_key.clone().expect("a key").public_key();
    let ClientSecurity::RawPublicKey { key, .. } = &profile.security else { panic!("raw keys") };
    let client_key = key.public_key();
    let mut pair = Pair::new(Config::default(), at_a_good_time(server_config(store)));
    pair.connect(profile);
    let mut heard = Vec::new();
    pair.exchange(&mut |up, datagram| {
        heard.extend(messages(datagram));
        deliver(up, datagram)
    });
    connected(&mut pair.server);
    let last = |kind| heard.iter().rposition(|it| it.0 == kind).expect("such a message");
    let random = |kind| heard[last(kind)].2[2..34].to_vec();
    let signed_by = |key: &[u8], signed: &[u8], mut signature: &[u8]| {
        assert_eq!(signature[..2], [4, 3], "ECDSA with SHA-256");
        signature = &signature[2..];
        let signature = vector(&mut signature, 2);
        RustCrypto.verify(key, signed, signature).is_ok()
    };
    // The server signs both random values and its share of the key exchange.
    let exchange = &heard[last(SERVER_KEY_EXCHANGE)].2;
    let (parameters, signature) = exchange.split_at(4 + 65);
    let signed = [&random(CLIENT_HELLO)[..], &random(SERVER_HELLO), parameters].concat();
    assert!(signed_by(&server_key, &signed, signature));
    // The client signs all messages from its hello with the cookie on.
    let verify = last(CERTIFICATE_VERIFY);
    let before: Vec<u8> = heard[last(CLIENT_HELLO)..verify]
        .iter()
        .flat_map(|(kind, sequence, body)| message(*kind, *sequence, body))
        .collect();
    assert!(signed_by(&client_key, &before, &heard[verify].2));
}

#[test]
fn a_profile_that_can_lead_to_no_handshake_is_refused() {
    let with = |identity: usize, key: usize| {
        let key = Zeroizing::new(vec![7; key]);
        let identity = vec![b'i'; identity].into();
        lwm2m_dtls::ClientProfile::new(ClientSecurity::Psk { identity, key })
    };
    let named = |length: usize| {
        let mut profile = with(1, 1);
        profile.server_name = Some("n".repeat(length));
        profile
    };
    let without_suites = |suite| {
        let mut profile = with(1, 1);
        profile.suites = vec![suite];
        profile
    };
    for (profile, is_good) in [
        (with(128, 64), true),
        (with(129, 64), false),
        (with(1, 0), false),
        (with(1, 65), false),
        (with(129, 65), false),
        (named(255), true),
        (named(256), false),
        (without_suites(CipherSuite(0x1234)), false),
        (without_suites(CipherSuite::PSK_WITH_AES_128_CCM), true),
    ] {
        let mut client = Endpoint::new(Config::default(), [1; 32]);
        let started = client.connect(NOW, address(SERVER), Arc::new(profile.clone())).map(drop);
        let expected = if is_good { Ok(()) } else { Err(Error::UnusableProfile) };
        assert_eq!(started, expected, "{profile:?}");
    }
}

#[cfg(not(feature = "tls13"))]
#[test]
fn tls_1_3_needs_its_feature() {
    let mut profile = psk_profile(KEY);
    assert_eq!(Config::default().check_profile(&profile), Ok(()));
    profile.tls13 = true;
    let lacking = Err(lwm2m_dtls::Unsupported::Tls13);
    assert_eq!(Config::default().check_profile(&profile), lacking);
    let mut client = Endpoint::new(Config::default(), [1; 32]);
    let started = client.connect_stream(NOW, address(SERVER), Arc::new(profile), None);
    assert!(started.is_err());
}
