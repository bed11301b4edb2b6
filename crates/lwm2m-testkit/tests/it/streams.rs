//! Client and server engine over connections, plain and in each mode of security, in virtual time:
//! bytes are split at random places, connections are lost, and servers restart.

use crate::lossy::{
    ENDPOINT, HOUR, Harness, SERVER, TEMPERATURE, device_management, harness_of, notified,
    registered, set_temperature, success, tour_of,
};
use crate::secure_lossy::{Keys, MODES, at_a_good_time};
use lwm2m_client::{Event, RegistrationError, Security, ServerAccount};
use lwm2m_core::{BindingMode, ContentFormat, Node, Path, Resource};
use lwm2m_dtls::{Alert, Mode};
use lwm2m_link::Engine;
use lwm2m_server::{Operation, WriteMode};
use lwm2m_testkit::sim::streams::SECURED_PORT;
use lwm2m_testkit::{Conditions, Fate};
use lwm2m_time::Instant;
use std::net::SocketAddr;
use std::time::Duration;

/// Without security, and each mode.
fn modes() -> impl Iterator<Item = Option<Mode>> {
    [None].into_iter().chain(MODES.map(Some))
}

fn device(security: Option<Security>) -> lwm2m_client::Config {
    let account = match security {
        None => ServerAccount::new(1, SERVER),
        Some(security) => {
            let address = SocketAddr::new(SERVER.ip(), SECURED_PORT);
            let mut account = ServerAccount::new(1, address).secured(security);
            account.uri = "coaps://server.example.com".into();
            account
        }
    };
    let mut config =
        lwm2m_client::Config::new(ENDPOINT).server(account.lifetime(86_400).over_tcp());
    config.dtls = at_a_good_time();
    config
}

pub(crate) fn configs(mode: Option<Mode>) -> (lwm2m_client::Config, lwm2m_server::Config) {
    let Some(mode) = mode else { return (device(None), lwm2m_server::Config::default()) };
    let keys = Keys::new();
    (device(Some(keys.security(mode))), keys.server(mode, ENDPOINT))
}

fn harness(mode: Option<Mode>, seed: u64) -> Harness {
    let (device, server) = configs(mode);
    harness_of(device, server, Conditions::GOOD, seed)
}

/// A harness in which the device is registered.
fn settled(mode: Option<Mode>, seed: u64) -> Harness {
    let mut harness = harness(mode, seed);
    assert!(harness.run_until(HOUR, |harness| registered(harness)), "{mode:?}");
    harness.sim.run_for(Duration::from_secs(1));
    harness
}

fn registrations(harness: &Harness) -> usize {
    let is = |event: &lwm2m_server::Event| matches!(event, lwm2m_server::Event::Registered(_));
    harness.sim.events(harness.server).iter().filter(|(_, event)| is(event)).count()
}

// proves: TLS-01
#[test]
fn every_operation_completes_in_each_mode_over_one_connection() {
    for mode in modes() {
        for seed in 0..3 {
            let mut harness = settled(mode, seed);
            let registration = harness.sim[harness.server].registration(ENDPOINT).unwrap().clone();
            assert_eq!(registration.binding, BindingMode::T);
            device_management(&mut harness);
            assert_eq!(
                (harness.sim.streams.accepted, harness.sim[harness.server].peer_count()),
                (1, 1),
                "{mode:?}"
            );
            // Everything once more, then the device deregisters.
            let (datagrams, _) = tour_of(harness);
            assert_eq!(datagrams, 0, "{mode:?}");
        }
    }
}

#[test]
fn a_device_that_stops_leaves_nothing_behind() {
    for mode in modes() {
        let mut harness = settled(mode, 1);
        harness.sim.with(harness.device, |it, now| it.shutdown(now));
        let stopped = |harness: &mut Harness| {
            harness.sim.events(harness.device).iter().any(|(_, event)| *event == Event::Stopped)
        };
        assert!(harness.run_until(Duration::from_secs(1), stopped), "{mode:?}");
        assert!(!registered(&harness));
        harness.sim.run_for(Duration::from_secs(1));
        assert_eq!(harness.sim[harness.server].peer_count(), 0, "{mode:?}");
        assert_eq!(harness.sim[harness.device].poll_timeout(), None);
    }
}

#[test]
fn a_connection_may_be_lost_at_any_moment() {
    for mode in modes() {
        for moment in 0..30 {
            let mut harness = harness(mode, moment);
            let mut steps = 0;
            harness.run_until(Duration::from_secs(2), |_| {
                steps += 1;
                steps > moment
            });
            harness.sim.cut_connections();
            harness.sim.run_for(Duration::from_secs(200));
            assert!(registered(&harness), "{mode:?} at {moment}");
            device_management(&mut harness);
            assert_eq!(harness.sim[harness.server].peer_count(), 1, "{mode:?} at {moment}");
        }
    }
}

