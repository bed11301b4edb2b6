//! Client and server engine in each mode of security, in virtual time: on a bad network, after a
//! restart of the server, and with credentials that must be refused.

use crate::lossy::{
    ENDPOINT, HOUR, Harness, SERVER, device_management, harness_of, registered, tour_of,
};
use lwm2m_client::security::{CertificateUsage, Provider, RustCrypto};
use lwm2m_client::{Event, RegistrationError, Security, ServerAccount};
use lwm2m_credentials::{Credential, OwnCredentials, SecurityStore};
use lwm2m_dtls::certificate::subject_public_key_info;
use lwm2m_dtls::{CertifiedKey, Mode, Role};
use lwm2m_testkit::Conditions;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls_pki_types::CertificateDer;
use std::sync::Arc;
use std::time::Duration;

const KEY: &[u8] = b"0123456789abcdef";
pub(crate) const MODES: [Mode; 3] = [Mode::Psk, Mode::RawPublicKey, Mode::Certificate];

/// The keys of a server, an authority and a device whose certificate is for `ENDPOINT`.
pub(crate) struct Keys {
    server: KeyPair,
    pub(crate) device: KeyPair,
    authority: CertificateDer<'static>,
    server_certificate: CertificateDer<'static>,
    device_certificate: CertificateDer<'static>,
}

impl Keys {
    pub(crate) fn new() -> Self {
        let [server, device, signing] = [(); 3].map(|()| KeyPair::generate().unwrap());
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&signing).unwrap().der().clone();
        let issuer = Issuer::new(params, signing);
        let signed = |names: &[String], common: &str, key: &KeyPair| {
            let mut params = CertificateParams::new(names).unwrap();
            params.distinguished_name.push(DnType::CommonName, common);
            params.signed_by(key, &issuer).unwrap().der().clone()
        };
        let server_certificate = signed(&["server.example.com".into()], "server", &server);
        let device_certificate = signed(&[], ENDPOINT, &device);
        Self { server, device, authority, server_certificate, device_certificate }
    }

    /// The security of the device's account.
    pub(crate) fn security(&self, mode: Mode) -> Security {
        let key = self.device.serialized_der();
        match mode {
            Mode::Psk => Security::psk("a device", KEY),
            Mode::RawPublicKey => Security::raw_public_key(key, spki(&self.server)),
            Mode::Certificate => {
                let (own, authority) = (self.device_certificate.to_vec(), self.authority.to_vec());
                let usage = CertificateUsage::TrustAnchorAssertion;
                Security::certificate(own, key, authority).usage(usage)
            }
        }
    }

    fn credential(&self, mode: Mode) -> Credential {
        match mode {
            Mode::Psk => Credential::psk(b"a device", KEY).unwrap(),
            Mode::RawPublicKey => Credential::raw_public_key(&spki(&self.device)).unwrap(),
            Mode::Certificate => Credential::X509,
        }
    }

    /// A server that knows `endpoint` by this mode.
    pub(crate) fn server(&self, mode: Mode, endpoint: &str) -> lwm2m_server::Config {
        self.server_with(vec![self.authority.clone()], endpoint, self.credential(mode))
    }

    /// A server that knows `endpoint` by a certificate of one of these authorities.
    pub(crate) fn server_trusting(
        &self,
        authorities: Vec<CertificateDer<'static>>,
        endpoint: &str,
    ) -> lwm2m_server::Config {
        self.server_with(authorities, endpoint, Credential::X509)
    }

    fn server_with(
        &self,
        authorities: Vec<CertificateDer<'static>>,
        endpoint: &str,
        credential: Credential,
    ) -> lwm2m_server::Config {
        let key = RustCrypto.signing_key(self.server.serialized_der()).unwrap();
        let chain = vec![self.server_certificate.clone()];
        let own = OwnCredentials::default()
            .raw_key(Arc::clone(&key))
            .certificate(Arc::new(CertifiedKey { chain, key }))
            .authorities(authorities);
        let store = SecurityStore::new(own);
        store.put(endpoint, credential).unwrap();
        let (security, dtls) = (Arc::new(store), Some(at_a_good_time()));
        lwm2m_server::Config::default().security(security).dtls(dtls)
    }
}

pub(crate) fn spki(key: &KeyPair) -> Vec<u8> {
    let key = RustCrypto.signing_key(key.serialized_der()).unwrap();
    subject_public_key_info(&key.public_key())
}

pub(crate) fn at_a_good_time() -> lwm2m_dtls::Config {
    let mut config = lwm2m_dtls::Config::default();
    config.unix_time_of_origin = Duration::from_secs(2_200_000_000);
    config
}

fn device(security: Security) -> lwm2m_client::Config {
    let mut account = ServerAccount::new(1, SERVER).lifetime(600).secured(security);
    account.uri = "coaps://server.example.com".into();
    let mut config = lwm2m_client::Config::new(ENDPOINT).server(account);
    config.dtls = at_a_good_time();
    config
}

