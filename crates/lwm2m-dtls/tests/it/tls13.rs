//! TLS 1.3 on streams: with itself, with peers that it must refuse, with OpenSSL and GnuTLS.

use crate::interop_stream::{against_client, against_server};
use crate::protocol::Log;
use crate::stream::{Connection, identity};
use crate::support::{
    KEY, SERVER, address, at_a_good_time, certified, data, events, psk_config, psk_profile,
    received, rpk, server_config, signing_key, spki, x509_profile, x509_store,
};
use lwm2m_dtls::certificate::CertificateUsage;
use lwm2m_dtls::{
    Alert, Cause, CertifiedKey, CipherSuite, ClientProfile, ClientSecurity, Config, Endpoint,
    Error, Event, Reason, Unsupported,
};
use lwm2m_time::Instant;
use std::sync::Arc;

const NOW: Instant = Instant::ZERO;
/// TLS_AES_128_GCM_SHA256.
const SUITE: CipherSuite = CipherSuite(0x1301);
/// The end of the random value of a server that supports 1.3 and agrees on 1.2.
const DOWNGRADE: &[u8] = b"DOWNGRD\x01";

pub(crate) fn x509() -> (Config, ClientProfile) {
    let profile = x509_profile(CertificateUsage::TrustAnchorAssertion, data!("root.cert"));
    (at_a_good_time(server_config(x509_store())), profile)
}

fn modes() -> [(Config, ClientProfile); 2] {
    let (profile, store) = rpk();
    [x509(), (at_a_good_time(server_config(store)), profile)]
}

pub(crate) fn client() -> Config {
    at_a_good_time(Config::default())
}

pub(crate) fn by_1_3(mut profile: ClientProfile) -> ClientProfile {
    profile.tls13 = true;
    profile
}

/// The reasons of server and client.
pub(crate) fn reasons(server: Config, profile: ClientProfile) -> (Option<Reason>, Option<Alert>) {
    let mut connection = Connection::new(client(), server, profile);
    connection.settle();
    let failed = events(&mut connection.server.0).into_iter().find_map(|event| match event {
        Event::Failed { reason, .. } => Some(reason),
        _ => None,
    });
    let told = events(&mut connection.client.0).into_iter().find_map(|event| match event {
        Event::Failed { reason, .. } => reason.alert(),
        Event::Closed { cause: Cause::Alert(alert), .. } => Some(alert),
        _ => None,
    });
    (failed, told)
}

#[test]
pub(crate) fn both_modes_in_pieces_of_any_length() {
    for (config, profile) in modes() {
        let mut older = Connection::new(client(), config.clone(), profile.clone());
        older.settle();
        let (known, seen) = (identity(&mut older.server.0), identity(&mut older.client.0));
        for cut in [1, 7, 100, 100_000] {
            let mut connection = Connection::new(client(), config.clone(), by_1_3(profile.clone()));
            connection.cut = cut;
            connection.settle();
            let told = events(&mut connection.server.0);
            let [Event::Connected { identity: met, suite: SUITE, .. }] = told.as_slice() else {
                panic!("{told:?}");
            };
            assert_eq!(*met, known);
            assert_eq!(identity(&mut connection.client.0), seen);
            let long = vec![7; 40_000];
            connection.client.0.send(NOW, connection.client.1, b"up").expect("established");
            connection.server.0.send(NOW, connection.server.1, &long).expect("established");
            connection.settle();
            assert_eq!(received(&mut connection.server.0), [b"up"]);
            assert_eq!(received(&mut connection.client.0).concat(), long);
            connection.client.0.close(connection.client.1).expect("established");
            connection.settle();
            let told = events(&mut connection.server.0);
            assert!(matches!(told[..], [Event::Closed { cause: Cause::ByPeer, .. }]), "{told:?}");
            assert_eq!(connection.server.0.session_count(), 0);
        }
    }
}

#[test]
pub(crate) fn a_client_of_1_2_gets_1_2_with_the_mark_of_a_server_that_has_more() {
    for (config, profile) in modes() {
        for (has_1_3, cached) in [(true, 0), (false, 0), (true, 100)] {
            let mut config = config.clone();
            (config.tls13, config.session_cache) = (has_1_3, cached);
            let mut hello = Vec::new();
            let mut connection = Connection::new(client(), config, profile.clone());
            connection.carry(|to_server, bytes| {
                if !to_server && hello.is_empty() && !bytes.is_empty() {
                    // After the headers of record and message and the version.
                    hello = bytes[11..43].to_vec();
                }
            });
            let told = events(&mut connection.server.0);
            assert!(
                matches!(told[..], [Event::Connected { suite, .. }] if suite != SUITE),
                "{told:?}"
            );
            assert_eq!(hello.ends_with(DOWNGRADE), has_1_3);
        }
    }
    // With a pre-shared key there is no higher version to fall back from.
    let mut hello = Vec::new();
    let mut connection = Connection::new(client(), psk_config(), psk_profile(KEY));
    connection.carry(|to_server, bytes| {
        if !to_server && hello.is_empty() {
            hello.clone_from(bytes);
        }
    });
    assert!(!hello.windows(DOWNGRADE.len()).any(|bytes| bytes == DOWNGRADE));
}

