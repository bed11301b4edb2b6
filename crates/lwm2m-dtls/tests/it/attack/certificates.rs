//! Chains that cost the verifier more than the sender.

use crate::stream::Connection;
use crate::support::{
    Pair, Store, at_a_good_time, data, events, server_config, signing_key, x509_profile, x509_store,
};
use lwm2m_dtls::certificate::{CertificateFlaw, CertificateUsage};
use lwm2m_dtls::crypto::{CryptoError, KeyExchange, Provider, RustCrypto, SigningKey};
use lwm2m_dtls::{CertifiedKey, ClientProfile, ClientSecurity, Config, Event, Reason, Role};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
};
use rustls_pki_types::{
    AlgorithmIdentifier, CertificateDer, InvalidSignature, SignatureVerificationAlgorithm,
};
use std::cell::Cell;
use std::sync::Arc;

thread_local! {
    /// The signatures of certificates that were checked in this thread.
    static CHECKED: Cell<usize> = const { Cell::new(0) };
}

/// ECDSA that counts.
#[derive(Debug)]
struct Counting;

impl SignatureVerificationAlgorithm for Counting {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        CHECKED.set(CHECKED.get() + 1);
        RustCrypto.certificate_algorithms()[0].verify_signature(public_key, message, signature)
    }
    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        RustCrypto.certificate_algorithms()[0].public_key_alg_id()
    }
    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        RustCrypto.certificate_algorithms()[0].signature_alg_id()
    }
}

#[derive(Debug)]
struct CountingProvider;

impl Provider for CountingProvider {
    fn key_exchange(&self, seed: &[u8; 32]) -> Result<Box<dyn KeyExchange>, CryptoError> {
        RustCrypto.key_exchange(seed)
    }
    fn signing_key(&self, der: &[u8]) -> Result<Arc<dyn SigningKey>, CryptoError> {
        RustCrypto.signing_key(der)
    }
    fn verify(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        RustCrypto.verify(key, message, signature)
    }
    fn certificate_algorithms(&self) -> &'static [&'static dyn SignatureVerificationAlgorithm] {
        &[&Counting]
    }
}

/// The parameters of an authority. All have one name.
fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

/// A leaf that `issuer` has signed, and the certificates of authorities behind it.
fn chain(issuer: &Issuer<'_, KeyPair>, behind: Vec<CertificateDer<'static>>) -> Arc<CertifiedKey> {
    let mut params = CertificateParams::new(vec!["server.example.com".into()]).expect("a name");
    params.distinguished_name.push(DnType::CommonName, "urn:dev:1");
    let own = key();
    let leaf = params.signed_by(&own, issuer).expect("a certificate").der().clone();
    let chain = [vec![leaf], behind].concat();
    Arc::new(CertifiedKey { chain, key: signing_key(&own.serialize_der()) })
}

/// A trusted authority, and a chain of so many of its name with other keys.
fn bomb(count: usize) -> (CertificateDer<'static>, Arc<CertifiedKey>) {
    let root = authority().self_signed(&key()).expect("a root").der().clone();
    let unrelated = || Issuer::new(authority(), key());
    let one = |_| authority().signed_by(&key(), &unrelated()).expect("a certificate").der().clone();
    (root, chain(&unrelated(), (0..count).map(one).collect()))
}

/// A trusted authority, and a chain by its next key, which its first key has certified.
fn renewed() -> (CertificateDer<'static>, CertificateDer<'static>, Arc<CertifiedKey>) {
    let first = key();
    let root = authority().self_signed(&first).expect("a root").der().clone();
    let second = key();
    let first = Issuer::new(authority(), first);
    let bridge = authority().signed_by(&second, &first).expect("a certificate").der().clone();
    (root, bridge.clone(), chain(&Issuer::new(authority(), second), vec![bridge]))
}

/// How client and server connect.
#[derive(Clone, Copy, Debug)]
enum By {
    Datagrams,
    Stream,
    #[cfg(feature = "tls13")]
    Tls13,
}

const WAYS: &[By] = &[
    By::Datagrams,
    By::Stream,
    #[cfg(feature = "tls13")]
    By::Tls13,
];

/// Shows the chain to a verifier in this role, which trusts the root. Returns why it fails and how
/// many signatures it has checked.
fn show(
    root: &CertificateDer<'static>,
    chain: &Arc<CertifiedKey>,
    to: Role,
    by: By,
) -> (Option<Reason>, usize) {
    let mut store = x509_store();
    let mut profile = x509_profile(CertificateUsage::TrustAnchorAssertion, data!("root.cert"));
    match (to, &mut profile.security) {
        (Role::Server, ClientSecurity::Certificate { certified, .. }) => {
            *certified = chain.clone();
            store.authorities = vec![root.clone()];
        }
        _ => {
            profile = x509_profile(CertificateUsage::TrustAnchorAssertion, root);
            store.certificate = Some(chain.clone());
        }
    }
    CHECKED.set(0);
    let reason = match by {
        By::Datagrams => by_datagrams(profile, store, to),
        By::Stream => by_stream(profile, store, to),
        #[cfg(feature = "tls13")]
        By::Tls13 => by_stream(crate::tls13::by_1_3(profile), store, to),
    };
    (reason, CHECKED.get())
}

