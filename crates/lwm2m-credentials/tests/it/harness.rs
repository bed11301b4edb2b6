//! Credentials and identities of each mode, made from short names.

use lwm2m_credentials::{Credential, OwnCredentials, SecurityStore, Unlisted};
use lwm2m_dtls::certificate::subject_public_key_info;
use lwm2m_dtls::crypto::{Provider, RustCrypto, SigningKey};
use lwm2m_dtls::{CertificateIdentity, CertifiedKey, Identity};
use std::sync::Arc;

/// The SubjectPublicKeyInfo of a point that is told from others by one byte.
pub(crate) fn spki(byte: u8) -> Vec<u8> {
    subject_public_key_info(&[byte; 65]).to_vec()
}

pub(crate) fn psk(identity: &[u8]) -> Credential {
    Credential::psk(identity, &[identity, b" key"].concat()).unwrap()
}

pub(crate) fn raw(byte: u8) -> Credential {
    Credential::raw_public_key(&spki(byte)).unwrap()
}

pub(crate) fn by_psk(identity: &[u8]) -> Identity {
    Identity::Psk(identity.to_vec().into())
}

pub(crate) fn by_raw(byte: u8) -> Identity {
    Identity::RawPublicKey(spki(byte).into())
}

/// A certificate with a common name, or without; its other names do not count.
pub(crate) fn by_certificate(common_name: Option<&str>) -> Identity {
    Identity::Certificate(Arc::new(CertificateIdentity {
        common_name: common_name.map(str::to_owned),
        dns_names: vec!["listed".to_owned()],
        sha256: [7; 32],
    }))
}

/// A store with a client of each mode: "keyed", "raw" and "listed".
pub(crate) fn store(unlisted: Unlisted) -> SecurityStore {
    let store = SecurityStore::new(OwnCredentials::default().unlisted(unlisted));
    store.put("keyed", psk(b"identity")).unwrap();
    store.put("raw", raw(1)).unwrap();
    store.put("listed", Credential::X509).unwrap();
    store
}

pub(crate) fn signing_key() -> Arc<dyn SigningKey> {
    let key = rcgen::KeyPair::generate().unwrap();
    RustCrypto.signing_key(&key.serialize_der()).unwrap()
}

/// A certificate for hosts with its key.
pub(crate) fn certified(hosts: &[&str]) -> Arc<CertifiedKey> {
    let names: Vec<String> = hosts.iter().map(|&host| host.to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let key = RustCrypto.signing_key(&made.signing_key.serialize_der()).unwrap();
    Arc::new(CertifiedKey { chain: vec![made.cert.der().clone()], key })
}
