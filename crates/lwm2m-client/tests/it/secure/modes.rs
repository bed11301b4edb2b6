//! Each mode registers, and nobody but the right server gets that far.

use super::harness::{Harness, KEY, Known, account, certificate, config, data, psk, raw, spki};
use crate::harness::{TEXT, get};
use lwm2m_client::security::{CertificateUsage, CipherSuite, Matching};
use lwm2m_client::{Config, Event, RegistrationError, Security};
use lwm2m_coap::Code;
use lwm2m_dtls::{Alert, Identity, Reason};
use lwm2m_link as link;
use rustls_pki_types::CertificateDer;

/// Why the client does not register; nothing if it does.
fn refusal(config: Config, known: Known) -> Option<Reason> {
    let mut harness = Harness::with(config, known);
    harness.start();
    harness.run(100);
    assert_eq!(harness.is_registered(), !harness.heard.is_empty());
    harness.events.iter().find_map(|event| match event {
        Event::RegistrationFailed { reason: RegistrationError::Handshake(reason), .. } => {
            Some(reason.clone())
        }
        Event::RegistrationFailed { reason, .. } => panic!("{reason}"),
        _ => None,
    })
}

fn refused(security: Security, known: Known) -> Reason {
    refusal(config(security), known).expect("no registration")
}

#[test]
fn each_mode_registers_is_read_and_observed() {
    let is = |security: Security, right: &dyn Fn(&Identity) -> bool| {
        let mut harness = Harness::registered(security);
        let link::Identity::Secured(identity) = harness.identity().unwrap() else { panic!() };
        assert!(right(identity), "{identity:?}");
        let read = harness.ask(get("/3/0/0").accept(TEXT));
        assert_eq!((read.code, &read.payload[..]), (Code::CONTENT, &b"Open Mobile Alliance"[..]));
        let observed = harness.ask(get("/3303/0/5700").accept(TEXT).observe(0));
        assert!(observed.options.observe().is_some());
        harness.run(1_000);
        assert!(harness.is_registered());
        let first = harness.heard[0].0;
        assert!(harness.heard.len() > 3 && harness.heard.iter().all(|(peer, _)| *peer == first));
    };
    is(psk(), &|identity| *identity == Identity::Psk("device".into()));
    let own = spki(data!("client.key"));
    is(raw(), &|identity| *identity == Identity::RawPublicKey(own.clone().into()));
    let named = |identity: &Identity| match identity {
        Identity::Certificate(names) => names.common_name.as_deref() == Some("urn:dev:1"),
        _ => false,
    };
    is(certificate(data!("server.cert")), &named);
}

#[test]
fn pre_shared_keys_have_to_be_the_same() {
    let mut other = KEY.to_vec();
    other[3] ^= 1;
    let reason = refused(psk(), Known { key: other, ..Known::default() });
    assert!(
        matches!(reason, Reason::WrongKey | Reason::Unanswered { .. } | Reason::PeerAlert(_)),
        "{reason}"
    );
    let unknown = refused(Security::psk("nobody", KEY), Known::default());
    assert_eq!(unknown, Reason::PeerAlert(Alert::UNKNOWN_PSK_IDENTITY));
    let case = refused(Security::psk("Device", KEY), Known::default());
    assert_eq!(case, Reason::PeerAlert(Alert::UNKNOWN_PSK_IDENTITY));
}

#[test]
fn identities_and_keys_of_any_bytes_do() {
    let identity: &'static [u8] = &[0xff; 128];
    let known = Known { identities: vec![identity], key: vec![0; 64], ..Known::default() };
    assert_eq!(refusal(config(Security::psk(identity, &[0; 64])), known), None);
}

#[test]
fn raw_public_keys_have_to_be_the_stored_ones() {
    let mut other_server = raw();
    other_server.server_public_key = spki(data!("stranger.key")).into();
    assert_eq!(refused(other_server, Known::default()), Reason::UnknownPeerKey);
    let no_device = Known { devices: Vec::new(), ..Known::default() };
    assert!(matches!(refused(raw(), no_device), Reason::PeerAlert(_)));
}

