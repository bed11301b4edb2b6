//! What is offered, refused and ignored: RFC 5246, RFC 4279, RFC 7925.

use super::{FATAL, NOW, alert_of, client, reason};
use crate::reference::{
    ALERT, APPLICATION_DATA, CERTIFICATE, CERTIFICATE_REQUEST, CHANGE_CIPHER_SPEC, CLIENT_HELLO,
    ClientScript, HANDSHAKE, HELLO_REQUEST, Hello, SERVER_HELLO, SERVER_HELLO_DONE,
    SERVER_KEY_EXCHANGE, ServerScript, go_on, greet, message, messages, record, records, serve,
};
use crate::support::{
    CLIENT, IDENTITY, KEY, SERVER, address, connected, events, psk_config, psk_profile, received,
};
use lwm2m_dtls::{CipherSuite, Config, Endpoint, Event, Identity, Reason};
use std::sync::Arc;

// proves: SEC-17
#[test]
pub(crate) fn there_is_no_compression_no_short_mac_and_no_second_handshake() {
    let mut client = client();
    let hello = client.poll_transmit().expect("a hello").payload;
    let hello = Hello::parse(&messages(&hello)[0].2);
    assert_eq!(hello.compressions, [0]);
    assert_eq!(hello.extension(4), None);

    let mut client = super::client();
    let (mut script, _) = serve(&mut client, &ServerScript::default());
    let session = connected(&mut client);
    let request = script.seal(HANDSHAKE, &message(HELLO_REQUEST, 9, &[]));
    client.handle_datagram(NOW, address(SERVER), &request);
    while let Some(sent) = client.poll_transmit() {
        let [record] = &records(&sent.payload)[..] else { panic!("{sent:?}") };
        assert_eq!((record.content, script.open(record)), (ALERT, vec![1, 100]));
    }
    assert_eq!((client.handshake_count(), client.poll_event().is_none()), (0, true));
    client.send(NOW, session, b"goes on").expect("established");
    let sent = client.poll_transmit().expect("a record").payload;
    assert_eq!(script.open(&records(&sent)[0]), b"goes on");

    let mut server = Endpoint::new(psk_config(), [2; 32]);
    let how = ClientScript::default();
    let (mut script, flight) = greet(&mut server, &how);
    go_on(&mut server, &how, &mut script, &flight, IDENTITY);
    connected(&mut server);
    let hello = script.seal(HANDSHAKE, &message(CLIENT_HELLO, 9, &[0xfe, 0xfd]));
    server.handle_datagram(NOW, address(CLIENT), &hello);
    let sent = server.poll_transmit().expect("an alert").payload;
    assert_eq!(script.open(&records(&sent)[0]), [1, 100]);
    assert_eq!(server.handshake_count(), 0);
    let data = script.seal(APPLICATION_DATA, b"goes on");
    server.handle_datagram(NOW, address(CLIENT), &data);
    assert_eq!(received(&mut server), [b"goes on"]);
}

// Resources 18 to 24 are stored by a bootstrap: see `bootstrap` of lwm2m-testkit.
// proves: TLS-04
#[test]
pub(crate) fn whoever_offers_a_newer_version_gets_1_2() {
    // DTLS 1.3 and 1.2, as in RFC 9147.
    let how = ClientScript { versions: Some(&[4, 0xfe, 0xfc, 0xfe, 0xfd]), ..Default::default() };
    let mut server = Endpoint::new(psk_config(), [2; 32]);
    let (mut script, flight) = greet(&mut server, &how);
    let (_, _, hello) = &messages(&flight)[0];
    assert_eq!(hello[..2], [0xfe, 0xfd], "the version");
    go_on(&mut server, &how, &mut script, &flight, IDENTITY);
    connected(&mut server);
    // A client that does not list 1.2 is refused.
    for (versions, expected) in [
        (&[2, 0xfe, 0xfc][..], Reason::OnlyNewerVersion),
        (&[2, 0xfe, 0xff], Reason::UnsupportedVersion),
    ] {
        let how = ClientScript { versions: Some(versions), ..ClientScript::default() };
        let mut server = Endpoint::new(psk_config(), [2; 32]);
        assert_eq!(alert_of(&greet(&mut server, &how).1), 70);
        assert_eq!(reason(&mut server), expected);
    }
}

// proves: SEC-18
#[test]
pub(crate) fn what_cannot_be_agreed_on_is_told() {
    let mut server = Endpoint::new(psk_config(), [2; 32]);
    let old = ClientScript { version: 0xfeff, ..ClientScript::default() };
    assert_eq!(alert_of(&greet(&mut server, &old).1), 70);
    assert_eq!(reason(&mut server), Reason::UnsupportedVersion);
    let rsa = ClientScript { suites: &[0x002f, 0x003c, 0x009c], ..ClientScript::default() };
    assert_eq!(alert_of(&greet(&mut server, &rsa).1), 40);
    let text = reason(&mut server).to_string();
    assert!(text.contains("offers 0x002f, 0x003c, 0x009c)"), "{text}");
    for version in [0xfeff, 0xfefc, 0x0303] {
        let mut client = client();
        let how = ServerScript { version, ..ServerScript::default() };
        assert_eq!(serve(&mut client, &how).1.as_deref(), Some(&[FATAL, 70][..]));
        assert_eq!(reason(&mut client), Reason::UnsupportedVersion);
    }
    let mut client = Endpoint::new(Config::default(), [1; 32]);
    let mut profile = psk_profile(KEY);
    profile.suites = vec![CipherSuite::PSK_WITH_AES_128_CCM];
    client.connect(NOW, address(SERVER), Arc::new(profile)).expect("a good profile");
    assert_eq!(serve(&mut client, &ServerScript::default()).1.as_deref(), Some(&[FATAL, 47][..]));
    assert_eq!(reason(&mut client), Reason::IllegalParameter);
    let mut client = super::client();
    let how = ServerScript { extra_extension: Some(99), ..ServerScript::default() };
    assert_eq!(serve(&mut client, &how).1.as_deref(), Some(&[FATAL, 110][..]));
    assert_eq!(reason(&mut client), Reason::UnsupportedExtension);
}

