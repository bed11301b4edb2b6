//! The end of registrations that nobody updates.

use crate::bed::{Bed, LIST, device, update};
use crate::observe::observed;
use lwm2m_coap::Code;
use lwm2m_core::Path;
use lwm2m_link::Engine;
use lwm2m_server::{DeregistrationReason, Event, Operation};
use std::time::Duration;

// proves: REG-16
#[test]
fn a_registration_ends_with_its_lifetime() {
    let mut bed = Bed::new();
    let location = bed.registered_as(0, "ep=a&lt=2&lwm2m=1.1", LIST);
    bed.registered_as(1, "ep=b&lt=0&lwm2m=1.1", LIST);
    observed(&mut bed, "a", "/3/0/9");
    bed.pass(Duration::from_millis(1_999));
    assert!(bed.server.registration("a").is_some());
    bed.pass(Duration::from_millis(1));
    assert!(bed.server.registration("a").is_none());
    assert_eq!(bed.server.observations("a").count(), 0);
    assert!(matches!(
        bed.events.back(),
        Some(Event::Deregistered { reason: DeregistrationReason::Expired, .. })
    ));
    assert_eq!(bed.ask(device(0), update(&location, "")).code, Code::NOT_FOUND);
    bed.pass(Duration::from_secs(365 * 86_400));
    assert!(bed.server.registration("b").is_some());
}

#[test]
fn an_update_that_comes_too_late_is_refused_even_if_the_timer_has_not_run() {
    let mut bed = Bed::new();
    let location = bed.registered_as(0, "ep=a&lt=2&lwm2m=1.1", LIST);
    bed.now = bed.now + Duration::from_secs(3);
    assert_eq!(bed.ask(device(0), update(&location, "")).code, Code::NOT_FOUND);
}

#[test]
fn nothing_is_left_of_devices_that_are_gone() {
    let mut bed = Bed::new();
    for n in 0..50 {
        bed.registered_as(n, &format!("ep=dev{n}&lt=60&lwm2m=1.1"), LIST);
    }
    bed.pass(Duration::from_secs(1_000));
    assert_eq!(bed.server.registrations().count(), 0);
    assert_eq!(bed.server.peer_count(), 0);
    assert_eq!(bed.server.poll_timeout(), None, "no timer is left");
}

#[test]
fn a_silent_device_stays_known_at_its_address() {
    let mut bed = Bed::new();
    let location = bed.registered(0, "a");
    bed.pass(Duration::from_secs(3_600));
    assert_eq!(bed.server.peer_count(), 1);
    let (_, read) = bed.order("a", Operation::Read { path: Path::object(3), format: None });
    assert_eq!(read.to, device(0));
    bed.ask(device(0), update(&location, ""));
    let Some(Event::Updated { update: said, .. }) = bed.events.back() else { panic!("{location}") };
    assert_eq!(said.moved_from, None);
}
