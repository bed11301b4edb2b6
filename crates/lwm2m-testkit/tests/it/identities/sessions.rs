//! Registrations and the sessions that they live in.

use super::register::{at, code, register, registered, server};
use super::{Device, SERVER, dtls, psk, psk_credential, psk_store};
use lwm2m_coap::{Code, Request};
use lwm2m_core::Path;
use lwm2m_link::{Engine, Input, SecurityEvent};
use lwm2m_server::{
    Content, DeregistrationReason, Event, ObservationEnd, Operation, OperationError, SubmitError,
};
use std::time::Duration;

fn read() -> Operation {
    Operation::Read { path: Path::resource(3, 0, 9), format: None }
}

// proves: SEC-25
#[test]
fn requests_go_into_sessions_of_the_identity_alone() {
    let mut bed = server(psk_store());
    let a = bed.device(psk(b"id-a", b"key a"));
    let location = registered(&mut bed, a, "a");
    // Another device takes the address, as behind an address translator.
    bed.reboot(a, psk(b"id-b", b"key b"));
    registered(&mut bed, a, "b");
    let heard = bed.devices[a].requests.len();
    assert_eq!(bed.server.submit(bed.now, "a", read()), Err(SubmitError::NotConnected));
    bed.settle();
    assert_eq!(bed.devices[a].requests.len(), heard);
    assert_eq!(code(&mut bed, a, at(Request::post(), &location)), Code::NOT_FOUND);
    bed.server.submit(bed.now, "b", read()).unwrap();
    bed.settle();
    assert_eq!(bed.devices[a].requests.len(), heard + 1);

    let again = bed.device(psk(b"id-a", b"key a"));
    let location = registered(&mut bed, again, "a");
    assert!(bed.server.remove_credential(bed.now, "a"));
    assert_eq!(bed.server.submit(bed.now, "a", read()), Err(SubmitError::UnknownEndpoint));
    bed.settle();
    let told = bed.devices[again].events.last();
    assert!(matches!(told, Some(SecurityEvent::Ended { .. })), "{told:?}");
    bed.reboot(again, psk(b"id-a", b"key a"));
    assert!(bed.ask_unanswered(again, at(Request::post(), &location)));
}

// proves: SEC-01
#[test]
fn a_server_begins_no_handshake() {
    let mut bed = server(psk_store());
    let a = bed.device(psk(b"id-a", b"key a"));
    registered(&mut bed, a, "a");
    let peer = bed.devices[a].peer;
    bed.devices[a].link.end_session(peer);
    bed.settle();
    assert_eq!(bed.server.submit(bed.now, "a", read()), Err(SubmitError::NotConnected));
    for _ in 0..100 {
        assert!(bed.from_server.transmit(&mut bed.server).is_none());
        let Some(due) = bed.server.poll_timeout() else { break };
        bed.now = bed.now.max(due);
        bed.server.handle(bed.now, Input::Timeout);
    }
}

#[test]
fn an_update_of_the_same_identity_moves_the_registration() {
    let mut bed = server(psk_store());
    let a = bed.device(psk(b"id-a", b"key a"));
    let location = registered(&mut bed, a, "a");
    let observe = Operation::Observe { path: Path::resource(3, 0, 9), format: None };
    bed.server.submit(bed.now, "a", observe).unwrap();
    bed.settle();
    bed.reboot(a, psk(b"id-a", b"key a"));
    assert_eq!(bed.server.submit(bed.now, "a", read()), Err(SubmitError::NotConnected));
    assert_eq!(code(&mut bed, a, at(Request::post(), &location)), Code::CHANGED);
    // And elsewhere, while the old session is still there.
    let elsewhere = bed.device(psk(b"id-a", b"key a"));
    assert_eq!(code(&mut bed, elsewhere, at(Request::post(), &location)), Code::CHANGED);
    let ended = |device: &Device| matches!(device.events.last(), Some(SecurityEvent::Ended { .. }));
    assert!(ended(&bed.devices[a]), "the old session has no use any more");
    bed.reboot(a, psk(b"id-a", b"key a"));
    registered(&mut bed, a, "a");
    assert!(ended(&bed.devices[elsewhere]));
    let elsewhere = a;
    bed.events.clear();
    bed.server.submit(bed.now, "a", read()).unwrap();
    bed.settle();
    assert_eq!(bed.devices[elsewhere].requests.len(), 1);
    let [Event::Completed { result: Ok(response), .. }] = bed.events.as_slice() else { panic!() };
    assert!(matches!(response.content, Content::Node(_)));
    let registration = bed.server.registration("a").unwrap();
    assert_eq!(registration.address, bed.devices[elsewhere].address);
}

#[test]
fn what_is_under_way_ends_with_its_session() {
    let mut bed = server(psk_store());
    let a = bed.device(psk(b"id-a", b"key a"));
    registered(&mut bed, a, "a");
    bed.devices[a].silent = true;
    let id = bed.server.submit(bed.now, "a", read()).unwrap();
    bed.settle();
    bed.events.clear();
    bed.reboot(a, psk(b"id-a", b"key a"));
    let ended = bed.events.iter().any(|event| {
        matches!(event, Event::Completed { id: of, result: Err(OperationError::Protocol(_)), .. }
            if *of == id)
    });
    assert!(ended, "{:?}", bed.events);
    assert!(bed.server.registration("a").is_some(), "the registration stays");
}

