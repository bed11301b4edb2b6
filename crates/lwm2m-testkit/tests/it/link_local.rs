//! A server and a device that know each other by link-local addresses.

use lwm2m_testkit::peer::Namespaces;

// proves: COAP-27
#[test]
fn device_registers_by_an_address_with_a_zone() {
    let Some(namespaces) = Namespaces::new() else { return };
    let mut server = namespaces.server().unwrap();
    let _device = namespaces.device("on-the-link").unwrap();
    let registered = |line: &str| {
        (line.contains("registered") && line.contains("on-the-link")).then(|| line.to_owned())
    };
    let line = server.wait_for("the registration", registered).unwrap();
    assert!(line.contains("fe80::2"), "{line}");
}