fn harness(mode: Mode, conditions: Conditions, seed: u64) -> Harness {
    let keys = Keys::new();
    let (device, server) = (device(keys.security(mode)), keys.server(mode, ENDPOINT));
    harness_of(device, server, conditions, seed)
}

#[test]
fn every_operation_completes_in_each_mode_on_a_bad_network() {
    for mode in MODES {
        for seed in 0..5 {
            let (sent, lost) = tour_of(harness(mode, Conditions::BAD, seed));
            assert!(lost * 100 > sent * 15, "seed {seed}: {lost} of {sent} were lost");
        }
    }
}

#[test]
fn nothing_is_said_in_clear_text() {
    for mode in MODES {
        let mut harness = harness(mode, Conditions::GOOD, 1);
        harness.sim.network.capture = Some(Vec::new());
        device_management(&mut harness);
        let capture = harness.sim.network.capture.take().unwrap();
        assert!(!capture.is_empty() && capture.iter().all(|datagram| datagram.secured));
    }
}

#[test]
fn a_restarted_server_is_found_again_in_each_mode() {
    for mode in MODES {
        for conditions in [Conditions::GOOD, Conditions::BAD] {
            let keys = Keys::new();
            let server = keys.server(mode, ENDPOINT);
            let device = device(keys.security(mode));
            let mut harness = harness_of(device, server, conditions, 7);
            assert!(harness.run_until(HOUR, |harness| registered(harness)));
            harness.sim.run_for(Duration::from_secs(60));
            harness.sim.restart(harness.server);
            assert!(!registered(&harness));
            assert!(harness.run_until(HOUR, |harness| registered(harness)), "{mode:?}");
            device_management(&mut harness);
        }
    }
}

/// The failures of the handshake at the device and at the server.
fn refusal(
    device: lwm2m_client::Config,
    server: lwm2m_server::Config,
) -> (RegistrationError, Option<String>) {
    let mut harness = harness_of(device, server, Conditions::GOOD, 3);
    let failed = |event: &Event| match event {
        Event::RegistrationFailed { reason, .. } => Some(reason.clone()),
        _ => None,
    };
    let is_over = |harness: &mut Harness| {
        harness.sim.events(harness.device).iter().any(|it| failed(&it.1).is_some())
    };
    assert!(harness.run_until(HOUR, is_over), "a failure");
    // A side that drops records which it cannot decrypt fails by timeout.
    harness.sim.run_for(Duration::from_secs(30));
    assert!(!registered(&harness));
    let told = harness.sim.events(harness.server).iter().find_map(|(_, event)| match event {
        lwm2m_server::Event::HandshakeFailed(failure) => {
            assert_eq!(failure.role, Role::Server);
            Some(failure.to_string())
        }
        lwm2m_server::Event::NameRefused(refused) => Some(refused.to_string()),
        _ => None,
    });
    (harness.sim.events(harness.device).iter().find_map(|(_, event)| failed(event)).unwrap(), told)
}

#[test]
fn an_endpoint_does_not_register_by_the_credentials_of_another() {
    let keys = Keys::new();
    for mode in MODES {
        let (reason, told) = refusal(device(keys.security(mode)), keys.server(mode, "other"));
        let why = match mode {
            // Its certificate is not in the server's store.
            Mode::Certificate => "the authenticated identity belongs to no endpoint",
            _ => "the authenticated identity belongs to another endpoint name",
        };
        assert_eq!(reason.to_string(), format!("the server refused with 4.00: {why}; see its log"));
        let told = told.unwrap();
        assert!(told.contains(why), "{told}");
    }
}

#[test]
fn a_wrong_key_is_told_on_both_sides() {
    let (keys, others) = (Keys::new(), Keys::new());
    for mode in MODES {
        let wrong = match mode {
            Mode::Psk => Security::psk("a device", b"another key 1234"),
            Mode::RawPublicKey | Mode::Certificate => {
                let mut wrong = others.security(mode);
                wrong.server_public_key = keys.security(mode).server_public_key;
                wrong
            }
        };
        let (reason, told) = refusal(device(wrong), keys.server(mode, ENDPOINT));
        assert!(matches!(reason, RegistrationError::Handshake(_)), "{mode:?}: {reason}");
        let told = told.expect("a line of explanation");
        assert!(told.starts_with("the handshake with client 192.0.2.1:5683"), "{told}");
    }
}

#[test]
fn a_server_with_another_key_is_refused() {
    let (keys, others) = (Keys::new(), Keys::new());
    for mode in [Mode::RawPublicKey, Mode::Certificate] {
        let (reason, _) = refusal(device(keys.security(mode)), others.server(mode, ENDPOINT));
        assert!(matches!(reason, RegistrationError::Handshake(_)), "{mode:?}: {reason}");
    }
}
