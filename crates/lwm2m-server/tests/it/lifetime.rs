//! The end of registrations that nobody updates.

use crate::harness::{Harness, LIST, device, update};
use crate::observe::observed;
use lwm2m_coap::Code;
use lwm2m_core::Path;
use lwm2m_link::Engine;
use lwm2m_server::{Config, DeregistrationReason, Event, Operation};
use std::time::Duration;

// proves: REG-16
#[test]
fn a_registration_ends_with_its_lifetime() {
    let mut harness = Harness::with(Config::default().max_plain_lifetime(Duration::ZERO));
    let location = harness.registered_as(0, "ep=a&lt=2&lwm2m=1.1", LIST);
    harness.registered_as(1, "ep=b&lt=0&lwm2m=1.1", LIST);
    observed(&mut harness, "a", "/3/0/9");
    harness.pass(Duration::from_millis(1_999));
    assert!(harness.server.registration("a").is_some());
    harness.pass(Duration::from_millis(1));
    assert!(harness.server.registration("a").is_none());
    assert_eq!(harness.server.observations("a").count(), 0);
    assert!(matches!(
        harness.events.back(),
        Some(Event::Deregistered { reason: DeregistrationReason::Expired, .. })
    ));
    assert_eq!(harness.ask(device(0), update(&location, "")).code, Code::NOT_FOUND);
    harness.pass(Duration::from_secs(365 * 86_400));
    assert!(harness.server.registration("b").is_some());
}

#[test]
fn an_update_that_comes_too_late_is_refused_even_if_the_timer_has_not_run() {
    let mut harness = Harness::new();
    let location = harness.registered_as(0, "ep=a&lt=2&lwm2m=1.1", LIST);
    harness.now = harness.now + Duration::from_secs(3);
    assert_eq!(harness.ask(device(0), update(&location, "")).code, Code::NOT_FOUND);
}

#[test]
fn the_end_of_a_registration_tells_whether_its_device_slept() {
    for (query, slept) in [("ep=a&lt=100&lwm2m=1.1&b=U&Q", true), ("ep=a&lt=100&lwm2m=1.1", false)]
    {
        let mut harness = Harness::new();
        harness.registered_as(0, query, LIST);
        harness.pass(Duration::from_secs(101));
        let last = harness.events.back();
        assert!(
            matches!(last, Some(Event::Deregistered { was_asleep, .. }) if *was_asleep == slept),
            "{last:?}"
        );
    }
}

#[test]
fn nothing_is_left_of_devices_that_are_gone() {
    let mut harness = Harness::new();
    for n in 0..50 {
        harness.registered_as(n, &format!("ep=dev{n}&lt=60&lwm2m=1.1"), LIST);
    }
    harness.pass(Duration::from_secs(1_000));
    assert_eq!(harness.server.registrations().count(), 0);
    assert_eq!(harness.server.peer_count(), 0);
    assert_eq!(harness.server.poll_timeout(), None, "no timer is left");
}

#[test]
fn a_silent_device_stays_known_at_its_address() {
    let mut harness = Harness::new();
    let location = harness.registered(0, "a");
    harness.pass(Duration::from_secs(3_600));
    assert_eq!(harness.server.peer_count(), 1);
    let (_, read) = harness.order("a", Operation::Read { path: Path::object(3), format: None });
    assert_eq!(read.to, device(0));
    harness.ask(device(0), update(&location, ""));
    let Some(Event::Updated { update: said, .. }) = harness.events.back() else {
        panic!("{location}")
    };
    assert_eq!(said.moved_from, None);
}

// proves: REG-29
#[test]
fn a_plain_registration_lasts_thirty_days_at_most() {
    let mut harness = Harness::new();
    const MOST: u64 = 30 * 86_400;
    for (asked, granted) in [(0, MOST), (MOST - 1, MOST - 1), (MOST, MOST), (MOST + 1, MOST)] {
        let location = harness.registered_as(0, &format!("ep=a&lt={asked}&lwm2m=1.1"), LIST);
        let lifetime = |harness: &Harness| harness.server.registration("a").unwrap().lifetime;
        assert_eq!(lifetime(&harness).as_secs(), granted, "{asked}");
        harness.ask(device(0), update(&location, "lt=60"));
        harness.ask(device(0), update(&location, &format!("lt={asked}")));
        assert_eq!(lifetime(&harness).as_secs(), granted, "{asked} by Update");
    }
}
