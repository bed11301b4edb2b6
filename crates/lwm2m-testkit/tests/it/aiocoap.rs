//! A server on aiocoap and our device.

use lwm2m_testkit::peer::{AiocoapServer, Device, Kind};

fn start() -> Option<(AiocoapServer, Device, String)> {
    let mut server = AiocoapServer::start().unwrap()?;
    let mut device = Device::start(Kind::Ours, server.address, "device-2", 300).unwrap();
    let registration = server.wait_for("registered").unwrap();
    device.wait_until_registered().unwrap();
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

// proves: READ-02
#[test]
fn device_is_read_in_the_accepted_format() {
    let Some((mut server, _device, _)) = start() else { return };
    for (accept, path) in [
        (0, "/3/0/0"),
        (60, "/3/0/9"),
        (110, "/3/0"),
        (112, "/3/0"),
        (11542, "/3"),
        (11542, "/3/0/0"),
        (40, "/3/0"),
    ] {
        let answer = server.ask(&format!("get {path} accept={accept}")).unwrap();
        assert!(answer.starts_with(&format!("2.05 {accept} ")), "{path} in {accept}: {answer}");
    }
    for (accept, path) in [(0, "/3/0"), (9999, "/3/0/0"), (42, "/3/0/0")] {
        let answer = server.ask(&format!("get {path} accept={accept}")).unwrap();
        assert!(answer.starts_with("4.06"), "{path} in {accept}: {answer}");
    }
}

// proves: READ-04
#[test]
fn device_lacks_what_it_lacks() {
    let Some((mut server, _device, _)) = start() else { return };
    for path in ["/50", "/3/1", "/3/0/50", "/3/0/11/9"] {
        let answer = server.ask(&format!("get {path}")).unwrap();
        assert!(answer.starts_with("4.04"), "{path}: {answer}");
    }
}

#[test]
fn device_is_written_observed_and_executed() {
    let Some((mut server, _device, _)) = start() else { return };
    let write = |offset| format!("put /3/0/14 format=0 payload={}", hex(offset));
    assert_eq!(server.ask(&write("+01")).unwrap(), "2.04 none");
    assert_eq!(server.ask("get /3/0/14 accept=0").unwrap(), format!("2.05 0 {}", hex("+01")));
    let answer = server.ask("observe /3/0/14").unwrap();
    assert!(answer.starts_with("2.05"), "{answer}");
    assert_eq!(server.ask(&write("+02")).unwrap(), "2.04 none");
    let notification = server.wait_for("notification").unwrap();
    assert!(notification.starts_with("2.05"), "{notification}");
    assert!(notification.ends_with(&hex("+02")), "{notification}");
    assert_eq!(server.ask("post /1/0/8").unwrap(), "2.04 none");
    server.wait_for("updated").unwrap();
    assert_eq!(server.ask("put /1/0/1 format=0 payload=323030").unwrap(), "2.04 none");
    assert_eq!(server.wait_for("updated").unwrap(), "lt=200");
}

// proves: REG-17
#[test]
fn device_registers_again_when_it_is_forgotten() {
    let Some((mut server, _device, _)) = start() else { return };
    server.ask("lose /").unwrap();
    server.ask("post /1/0/8").unwrap();
    let registration = server.wait_for("registered").unwrap();
    assert!(registration.contains("</3/0>"), "with all of it: {registration}");
    assert!(server.ask("get /3/0/0").unwrap().starts_with("2.05"));
}

#[test]
fn forgotten_observation_ends_with_the_next_notification() {
    let Some((mut server, _device, _)) = start() else { return };
    server.ask("observe /3/0/14").unwrap();
    server.ask("forget /3/0/14").unwrap();
    for offset in ["+01", "+02"] {
        let write = format!("put /3/0/14 format=0 payload={}", hex(offset));
        assert_eq!(server.ask(&write).unwrap(), "2.04 none");
    }
    server.ask("observe /3/0/14").unwrap();
    server.ask(&format!("put /3/0/14 format=0 payload={}", hex("+03"))).unwrap();
    let notification = server.wait_for("notification").unwrap();
    assert!(notification.ends_with(&hex("+03")), "only the new observation: {notification}");
}

// proves: READ-06
#[test]
fn security_is_not_for_servers() {
    let Some((mut server, _device, _)) = start() else { return };
    for command in [
        "get /0",
        "get /0/0/0",
        "put /0/0/0 format=0 payload=41",
        "put /0?pmin=30&pmax=45",
        "post /0 format=11542 payload=",
        "delete /0/0",
        "observe /21",
    ] {
        let answer = server.ask(command).unwrap();
        assert!(answer.starts_with("4.01"), "{command}: {answer}");
    }
}

#[test]
fn device_refuses_what_is_wrong() {
    let Some((mut server, _device, _)) = start() else { return };
    for (command, code, why) in [
        ("get /3/0/4", "4.05", "executable"),
        ("put /3/0/0 format=0 payload=41", "4.05", "read-only"),
        ("put /3/0/14 payload=41", "4.00", "no format"),
        ("put /3/0/14 format=9999 payload=41", "4.15", "unknown format"),
        ("put /3/0/14 format=11542 payload=ff", "4.00", "no TLV"),
        ("put /3/0/14 format=110 payload=5b", "4.00", "no JSON"),
        ("put /3/0/14 format=112 payload=81", "4.00", "no CBOR"),
        ("put /1/0/1 format=0 payload=736f6f6e", "4.00", "no integer"),
        ("put /1/9/1 format=0 payload=31", "4.04", "no such instance"),
        ("post /3/0/0", "4.05", "not executable"),
        ("post /3/0/9999", "4.04", "no such resource"),
        ("post /3/0/4 payload=61", "4.00", "no arguments"),
        ("put /3/0/9?pmin=-1", "4.00", "negative period"),
        ("put /3/0/0?gt=5", "4.00", "not numeric"),
        ("put /3?dim=2", "4.00", "not writable attribute"),
        ("get /0/x", "4.0", "no path of numbers"),
        ("delete /", "4.05", "all"),
        ("delete /3", "4.05", "an object"),
        ("delete /3/0", "4.05", "the device"),
        ("delete /3/0/14", "4.05", "a single resource"),
        ("post /50 format=11542 payload=", "4.04", "no such object"),
    ] {
        let answer = server.ask(command).unwrap();
        assert!(answer.starts_with(code), "{why}: {command} gave {answer}");
    }
    assert!(server.ask("get /3/0/0 accept=0").unwrap().starts_with("2.05"));
}