#[test]
fn an_operation_fails_with_its_connection_and_the_next_one_succeeds() {
    for mode in modes() {
        let mut harness = settled(mode, 2);
        let observe = Operation::Observe { path: TEMPERATURE, format: None };
        success(&mut harness, &observe);
        let read = Operation::Read { path: TEMPERATURE, format: None };
        let id =
            harness.sim.with(harness.server, |it, now| it.submit(now, ENDPOINT, read)).unwrap();
        harness.sim.cut_connections();
        harness.sim.run_for(Duration::from_secs(1));
        let failed = |event: &lwm2m_server::Event| match event {
            lwm2m_server::Event::Completed { id: other, result, .. } => {
                *other == id && result.is_err()
            }
            _ => false,
        };
        assert!(
            harness.sim.events(harness.server).iter().any(|(_, event)| failed(event)),
            "{mode:?}"
        );
        assert!(
            harness
                .sim
                .events(harness.device)
                .iter()
                .any(|it| matches!(it.1, Event::SessionEnded { .. }))
        );
        harness.sim.run_for(Duration::from_secs(10));
        assert_eq!(
            registrations(&harness),
            1,
            "{mode:?}: an Update on another connection is enough"
        );
        device_management(&mut harness);
        success(&mut harness, &observe);
        set_temperature(&mut harness, 40.0);
        assert!(harness.run_until(HOUR, |harness| notified(harness, 40.0)), "{mode:?}");
    }
}

// `close_notify` and the end without it: `close_notify_goes_both_ways…` of lwm2m-dtls.
// proves: TLS-03
#[test]
fn a_damaged_record_ends_the_session_and_what_waits_for_it() {
    for mode in MODES {
        for answer in [false, true] {
            let mut harness = settled(Some(mode), 5);
            let read = Operation::Read { path: TEMPERATURE, format: None };
            let id =
                harness.sim.with(harness.server, |it, now| it.submit(now, ENDPOINT, read)).unwrap();
            if answer {
                // The request is in flight.
                harness.sim.run_for(Duration::from_millis(5));
            }
            harness.sim.streams.damage = true;
            harness.sim.run_for(Duration::from_millis(100));
            assert!(!harness.sim.streams.damage);
            let failed = harness.sim.events(harness.server).iter().any(|(_, event)| match event {
                lwm2m_server::Event::Completed { id: other, result, .. } => {
                    *other == id && result.is_err()
                }
                _ => false,
            });
            assert!(failed, "{mode:?}, the answer: {answer}");
            // The side that sent the alert may retry at once; the side that received it waits.
            let (_, last) = harness.sim.events(harness.device).last().unwrap();
            let bad_mac = RegistrationError::Alert(Alert::BAD_RECORD_MAC);
            match last {
                Event::SessionEnded { .. } => assert!(!answer),
                Event::RegistrationFailed { reason, .. } => assert_eq!(*reason, bad_mac),
                other => panic!("{other:?}"),
            }
            harness.sim.run_for(Duration::from_secs(61));
            device_management(&mut harness);
            assert_eq!(
                (registrations(&harness), harness.sim[harness.server].peer_count()),
                (2, 1),
                "{mode:?}"
            );
        }
    }
}

#[test]
fn a_restarted_server_is_found_again_in_each_mode() {
    for mode in modes() {
        let (device, server) = configs(mode);
        let mut harness = harness_of(device, server, Conditions::GOOD, 7);
        assert!(harness.run_until(HOUR, |harness| registered(harness)));
        harness.sim.run_for(Duration::from_secs(1));
        harness.sim.restart(harness.server);
        assert!(!registered(&harness));
        // If the server was just lost, the client waits a moment, then retries at once.
        harness.sim.run_for(Duration::from_secs(6));
        assert!(registered(&harness), "{mode:?}");
        device_management(&mut harness);
    }
}

/// The times of the failed attempts, in seconds.
fn attempts(harness: &Harness) -> Vec<u64> {
    let failed = |(at, event): &(Instant, Event)| match event {
        Event::RegistrationFailed { reason, .. } => {
            let refused =
                matches!(reason, RegistrationError::NoAnswer(_) | RegistrationError::Handshake(_));
            assert!(refused, "{reason}");
            Some(at.as_micros() / 1_000_000)
        }
        _ => None,
    };
    harness.sim.events(harness.device).iter().filter_map(failed).collect()
}

#[test]
fn a_server_that_does_not_listen_is_asked_more_and_more_seldom() {
    for mode in modes() {
        let mut harness = harness(mode, 1);
        harness.sim.streams.fate = Fate::Refused;
        harness.sim.run_for(HOUR);
        assert_eq!(attempts(&harness), [0, 60, 180, 420, 900], "{mode:?}");
        harness.sim.streams.fate = Fate::Good;
        harness.sim.run_for(Duration::from_secs(86_400));
        assert!(!registered(&harness), "there is but one sequence");
        harness.sim.with(harness.device, |it, now| it.update_registration(now, 1));
        harness.sim.run_for(Duration::from_secs(1));
        assert!(registered(&harness), "{mode:?}");
    }
}

