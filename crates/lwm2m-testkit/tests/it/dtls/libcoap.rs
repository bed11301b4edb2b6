//! CoAP over DTLS and TLS with libcoap's programs, on OpenSSL and on GnuTLS, in both roles.

use lwm2m_testkit::peer::{Material, SecureMode, SecureTool};

const MODES: [SecureMode; 3] = [SecureMode::Psk, SecureMode::RawPublicKey, SecureMode::Certificate];
const SCHEMES: [&str; 2] = ["coaps", "coaps+tcp"];

/// Reads a resource in every mode that the tool has, over datagrams and connections.
fn asks(client: SecureTool, server: SecureTool) {
    if !client.is_available() || !server.is_available() {
        return;
    }
    let keys = Material::new("urn:dev:1").unwrap();
    for mode in MODES {
        if !client.knows(mode) || !server.knows(mode) {
            continue;
        }
        let site = server.serve(mode, &keys, &[]).unwrap();
        for scheme in SCHEMES {
            let body = client.get(mode, &keys, &site.uri(scheme), &[]);
            let body = body.unwrap_or_else(|error| panic!("{mode:?} over {scheme}: {error}"));
            assert!(body.contains("test"), "{mode:?} over {scheme}: {body}");
        }
    }
}

#[test]
fn client_on_openssl() {
    asks(SecureTool::LibcoapOpenssl, SecureTool::Ours);
}

#[test]
fn client_on_gnutls() {
    asks(SecureTool::LibcoapGnutls, SecureTool::Ours);
}

#[test]
fn server_on_openssl() {
    asks(SecureTool::Ours, SecureTool::LibcoapOpenssl);
}

#[test]
fn server_on_gnutls() {
    asks(SecureTool::Ours, SecureTool::LibcoapGnutls);
}

/// Reads a resource by TLS 1.3, as the key log shows.
fn asks_by_tls13(mode: SecureMode, server: SecureTool) {
    if !server.is_available() {
        return;
    }
    let keys = Material::new("urn:dev:1").unwrap();
    let site = server.serve(mode, &keys, &[]).unwrap();
    let flags = ["--tls13", "--keylog", "keys.log"];
    let body = SecureTool::Ours.get(mode, &keys, &site.uri("coaps+tcp"), &flags).unwrap();
    assert!(body.contains("test"), "{body}");
    let log = std::fs::read_to_string(keys.file("keys.log")).unwrap();
    assert!(log.contains("CLIENT_TRAFFIC_SECRET_0 "), "{log}");
}

#[test]
fn version_1_3_with_a_server_on_openssl() {
    asks_by_tls13(SecureMode::Certificate, SecureTool::LibcoapOpenssl);
}

#[test]
fn version_1_3_with_a_server_on_gnutls() {
    asks_by_tls13(SecureMode::Certificate, SecureTool::LibcoapGnutls);
    asks_by_tls13(SecureMode::RawPublicKey, SecureTool::LibcoapGnutls);
}

#[test]
fn version_1_3_with_our_server() {
    asks_by_tls13(SecureMode::Certificate, SecureTool::Ours);
    asks_by_tls13(SecureMode::RawPublicKey, SecureTool::Ours);
}

#[test]
fn keys_of_others_open_nothing() {
    let (ours, other) = (Material::new("urn:dev:1").unwrap(), Material::new("urn:dev:1").unwrap());
    let tool = SecureTool::LibcoapGnutls;
    if !tool.is_available() {
        return;
    }
    for mode in [SecureMode::RawPublicKey, SecureMode::Certificate] {
        let site = SecureTool::Ours.serve(mode, &ours, &[]).unwrap();
        let body = tool.get(mode, &other, &site.uri("coaps+tcp"), &[]);
        assert!(!body.is_ok_and(|body| body.contains("test")), "{mode:?}");
        let site = tool.serve(mode, &other, &[]).unwrap();
        let body = SecureTool::Ours.get(mode, &ours, &site.uri("coaps"), &[]);
        assert!(body.is_err(), "{mode:?}: {body:?}");
    }
}
