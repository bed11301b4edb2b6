//! Registrations and the sessions that they live in.

use super::register::{at, code, register, registered, server};
use super::{Device, Harness, SERVER, dtls, psk, psk_credential, psk_store};
use lwm2m_coap::{Code, Request};
use lwm2m_core::Path;
use lwm2m_server::{
    Content, DeregistrationReason, Event, ObservationEnd, Operation, Server, SubmitError,
};
use std::time::Duration;

fn read() -> Operation {
    Operation::Read { path: Path::resource(3, 0, 9), format: None }
}

// proves: SEC-25
#[test]
fn requests_go_into_sessions_of_the_identity_alone() {
    let mut harness = server(psk_store());
    let a = harness.device(psk(b"id-a", b"key a"));
    let location = registered(&mut harness, a, "a");
    // Another device gets the address, as behind an address translator.
    harness.reboot(a, psk(b"id-b", b"key b"));
    registered(&mut harness, a, "b");
    let heard = harness.requests(a);
    assert_eq!(
        harness.sim.with(harness.server, |it, now| it.submit(now, "a", read())),
        Err(SubmitError::NotConnected)
    );
    harness.sim.settle();
    assert_eq!(harness.requests(a), heard);
    assert_eq!(code(&mut harness, a, at(Request::post(), &location)), Code::NOT_FOUND);
    harness.sim.with(harness.server, |it, now| it.submit(now, "b", read())).unwrap();
    harness.sim.settle();
    assert_eq!(harness.requests(a), heard + 1);

    let again = harness.device(psk(b"id-a", b"key a"));
    let location = registered(&mut harness, again, "a");
    assert!(harness.sim.with(harness.server, |it, now| it.remove_credential(now, "a")));
    assert_eq!(
        harness.sim.with(harness.server, |it, now| it.submit(now, "a", read())),
        Err(SubmitError::UnknownEndpoint)
    );
    harness.sim.settle();
    assert!(harness.has_ended(again));
    harness.reboot(again, psk(b"id-a", b"key a"));
    assert!(harness.ask_unanswered(again, at(Request::post(), &location)));
}

#[test]
fn a_session_that_is_thrown_out_has_to_be_begun_anew() {
    let mut harness = server(psk_store());
    let a = harness.device(psk(b"id-a", b"key a"));
    let location = registered(&mut harness, a, "a");
    assert!(harness.sim.with(harness.server, |it, now| it.end_session(now, "a")));
    harness.sim.settle();
    assert!(harness.has_ended(a));
    assert!(!harness.sim.with(harness.server, |it, now| it.end_session(now, "a")), "it is over");
    assert_eq!(
        harness.sim.with(harness.server, |it, now| it.submit(now, "a", read())),
        Err(SubmitError::NotConnected),
        "the registration stays"
    );
    harness.reboot(a, psk(b"id-a", b"key a"));
    assert_eq!(code(&mut harness, a, at(Request::post(), &location)), Code::CHANGED);
    // All sessions end, not only the one that the device registered by.
    let other = harness.device(psk(b"id-a", b"key a"));
    assert_eq!(code(&mut harness, other, at(Request::get(), "/none")), Code::NOT_FOUND);
    assert!(harness.sim.with(harness.server, |it, now| it.end_session(now, "a")));
    harness.sim.settle();
    assert!(harness.has_ended(a) && harness.has_ended(other));
    harness.reboot(a, psk(b"id-a", b"key a"));
    // A deleted device is thrown out, too, and its registration is gone.
    assert!(harness.sim.with(harness.server, |it, now| it.delete_device(now, "a")));
    harness.sim.settle();
    assert!(harness.has_ended(a));
    harness.reboot(a, psk(b"id-a", b"key a"));
    assert_eq!(code(&mut harness, a, at(Request::post(), &location)), Code::NOT_FOUND);
}

