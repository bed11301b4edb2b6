//! A device in security mode 4 makes a key, has it certified by the bootstrap server (EST over
//! CoAP, RFC 9148) and registers with the certificate, all in virtual time.

use crate::lossy::ENDPOINT;
use crate::secure_bootstrap::{account, commands, run};
use crate::secure_lossy::{Keys, at_a_good_time, spki};
use crate::trio::Trio;
use bytes::Bytes;
use lwm2m_bootstrap::security::{Credential, SecurityStore};
use lwm2m_bootstrap::{Authority, BootstrapServer, Event};
use lwm2m_client::{BootstrapAccount, BootstrapError, Client, Config, ErrorResponse, Security};
use lwm2m_coap::Code;
use lwm2m_core::ObjectInstance;
use lwm2m_dtls::Mode;
use lwm2m_link::{Engine, Input, Output};
use lwm2m_server::{Operation, Server};
use lwm2m_time::Instant;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, IsCa, Issuer,
    KeyPair, PublicKeyData,
};
use std::sync::{Arc, Mutex};

/// An authority other than the one that issued the devices' built-in certificates.
#[derive(Debug)]
struct Ca {
    issuer: Issuer<'static, KeyPair>,
    certificate: Bytes,
    /// The public keys of the requests.
    asked: Mutex<Vec<Vec<u8>>>,
}

impl Ca {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "the operator");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = Bytes::copy_from_slice(params.self_signed(&key).unwrap().der());
        Self { issuer: Issuer::new(params, key), certificate, asked: Mutex::default() }
    }
}

impl Authority for Ca {
    fn certificate(&self) -> Bytes {
        self.certificate.clone()
    }
    fn issue(&self, endpoint: &str, request: &[u8]) -> Option<Bytes> {
        let mut request = CertificateSigningRequestParams::from_der(&request.into()).ok()?;
        request.params = CertificateParams::default();
        request.params.distinguished_name.push(DnType::CommonName, endpoint);
        self.asked.lock().unwrap().push(request.public_key.der_bytes().to_vec());
        let certificate = request.signed_by(&self.issuer).ok()?;
        Some(Bytes::copy_from_slice(certificate.der()))
    }
}

/// The instance of the Security object of a server that the device goes to with what it was issued.
fn bare(keys: &Keys, mode: i64) -> ObjectInstance {
    let server = keys.security(Mode::Certificate).server_public_key;
    let values = account().with(2, mode).with(3, Bytes::new()).with(5, Bytes::new());
    values.with(4, server).with(14, "server.example.com").with(15, 2_u64)
}

/// The device has a certificate of its maker's; the server trusts the operator's alone.
fn harness(keys: &Keys, authority: Option<Arc<dyn Authority>>, mode: i64) -> Trio<Client> {
    let Security { public_key_or_identity: own, secret_key, server_public_key, usage, .. } =
        keys.security(Mode::Certificate);
    let security = Security::enrolled(own, &secret_key, server_public_key).usage(usage);
    let mut bootstrap_account = BootstrapAccount::new(crate::trio::BOOTSTRAP).secured(security);
    bootstrap_account.uri = "coaps://server.example.com".into();
    let mut device = Config::new(ENDPOINT).bootstrap(bootstrap_account);
    device.dtls = at_a_good_time();
    let maker = keys.server(Mode::Certificate, ENDPOINT);
    let trusted = authority.as_ref().map(|it| it.certificate().to_vec().into());
    let server = keys.server_trusting(trusted.into_iter().collect(), ENDPOINT);
    let bootstrap = lwm2m_bootstrap::Config {
        security: maker.security,
        dtls: maker.dtls,
        authority,
        ..lwm2m_bootstrap::Config::default()
    };
    let mut bootstrap = BootstrapServer::new(bootstrap, [2; 32]);
    bootstrap.configure(ENDPOINT, commands(bare(keys, mode)));
    let device = Client::new(device, crate::trio::objects(), [1; 32]).unwrap();
    Trio::of(device, bootstrap, Server::new(server, [3; 32]))
}

// proves: X509-09
#[test]
fn a_device_registers_with_the_certificate_that_it_was_issued() {
    for mode in [2, 4] {
        let (keys, ca) = (Keys::new(), Arc::new(Ca::new()));
        let mut harness = harness(&keys, Some(Arc::clone(&ca) as Arc<dyn Authority>), mode);
        run(&mut harness);
        assert!(harness.is_registered(ENDPOINT), "{:?}", harness.sim.events(harness.device));
        let certified = Event::Certified { endpoint: ENDPOINT.into() };
        let events: Vec<_> = harness.bootstrap_events().collect();
        assert_eq!(events.first(), Some(&&certified), "{events:?}");
        let asked = ca.asked.lock().unwrap().clone();
        let [key] = &asked[..] else { panic!("asked {} times", asked.len()) };
        assert!(!spki(&keys.device).ends_with(key), "the key is not a new one");
    }
}

