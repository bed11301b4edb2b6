//! How commands end, and the room that they leave.

use crate::commands::{REBOOT, command, only, outcome, registered, write};
use crate::harness::{Harness, LIST};
use lwm2m_coap::{Code, MessageType, Options, Response, Token};
use lwm2m_server::{CommandId, CommandOptions, Config, Operation, Outcome, SubmitError};
use std::time::Duration;

#[test]
fn a_command_that_the_device_rejects_has_failed_and_is_not_sent_again() {
    for operation in [write(7), REBOOT] {
        let (mut harness, _) = registered();
        let id = command(&mut harness, operation.clone());
        harness.commit();
        // What must not be repeated is noted first.
        harness.commit();
        let request = only(&mut harness);
        let (kind, none) = (MessageType::Reset, Token::EMPTY);
        harness.message(request.to, kind, Code::EMPTY, request.id, none, &Options::new(), &[]);
        harness.commit();
        let Some(Outcome::Failed(text)) = outcome(&harness, id) else {
            panic!("{operation:?}: {:?}", outcome(&harness, id))
        };
        assert!(text.contains("Reset"), "{text}");
        assert!(harness.sent.is_empty());
    }
}

fn submit(harness: &mut Harness, operation: Operation) -> Result<CommandId, SubmitError> {
    let options = CommandOptions::default();
    let id = harness.server.command(harness.now, "a", operation, options);
    harness.drain();
    id
}

/// How many writes wait at most, of `most` bytes.
fn fill(most: usize) -> (Harness, Vec<CommandId>) {
    let mut harness = Harness::with(Config::default().max_command_bytes(most));
    harness.registered_as(1, "ep=a&lt=86400&lwm2m=1.1&b=U&Q", LIST);
    harness.pass(Duration::from_secs(94));
    let mut ids = Vec::new();
    while let Ok(id) = submit(&mut harness, write(7)) {
        ids.push(id);
        assert!(ids.len() < 1_000, "{most} bytes");
    }
    (harness, ids)
}

#[test]
fn commands_fill_their_bytes_exactly_and_leave_as_many_as_they_took() {
    let size = (1..1_000).find(|size| fill(*size).1.len() == 1).unwrap();
    assert_eq!(fill(10 * size - 1).1.len(), 9);
    let (mut harness, ids) = fill(10 * size);
    assert_eq!(ids.len(), 10);
    for id in ids.into_iter().take(4) {
        assert!(harness.server.remove_command(harness.now, id));
        assert!(submit(&mut harness, write(7)).is_ok(), "its bytes are free");
        assert_eq!(submit(&mut harness, write(7)), Err(SubmitError::TooManyCommands));
    }
}

#[test]
fn a_command_goes_out_when_a_notification_shows_that_its_device_listens() {
    let (mut harness, _) = registered();
    let request = crate::observe::observed(&mut harness, "a", "/3/0/9");
    harness.pass(Duration::from_secs(94));
    let id = command(&mut harness, write(7));
    harness.commit();
    assert!(harness.sent.is_empty(), "it sleeps");
    harness.notify(&request, MessageType::NonConfirmable, crate::observe::value("7", 2));
    let request = only(&mut harness);
    assert_eq!(request.uri(), "/1/0/1");
    harness.answer(&request, Response::new(Code::CHANGED));
    harness.commit();
    assert!(matches!(outcome(&harness, id), Some(Outcome::Answered(_))));
}
