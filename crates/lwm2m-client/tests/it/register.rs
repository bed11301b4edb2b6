//! Register, Update, De-register and what follows failures.

use crate::harness::{
    CLIENT, Harness, TEXT, TLV, address, config, delete, get, objects, post, put,
};
use lwm2m_client::{
    BootstrapAccount, Client, Config, ConfigError, ErrorResponse, Event, MemoryObject,
    RegistrationError, RegistrationState, Retry, Security, SecurityError, ServerAccount,
};
use lwm2m_coap::{Code, FailReason, Response};
use lwm2m_core::{ObjectInstance, ObjectVersion, Version};

const LIST: &str = "</1/0>,</3/0>,</6>,</16/0>,</16/1>,</3302/0>,</3303/0>,</3442/0>";

fn with_lifetime(seconds: u32) -> Config {
    Config::new("test").server(ServerAccount::new(1, address(0)).lifetime(seconds))
}

fn refuse(harness: &mut Harness, code: Code, times: usize) {
    harness.answers(0).extend(vec![Response::new(code); times]);
}

// proves: REG-01, REG-08
#[test]
fn register_tells_who_how_long_and_what() {
    let mut harness = Harness::new(config(), objects());
    harness.start();
    let (_, request) = &harness.servers[0].heard[0];
    assert!(request.confirmable);
    assert_eq!(request.options.content_format(), Some(40));
    let expected = format!("0 POST /rd ep=test&lt=86400&lwm2m=1.1&b=U {LIST}");
    assert_eq!(harness.heard(), [expected]);
    let location = "/rd/5a3f".to_owned();
    assert_eq!(harness.events, [Event::Registered { server: 1, location }]);
}

#[test]
fn queue_mode_is_told_as_the_version_has_it() {
    for (version, expected) in [(Version::V1_0, "b=UQ"), (Version::V1_1, "b=U&Q")] {
        let mut account = ServerAccount::new(1, address(0));
        account.queue_mode = true;
        let config = Config::new("test").version(version).server(account);
        let mut harness = Harness::new(config, objects());
        harness.start();
        assert!(harness.heard()[0].contains(&format!("lwm2m={version}&{expected} ")));
    }
}

// proves: REG-05
#[test]
fn a_version_that_is_refused_is_followed_by_the_next_lower_one() {
    let mut harness = Harness::new(config().version(Version::V1_2), objects());
    refuse(&mut harness, Code::PRECONDITION_FAILED, 1);
    harness.start();
    let heard = harness.heard();
    assert!(heard[0].contains("lwm2m=1.2") && heard[1].contains("lwm2m=1.1"), "{heard:?}");
    // The formats are those of 1.1.
    assert_eq!(harness.code(get("3/0").accept(11544)), "4.06");
}

// proves: MODEL-05, DISC-07
#[test]
fn versions_of_objects_are_told_unless_they_are_implied() {
    let device = crate::harness::device().version(ObjectVersion::new(1, 2));
    let thermometer = MemoryObject::new(3303)
        .version(ObjectVersion::new(1, 1))
        .instance(0, |values| values.with(5700, 1.0));
    let mut harness = Harness::new(config(), vec![Box::new(device), Box::new(thermometer)]);
    harness.start();
    let list = "</1/0>,</3>;ver=1.2,</3/0>,</3303>;ver=1.1,</3303/0>";
    assert!(harness.heard()[0].ends_with(list));
    assert!(harness.discover("3").starts_with("</3>;ver=1.2,</3/0>"));
    let implied = crate::harness::device().version(ObjectVersion::new(1, 1));
    let mut harness = Harness::new(config(), vec![Box::new(implied)]);
    harness.start();
    assert!(harness.heard()[0].ends_with(" </1/0>,</3/0>"));
}

// proves: REG-11
#[test]
fn updates_without_changes_are_empty_and_come_in_time() {
    let mut harness = Harness::registered(with_lifetime(20));
    harness.run(31.0);
    assert_eq!(harness.heard(), ["10 POST /rd/5a3f", "20 POST /rd/5a3f", "30 POST /rd/5a3f"]);
    assert_eq!(harness.events[0], Event::Updated { server: 1 });
}

