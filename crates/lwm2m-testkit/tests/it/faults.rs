//! Faults that need a simulation of several engines: partitions, address translators, restarts,
//! clocks.

use crate::lossy::{
    DEVICE, ENDPOINT, HOUR, Harness, SERVER, TEMPERATURE, device_management, harness, harness_of,
    notified, registered, set_temperature, success,
};
use crate::secure_lossy::{Keys, MODES, at_a_good_time};
use crate::trio::objects;
use lwm2m_client::{Client, Event, ServerAccount};
use lwm2m_core::{Resource, Value};
use lwm2m_server::{DeregistrationReason, Event as ServerEvent, Operation, Server};
use lwm2m_testkit::{Conditions, Node, Sim};
use std::net::SocketAddr;
use std::time::Duration;

const OBSERVE: Operation = Operation::Observe { path: TEMPERATURE, format: None };

fn settled(conditions: Conditions, seed: u64) -> Harness {
    let mut harness = harness(conditions, seed);
    assert!(harness.run_until(HOUR, |it| registered(it)));
    harness.sim.run_for(Duration::from_secs(60));
    harness
}

fn deregistered(harness: &Harness) -> Vec<DeregistrationReason> {
    let reason = |(_, event): &_| match event {
        ServerEvent::Deregistered { reason, .. } => Some(*reason),
        _ => None,
    };
    harness.sim.events(harness.server).iter().filter_map(reason).collect()
}

#[test]
fn a_partition_heals() {
    for conditions in [Conditions::GOOD, Conditions::BAD] {
        for seed in 0..10 {
            let mut harness = settled(conditions, seed);
            success(&mut harness, &OBSERVE);
            harness.sim.sever(harness.device, harness.server);
            set_temperature(&mut harness, 35.0);
            // Longer than all resends, shorter than the lifetime.
            harness.sim.run_for(Duration::from_secs(600));
            assert!(!notified(&harness, 35.0), "nothing crosses a partition");
            assert!(registered(&harness), "the registration outlives it");
            harness.sim.heal();
            device_management(&mut harness);
            success(&mut harness, &OBSERVE);
            harness.sim.network.set_conditions(Conditions::GOOD);
            set_temperature(&mut harness, 36.0);
            assert!(harness.run_until(HOUR, |it| notified(it, 36.0)), "seed {seed}");
        }
    }
}

#[test]
fn a_partition_longer_than_the_lifetime_ends_the_registration_and_the_device_comes_back() {
    for seed in 0..5 {
        let account = ServerAccount::new(1, SERVER).lifetime(120);
        let device = lwm2m_client::Config::new(ENDPOINT).server(account);
        let mut harness =
            harness_of(device, lwm2m_server::Config::default(), Conditions::GOOD, seed);
        assert!(harness.run_until(HOUR, |it| registered(it)));
        harness.sim.sever(harness.device, harness.server);
        harness.sim.run_for(Duration::from_secs(240));
        assert!(!registered(&harness));
        assert_eq!(deregistered(&harness), [DeregistrationReason::Expired]);
        harness.sim.heal();
        assert!(harness.run_until(HOUR, |it| registered(it)), "seed {seed}");
        device_management(&mut harness);
    }
}

/// A connection loses nothing: bytes written during the partition arrive after it, in order.
#[test]
fn a_connection_stalls_in_a_partition_and_goes_on() {
    for seed in 0..5 {
        let account = ServerAccount::new(1, SERVER).lifetime(86_400).over_tcp();
        let device = lwm2m_client::Config::new(ENDPOINT).server(account);
        let mut harness =
            harness_of(device, lwm2m_server::Config::default(), Conditions::GOOD, seed);
        assert!(harness.run_until(HOUR, |it| registered(it)));
        success(&mut harness, &OBSERVE);
        harness.sim.sever(harness.device, harness.server);
        for celsius in [31.0, 32.0, 33.0] {
            set_temperature(&mut harness, celsius);
            harness.sim.run_for(Duration::from_secs(2));
        }
        assert!(!notified(&harness, 31.0));
        harness.sim.heal();
        set_temperature(&mut harness, 34.0);
        harness.sim.run_for(Duration::from_secs(1));
        assert!([31.0, 32.0, 33.0, 34.0].into_iter().all(|it| notified(&harness, it)), "{seed}");
        device_management(&mut harness);
        assert_eq!(harness.sim.streams.accepted, 1);
    }
}

