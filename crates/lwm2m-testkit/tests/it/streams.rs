//! Client and server engine over connections, plain and in each mode of security, in virtual time:
//! bytes come cut anywhere, connections are lost, and servers start anew.

use crate::lossy::{
    ENDPOINT, HOUR, TEMPERATURE, World, device_management, notified, registered, set_temperature,
    success, tour_of, world_of,
};
use crate::secure_lossy::{Keys, MODES, at_a_good_time};
use lwm2m_client::{Event, RegistrationError, Security, ServerAccount};
use lwm2m_core::{BindingMode, ContentFormat, Node, Path, Resource};
use lwm2m_dtls::{Alert, Mode};
use lwm2m_link::Engine;
use lwm2m_server::{Operation, Server, WriteMode};
use lwm2m_testkit::pair::RIGHT;
use lwm2m_testkit::streams::SECURED_PORT;
use lwm2m_testkit::{Conditions, Fate};
use lwm2m_time::Instant;
use std::net::SocketAddr;
use std::time::Duration;

/// Nothing, and each mode.
fn modes() -> impl Iterator<Item = Option<Mode>> {
    [None].into_iter().chain(MODES.map(Some))
}

fn device(security: Option<Security>) -> lwm2m_client::Config {
    let account = match security {
        None => ServerAccount::new(1, RIGHT),
        Some(security) => {
            let address = SocketAddr::new(RIGHT.ip(), SECURED_PORT);
            let account = ServerAccount::new(1, address).secured(security);
            ServerAccount { uri: "coaps://server.example.com".into(), ..account }
        }
    };
    let mut config =
        lwm2m_client::Config::new(ENDPOINT).server(account.lifetime(86_400).over_tcp());
    config.dtls = at_a_good_time();
    config
}

fn configs(mode: Option<Mode>) -> (lwm2m_client::Config, lwm2m_server::Config) {
    let Some(mode) = mode else { return (device(None), lwm2m_server::Config::default()) };
    let keys = Keys::new();
    (device(Some(keys.security(mode))), keys.server(mode, ENDPOINT))
}

fn world(mode: Option<Mode>, seed: u64) -> World {
    let (device, server) = configs(mode);
    world_of(device, server, Conditions::GOOD, seed)
}

/// A world in which the device is registered.
fn settled(mode: Option<Mode>, seed: u64) -> World {
    let mut world = world(mode, seed);
    assert!(world.run_until(HOUR, |world| registered(world)), "{mode:?}");
    world.run_for(Duration::from_secs(1));
    world
}

fn registrations(world: &World) -> usize {
    let is = |event: &lwm2m_server::Event| matches!(event, lwm2m_server::Event::Registered(_));
    world.right_events.iter().filter(|(_, event)| is(event)).count()
}

// proves: TLS-01
#[test]
fn every_operation_completes_in_each_mode_over_one_connection() {
    for mode in modes() {
        for seed in 0..3 {
            let mut world = settled(mode, seed);
            let registration = world.right.registration(ENDPOINT).unwrap().clone();
            assert_eq!(registration.binding, BindingMode::T);
            device_management(&mut world);
            assert_eq!((world.streams.accepted, world.right.peer_count()), (1, 1), "{mode:?}");
            // All of it once more, and then the device goes.
            let (datagrams, _) = tour_of(world);
            assert_eq!(datagrams, 0, "{mode:?}");
        }
    }
}

#[test]
fn a_device_that_stops_leaves_nothing_behind() {
    for mode in modes() {
        let mut world = settled(mode, 1);
        let now = world.now;
        world.left.shutdown(now);
        let stopped =
            |world: &mut World| world.left_events.iter().any(|(_, event)| *event == Event::Stopped);
        assert!(world.run_until(Duration::from_secs(1), stopped), "{mode:?}");
        assert!(!registered(&world));
        world.run_for(Duration::from_secs(1));
        assert_eq!(world.right.peer_count(), 0, "{mode:?}");
        assert_eq!(world.left.poll_timeout(), None);
    }
}