// proves: REG-12
#[test]
fn a_new_lifetime_is_told_at_once() {
    let mut harness = Harness::registered(config());
    assert_eq!(harness.code(put("1/0/1").content_format(TEXT).payload("120")), "2.04");
    assert_eq!(harness.heard(), ["0 POST /rd/5a3f lt=120"]);
    assert_eq!(harness.code(put("1/0/1").content_format(TEXT).payload("-1")), "4.00");
    harness.run(61.0);
    assert_eq!(harness.heard(), ["60 POST /rd/5a3f"]);
}

// proves: REG-13
#[test]
fn instances_that_come_or_go_are_told_in_a_complete_list() {
    let mut harness = Harness::registered(config());
    harness.insert(16, 5, ObjectInstance::default().with_multiple(0, [(0, "x")]));
    let longer = LIST.replace("</16/1>", "</16/1>,</16/5>");
    assert_eq!(harness.servers[0].heard[0].1.options.content_format(), Some(40));
    assert_eq!(harness.heard(), [format!("0 POST /rd/5a3f  {longer}")]);
    assert_eq!(harness.code(delete("16/5")), "2.02");
    assert_eq!(harness.heard(), [format!("0 POST /rd/5a3f  {LIST}")]);
    let create = post("16").content_format(TLV).payload(crate::harness::hex("8600 41 00 61"));
    assert_eq!(harness.code(create), "4.00");
    assert!(harness.heard().is_empty());
}

#[test]
fn changes_during_an_update_are_told_after_it() {
    let mut harness = Harness::registered(config());
    harness.set_reachable(0, false);
    harness.sim.with(harness.client, |it, now| it.update_registration(now, 1));
    harness.insert(16, 5, ObjectInstance::default().with_multiple(0, [(0, "x")]));
    harness.set_reachable(0, true);
    harness.run(5.0);
    let heard = harness.heard();
    assert_eq!(heard.len(), 2, "{heard:?}");
    assert!(heard[0].ends_with("/rd/5a3f") && heard[1].contains("</16/5>"), "{heard:?}");
}

#[test]
fn shutdown_deregisters() {
    let mut harness = Harness::registered(config());
    harness.sim.with(harness.client, |it, now| it.shutdown(now));
    harness.settle();
    assert_eq!(harness.heard(), ["0 DELETE /rd/5a3f"]);
    assert_eq!(
        harness.events,
        [Event::Deregistered { server: 1, confirmed: Ok(()) }, Event::Stopped]
    );
    harness.run(100_000.0);
    assert!(harness.heard().is_empty());
}

// proves: REG-17
#[test]
fn an_update_that_is_refused_makes_the_client_register_again() {
    let mut harness = Harness::registered(config());
    refuse(&mut harness, Code::NOT_FOUND, 1);
    harness.sim.with(harness.client, |it, now| it.update_registration(now, 1));
    harness.settle();
    let register = format!("0 POST /rd ep=test&lt=86400&lwm2m=1.1&b=U {LIST}");
    assert_eq!(harness.heard(), ["0 POST /rd/5a3f".to_owned(), register]);
}

#[test]
fn an_update_without_an_answer_makes_the_client_register_again() {
    let mut harness = Harness::registered(with_lifetime(300));
    harness.set_reachable(0, false);
    harness.run(320.0);
    harness.set_reachable(0, true);
    harness.run(60.0);
    assert!(harness.heard()[0].contains("POST /rd ep=test"));
}

// proves: REG-19
#[test]
fn a_new_address_makes_the_client_register_again() {
    let mut harness = Harness::registered(config());
    harness.sim.with(harness.client, |it, now| it.rebind(now));
    harness.settle();
    assert_eq!(harness.heard(), [format!("0 POST /rd ep=test&lt=86400&lwm2m=1.1&b=U {LIST}")]);
}

// proves: REG-20
#[test]
fn the_trigger_brings_an_empty_update() {
    let mut harness = Harness::registered(config());
    assert_eq!(harness.code(post("1/0/8")), "2.04");
    assert_eq!(harness.heard(), ["0 POST /rd/5a3f"]);
}

