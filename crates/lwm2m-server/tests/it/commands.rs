//! Commands: kept before they are acknowledged, sent once, and ended with a result that is kept.

use crate::harness::{Harness, LIST, Message, device, register, update};
use lwm2m_coap::{Code, Response};
use lwm2m_core::{Node, Path, Resource, Value};
use lwm2m_server::{
    CommandId, CommandOptions, CommandState, Config, Content, Event, Operation, Outcome,
    SubmitError, WriteMode,
};
use std::time::Duration;

pub(crate) const REBOOT: Operation =
    Operation::Execute { path: Path::resource(3, 0, 4), arguments: String::new() };

pub(crate) fn write(value: i64) -> Operation {
    let node = Node::Resource(Resource::Single(Value::Integer(value)));
    let (path, mode) = (Path::resource(1, 0, 1), WriteMode::Replace);
    Operation::Write { path, node, format: None, mode }
}

/// A registered device, and the location of its registration.
pub(crate) fn registered() -> (Harness, String) {
    let mut harness = Harness::kept();
    harness.ask_for(device(1), register("ep=a&lt=86400&lwm2m=1.1&b=U&Q", LIST));
    harness.commit();
    let location = harness.sent.pop_front().unwrap().location();
    (harness, location)
}

/// The same, asleep.
pub(crate) fn asleep() -> (Harness, String) {
    let (mut harness, location) = registered();
    harness.pass(Duration::from_secs(94));
    harness.commit();
    (harness, location)
}

fn command_as(
    harness: &mut Harness,
    operation: Operation,
    options: CommandOptions,
) -> Result<CommandId, SubmitError> {
    let id = harness.server.command(harness.now, "a", operation, options);
    harness.drain();
    id
}

pub(crate) fn command(harness: &mut Harness, operation: Operation) -> CommandId {
    command_as(harness, operation, CommandOptions::default()).unwrap()
}

fn state(harness: &Harness, id: CommandId) -> CommandState {
    harness.server.command_by_id(id).unwrap().state.clone()
}

pub(crate) fn outcome(harness: &Harness, id: CommandId) -> Option<Outcome> {
    match state(harness, id) {
        CommandState::Ended(_, outcome) => Some((*outcome).clone()),
        _ => None,
    }
}

pub(crate) fn wake(harness: &mut Harness, location: &str) {
    assert_eq!(harness.ask(device(1), update(location, "")).code, Code::CHANGED);
}

/// The only request that the server has sent.
pub(crate) fn only(harness: &mut Harness) -> Message {
    assert_eq!(harness.sent.len(), 1, "{:?}", harness.sent);
    harness.request()
}

#[test]
fn a_command_is_sent_when_it_is_durable() {
    let (mut harness, _) = registered();
    let id = command(&mut harness, write(7));
    assert!(harness.sent.is_empty());
    assert_eq!(state(&harness, id), CommandState::Storing);
    harness.commit();
    let request = only(&mut harness);
    assert_eq!(request.uri(), "/1/0/1");
    harness.answer(&request, Response::new(Code::CHANGED));
    harness.commit();
    assert!(
        matches!(outcome(&harness, id), Some(Outcome::Answered(it)) if it.code == Code::CHANGED)
    );
    assert_eq!(ends(&harness, id), 1);
}

/// How often the application was told of the end of a command.
pub(crate) fn ends(harness: &Harness, id: CommandId) -> usize {
    let ended = |event: &&Event| matches!(event, Event::CommandEnded { id: it, .. } if *it == id);
    harness.events.iter().filter(ended).count()
}

#[test]
fn an_outcome_is_told_when_it_is_durable() {
    let (mut harness, location) = registered();
    let (id, next) = (command(&mut harness, REBOOT), command(&mut harness, write(7)));
    harness.commit();
    let request = only(&mut harness);
    harness.answer(&request, Response::new(Code::CHANGED));
    assert_eq!((outcome(&harness, id), ends(&harness, id)), (None, 0));
    assert_eq!(only(&mut harness).uri(), "/1/0/1", "the next one does not wait for the disk");
    harness.fail();
    assert_eq!((outcome(&harness, id), ends(&harness, id)), (None, 0), "the store tries again");
    harness.commit();
    assert!(matches!(outcome(&harness, id), Some(Outcome::Answered(_))));
    assert_eq!(ends(&harness, id), 1);

    wake(&mut harness, &location);
    harness.crash();
    assert!(matches!(outcome(&harness, id), Some(Outcome::Answered(_))));
    assert_eq!(outcome(&harness, next), None);
}

