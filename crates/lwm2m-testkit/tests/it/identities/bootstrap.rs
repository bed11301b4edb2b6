//! Bootstrap-Request and Bootstrap-Pack-Request by the same rules.

use super::{Harness, dtls, psk, psk_store};
use lwm2m_bootstrap::{BootstrapServer, Command, Config, Event, SessionError};
use lwm2m_coap::{Code, Request};
use lwm2m_core::Path;

fn server() -> Harness<BootstrapServer> {
    let config = Config { security: psk_store(), dtls: Some(dtls()), ..Config::default() };
    let mut server = BootstrapServer::new(config, [7; 32]);
    for endpoint in ["a", "b", "c"] {
        server.configure(endpoint, vec![Command::Discover(Path::ROOT)]);
    }
    Harness::new(server)
}

fn ask(endpoint: Option<&str>, pack: bool) -> Request {
    let request = match pack {
        true => Request::get().path(["bspack"]),
        false => Request::post().path(["bs"]),
    };
    endpoint.into_iter().fold(request, |it, name| it.query(&format!("ep={name}")))
}

fn code(harness: &mut Harness<BootstrapServer>, device: usize, request: Request) -> Code {
    harness.ask(device, request).expect("an answer").code
}

#[test]
fn a_device_is_told_its_own_secrets_alone() {
    for pack in [false, true] {
        let mut harness = server();
        let done = if pack { Code::CONTENT } else { Code::CHANGED };
        let a = harness.device(psk(b"id-a", b"key a"));
        assert_eq!(code(&mut harness, a, ask(Some("b"), pack)), Code::BAD_REQUEST);
        assert!(
            matches!(&harness.events()[..], [Event::NameRefused(it)] if it.claimed.as_deref() == Some("b"))
        );
        assert_eq!(code(&mut harness, a, ask(Some("c"), pack)), Code::BAD_REQUEST);
        assert_eq!(code(&mut harness, a, ask(Some("a"), pack)), done);
        assert_eq!(code(&mut harness, a, ask(None, pack)), done);
        let plain = harness.device(None);
        assert_eq!(code(&mut harness, plain, ask(Some("a"), pack)), Code::FORBIDDEN);
        assert_eq!(code(&mut harness, plain, ask(None, pack)), Code::BAD_REQUEST);
        assert_eq!(code(&mut harness, plain, ask(Some("c"), pack)), done);
    }
}

#[test]
fn a_bootstrap_ends_with_the_credentials() {
    let mut harness = server();
    let a = harness.device(psk(b"id-a", b"key a"));
    harness.sim[harness.devices[a].node].silent = true;
    assert_eq!(code(&mut harness, a, ask(Some("a"), false)), Code::CHANGED);
    harness.events();
    assert!(
        harness.sim.with(harness.server, |it, now| it.remove_credential(now, "b")),
        "which is another one's"
    );
    harness.sim.settle();
    assert_eq!(harness.events(), []);
    assert!(harness.sim.with(harness.server, |it, now| it.remove_credential(now, "a")));
    harness.sim.settle();
    let reason = SessionError::CredentialsChanged;
    assert_eq!(harness.events(), [Event::Failed { endpoint: "a".into(), reason }]);
    assert!(harness.has_ended(a));
}