// proves: REG-21
#[test]
fn a_server_that_disables_itself_is_left_alone_for_a_while() {
    let mut harness = Harness::registered(config());
    assert_eq!(harness.code(put("1/0/5").content_format(TEXT).payload("20")), "2.04");
    assert_eq!(harness.code(post("1/0/4")), "2.04");
    assert_eq!(harness.heard(), ["0 DELETE /rd/5a3f"]);
    let unheard = harness.send(0, get("3/0/0"));
    harness.run(19.5);
    assert_eq!(harness.answer(0, unheard), None);
    assert!(harness.heard().is_empty());
    harness.run(1.0);
    assert!(harness.heard()[0].starts_with("20 POST /rd ep="));
}

// proves: RETRY-01
#[test]
fn attempts_wait_twice_as_long_each_time() {
    let mut account = ServerAccount::new(1, address(0));
    account.retry = Retry::new().attempts(3, 2);
    let mut harness = Harness::new(Config::new("test").server(account), objects());
    refuse(&mut harness, Code::FORBIDDEN, 9);
    harness.start();
    harness.run(1_000_000.0);
    let times: Vec<f64> = harness.servers[0].heard.iter().map(|(time, _)| *time).collect();
    assert_eq!(times, [0.0, 2.0, 6.0]);
    let last = harness.events.last();
    assert!(matches!(last, Some(Event::RegistrationFailed { retry_at: None, .. })));
}

// proves: RETRY-02
#[test]
fn sequences_follow_after_their_delay() {
    for (sequence_delay, expected) in
        [(10, &[0.0, 60.0, 70.0, 130.0][..]), (u32::MAX, &[0.0, 60.0])]
    {
        let mut account = ServerAccount::new(1, address(0));
        account.retry = Retry::new().attempts(2, 60).sequences(2, sequence_delay);
        let mut harness = Harness::new(Config::new("test").server(account), objects());
        refuse(&mut harness, Code::FORBIDDEN, 9);
        harness.start();
        harness.run(10_000_000.0);
        let times: Vec<f64> = harness.servers[0].heard.iter().map(|(time, _)| *time).collect();
        assert_eq!(times, expected);
    }
}

// proves: COAP-23
#[test]
fn an_overloaded_server_is_asked_when_it_says_so() {
    let mut harness = Harness::new(config(), objects());
    harness.answers(0).push_back(Response::new(Code::SERVICE_UNAVAILABLE).max_age(30));
    harness.start();
    harness.run(29.0);
    assert_eq!(harness.heard().len(), 1);
    harness.run(100.0);
    let heard = harness.heard();
    assert!(heard.len() == 1 && heard[0].starts_with("30 POST /rd "), "{heard:?}");
}

#[test]
fn an_overloaded_server_neither_makes_the_client_spin_nor_silences_it() {
    for (max_age, expected) in [(0, 5.0), (u32::MAX, 86_400.0)] {
        let mut harness = Harness::new(config(), objects());
        let overloaded = Response::new(Code::SERVICE_UNAVAILABLE).max_age(max_age);
        harness.answers(0).extend([overloaded.clone(), Response::new(Code::CREATED)]);
        harness.start();
        harness.run(expected + 1.0);
        let times = |harness: &Harness| -> Vec<f64> {
            harness.servers[0].heard.iter().map(|(time, _)| *time).collect()
        };
        assert_eq!(times(&harness), [0.0, expected]);

        let mut harness = Harness::registered(config());
        harness.answers(0).push_back(overloaded);
        harness.insert(16, 7, ObjectInstance::default());
        // The lifetime is a day; an Update has to come within it.
        let expected = f64::min(expected, 86_400.0 - 93.0);
        harness.run(expected + 1.0);
        let times: Vec<f64> = times(&harness).iter().map(|time| time.round()).collect();
        assert_eq!(times[..2], [0.0, expected], "an Update");
    }
}

#[test]
fn requests_before_the_registration_are_ignored() {
    let mut harness = Harness::new(config(), objects());
    harness.sim.with(harness.client, |it, now| it.start(now));
    let register = harness.sim.network.arrive(harness.sim.now).unwrap();
    let early = harness.send(0, get("3/0/0"));
    assert_eq!(harness.answer(0, early), None);
    harness.sim.inject(harness.servers[0].node, CLIENT, false, &register.payload);
    harness.settle();
    assert!(matches!(harness.events[..], [Event::Registered { .. }]));
    // The server sends it again.
    harness.run(5.0);
    assert!(harness.answer(0, early).is_some());
}

