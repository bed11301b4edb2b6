//! Handshakes with raw public keys.

use crate::reference::{
    CERTIFICATE, CLIENT_HELLO, CLIENT_KEY_EXCHANGE, HANDSHAKE, Hello, SERVER_HELLO,
    SERVER_KEY_EXCHANGE, ServerHello, find, message, messages, record, records,
};
use crate::support::{
    IDENTITY, KEY, Pair, connected, data, deliver, events, psk_config, psk_profile, received, rpk,
    server_config, signing_key, spki, x509_profile, x509_store,
};
use lwm2m_dtls::certificate::CertificateUsage;
use lwm2m_dtls::crypto::{CryptoError, Point, Provider, RustCrypto, SigningKey};
use lwm2m_dtls::{
    Alert, CipherSuite, ClientProfile, ClientSecurity, Config, Event, Identity, Mode, Reason,
};

#[test]
fn both_sides_connect_with_every_suite() {
    let suites = [
        CipherSuite::ECDHE_ECDSA_WITH_AES_128_CCM_8,
        CipherSuite::ECDHE_ECDSA_WITH_AES_128_CCM,
        CipherSuite::ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        CipherSuite::ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
    ];
    for offered in suites {
        let (mut profile, store) = rpk();
        profile.suites = vec![offered];
        let client_spki = store.trusted[0].clone();
        let mut pair = Pair::new(Config::default(), server_config(store));
        pair.connect(profile);
        pair.settle();
        connected(&mut pair.client);
        match events(&mut pair.server).as_slice() {
            [Event::Connected { identity, suite, .. }] => {
                assert_eq!(
                    (identity, suite),
                    (&Identity::RawPublicKey(client_spki.into()), &offered)
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

fn outcome(profile: ClientProfile, store: crate::support::Store) -> (Vec<Event>, Vec<Event>) {
    let mut pair = Pair::new(Config::default(), server_config(store));
    pair.connect(profile);
    pair.run(&mut deliver);
    assert_eq!((pair.client.session_count(), pair.server.session_count()), (0, 0));
    (events(&mut pair.client), events(&mut pair.server))
}

fn reason(events: &[Event]) -> &Reason {
    match events {
        [Event::Failed { reason, .. }] => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn other_keys_are_refused_on_both_sides() {
    let (profile, mut store) = rpk();
    store.trusted.clear();
    let (client, server) = outcome(profile, store);
    assert_eq!(*reason(&client), Reason::PeerAlert(Alert::CERTIFICATE_UNKNOWN));
    assert_eq!(*reason(&server), Reason::UnknownPeerKey);

    let (_, store) = rpk();
    let server = spki(&signing_key(data!("other.key"))).into();
    let key = signing_key(data!("client.key"));
    let profile = ClientProfile::new(ClientSecurity::RawPublicKey { key, server });
    let (client, _) = outcome(profile, store);
    assert_eq!(*reason(&client), Reason::UnknownPeerKey);
}

#[test]
fn raw_public_keys_and_certificates_do_not_meet() {
    let (_, store) = rpk();
    let root = data!("root.cert");
    let (client, server) = outcome(x509_profile(CertificateUsage::DomainIssued, root), store);
    assert_eq!(*reason(&client), Reason::PeerAlert(Alert::UNSUPPORTED_CERTIFICATE));
    assert_eq!(*reason(&server), Reason::NoCommonCertificateType);

    let (profile, _) = rpk();
    let (client, _) = outcome(profile, x509_store());
    assert_eq!(*reason(&client), Reason::PeerAlert(Alert::UNSUPPORTED_CERTIFICATE));
}

#[test]
fn without_a_common_suite_there_is_no_handshake() {
    let (profile, _) = rpk();
    let (client, server) = outcome(
        profile,
        crate::support::Store { psk: [(vec![1], vec![2])].into(), ..Default::default() },
    );
    assert_eq!(*reason(&client), Reason::PeerAlert(Alert::HANDSHAKE_FAILURE));
    assert!(matches!(
        server.as_slice(),
        [Event::Failed { mode: None::<Mode>, reason: Reason::NoCommonSuite(_), .. }]
    ));
}

/// The unprotected messages of a handshake and their senders.
fn overhear(profile: ClientProfile, store: crate::support::Store) -> Vec<(bool, u8, Vec<u8>)> {
    let mut pair = Pair::new(Config::default(), server_config(store));
    pair.connect(profile);
    let mut heard = Vec::new();
    pair.exchange(&mut |up, datagram| {
        heard.extend(messages(datagram).into_iter().map(|(kind, _, body)| (up, kind, body)));
        deliver(up, datagram)
    });
    heard
}

fn body_of(heard: &[(bool, u8, Vec<u8>)], up: bool, kind: u8) -> &[u8] {
    let of = |it: &&(bool, u8, Vec<u8>)| (it.0, it.1) == (up, kind);
    &heard.iter().rfind(of).expect("such a message").2
}

// proves: RPK-01
#[test]
fn the_types_of_certificates_are_negotiated() {
    let (profile, store) = rpk();
    let heard = overhear(profile, store);
    let hello = Hello::parse(body_of(&heard, true, CLIENT_HELLO));
    let answered = ServerHello::parse(body_of(&heard, false, SERVER_HELLO)).extensions;
    for kind in [19, 20] {
        assert_eq!(hello.extension(kind), Some(&[1, 2][..]));
        assert_eq!(find(&answered, kind), Some(&[2][..]));
    }
    let (_, store) = rpk();
    let root = data!("root.cert");
    let (client, server) = outcome(x509_profile(CertificateUsage::DomainIssued, root), store);
    assert_eq!(*reason(&client), Reason::PeerAlert(Alert::UNSUPPORTED_CERTIFICATE));
    assert_eq!(*reason(&server), Reason::NoCommonCertificateType);
}

// proves: RPK-02
#[test]
fn a_certificate_message_is_one_key() {
    let (profile, store) = rpk();
    let expected = [store.raw_key.as_ref().map(spki).expect("a key"), store.trusted[0].clone()];
    let heard = overhear(profile, store);
    for (up, expected) in [false, true].into_iter().zip(expected) {
        let body = body_of(&heard, up, CERTIFICATE);
        assert_eq!(body[..5], [0, 0, 91, 0x30, 0x59]);
        assert_eq!(body[3..], expected);
    }
}

/// A key whose signatures are wrong in one bit.
#[derive(Debug)]
pub(crate) struct BadSigner(pub(crate) std::sync::Arc<dyn SigningKey>);

impl SigningKey for BadSigner {
    fn public_key(&self) -> Point {
        self.0.public_key()
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let mut signature = self.0.sign(message)?;
        *signature.last_mut().expect("a signature") ^= 1;
        Ok(signature)
    }
}

// proves: RPK-03
#[test]
fn only_the_stored_keys_are_accepted_and_only_who_has_them() {
    let (profile, store) = rpk();
    let mut pair = Pair::new(Config::default(), server_config(store));
    pair.connect(profile);
    pair.settle();
    connected(&mut pair.client);
    connected(&mut pair.server);

    let (profile, mut store) = rpk();
    store.trusted = vec![spki(&signing_key(data!("other.key")))];
    let (_, server) = outcome(profile, store);
    assert_eq!(*reason(&server), Reason::UnknownPeerKey);

    let (_, mut store) = rpk();
    let (profile, _) = rpk();
    store.raw_key = Some(signing_key(data!("other.key")));
    let (client, _) = outcome(profile, store);
    assert_eq!(*reason(&client), Reason::UnknownPeerKey);

    let (profile, mut store) = rpk();
    let own = store.raw_key.take().expect("a key");
    store.raw_key = Some(std::sync::Arc::new(BadSigner(own)));
    let (client, server) = outcome(profile, store);
    assert_eq!(*reason(&client), Reason::BadSignature);
    assert_eq!(*reason(&server), Reason::PeerAlert(Alert::DECRYPT_ERROR));

    let (mut profile, store) = rpk();
    if let ClientSecurity::RawPublicKey { key, .. } = &mut profile.security {
        *key = std::sync::Arc::new(BadSigner(key.clone()));
    }
    let (client, server) = outcome(profile, store);
    assert_eq!(*reason(&server), Reason::BadSignature);
    assert_eq!(*reason(&client), Reason::PeerAlert(Alert::DECRYPT_ERROR));
}

/// A handshake by ECDHE_PSK, whose messages are not signed, so that altered ones are parsed.
/// Returns why client and server fail.
fn altered(kind: u8, alter: &dyn Fn(&mut Vec<u8>)) -> (Option<Reason>, Option<Reason>) {
    let mut profile = psk_profile(KEY);
    profile.suites = vec![CipherSuite::ECDHE_PSK_WITH_AES_128_CCM_8_SHA256];
    let mut pair = Pair::new(Config::default(), psk_config());
    pair.connect(profile);
    pair.exchange(&mut |_, datagram| {
        let rewritten = records(datagram).into_iter().map(|mut it| {
            if it.epoch == 0 && it.content == HANDSHAKE && it.body[0] == kind {
                let (_, sequence, mut body) = messages(datagram)
                    .into_iter()
                    .find(|(of, ..)| *of == kind)
                    .expect("the message");
                alter(&mut body);
                it.body = message(kind, sequence, &body);
            }
            record(it.content, it.epoch, it.sequence, &it.body)
        });
        vec![rewritten.collect::<Vec<_>>().concat()]
    });
    let reason = |events: Vec<Event>| match events.as_slice() {
        [Event::Failed { reason, .. }] => Some(reason.clone()),
        [Event::Connected { .. }] | [] => None,
        other => panic!("{other:?}"),
    };
    (reason(events(&mut pair.client)), reason(events(&mut pair.server)))
}

// proves: RPK-04
#[test]
fn secp256r1_is_the_only_curve_and_every_suite_works() {
    for suite in [
        CipherSuite::ECDHE_ECDSA_WITH_AES_128_CCM_8,
        CipherSuite::ECDHE_ECDSA_WITH_AES_128_CBC_SHA256,
    ] {
        let (mut profile, store) = rpk();
        profile.suites = vec![suite];
        let mut pair = Pair::new(Config::default(), server_config(store));
        let session = pair.connect(profile);
        pair.settle();
        connected(&mut pair.client);
        connected(&mut pair.server);
        pair.client.send(pair.now, session, b"</1/0>").expect("established");
        pair.settle();
        assert_eq!(received(&mut pair.server), [b"</1/0>"]);
    }
    let (profile, store) = rpk();
    let heard = overhear(profile, store);
    let hello = Hello::parse(body_of(&heard, true, CLIENT_HELLO));
    assert_eq!(hello.extension(10), Some(&[0, 2, 0, 0x17][..]));
    // After the empty hint: named_curve, secp192r1.
    let smaller = |body: &mut Vec<u8>| body[2..5].copy_from_slice(&[3, 0, 0x13]);
    let (client, _) = altered(SERVER_KEY_EXCHANGE, &smaller);
    assert_eq!(client, Some(Reason::IllegalParameter));
}

fn hex<const N: usize>(text: &str) -> [u8; N] {
    std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).expect("hex"))
}

// proves: RPK-05
#[test]
fn the_exchange_is_that_of_rfc_5903_and_points_are_checked() {
    // RFC 5903 section 8.1.
    let i = hex("c88f01f510d9ac3f70a292daa2316de544e9aab8afe84049c62a9c57862d1433");
    let gr: [u8; 65] = hex(concat!(
        "04d12dfb5289c8d4f81208b70270398c342296970a0bccb74c736fc7554494bf63",
        "56fbf3ca366cc23e8157854c13c58d6aac23f046ada30f8353e74f33039872ab",
    ));
    let own: [u8; 65] = hex(concat!(
        "04dad0b65394221cf9b051e1feca5787d098dfe637fc90b9ef945d0c3772581180",
        "5271a0461cdb8252d61f1c456fa3e59ab1f45b33accf5f58389e0577b8990bb3",
    ));
    let shared: [u8; 32] = hex("d6840f6b42f6edafd13116e0e12565202fef8e9ece7dce03812464d04b9442de");
    let pair = RustCrypto.key_exchange(&i).expect("a key");
    assert_eq!(pair.public_key(), own);
    assert_eq!(*pair.agree(&gr).expect("on the curve"), shared);

    type Case<'a> = &'a dyn Fn(&[u8]) -> Vec<u8>;
    let cases: [Case<'_>; 4] = [
        // Points off the curve, compressed, at infinity and too short.
        &|point| [&point[..64], &[point[64] ^ 1]].concat(),
        &|point| [&[2 + (point[64] & 1)], &point[1..33]].concat(),
        &|_| vec![0],
        &|point| point[..64].to_vec(),
    ];
    for case in cases {
        // After the hint and curve, or the identity: the point with its length.
        let at = |kind: u8| if kind == SERVER_KEY_EXCHANGE { 5 } else { 2 + IDENTITY.len() };
        for kind in [SERVER_KEY_EXCHANGE, CLIENT_KEY_EXCHANGE] {
            let (client, server) = altered(kind, &|body| {
                let point = case(&body[at(kind) + 1..]);
                body.truncate(at(kind));
                body.push(point.len() as u8);
                body.extend(point);
            });
            let alert = Some(Reason::PeerAlert(Alert::ILLEGAL_PARAMETER));
            let expected = match kind {
                SERVER_KEY_EXCHANGE => (Some(Reason::IllegalParameter), None),
                _ => (alert, Some(Reason::IllegalParameter)),
            };
            assert_eq!(client, expected.0);
            assert!(kind == SERVER_KEY_EXCHANGE || server == expected.1);
        }
    }
}