#[test]
fn a_changed_key_ends_what_the_old_one_opened() {
    let mut bed = server(psk_store());
    let a = bed.device(psk(b"id-a", b"key a"));
    registered(&mut bed, a, "a");
    bed.events.clear();
    bed.server.put_credential(bed.now, "a", psk_credential(b"id-a", b"key a")).unwrap();
    assert!(bed.server.registration("a").is_some(), "nothing has changed");
    bed.server.put_credential(bed.now, "a", psk_credential(b"id-a", b"new key")).unwrap();
    bed.settle();
    let reason = DeregistrationReason::CredentialsChanged;
    assert!(matches!(&bed.events[..], [Event::Deregistered { reason: is, .. }] if *is == reason));
    let told = bed.devices[a].events.last();
    assert!(matches!(told, Some(SecurityEvent::Ended { .. })), "{told:?}");
    bed.reboot(a, psk(b"id-a", b"key a"));
    assert!(bed.ask_unanswered(a, register(Some("a"))));
    bed.reboot(a, psk(b"id-a", b"new key"));
    registered(&mut bed, a, "a");
}

#[test]
fn a_plain_registration_ends_when_its_endpoint_gets_credentials() {
    let mut bed = server(psk_store());
    let plain = bed.device(None);
    let location = registered(&mut bed, plain, "c");
    bed.server.put_credential(bed.now, "c", psk_credential(b"id-c", b"key c")).unwrap();
    assert!(bed.server.registration("c").is_none());
    assert_eq!(code(&mut bed, plain, at(Request::post(), &location)), Code::NOT_FOUND);
}

#[test]
fn observations_end_with_the_session() {
    let mut bed = server(psk_store());
    let a = bed.device(psk(b"id-a", b"key a"));
    registered(&mut bed, a, "a");
    let observe = Operation::Observe { path: Path::resource(3, 0, 9), format: None };
    bed.server.submit(bed.now, "a", observe).unwrap();
    bed.settle();
    assert_eq!(bed.server.observations("a").count(), 1);
    bed.reboot(a, psk(b"id-a", b"key a"));
    bed.pass(Duration::from_secs(1));
    assert_eq!(bed.server.observations("a").count(), 0);
    let ended = |event: &Event| {
        matches!(event, Event::ObservationEnded { reason: ObservationEnd::Disconnected, .. })
    };
    assert!(bed.events.iter().any(ended), "{:?}", bed.events);
}

#[test]
fn a_device_that_restarts_for_ever_leaves_few_sessions_behind() {
    let mut bed = server(psk_store());
    let b = bed.device(psk(b"id-b", b"key b"));
    let devices: Vec<_> = (0..7).map(|_| bed.device(psk(b"id-a", b"key a"))).collect();
    let has_ended = |device: &&usize| {
        let last = bed.devices[**device].events.last();
        matches!(last, Some(SecurityEvent::Ended { .. }))
    };
    let ended: Vec<_> = devices.iter().filter(has_ended).copied().collect();
    assert_eq!(ended, devices[..3], "all but the newest four");
    registered(&mut bed, devices[6], "a");
    registered(&mut bed, b, "b");
}

/// The records of a datagram.
fn records(mut datagram: &[u8]) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    while let Some(length) = datagram.get(11..13) {
        let length = usize::from(u16::from_be_bytes([length[0], length[1]]));
        let (record, rest) = datagram.split_at(13 + length);
        records.push(record.to_vec());
        datagram = rest;
    }
    records
}

#[test]
fn a_handshake_that_the_old_key_began_does_not_outlive_it() {
    for changed in [false, true] {
        let mut bed = server(psk_store());
        let mut client = lwm2m_dtls::Endpoint::new(dtls(), [3; 32]);
        let from = "198.51.100.9:1".parse().unwrap();
        let profile = psk(b"id-a", b"key a").unwrap();
        client.connect(bed.now, SERVER, std::sync::Arc::new(profile)).unwrap();
        let mut last = Vec::new();
        while let Some(sent) = client.poll_transmit() {
            let mut records = records(&sent.payload);
            // The flight that ends with Finished is held up before that.
            last = records.split_off(records.len().min(2));
            for record in records {
                bed.server.handle(bed.now, Input::secured_datagram(from, &record));
            }
            while let Some(sent) = bed.from_server.transmit(&mut bed.server) {
                client.handle_datagram(bed.now, SERVER, &sent.payload);
            }
        }
        if changed {
            bed.server.put_credential(bed.now, "a", psk_credential(b"id-a", b"new key")).unwrap();
        }
        assert_eq!(last.len(), 1, "Finished");
        bed.server.handle(bed.now, Input::secured_datagram(from, &last[0]));
        while let Some(sent) = bed.from_server.transmit(&mut bed.server) {
            client.handle_datagram(bed.now, SERVER, &sent.payload);
        }
        assert_eq!(client.session_count(), usize::from(!changed));
    }
}