/// An address translator gives the device another address while the server observes it. The Update
/// moves the registration, and its observation with it: nobody observes anew.
#[test]
fn a_device_that_moves_is_found_again_by_its_next_update() {
    let moved: SocketAddr = "198.51.100.1:9".parse().unwrap();
    for seed in 0..10 {
        let mut harness = settled(Conditions::GOOD, seed);
        success(&mut harness, &OBSERVE);
        harness.sim.rebind(harness.device, moved);
        harness.sim.with(harness.device, |it, now| it.update_registration(now, 1));
        harness.sim.run_for(Duration::from_secs(5));
        let server = &harness.sim[harness.server];
        assert_eq!(server.registration(ENDPOINT).unwrap().address, moved);
        assert!(deregistered(&harness).is_empty());
        set_temperature(&mut harness, 32.0);
        assert!(harness.run_until(HOUR, |it| notified(it, 32.0)), "seed {seed}");
        assert_eq!(harness.sim[harness.server].observations(ENDPOINT).count(), 1);
        device_management(&mut harness);
    }
}

#[test]
fn a_notification_from_an_address_that_did_not_register_is_not_believed() {
    for seed in 0..10 {
        let mut harness = settled(Conditions::GOOD, seed);
        success(&mut harness, &OBSERVE);
        harness.sim.rebind(harness.device, "198.51.100.1:9".parse().unwrap());
        set_temperature(&mut harness, 31.0);
        harness.sim.run_for(Duration::from_secs(600));
        assert!(!notified(&harness, 31.0));
    }
}

/// What the server was told of the temperature, in this order.
fn told(harness: &Harness) -> Vec<f64> {
    let value = |(_, event): &(_, ServerEvent)| match event {
        ServerEvent::Notification { result: Ok(node), .. } => match node {
            lwm2m_core::Node::Resource(Resource::Single(Value::Float(value))) => Some(*value),
            other => panic!("{other:?}"),
        },
        _ => None,
    };
    harness.sim.events(harness.server).iter().filter_map(value).collect()
}

// proves: OBS-13
/// The server rejects the notification from the new address, and so ends the observation at the
/// device. After the Update it reinforces its interest with the same token, which begins it anew.
#[test]
fn a_device_that_notified_before_its_update_is_still_observed() {
    for seed in 0..10 {
        let mut harness = settled(Conditions::GOOD, seed);
        success(&mut harness, &OBSERVE);
        set_temperature(&mut harness, 30.0);
        set_temperature(&mut harness, 31.0);
        harness.sim.run_for(Duration::from_secs(5));
        harness.sim.rebind(harness.device, "198.51.100.1:9".parse().unwrap());
        set_temperature(&mut harness, 32.0);
        harness.sim.run_for(Duration::from_secs(5));
        let lost = |it: &Event| matches!(it, Event::ObservationEnded { .. });
        assert!(harness.sim.events(harness.device).iter().any(|(_, event)| lost(event)));
        harness.sim.with(harness.device, |it, now| it.update_registration(now, 1));
        harness.sim.run_for(Duration::from_secs(5));
        set_temperature(&mut harness, 33.0);
        harness.sim.run_for(Duration::from_secs(5));
        assert_eq!(told(&harness), [30.0, 31.0, 32.0, 33.0], "seed {seed}");
        let ended = |it: &ServerEvent| matches!(it, ServerEvent::ObservationEnded { .. });
        assert!(!harness.sim.events(harness.server).iter().any(|(_, event)| ended(event)));
    }
}

/// Where the device has lost nothing, nobody hears of the refreshed observation.
#[test]
fn an_observation_that_was_not_lost_is_refreshed_in_silence() {
    for seed in 0..10 {
        let mut harness = settled(Conditions::GOOD, seed);
        success(&mut harness, &OBSERVE);
        set_temperature(&mut harness, 31.0);
        harness.sim.run_for(Duration::from_secs(5));
        for port in 1..5 {
            harness.sim.rebind(harness.device, ([198, 51, 100, 1], port).into());
            harness.sim.with(harness.device, |it, now| it.update_registration(now, 1));
            harness.sim.run_for(Duration::from_secs(5));
        }
        assert_eq!(told(&harness), [31.0], "seed {seed}");
        let observed = |(_, it): &&(_, Event)| {
            matches!(it, Event::Observed { .. } | Event::ObservationEnded { .. })
        };
        assert_eq!(harness.sim.events(harness.device).iter().filter(observed).count(), 1);
    }
}

