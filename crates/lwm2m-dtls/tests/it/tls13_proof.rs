//! TLS 1.3: a peer is trusted for what it proves, while the proof holds, and learns no more than it
//! needs.

use crate::rpk::BadSigner;
use crate::stream::Connection;
use crate::support::{
    SERVER, Store, address, at_a_good_time, certified, data, events, rpk, server_config,
    x509_profile, x509_store,
};
use crate::tls13::{by_1_3, client, reasons, x509};
use lwm2m_dtls::certificate::CertificateUsage;
use lwm2m_dtls::crypto::SigningKey;
use lwm2m_dtls::{
    Alert, CertifiedKey, ClientProfile, ClientSecurity, Config, Credentials, Endpoint, Event,
    Reason,
};
use lwm2m_time::Instant;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Why the client refuses the server.
fn refused_by_client(server: Config, profile: ClientProfile) -> Option<Reason> {
    let mut connection = Connection::new(client(), server, by_1_3(profile));
    connection.settle();
    events(&mut connection.client.0).into_iter().find_map(|event| match event {
        Event::Failed { reason, .. } => Some(reason),
        _ => None,
    })
}

#[test]
pub(crate) fn who_shows_a_key_has_to_have_it() {
    let (config, mut profile) = x509();
    if let ClientSecurity::Certificate { certified: own, .. } = &mut profile.security {
        *own = certified(&[data!("client.cert")], data!("stranger.key"));
    }
    let (failed, told) = reasons(config, by_1_3(profile));
    assert_eq!((failed, told), (Some(Reason::BadSignature), Some(Alert::DECRYPT_ERROR)));

    let mut store = x509_store();
    store.certificate =
        Some(certified(&[data!("server.cert"), data!("intermediate.cert")], data!("stranger.key")));
    let refused = refused_by_client(at_a_good_time(server_config(store)), x509().1);
    assert_eq!(refused, Some(Reason::BadSignature));

    let (mut profile, store) = rpk();
    if let ClientSecurity::RawPublicKey { key, .. } = &mut profile.security {
        *key = Arc::new(BadSigner(key.clone()));
    }
    assert_eq!(reasons(server_config(store), by_1_3(profile)).0, Some(Reason::BadSignature));

    let (profile, mut store) = rpk();
    store.raw_key = store.raw_key.map(|key| Arc::new(BadSigner(key)) as Arc<dyn SigningKey>);
    assert_eq!(refused_by_client(server_config(store), profile), Some(Reason::BadSignature));
}

/// A client key that is trusted only the first time.
struct Once(Store, AtomicBool);

impl Credentials for Once {
    fn raw_key(&self) -> Option<Arc<dyn SigningKey>> {
        self.0.raw_key()
    }
    fn trusts_raw_key(&self, spki: &[u8]) -> bool {
        !self.1.swap(true, Ordering::Relaxed) && self.0.trusts_raw_key(spki)
    }
}

#[test]
pub(crate) fn a_key_that_is_withdrawn_meanwhile_is_refused() {
    for tls13 in [false, true] {
        let (mut profile, store) = rpk();
        profile.tls13 = tls13;
        let mut config = Config::default();
        config.credentials = Some(Arc::new(Once(store, AtomicBool::new(false))));
        assert_eq!(reasons(config, profile).0, Some(Reason::UnknownPeerKey), "{tls13}");
    }
}

#[test]
pub(crate) fn a_connection_that_ends_early_is_a_handshake_that_failed() {
    let mut endpoint = Endpoint::new(client(), [1; 32]);
    let profile = Arc::new(by_1_3(x509().1));
    let session = endpoint.connect_stream(Instant::ZERO, address(SERVER), profile, None);
    endpoint.handle_stream_end(Instant::ZERO, session.expect("a profile"));
    match events(&mut endpoint).as_slice() {
        [Event::Failed { reason: Reason::Disconnected, .. }] => {}
        other => panic!("{other:?}"),
    }
}

/// The names that a server was asked for.
struct Asked(Store, Mutex<Vec<Option<String>>>);

impl Credentials for Asked {
    fn certificate(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        self.1.lock().expect("no panic").push(name.map(str::to_owned));
        self.0.certificate(name)
    }
    fn client_authorities(&self) -> &[rustls_pki_types::CertificateDer<'static>] {
        self.0.client_authorities()
    }
}

#[test]
pub(crate) fn a_server_is_asked_for_by_its_name_but_not_by_its_address() {
    for (name, sent) in [(Some("a.example"), true), (Some("192.0.2.1"), false), (None, false)] {
        let asked = Arc::new(Asked(x509_store(), Mutex::default()));
        let mut config = at_a_good_time(Config::default());
        config.credentials = Some(asked.clone());
        let mut profile = x509_profile(CertificateUsage::DomainIssued, data!("server.cert"));
        profile.server_name = name.map(Into::into);
        Connection::new(client(), config, by_1_3(profile)).settle();
        let names = asked.1.lock().expect("no panic");
        let expected = name.filter(|_| sent).map(str::to_owned);
        assert!(!names.is_empty() && names.iter().all(|it| *it == expected), "{names:?}");
    }
}