/// Sessions that the device has begun, or connections.
fn begun(harness: &Harness, mode: Option<Mode>) -> u64 {
    let is = |event: &Event| matches!(event, Event::SessionBegun { .. });
    match mode {
        None => harness.sim.streams.accepted,
        Some(_) => {
            harness.sim.events(harness.device).iter().filter(|(_, event)| is(event)).count() as u64
        }
    }
}

/// As a load balancer does that has lost the server behind it.
#[test]
fn a_server_that_ends_each_session_is_asked_more_and_more_seldom() {
    for mode in modes() {
        let mut harness = settled(mode, 1);
        let before = begun(&harness, mode);
        let mut ended = before - 1;
        harness.run_until(HOUR, |harness| {
            if begun(harness, mode) > ended {
                ended = begun(harness, mode);
                harness.sim.cut_connections();
            }
            false
        });
        assert!((4..10).contains(&(ended - before)), "{mode:?}: {} in an hour", ended - before);
    }
}

#[test]
fn a_connection_that_died_in_silence_is_noticed_by_pings() {
    for mode in modes() {
        let mut harness = settled(mode, 3);
        harness.sim.run_for(HOUR);
        assert_eq!(
            (harness.sim.streams.accepted, registrations(&harness)),
            (1, 1),
            "pings are answered"
        );
        harness.sim.streams.fate = Fate::Silent;
        let ended = |harness: &mut Harness| {
            harness
                .sim
                .events(harness.device)
                .iter()
                .any(|it| matches!(it.1, Event::SessionEnded { .. }))
        };
        assert!(harness.run_until(Duration::from_secs(1_201), ended), "{mode:?}");
        harness.sim.streams.fate = Fate::Good;
        harness.sim.run_for(Duration::from_secs(60));
        assert_eq!(
            registrations(&harness),
            1,
            "{mode:?}: an Update on another connection is enough"
        );
        device_management(&mut harness);
        assert_eq!(
            harness.sim[harness.server].peer_count(),
            1,
            "the new connection has replaced the old one"
        );
    }
}

#[test]
fn a_device_with_a_new_address_comes_by_a_new_connection() {
    for mode in modes() {
        let mut harness = settled(mode, 4);
        harness.sim.with(harness.device, |it, now| it.rebind(now));
        harness.sim.run_for(Duration::from_secs(1));
        assert_eq!((registrations(&harness), harness.sim.streams.accepted), (2, 2), "{mode:?}");
        device_management(&mut harness);
        assert_eq!(harness.sim[harness.server].peer_count(), 1, "{mode:?}");
    }
}

fn write_text(harness: &mut Harness, resource: u16, text: &str) {
    let path = Path::resource(1, 0, resource);
    let node = Node::Resource(Resource::Single(text.into()));
    let (format, mode) = (Some(ContentFormat::TEXT), WriteMode::Replace);
    success(harness, &Operation::Write { path, node, format, mode });
    harness.sim.run_for(Duration::from_secs(1));
}

// proves: REG-23
#[test]
fn the_server_chooses_the_transport() {
    let account = ServerAccount::new(1, SERVER);
    let config = lwm2m_client::Config::new(ENDPOINT).server(account);
    let mut harness = harness_of(config, lwm2m_server::Config::default(), Conditions::GOOD, 1);
    assert!(harness.run_until(HOUR, |harness| registered(harness)));
    let binding =
        |harness: &Harness| harness.sim[harness.server].registration(ENDPOINT).unwrap().binding;
    // Ignores a preferred transport that is not among the listed ones.
    write_text(&mut harness, 22, "T");
    let rebind = |harness: &mut Harness| {
        harness.sim.with(harness.device, |it, now| it.rebind(now));
        harness.sim.run_for(Duration::from_secs(1));
    };
    rebind(&mut harness);
    assert_eq!((binding(&harness), harness.sim.streams.accepted), (BindingMode::U, 0));
    write_text(&mut harness, 7, "UT");
    assert_eq!((binding(&harness), harness.sim.streams.accepted), (BindingMode::UT, 0), "it stays");
    rebind(&mut harness);
    assert_eq!((registrations(&harness), harness.sim.streams.accepted), (3, 1));
    let (datagrams, _) = harness.sim.network.counts();
    device_management(&mut harness);
    assert_eq!(harness.sim.network.counts().0, datagrams, "by the connection alone");
    let trigger = |harness: &mut Harness, arguments: &str| {
        let path = Path::resource(1, 0, 8);
        success(harness, &Operation::Execute { path, arguments: arguments.into() });
        harness.sim.run_for(Duration::from_secs(60));
    };
    trigger(&mut harness, "0='U'");
    assert!(harness.sim.network.counts().0 > datagrams, "the Update came by a datagram");
    device_management(&mut harness);
    assert_eq!((registrations(&harness), harness.sim.streams.accepted), (3, 1));
    assert_eq!(harness.sim[harness.server].peer_count(), 1, "the connection is gone");
    trigger(&mut harness, "0='T'");
    assert_eq!((registrations(&harness), harness.sim.streams.accepted), (3, 2));
    device_management(&mut harness);
}
