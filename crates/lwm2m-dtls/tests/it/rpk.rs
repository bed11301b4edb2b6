//! Handshakes with raw public keys.

use crate::support::{
    Pair, connected, data, deliver, events, rpk, server_config, signing_key, spki, x509_profile,
    x509_store,
};
use lwm2m_dtls::certificate::CertificateUsage;
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
        [Event::Failed { mode: None::<Mode>, reason: Reason::NoCommonSuite, .. }]
    ));
}