// proves: SEC-01
#[test]
fn a_server_begins_no_handshake() {
    let mut harness = server(psk_store());
    let a = harness.device(psk(b"id-a", b"key a"));
    registered(&mut harness, a, "a");
    let Device { node, peer, .. } = harness.devices[a];
    harness.sim[node].link.end_session(peer);
    harness.sim.settle();
    assert_eq!(
        harness.sim.with(harness.server, |it, now| it.submit(now, "a", read())),
        Err(SubmitError::NotConnected)
    );
    harness.sim.network.capture = Some(Vec::new());
    harness.sim.run_for(Duration::from_secs(3_600));
    let sent = harness.sim.network.capture.take().unwrap();
    assert!(sent.iter().all(|it| it.from != SERVER), "{sent:?}");
}

#[test]
fn an_update_of_the_same_identity_moves_the_registration() {
    let mut harness = server(psk_store());
    let a = harness.device(psk(b"id-a", b"key a"));
    let location = registered(&mut harness, a, "a");
    let observe = Operation::Observe { path: Path::resource(3, 0, 9), format: None };
    harness.sim.with(harness.server, |it, now| it.submit(now, "a", observe)).unwrap();
    harness.sim.settle();
    harness.reboot(a, psk(b"id-a", b"key a"));
    assert_eq!(
        harness.sim.with(harness.server, |it, now| it.submit(now, "a", read())),
        Err(SubmitError::NotConnected)
    );
    assert_eq!(code(&mut harness, a, at(Request::post(), &location)), Code::CHANGED);
    // And elsewhere, while the old session is still there.
    let elsewhere = harness.device(psk(b"id-a", b"key a"));
    assert_eq!(code(&mut harness, elsewhere, at(Request::post(), &location)), Code::CHANGED);
    assert!(harness.has_ended(a), "the old session has no use any more");
    harness.reboot(a, psk(b"id-a", b"key a"));
    registered(&mut harness, a, "a");
    assert!(harness.has_ended(elsewhere));
    let elsewhere = a;
    harness.events();
    harness.sim.with(harness.server, |it, now| it.submit(now, "a", read())).unwrap();
    harness.sim.settle();
    assert_eq!(harness.requests(elsewhere), 1);
    let events = harness.events();
    let [Event::Completed { result: Ok(response), .. }] = &events[..] else { panic!("{events:?}") };
    assert!(matches!(response.content, Content::Node(_)));
    let registration = harness.sim[harness.server].registration("a").unwrap();
    assert_eq!(registration.address, harness.devices[elsewhere].address);
}

#[test]
fn what_is_under_way_waits_for_a_new_session_and_then_ends() {
    let mut harness = server(psk_store());
    let a = harness.device(psk(b"id-a", b"key a"));
    registered(&mut harness, a, "a");
    harness.sim[harness.devices[a].node].silent = true;
    let id = harness.sim.with(harness.server, |it, now| it.submit(now, "a", read())).unwrap();
    harness.sim.settle();
    harness.events();
    harness.reboot(a, psk(b"id-a", b"key a"));
    assert_eq!(harness.events(), []);
    harness.sim.run_for(Duration::from_secs(300));
    let events = harness.events();
    let ended = events
        .iter()
        .any(|event| matches!(event, Event::Completed { id: of, result: Err(_), .. } if *of == id));
    assert!(ended, "{events:?}");
    assert!(harness.sim[harness.server].registration("a").is_some(), "the registration stays");
}

#[test]
fn a_changed_key_ends_what_the_old_one_opened() {
    let mut harness = server(psk_store());
    let a = harness.device(psk(b"id-a", b"key a"));
    registered(&mut harness, a, "a");
    harness.events();
    harness
        .sim
        .with(harness.server, |it, now| {
            it.put_credential(now, "a", psk_credential(b"id-a", b"key a"))
        })
        .unwrap();
    assert!(harness.sim[harness.server].registration("a").is_some(), "nothing has changed");
    harness
        .sim
        .with(harness.server, |it, now| {
            it.put_credential(now, "a", psk_credential(b"id-a", b"new key"))
        })
        .unwrap();
    harness.sim.settle();
    let reason = DeregistrationReason::CredentialsChanged;
    assert!(
        matches!(&harness.events()[..], [Event::Deregistered { reason: is, .. }] if *is == reason)
    );
    assert!(harness.has_ended(a));
    harness.reboot(a, psk(b"id-a", b"key a"));
    assert!(harness.ask_unanswered(a, register(Some("a"))));
    harness.reboot(a, psk(b"id-a", b"new key"));
    registered(&mut harness, a, "a");
}

