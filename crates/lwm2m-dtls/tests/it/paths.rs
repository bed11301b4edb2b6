//! Certificate paths that are made for a test: name constraints, key usages and validity.

use crate::support::{
    Pair, SERVER, Store, address, data, deliver, events, server_config, signing_key, x509_profile,
    x509_store,
};
use crate::x509::outcome;
use lwm2m_dtls::certificate::{CertificateFlaw, CertificateUsage, check_authority};
use lwm2m_dtls::{
    CertifiedKey, ClientProfile, ClientSecurity, Config, Event, Identity, Reason, Resumption,
};
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints, PKCS_ECDSA_P384_SHA384, date_time_ymd,
};
use rustls_pki_types::CertificateDer;
use std::sync::Arc;
use std::time::Duration;

const OTHER_PURPOSE: Reason = Reason::BadCertificate(CertificateFlaw::Purpose);
const NAME: &str = "server.example.com";

/// A root and an authority below it, with changes to their certificates.
struct Authorities {
    root: Vec<u8>,
    middle: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

fn named(name: &str, alternative: &[&str]) -> CertificateParams {
    let names: Vec<_> = alternative.iter().map(|&it| it.into()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

impl Authorities {
    fn new(of_root: impl FnOnce(&mut CertificateParams), of_middle: Alter) -> Self {
        Self::with_keys(of_root, of_middle, KeyPair::generate().expect("a key"))
    }

    /// The authority below the root has the key.
    fn with_keys(
        of_root: impl FnOnce(&mut CertificateParams),
        of_middle: Alter,
        key_of_middle: KeyPair,
    ) -> Self {
        let authority = |name| {
            let mut params = named(name, &[]);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params
        };
        let (mut root, key) = (authority("root"), KeyPair::generate().expect("a key"));
        of_root(&mut root);
        let root_der = root.self_signed(&key).expect("a root").der().to_vec();
        let root = Issuer::new(root, key);
        let (mut middle, key) = (authority("middle"), key_of_middle);
        of_middle(&mut middle);
        let middle_der = middle.signed_by(&key, &root).expect("a certificate").der().clone();
        Self { root: root_der, middle: middle_der, issuer: Issuer::new(middle, key) }
    }

    /// A certificate that the authority below the root has issued.
    fn issue(&self, params: &CertificateParams) -> Arc<CertifiedKey> {
        let key = KeyPair::generate().expect("a key");
        let leaf = params.signed_by(&key, &self.issuer).expect("a certificate").der().clone();
        let key = signing_key(&key.serialize_der());
        Arc::new(CertifiedKey { chain: vec![leaf, self.middle.clone()], key })
    }

    /// A client that trusts the root.
    fn profile(&self) -> ClientProfile {
        x509_profile(CertificateUsage::TrustAnchorAssertion, &self.root)
    }

    /// A server with the certificate.
    fn server(certificate: Arc<CertifiedKey>) -> Store {
        Store { certificate: Some(certificate), ..x509_store() }
    }
}

type Alter<'a> = &'a dyn Fn(&mut CertificateParams);

const AS_IT_IS: Alter<'_> = &|_| {};

/// RFC 6125 section 6.4.4: the common name counts without a dNSName, unless an authority has name
/// constraints.
#[test]
fn a_common_name_is_a_name_only_without_others() {
    let limit: Alter<'_> = &|params| {
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName("example.org".into())],
            excluded_subtrees: Vec::new(),
        });
    };
    for (root, middle, alternative, expected) in [
        (AS_IT_IS, AS_IT_IS, &[][..], None),
        (AS_IT_IS, AS_IT_IS, &["elsewhere.example"][..], Some(Reason::NameMismatch)),
        (limit, AS_IT_IS, &[], Some(Reason::NameMismatch)),
        (AS_IT_IS, limit, &[], Some(Reason::NameMismatch)),
    ] {
        let authorities = Authorities::new(root, middle);
        let store = Authorities::server(authorities.issue(&named(NAME, alternative)));
        assert_eq!(outcome(authorities.profile(), store).0, expected, "{alternative:?}");
    }
}

