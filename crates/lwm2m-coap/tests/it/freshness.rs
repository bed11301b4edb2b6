//! Freshness of requests: RFC 9175 section 2.

use crate::pair::{Con, Lone, Message, PEER, Pair, Weather, message};
use core::time::Duration;
use lwm2m_coap::{Code, Config, Event, OptionNumber, PeerId, Request, Response};
use lwm2m_time::Instant;

const WINDOW: Duration = Duration::from_secs(60);

fn careful() -> Config {
    Config::default().freshness(Some(WINDOW))
}

fn put(id: u16) -> Message {
    message(Con, Code::PUT, id, &[id as u8]).path("1/0/1").payload(b"60")
}

/// The Echo value of the 4.01 that a message gets. Nothing else happens.
fn challenged(lone: &mut Lone, sent: &Message) -> Vec<u8> {
    let answers = lone.receive(sent);
    assert_eq!(lone.events(), []);
    let [answer] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!((answer.code, answer.token), (Code::UNAUTHORIZED, sent.token));
    let echo = answer.options.get(OptionNumber::ECHO).unwrap();
    assert!((1..=40).contains(&echo.len()));
    echo.to_vec()
}

// proves: COAP-22
#[test]
fn request_is_executed_with_the_echo_value() {
    let mut lone = Lone::with(careful());
    let echo = challenged(&mut lone, &put(1));
    let fresh = lone.receive(&put(2).option(OptionNumber::ECHO, &echo));
    assert_eq!(fresh, []);
    let answers = lone.answer(Response::new(Code::CHANGED));
    assert_eq!(answers[0].code, Code::CHANGED);

    // A wrong value, the value of another peer, and an expired value are challenged again.
    assert_eq!(challenged(&mut lone, &put(3).option(OptionNumber::ECHO, b"wrong")), echo);
    let stolen = put(4).option(OptionNumber::ECHO, &echo).bytes();
    lone.endpoint.handle_datagram(lone.now, PeerId(8), &stolen);
    assert_eq!(lone.sent_one().code, Code::UNAUTHORIZED);
    lone.pass(WINDOW);
    let newer = challenged(&mut lone, &put(5).option(OptionNumber::ECHO, &echo));
    assert_ne!(newer, echo);
    assert_eq!(lone.receive(&put(6).option(OptionNumber::ECHO, &newer)), []);
    assert_eq!(lone.asked().1.payload, "60");
    assert_eq!(lone.endpoint.statistics().challenged, 4);
}

#[test]
fn duplicate_of_a_challenged_request_gets_the_same_challenge() {
    let mut lone = Lone::with(careful());
    let first = lone.receive(&put(1));
    lone.pass(WINDOW);
    assert_eq!(lone.receive(&put(1)), first);
    assert_eq!(lone.endpoint.statistics().challenged, 1);
}

#[test]
fn safe_requests_are_not_challenged() {
    let mut lone = Lone::with(careful());
    assert_eq!(lone.receive(&message(Con, Code::GET, 1, &[1]).path("3/0")), []);
    assert_eq!(lone.answer(Response::new(Code::CONTENT))[0].code, Code::CONTENT);
}

// proves: COAP-22
#[test]
fn client_repeats_challenged_requests_with_their_bodies() {
    for length in [2, 4_000] {
        let mut pair = Pair::new([Config::default(), careful()], Weather::default(), 1);
        let body = vec![7; length];
        let request = Request::put().path(["5", "0", "0"]).payload(body.clone());
        pair.sides[0].request(Instant::ZERO, PEER, request).unwrap();
        let (mut bodies, mut answers) = (Vec::new(), Vec::new());
        pair.run(Instant::from_millis(60_000), |endpoint, now, _, event| match event {
            Event::Request { exchange, request, .. } => {
                bodies.push(request.payload);
                endpoint.respond(now, exchange, Code::CHANGED.into()).unwrap();
            }
            Event::Response { response, .. } => answers.push(response.code),
            _ => {}
        });
        assert_eq!((bodies, answers), (vec![body.into()], vec![Code::CHANGED]));
        assert_eq!(pair.sides[1].statistics().challenged, 1);
    }
}
