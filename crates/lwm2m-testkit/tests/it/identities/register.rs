//! Register, Update, De-register and Send by the identity of the session.

use super::{Device, Harness, dtls, psk, psk_credential, psk_store};
use lwm2m_coap::{Code, Event as CoapEvent, Request};
use lwm2m_dtls::{Mode, Reason};
use lwm2m_link::{Identity, LinkEvent};
use lwm2m_server::security::{Mismatch, OwnCredentials, SecurityStore, Unlisted};
use lwm2m_server::{Config, Event, Server};
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) const QUERY: &str = "lt=86400&lwm2m=1.1&b=U";

/// A server with a store.
pub(super) fn server(security: Arc<SecurityStore>) -> Harness<Server> {
    let config = Config::default().security(security).dtls(Some(dtls()));
    Harness::new(Server::new(config, [7; 32]))
}

/// A Register as `endpoint`, or without a name.
pub(super) fn register(endpoint: Option<&str>) -> Request {
    let request = Request::post().path(["rd"]).content_format(40).payload("</1/0>,</3/0>");
    let request = endpoint.into_iter().fold(request, |it, name| it.query(&format!("ep={name}")));
    QUERY.split('&').fold(request, |request, part| request.query(part))
}

/// A request to a location.
pub(super) fn at(request: Request, location: &str) -> Request {
    request.path(location.split('/').filter(|part| !part.is_empty()))
}

/// Registers a device and returns its location.
pub(super) fn registered(harness: &mut Harness<Server>, device: usize, endpoint: &str) -> String {
    let answer = harness.ask(device, register(Some(endpoint))).expect("an answer");
    assert_eq!(answer.code, Code::CREATED, "{:?}", answer.payload);
    let parts = answer.options.location_path();
    parts.map(|part| format!("/{}", str::from_utf8(part).unwrap())).collect()
}

pub(super) fn code(harness: &mut Harness<Server>, device: usize, request: Request) -> Code {
    harness.ask(device, request).expect("an answer").code
}

// proves: SEC-23
#[test]
fn a_device_is_believed_its_own_name_alone() {
    let mut harness = server(psk_store());
    let b = harness.device(psk(b"id-b", b"key b"));
    let location = registered(&mut harness, b, "b");
    let before = harness.sim[harness.server].registration("b").unwrap().clone();
    let a = harness.device(psk(b"id-a", b"key a"));
    harness.events();
    assert_eq!(code(&mut harness, a, register(Some("b"))), Code::BAD_REQUEST);
    let events = harness.events();
    let [Event::NameRefused(refused)] = &events[..] else { panic!("{events:?}") };
    assert_eq!((refused.reason, refused.claimed.as_deref()), (Mismatch::OtherEndpoint, Some("b")));
    assert_eq!(refused.address, harness.devices[a].address);
    assert!(refused.to_string().contains("\"id-a\""), "{refused}");
    assert_eq!(code(&mut harness, a, at(Request::post(), &location)), Code::NOT_FOUND);
    assert_eq!(code(&mut harness, a, at(Request::delete(), &location)), Code::NOT_FOUND);
    assert_eq!(harness.sim[harness.server].registration("b"), Some(&before));
    assert_eq!(harness.sim[harness.server].registrations().count(), 1);
    assert_eq!(code(&mut harness, b, at(Request::post(), &location)), Code::CHANGED);
    registered(&mut harness, a, "a");
    assert_eq!(code(&mut harness, b, at(Request::delete(), &location)), Code::DELETED);
}

