//! Two endpoints on a network that loses, duplicates and reorders.

use crate::pair::{PEER, Pair, Weather};
use core::time::Duration;
use lwm2m_coap::{Code, Config, Event, Observer, Request, RequestId, Response};
use lwm2m_time::Instant;
use std::collections::{BTreeMap, BTreeSet};

/// Sends requests over the network. Returns how many were answered.
fn run(seed: u64, weather: Weather) -> usize {
    const REQUESTS: usize = 60;
    let config = Config::default().separate_after(Duration::from_millis(50));
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

/// Observes a value that changes every few seconds. Returns the states that arrived, and whether the
/// observation lasted.
fn observe(seed: u64, weather: Weather, size: usize) -> (Vec<u32>, bool) {
    const CHANGES: u32 = 60;
    let mut pair = Pair::new([Config::default(); 2], weather, seed);
    let request = Request::get().path(["3303", "0", "5700"]).observe(0);
    pair.sides[0].request(Instant::ZERO, PEER, request).unwrap();
    let value = |number: u32| {
        let body = format!("{number:0size$}");
        Response::new(Code::CONTENT).payload(body)
    };
    let (mut observer, mut seen, mut lasted) = (None, Vec::new(), true);
    for change in 0..CHANGES + 100 {
        let until = pair.now + Duration::from_secs(3);
        pair.run(until, |endpoint, now, _, event| match event {
            Event::Request { exchange, peer, token, request } => {
                endpoint.respond(now, exchange, value(change).observe()).unwrap();
                // A request without Observe fetches the first block of a changed state.
                observer =
                    request.options.observe().map_or(observer, |_| Some(Observer { peer, token }));
            }
            Event::Response { response, .. } | Event::Notification { response, .. } => {
                assert!(response.options.observe().is_some() && response.payload.len() >= size);
                let text = String::from_utf8(response.payload.to_vec()).unwrap();
                seen.push(text.parse::<u32>().unwrap());
            }
            Event::Failed { .. } | Event::ObserverGone { .. } => lasted = false,
            Event::Delivered { .. } | Event::PeerIdle { .. } => {}
            other => panic!("{other:?}"),
        });
        pair.now = until;
        if let (Some(observer), true, true) = (observer, lasted, change < CHANGES) {
            pair.sides[1].notify(pair.now, observer, value(change + 1), true).unwrap();
        }
    }
    (seen, lasted)
}

#[test]
fn an_observer_sees_newer_states_only_and_in_the_end_the_newest() {
    for size in [1, 2_500] {
        let mut lasting = 0;
        for seed in 1..=10 {
            let weather = Weather { loss: 20, duplication: 20, delay: 300 };
            let (seen, lasted) = observe(seed, weather, size);
            // Fetching blocks may return a newer state before its notification.
            let again = size > 1_024;
            let rises = seen.windows(2).all(|two| two[0] < two[1] || again && two[0] == two[1]);
            assert!(rises, "{size}, {seed}: {seen:?}");
            if lasted {
                lasting += 1;
                // Only the fetch of a large state may have failed.
                assert!(seen.last() == Some(&60) || size > 1_024, "{size}, {seed}: {seen:?}");
            }
        }
        assert!(lasting >= 8, "{lasting}");
    }
}