#[test]
fn a_command_and_its_result_survive_crashes() {
    let (mut harness, location) = asleep();
    let id = command(&mut harness, write(7));
    harness.commit();
    assert_eq!(harness.crash().commands, 1);
    wake(&mut harness, &location);
    let request = only(&mut harness);
    assert_eq!(request.payload, b"7");
    harness.answer(&request, Response::new(Code::METHOD_NOT_ALLOWED).payload("no"));
    harness.commit();
    let before = outcome(&harness, id);
    assert_eq!((harness.crash().commands, outcome(&harness, id)), (1, before));
    wake(&mut harness, &location);
    assert!(harness.sent.is_empty(), "it is not sent again");
}

#[test]
fn what_may_be_at_the_device_is_sent_again_only_if_it_may_be_repeated() {
    let repeat = CommandOptions { may_repeat: true, ..CommandOptions::default() };
    let cases = [
        (write(7), CommandOptions::default(), true),
        (REBOOT, CommandOptions::default(), false),
        (REBOOT, repeat, true),
    ];
    for (operation, options, again) in cases {
        let (mut harness, location) = asleep();
        let id = command_as(&mut harness, operation.clone(), options).unwrap();
        harness.commit();
        wake(&mut harness, &location);
        harness.commit();
        only(&mut harness);
        harness.crash();
        wake(&mut harness, &location);
        assert_eq!(!harness.sent.is_empty(), again, "{operation:?}");
        harness.commit();
        let unknown = outcome(&harness, id) == Some(Outcome::Unknown);
        assert_eq!((unknown, ends(&harness, id)), (!again, (!again).into()), "{operation:?}");
        harness.sent.clear();
        harness.crash();
        assert_eq!(outcome(&harness, id) == Some(Outcome::Unknown), !again, "as it was told");
    }
}

#[test]
fn what_must_not_be_repeated_is_noted_before_it_goes_out() {
    let (mut harness, location) = asleep();
    let id = command(&mut harness, REBOOT);
    harness.commit();
    wake(&mut harness, &location);
    assert!(harness.sent.is_empty(), "not durable yet that it goes out");
    assert_eq!(state(&harness, id), CommandState::Marking);
    harness.crash();
    wake(&mut harness, &location);
    harness.commit();
    let request = only(&mut harness);
    assert_eq!(request.uri(), "/3/0/4", "it was not sent before the crash");
}

#[test]
fn a_silent_device_is_asked_three_times_at_most_and_what_must_not_be_repeated_once() {
    let (mut harness, location) = registered();
    let id = command(&mut harness, write(7));
    for attempt in 1..=3 {
        assert_eq!(outcome(&harness, id), None, "attempt {attempt}");
        harness.commit();
        wake(&mut harness, &location);
        harness.sent.clear();
        harness.pass(Duration::from_secs(200));
    }
    harness.commit();
    assert!(matches!(outcome(&harness, id), Some(Outcome::Failed(_))));

    let id = command(&mut harness, REBOOT);
    harness.commit();
    wake(&mut harness, &location);
    harness.commit();
    harness.pass(Duration::from_secs(200));
    harness.commit();
    assert_eq!(outcome(&harness, id), Some(Outcome::Unknown));
}

#[test]
fn priority_comes_before_order() {
    let (mut harness, location) = asleep();
    let ranked = |priority| CommandOptions { priority, ..CommandOptions::default() };
    for (value, priority) in [(1, 0), (2, 5), (3, 5)] {
        command_as(&mut harness, write(value), ranked(priority)).unwrap();
    }
    harness.commit();
    wake(&mut harness, &location);
    for expected in ["2", "3", "1"] {
        let request = only(&mut harness);
        assert_eq!(request.payload, expected.as_bytes());
        harness.answer(&request, Response::new(Code::CHANGED));
    }
}

