//! Credentials by endpoint, and endpoints by what is proven.

use crate::harness::{by_certificate, by_psk, by_raw, certified, psk, raw, signing_key, store};
use lwm2m_credentials::{
    Credential, MAX_PAGE, OwnCredentials, SecurityStore, StoreError, Unlisted,
};
use lwm2m_dtls::Credentials;
use std::sync::Arc;

#[test]
fn what_was_put_is_there_until_it_is_removed() {
    let store = SecurityStore::default();
    assert!(store.is_empty() && store.list().is_empty());
    assert_eq!(store.len(), 0);
    assert_eq!(store.put("b", psk(b"one")), Ok(None));
    assert_eq!(store.put("a", raw(1)), Ok(None));
    assert_eq!(store.len(), 2);
    assert!(!store.is_empty() && store.contains("a") && !store.contains("c"));
    assert_eq!((store.get("a"), store.get("c")), (Some(raw(1)), None));
    assert_eq!(store.list(), [("a".into(), raw(1)), ("b".into(), psk(b"one"))]);
    assert_eq!((store.remove("a"), store.remove("a")), (Some(raw(1)), None));
    assert!(!store.contains("a") && store.len() == 1);
}

#[test]
fn identities_and_keys_are_unique() {
    let store = SecurityStore::default();
    store.put("a", psk(b"one")).unwrap();
    assert_eq!(store.put("b", psk(b"one")), Err(StoreError::Taken("a".into())));
    assert_eq!(store.put("a", psk(b"one")), Ok(Some(psk(b"one"))));
    store.put("b", raw(1)).unwrap();
    assert_eq!(store.put("a", raw(1)), Err(StoreError::Taken("b".into())));
    assert!(Credentials::psk(&store, b"one").is_some(), "nothing has changed");
    assert_eq!(store.remove("b"), Some(raw(1)));
    store.put("a", raw(1)).unwrap();
    assert_eq!((store.len(), Credentials::psk(&store, b"one")), (1, None));
    store.put("b", psk(b"one")).unwrap();
    store.put("c", Credential::X509).unwrap();
    store.put("d", Credential::X509).unwrap();
}

#[test]
fn a_new_credential_ends_the_one_before() {
    let store = SecurityStore::default();
    store.put("a", psk(b"old")).unwrap();
    assert_eq!(store.put("a", raw(1)), Ok(Some(psk(b"old"))));
    assert_eq!(store.endpoint_of(&by_psk(b"old")), None);
    assert_eq!(store.endpoint_of(&by_raw(1)).as_deref(), Some("a"));
    store.put("a", Credential::X509).unwrap();
    assert_eq!(store.endpoint_of(&by_raw(1)), None);
    assert!(!store.trusts_raw_key(&crate::harness::spki(1)));
}

#[test]
fn identities_are_compared_byte_by_byte() {
    let store = SecurityStore::default();
    let odd = [0x00, 0xff].repeat(64);
    store.put("a", Credential::psk(&odd, b"key").unwrap()).unwrap();
    store.put("b", psk(b"Name")).unwrap();
    assert_eq!(store.endpoint_of(&by_psk(&odd)).as_deref(), Some("a"));
    assert_eq!(store.endpoint_of(&by_psk(b"name")), None);
    assert!(Credentials::psk(&store, b"name").is_none());
}

#[test]
fn an_identity_belongs_to_the_endpoint_of_its_mode() {
    for unlisted in [Unlisted::NoSec, Unlisted::Certified, Unlisted::Refused] {
        let store = store(unlisted);
        let of = |identity| store.endpoint_of(&identity);
        assert_eq!(of(by_psk(b"identity")).as_deref(), Some("keyed"));
        assert_eq!(of(by_raw(1)).as_deref(), Some("raw"));
        assert_eq!(of(by_certificate(Some("listed"))).as_deref(), Some("listed"));
        assert_eq!(of(by_psk(b"keyed")), None, "an endpoint name is no identity");
        assert_eq!(of(by_raw(2)), None);
        assert_eq!(of(by_certificate(Some("keyed"))), None, "its credential is a key");
        assert_eq!(of(by_certificate(None)), None, "no name, whatever its dNSNames are");
        let stranger = of(by_certificate(Some("stranger")));
        let believed = (unlisted == Unlisted::Certified).then_some("stranger");
        assert_eq!(stranger.as_deref(), believed);
    }
}

#[test]
fn names_and_their_number_are_bounded() {
    let store = SecurityStore::default().with_max_clients(1);
    store.put("a", psk(b"1")).unwrap();
    assert_eq!(store.put("b", psk(b"2")), Err(StoreError::Full(1)));
    assert!(store.put("a", psk(b"2")).is_ok());
    store.remove("a");
    for wrong in ["", "a\n", "\u{7f}", &"a".repeat(253)] {
        assert_eq!(store.put(wrong, Credential::X509), Err(StoreError::Endpoint), "{wrong:?}");
    }
    assert!(store.put(&"a".repeat(252), Credential::X509).is_ok());
}