#[test]
fn an_acceptance_without_a_location_is_a_failure() {
    let mut harness = Harness::new(config(), objects());
    harness.answers(0).push_back(Response::new(Code::CREATED));
    harness.start();
    let reason = RegistrationError::NoLocation;
    let failed = |event: &Event| matches!(event, Event::RegistrationFailed { reason: r, .. } if *r == reason);
    assert!(harness.events.iter().any(failed));
}

#[test]
fn shutdown_ends_without_an_answer_too() {
    let mut harness = Harness::registered(config());
    harness.set_reachable(0, false);
    harness.sim.with(harness.client, |it, now| it.shutdown(now));
    harness.run(100.0);
    let reason = FailReason::Unacknowledged { sent: 5 };
    let confirmed = Err(RegistrationError::NoAnswer(reason));
    let unanswered = Event::Unanswered { server: 1, address: address(0) };
    let deregistered = Event::Deregistered { server: 1, confirmed };
    assert_eq!(harness.events, [unanswered, deregistered, Event::Stopped]);
}

#[test]
fn a_server_that_does_not_answer_is_told_at_once_and_what_was_tried_at_the_end() {
    let mut harness = Harness::new(config(), objects());
    harness.set_reachable(0, false);
    harness.start();
    harness.run(3.0);
    let address = address(0);
    assert_eq!(harness.events, [Event::Unanswered { server: 1, address }]);
    harness.run(90.0);
    let [_, Event::RegistrationFailed { address: Some(tried), reason, .. }] = &harness.events[..]
    else {
        panic!("{:?}", harness.events)
    };
    assert_eq!(*tried, address);
    assert!(reason.to_string().contains("sent 5 times"), "{reason}");
}

#[test]
fn a_silent_server_on_a_connection_is_told_as_soon() {
    let account = ServerAccount::new(1, address(0)).over_tcp();
    let mut harness = Harness::new(Config::new("test").server(account), objects());
    harness.set_reachable(0, false);
    harness.start();
    harness.run(3.0);
    let address = address(0);
    assert_eq!(harness.events, [Event::Unanswered { server: 1, address }]);
    harness.run(1_000.0);
    let failed = |event: &&Event| matches!(event, Event::RegistrationFailed { .. });
    let told = |event: &&Event| matches!(event, Event::Unanswered { .. });
    let [failed, told] =
        [harness.events.iter().filter(failed).count(), harness.events.iter().filter(told).count()];
    assert!(failed > 0 && told <= failed + 1, "{told} times for {failed} tries");
}

#[test]
fn shutdown_while_registering_waits_for_the_location() {
    let mut harness = Harness::new(config(), objects());
    harness.sim.with(harness.client, |it, now| it.start(now));
    harness.sim.with(harness.client, |it, now| it.shutdown(now));
    assert!(harness.events.is_empty());
    harness.settle();
    let heard = harness.heard();
    assert_eq!(heard.len(), 2, "{heard:?}");
    assert_eq!(heard[1], "0 DELETE /rd/5a3f");
    assert_eq!(harness.events.last(), Some(&Event::Stopped));
}

#[test]
fn shutdown_while_registering_is_no_reason_to_try_again() {
    let mut harness = Harness::new(config(), objects());
    harness.set_reachable(0, false);
    harness.sim.with(harness.client, |it, now| it.start(now));
    harness.sim.with(harness.client, |it, now| it.shutdown(now));
    harness.run(100.0);
    assert_eq!(harness.events.last(), Some(&Event::Stopped));
    harness.set_reachable(0, true);
    harness.run(100_000.0);
    assert!(harness.heard().is_empty());
}

#[test]
fn a_server_that_has_moved_is_registered_with_at_its_new_address() {
    let mut harness = Harness::registered(config());
    harness.set_reachable(0, false);
    harness.sim.with(harness.client, |it, now| it.update_registration(now, 1));
    harness.run(95.0);
    harness.sim.with(harness.client, |it, now| it.set_address(now, 1, address(1))).unwrap();
    harness.settle();
    assert_eq!(harness.heard_by(1).len(), 1);
    assert_eq!(
        harness.sim[harness.client].registration_state(1),
        Some(RegistrationState::Registered)
    );
    // Where it already is, it stays.
    harness.sim.with(harness.client, |it, now| it.set_address(now, 1, address(1))).unwrap();
    harness.settle();
    assert!(harness.heard_by(1).is_empty());
    // The old address is a stranger's.
    harness.set_reachable(0, true);
    let read = harness.send(0, get("/3/0/0"));
    assert_eq!(harness.answer(0, read), None);
}