// proves: SEC-24
#[test]
fn an_endpoint_with_credentials_cannot_do_without() {
    let mut harness = server(psk_store());
    let plain = harness.device(None);
    let refused = harness.ask(plain, register(Some("a"))).unwrap();
    assert_eq!(refused.code, Code::FORBIDDEN);
    assert!(refused.payload.is_empty(), "strangers get no text; the event says what to do");
    let events = harness.events();
    let [Event::NameRefused(refused)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(refused.reason, Mismatch::CredentialsNeeded);
    assert_eq!(harness.sim[harness.server].registrations().count(), 0);
    registered(&mut harness, plain, "c");
    for unlisted in [Unlisted::Certified, Unlisted::Refused] {
        let own = OwnCredentials::default().unlisted(unlisted);
        let mut harness = server(Arc::new(SecurityStore::new(own)));
        let plain = harness.device(None);
        assert_eq!(code(&mut harness, plain, register(Some("c"))), Code::FORBIDDEN);
    }
}

// REG-24 as a whole needs OSCORE; this is the part of pre-shared keys.
#[test]
fn a_missing_name_is_that_of_the_identity() {
    let mut harness = server(psk_store());
    let a = harness.device(psk(b"id-a", b"key a"));
    assert_eq!(code(&mut harness, a, register(None)), Code::CREATED);
    let registration = harness.sim[harness.server].registration("a").unwrap();
    let identity = lwm2m_dtls::Identity::Psk("id-a".into());
    assert_eq!(registration.identity, Identity::Secured(identity));
    // LwM2M 1.0 has no Register without a name.
    let old = Request::post().path(["rd"]).query("lt=60").content_format(40).payload("</3/0>");
    assert_eq!(code(&mut harness, a, old), Code::BAD_REQUEST);
    let plain = harness.device(None);
    assert_eq!(code(&mut harness, plain, register(None)), Code::BAD_REQUEST);
}

#[test]
fn values_are_taken_in_a_new_session_of_a_registered_device() {
    let mut harness = server(psk_store());
    let a = harness.device(psk(b"id-a", b"key a"));
    registered(&mut harness, a, "a");
    harness.reboot(a, psk(b"id-a", b"key a"));
    let b = harness.device(psk(b"id-b", b"key b"));
    let pack = r#"[{"n":"/3/0/9","v":5}]"#;
    let send = || Request::post().path(["dp"]).content_format(110).payload(pack);
    harness.events();
    assert_eq!(code(&mut harness, b, send()), Code::NOT_FOUND);
    assert_eq!(code(&mut harness, a, send()), Code::CHANGED);
    let events = harness.events();
    let [Event::ValuesReceived { registration, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(&*registration.endpoint, "a");
}

// proves: PSK-04
#[test]
fn an_unknown_identity_gets_no_session() {
    let mut harness = server(psk_store());
    let a = harness.device(psk(b"id-a", b"key a"));
    let location = registered(&mut harness, a, "a");
    harness.events();
    let nobody = harness.device(psk(b"nobody", b"key a"));
    assert!(harness.ask_unanswered(nobody, register(Some("a"))));
    let alerts: Vec<_> = harness.sessions(nobody).map(alert).collect();
    assert_eq!(alerts, [Some(115)]);
    let events = harness.events();
    let [Event::HandshakeFailed(failure)] = &events[..] else { panic!("{events:?}") };
    let identity = "nobody".into();
    assert_eq!(failure.reason, Reason::UnknownIdentity { identity });
    assert_eq!(failure.mode, Some(Mode::Psk));
    let address = harness.devices[nobody].address;
    assert_eq!((failure.address, failure.to_string().contains("nobody")), (address, true));
    assert_eq!(code(&mut harness, a, at(Request::post(), &location)), Code::CHANGED);
}

/// The alert that ended a handshake.
fn alert(event: &lwm2m_link::SecurityEvent) -> Option<u8> {
    match event {
        lwm2m_link::SecurityEvent::Failed(failure) => match failure.reason {
            Reason::PeerAlert(alert) => Some(alert.0),
            _ => None,
        },
        _ => None,
    }
}

#[test]
fn identities_and_keys_of_any_bytes() {
    let (odd, key) = ([0x00, 0xff].repeat(64), [0xa5; 64]);
    let store = SecurityStore::default();
    store.put("odd", psk_credential(&odd, &key)).unwrap();
    store.put("case", psk_credential(b"Name", b"key")).unwrap();
    let mut harness = server(Arc::new(store));
    let device = harness.device(psk(&odd, &key));
    registered(&mut harness, device, "odd");
    let lower = harness.device(psk(b"name", b"key"));
    assert!(harness.ask_unanswered(lower, register(Some("case"))));
    let right = harness.device(psk(b"Name", b"key"));
    registered(&mut harness, right, "case");
}

impl Harness<Server> {
    /// Whether a device's request gets no answer at all.
    pub(super) fn ask_unanswered(&mut self, device: usize, request: Request) -> bool {
        let before = self.sim[self.server].registrations().count();
        let Device { node, peer, .. } = self.devices[device];
        // An error if the handshake has failed.
        let _ = self.sim.with(node, |it, now| it.link.coap().request(now, peer, request));
        self.sim.run_for(std::time::Duration::from_secs(300));
        let is = |event: &LinkEvent| matches!(event, LinkEvent::Coap(CoapEvent::Response { .. }));
        let answered = self.heard(device).any(is);
        !answered && self.sim[self.server].registrations().count() == before
    }
}

#[test]
fn who_has_proven_an_address_is_told_when_to_come_back() {
    let config = Config::default().security(psk_store()).dtls(Some(dtls()));
    let config = config.max_registers_per_second(1);
    let mut harness = Harness::new(Server::new(config, [7; 32]));
    let [a, b] = [(b"id-a", b"key a"), (b"id-b", b"key b")]
        .map(|(identity, key)| harness.device(psk(identity, key)));
    let strangers = [harness.device(None), harness.device(None)];
    // Without security there is a limit of its own.
    assert_eq!(code(&mut harness, strangers[0], register(Some("c"))), Code::CREATED);
    assert_eq!(code(&mut harness, a, register(Some("a"))), Code::CREATED);
    let waits: BTreeSet<_> = (0..20)
        .map(|_| {
            let answer = harness.ask(b, register(Some("b"))).expect("an answer");
            assert_eq!(answer.code, Code::SERVICE_UNAVAILABLE);
            answer.options.max_age().expect("a time to wait")
        })
        .collect();
    assert!(waits.iter().all(|seconds| (60..=180).contains(seconds)), "{waits:?}");
    assert!(waits.len() > 10, "each at another time: {waits:?}");
    let answer = harness.ask(strangers[1], register(Some("d"))).expect("an answer");
    let told = (answer.code, answer.options.max_age(), answer.payload.len());
    assert_eq!(told, (Code::SERVICE_UNAVAILABLE, None, 0));
}
