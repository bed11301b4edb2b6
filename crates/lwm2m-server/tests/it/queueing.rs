//! Operations that go out now, wait for their devices, or become commands under way.

use crate::commands::{REBOOT, asleep, command, ends, only, outcome, registered, wake, write};
use crate::harness::{Harness, LIST};
use lwm2m_coap::{Code, Response};
use lwm2m_server::{Begun, CommandId, CommandOptions, Operation, Outcome, SubmitError};
use std::time::Duration;

fn begin(harness: &mut Harness, operation: Operation) -> Begun {
    let options = CommandOptions::default();
    let begun = harness.server.begin(harness.now, "a", operation, options).unwrap();
    harness.drain();
    begun
}

/// Begins an operation on a device that listens, and makes it a command while it is under way.
fn kept(harness: &mut Harness, operation: Operation) -> CommandId {
    let begun = begin(harness, operation.clone());
    let Begun::Sent(id) = begun else { panic!("{begun:?}") };
    let options = CommandOptions::default();
    let kept = harness.server.keep_operation(harness.now, id, operation, options).unwrap();
    harness.drain();
    kept
}

#[test]
fn an_operation_goes_out_now_if_its_device_listens_and_waits_otherwise() {
    let (mut harness, location) = registered();
    assert!(harness.server.is_reachable("a"));
    assert!(matches!(begin(&mut harness, write(7)), Begun::Sent(_)));
    let request = only(&mut harness);
    harness.answer(&request, Response::new(Code::CHANGED));
    assert!(harness.writes.is_empty(), "it does not wait for the disk");

    harness.pass(Duration::from_secs(94));
    assert!(!harness.server.is_reachable("a"));
    let begun = begin(&mut harness, write(8));
    let Begun::Kept(id) = begun else { panic!("{begun:?}") };
    harness.commit();
    assert!(harness.sent.is_empty());
    wake(&mut harness, &location);
    let request = only(&mut harness);
    harness.answer(&request, Response::new(Code::CHANGED));
    harness.commit();
    assert!(matches!(outcome(&harness, id), Some(Outcome::Answered(_))));
    let unknown = harness.server.begin(harness.now, "b", write(1), CommandOptions::default());
    assert_eq!(unknown, Err(SubmitError::UnknownEndpoint));
}

#[test]
fn what_was_asked_for_later_does_not_overtake_what_waits() {
    let (mut harness, location) = asleep();
    command(&mut harness, write(1));
    command(&mut harness, write(2));
    harness.commit();
    wake(&mut harness, &location);
    assert!(matches!(begin(&mut harness, write(3)), Begun::Kept(_)));
    harness.commit();
    for value in ["1", "2", "3"] {
        let request = only(&mut harness);
        assert_eq!(request.payload, value.as_bytes());
        harness.answer(&request, Response::new(Code::CHANGED));
    }
}

#[test]
fn devices_that_always_listen_have_no_queue() {
    let mut harness = Harness::new();
    harness.registered_as(1, "ep=a&lt=86400&lwm2m=1.1&b=U", LIST);
    command(&mut harness, write(1));
    assert!(matches!(begin(&mut harness, write(2)), Begun::Sent(_)));
}

#[test]
fn the_answer_to_an_operation_that_became_a_command_ends_it() {
    let (mut harness, _) = registered();
    let id = kept(&mut harness, REBOOT);
    let request = only(&mut harness);
    harness.answer(&request, Response::new(Code::CHANGED));
    harness.commit();
    assert!(matches!(outcome(&harness, id), Some(Outcome::Answered(_))));
    assert_eq!((ends(&harness, id), harness.events.len()), (1, 2), "{:?}", harness.events);
    harness.crash();
    assert!(matches!(outcome(&harness, id), Some(Outcome::Answered(_))));
}

#[test]
fn what_became_a_command_and_has_no_answer_is_repeated_if_it_may_be() {
    for (operation, again, crashes) in [
        (write(7), true, false),
        (write(7), true, true),
        (REBOOT, false, false),
        (REBOOT, false, true),
    ] {
        let (mut harness, location) = registered();
        let id = kept(&mut harness, operation.clone());
        harness.commit();
        match crashes {
            true => _ = harness.crash(),
            false => harness.pass(Duration::from_secs(200)),
        }
        harness.sent.clear();
        harness.commit();
        wake(&mut harness, &location);
        assert_eq!(harness.sent.len(), usize::from(again), "{operation:?}");
        let unknown = outcome(&harness, id) == Some(Outcome::Unknown);
        assert_eq!(unknown, !again, "{operation:?} {crashes}");
    }
}

#[test]
fn what_cannot_be_kept_is_given_up() {
    let (mut harness, location) = registered();
    let id = kept(&mut harness, write(7));
    let request = only(&mut harness);
    harness.fail();
    assert_eq!(harness.server.command_by_id(id), None);
    harness.answer(&request, Response::new(Code::CHANGED));
    harness.commit();
    assert_eq!(ends(&harness, id), 0);
    wake(&mut harness, &location);
    assert!(harness.sent.is_empty());
    assert_eq!(harness.crash().commands, 0);
}

#[test]
fn what_has_ended_becomes_no_command() {
    let (mut harness, _) = registered();
    let begun = begin(&mut harness, write(7));
    let Begun::Sent(id) = begun else { panic!("{begun:?}") };
    let request = only(&mut harness);
    harness.answer(&request, Response::new(Code::CHANGED));
    let options = CommandOptions::default();
    let late = harness.server.keep_operation(harness.now, id, write(7), options);
    assert_eq!(late, Err(SubmitError::UnknownEndpoint));
}
