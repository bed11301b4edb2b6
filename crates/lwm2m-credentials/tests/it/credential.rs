//! What a credential may be, and what proves it.

use crate::harness::{by_certificate, by_psk, by_raw, psk, raw, spki};
use lwm2m_credentials::{Credential, CredentialError};
use lwm2m_dtls::{Backend, Mode};

#[test]
fn identities_and_keys_have_bounds() {
    assert!(Credential::psk(&[0xff; 128], &[0; 64]).is_ok());
    assert!(Credential::psk(b"a", b"k").is_ok());
    assert_eq!(Credential::psk(&[1; 129], &[1]), Err(CredentialError::Identity(129)));
    assert_eq!(Credential::psk(b"", &[1]), Err(CredentialError::Identity(0)));
    assert_eq!(Credential::psk(b"a", &[1; 65]), Err(CredentialError::Key(65)));
    assert_eq!(Credential::psk(b"a", b""), Err(CredentialError::Key(0)));
}

#[test]
fn a_public_key_is_one_of_p256() {
    let spki = spki(4);
    assert_eq!(
        Credential::raw_public_key(&spki),
        Ok(Credential::RawPublicKey(spki.clone().into()))
    );
    for length in 0..spki.len() {
        assert!(Credential::raw_public_key(&spki[..length]).is_err());
    }
    let longer = [&spki[..], &[0]].concat();
    assert_eq!(Credential::raw_public_key(&longer), Err(CredentialError::PublicKey));
    for at in 0..spki.len() - 65 {
        let mut other = spki.clone();
        other[at] ^= 1;
        assert_eq!(Credential::raw_public_key(&other), Err(CredentialError::PublicKey), "{at}");
    }
}

#[test]
fn each_credential_has_its_mode() {
    let modes = [psk(b"a"), raw(1), Credential::X509].map(|credential| credential.mode());
    assert_eq!(modes, [Mode::Psk, Mode::RawPublicKey, Mode::Certificate]);
}

#[test]
fn a_credential_is_proven_by_its_own_identity_alone() {
    let identities = [
        by_psk(b"a"),
        by_psk(b"b"),
        by_psk(b""),
        by_raw(1),
        by_raw(2),
        by_certificate(Some("endpoint")),
        by_certificate(Some("other")),
        by_certificate(None),
    ];
    for (credential, own) in [(psk(b"a"), 0), (raw(1), 3), (Credential::X509, 5)] {
        for (at, identity) in identities.iter().enumerate() {
            let proven = credential.is_proven_by(identity, "endpoint");
            assert_eq!(proven, at == own, "{credential:?} by {identity:?}");
        }
    }
    assert!(!Credential::X509.is_proven_by(&by_certificate(Some("endpoint")), "Endpoint"));
    assert!(psk(b"a").is_proven_by(&by_psk(b"a"), "any name"), "a key is not bound to a name");
}

#[test]
fn the_native_backend_asks_for_every_credential() {
    for credential in [Credential::psk(b"a", &[1; 64]).unwrap(), raw(1), Credential::X509] {
        assert_eq!(credential.check(Backend::default()), Ok(()), "{credential:?}");
    }
}

#[test]
fn debug_tells_no_key() {
    let text = format!("{:?}", Credential::psk(b"name", &[77; 16]));
    assert!(text.contains("name") && !text.contains("77") && !text.contains('M'), "{text}");
    assert_eq!(format!("{:?}", raw(1)), "RawPublicKey");
    assert_eq!(format!("{:?}", Credential::X509), "X509");
}
