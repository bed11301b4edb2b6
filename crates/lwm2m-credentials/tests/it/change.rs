//! Changes while a server runs.

use crate::harness::{certified, psk, raw, signing_key};
use lwm2m_credentials::{Credential, OwnCredentials, SecurityStore, StoreError};

#[test]
fn a_credential_that_the_server_has_no_keys_to_ask_for_is_refused() {
    let own = OwnCredentials::default;
    let certificate = certified(&["a.example"]);
    let authorities = certificate.chain.clone();
    let with_key = own().raw_key(signing_key());
    let half = [own().certificate(certificate.clone()), own().authorities(authorities.clone())];
    let with_certificate = own().certificate(certificate).authorities(authorities);
    let no_certificate = Err(StoreError::NoOwnCertificate);
    let [one_half, other_half] = half;
    for (own, of_raw, of_certificate) in [
        (own(), Err(StoreError::NoOwnKey), no_certificate.clone()),
        (with_key, Ok(()), no_certificate.clone()),
        (one_half, Err(StoreError::NoOwnKey), no_certificate.clone()),
        (other_half, Err(StoreError::NoOwnKey), no_certificate),
        (with_certificate, Err(StoreError::NoOwnKey), Ok(())),
    ] {
        let store = SecurityStore::new(own);
        let put = |credential: Credential| store.change("a", credential, None).map(|_| ());
        assert_eq!(put(psk(b"a")), Ok(()), "needs nothing of the server");
        assert_eq!(put(raw(1)), of_raw);
        assert_eq!(put(Credential::X509), of_certificate);
        // What an earlier run took is there, and counted.
        store.put("b", raw(2)).unwrap();
        store.put("c", Credential::X509).unwrap();
        let refused = [of_raw, of_certificate].iter().filter(|it| it.is_err()).count();
        assert_eq!(store.count_unusable(None), refused);
    }
}
