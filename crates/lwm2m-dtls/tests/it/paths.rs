//! Certificate paths that are made for a test: name constraints, key usages and validity.

use crate::support::{
    Pair, SERVER, Store, address, data, deliver, events, server_config, signing_key, x509_profile,
    x509_store,
};
use crate::x509::outcome;
use lwm2m_dtls::certificate::CertificateUsage;
use lwm2m_dtls::{CertifiedKey, ClientProfile, ClientSecurity, Config, Event, Reason, Resumption};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, NameConstraints, date_time_ymd,
};
use rustls_pki_types::CertificateDer;
use std::sync::Arc;
use std::time::Duration;

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
        let authority = |name| {
            let mut params = named(name, &[]);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            (params, KeyPair::generate().expect("a key"))
        };
        let (mut root, key) = authority("root");
        of_root(&mut root);
        let root_der = root.self_signed(&key).expect("a root").der().to_vec();
        let root = Issuer::new(root, key);
        let (mut middle, key) = authority("middle");
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
        (vec![ServerAuth], None, Some(Reason::BadCertificate)),
        (vec![ClientAuth], Some(Reason::BadCertificate), None),
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
