//! Handshakes with certificates: who trusts whom.

use crate::support::{
    Pair, Store, at_a_good_time, certified, data, deliver, events, server_config, x509_profile,
    x509_profile_with, x509_store,
};
use lwm2m_dtls::certificate::{CertificateUsage, Matching};
use lwm2m_dtls::{ClientProfile, ClientSecurity, Config, Event, Identity, Reason};
use sha2::{Digest, Sha256, Sha384, Sha512};

const SERVER: &[u8] = data!("server.cert");
const INTERMEDIATE: &[u8] = data!("intermediate.cert");
const ROOT: &[u8] = data!("root.cert");
const OTHER: &[u8] = data!("other.cert");

/// Why client and server fail; nothing where they connect.
fn outcome(profile: ClientProfile, store: Store) -> (Option<Reason>, Option<Reason>) {
    let (client, server) = (Config::default(), server_config(store));
    let mut pair = Pair::new(at_a_good_time(client), at_a_good_time(server));
    pair.connect(profile);
    pair.run(&mut deliver);
    let reason = |events: Vec<Event>| match events.as_slice() {
        [Event::Connected { .. }] => None,
        [Event::Failed { reason, .. }] => Some(reason.clone()),
        other => panic!("{other:?}"),
    };
    (reason(events(&mut pair.client)), reason(events(&mut pair.server)))
}

fn client_says(usage: CertificateUsage, data: &[u8]) -> Option<Reason> {
    outcome(x509_profile(usage, data), x509_store()).0
}

#[test]
fn the_subject_of_the_client_is_its_identity() {
    let (client, server) = (Config::default(), server_config(x509_store()));
    let mut pair = Pair::new(at_a_good_time(client), at_a_good_time(server));
    pair.connect(x509_profile(CertificateUsage::DomainIssued, SERVER));
    pair.settle();
    match events(&mut pair.server).as_slice() {
        [Event::Connected { identity: Identity::Certificate(identity), .. }] => {
            assert_eq!(identity.common_name.as_deref(), Some("urn:dev:1"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn clients_that_the_server_does_not_trust() {
    let with = |chain: &'static [u8], key: &[u8]| {
        let mut profile = x509_profile(CertificateUsage::DomainIssued, SERVER);
        if let ClientSecurity::Certificate { certified: own, .. } = &mut profile.security {
            *own = certified(&[chain], key);
        }
        outcome(profile, x509_store()).1
    };
    assert_eq!(with(data!("client.cert"), data!("client.key")), None);
    let expired = with(data!("short.cert"), data!("short.key"));
    assert_eq!(expired, Some(Reason::CertificateExpired));
    let stranger = with(data!("stranger.cert"), data!("stranger.key"));
    assert_eq!(stranger, Some(Reason::UnknownAuthority));
    let not_its_key = with(data!("client.cert"), data!("stranger.key"));
    assert_eq!(not_its_key, Some(Reason::BadSignature));
}

// proves: X509-03
#[test]
fn the_name_must_match_unless_the_certificate_is_pinned() {
    let named = |usage, data: &[u8]| {
        let mut profile = x509_profile(usage, data);
        profile.server_name = Some("server-fail.example.com".into());
        outcome(profile, x509_store()).0
    };
    let trusted = client_says(CertificateUsage::TrustAnchorAssertion, ROOT);
    assert_eq!(trusted, None);
    let failed = named(CertificateUsage::TrustAnchorAssertion, ROOT);
    assert_eq!(failed, Some(Reason::NameMismatch));
    assert_eq!(named(CertificateUsage::DomainIssued, SERVER), None);
}

#[test]
fn usage_3_wants_the_very_certificate() {
    assert_eq!(client_says(CertificateUsage::DomainIssued, SERVER), None);
    let root = client_says(CertificateUsage::DomainIssued, ROOT);
    assert_eq!(root, Some(Reason::UnknownPeerKey));
}

#[test]
fn usages_0_and_1_want_a_path_and_their_certificate_in_it() {
    let ca = CertificateUsage::CaConstraint;
    assert_eq!(client_says(ca, ROOT), None);
    assert_eq!(client_says(ca, INTERMEDIATE), None);
    assert_eq!(client_says(ca, SERVER), Some(Reason::UnknownAuthority));
    assert_eq!(client_says(ca, OTHER), Some(Reason::UnknownAuthority));
    let service = CertificateUsage::ServiceCertificateConstraint;
    assert_eq!(client_says(service, SERVER), None);
    assert_eq!(client_says(service, ROOT), Some(Reason::UnknownPeerKey));
    let mut store = x509_store();
    store.certificate = Some(certified(&[SERVER], data!("server.key")));
    let no_intermediate = outcome(x509_profile(service, SERVER), store).0;
    assert_eq!(no_intermediate, Some(Reason::UnknownAuthority));
}

#[test]
fn usage_2_wants_a_path_to_its_certificate_only() {
    let anchor = CertificateUsage::TrustAnchorAssertion;
    assert_eq!(client_says(anchor, ROOT), None);
    assert_eq!(client_says(anchor, INTERMEDIATE), None);
    assert_eq!(client_says(anchor, SERVER), Some(Reason::UnknownAuthority));
    assert_eq!(client_says(anchor, OTHER), Some(Reason::UnknownAuthority));
}

// proves: X509-07
#[test]
fn hashes_stand_for_the_certificate() {
    let says = |matching, data: &[u8]| {
        let profile = x509_profile_with(CertificateUsage::DomainIssued, matching, data);
        outcome(profile, x509_store()).0
    };
    let right: [(Matching, Vec<u8>); 4] = [
        (Matching::Exact, SERVER.to_vec()),
        (Matching::Sha256, Sha256::digest(SERVER).to_vec()),
        (Matching::Sha384, Sha384::digest(SERVER).to_vec()),
        (Matching::Sha512, Sha512::digest(SERVER).to_vec()),
    ];
    for (matching, data) in right {
        assert_eq!(says(matching, &data), None);
        let mut wrong = data.clone();
        wrong[5] ^= 1;
        assert_eq!(says(matching, &wrong), Some(Reason::UnknownPeerKey));
        assert_eq!(says(matching, &data[1..]), Some(Reason::UnknownPeerKey));
    }
}