/// RFC 5280 section 4.2.1.12: a device cannot pass as a server, nor a server as a device.
#[test]
fn a_certificate_is_good_for_its_side_only() {
    use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
    let authorities = Authorities::new(AS_IT_IS, AS_IT_IS);
    for (purposes, of_server, of_client) in [
        (vec![], None, None),
        (vec![ServerAuth, ClientAuth], None, None),
        (vec![ServerAuth], None, Some(OTHER_PURPOSE)),
        (vec![ClientAuth], Some(OTHER_PURPOSE), None),
    ] {
        let mut params = named(NAME, &[NAME]);
        params.extended_key_usages = purposes;
        let own = authorities.issue(&params);
        let store = Authorities::server(own.clone());
        assert_eq!(outcome(authorities.profile(), store).0, of_server);
        let mut profile = x509_profile(CertificateUsage::DomainIssued, data!("server.cert"));
        if let ClientSecurity::Certificate { certified, .. } = &mut profile.security {
            *certified = own;
        }
        let authorities = vec![authorities.root.clone().into()];
        let store = Store { authorities, ..x509_store() };
        assert_eq!(outcome(profile, store).1, of_client);
    }
}

/// What server and client say of a certificate and its authorities, each of the other side.
fn judged(authorities: &Authorities, own: &Arc<CertifiedKey>) -> [Option<Reason>; 2] {
    let of_server = outcome(authorities.profile(), Authorities::server(own.clone())).0;
    let mut profile = x509_profile(CertificateUsage::DomainIssued, data!("server.cert"));
    if let ClientSecurity::Certificate { certified, .. } = &mut profile.security {
        *certified = own.clone();
    }
    let trusted = vec![authorities.root.clone().into()];
    let of_client = outcome(profile, Store { authorities: trusted, ..x509_store() }).1;
    [of_client, of_server]
}

fn flaw(flaw: CertificateFlaw) -> Option<Reason> {
    Some(Reason::BadCertificate(flaw))
}

// proves: X509-11
#[test]
fn a_key_is_used_only_for_what_its_certificate_says() {
    use KeyUsagePurpose::{CrlSign, DigitalSignature, KeyAgreement, KeyCertSign};
    let of_leaf = |usages: &[KeyUsagePurpose]| {
        let mut params = named(NAME, &[NAME]);
        params.key_usages = usages.to_vec();
        params
    };
    let no_issuer: Alter<'_> = &|params| params.key_usages = vec![DigitalSignature, CrlSign];
    let issuer: Alter<'_> = &|params| params.key_usages = vec![KeyCertSign];
    for (middle, leaf, expected) in [
        (issuer, &[DigitalSignature][..], None),
        (no_issuer, &[DigitalSignature], flaw(CertificateFlaw::NotAnAuthority)),
        (issuer, &[KeyAgreement], flaw(CertificateFlaw::KeyUsage)),
    ] {
        let authorities = Authorities::new(AS_IT_IS, middle);
        let both = judged(&authorities, &authorities.issue(&of_leaf(leaf)));
        assert_eq!(both, [expected.clone(), expected]);
    }
}

/// What is not covered by the limits of an authority is no name of a device.
// proves: X509-11
#[test]
fn an_authority_that_is_limited_in_its_names_issues_no_common_name() {
    let limit: Alter<'_> = &|params| {
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![GeneralSubtree::DnsName("example.com".into())],
            excluded_subtrees: Vec::new(),
        });
    };
    for (root, middle) in [(limit, AS_IT_IS), (AS_IT_IS, limit)] {
        let authorities = Authorities::new(root, middle);
        let by_common_name = authorities.issue(&named("urn:dev:1", &[]));
        let [of_client, _] = judged(&authorities, &by_common_name);
        assert_eq!(of_client, flaw(CertificateFlaw::UncoveredName));
        let mut profile = x509_profile(CertificateUsage::DomainIssued, data!("server.cert"));
        if let ClientSecurity::Certificate { certified, .. } = &mut profile.security {
            *certified = authorities.issue(&named("urn:dev:1", &["a.example.com"]));
        }
        let authorities = vec![authorities.root.clone().into()];
        let store = Store { authorities, ..x509_store() };
        let [client, server] =
            [Config::default(), server_config(store)].map(crate::support::at_a_good_time);
        let mut pair = Pair::new(client, server);
        pair.connect(profile);
        pair.settle();
        let [Event::Connected { identity: Identity::Certificate(who), .. }] =
            &events(&mut pair.server)[..]
        else {
            panic!("not connected")
        };
        assert_eq!((&who.common_name, &who.dns_names[..]), (&None, &["a.example.com".into()][..]));
    }
}

