//! Register, Update, De-register and Send by the identity of the session.

use super::{Bed, Device, dtls, psk, psk_credential, psk_store};
use lwm2m_coap::{Code, Request};
use lwm2m_dtls::{Mode, Reason};
use lwm2m_link::Identity;
use lwm2m_server::security::{Mismatch, OwnCredentials, SecurityStore, Unlisted};
use lwm2m_server::{Config, Event, Server};
use std::sync::Arc;

pub(super) const QUERY: &str = "lt=86400&lwm2m=1.1&b=U";

/// A server with a store.
pub(super) fn server(security: Arc<SecurityStore>) -> Bed<Server> {
    let config = Config::default().security(security).dtls(Some(dtls()));
    Bed::new(Server::new(config, [7; 32]))
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
pub(super) fn registered(bed: &mut Bed<Server>, device: usize, endpoint: &str) -> String {
    let answer = bed.ask(device, register(Some(endpoint))).expect("an answer");
    assert_eq!(answer.code, Code::CREATED, "{:?}", answer.payload);
    let parts = answer.options.location_path();
    parts.map(|part| format!("/{}", str::from_utf8(part).unwrap())).collect()
}

pub(super) fn code(bed: &mut Bed<Server>, device: usize, request: Request) -> Code {
    bed.ask(device, request).expect("an answer").code
}

// proves: SEC-23
#[test]
fn a_device_is_believed_its_own_name_alone() {
    let mut bed = server(psk_store());
    let b = bed.device(psk(b"id-b", b"key b"));
    let location = registered(&mut bed, b, "b");
    let before = bed.server.registration("b").unwrap().clone();
    let a = bed.device(psk(b"id-a", b"key a"));
    bed.events.clear();
    assert_eq!(code(&mut bed, a, register(Some("b"))), Code::BAD_REQUEST);
    let [Event::NameRefused(refused)] = bed.events.as_slice() else { panic!("{:?}", bed.events) };
    assert_eq!((refused.reason, refused.claimed.as_deref()), (Mismatch::OtherEndpoint, Some("b")));
    assert_eq!(refused.address, bed.devices[a].address);
    assert!(refused.to_string().contains("\"id-a\""), "{refused}");
    assert_eq!(code(&mut bed, a, at(Request::post(), &location)), Code::NOT_FOUND);
    assert_eq!(code(&mut bed, a, at(Request::delete(), &location)), Code::NOT_FOUND);
    assert_eq!(bed.server.registration("b"), Some(&before));
    assert_eq!(bed.server.registrations().count(), 1);
    assert_eq!(code(&mut bed, b, at(Request::post(), &location)), Code::CHANGED);
    registered(&mut bed, a, "a");
    assert_eq!(code(&mut bed, b, at(Request::delete(), &location)), Code::DELETED);
}

// proves: SEC-24
#[test]
fn an_endpoint_with_credentials_cannot_do_without() {
    let mut bed = server(psk_store());
    let plain = bed.device(None);
    let refused = bed.ask(plain, register(Some("a"))).unwrap();
    assert_eq!(refused.code, Code::FORBIDDEN);
    assert!(refused.payload.windows(5).any(|text| text == b"coaps"), "says what to do");
    let [Event::NameRefused(refused)] = bed.events.as_slice() else { panic!("{:?}", bed.events) };
    assert_eq!(refused.reason, Mismatch::CredentialsNeeded);
    assert_eq!(bed.server.registrations().count(), 0);
    registered(&mut bed, plain, "c");
    for unlisted in [Unlisted::Certified, Unlisted::Refused] {
        let own = OwnCredentials::default().unlisted(unlisted);
        let mut bed = server(Arc::new(SecurityStore::new(own)));
        let plain = bed.device(None);
        assert_eq!(code(&mut bed, plain, register(Some("c"))), Code::FORBIDDEN);
    }
}

// REG-24 as a whole needs OSCORE; this is the part of pre-shared keys.
#[test]
fn a_missing_name_is_that_of_the_identity() {
    let mut bed = server(psk_store());
    let a = bed.device(psk(b"id-a", b"key a"));
    assert_eq!(code(&mut bed, a, register(None)), Code::CREATED);
    let registration = bed.server.registration("a").unwrap();
    let identity = lwm2m_dtls::Identity::Psk("id-a".into());
    assert_eq!(registration.identity, Identity::Secured(identity));
    // LwM2M 1.0 has no Register without a name.
    let old = Request::post().path(["rd"]).query("lt=60").content_format(40).payload("</3/0>");
    assert_eq!(code(&mut bed, a, old), Code::BAD_REQUEST);
    let plain = bed.device(None);
    assert_eq!(code(&mut bed, plain, register(None)), Code::BAD_REQUEST);
}

#[test]
fn values_are_taken_in_a_new_session_of_a_registered_device() {
    let mut bed = server(psk_store());
    let a = bed.device(psk(b"id-a", b"key a"));
    registered(&mut bed, a, "a");
    bed.reboot(a, psk(b"id-a", b"key a"));
    let b = bed.device(psk(b"id-b", b"key b"));
    let pack = r#"[{"n":"/3/0/9","v":5}]"#;
    let send = || Request::post().path(["dp"]).content_format(110).payload(pack);
    bed.events.clear();
    assert_eq!(code(&mut bed, b, send()), Code::NOT_FOUND);
    assert_eq!(code(&mut bed, a, send()), Code::CHANGED);
    let [Event::ValuesReceived { registration, .. }] = bed.events.as_slice() else { panic!() };
    assert_eq!(&*registration.endpoint, "a");
}

// proves: PSK-04
#[test]
fn an_unknown_identity_gets_no_session() {
    let mut bed = server(psk_store());
    let a = bed.device(psk(b"id-a", b"key a"));
    let location = registered(&mut bed, a, "a");
    bed.events.clear();
    let nobody = bed.device(psk(b"nobody", b"key a"));
    assert!(bed.ask_unanswered(nobody, register(Some("a"))));
    let alerts: Vec<_> = bed.devices[nobody].events.iter().map(alert).collect();
    assert_eq!(alerts, [Some(115)]);
    let [Event::HandshakeFailed(failure)] = bed.events.as_slice() else { panic!() };
    let identity = "nobody".into();
    assert_eq!(failure.reason, Reason::UnknownIdentity { identity });
    assert_eq!(failure.mode, Some(Mode::Psk));
    let address = bed.devices[nobody].address;
    assert_eq!((failure.address, failure.to_string().contains("nobody")), (address, true));
    assert_eq!(code(&mut bed, a, at(Request::post(), &location)), Code::CHANGED);
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
    let mut bed = server(Arc::new(store));
    let device = bed.device(psk(&odd, &key));
    registered(&mut bed, device, "odd");
    let lower = bed.device(psk(b"name", b"key"));
    assert!(bed.ask_unanswered(lower, register(Some("case"))));
    let right = bed.device(psk(b"Name", b"key"));
    registered(&mut bed, right, "case");
}

impl Bed<Server> {
    /// Whether a request of a device is not even heard.
    pub(super) fn ask_unanswered(&mut self, device: usize, request: Request) -> bool {
        let before = self.server.registrations().count();
        let Device { link, peer, .. } = &mut self.devices[device];
        // A peer whose handshake has failed takes no request.
        let _ = link.coap().request(self.now, *peer, request);
        self.pass(std::time::Duration::from_secs(300));
        let answered = self.devices[device].answers.iter().any(|(_, answer)| answer.is_ok());
        !answered && self.server.registrations().count() == before
    }
}