#[test]
fn a_later_write_takes_the_place_of_an_earlier_one_if_both_want_that() {
    let (mut harness, location) = asleep();
    let coalesce = || CommandOptions { coalesces: true, ..CommandOptions::default() };
    let plain = command(&mut harness, write(1));
    harness.commit();
    let first = command_as(&mut harness, write(2), coalesce()).unwrap();
    harness.commit();
    let last = command_as(&mut harness, write(3), coalesce()).unwrap();
    harness.commit();
    assert_eq!(outcome(&harness, first), Some(Outcome::Superseded));
    assert_eq!([plain, last].map(|id| outcome(&harness, id)), [None, None]);
    wake(&mut harness, &location);
    for expected in ["1", "3"] {
        let request = only(&mut harness);
        assert_eq!(request.payload, expected.as_bytes());
        harness.answer(&request, Response::new(Code::CHANGED));
    }
    assert!(harness.sent.is_empty());
}

#[test]
fn a_key_names_one_command_also_after_a_crash() {
    let (mut harness, _) = asleep();
    let keyed = || CommandOptions { key: Some("k".into()), ..CommandOptions::default() };
    let id = command_as(&mut harness, write(1), keyed()).unwrap();
    harness.commit();
    harness.crash();
    assert_eq!(command_as(&mut harness, write(1), keyed()), Ok(id));
    assert_eq!(command_as(&mut harness, write(2), keyed()), Err(SubmitError::KeyInUse));
    assert!(harness.server.remove_command(harness.now, id));
    assert_ne!(command_as(&mut harness, write(2), keyed()), Ok(id), "the key is free again");
}

#[test]
fn commands_expire_and_results_are_forgotten() {
    let (mut harness, location) = asleep();
    let hour = Some(Duration::from_secs(3_600));
    let options = CommandOptions { expires_in: hour, ..CommandOptions::default() };
    let id = command_as(&mut harness, write(1), options).unwrap();
    harness.commit();
    harness.pass(Duration::from_secs(3_601));
    harness.commit();
    assert_eq!(outcome(&harness, id), Some(Outcome::Expired));
    wake(&mut harness, &location);
    assert!(harness.sent.is_empty());
    harness.pass(Duration::from_secs(86_401));
    assert_eq!(harness.server.command_by_id(id), None);
    harness.commit();
    assert_eq!(harness.crash().commands, 0);
}

#[test]
fn a_command_that_cannot_be_kept_is_not_carried_out() {
    let (mut harness, location) = asleep();
    let id = command(&mut harness, write(1));
    harness.fail();
    assert_eq!(harness.server.command_by_id(id), None);
    let refused = command_as(&mut harness, write(2), CommandOptions::default());
    assert_eq!(refused, Err(SubmitError::NotKept));
    harness.commit();
    wake(&mut harness, &location);
    assert!(harness.sent.is_empty());
    assert_eq!(harness.crash().commands, 0, "the disk converges to what was told");
}

#[test]
fn all_operations_and_results_survive_as_they_are() {
    let path = Path::resource(3, 0, 0);
    let instance = lwm2m_core::ObjectInstance::default()
        .with(0, "text")
        .with(1, 7_i64)
        .with_multiple(6, [(0, 1_i64), (3, 5)]);
    let operations = [
        Operation::Read { path, format: Some(lwm2m_core::ContentFormat::TLV) },
        Operation::Discover { path },
        Operation::Write {
            path: Path::instance(3, 0),
            node: Node::ObjectInstance(instance.clone()),
            format: None,
            mode: WriteMode::Partial,
        },
        Operation::WriteAttributes {
            path,
            attributes: vec![lwm2m_core::Attribute::parse("pmin=5").unwrap()],
        },
        Operation::Execute { path, arguments: "0='x'".to_owned() },
        Operation::Create {
            path: Path::object(3),
            instance: Some(4),
            node: Node::ObjectInstance(instance),
            format: None,
        },
        Operation::Delete { path: Path::instance(3, 0) },
        Operation::ReadComposite { paths: [path].into(), path_format: None, format: None },
        Operation::WriteComposite { changes: vec![(path, Some(Value::Float(1.5)))], format: None },
    ];
    let (mut harness, _) = asleep();
    let ids = operations.clone().map(|operation| command(&mut harness, operation));
    harness.commit();
    assert_eq!(harness.crash().unusable, 0);
    for (id, operation) in ids.into_iter().zip(operations) {
        assert_eq!(*harness.server.command_by_id(id).unwrap().operation, operation);
    }
    let observe = Operation::Observe { path, format: None };
    assert!(command_as(&mut harness, observe, CommandOptions::default()).is_err());
}

