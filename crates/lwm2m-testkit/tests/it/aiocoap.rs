//! A server on aiocoap and our device.

use lwm2m_testkit::peer::{AiocoapServer, Device, Kind};

fn start() -> Option<(AiocoapServer, Device, String)> {
    let mut server = AiocoapServer::start().unwrap()?;
    let device = Device::start(Kind::Ours, server.address, "device-2", 300).unwrap();
    let registration = server.wait_for("registered").unwrap();
    Some((server, device, registration))
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn device_registers_and_deregisters() {
    let Some((mut server, mut device, registration)) = start() else { return };
    let (query, payload) = registration.split_once(' ').unwrap();
    for wanted in ["ep=device-2", "lt=300", "lwm2m=1.1"] {
        assert!(query.split('&').any(|it| it == wanted), "no {wanted} in {query}");
    }
    for wanted in ["</1/0>", "</3/0>"] {
        assert!(payload.split(',').any(|it| it.starts_with(wanted)), "no {wanted} in {payload}");
    }
    device.stop().unwrap();
    server.wait_for("deregistered").unwrap();
}

#[test]
fn device_is_read_in_the_accepted_format() {
    let Some((mut server, _device, _)) = start() else { return };
    for (accept, path) in
        [(0, "/3/0/0"), (110, "/3/0"), (112, "/3/0"), (11542, "/3"), (11542, "/3/0/0")]
    {
        let answer = server.ask(&format!("get {path} {accept}")).unwrap();
        assert!(answer.starts_with(&format!("2.05 {accept} ")), "{path}: {answer}");
    }
    let answer = server.ask("get /3/0 0").unwrap();
    assert!(answer.starts_with("4.06"), "an instance has no text: {answer}");
    let answer = server.ask("get /3/0 40").unwrap();
    assert!(answer.starts_with("2.05 40"), "Discover: {answer}");
}

#[test]
fn device_is_written_observed_and_executed() {
    let Some((mut server, _device, _)) = start() else { return };
    assert_eq!(server.ask(&format!("put /3/0/14 0 {}", hex("+01"))).unwrap(), "2.04 none");
    assert_eq!(server.ask("get /3/0/14 0").unwrap(), format!("2.05 0 {}", hex("+01")));
    let answer = server.ask("observe /3/0/14").unwrap();
    assert!(answer.starts_with("2.05"), "{answer}");
    assert_eq!(server.ask(&format!("put /3/0/14 0 {}", hex("+02"))).unwrap(), "2.04 none");
    let notification = server.wait_for("notification").unwrap();
    assert!(notification.ends_with(&hex("+02")), "{notification}");
    assert!(notification.starts_with("2.05"), "{notification}");
    assert_eq!(server.ask("post /1/0/8").unwrap(), "2.04 none");
    server.wait_for("updated").unwrap();
}

#[test]
fn device_refuses_what_is_wrong() {
    let Some((mut server, _device, _)) = start() else { return };
    for (command, code, why) in [
        ("get /3/0/99", "4.04", "no such resource"),
        ("get /9999", "4.04", "no such object"),
        ("get /3/0/4", "4.05", "executable"),
        ("put /3/0/0 0 41", "4.05", "read-only"),
        ("put /3/0/14 9999 41", "4.15", "unknown format"),
        ("put /3/0/14 11542 ff", "4.00", "no TLV"),
        ("put /1/0/1 0 736f6f6e", "4.00", "no integer"),
        ("delete /3/0", "4.05", "the device stays"),
        ("get /0/0", "4.01", "security is not for servers"),
    ] {
        let answer = server.ask(command).unwrap();
        assert!(answer.starts_with(code), "{why}: {command} gave {answer}");
    }
}