#[test]
fn a_plain_registration_ends_when_its_endpoint_gets_credentials() {
    let mut harness = server(psk_store());
    let plain = harness.device(None);
    let location = registered(&mut harness, plain, "c");
    harness
        .sim
        .with(harness.server, |it, now| {
            it.put_credential(now, "c", psk_credential(b"id-c", b"key c"))
        })
        .unwrap();
    assert!(harness.sim[harness.server].registration("c").is_none());
    assert_eq!(code(&mut harness, plain, at(Request::post(), &location)), Code::NOT_FOUND);
}

#[test]
fn observations_last_as_long_as_the_registration() {
    let mut harness = server(psk_store());
    let a = harness.device(psk(b"id-a", b"key a"));
    let location = registered(&mut harness, a, "a");
    let observe = Operation::Observe { path: Path::resource(3, 0, 9), format: None };
    harness.sim.with(harness.server, |it, now| it.submit(now, "a", observe)).unwrap();
    harness.sim.settle();
    for closes in [true, false] {
        let Device { node, peer, .. } = harness.devices[a];
        if closes {
            harness.sim[node].link.end_session(peer);
            harness.sim.settle();
        }
        harness.reboot(a, psk(b"id-a", b"key a"));
        harness.events();
        assert_eq!(code(&mut harness, a, at(Request::post(), &location)), Code::CHANGED);
        assert_eq!(harness.sim[harness.server].observations("a").count(), 1);
        // What ended with its session is begun anew.
        let notified = |event: &Event| matches!(event, Event::Notification { .. });
        assert_eq!(harness.events().iter().any(notified), closes);
    }
    registered(&mut harness, a, "a");
    let ended = |event: &Event| {
        matches!(event, Event::ObservationEnded { reason: ObservationEnd::Deregistered, .. })
    };
    let events = harness.events();
    assert!(events.iter().any(ended), "{events:?}");
}

#[test]
fn a_device_that_restarts_for_ever_leaves_few_sessions_behind() {
    let mut harness = server(psk_store());
    let b = harness.device(psk(b"id-b", b"key b"));
    let devices: Vec<_> = (0..7).map(|_| harness.device(psk(b"id-a", b"key a"))).collect();
    let ended: Vec<_> = devices.iter().copied().filter(|it| harness.has_ended(*it)).collect();
    assert_eq!(ended, devices[..3], "all but the newest four");
    registered(&mut harness, devices[6], "a");
    registered(&mut harness, b, "b");
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

/// Delivers the server's datagrams to a client outside of the simulation.
fn hear(harness: &mut Harness<Server>, client: &mut lwm2m_dtls::Endpoint) {
    for sent in harness.sim.network.capture.replace(Vec::new()).unwrap_or_default() {
        client.handle_datagram(harness.sim.now, SERVER, &sent.payload);
    }
}

#[test]
fn a_handshake_that_the_old_key_began_does_not_outlive_it() {
    for changed in [false, true] {
        let mut harness = server(psk_store());
        harness.sim.network.capture = Some(Vec::new());
        let mut client = lwm2m_dtls::Endpoint::new(dtls(), [3; 32]);
        let from = "198.51.100.9:1".parse().unwrap();
        let profile = psk(b"id-a", b"key a").unwrap();
        client.connect(harness.sim.now, SERVER, std::sync::Arc::new(profile)).unwrap();
        let mut last = Vec::new();
        while let Some(sent) = client.poll_transmit() {
            let mut records = records(&sent.payload);
            // The flight that ends with Finished is delayed.
            last = records.split_off(records.len().min(2));
            for record in records {
                harness.sim.inject(harness.server, from, true, &record);
            }
            hear(&mut harness, &mut client);
        }
        if changed {
            harness
                .sim
                .with(harness.server, |it, now| {
                    it.put_credential(now, "a", psk_credential(b"id-a", b"new key"))
                })
                .unwrap();
        }
        assert_eq!(last.len(), 1, "Finished");
        harness.sim.inject(harness.server, from, true, &last[0]);
        hear(&mut harness, &mut client);
        assert_eq!(client.session_count(), usize::from(!changed));
    }
}
