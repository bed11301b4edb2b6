//! Queue mode (OMA LwM2M Core 6.5).

use crate::harness::{Harness, address, config, get, post};
use lwm2m_client::{Config, Event, ServerAccount};
use lwm2m_coap::{Code, Request};
use std::time::Duration;

/// A client in queue mode, with a lifetime of an hour.
fn queueing() -> Config {
    Config::new("test").server(ServerAccount::new(1, address(0)).lifetime(3_600).queue_mode(true))
}

/// Whether the client answers a request that is sent now.
fn answers(harness: &mut Harness, request: Request) -> bool {
    let asked = harness.send(0, request.non_confirmable());
    harness.answer(0, asked).is_some()
}

/// What the client told of its sleep since the last call, and when it had something to do.
fn naps(harness: &mut Harness) -> Vec<String> {
    let naps = std::mem::take(&mut harness.events).into_iter().filter_map(|event| match event {
        Event::Awake => Some("awake".to_owned()),
        Event::Sleeping { until } => {
            let seconds = until.map(|it| it.as_micros() / 1_000_000);
            Some(format!("asleep until {seconds:?}"))
        }
        _ => None,
    });
    naps.collect()
}

// proves: QUEUE-01
#[test]
fn server_is_told_of_queue_mode() {
    let mut harness = Harness::new(queueing(), crate::harness::objects());
    harness.start();
    assert!(harness.heard()[0].contains("&b=U&Q "));
}

// proves: QUEUE-03
#[test]
fn device_listens_for_93_seconds_after_its_last_message_then_sleeps() {
    let mut harness = Harness::registered(queueing());
    harness.run(92.0);
    assert!(answers(&mut harness, get("/3303/0/5700")));
    // The answer was a message, too.
    harness.run(92.0);
    assert!(!harness.sim[harness.client].is_asleep());
    harness.run(2.0);
    assert_eq!(naps(&mut harness), ["asleep until Some(3507)"]);
    assert!(!answers(&mut harness, get("/3303/0/5700")));
    assert!(naps(&mut harness).is_empty());
}

// proves: QUEUE-03
#[test]
fn notification_restarts_the_time_to_listen() {
    let mut harness = Harness::registered(queueing());
    harness.ask(get("/3303/0/5700").observe(0));
    harness.run(50.0);
    harness.set("/3303/0/5700", 21.0);
    harness.run(92.0);
    assert!(answers(&mut harness, get("/3303/0/5700")));
    harness.run(94.0);
    assert_eq!(naps(&mut harness).len(), 1);
    // The next one wakes the device.
    harness.set("/3303/0/5700", 22.0);
    assert_eq!(naps(&mut harness), ["awake"]);
    assert_eq!(harness.notified().len(), 2);
    assert!(answers(&mut harness, get("/3303/0/5700")));
}

#[test]
fn device_wakes_up_for_its_update_and_for_a_send() {
    let mut config = queueing().awake_time(Duration::from_secs(10));
    config.servers[0].mute_send = false;
    let mut harness = Harness::registered(config);
    harness.run(11.0);
    assert_eq!(naps(&mut harness), ["asleep until Some(3507)"]);
    harness.run(3_510.0);
    assert_eq!(naps(&mut harness), ["awake", "asleep until Some(7014)"]);
    assert_eq!(harness.heard(), ["3507 POST /rd/5a3f"]);
    let send = |it: &mut lwm2m_client::Client, now| {
        it.send(now, 1, &["/3303/0/5700".parse().unwrap()], None)
    };
    harness.sim.with(harness.client, send).unwrap();
    harness.settle();
    assert_eq!(naps(&mut harness), ["awake"]);
    harness.run(11.0);
    assert_eq!(naps(&mut harness), ["asleep until Some(7014)"]);
}

#[test]
fn device_that_waits_for_an_answer_does_not_sleep() {
    let mut harness = Harness::registered(queueing().awake_time(Duration::from_secs(10)));
    harness.set_reachable(0, false);
    let update = |it: &mut lwm2m_client::Client, now| it.update_registration(now, 1);
    harness.sim.with(harness.client, update);
    harness.run(90.0);
    assert!(naps(&mut harness).is_empty());
}

#[test]
fn device_sleeps_only_if_all_its_servers_know() {
    let both = queueing().server(ServerAccount::new(2, address(1)));
    let mut harness = Harness::registered(both);
    harness.run(200.0);
    assert!(answers(&mut harness, get("/3303/0/5700")));
    // The other server does not want to be known for a while.
    let disabled = harness.ask_as(1, post("/1/1/4"));
    assert_eq!(disabled.code, Code::CHANGED);
    harness.run(200.0);
    assert!(!answers(&mut harness, get("/3303/0/5700")));
    // Without queue mode a device listens always.
    let mut harness = Harness::registered(config());
    harness.run(200.0);
    assert!(answers(&mut harness, get("/3303/0/5700")));
}
