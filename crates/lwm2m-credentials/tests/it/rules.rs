//! Which endpoint name is believed.

use crate::harness::{by_certificate, by_psk, by_raw, store};
use lwm2m_credentials::{Mismatch, Unlisted};

const ALL: [Unlisted; 3] = [Unlisted::NoSec, Unlisted::Certified, Unlisted::Refused];

#[test]
fn a_secured_identity_speaks_for_its_own_name_alone() {
    let own = [
        (by_psk(b"identity"), "keyed"),
        (by_raw(1), "raw"),
        (by_certificate(Some("listed")), "listed"),
    ];
    for unlisted in ALL {
        let store = store(unlisted);
        for (identity, name) in &own {
            let identity = Some(identity);
            assert_eq!(store.resolve(identity, None).as_deref(), Ok(*name));
            assert_eq!(store.resolve(identity, Some(name)).as_deref(), Ok(*name));
            for other in ["keyed", "raw", "listed", "stranger"].iter().filter(|it| *it != name) {
                let refused = store.resolve(identity, Some(other));
                assert_eq!(refused, Err(Mismatch::OtherEndpoint), "{identity:?} as {other}");
            }
        }
    }
}

/// A name that looks like another one is nobody's, whoever claims or proves it.
#[test]
fn a_name_that_looks_like_another_is_refused() {
    for name in ["listed ", " listed", "lis\u{200b}ted", "listed\u{a0}", "\u{feff}listed"] {
        let open = store(Unlisted::NoSec);
        assert_eq!(open.resolve(None, Some(name)), Err(Mismatch::IllegalName), "{name:?}");
        let certified = store(Unlisted::Certified);
        let proven = by_certificate(Some(name));
        assert_eq!(certified.resolve(Some(&proven), None), Err(Mismatch::IllegalName), "{name:?}");
        assert!(open.put(name, crate::harness::psk(b"other")).is_err(), "{name:?}");
    }
}

#[test]
fn an_identity_of_nobody_is_not_believed() {
    let unknown = [by_psk(b"unknown"), by_raw(9), by_certificate(None)];
    for (unlisted, identity) in
        ALL.into_iter().flat_map(|it| unknown.iter().map(move |id| (it, id)))
    {
        let (store, identity) = (store(unlisted), Some(identity));
        for claimed in [None, Some("keyed"), Some("stranger")] {
            assert_eq!(store.resolve(identity, claimed), Err(Mismatch::UnknownIdentity));
        }
        assert!(!store.speaks_for(identity, "keyed"));
    }
}

#[test]
fn a_certificate_of_an_unlisted_name_counts_if_the_store_says_so() {
    let identity = by_certificate(Some("stranger"));
    for unlisted in ALL {
        let resolved = store(unlisted).resolve(Some(&identity), None);
        let expected = match unlisted {
            Unlisted::Certified => Ok("stranger".to_owned()),
            _ => Err(Mismatch::UnknownIdentity),
        };
        assert_eq!(resolved, expected);
    }
    let keyed = by_certificate(Some("keyed"));
    assert_eq!(
        store(Unlisted::Certified).resolve(Some(&keyed), None),
        Err(Mismatch::UnknownIdentity)
    );
}

#[test]
fn plain_coap_speaks_for_names_without_credentials_if_it_is_allowed() {
    for unlisted in ALL {
        let store = store(unlisted);
        let allowed = unlisted == Unlisted::NoSec;
        assert_eq!(store.speaks_for(None, "stranger"), allowed);
        for listed in ["keyed", "raw", "listed"] {
            let refused = store.resolve(None, Some(listed));
            assert_eq!(refused, Err(Mismatch::CredentialsNeeded));
            assert!(!store.speaks_for(None, listed));
        }
        let nameless = if allowed { Mismatch::NoName } else { Mismatch::CredentialsNeeded };
        assert_eq!(store.resolve(None, None), Err(nameless));
    }
    let named = store(Unlisted::NoSec).resolve(None, Some("stranger"));
    assert_eq!(named.as_deref(), Ok("stranger"));
}