#[test]
fn the_address_of_a_name_is_asked_for() {
    let uri = "coap://server.example.com";
    let config = Config::new("test").server(ServerAccount::named(1, uri));
    let mut harness = Harness::new(config, objects());
    harness.start();
    let wanted = Event::AddressWanted { server: 1, uri: uri.into() };
    assert!(harness.events.contains(&wanted), "{:?}", harness.events);
    harness.events.clear();
    harness.run(61.0);
    assert!(harness.events.contains(&wanted), "once more by the retry timer");
    harness.set_reachable(0, false);
    harness.sim.with(harness.client, |it, now| it.set_address(now, 1, address(0))).unwrap();
    harness.events.clear();
    harness.run(95.0);
    assert!(harness.events.contains(&wanted), "it may be elsewhere now");
    harness.sim.with(harness.client, |it, now| it.set_address(now, 1, address(1))).unwrap();
    harness.run(61.0);
    assert_eq!(harness.heard_by(1).len(), 1);
    assert_eq!(
        harness.sim[harness.client].registration_state(1),
        Some(RegistrationState::Registered)
    );
}

#[test]
fn the_address_of_an_address_is_not_asked_for() {
    let uri = format!("coap://{}", address(0));
    let config = Config::new("test").server(ServerAccount::named(1, uri));
    let mut harness = Harness::new(config, objects());
    harness.start();
    harness.settle();
    assert_eq!(
        harness.sim[harness.client].registration_state(1),
        Some(RegistrationState::Registered)
    );
}

#[test]
fn two_servers_do_not_share_an_address() {
    let both = config().server(ServerAccount::new(2, address(1)));
    let mut harness = Harness::registered(both);
    let refused = harness.sim.with(harness.client, |it, now| it.set_address(now, 2, address(0)));
    assert_eq!(refused, Err(ConfigError::SameAddress(2, 1)));
}

#[test]
fn configurations_are_checked() {
    let account = ServerAccount::new;
    let bad =
        |config: Config, objects| Client::new(config, objects, [0; 32]).map(drop).unwrap_err();
    let twice = config().server(account(1, address(1)));
    assert_eq!(bad(twice, objects()), ConfigError::ShortServerId(1));
    let secured = account(2, address(1)).secured(Security::psk("test", b""));
    let no_key = ConfigError::Security(2, SecurityError::PskKey(0));
    assert_eq!(bad(config().server(secured), objects()), no_key);
    let mut plain = BootstrapAccount::new(address(2)).secured(Security::psk("test", b"key"));
    plain.uri = "coap://192.0.2.3".into();
    let plain_uri = ConfigError::Security(0, SecurityError::PlainUri);
    assert_eq!(bad(config().bootstrap(plain), objects()), plain_uri);
    let same = config().server(account(2, address(0)));
    assert_eq!(bad(same, objects()), ConfigError::SameAddress(1, 2));
    assert_eq!(bad(config(), vec![]), ConfigError::MissingObject(3));
    for length in [0, 253] {
        let name = Config::new("x".repeat(length)).server(account(1, address(0)));
        assert_eq!(bad(name, objects()), ConfigError::EndpointName(length));
    }
    let path = "/3/0/4".parse().unwrap();
    let incomplete =
        MemoryObject::new(3).instance(0, |v| v.with_multiple(11, [(0, 0_i64)]).with(16, "U"));
    assert_eq!(bad(config(), vec![Box::new(incomplete)]), ConfigError::MissingResource(path));
    let unknown = MemoryObject::new(65_000);
    assert_eq!(bad(config(), vec![Box::new(unknown)]), ConfigError::UndefinedObject(65_000));
    assert_eq!(bad(config(), vec![Box::new(MemoryObject::new(0))]), ConfigError::ReservedObject(0));
}

