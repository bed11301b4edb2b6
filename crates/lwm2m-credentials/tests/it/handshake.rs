//! What the DTLS endpoint is answered during handshakes.

use crate::harness::{certified, signing_key, spki, store};
use lwm2m_credentials::{OwnCredentials, SecurityStore, Unlisted};
use lwm2m_dtls::Credentials;
use std::sync::Arc;

#[test]
fn an_identity_has_its_key_and_no_other() {
    let store = store(Unlisted::NoSec);
    let key = store.psk(b"identity").unwrap();
    assert_eq!(key.as_slice(), b"identity key");
    assert!(store.psk(b"keyed").is_none() && store.psk(b"").is_none());
    assert!(store.psk(&spki(1)).is_none());
    assert!(store.uses_psk() && SecurityStore::default().uses_psk());
}

#[test]
fn stored_public_keys_are_trusted_and_no_others() {
    let store = store(Unlisted::NoSec);
    assert!(store.trusts_raw_key(&spki(1)));
    for stranger in [&spki(2)[..], &spki(1)[1..], b"identity", b""] {
        assert!(!store.trusts_raw_key(stranger));
    }
}

#[test]
fn modes_without_keys_of_the_server_are_off() {
    let store = store(Unlisted::NoSec);
    assert!(store.raw_key().is_none() && store.certificate(None).is_none());
    assert!(store.certificate(Some("server.example")).is_none());
    assert!(store.client_authorities().is_empty());
}

#[test]
fn keys_of_the_server_are_shown() {
    let (key, certified) = (signing_key(), certified(&["server.example"]));
    let authorities = certified.chain.clone();
    let own = OwnCredentials::default()
        .raw_key(Arc::clone(&key))
        .certificate(Arc::clone(&certified))
        .authorities(authorities.clone());
    let store = SecurityStore::new(own);
    assert_eq!(store.raw_key().unwrap().public_key(), key.public_key());
    assert_eq!(store.client_authorities(), authorities);
    for asked in [None, Some("server.example"), Some("other.example")] {
        assert!(Arc::ptr_eq(&store.certificate(asked).unwrap(), &certified), "{asked:?}");
    }
}

#[test]
fn a_host_that_is_asked_for_shows_its_certificate() {
    let [main, first, second] =
        [&["main.example"][..], &["a.example", "b.example"], &["b.example"]].map(certified);
    let own = OwnCredentials::default()
        .certificate(Arc::clone(&main))
        .host(Arc::clone(&first))
        .host(Arc::clone(&second));
    let store = SecurityStore::new(own);
    for (asked, expected) in [
        (None, &main),
        (Some("main.example"), &main),
        (Some("a.example"), &first),
        (Some("b.example"), &first),
        (Some("unknown.example"), &main),
    ] {
        assert!(Arc::ptr_eq(&store.certificate(asked).unwrap(), expected), "{asked:?}");
    }
}