#[test]
fn a_connection_may_be_lost_at_any_moment() {
    for mode in modes() {
        for moment in 0..30 {
            let mut world = world(mode, moment);
            let mut steps = 0;
            world.run_until(Duration::from_secs(2), |_| {
                steps += 1;
                steps > moment
            });
            world.cut_connections();
            world.run_for(Duration::from_secs(200));
            assert!(registered(&world), "{mode:?} at {moment}");
            device_management(&mut world);
            assert_eq!(world.right.peer_count(), 1, "{mode:?} at {moment}");
        }
    }
}

#[test]
fn an_operation_fails_with_its_connection_and_the_next_one_succeeds() {
    for mode in modes() {
        let mut world = settled(mode, 2);
        let observe = Operation::Observe { path: TEMPERATURE, format: None };
        success(&mut world, &observe);
        let read = Operation::Read { path: TEMPERATURE, format: None };
        let id = world.right.submit(world.now, ENDPOINT, read).unwrap();
        world.cut_connections();
        world.run_for(Duration::from_secs(1));
        let failed = |event: &lwm2m_server::Event| match event {
            lwm2m_server::Event::Completed { id: other, result, .. } => {
                *other == id && result.is_err()
            }
            _ => false,
        };
        assert!(world.right_events.iter().any(|(_, event)| failed(event)), "{mode:?}");
        assert!(world.left_events.iter().any(|it| matches!(it.1, Event::SessionEnded { .. })));
        world.run_for(Duration::from_secs(10));
        assert_eq!(registrations(&world), 2, "a Register, as the server knows the connection");
        device_management(&mut world);
        success(&mut world, &observe);
        set_temperature(&mut world, 40.0);
        assert!(world.run_until(HOUR, |world| notified(world, 40.0)), "{mode:?}");
    }
}

// `close_notify` and the end without it: `close_notify_goes_both_ways…` of lwm2m-dtls.
// proves: TLS-03
#[test]
fn a_damaged_record_ends_the_session_and_what_waits_for_it() {
    for mode in MODES {
        for answer in [false, true] {
            let mut world = settled(Some(mode), 5);
            let read = Operation::Read { path: TEMPERATURE, format: None };
            let id = world.right.submit(world.now, ENDPOINT, read).unwrap();
            if answer {
                // The request is on its way.
                world.run_for(Duration::from_millis(5));
            }
            world.streams.damage = true;
            world.run_for(Duration::from_millis(100));
            assert!(!world.streams.damage);
            let failed = world.right_events.iter().any(|(_, event)| match event {
                lwm2m_server::Event::Completed { id: other, result, .. } => {
                    *other == id && result.is_err()
                }
                _ => false,
            });
            assert!(failed, "{mode:?}, the answer: {answer}");
            // Who told the other by an alert may come back at once; who was told waits.
            let (_, last) = world.left_events.last().unwrap();
            let bad_mac = RegistrationError::Alert(Alert::BAD_RECORD_MAC);
            match last {
                Event::SessionEnded { .. } => assert!(!answer),
                Event::RegistrationFailed { reason, .. } => assert_eq!(*reason, bad_mac),
                other => panic!("{other:?}"),
            }
            world.run_for(Duration::from_secs(61));
            device_management(&mut world);
            assert_eq!((registrations(&world), world.right.peer_count()), (2, 1), "{mode:?}");
        }
    }
}

#[test]
fn a_restarted_server_is_found_again_in_each_mode() {
    for mode in modes() {
        let (device, server) = configs(mode);
        let mut world = world_of(device, server.clone(), Conditions::GOOD, 7);
        assert!(world.run_until(HOUR, |world| registered(world)));
        world.run_for(Duration::from_secs(1));
        world.replace_right(Server::new(server, [9; 32]));
        assert!(!registered(&world));
        // A server that has just gone is given a moment, and then asked again at once.
        world.run_for(Duration::from_secs(6));
        assert!(registered(&world), "{mode:?}");
        device_management(&mut world);
    }
}

/// When attempts were made that failed, in seconds.
fn attempts(world: &World) -> Vec<u64> {
    let failed = |(at, event): &(Instant, Event)| match event {
        Event::RegistrationFailed { reason, .. } => {
            let refused =
                matches!(reason, RegistrationError::NoAnswer(_) | RegistrationError::Handshake(_));
            assert!(refused, "{reason}");
            Some(at.as_micros() / 1_000_000)
        }
        _ => None,
    };
    world.left_events.iter().filter_map(failed).collect()
}