#[test]
fn an_overloaded_server_is_asked_ever_more_seldom_and_that_is_no_failed_attempt() {
    let mut account = ServerAccount::new(1, address(0));
    account.retry = Retry::new().attempts(2, 2);
    let mut harness = Harness::new(Config::new("test").server(account), objects());
    let overloaded = Response::new(Code::SERVICE_UNAVAILABLE).max_age(8);
    harness.answers(0).extend(vec![overloaded; 16]);
    refuse(&mut harness, Code::FORBIDDEN, 1);
    harness.start();
    harness.run(1_000_000.0);
    let times: Vec<f64> = harness.servers[0].heard.iter().map(|(time, _)| *time).collect();
    let waits: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).take(16).collect();
    assert_eq!(waits[..5], [8.0, 10.0, 20.0, 40.0, 80.0]);
    assert_eq!(waits[14..], [81_920.0, 86_400.0]);
    // The refusal was the first failed attempt, so that another one followed.
    assert_eq!(times[17] - times[16], 2.0);
    assert!(harness.events.iter().any(|event| matches!(event, Event::Registered { .. })));
}

#[test]
fn an_overloaded_server_gets_the_update_within_the_lifetime() {
    let mut harness = Harness::registered(with_lifetime(300));
    let overloaded = Response::new(Code::SERVICE_UNAVAILABLE).max_age(3_600);
    harness.answers(0).extend(vec![overloaded; 2]);
    harness.run(299.0);
    let times: Vec<f64> = harness.servers[0].heard.iter().map(|(time, _)| time.round()).collect();
    assert_eq!(times, [207.0, 254.0, 277.0]);
    assert!(harness.heard().iter().all(|update| update.contains("POST /rd/5a3f")));
}

#[test]
fn an_overloaded_server_that_lets_the_lifetime_end_is_registered_with_again() {
    let mut harness = Harness::registered(with_lifetime(300));
    let overloaded = Response::new(Code::SERVICE_UNAVAILABLE);
    harness.answers(0).extend(vec![overloaded; 30]);
    harness.run(301.0);
    let heard = harness.heard();
    assert!((3..30).contains(&heard.len()), "{heard:?}");
    assert!(heard.last().unwrap().starts_with("300 POST /rd ep=test"), "{heard:?}");
}

#[test]
fn a_second_shutdown_does_not_take_the_first_one_back() {
    for ask in [Some("1/0/4"), None] {
        let mut harness = Harness::registered(config());
        match ask {
            Some(disable) => drop(harness.send_quietly(post(disable))),
            None => harness.sim.with(harness.client, |it, now| it.shutdown(now)),
        }
        harness.sim.with(harness.client, |it, now| it.shutdown(now));
        harness.settle();
        assert_eq!(harness.heard(), ["0 DELETE /rd/5a3f"], "{ask:?}");
        assert!(harness.events.contains(&Event::Deregistered { server: 1, confirmed: Ok(()) }));
        assert_eq!(harness.events.last(), Some(&Event::Stopped));
        harness.run(200_000.0);
        assert!(harness.heard().is_empty());
    }
}

#[test]
fn a_refused_deregister_is_told() {
    let mut harness = Harness::registered(config());
    refuse(&mut harness, Code::NOT_FOUND, 1);
    harness.sim.with(harness.client, |it, now| it.shutdown(now));
    harness.settle();
    let refusal = ErrorResponse { code: Code::NOT_FOUND, diagnostic: String::new() };
    let confirmed = Err(RegistrationError::Refused(refusal));
    assert_eq!(harness.events, [Event::Deregistered { server: 1, confirmed }, Event::Stopped]);
}

#[test]
fn a_new_registration_begins_with_the_highest_version_again() {
    let mut harness = Harness::new(config().version(Version::V1_2), objects());
    refuse(&mut harness, Code::PRECONDITION_FAILED, 1);
    harness.start();
    harness.heard();
    harness.sim.with(harness.client, |it, now| it.rebind(now));
    harness.settle();
    assert!(harness.heard()[0].contains("lwm2m=1.2"));
}

#[test]
fn a_lost_answer_to_disable_is_repeated() {
    let mut harness = Harness::registered(config());
    let id = harness.send_quietly(post("1/0/4"));
    assert_eq!(harness.heard(), ["0 DELETE /rd/5a3f"]);
    assert_eq!(harness.answer(0, id), None);
    harness.run(10.0);
    assert_eq!(harness.answer(0, id).unwrap().code, Code::CHANGED);
    assert!(harness.heard().is_empty());
}
