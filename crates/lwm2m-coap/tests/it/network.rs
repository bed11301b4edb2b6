//! Two endpoints on a network that loses, doubles and reorders.

use crate::pair::{PEER, Pair, Weather};
use core::time::Duration;
use lwm2m_coap::{Code, Config, Event, Request, RequestId, Response};
use lwm2m_time::Instant;
use std::collections::{BTreeMap, BTreeSet};

/// Sends requests over the network: how many were answered.
fn run(seed: u64, weather: Weather) -> usize {
    const REQUESTS: usize = 60;
    let config = Config { separate_after: Duration::from_millis(50), ..Config::default() };
    let mut pair = Pair::new([config; 2], weather, seed);
    let mut outcomes: BTreeMap<RequestId, bool> = BTreeMap::new();
    let mut executed = BTreeSet::new();
    let mut late = Vec::new();
    let length = |number: usize| if number.is_multiple_of(7) { 3_000 } else { number };
    let ids: Vec<RequestId> = (0..REQUESTS)
        .map(|number| {
            let body = vec![number as u8; length(number)];
            let request = Request::post().path([number.to_string()]).payload(body);
            pair.sides[0].request(Instant::ZERO, PEER, request).unwrap()
        })
        .collect();
    for second in 0..6_000 {
        pair.run(Instant::from_millis(second * 1_000), |endpoint, now, _, event| match event {
            Event::Request { exchange, request, .. } => {
                let path = request.options.uri_path().next().unwrap().to_vec();
                let number: usize = String::from_utf8(path.clone()).unwrap().parse().unwrap();
                assert_eq!(request.payload, vec![number as u8; length(number)]);
                assert!(executed.insert(path), "executed twice");
                let response = Response::new(Code::CHANGED).payload(request.payload);
                // A third of the answers are late.
                match number % 3 {
                    0 => late.push((exchange, response)),
                    _ => endpoint.respond(now, exchange, response).unwrap(),
                }
            }
            Event::Response { id, response, .. } => {
                let number = ids.iter().position(|other| *other == id).unwrap();
                assert_eq!(response.payload, vec![number as u8; length(number)]);
                assert_eq!(outcomes.insert(id, true), None, "ended twice");
            }
            Event::Failed { id, .. } => assert_eq!(outcomes.insert(id, false), None, "ended twice"),
            Event::PeerIdle { .. } => {}
            other => panic!("{other:?}"),
        });
        for (exchange, response) in late.drain(..) {
            pair.sides[1].respond(pair.now, exchange, response).unwrap();
        }
    }
    assert_eq!(outcomes.len(), REQUESTS, "seed {seed}: some requests never ended");
    assert!(pair.sides.iter().all(|side| side.is_idle(PEER)), "seed {seed}: state is left");
    outcomes.values().filter(|answered| **answered).count()
}

#[test]
fn every_request_ends_exactly_once_whatever_the_network_does() {
    let weather = Weather { loss: 30, duplication: 20, delay: 400 };
    let answered: Vec<usize> = (1..=8).map(|seed| run(seed, weather)).collect();
    // All five transmissions of a message, or their acknowledgements, are rarely lost.
    assert!(answered.iter().sum::<usize>() > 8 * 60 * 7 / 10, "{answered:?}");
}

#[test]
fn on_a_good_network_every_request_is_answered() {
    assert_eq!(run(1, Weather::default()), 60);
    assert_eq!(run(2, Weather { duplication: 100, delay: 300, ..Weather::default() }), 60);
}
