//! The tables of devices and their timers.

use super::*;
use lwm2m_core::Version;
use lwm2m_link::Identity;
use std::collections::BTreeMap;
use std::time::Duration;

fn device(devices: &mut Devices, endpoint: &str, peer: u64) -> Device {
    let list = ObjectList::parse(b"</1/0>,</3/0>").unwrap();
    let registration = Registration {
        id: devices.fresh_id(),
        endpoint: endpoint.into(),
        lifetime: Duration::from_secs(60),
        version: Version::V1_1,
        binding: lwm2m_core::BindingMode::default(),
        queue_mode: false,
        sms: None,
        list: Arc::new(list),
        additional: BTreeMap::new(),
        address: ([198, 51, 100, 7], 5683).into(),
        identity: Identity::NoSec,
        registered_at: Instant::ZERO,
        updated_at: Instant::ZERO,
    };
    Device::new(registration, PeerId(peer))
}

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1_000)
}

fn update(devices: &mut Devices, key: DeviceKey, now: u64, lifetime: u64) {
    devices.update(key, 0, |registration| {
        registration.updated_at = at(now);
        registration.lifetime = Duration::from_secs(lifetime);
    });
}

#[test]
fn an_update_that_extends_leaves_the_timer_alone() {
    let mut devices = Devices::new([7; 32]);
    let device = device(&mut devices, "a", 1);
    let key = devices.insert(device);
    update(&mut devices, key, 30, 60);
    assert_eq!(devices.next_timeout(), Some(at(60)), "not touched");
    assert_eq!(devices.pop_due(at(60)), None);
    assert_eq!(devices.next_timeout(), Some(at(90)), "set anew when it fired");
    assert_eq!(devices.pop_due(at(90)), Some(Timer::Lifetime(key)));
}

#[test]
fn an_update_that_shortens_moves_the_timer() {
    let mut devices = Devices::new([7; 32]);
    let device = device(&mut devices, "a", 1);
    let key = devices.insert(device);
    update(&mut devices, key, 1, 10);
    assert_eq!(devices.next_timeout(), Some(at(11)));
    update(&mut devices, key, 2, 0);
    assert_eq!(devices.pop_due(at(1_000)), None, "it never ends");
    assert_eq!(devices.next_timeout(), None);
    update(&mut devices, key, 1_000, 5);
    assert_eq!(devices.pop_due(at(1_005)), Some(Timer::Lifetime(key)));
}

#[test]
fn devices_are_found_until_they_are_removed() {
    let mut devices = Devices::new([7; 32]);
    let all: Vec<_> = (0..1_000)
        .map(|number| {
            let device = device(&mut devices, &format!("device-{number}"), number);
            (device.registration.id, devices.insert(device))
        })
        .collect();
    let found = |devices: &Devices, number: u64, id| {
        let by_name = devices.key_of(&format!("device-{number}"));
        [by_name, devices.key_of_id(id), devices.key_at(PeerId(number))]
    };
    for (number, (id, key)) in (0..).zip(&all) {
        assert_eq!(found(&devices, number, id), [Some(*key); 3]);
    }
    for (number, (id, key)) in (0..).zip(&all) {
        assert!(devices.remove(*key).is_some());
        assert_eq!(found(&devices, number, id), [None; 3]);
    }
    assert_eq!((devices.len(), devices.memory(), devices.next_timeout()), (0, 0, None));
}

#[test]
fn of_two_devices_at_a_peer_the_last_is_found() {
    let mut devices = Devices::new([7; 32]);
    let (first, second) = (device(&mut devices, "a", 1), device(&mut devices, "b", 1));
    let (first, second) = (devices.insert(first), devices.insert(second));
    assert_eq!(devices.key_at(PeerId(1)), Some(second));
    devices.remove(first);
    assert_eq!(devices.key_at(PeerId(1)), Some(second));
    devices.move_to(second, PeerId(2));
    assert_eq!(devices.key_at(PeerId(1)), None);
    assert_eq!(devices.key_at(PeerId(2)), Some(second));
}

#[test]
fn devices_with_security_are_counted_while_they_have_it() {
    let mut devices = Devices::new([7; 32]);
    let secured = || Identity::Secured(lwm2m_dtls::Identity::Psk("key".into()));
    let here = ([198, 51, 100, 7], 5_683).into();
    let keys = ["a", "b", "c"].map(|name| {
        let mut device = device(&mut devices, name, 1);
        Arc::make_mut(&mut device.registration).identity = secured();
        devices.insert(device)
    });
    assert_eq!(devices.secured(), 3);
    devices.set_source(keys[0], here, Some(Identity::NoSec));
    assert_eq!(devices.secured(), 2);
    assert!(!devices.plain().has_room(here, 0) && devices.plain().has_room(here, 1));
    devices.set_source(keys[0], here, None);
    assert_eq!(devices.secured(), 2, "nothing else is proven");
    devices.remove(keys[1]);
    assert_eq!(devices.secured(), 1);
    devices.set_source(keys[0], here, Some(secured()));
    assert_eq!(devices.secured(), 2);
}

#[test]
fn random_numbers_are_all_those_of_a_range() {
    let mut devices = Devices::new([7; 32]);
    let drawn: std::collections::BTreeSet<_> =
        (0..1_000).map(|_| devices.random(60..=69)).collect();
    assert!(drawn.into_iter().eq(60..=69));
    assert_eq!(devices.random(5..=5), 5);
}