/// What a server says to a hello with another extension: an alert, or nothing.
fn refusal(kind: u16, body: &[u8]) -> Option<u8> {
    let mut server = Endpoint::new(psk_config(), [2; 32]);
    let how = ClientScript { more: vec![(kind, body.to_vec())], ..ClientScript::default() };
    let (_, flight) = greet(&mut server, &how);
    records(&flight).iter().any(|record| record.content == ALERT).then(|| alert_of(&flight))
}

// RFC 8449 section 4, RFC 6066 section 4
#[test]
pub(crate) fn the_lengths_of_records_that_are_asked_for_are_within_their_ranges() {
    let (size, length, unknown) = (28, 1, 999);
    let good: [(u16, &[u8]); 5] =
        [(size, &[0, 64]), (size, &[0xff; 2]), (length, &[1]), (length, &[4]), (unknown, &[1; 3])];
    for (kind, body) in good {
        assert_eq!(refusal(kind, body), None, "{kind} {body:?}");
    }
    let bad: [(u16, &[u8]); 3] = [(size, &[0, 63]), (length, &[0]), (length, &[5])];
    for (kind, body) in bad {
        assert_eq!(refusal(kind, body), Some(47), "{kind} {body:?}");
    }
}

// proves: PSK-06
#[test]
pub(crate) fn no_hint_is_sent_and_any_hint_is_taken() {
    let mut server = Endpoint::new(psk_config(), [2; 32]);
    let (_, flight) = greet(&mut server, &ClientScript::default());
    let kinds: Vec<_> = messages(&flight).into_iter().map(|(kind, ..)| kind).collect();
    assert_eq!(kinds, [SERVER_HELLO, SERVER_HELLO_DONE]);
    for hint in [&b"x"[..], b"", &[0xff; 300]] {
        let mut client = client();
        let how = ServerScript { hint: Some(hint), ..ServerScript::default() };
        serve(&mut client, &how);
        match events(&mut client).as_slice() {
            [Event::Connected { identity, .. }] => {
                assert_eq!(*identity, Identity::Psk(IDENTITY.into()));
            }
            other => panic!("{other:?}"),
        }
    }
}

/// RFC 5246 section 7.3: each message once, in order, and only those of the suite.
#[test]
pub(crate) fn a_server_has_its_messages_in_order() {
    const HINT: (u8, &[u8]) = (SERVER_KEY_EXCHANGE, &[0, 0]);
    const CHAIN: (u8, &[u8]) = (CERTIFICATE, &[0, 0, 0]);
    const DEMAND: (u8, &[u8]) = (CERTIFICATE_REQUEST, &[1, 64, 0, 2, 4, 3, 0, 0]);
    for more in [&[HINT, HINT][..], &[HINT, CHAIN], &[CHAIN], &[DEMAND], &[CHAIN, HINT, DEMAND]] {
        let mut client = client();
        let how = ServerScript { more, ..ServerScript::default() };
        assert_eq!(serve(&mut client, &how).1.as_deref(), Some(&[FATAL, 10][..]), "{more:?}");
        assert_eq!(reason(&mut client), Reason::UnexpectedMessage);
    }
}

#[test]
pub(crate) fn a_change_of_ciphers_is_one_byte_ahead_of_the_finished() {
    let mut server = Endpoint::new(psk_config(), [2; 32]);
    let how = ClientScript::default();
    let (mut script, flight) = greet(&mut server, &how);
    let last = go_on(&mut server, &how, &mut script, &flight, IDENTITY);
    let [change, finished] = &records(&last)[..] else { panic!("{last:02x?}") };
    assert_eq!((change.content, change.body.as_slice()), (CHANGE_CIPHER_SPEC, &[1][..]));
    assert_eq!(script.open(finished)[12..], script.verify_data(true));
}

// OMA LwM2M Transport section 5.2.9
#[test]
pub(crate) fn alerts_that_no_server_has_a_reason_for_end_no_handshake_of_a_client() {
    for (number, ends) in [(30, false), (41, false), (60, false), (110, false), (40, true)] {
        let mut client = client();
        client.poll_transmit().expect("a hello");
        let alert = record(ALERT, 0, 0, &[FATAL, number]);
        client.handle_datagram(NOW, address(SERVER), &alert);
        assert_eq!(client.handshake_count(), usize::from(!ends), "{number}");

        let mut server = Endpoint::new(psk_config(), [2; 32]);
        greet(&mut server, &ClientScript::default());
        let alert = record(ALERT, 0, 9, &[FATAL, number]);
        server.handle_datagram(NOW, address(CLIENT), &alert);
        assert_eq!(server.handshake_count(), 0, "{number}");
        assert!(matches!(reason(&mut server), Reason::PeerAlert(_)));
    }
    let mut client = client();
    client.handle_datagram(NOW, address(SERVER), &record(ALERT, 0, 0, &[1, 40]));
    assert_eq!(client.handshake_count(), 1, "a warning");
}

#[test]
pub(crate) fn an_endpoint_without_credentials_answers_no_hello() {
    let mut other = client();
    let hello = other.poll_transmit().expect("a hello").payload;
    let mut client = Endpoint::new(Config::default(), [3; 32]);
    client.handle_datagram(NOW, address(CLIENT), &hello);
    assert!(client.poll_transmit().is_none() && client.poll_event().is_none());
}
