//! Keys and certificates of both sides, from the tests of `lwm2m-dtls`, for us and the peers.

use lwm2m_credentials::{Credential, OwnCredentials, SecurityStore, Unlisted};
use lwm2m_dtls::certificate::{
    Association, CertificateUsage, Matching, ServerVerification, subject_public_key_info,
};
use lwm2m_dtls::crypto::{Provider, RustCrypto, SigningKey};
use lwm2m_dtls::{CertifiedKey, ClientProfile, ClientSecurity, Config, ConnectionIds};
use rustls_pki_types::CertificateDer;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

pub(crate) const IDENTITY: &str = "urn:dev:1";
pub(crate) const KEY: &[u8] = b"0123456789abcdef";
/// [`IDENTITY`] and [`KEY`] for a peer, and the key with another last byte.
pub(crate) const PSK: &str = "psk=urn:dev:1:30313233343536373839616263646566";
pub(crate) const WRONG_PSK: &str = "psk=urn:dev:1:30313233343536373839616263646567";

/// The folder of the files, which has them as PEM, too.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../lwm2m-dtls/tests/data")
}

fn der(name: &str) -> Vec<u8> {
    std::fs::read(folder().join(name).with_extension("der")).unwrap()
}

fn certificate(name: &str) -> CertificateDer<'static> {
    CertificateDer::from(der(&format!("{name}.cert.der")))
}

fn key(name: &str) -> Arc<dyn SigningKey> {
    RustCrypto.signing_key(&der(&format!("{name}.key.der"))).unwrap()
}

fn spki(name: &str) -> Vec<u8> {
    subject_public_key_info(&key(name).public_key())
}

fn certified(names: &[&str]) -> Arc<CertifiedKey> {
    let chain = names.iter().map(|name| certificate(name)).collect();
    Arc::new(CertifiedKey { chain, key: key(names.first().unwrap()) })
}

fn server(own: OwnCredentials, client: Option<Credential>) -> Config {
    let store = SecurityStore::new(own);
    if let Some(client) = client {
        store.put(IDENTITY, client).unwrap();
    }
    Arc::new(store).secure(&Config::default())
}

/// A server that knows one device by its pre-shared key.
pub(crate) fn psk_server() -> Config {
    let psk = Credential::psk(IDENTITY.as_bytes(), KEY).unwrap();
    server(OwnCredentials::default(), Some(psk))
}

/// A server with a raw public key that knows one device by its own.
pub(crate) fn rpk_server() -> Config {
    let own = OwnCredentials::default().raw_key(key("server"));
    server(own, Some(Credential::raw_public_key(&spki("client")).unwrap()))
}

/// A server with a certificate of an intermediate authority that trusts the clients of the root.
pub(crate) fn x509_server() -> Config {
    let own = OwnCredentials::default()
        .certificate(certified(&["server", "intermediate"]))
        .authorities(vec![certificate("root")])
        .unlisted(Unlisted::Certified);
    server(own, None)
}

/// A server with both, a raw public key and a certificate, that knows one device by its raw key and
/// others by certificates of the root.
pub(crate) fn rpk_and_x509_server() -> Config {
    let own = OwnCredentials::default()
        .raw_key(key("server"))
        .certificate(certified(&["server", "intermediate"]))
        .authorities(vec![certificate("root")])
        .unlisted(Unlisted::Certified);
    server(own, Some(Credential::raw_public_key(&spki("client")).unwrap()))
}

pub(crate) fn psk_client() -> ClientProfile {
    psk_client_with(KEY)
}

pub(crate) fn psk_client_with(key: &[u8]) -> ClientProfile {
    let key = Zeroizing::new(key.to_vec());
    ClientProfile::new(ClientSecurity::Psk { identity: IDENTITY.into(), key })
}

pub(crate) fn rpk_client() -> ClientProfile {
    let server = spki("server").into();
    ClientProfile::new(ClientSecurity::RawPublicKey { key: key("client"), server })
}

/// A client with a certificate of the root that trusts servers of the root.
pub(crate) fn x509_client() -> ClientProfile {
    let verification = Arc::new(ServerVerification {
        usage: CertificateUsage::TrustAnchorAssertion,
        association: Association { matching: Matching::Exact, data: der("root.cert.der") },
        roots: Vec::new(),
    });
    let certified = certified(&["client"]);
    let mut profile = ClientProfile::new(ClientSecurity::Certificate { certified, verification });
    profile.server_name = Some("server.example.com".into());
    profile
}

/// Connection IDs of so many random bytes, at most eight.
struct RandomIds(usize);

impl ConnectionIds for RandomIds {
    fn length(&self) -> usize {
        self.0
    }
    fn generate(&self, random: [u8; 8], cid: &mut [u8]) {
        cid.copy_from_slice(random.get(..self.0).unwrap());
    }
}

/// The settings with Connection IDs of a length.
pub(crate) fn with_ids(mut config: Config, length: usize) -> Config {
    config.connection_ids = Some(Arc::new(RandomIds(length)));
    config
}
