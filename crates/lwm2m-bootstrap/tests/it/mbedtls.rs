//! A bootstrap server whose DTLS is spoken by Mbed TLS.

use lwm2m_bootstrap::{BootstrapServer, Config};
use lwm2m_credentials::{Credential, StoreError};
use lwm2m_dtls::{Backend, Unsupported};
use lwm2m_time::Instant;

#[test]
fn credentials_that_the_backend_cannot_ask_for_are_refused() {
    let mut dtls = lwm2m_dtls::Config::default();
    dtls.backend = Backend::MbedTls;
    let mut config = Config::default();
    config.dtls = Some(dtls);
    let mut server = BootstrapServer::new(config, [0; 32]);
    let mut put = |credential| server.put_credential(Instant::ZERO, "device", credential);
    let spki = lwm2m_dtls::certificate::subject_public_key_info(&[4; 65]);
    for (credential, lacking) in [
        (Credential::raw_public_key(&spki).unwrap(), Unsupported::RawPublicKeys),
        (Credential::psk(b"device", &[1; 33]).unwrap(), Unsupported::LongKey),
    ] {
        assert_eq!(put(credential), Err(StoreError::Unsupported(lacking)));
    }
    assert_eq!(put(Credential::psk(b"device", &[1; 32]).unwrap()), Ok(()));
    assert_eq!(put(Credential::X509), Err(StoreError::NoOwnCertificate));
}