/// The length of a value's header and the whole length of the value, both in bytes.
fn lengths(der: &[u8]) -> (usize, usize) {
    let long = usize::from(der[2]);
    match der[1] {
        0x81 => (3, 3 + long),
        0x82 => (4, 4 + (long << 8 | usize::from(der[3]))),
        short => (2, 2 + usize::from(short)),
    }
}

/// A certificate of version 1: without extensions, and signed anew.
fn of_version_1(certificate: &[u8], issuer: &KeyPair) -> Vec<u8> {
    let fields = &certificate[lengths(certificate).0..];
    let (header, whole) = lengths(fields);
    let mut rest = &fields[header..whole];
    let mut kept = Vec::new();
    while !rest.is_empty() {
        let (field, after) = rest.split_at(lengths(rest).1);
        if !matches!(field[0], 0xa0 | 0xa3) {
            kept.extend_from_slice(field);
        }
        rest = after;
    }
    let tlv = |tag: u8, body: &[u8]| {
        let [high, low] = (body.len() as u16).to_be_bytes();
        let header = match body.len() {
            0..0x80 => vec![tag, low],
            0x80..0x100 => vec![tag, 0x81, low],
            _ => vec![tag, 0x82, high, low],
        };
        [&header[..], body].concat()
    };
    let fields = tlv(0x30, &kept);
    let signature = signing_key(&issuer.serialize_der()).sign(&fields).expect("signed");
    let algorithm = b"\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
    let signature = tlv(0x03, &[&[0], &signature[..]].concat());
    tlv(0x30, &[&fields[..], algorithm, &signature].concat())
}

/// Each cause has its own remedy.
#[test]
fn each_flaw_of_a_certificate_has_its_name() {
    let limited = |alter: Alter<'_>| {
        let mut params = named(NAME, &[NAME]);
        alter(&mut params);
        params
    };
    let critical: Alter<'_> = &|params| {
        let mut unknown =
            CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 32473, 1], vec![5, 0]);
        unknown.set_criticality(true);
        params.custom_extensions.push(unknown);
    };
    let authority: Alter<'_> = &|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authorities = Authorities::new(AS_IT_IS, AS_IT_IS);
    for (alter, expected) in [
        (AS_IT_IS, None),
        (critical, flaw(CertificateFlaw::CriticalExtension)),
        (authority, flaw(CertificateFlaw::IsAuthority)),
    ] {
        let both = judged(&authorities, &authorities.issue(&limited(alter)));
        assert_eq!(both, [expected.clone(), expected]);
    }
    let mut old = (*authorities.issue(&named(NAME, &[NAME]))).clone();
    old.chain[0] = of_version_1(&old.chain[0], authorities.issuer.key()).into();
    let expected = flaw(CertificateFlaw::Version);
    assert_eq!(judged(&authorities, &Arc::new(old)), [expected.clone(), expected]);

    // Of another curve: the key of the peer, then that of an authority.
    let other = || KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).expect("a key");
    let mut own = (*authorities.issue(&named(NAME, &[NAME]))).clone();
    let leaf = named(NAME, &[NAME]).signed_by(&other(), &authorities.issuer).expect("signed");
    own.chain[0] = leaf.der().clone();
    let expected = flaw(CertificateFlaw::Key);
    assert_eq!(judged(&authorities, &Arc::new(own)), [expected.clone(), expected]);
    let authorities = Authorities::with_keys(AS_IT_IS, AS_IT_IS, other());
    let both = judged(&authorities, &authorities.issue(&named(NAME, &[NAME])));
    let expected = flaw(CertificateFlaw::Signature);
    assert_eq!(both, [expected.clone(), expected]);
    let root = authorities.root.clone().into();
    assert_eq!(check_authority(&root), Ok(()));
    assert_eq!(check_authority(&authorities.middle), Err(CertificateFlaw::Key));
}

