//! What is known of a device that does not answer.

use crate::harness::{Harness, Message, device, update};
use crate::observe::{observed, value};
use lwm2m_coap::{BlockSize, BlockValue, Code, MessageType, OptionNumber, Options};
use lwm2m_core::Path;
use lwm2m_server::{Operation, OperationId, Target};
use std::time::Duration;

fn read(harness: &mut Harness, path: &str) -> OperationId {
    let read = Operation::Read { path: path.parse().unwrap(), format: None };
    let id = harness.server.submit(harness.now, "a", read).unwrap();
    harness.drain();
    id
}

fn target(path: &str) -> Option<Target> {
    Some(Target::from(path.parse::<Path>().unwrap()))
}

fn acknowledge(harness: &mut Harness, request: &Message) {
    let (kind, empty) = (MessageType::Acknowledgement, lwm2m_coap::Token::EMPTY);
    harness.message(request.to, kind, Code::EMPTY, request.id, empty, &Options::default(), b"");
}

#[test]
fn an_operation_that_waits_says_for_which() {
    let mut harness = Harness::new();
    harness.registered(0, "a");
    let slow = read(&mut harness, "/3/0/13");
    let request = harness.request();
    // The device has that one, and takes its time.
    acknowledge(&mut harness, &request);
    let silent = read(&mut harness, "/3/0/9");
    let waiting = read(&mut harness, "/3/0/1");
    assert_eq!(harness.sent.len(), 1);
    assert_eq!(harness.server.waits_for(waiting), target("/3/0/9"));
    assert_eq!(harness.server.waits_for(silent), None);
    assert_eq!(harness.server.waits_for(slow), None);
    harness.server.cancel(silent);
    harness.drain();
    assert_eq!((harness.sent.len(), harness.server.waits_for(waiting)), (2, None));
}

#[test]
fn an_operation_may_wait_for_the_rest_of_a_notification() {
    let mut harness = Harness::new();
    harness.registered(0, "a");
    let request = observed(&mut harness, "a", "/3/0/9");
    let mut first = value("1234567890123456", 2);
    let block = BlockValue { number: 0, more: true, size: BlockSize::B16 };
    first.options.set_uint(OptionNumber::BLOCK2, block.to_uint());
    harness.notify(&request, MessageType::NonConfirmable, first);
    let waiting = read(&mut harness, "/3/0/1");
    assert_eq!(harness.server.waits_for(waiting), target("/3/0/9"));
}

#[test]
fn a_device_is_heard_of_by_each_of_its_messages() {
    let mut harness = Harness::new();
    let location = harness.registered(0, "a");
    let mut expected = harness.now;
    let request = observed(&mut harness, "a", "/3/0/9");
    let mut check = |harness: &mut Harness, message: fn(&mut Harness, &Message, &str)| {
        assert_eq!(harness.server.heard_at("a"), Some(expected));
        harness.pass(Duration::from_secs(10));
        message(harness, &request, &location);
        expected = harness.now;
        assert_eq!(harness.server.heard_at("a"), Some(expected));
    };
    check(&mut harness, |harness, request, _| {
        harness.notify(request, MessageType::NonConfirmable, value("2", 2));
    });
    check(&mut harness, |harness, _, _| {
        read(harness, "/3/0/1");
        let asked = harness.request();
        harness.answer(&asked, value("x", 0));
    });
    check(&mut harness, |harness, _, location| {
        harness.ask(device(0), update(location, ""));
    });
    assert_eq!(harness.server.heard_at("b"), None);
}