#[test]
fn a_server_that_does_not_listen_is_asked_more_and_more_seldom() {
    for mode in modes() {
        let mut world = world(mode, 1);
        world.streams.fate = Fate::Refused;
        world.run_for(HOUR);
        assert_eq!(attempts(&world), [0, 60, 180, 420, 900], "{mode:?}");
        world.streams.fate = Fate::Good;
        world.run_for(Duration::from_secs(86_400));
        assert!(!registered(&world), "there is but one sequence");
        let now = world.now;
        world.left.update_registration(now, 1);
        world.run_for(Duration::from_secs(1));
        assert!(registered(&world), "{mode:?}");
    }
}

#[test]
fn a_connection_that_died_in_silence_is_noticed_by_pings() {
    for mode in modes() {
        let mut world = settled(mode, 3);
        world.run_for(HOUR);
        assert_eq!((world.streams.accepted, registrations(&world)), (1, 1), "pings are answered");
        world.streams.fate = Fate::Silent;
        let ended = |world: &mut World| {
            world.left_events.iter().any(|it| matches!(it.1, Event::SessionEnded { .. }))
        };
        assert!(world.run_until(Duration::from_secs(1_201), ended), "{mode:?}");
        world.streams.fate = Fate::Good;
        world.run_for(Duration::from_secs(60));
        assert_eq!(registrations(&world), 2, "{mode:?}");
        device_management(&mut world);
        assert_eq!(world.right.peer_count(), 1, "the new connection has replaced the old one");
    }
}

#[test]
fn a_device_with_a_new_address_comes_by_a_new_connection() {
    for mode in modes() {
        let mut world = settled(mode, 4);
        let now = world.now;
        world.left.rebind(now);
        world.run_for(Duration::from_secs(1));
        assert_eq!((registrations(&world), world.streams.accepted), (2, 2), "{mode:?}");
        device_management(&mut world);
        assert_eq!(world.right.peer_count(), 1, "{mode:?}");
    }
}

fn write_text(world: &mut World, resource: u16, text: &str) {
    let path = Path::resource(1, 0, resource);
    let node = Node::Resource(Resource::Single(text.into()));
    let (format, mode) = (Some(ContentFormat::TEXT), WriteMode::Replace);
    success(world, &Operation::Write { path, node, format, mode });
    world.run_for(Duration::from_secs(1));
}

// proves: REG-23
#[test]
fn the_server_chooses_the_transport() {
    let account = ServerAccount::new(1, RIGHT);
    let config = lwm2m_client::Config::new(ENDPOINT).server(account);
    let mut world = world_of(config, lwm2m_server::Config::default(), Conditions::GOOD, 1);
    assert!(world.run_until(HOUR, |world| registered(world)));
    let binding = |world: &World| world.right.registration(ENDPOINT).unwrap().binding;
    // A transport that is not listed is none to prefer.
    write_text(&mut world, 22, "T");
    let rebind = |world: &mut World| {
        let now = world.now;
        world.left.rebind(now);
        world.run_for(Duration::from_secs(1));
    };
    rebind(&mut world);
    assert_eq!((binding(&world), world.streams.accepted), (BindingMode::U, 0));
    write_text(&mut world, 7, "UT");
    assert_eq!((binding(&world), world.streams.accepted), (BindingMode::UT, 0), "it stays");
    rebind(&mut world);
    assert_eq!((registrations(&world), world.streams.accepted), (3, 1));
    let (datagrams, _) = world.network.counts();
    device_management(&mut world);
    assert_eq!(world.network.counts().0, datagrams, "by the connection alone");
    let trigger = |world: &mut World, arguments: &str| {
        let path = Path::resource(1, 0, 8);
        success(world, &Operation::Execute { path, arguments: arguments.into() });
        world.run_for(Duration::from_secs(60));
    };
    trigger(&mut world, "0='U'");
    assert!(world.network.counts().0 > datagrams, "the Update came by a datagram");
    device_management(&mut world);
    assert_eq!((registrations(&world), world.streams.accepted), (3, 1));
    assert_eq!(world.right.peer_count(), 1, "the connection is gone");
    trigger(&mut world, "0='T'");
    assert_eq!((registrations(&world), world.streams.accepted), (3, 2));
    device_management(&mut world);
}