fn configs(store: Store, to: Role) -> [Config; 2] {
    let mut configs = [Config::default(), server_config(store)].map(at_a_good_time);
    configs[usize::from(to == Role::Server)].provider = Arc::new(CountingProvider);
    configs
}

fn reason(events: Vec<Event>) -> Option<Reason> {
    events.into_iter().find_map(|event| match event {
        Event::Failed { reason, .. } => Some(reason),
        _ => None,
    })
}

fn by_datagrams(profile: ClientProfile, store: Store, to: Role) -> Option<Reason> {
    let [client, server] = configs(store, to);
    let mut pair = Pair::new(client, server);
    pair.connect(profile);
    pair.settle();
    reason(events(if to == Role::Server { &mut pair.server } else { &mut pair.client }))
}

fn by_stream(profile: ClientProfile, store: Store, to: Role) -> Option<Reason> {
    let [client, server] = configs(store, to);
    let mut both = Connection::new(client, server, profile);
    both.settle();
    reason(events(if to == Role::Server { &mut both.server.0 } else { &mut both.client.0 }))
}

// proves: X509-10
#[test]
fn a_chain_costs_few_signatures_before_anybody_is_authenticated() {
    for (count, expected) in [
        (9, Reason::BadCertificate(CertificateFlaw::LongChain)),
        (5, Reason::BadCertificate(CertificateFlaw::LongChain)),
        (4, Reason::UnknownAuthority),
    ] {
        let (root, chain) = bomb(count);
        for (to, by) in [Role::Client, Role::Server]
            .into_iter()
            .flat_map(|to| WAYS.iter().map(move |&by| (to, by)))
        {
            let (reason, checked) = show(&root, &chain, to, by);
            assert_eq!(reason, Some(expected.clone()), "{count} to the {to:?} by {by:?}");
            // A chain that is too long is refused unread.
            let most = if count > 4 { 0 } else { 8 };
            assert!(checked <= most, "{checked} for {count} to the {to:?} by {by:?}");
        }
    }
}

// proves: X509-10
#[test]
fn an_authority_may_have_renewed_its_key() {
    let (root, bridge, chain) = renewed();
    // Certificates that do not belong to the chain come last, or in 1.3 anywhere.
    let stray = bomb(0).1.chain.clone();
    let behind = Arc::new(CertifiedKey {
        chain: [&chain.chain[..], &stray].concat(),
        key: chain.key.clone(),
    });
    let between = Arc::new(CertifiedKey {
        chain: [&chain.chain[..1], &stray, &[bridge]].concat(),
        key: chain.key.clone(),
    });
    for to in [Role::Client, Role::Server] {
        for &by in WAYS {
            assert_eq!(show(&root, &chain, to, by), (None, 3), "to the {to:?} by {by:?}");
            assert_eq!(show(&root, &behind, to, by).0, None, "to the {to:?} by {by:?}");
            let is_free = !matches!(by, By::Datagrams | By::Stream);
            let expected = (!is_free).then_some(Reason::UnknownAuthority);
            assert_eq!(show(&root, &between, to, by).0, expected, "to the {to:?} by {by:?}");
        }
    }
}

/// A trusted authority, and a chain by so many authorities below it, each certified by the one before.
fn line(count: usize) -> (CertificateDer<'static>, Arc<CertifiedKey>) {
    let named = |number: usize| {
        let mut params = authority();
        params.distinguished_name.push(DnType::CommonName, format!("authority {number}"));
        params
    };
    let own = key();
    let root = named(0).self_signed(&own).expect("a root").der().clone();
    let (mut issuer, mut behind) = (Issuer::new(named(0), own), Vec::new());
    for number in 1..=count {
        let own = key();
        let next = named(number).signed_by(&own, &issuer).expect("a certificate");
        behind.insert(0, next.der().clone());
        issuer = Issuer::new(named(number), own);
    }
    (root, chain(&issuer, behind))
}

#[test]
fn as_many_as_four_authorities_may_be_between_a_leaf_and_the_root() {
    for count in 0..=4 {
        let (root, chain) = line(count);
        for to in [Role::Client, Role::Server] {
            for &by in WAYS {
                let (reason, _) = show(&root, &chain, to, by);
                assert_eq!(reason, None, "{count} to the {to:?} by {by:?}");
            }
        }
    }
}