/// What becomes of an account whose certificate has this meaning.
fn verdict(usage: CertificateUsage, server: &'static [u8], known: Known) -> Option<Reason> {
    let mut config = config(certificate(server).usage(usage));
    config.roots = vec![CertificateDer::from(data!("root.cert"))];
    refusal(config, known)
}

// proves: X509-05
#[test]
fn usages_0_and_1_ask_for_a_path_to_a_trusted_root() {
    let ca = |server| verdict(CertificateUsage::CaConstraint, server, Known::default());
    assert_eq!(ca(data!("root.cert")), None);
    assert_eq!(ca(data!("intermediate.cert")), None);
    assert_eq!(ca(data!("server.cert")), Some(Reason::UnknownAuthority));
    assert_eq!(ca(data!("other.cert")), Some(Reason::UnknownAuthority));
    let usage = CertificateUsage::ServiceCertificateConstraint;
    let service = |server| verdict(usage, server, Known::default());
    assert_eq!(service(data!("server.cert")), None);
    assert_eq!(service(data!("root.cert")), Some(Reason::UnknownPeerKey));
    assert_eq!(service(data!("client.cert")), Some(Reason::UnknownPeerKey));
    let alone = Known { chain: vec![data!("server.cert")], ..Known::default() };
    assert_eq!(verdict(usage, data!("server.cert"), alone), Some(Reason::UnknownAuthority));
    for usage in [CertificateUsage::CaConstraint, usage] {
        let mut untrusting = config(certificate(data!("server.cert")).usage(usage));
        untrusting.roots = vec![CertificateDer::from(data!("other.cert"))];
        assert_eq!(refusal(untrusting, Known::default()), Some(Reason::UnknownAuthority));
    }
}

// proves: X509-06
#[test]
fn usage_2_asks_for_a_path_to_the_given_anchor_alone() {
    let anchored = |server| {
        let security = certificate(server).usage(CertificateUsage::TrustAnchorAssertion);
        refusal(config(security), Known::default())
    };
    assert_eq!(anchored(data!("root.cert")), None);
    assert_eq!(anchored(data!("intermediate.cert")), None);
    assert_eq!(anchored(data!("server.cert")), Some(Reason::UnknownAuthority));
    assert_eq!(anchored(data!("other.cert")), Some(Reason::UnknownAuthority));
    // What the device trusts in general is not asked.
    let security = certificate(data!("other.cert")).usage(CertificateUsage::TrustAnchorAssertion);
    let mut rooted = config(security);
    rooted.roots = vec![CertificateDer::from(data!("root.cert"))];
    assert_eq!(refusal(rooted, Known::default()), Some(Reason::UnknownAuthority));
}

/// A certificate that the server's key has signed for itself.
fn reissued() -> &'static [u8] {
    let key = rcgen::KeyPair::try_from(data!("server.key")).unwrap();
    let names = ["server.example.com".to_owned()];
    let params = rcgen::CertificateParams::new(names).unwrap();
    params.self_signed(&key).unwrap().der().to_vec().leak()
}

// proves: X509-04
#[test]
fn usage_3_is_the_default_and_asks_for_the_very_certificate() {
    let pinned = |server| refusal(config(certificate(server)), Known::default());
    assert_eq!(pinned(data!("server.cert")), None);
    assert_eq!(pinned(data!("root.cert")), Some(Reason::UnknownPeerKey));
    // Another certificate of the same key will not do, unless it is the configured one.
    let own = reissued();
    let known = || Known { chain: vec![own], ..Known::default() };
    let other = refusal(config(certificate(data!("server.cert"))), known());
    assert_eq!(other, Some(Reason::UnknownPeerKey));
    assert_eq!(refusal(config(certificate(own)), known()), None);
}

#[test]
fn hashes_of_the_certificate_are_compared_by_the_matching_type() {
    use sha2::{Digest, Sha256};
    let hashed = |hash: Vec<u8>| {
        let mut security = certificate(b"").matching(Matching::Sha256);
        security.server_public_key = hash.into();
        refusal(config(security), Known::default())
    };
    assert_eq!(hashed(Sha256::digest(data!("server.cert")).to_vec()), None);
    assert_eq!(hashed(vec![0; 32]), Some(Reason::UnknownPeerKey));
}

