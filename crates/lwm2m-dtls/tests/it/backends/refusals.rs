//! Settings that Mbed TLS does not support are refused at the start and by every call.

use super::set_backends;
use crate::support::{
    FourBytes, KEY, address, connected, psk_config, psk_profile, rpk, server_config, x509_profile,
    x509_store,
};
use crate::support::{Pair, data};
use lwm2m_dtls::certificate::CertificateUsage;
use lwm2m_dtls::crypto::{CryptoError, Point, SigningKey};
use lwm2m_dtls::{
    Backend, CertifiedKey, CipherSuite, ClientProfile, ClientSecurity, Config, Endpoint, Error,
    KeyLog, Reason, TicketKey, Unsupported,
};
use lwm2m_time::Instant;
use std::sync::Arc;

fn by_mbedtls(mut config: Config) -> Config {
    config.backend = Backend::MbedTls;
    config
}

struct NoLog;
impl KeyLog for NoLog {
    fn log(&self, _: &str, _: &[u8; 32], _: &[u8]) {}
}

/// A key that signs and cannot be exported.
#[derive(Debug)]
struct Hidden(Arc<dyn SigningKey>);
impl SigningKey for Hidden {
    fn public_key(&self) -> Point {
        self.0.public_key()
    }
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        self.0.sign(message)
    }
}

fn with_hidden_key(certified: &CertifiedKey) -> Arc<CertifiedKey> {
    let key = Arc::new(Hidden(Arc::clone(&certified.key)));
    Arc::new(CertifiedKey { chain: certified.chain.clone(), key })
}

/// Asserts that the configuration is refused, and that an endpoint with it refuses every session.
fn assert_refused(change: impl FnOnce(&mut Config), expected: Unsupported) {
    let mut config = by_mbedtls(psk_config());
    assert_eq!(config.check(), Ok(()));
    change(&mut config);
    assert_eq!(config.check(), Err(expected));
    let mut endpoint = Endpoint::new(config, [1; 32]);
    let (now, peer) = (Instant::ZERO, address("192.0.2.9:1"));
    let refused = Err(Error::Unsupported(expected));
    assert_eq!(endpoint.accept_stream(now, peer), refused);
    assert_eq!(endpoint.connect(now, peer, Arc::new(psk_profile(KEY))), refused);
    assert!(expected.to_string().contains("native backend"), "{expected}");
}

#[test]
fn configurations() {
    let ids = Arc::new(FourBytes);
    assert_refused(|it| it.connection_ids = Some(ids), Unsupported::ConnectionIds);
    assert_refused(|it| it.key_log = Some(Arc::new(NoLog)), Unsupported::KeyLog);
    assert_refused(|it| it.ticket_key = Some(TicketKey::new([1; 16])), Unsupported::Tickets);
    assert_refused(|it| it.durable_sessions = Some(TicketKey::new([1; 16])), Unsupported::Export);
    let raw = |it: &mut Config| it.credentials = server_config(rpk().1).credentials;
    assert_refused(raw, Unsupported::RawPublicKeys);
    let mut store = x509_store();
    store.certificate = store.certificate.map(|certified| with_hidden_key(&certified));
    let hidden = |it: &mut Config| it.credentials = server_config(store).credentials;
    assert_refused(hidden, Unsupported::HiddenKey);
}

#[test]
fn profiles() {
    let refused = |profile: ClientProfile| {
        let config = by_mbedtls(Config::default());
        let checked = config.check_profile(&profile);
        let mut client = Endpoint::new(config, [1; 32]);
        let (peer, profile) = (address("192.0.2.9:1"), Arc::new(profile));
        let error = client.connect(Instant::ZERO, peer, Arc::clone(&profile)).err();
        assert_eq!(client.connect_stream(Instant::ZERO, peer, profile, None).err(), error);
        assert_eq!(client.handshake_count(), usize::from(error.is_none()));
        (checked.err(), error)
    };
    let both = |what| (Some(what), Some(Error::Unsupported(what)));
    assert_eq!(refused(psk_profile(&[7; 32])), (None, None));
    assert_eq!(refused(psk_profile(&[7; 33])), both(Unsupported::LongKey));
    assert_eq!(refused(rpk().0), both(Unsupported::RawPublicKeys));
    let mut profile = psk_profile(KEY);
    profile.record_size_limit = Some(512);
    assert_eq!(refused(profile), both(Unsupported::RecordSizeLimit));
    let mut profile = psk_profile(KEY);
    profile.require_extended_master_secret = true;
    assert_eq!(refused(profile), both(Unsupported::RequiredExtendedMasterSecret));
    let mut profile = psk_profile(KEY);
    profile.suites = vec![CipherSuite::ECDHE_PSK_WITH_AES_128_CCM_8_SHA256];
    assert_eq!(refused(profile), (None, Some(Error::UnusableProfile)));
    let mut profile = x509_profile(CertificateUsage::DomainIssued, data!("server.cert"));
    if let ClientSecurity::Certificate { certified, .. } = &mut profile.security {
        *certified = with_hidden_key(certified);
    }
    assert_eq!(refused(profile).1, Some(Error::Unsupported(Unsupported::HiddenKey)));
}

#[test]
fn sessions_are_not_exported() {
    set_backends(Backend::MbedTls, Backend::MbedTls);
    let mut pair = Pair::new(Config::default(), psk_config());
    pair.connect(psk_profile(KEY));
    pair.settle();
    let (session, key) = (connected(&mut pair.server), TicketKey::new([1; 16]));
    let refused = Error::Unsupported(Unsupported::Export);
    assert_eq!(pair.server.export(session, &key), Err(refused));
    assert_eq!(pair.server.import(&[0; 64], &key), Err(refused));
    assert_eq!(pair.server.session_count(), 1);
}

#[test]
fn a_long_key_of_a_device_is_told_when_it_comes() {
    set_backends(Backend::Native, Backend::MbedTls);
    let key = [7; 33];
    let mut store = crate::support::Store::default();
    store.psk.insert(crate::support::IDENTITY.to_vec(), key.to_vec());
    let mut pair = Pair::new(Config::default(), server_config(store));
    pair.connect(psk_profile(&key));
    pair.settle();
    match crate::support::events(&mut pair.server).as_slice() {
        [lwm2m_dtls::Event::Failed { reason, .. }] => {
            assert_eq!(*reason, Reason::Unsupported(Unsupported::LongKey));
        }
        other => panic!("{other:?}"),
    }
}
