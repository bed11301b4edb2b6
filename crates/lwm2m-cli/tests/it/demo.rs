//! `lwm2m demo`

use crate::{failure, success};
use std::net::{TcpListener, UdpSocket};

#[test]
fn the_tour_passes() {
    let table = success(&["demo", "--once"], b"");
    let steps: Vec<_> = table.lines().skip(1).filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(
        steps,
        [
            "register",
            "register",
            "register",
            "register",
            "register",
            "refuse",
            "update",
            "read",
            "read",
            "discover",
            "write",
            "execute",
            "write-attributes",
            "observe",
            "cancel",
            "create",
            "read",
            "delete",
            "deregister"
        ],
        "{table}"
    );
    assert!(!table.contains("FAILED"), "{table}");
    for known in [
        "nothing, secure: false",
        "\"psk\", secure: true",
        "\"rpk\", secure: true",
        "\"x509\", secure: true",
        "PSK by TLS    2.01, b=T, stored: \"psk\", secure: true",
    ] {
        assert!(table.contains(known), "{known}: {table}");
    }
    assert!(table.contains("the peer's public key is not the configured one"), "{table}");
}

#[test]
fn a_port_in_use_is_told_in_one_line() {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = udp.local_addr().unwrap().to_string();
    let error = failure(&["demo", "--once", "--coap", &address], 2);
    assert!(error.contains(&format!("for coap on {address}:")), "{error}");
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap().to_string();
    let error = failure(&["demo", "--once", "--http", &address], 2);
    assert!(error.contains("HTTP") && error.contains(&address), "{error}");
}