#[test]
pub(crate) fn a_client_that_comes_back_with_less_is_refused_by_who_has_more() {
    // RFC 7507: the signal of a client that falls back to 1.2.
    let suites = vec![CipherSuite::ECDHE_ECDSA_WITH_AES_128_CCM_8, CipherSuite(0x5600)];
    for (mut config, mut profile) in modes() {
        profile.suites.clone_from(&suites);
        let (failed, told) = reasons(config.clone(), profile.clone());
        assert_eq!(failed, Some(Reason::InappropriateFallback));
        assert_eq!(told, Some(Alert::INAPPROPRIATE_FALLBACK));
        config.tls13 = false;
        assert_eq!(reasons(config, profile), (None, None), "1.2 is all that the server has");
    }
}

#[test]
pub(crate) fn a_server_without_1_3_refuses_who_has_no_other() {
    for (mut config, profile) in modes() {
        config.tls13 = false;
        let (failed, told) = reasons(config, by_1_3(profile));
        assert_eq!(failed, Some(Reason::OnlyNewerVersion));
        assert_eq!(told, Some(Alert::PROTOCOL_VERSION));
    }
    let (failed, told) = reasons(psk_config(), by_1_3(x509().1));
    assert_eq!(failed, Some(Reason::OnlyNewerVersion));
    assert_eq!(told, Some(Alert::PROTOCOL_VERSION));
}

#[test]
pub(crate) fn pre_shared_keys_have_no_1_3() {
    let mut endpoint = Endpoint::new(Config::default(), [1; 32]);
    let profile = Arc::new(by_1_3(psk_profile(KEY)));
    let refused = endpoint.connect_stream(NOW, address(SERVER), profile, None);
    assert_eq!(refused, Err(Error::Unsupported(Unsupported::Tls13)));
}

#[test]
pub(crate) fn a_client_that_is_not_trusted_is_told_why() {
    let stranger = certified(&[data!("stranger.cert")], data!("stranger.key"));
    let short = certified(&[data!("short.cert")], data!("short.key"));
    let cases = [
        (stranger, Reason::UnknownAuthority, Alert::UNKNOWN_CA),
        (short, Reason::CertificateExpired, Alert::CERTIFICATE_EXPIRED),
    ];
    for (own, reason, alert) in cases {
        let (config, mut profile) = x509();
        let ClientSecurity::Certificate { certified, .. } = &mut profile.security else {
            unreachable!("a certificate");
        };
        *certified = own;
        assert_eq!(reasons(config, by_1_3(profile)), (Some(reason), Some(alert)));
    }
    let (profile, mut store) = rpk();
    store.trusted = vec![spki(&signing_key(data!("other.key")))];
    let (failed, told) = reasons(server_config(store), by_1_3(profile));
    assert_eq!(failed, Some(Reason::UnknownPeerKey));
    assert_eq!(told, Some(Alert::CERTIFICATE_UNKNOWN));
}