#[test]
fn a_certificate_is_renewed_with_the_next_bootstrap() {
    let (keys, ca) = (Keys::new(), Arc::new(Ca::new()));
    let mut harness = harness(&keys, Some(Arc::clone(&ca) as Arc<dyn Authority>), 4);
    run(&mut harness);
    let trigger = Operation::Execute { path: "/1/0/9".parse().unwrap(), arguments: String::new() };
    harness.sim.with(harness.server, |it, now| it.submit(now, ENDPOINT, trigger)).unwrap();
    harness.settle();
    let asked = ca.asked.lock().unwrap().clone();
    let [first, second] = &asked[..] else { panic!("asked {} times", asked.len()) };
    assert_ne!(first, second);
    let begun = |event: &&lwm2m_client::Event| {
        matches!(event, lwm2m_client::Event::SessionBegun { server: 101, .. })
    };
    assert_eq!(
        harness.device_events().filter(begun).count(),
        2,
        "{:?}",
        harness.sim.events(harness.device)
    );
    assert!(harness.is_registered(ENDPOINT));
}

#[test]
fn a_server_without_an_authority_issues_nothing() {
    let mut harness = harness(&Keys::new(), None, 2);
    run(&mut harness);
    let refused = |event: &lwm2m_client::Event| {
        matches!(
            event,
            lwm2m_client::Event::BootstrapFailed {
                reason: BootstrapError::Refused(ErrorResponse { code: Code::NOT_FOUND, .. }),
                retry_at: Some(_),
                ..
            }
        )
    };
    assert!(harness.device_events().any(refused), "{:?}", harness.sim.events(harness.device));
    assert!(!harness.is_registered(ENDPOINT));
}

#[test]
fn a_certificate_for_another_key_is_not_taken() {
    #[derive(Debug)]
    struct Confused(Ca);
    impl Authority for Confused {
        fn certificate(&self) -> Bytes {
            self.0.certificate()
        }
        fn issue(&self, _: &str, _: &[u8]) -> Option<Bytes> {
            Some(self.0.certificate())
        }
    }
    let mut harness = harness(&Keys::new(), Some(Arc::new(Confused(Ca::new()))), 2);
    run(&mut harness);
    let failed = |event: &lwm2m_client::Event| match event {
        lwm2m_client::Event::BootstrapFailed { reason, .. } => Some(reason.to_string()),
        _ => None,
    };
    let reason = harness.device_events().find_map(failed).unwrap();
    assert!(reason.contains("issued no usable certificate"), "{reason}");
}

#[test]
fn certificates_are_for_who_proves_a_name_only() {
    let ca = Arc::new(Ca::new());
    let config = lwm2m_bootstrap::Config {
        authority: Some(Arc::clone(&ca) as Arc<dyn Authority>),
        security: Arc::new(SecurityStore::default()),
        ..lwm2m_bootstrap::Config::default()
    };
    config.security.put(ENDPOINT, Credential::X509).unwrap();
    let mut bootstrap = BootstrapServer::new(config, [2; 32]);
    for (id, (code, name)) in [(1, "crts"), (2, "sen"), (2, "sren")].into_iter().enumerate() {
        let mut request = vec![0x40, code, 0, u8::try_from(id).unwrap(), 0xBB];
        request.extend(b".well-known\x03est");
        request.push(u8::try_from(name.len()).unwrap());
        request.extend(name.as_bytes());
        // Content-Format 286, Accept 287.
        request.extend([0x12, 0x01, 0x1E, 0x52, 0x01, 0x1F]);
        bootstrap.handle(Instant::ZERO, Input::datagram(crate::trio::DEVICE, &request));
        let answer = core::iter::from_fn(|| bootstrap.poll()).find_map(|output| match output {
            Output::Transmit(answer) => Some(answer),
            _ => None,
        });
        let answer = answer.unwrap();
        let code = answer.payload.get(1).map(|code| code >> 5);
        assert_eq!(code, Some(4), "{name}: {answer:?}");
    }
    assert!(ca.asked.lock().unwrap().is_empty());
}