/// RFC 5280 section 4.1.2.5.1: dates begin with 1950. What was signed is the date that was received.
// proves: X509-12
#[test]
fn a_certificate_may_be_valid_since_before_1970() {
    let early: Alter<'_> = &|params| params.not_before = date_time_ymd(1960, 1, 1);
    let authorities = Authorities::new(early, early);
    let mut params = named(NAME, &[NAME]);
    early(&mut params);
    let own = authorities.issue(&params);
    assert_eq!(judged(&authorities, &own), [None, None]);
    let root = CertificateDer::from(authorities.root.clone());
    for (usage, configured) in [
        (CertificateUsage::CaConstraint, &authorities.middle),
        (CertificateUsage::CaConstraint, &root),
        (CertificateUsage::ServiceCertificateConstraint, &own.chain[0]),
        (CertificateUsage::TrustAnchorAssertion, &authorities.middle),
        (CertificateUsage::DomainIssued, &own.chain[0]),
    ] {
        let mut profile = x509_profile(usage, configured);
        if let ClientSecurity::Certificate { verification, .. } = &mut profile.security {
            Arc::make_mut(verification).roots = vec![root.clone()];
        }
        let store = Authorities::server(own.clone());
        assert_eq!(outcome(profile, store).0, None, "{usage:?}");
    }
    for place in 0..2 {
        let mut forged = (*own).clone();
        let mut bytes = forged.chain[place].to_vec();
        let date = bytes.windows(13).position(|it| it == b"600101000000Z").expect("a date");
        bytes[date + 1] = b'1';
        forged.chain[place] = bytes.into();
        let refused = Some(Reason::UnknownAuthority);
        assert_eq!(judged(&authorities, &Arc::new(forged)), [refused.clone(), refused]);
    }
}

#[test]
fn a_session_is_not_resumed_when_an_authority_has_expired() {
    let authorities =
        Authorities::new(AS_IT_IS, &|params| params.not_after = date_time_ymd(2030, 1, 1));
    let mut profile = x509_profile(CertificateUsage::DomainIssued, data!("server.cert"));
    if let ClientSecurity::Certificate { certified, .. } = &mut profile.security {
        *certified = authorities.issue(&named("urn:dev:1", &[]));
    }
    let trusted = vec![authorities.root.clone().into()];
    let store = Store { authorities: trusted, ..x509_store() };
    let [client, server] = [Config::default(), server_config(store)].map(|mut config| {
        // Two minutes before the end of the validity, and after it.
        config.unix_time_of_origin = Duration::from_secs(1_893_456_000 - 120);
        config.resumption_lifetime = Duration::from_secs(1_000_000);
        config
    });
    let mut pair = Pair::new(client, server);
    pair.connect(profile.clone());
    pair.settle();
    let resumption = |event: Event| match event {
        Event::Connected { resumption, .. } => resumption,
        _ => None,
    };
    let earlier: Arc<Resumption> =
        events(&mut pair.client).into_iter().find_map(resumption).expect("resumable");
    for (after, resumed) in [(60, Some(true)), (180, None)] {
        pair.now = pair.now + Duration::from_secs(after);
        events(&mut pair.server);
        let profile = Arc::new(profile.clone());
        pair.client.resume(pair.now, address(SERVER), profile, earlier.clone()).expect("good");
        pair.exchange(&mut deliver);
        let found = events(&mut pair.server).into_iter().find_map(|event| match event {
            Event::Connected { resumed, .. } => Some(resumed),
            _ => None,
        });
        assert_eq!(found, resumed, "{after} s later");
    }
}