#[test]
pub(crate) fn a_server_that_is_not_trusted_is_told_why() {
    let mut cases = Vec::new();
    let (config, mut profile) = x509();
    profile.server_name = Some("another.example.com".into());
    cases.push((config, profile, Reason::NameMismatch));
    let stranger = x509_profile(CertificateUsage::TrustAnchorAssertion, data!("stranger.cert"));
    cases.push((x509().0, stranger, Reason::UnknownAuthority));
    let other = x509_profile(CertificateUsage::DomainIssued, data!("other.cert"));
    cases.push((x509().0, other, Reason::UnknownPeerKey));
    let (mut profile, store) = rpk();
    let ClientSecurity::RawPublicKey { server, .. } = &mut profile.security else {
        unreachable!("a raw public key");
    };
    *server = spki(&signing_key(data!("other.key"))).into();
    cases.push((server_config(store), profile, Reason::UnknownPeerKey));
    for (config, profile, expected) in cases {
        let mut connection = Connection::new(client(), config, by_1_3(profile));
        connection.settle();
        let alert = expected.alert().expect("one");
        match events(&mut connection.client.0).as_slice() {
            [Event::Failed { reason, .. }] => assert_eq!(*reason, expected),
            other => panic!("{other:?}"),
        }
        match events(&mut connection.server.0).as_slice() {
            [Event::Failed { reason, .. }] => assert_eq!(*reason, Reason::PeerAlert(alert)),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
pub(crate) fn another_protocol_is_refused() {
    let (mut config, profile) = x509();
    config.application_protocol = Some("coap".into());
    let mut ours = client();
    ours.application_protocol = Some("h2".into());
    let mut connection = Connection::new(ours, config, by_1_3(profile));
    connection.settle();
    let told = events(&mut connection.client.0);
    let [Event::Failed { reason, .. }] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(*reason, Reason::PeerAlert(Alert::NO_APPLICATION_PROTOCOL));
}

#[test]
pub(crate) fn a_byte_altered_anywhere_ends_the_connection() {
    let (config, profile) = x509();
    let run = |at: usize, to_server_wanted: bool| {
        let mut count = 0;
        let mut connection = Connection::new(client(), config.clone(), by_1_3(profile.clone()));
        connection.carry(|to_server, bytes| {
            if to_server == to_server_wanted {
                if let Some(byte) = at.checked_sub(count).and_then(|it| bytes.get_mut(it)) {
                    *byte ^= 0x40;
                }
                count += bytes.len();
            }
        });
        let server = &mut connection.server.0;
        let unharmed = events(server).iter().any(|it| matches!(it, Event::Connected { .. }));
        (unharmed, count)
    };
    for to_server in [true, false] {
        let (connected, length) = run(usize::MAX, to_server);
        assert!(connected);
        // Only the version of the first record is not checked.
        let ignored = 1..=2;
        for at in (0..length).filter(|at| !ignored.contains(at)).step_by(11) {
            assert!(!run(at, to_server).0, "{to_server} {at} of {length}");
        }
    }
}

/// A chain with 60 KiB after the certificate.
fn endless(own: &CertifiedKey) -> Arc<CertifiedKey> {
    let junk = vec![0x30; 60 << 10];
    let chain = [own.chain.first().expect("one").to_vec(), junk];
    let chain = chain.map(Into::into).to_vec();
    Arc::new(CertifiedKey { chain, key: Arc::clone(&own.key) })
}

#[test]
pub(crate) fn a_message_without_an_end_is_not_waited_for() {
    for to_server in [true, false] {
        let (mut config, mut profile) = x509();
        let mut store = x509_store();
        match &mut profile.security {
            ClientSecurity::Certificate { certified, .. } if to_server => {
                *certified = endless(certified);
            }
            _ => store.certificate = store.certificate.as_deref().map(endless),
        }
        config.credentials = Some(Arc::new(store));
        let mut connection = Connection::new(client(), config, by_1_3(profile));
        connection.cut = 1 << 10;
        let mut room = 44 << 10;
        connection.carry(|up, bytes| {
            if up == to_server {
                bytes.truncate(room);
                room -= bytes.len();
            }
        });
        let endpoint = if to_server { &mut connection.server.0 } else { &mut connection.client.0 };
        match events(endpoint).as_slice() {
            [Event::Failed { reason: Reason::Malformed, .. }] => {}
            other => panic!("{to_server}: {other:?}"),
        }
    }
}

#[test]
pub(crate) fn both_sides_log_the_same_secrets() {
    let (ours, theirs) = (Arc::new(Log::default()), Arc::new(Log::default()));
    let (mut config, profile) = x509();
    config.key_log = Some(theirs.clone());
    let mut own = client();
    own.key_log = Some(ours.clone());
    Connection::new(own, config, by_1_3(profile)).settle();
    let mut logs = [ours, theirs].map(|log| log.0.lock().expect("no panic").clone());
    logs.iter_mut().for_each(|log| log.sort());
    let [ours, theirs] = logs;
    assert!(ours.iter().any(|(label, ..)| label == "SERVER_TRAFFIC_SECRET_0"), "{ours:?}");
    assert_eq!(ours, theirs);
}

#[test]
pub(crate) fn certificates_with_the_server_of_openssl() {
    let arguments = "s_server -tls1_3 -accept 127.0.0.1:PORT -cert server.cert.pem \
                     -key server.key.pem -cert_chain intermediate.cert.pem -CAfile root.cert.pem \
                     -Verify 2 -verify_return_error -alpn coap";
    against_server("openssl", arguments, by_1_3(x509().1), SUITE);
}

#[test]
pub(crate) fn certificates_with_the_client_of_openssl() {
    // The first run forces the version, the second negotiates it.
    for version in ["-tls1_3", "-alpn coap"] {
        let arguments = format!(
            "s_client {version} -connect 127.0.0.1:PORT -cert client.cert.pem \
             -key client.key.pem -CAfile root.cert.pem -verify_return_error \
             -servername server.example.com -verify_hostname server.example.com -quiet"
        );
        against_client("openssl", &arguments, x509().0);
    }
}

const RAW: &str = "--priority NORMAL:-VERS-ALL:+VERS-TLS1.3:-CTYPE-ALL:+CTYPE-CLI-RAWPK:\
                   +CTYPE-SRV-RAWPK";

#[test]
pub(crate) fn raw_public_keys_with_the_server_of_gnutls() {
    let arguments = format!(
        "--port PORT --echo --rawpkkeyfile server.key.pem --rawpkfile server.pub.pem {RAW}"
    );
    against_server("gnutls-serv", &arguments, by_1_3(rpk().0), SUITE);
}

#[test]
pub(crate) fn raw_public_keys_with_the_client_of_gnutls() {
    let arguments = format!(
        "--port PORT 127.0.0.1 --insecure --rawpkkeyfile client.key.pem \
         --rawpkfile client.pub.pem {RAW}"
    );
    against_client("gnutls-cli", &arguments, server_config(rpk().1));
}
