//! Handshakes with certificates, and which are trusted.

use crate::reference::{
    CERTIFICATE, HANDSHAKE, Hello, Seen, message, messages, number, record, records, vector,
};
use crate::support::{
    Pair, Store, at_a_good_time, backends, certified, connected, data, deliver, events,
    server_config, signing_key, x509_profile, x509_profile_with, x509_store,
};
use lwm2m_dtls::certificate::{CertificateUsage, Matching};
use lwm2m_dtls::{
    Alert, Backend, CertifiedKey, ClientProfile, ClientSecurity, Config, Credentials, Event,
    Identity, Reason,
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256, Sha384, Sha512};
use std::sync::Arc;

const SERVER: &[u8] = data!("server.cert");
const INTERMEDIATE: &[u8] = data!("intermediate.cert");
const ROOT: &[u8] = data!("root.cert");
const OTHER: &[u8] = data!("other.cert");

/// Why client and server fail; `None` if they connect.
pub(crate) fn outcome(profile: ClientProfile, store: Store) -> (Option<Reason>, Option<Reason>) {
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
pub(crate) fn the_subject_of_the_client_is_its_identity() {
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

/// Why the server refuses a client with this chain and key, and the alert that it sends.
fn refused(chain: &[u8], key: &[u8]) -> Option<(Reason, Alert)> {
    let mut profile = x509_profile(CertificateUsage::DomainIssued, SERVER);
    if let ClientSecurity::Certificate { certified: own, .. } = &mut profile.security {
        *own = certified(&[chain], key);
    }
    match outcome(profile, x509_store()) {
        (Some(Reason::PeerAlert(alert)), Some(reason)) => Some((reason, alert)),
        (None, None) => None,
        other => panic!("{other:?}"),
    }
}

// proves: X509-01
#[test]
pub(crate) fn clients_that_the_server_does_not_trust() {
    assert_eq!(refused(data!("client.cert"), data!("client.key")), None);
    let expired = refused(data!("short.cert"), data!("short.key"));
    assert_eq!(expired, Some((Reason::CertificateExpired, Alert::CERTIFICATE_EXPIRED)));
    let stranger = refused(data!("stranger.cert"), data!("stranger.key"));
    assert_eq!(stranger, Some((Reason::UnknownAuthority, Alert::UNKNOWN_CA)));
    // Issued by an authority of the same name with another key.
    let mut altered = data!("client.cert").to_vec();
    *altered.last_mut().expect("bytes of the signature") ^= 1;
    let altered = refused(&altered, data!("client.key"));
    assert_eq!(altered, Some((Reason::UnknownAuthority, Alert::UNKNOWN_CA)));
    let self_signed = refused(OTHER, data!("other.key"));
    assert!(matches!(self_signed, Some((_, Alert::UNKNOWN_CA | Alert::BAD_CERTIFICATE))));
    let not_its_key = refused(data!("client.cert"), data!("stranger.key"));
    assert_eq!(not_its_key, Some((Reason::BadSignature, Alert::DECRYPT_ERROR)));

    // Without any certificate: an empty list.
    let (client, server) = (Config::default(), server_config(x509_store()));
    let mut pair = Pair::new(at_a_good_time(client), at_a_good_time(server));
    pair.connect(x509_profile(CertificateUsage::DomainIssued, SERVER));
    pair.exchange(&mut |up, datagram| {
        let rewritten = records(datagram).into_iter().map(|mut it| {
            if up && it.epoch == 0 && it.body[0] == CERTIFICATE {
                let sequence = u16::from_be_bytes([it.body[4], it.body[5]]);
                it.body = message(CERTIFICATE, sequence, &[0; 3]);
            }
            record(it.content, it.epoch, it.sequence, &it.body)
        });
        vec![rewritten.collect::<Vec<_>>().concat()]
    });
    let reason = |events: Vec<Event>| match events.as_slice() {
        [Event::Failed { reason, .. }] => reason.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(reason(events(&mut pair.server)), Reason::NoCertificate);
    let told = Reason::PeerAlert(Alert::HANDSHAKE_FAILURE);
    assert_eq!(reason(events(&mut pair.client)), told);
}

// proves: X509-03
#[test]
pub(crate) fn the_name_must_match_unless_the_certificate_is_pinned() {
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

/// A self-signed certificate for the key.
fn self_signed(key: &KeyPair, serial: u64) -> Vec<u8> {
    let mut parameters = CertificateParams::new(vec!["elsewhere.example".into()]).expect("a name");
    parameters.serial_number = Some(serial.into());
    parameters.self_signed(key).expect("a certificate").der().to_vec()
}

// proves: X509-04
#[test]
pub(crate) fn usage_3_wants_the_very_certificate() {
    let usage = CertificateUsage::DomainIssued;
    assert_eq!(client_says(usage, SERVER), None);
    for other in [ROOT, INTERMEDIATE, OTHER] {
        assert_eq!(client_says(usage, other), Some(Reason::UnknownPeerKey));
    }
    let key = KeyPair::generate().expect("a key");
    let (pinned, issued_anew) = (self_signed(&key, 1), self_signed(&key, 2));
    for (shown, expected) in [(&pinned, None), (&issued_anew, Some(Reason::UnknownPeerKey))] {
        let mut store = x509_store();
        let chain = vec![CertificateDer::from(shown.clone())];
        let key = signing_key(&key.serialize_der());
        store.certificate = Some(Arc::new(CertifiedKey { chain, key }));
        assert_eq!(outcome(x509_profile(usage, &pinned), store).0, expected);
    }
}

/// A profile that trusts these roots.
fn with_roots(usage: CertificateUsage, data: &[u8], roots: &[&'static [u8]]) -> ClientProfile {
    let mut profile = x509_profile(usage, data);
    if let ClientSecurity::Certificate { verification, .. } = &mut profile.security {
        let mut own = (**verification).clone();
        own.roots = roots.iter().map(|root| CertificateDer::from(*root)).collect();
        *verification = Arc::new(own);
    }
    profile
}

// proves: X509-05
#[test]
pub(crate) fn usages_0_and_1_want_a_path_and_their_certificate_in_it() {
    let ca = CertificateUsage::CaConstraint;
    assert_eq!(client_says(ca, ROOT), None);
    assert_eq!(client_says(ca, INTERMEDIATE), None);
    assert_eq!(client_says(ca, SERVER), Some(Reason::UnknownAuthority));
    assert_eq!(client_says(ca, OTHER), Some(Reason::UnknownAuthority));
    let service = CertificateUsage::ServiceCertificateConstraint;
    assert_eq!(client_says(service, SERVER), None);
    for other in [ROOT, INTERMEDIATE, data!("client.cert")] {
        assert_eq!(client_says(service, other), Some(Reason::UnknownPeerKey));
    }
    for (usage, data) in [(ca, ROOT), (ca, INTERMEDIATE), (service, SERVER)] {
        for roots in [&[][..], &[OTHER]] {
            let untrusted = outcome(with_roots(usage, data, roots), x509_store()).0;
            assert_eq!(untrusted, Some(Reason::UnknownAuthority));
        }
        let mut store = x509_store();
        store.certificate = Some(certified(&[SERVER], data!("server.key")));
        let no_intermediate = outcome(x509_profile(usage, data), store).0;
        assert_eq!(no_intermediate, Some(Reason::UnknownAuthority));
    }
}

// proves: X509-06
#[test]
pub(crate) fn usage_2_wants_a_path_to_its_certificate_only() {
    let anchor = CertificateUsage::TrustAnchorAssertion;
    for roots in [&[][..], &[OTHER], &[ROOT]] {
        let says = |data: &[u8]| outcome(with_roots(anchor, data, roots), x509_store()).0;
        assert_eq!(says(ROOT), None);
        assert_eq!(says(INTERMEDIATE), None);
        assert_eq!(says(SERVER), Some(Reason::UnknownAuthority));
        assert_eq!(says(OTHER), Some(Reason::UnknownAuthority));
    }
}

#[test]
pub(crate) fn without_a_name_only_the_configured_certificate_is_taken() {
    let nameless = |usage, data: &[u8]| {
        let mut profile = x509_profile(usage, data);
        profile.server_name = None;
        outcome(profile, x509_store()).0
    };
    for (usage, data) in [
        (CertificateUsage::TrustAnchorAssertion, ROOT),
        (CertificateUsage::CaConstraint, INTERMEDIATE),
    ] {
        assert_eq!(nameless(usage, data), Some(Reason::NameMismatch));
    }
    assert_eq!(nameless(CertificateUsage::ServiceCertificateConstraint, SERVER), None);
    assert_eq!(nameless(CertificateUsage::DomainIssued, SERVER), None);
}

/// An authority, and a certificate that it has issued for a subject alternative name.
fn issue(name: &str) -> (Vec<u8>, Arc<CertifiedKey>) {
    let ca_key = KeyPair::generate().expect("a key");
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = parameters.self_signed(&ca_key).expect("a root").der().to_vec();
    let issuer = Issuer::new(parameters, ca_key);
    let key = KeyPair::generate().expect("a key");
    let leaf = CertificateParams::new(vec![name.into()]).expect("a name");
    let leaf = leaf.signed_by(&key, &issuer).expect("a certificate").der().clone();
    let key = signing_key(&key.serialize_der());
    (root, Arc::new(CertifiedKey { chain: vec![leaf], key }))
}

#[test]
pub(crate) fn an_address_is_a_name_that_is_checked_but_not_sent() {
    for (of_certificate, of_uri, expected) in [
        ("192.0.2.2", "192.0.2.2", None),
        ("2001:db8::2", "2001:db8::2", None),
        ("192.0.2.2", "192.0.2.3", Some(Reason::NameMismatch)),
        ("server.example.com", "192.0.2.2", Some(Reason::NameMismatch)),
    ] {
        let (root, certified) = issue(of_certificate);
        let mut store = x509_store();
        store.certificate = Some(certified);
        let mut profile = x509_profile(CertificateUsage::TrustAnchorAssertion, &root);
        profile.server_name = Some(of_uri.into());
        let mut pair =
            Pair::new(at_a_good_time(Config::default()), at_a_good_time(server_config(store)));
        pair.connect(profile);
        let hello = pair.client.poll_transmit().expect("a hello").payload;
        assert_eq!(Hello::parse(&messages(&hello)[0].2).extension(0), None);
        pair.server.handle_datagram(pair.now, pair.client_address, &hello);
        pair.run(&mut deliver);
        let reason = events(&mut pair.client).into_iter().find_map(|event| match event {
            Event::Failed { reason, .. } => Some(reason),
            _ => None,
        });
        assert_eq!(reason, expected, "{of_certificate} for {of_uri}");
    }
}

/// Two servers at one address.
struct Virtual(Arc<CertifiedKey>, Arc<CertifiedKey>);

impl Credentials for Virtual {
    fn certificate(&self, server_name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let second = server_name == Some("virtualhost.org");
        Some(if second { &self.1 } else { &self.0 }.clone())
    }
    fn client_authorities(&self) -> &[CertificateDer<'static>] {
        static ROOTS: std::sync::LazyLock<[CertificateDer<'static>; 1]> =
            std::sync::LazyLock::new(|| [CertificateDer::from(ROOT)]);
        &*ROOTS
    }
}

// proves: X509-08
#[test]
pub(crate) fn chains_come_leaf_first_and_the_name_chooses_among_them() {
    let chain = [SERVER, INTERMEDIATE, ROOT];
    let first = certified(&chain, data!("server.key"));
    let (root, second) = issue("virtualhost.org");
    let mut both = (*second).clone();
    both.chain.push(CertificateDer::from(root.clone()));
    let mut config = at_a_good_time(Config::default());
    config.credentials = Some(Arc::new(Virtual(first.clone(), Arc::new(both.clone()))));
    for (name, anchor, expected) in
        [("server.example.com", ROOT, &first.chain), ("virtualhost.org", &root, &both.chain)]
    {
        let mut pair = Pair::new(at_a_good_time(Config::default()), config.clone());
        let mut profile = x509_profile(CertificateUsage::TrustAnchorAssertion, anchor);
        profile.server_name = Some(name.into());
        pair.connect(profile);
        let mut shown = Vec::new();
        pair.exchange(&mut |up, datagram| {
            let all = records(datagram);
            let body =
                |it: &Seen| (it.epoch == 0 && it.content == HANDSHAKE).then(|| it.body.clone());
            for body in all.iter().filter_map(body).filter(|body| !up && body[0] == CERTIFICATE) {
                let (offset, part) = (number(&body[6..9]) as usize, &body[12..]);
                shown.resize(number(&body[1..4]) as usize, 0);
                shown[offset..offset + part.len()].copy_from_slice(part);
            }
            deliver(up, datagram)
        });
        assert!(matches!(events(&mut pair.client).as_slice(), [Event::Connected { .. }]), "{name}");
        let mut rest = vector(&mut shown.as_slice(), 3);
        let mut certificates = Vec::new();
        while !rest.is_empty() {
            certificates.push(CertificateDer::from(vector(&mut rest, 3)));
        }
        assert_eq!(certificates, *expected);
    }
}

// proves: X509-07
#[test]
pub(crate) fn hashes_stand_for_the_certificate() {
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

/// RFC 6066 section 4: the length limits the handshake messages, too, from the first one on.
#[test]
pub(crate) fn handshakes_keep_to_the_fragment_length() {
    let mut profile = x509_profile(CertificateUsage::TrustAnchorAssertion, ROOT);
    profile.max_fragment_length = Some(1);
    let mut pair =
        Pair::new(at_a_good_time(Config::default()), at_a_good_time(server_config(x509_store())));
    pair.connect(profile);
    let mut longest = 0;
    pair.exchange(&mut |_, datagram| {
        let mut rest = datagram;
        while let Some((&[.., high, low], body)) = rest.split_first_chunk::<13>() {
            let length = usize::from(u16::from_be_bytes([high, low]));
            longest = longest.max(length);
            rest = &body[length..];
        }
        deliver(true, datagram)
    });
    connected(&mut pair.client);
    // Mbed TLS reserves room for the protection.
    let is_full = backends() == [Backend::Native; 2];
    assert!(longest == 512 || !is_full && longest < 512, "{longest}");
}