#[test]
fn an_observation_in_a_session_with_connection_ids_survives_a_move() {
    let moved: SocketAddr = "198.51.100.1:9".parse().unwrap();
    for mode in MODES {
        let keys = Keys::new();
        let mut account =
            ServerAccount::new(1, SERVER).lifetime(86_400).secured(keys.security(mode));
        account.uri = "coaps://server.example.com".into();
        let mut device = lwm2m_client::Config::new(ENDPOINT).server(account);
        device.dtls = at_a_good_time();
        let mut server = keys.server(mode, ENDPOINT);
        let ids = lwm2m_dtls::RoutingCids::new(lwm2m_dtls::CidRoute::default(), 6);
        server.dtls.as_mut().unwrap().connection_ids = Some(std::sync::Arc::new(ids));
        let mut harness = harness_of(device, server, Conditions::GOOD, 1);
        assert!(harness.run_until(HOUR, |it| registered(it)), "{mode:?}");
        harness.sim.run_for(Duration::from_secs(10));
        success(&mut harness, &OBSERVE);
        harness.sim.rebind(harness.device, moved);
        set_temperature(&mut harness, 31.0);
        assert!(harness.run_until(HOUR, |it| notified(it, 31.0)), "{mode:?}");
        set_temperature(&mut harness, 32.0);
        assert!(harness.run_until(HOUR, |it| notified(it, 32.0)), "{mode:?}");
        device_management(&mut harness);
        assert_eq!(harness.sim[harness.server].observations(ENDPOINT).count(), 1);
        let began = |(_, event): &&(_, Event)| matches!(event, Event::SessionBegun { .. });
        assert_eq!(harness.sim.events(harness.device).iter().filter(began).count(), 1);
    }
}

/// A device with a session, and its server.
fn secured(mode: lwm2m_dtls::Mode, with_ids: bool) -> Harness {
    let keys = Keys::new();
    let mut account = ServerAccount::new(1, SERVER).lifetime(86_400).secured(keys.security(mode));
    account.uri = "coaps://server.example.com".into();
    let mut device = lwm2m_client::Config::new(ENDPOINT).server(account);
    device.dtls = at_a_good_time();
    let mut server = keys.server(mode, ENDPOINT);
    if with_ids {
        let ids = lwm2m_dtls::RoutingCids::new(lwm2m_dtls::CidRoute::default(), 6);
        server.dtls.as_mut().unwrap().connection_ids = Some(std::sync::Arc::new(ids));
    }
    let mut harness = harness_of(device, server, Conditions::GOOD, 1);
    assert!(harness.run_until(HOUR, |it| registered(it)), "{mode:?}");
    harness.sim.run_for(Duration::from_secs(600));
    harness
}

/// How long it takes from a device's next message until the server knows it and reaches it.
fn time_to_come_back(harness: &mut Harness) -> Duration {
    let start = harness.sim.now;
    harness.sim.with(harness.device, |it, now| it.update_registration(now, 1));
    let is_back = |it: &mut Harness| {
        let registration = it.sim[it.server].registration(ENDPOINT);
        registration.is_some_and(|it| it.updated_at >= start)
    };
    assert!(harness.run_until(HOUR, is_back));
    let time = harness.sim.now - start;
    device_management(harness);
    time
}

/// A new session is tried after the second retransmission, not after all of them have been in vain.
#[test]
fn a_device_whose_session_is_lost_comes_back_before_its_request_fails() {
    let parameters = lwm2m_coap::TransmissionParameters::default();
    // Three waits, each at its longest, and a handshake.
    let soon = parameters.ack_timeout * 7 * 3 / 2 + Duration::from_secs(2);
    for mode in MODES {
        for with_ids in [false, true] {
            let mut crashed = secured(mode, with_ids);
            crashed.sim.restart(crashed.server);
            let after_crash = time_to_come_back(&mut crashed);
            let mut moved = secured(mode, with_ids);
            success(&mut moved, &OBSERVE);
            moved.sim.rebind(moved.device, "198.51.100.1:9".parse().unwrap());
            let after_move = time_to_come_back(&mut moved);
            eprintln!("{mode:?}, ids {with_ids}: crash {after_crash:?}, move {after_move:?}");
            assert!(after_crash < soon && after_move < soon);
            assert!(!with_ids || after_move < parameters.ack_timeout, "nothing was lost");
            assert!(deregistered(&moved).is_empty());
            set_temperature(&mut moved, 32.0);
            assert!(moved.run_until(HOUR, |it| notified(it, 32.0)), "the observation goes on");
        }
    }
}

