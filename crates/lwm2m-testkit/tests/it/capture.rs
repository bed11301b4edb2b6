//! A whole session between our engines, as seen on the wire.

use crate::lossy::{
    DEVICE, ENDPOINT, HOUR, Harness, SERVER, TEMPERATURE, device_management, harness, notified,
    registered, set_temperature, success,
};
use lwm2m_coap::{Code, MessageBuilder, MessageType, MessageView, OptionNumber, Options, Token};
use lwm2m_core::{Attribute, ContentFormat, Path};
use lwm2m_server::{Event, Operation};
use lwm2m_testkit::Conditions;
use std::collections::BTreeSet;
use std::time::Duration;

/// The types and code bytes of what was sent since the last look, and by whom.
fn sent(harness: &mut Harness) -> Vec<(std::net::SocketAddr, MessageType, u8)> {
    let capture = harness.sim.network.capture.replace(Vec::new()).unwrap_or_default();
    let look = |it: &lwm2m_testkit::sim::network::InFlight| {
        let view = MessageView::parse(&it.payload).unwrap();
        (it.from, view.kind(), view.code().as_byte())
    };
    capture.iter().map(look).collect()
}

/// A datagram that no engine sends.
fn datagram(kind: MessageType, code: Code, id: u16, path: &[&str], payload: &[u8]) -> Vec<u8> {
    let mut options = Options::new();
    path.iter().for_each(|it| options.push(OptionNumber::URI_PATH, it.as_bytes()));
    if !payload.is_empty() {
        options.push_uint(OptionNumber::CONTENT_FORMAT, ContentFormat::SENML_JSON.0.into());
    }
    let mut datagram = Vec::new();
    let token = Token::new(&id.to_be_bytes()).unwrap();
    MessageBuilder::new(&mut datagram, kind, code, id, token).options(&options).payload(payload);
    datagram
}

/// Runs every operation that the device or the server can start.
fn session(harness: &mut Harness) {
    assert!(harness.run_until(HOUR, |harness| registered(harness)));
    device_management(harness);
    let paths = [TEMPERATURE, Path::resource(3, 0, 0)];
    let (path_format, format) = (None, None);
    success(harness, &Operation::ReadComposite { paths: paths.into(), path_format, format });
    let changes = vec![(Path::resource(3303, 0, 5750), Some("roof".into()))];
    success(harness, &Operation::WriteComposite { changes, format });
    let attributes = vec![Attribute::parse("pmin=0").unwrap()];
    success(harness, &Operation::WriteAttributes { path: TEMPERATURE, attributes });
    success(harness, &Operation::Observe { path: TEMPERATURE, format });
    set_temperature(harness, 33.0);
    assert!(harness.run_until(HOUR, |harness| notified(harness, 33.0)));
    success(harness, &Operation::CancelObservation { target: TEMPERATURE.into() });
    harness.sim.with(harness.device, |it, now| it.update_registration(now, 1));
    harness.sim.run_for(Duration::from_secs(5));
}

// proves: COAP-18
#[test]
fn every_request_of_a_session_is_confirmable_and_others_are_carried_out_once() {
    let mut harness = harness(Conditions::GOOD, 1);
    harness.sim.network.capture = Some(Vec::new());
    session(&mut harness);
    // Execute and Send may be non-confirmable, so they come in both forms.
    sent_are_confirmable(&sent(&mut harness));
    let execute = datagram(MessageType::NonConfirmable, Code::POST, 0x7001, &["1", "0", "8"], b"");
    let values = br#"[{"n":"/3303/0/5700","v":1.5}]"#;
    let send = datagram(MessageType::NonConfirmable, Code::POST, 0x7002, &["dp"], values);
    for _ in 0..2 {
        harness.sim.inject(harness.device, SERVER, false, &execute);
        harness.sim.inject(harness.server, DEVICE, false, &send);
    }
    harness.sim.run_for(Duration::from_secs(5));
    let wire = sent(&mut harness);
    let non = |from| (from, MessageType::NonConfirmable, 0x44);
    for from in [DEVICE, SERVER] {
        assert_eq!(wire.iter().filter(|it| **it == non(from)).count(), 1, "{from}: {wire:?}");
    }
    let updates = (DEVICE, MessageType::Confirmable, 0x02);
    assert_eq!(wire.iter().filter(|it| **it == updates).count(), 1, "one Update: {wire:?}");
    let received = harness
        .sim
        .events(harness.server)
        .iter()
        .filter(|it| matches!(it.1, Event::ValuesReceived { .. }));
    assert_eq!(received.count(), 1);

    harness.sim.with(harness.device, |it, now| it.shutdown(now));
    assert!(
        harness.run_until(HOUR, |harness| harness.sim[harness.server]
            .registration(ENDPOINT)
            .is_none())
    );
    sent_are_confirmable(&sent(&mut harness));
}

fn sent_are_confirmable(wire: &[(std::net::SocketAddr, MessageType, u8)]) {
    let requests = wire.iter().filter(|(_, _, code)| (1..32).contains(code));
    let odd: Vec<_> = requests.filter(|it| it.1 != MessageType::Confirmable).collect();
    assert!(odd.is_empty(), "{odd:?}");
    assert!(!wire.is_empty());
}

// proves: COAP-16
#[test]
fn methods_are_those_of_the_registry_and_others_are_refused() {
    let mut harness = harness(Conditions::GOOD, 1);
    harness.sim.network.capture = Some(Vec::new());
    session(&mut harness);
    let wire = sent(&mut harness);
    let of = |end| {
        let codes = wire.iter().filter(|it| it.0 == end && (1..32).contains(&it.2));
        codes.map(|it| it.2).collect::<BTreeSet<_>>()
    };
    // GET, POST, PUT, DELETE, FETCH (Read-Composite) and iPATCH (Write-Composite).
    assert_eq!(of(SERVER), BTreeSet::from([1, 2, 3, 4, 5, 7]));
    assert_eq!(of(DEVICE), BTreeSet::from([2]), "Register and Update");
    for (id, code) in [(0x7001, 0x06), (0x7002, 0x1f)] {
        let unknown = Code::from_byte(code);
        let request = datagram(MessageType::Confirmable, unknown, id, &["3", "0", "0"], b"");
        harness.sim.inject(harness.device, SERVER, false, &request);
        harness.sim.run_for(Duration::from_secs(1));
        assert_eq!(sent(&mut harness), [(DEVICE, MessageType::Acknowledgement, 0x85)], "{code:#x}");
    }
}