#[test]
fn a_result_has_the_values() {
    let (mut harness, location) = asleep();
    let read = Operation::Read { path: Path::resource(3, 0, 0), format: None };
    let id = command(&mut harness, read);
    harness.commit();
    wake(&mut harness, &location);
    let request = only(&mut harness);
    let answer = Response::new(Code::CONTENT).content_format(0).payload("maker");
    harness.answer(&request, answer);
    harness.commit();
    harness.crash();
    let Some(Outcome::Answered(response)) = outcome(&harness, id) else { panic!("no answer") };
    let expected = Node::Resource(Resource::Single(Value::String("maker".to_owned())));
    assert_eq!(response.content, Content::Node(expected));
}

#[test]
fn a_command_goes_on_when_its_device_registers_anew() {
    let (mut harness, location) = asleep();
    let id = command(&mut harness, write(7));
    harness.commit();
    wake(&mut harness, &location);
    only(&mut harness);
    harness.ask_for(device(1), register("ep=a&lt=86400&lwm2m=1.1&b=U&Q", LIST));
    assert!(harness.sent.is_empty(), "not before the device has its answer: {:?}", harness.sent);
    harness.commit();
    assert_eq!(harness.sent.pop_front().map(|it| it.code), Some(Code::CREATED));
    let request = only(&mut harness);
    harness.answer(&request, Response::new(Code::CHANGED));
    harness.commit();
    assert!(matches!(outcome(&harness, id), Some(Outcome::Answered(_))));
}

#[test]
fn commands_are_bounded() {
    let mut harness = Harness::with(Config::default().max_commands(2));
    harness.registered_as(1, "ep=a&lt=86400&lwm2m=1.1&b=U&Q", LIST);
    harness.pass(Duration::from_secs(94));
    let (first, _) = (command(&mut harness, write(1)), command(&mut harness, write(2)));
    let third = command_as(&mut harness, write(3), CommandOptions::default());
    assert_eq!(third, Err(SubmitError::TooManyCommands));
    harness.server.remove_command(harness.now, first);
    command(&mut harness, write(3));
}

#[test]
fn the_bytes_of_commands_and_their_results_are_bounded() {
    let mut harness = Harness::with(Config::default().max_command_bytes(300));
    let location = harness.registered_as(1, "ep=a&lt=86400&lwm2m=1.1&b=U&Q", LIST);
    harness.pass(Duration::from_secs(94));
    let read = || Operation::Read { path: Path::resource(3, 0, 0), format: None };
    let large =
        Operation::Execute { path: Path::resource(3, 0, 4), arguments: "0='x'".repeat(100) };
    let refused = command_as(&mut harness, large, CommandOptions::default());
    assert_eq!(refused, Err(SubmitError::TooManyCommands));
    let ids = [(); 2].map(|()| command(&mut harness, read()));
    wake(&mut harness, &location);
    for id in ids {
        let request = only(&mut harness);
        let answer = Response::new(Code::CONTENT).content_format(0).payload("x".repeat(100));
        harness.answer(&request, answer);
        assert_eq!(ends(&harness, id), 1);
    }
    let kept = ids.map(|id| match outcome(&harness, id) {
        Some(Outcome::Answered(response)) if response.code == Code::CONTENT => response.content,
        other => panic!("{other:?}"),
    });
    assert!(matches!(kept, [Content::Node(_), Content::None]), "{kept:?}");
    harness.server.remove_command(harness.now, ids[0]);
    let again = command(&mut harness, read());
    let request = only(&mut harness);
    let answer = Response::new(Code::CONTENT).content_format(0).payload("x".repeat(100));
    harness.answer(&request, answer);
    let Some(Outcome::Answered(response)) = outcome(&harness, again) else { panic!("no answer") };
    assert!(matches!(response.content, Content::Node(_)), "there is room again");
}