#[test]
fn devices_register_again_with_a_server_that_crashed() {
    const DEVICES: u8 = 20;
    let mut sim = Sim::new(Conditions::BAD, 1);
    let config = lwm2m_server::Config::default();
    let server = sim.add(SERVER, move |starts| Server::new(config.clone(), [100 + starts; 32]));
    let name = |number: u8| format!("device-{number}");
    let start = |sim: &mut Sim, number: u8| {
        let address = ([198, 51, 100, number], 5683).into();
        let account = ServerAccount::new(1, SERVER).lifetime(300);
        let config = lwm2m_client::Config::new(name(number)).server(account);
        let device = sim.add(address, move |_| {
            Client::new(config.clone(), objects(), [number; 32]).expect("a configuration")
        });
        sim.with(device, |it, now| it.start(now));
    };
    (0..DEVICES).for_each(|number| start(&mut sim, number));
    let all = |sim: &mut Sim| sim[server].registrations().count() == usize::from(DEVICES);
    assert!(sim.run_until(HOUR, all));
    sim.crash(server);
    sim.run_for(Duration::from_secs(200));
    sim.restart(server);
    assert_eq!(sim[server].registrations().count(), 0, "the server keeps nothing yet");
    assert!(sim.run_until(HOUR, all));
}

#[test]
fn a_device_that_crashed_replaces_its_registration() {
    let mut harness = settled(Conditions::BAD, 3);
    harness.sim.restart(harness.device);
    harness.sim.with(harness.device, |it, now| it.start(now));
    let replaced = |it: &mut Harness| deregistered(it) == [DeregistrationReason::Replaced];
    assert!(harness.run_until(HOUR, replaced), "{:?}", deregistered(&harness));
    assert!(registered(&harness));
    device_management(&mut harness);
}

/// A device with a slow clock sends its Update late.
#[test]
fn a_clock_that_is_slow_or_jumps_costs_no_registration() {
    let update = |node: fn(&Harness) -> Node<Client>, rate, jump| {
        let account = ServerAccount::new(1, SERVER).lifetime(600);
        let device = lwm2m_client::Config::new(ENDPOINT).server(account);
        let mut harness = harness_of(device, lwm2m_server::Config::default(), Conditions::GOOD, 1);
        let node = node(&harness);
        harness.sim.set_clock_rate(node, rate);
        assert!(harness.run_until(HOUR, |it| registered(it)));
        for _ in 0..10 {
            harness.sim.jump_clock(node, jump);
            harness.sim.run_for(HOUR);
            assert!(registered(&harness));
        }
        deregistered(&harness)
    };
    // 1% is more than the error of any crystal.
    for rate in [990_000, 1_010_000] {
        assert_eq!(update(|it| it.device, rate, Duration::ZERO), []);
    }
    // The device's clock jumps ahead: its Updates come early, not late.
    assert_eq!(update(|it| it.device, 1_000_000, Duration::from_secs(550)), []);
}

/// The server's machine slept longer than all lifetimes: they have expired by its clock.
#[test]
fn a_server_whose_clock_jumps_expires_what_is_over() {
    let mut harness = settled(Conditions::GOOD, 1);
    harness.sim.jump_clock(harness.server, Duration::from_secs(86_400));
    harness.sim.run_for(Duration::from_secs(1));
    assert_eq!(deregistered(&harness), [DeregistrationReason::Expired]);
    harness.sim.with(harness.device, |it, now| it.update_registration(now, 1));
    assert!(harness.run_until(HOUR, |it| registered(it)), "the Update is answered 4.04");
    assert_eq!(harness.sim.address(harness.device), DEVICE);
}
