//! Bootstrap-Request and Bootstrap-Pack-Request by the same rules.

use super::{Bed, dtls, psk, psk_store};
use lwm2m_bootstrap::{BootstrapServer, Command, Config, Event, SessionError};
use lwm2m_coap::{Code, Request};
use lwm2m_core::Path;
use lwm2m_link::SecurityEvent;

fn server() -> Bed<BootstrapServer> {
    let config = Config { security: psk_store(), dtls: Some(dtls()), ..Config::default() };
    let mut server = BootstrapServer::new(config, [7; 32]);
    for endpoint in ["a", "b", "c"] {
        server.configure(endpoint, vec![Command::Discover(Path::ROOT)]);
    }
    Bed::new(server)
}

fn ask(endpoint: Option<&str>, pack: bool) -> Request {
    let request = match pack {
        true => Request::get().path(["bspack"]),
        false => Request::post().path(["bs"]),
    };
    endpoint.into_iter().fold(request, |it, name| it.query(&format!("ep={name}")))
}

fn code(bed: &mut Bed<BootstrapServer>, device: usize, request: Request) -> Code {
    bed.ask(device, request).expect("an answer").code
}

#[test]
fn a_device_is_told_its_own_secrets_alone() {
    for pack in [false, true] {
        let mut bed = server();
        let done = if pack { Code::CONTENT } else { Code::CHANGED };
        let a = bed.device(psk(b"id-a", b"key a"));
        assert_eq!(code(&mut bed, a, ask(Some("b"), pack)), Code::BAD_REQUEST);
        let told = &bed.events[..];
        assert!(matches!(told, [Event::NameRefused(it)] if it.claimed.as_deref() == Some("b")));
        assert_eq!(code(&mut bed, a, ask(Some("c"), pack)), Code::BAD_REQUEST);
        assert_eq!(code(&mut bed, a, ask(Some("a"), pack)), done);
        assert_eq!(code(&mut bed, a, ask(None, pack)), done);
        let plain = bed.device(None);
        assert_eq!(code(&mut bed, plain, ask(Some("a"), pack)), Code::FORBIDDEN);
        assert_eq!(code(&mut bed, plain, ask(None, pack)), Code::BAD_REQUEST);
        assert_eq!(code(&mut bed, plain, ask(Some("c"), pack)), done);
    }
}

#[test]
fn a_bootstrap_ends_with_the_credentials() {
    let mut bed = server();
    let a = bed.device(psk(b"id-a", b"key a"));
    bed.devices[a].silent = true;
    assert_eq!(code(&mut bed, a, ask(Some("a"), false)), Code::CHANGED);
    bed.events.clear();
    assert!(bed.server.remove_credential(bed.now, "b"), "which is another one's");
    bed.settle();
    assert_eq!(bed.events, []);
    assert!(bed.server.remove_credential(bed.now, "a"));
    bed.settle();
    let reason = SessionError::CredentialsChanged;
    assert_eq!(bed.events, [Event::Failed { endpoint: "a".into(), reason }]);
    let ended = |event: &SecurityEvent| matches!(event, SecurityEvent::Ended { .. });
    assert!(bed.devices[a].events.iter().any(ended), "{:?}", bed.devices[a].events);
}