#[test]
fn debug_tells_how_many_and_no_names() {
    let text = format!("{:?}", store(Unlisted::NoSec));
    assert!(text.contains("SecurityStore") && text.contains("clients: 3"), "{text}");
    assert!(!text.contains("keyed") && !text.contains("identity"), "{text}");
}

#[test]
fn sessions_are_secured_by_the_store_itself() {
    let store = Arc::new(store(Unlisted::NoSec));
    let mut settings = lwm2m_dtls::Config::default();
    settings.max_sessions = 7;
    let secured = store.secure(&settings);
    assert_eq!(secured.max_sessions, 7);
    let credentials = secured.credentials.unwrap();
    assert!(credentials.psk(b"late").is_none());
    store.put("late", psk(b"late")).unwrap();
    assert!(credentials.psk(b"late").is_some());
}

#[test]
fn the_servers_own_credentials_are_kept() {
    let own = OwnCredentials::default()
        .raw_key(signing_key())
        .certificate(certified(&["server.example"]))
        .unlisted(Unlisted::Refused);
    let store = SecurityStore::new(own);
    assert!(store.own().raw_key.is_some() && store.own().certificate.is_some());
    assert_eq!(store.own().unlisted, Unlisted::Refused);
    assert_eq!(OwnCredentials::default().unlisted, Unlisted::NoSec);
}

#[test]
fn pages_hold_every_endpoint_once_in_order() {
    let store = SecurityStore::default();
    for number in 0..2 * MAX_PAGE {
        let identity = number.to_string();
        store.put(&format!("{number:03}"), psk(identity.as_bytes())).unwrap();
    }
    let first = store.page(None);
    let second = store.page(first.last().map(|(name, _)| &**name));
    let none = store.page(second.last().map(|(name, _)| &**name));
    assert_eq!((first.len(), second.len(), none.len()), (MAX_PAGE, MAX_PAGE, 0));
    let names: Vec<_> =
        first.iter().chain(&second).map(|(name, _)| name.parse::<usize>().unwrap()).collect();
    assert_eq!(names, (0..2 * MAX_PAGE).collect::<Vec<_>>());
    assert_eq!(store.list(), [first, second].concat());
}

/// The store after a restart: credentials of a file, and what the earlier run has kept.
fn restarted(kept: &[(&str, Credential, u64)], first: u64) -> SecurityStore {
    let store = SecurityStore::default();
    store.put("of a file", psk(b"of a file")).unwrap();
    for (endpoint, credential, generation) in kept {
        store.restore(endpoint, credential.clone(), *generation).unwrap();
    }
    store.number_generations_from(first);
    store
}

// proves: SEC-32
#[test]
fn a_credential_that_was_removed_is_another_one_after_a_restart_too() {
    let kept = psk(b"kept");
    let generation = |store: &SecurityStore, identity| {
        let by_identity = Credentials::generation(store, &by_psk(identity));
        assert_eq!(by_identity, store.generation_of(std::str::from_utf8(identity).unwrap()));
        by_identity
    };
    let mut all = std::collections::BTreeSet::new();
    let store = restarted(&[], 1_000);
    store.put("kept", kept.clone()).unwrap();
    all.insert(generation(&store, b"kept"));
    // Nothing has changed.
    store.put("kept", kept.clone()).unwrap();
    assert!(!all.insert(generation(&store, b"kept")));
    store.remove("kept");
    assert_eq!(store.generation_of("kept"), 0);
    store.put("kept", kept.clone()).unwrap();
    let last = generation(&store, b"kept");
    assert!(all.insert(last));
    assert_eq!(generation(&store, b"of a file"), 0);

    // Sessions of the earlier run go on.
    let store = restarted(&[("kept", kept.clone(), last)], 2_000);
    assert_eq!((generation(&store, b"kept"), generation(&store, b"of a file")), (last, 0));
    store.remove("kept");
    store.put("kept", kept.clone()).unwrap();
    assert!(all.insert(generation(&store, b"kept")));

    // It was removed, and is put again in the next run.
    let store = restarted(&[], 3_000);
    store.put("kept", kept.clone()).unwrap();
    assert!(all.insert(generation(&store, b"kept")));
    // The clock was set back: it is another one than that of the run before.
    let store = restarted(&[("kept", kept.clone(), last)], 0);
    store.remove("kept");
    store.put("kept", kept).unwrap();
    assert!(generation(&store, b"kept") > last);
}
