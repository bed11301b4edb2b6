//! Queue mode: what is asked of a device that sleeps waits until it is heard of.

use crate::harness::{Harness, LIST, Message, device, update};
use crate::observe::{observed, value};
use lwm2m_coap::{Code, MessageType, Response};
use lwm2m_core::Path;
use lwm2m_server::{
    CommandId, CommandOptions, CommandState, Event, Operation, Outcome, Reach, SubmitError,
};
use std::time::Duration;

const SLEEPER: &str = "ep=a&lt=86400&lwm2m=1.1&b=U&Q";

fn read(resource: u16) -> Operation {
    Operation::Read { path: Path::resource(3, 0, resource), format: None }
}

fn sleeper() -> (Harness, String) {
    let mut harness = Harness::new();
    let location = harness.registered_as(1, SLEEPER, LIST);
    (harness, location)
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn command(harness: &mut Harness, operation: Operation) -> CommandId {
    let options = CommandOptions::default();
    let id = harness.server.command(harness.now, "a", operation, options).unwrap();
    harness.drain();
    id
}

/// The reads that have gone out, by their resources.
fn sent(harness: &mut Harness) -> Vec<Message> {
    harness.sent.drain(..).collect()
}

fn outcome(harness: &Harness, id: CommandId) -> Option<Outcome> {
    match &harness.server.command_by_id(id)?.state {
        CommandState::Ended(_, outcome) => Some((**outcome).clone()),
        _ => None,
    }
}

fn text(text: &str) -> Response {
    Response::new(Code::CONTENT).content_format(0).payload(text.to_owned())
}

// proves: QUEUE-01
#[test]
fn queue_mode_is_told_in_the_query_or_the_binding_and_changes_by_update() {
    for query in
        ["ep=a&lt=60&lwm2m=1.1&b=U&Q", "ep=a&lt=60&lwm2m=1.1&b=U&Q=", "ep=a&lt=60&lwm2m=1.0&b=UQ"]
    {
        let mut harness = Harness::new();
        harness.registered_as(1, query, LIST);
        let reach = harness.server.reach("a");
        let until = harness.now + seconds(93);
        assert_eq!(reach, Some(Reach::AwakeUntil(until)), "{query}: awake right after");
    }
    let mut harness = Harness::new();
    let location = harness.registered_as(1, "ep=a&lt=86400&lwm2m=1.0&b=U", LIST);
    assert_eq!(harness.server.reach("a"), Some(Reach::Listening));
    harness.ask(device(1), update(&location, "b=UQ"));
    assert!(matches!(harness.server.reach("a"), Some(Reach::AwakeUntil(_))));
    harness.pass(seconds(94));
    assert!(matches!(harness.server.reach("a"), Some(Reach::AsleepSince(_))));
    harness.ask(device(1), update(&location, "b=U"));
    harness.pass(seconds(94));
    assert_eq!(harness.server.reach("a"), Some(Reach::Listening));
}

// proves: QUEUE-02
#[test]
fn commands_go_out_one_at_a_time_and_in_order_after_any_message() {
    let (mut harness, location) = sleeper();
    harness.pass(seconds(94));
    let ids = [0, 1, 2].map(|resource| command(&mut harness, read(resource)));
    assert_eq!(sent(&mut harness), [], "it sleeps");
    harness.ask(device(1), update(&location, ""));
    for (place, id) in ids.into_iter().enumerate() {
        let requests = sent(&mut harness);
        let [request] = &requests[..] else { panic!("{requests:?}") };
        assert_eq!(request.uri(), format!("/3/0/{place}"));
        assert_eq!(outcome(&harness, id), None);
        harness.answer(request, text("x"));
        assert!(matches!(outcome(&harness, id), Some(Outcome::Answered(_))));
    }
    assert_eq!(sent(&mut harness), []);
}

// proves: QUEUE-03
#[test]
fn a_device_listens_for_93_seconds_after_each_message() {
    let (mut harness, _) = sleeper();
    let request = observed(&mut harness, "a", "/3/0/9");
    harness.pass(seconds(92));
    let (_, first) = harness.order("a", read(0));
    harness.answer(&first, text("x"));
    harness.pass(seconds(50));
    harness.notify(&request, MessageType::NonConfirmable, value("7", 2));
    harness.pass(seconds(92));
    let (_, second) = harness.order("a", read(0));
    harness.answer(&second, text("x"));
    harness.events.clear();
    let heard = harness.now;
    harness.pass(seconds(94));
    assert!(matches!(harness.events.front(), Some(Event::Asleep(it)) if &*it.endpoint == "a"));
    let refused = harness.server.submit(harness.now, "a", read(0));
    assert_eq!(refused, Err(SubmitError::Asleep { since: heard }));
    harness.notify(&request, MessageType::NonConfirmable, value("8", 3));
    assert!(harness.events.iter().any(|event| matches!(event, Event::Awake(_))));

    assert!(harness.server.set_awake_time("a", Some(seconds(10))));
    harness.pass(seconds(11));
    assert!(matches!(harness.server.reach("a"), Some(Reach::AsleepSince(_))), "a time of its own");
}

// proves: QUEUE-04
#[test]
fn a_device_that_does_not_answer_counts_as_asleep_and_the_rest_waits() {
    let (mut harness, location) = sleeper();
    let (id, _) = harness.order("a", read(0));
    let waiting = command(&mut harness, read(1));
    harness.sent.clear();
    harness.server.set_awake_time("a", Some(seconds(1_000)));
    harness.pass(seconds(200));
    assert!(harness.outcome(id).unwrap().is_err(), "the application is told");
    assert!(matches!(harness.server.reach("a"), Some(Reach::AsleepSince(_))));
    assert_eq!(outcome(&harness, waiting), None);
    harness.sent.clear();
    harness.ask(device(1), update(&location, ""));
    let request = harness.request();
    assert_eq!(request.uri(), "/3/0/1");
}

// proves: QUEUE-05
#[test]
fn what_waits_goes_to_where_the_device_wakes_up() {
    let (mut harness, location) = sleeper();
    harness.pass(seconds(94));
    command(&mut harness, read(0));
    harness.ask(device(2), update(&location, ""));
    let requests = sent(&mut harness);
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].to, device(2));
}