#[test]
fn an_expired_certificate_is_told() {
    let mut too_late =
        config(certificate(data!("root.cert")).usage(CertificateUsage::TrustAnchorAssertion));
    too_late.dtls.unix_time_of_origin = core::time::Duration::from_secs(6_000_000_000);
    assert_eq!(refusal(too_late, Known::default()), Some(Reason::CertificateExpired));
    let expired =
        Security::certificate(data!("short.cert"), data!("short.key"), data!("server.cert"));
    let alert = Reason::PeerAlert(Alert::CERTIFICATE_EXPIRED);
    assert_eq!(refused(expired, Known::default()), alert);
}

#[test]
fn the_name_of_the_server_is_verified() {
    let at = |uri: &str, sni: Option<&str>| {
        let security =
            certificate(data!("root.cert")).usage(CertificateUsage::TrustAnchorAssertion);
        let mut account = account(security);
        (account.uri, account.security.sni) = (uri.into(), sni.map(Into::into));
        let mut named = Config::new("device").server(account);
        named.dtls = config(psk()).dtls;
        refusal(named, Known::default())
    };
    assert_eq!(at("coaps://server.example.com", None), None);
    assert_eq!(at("coaps://server-fail.example.com", None), Some(Reason::NameMismatch));
    assert_eq!(at("coaps://server-fail.example.com", Some("server.example.com")), None);
    assert_eq!(
        at("coaps://192.0.2.1", Some("server-fail.example.com")),
        Some(Reason::NameMismatch)
    );
}

/// The first ClientHello.
fn hello(uri: &str, security: Security) -> Vec<u8> {
    let mut account = account(security);
    account.uri = uri.into();
    let mut harness = Harness::with(Config::new("device").server(account), Known::default());
    harness.sim.with(harness.client, |it, now| it.start(now));
    harness.take().expect("a ClientHello").payload.to_vec()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

// proves: SEC-27
#[test]
fn sni_is_the_name_of_the_server() {
    /// Extension 0 with one name of type 0.
    fn extension(name: &str) -> Vec<u8> {
        let length = u8::try_from(name.len()).unwrap();
        let mut bytes = vec![0, 0, 0, length + 5, 0, length + 3, 0, 0, length];
        bytes.extend(name.as_bytes());
        bytes
    }
    let name = extension("server.example.com");
    assert!(contains(&hello("coaps://server.example.com", psk()), &name));
    assert!(contains(&hello("coaps://server.example.com:5784", psk()), &name));
    assert!(!contains(&hello("coaps://192.0.2.1", psk()), b"192.0.2.1"));
    assert!(!contains(&hello("coaps://[2001:db8::1]", psk()), b"2001"));
    assert!(contains(&hello("coaps://192.0.2.1", psk().sni("h")), &extension("h")));
    let other = hello("coaps://server.example.com", psk().sni("h"));
    assert!(contains(&other, &extension("h")) && !contains(&other, &name));
}

// proves: SEC-28
#[test]
fn exactly_the_suites_of_the_account_are_offered() {
    // The list of suites stands between an empty cookie and the compression methods.
    let only = hello("coaps://192.0.2.1", psk().suites([CipherSuite(49_320)]));
    assert!(contains(&only, &[0, 0, 4, 0xc0, 0xa8, 0x00, 0xff, 1, 0]));
    let two = psk().suites([CipherSuite(0x00ae), CipherSuite(49_320)]);
    let two = hello("coaps://192.0.2.1", two);
    assert!(contains(&two, &[0, 0, 6, 0x00, 0xae, 0xc0, 0xa8, 0x00, 0xff, 1, 0]));
    let usual = hello("coaps://192.0.2.1", psk());
    assert!(contains(&usual, &[0xc0, 0xa8]) && !contains(&usual, &[0x00, 0xae]));
}
