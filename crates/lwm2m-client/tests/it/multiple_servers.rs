//! Several server accounts side by side.

use crate::harness::{Harness, LINK, address, attributes, get, objects, post};
use lwm2m_client::{Config, Event, ServerAccount};

fn two() -> Config {
    Config::new("test")
        .server(ServerAccount::new(1, address(0)).lifetime(300))
        .server(ServerAccount::new(2, address(1)).lifetime(600))
}

// proves: REG-28
#[test]
fn each_server_has_its_own_registration() {
    let mut harness = Harness::new(two(), objects());
    harness.start();
    for (server, lifetime) in [(0, "lt=300"), (1, "lt=600")] {
        let mut query = harness.servers[server].heard[0].1.options.uri_query();
        assert!(query.any(|parameter| parameter == lifetime.as_bytes()));
    }
    harness.events.clear();
    assert_eq!(harness.ask(post("1/0/4")).code.to_string(), "2.04");
    assert_eq!(harness.events.last(), Some(&Event::Deregistered { server: 1, confirmed: Ok(()) }));
    assert_eq!(harness.ask_as(1, get("3/0/0")).code.to_string(), "2.05");
    assert_eq!(harness.servers[1].heard.len(), 1);
}

// proves: DISC-03
#[test]
fn attributes_are_shown_to_who_set_them_alone() {
    let mut harness = Harness::registered(two());
    for (server, pmin) in [(0, "pmin=2"), (1, "pmin=15")] {
        assert_eq!(harness.ask_as(server, attributes("3/0", pmin)).code.to_string(), "2.04");
    }
    for (server, link) in [(0, "</3/0>;pmin=2,"), (1, "</3/0>;pmin=15,")] {
        let answer = harness.ask_as(server, get("3/0").accept(LINK));
        assert!(answer.payload.starts_with(link.as_bytes()));
    }
}

// proves: NOTIFY-08
#[test]
fn observations_of_one_path_are_independent() {
    let mut harness = Harness::registered(two());
    let mut ids = Vec::new();
    for (server, pmax) in [(0, "pmax=5"), (1, "pmax=15")] {
        harness.ask_as(server, attributes("3/0/9", pmax));
        ids.push(harness.send(server, get("3/0/9").observe(0)));
    }
    harness.run(15.5);
    assert_eq!((harness.servers[0].notified.len(), harness.servers[1].notified.len()), (3, 1));
    let now = harness.sim.now;
    harness.coap(0).cancel_observation(now, ids[0]).unwrap();
    harness.settle();
    harness.run(15.0);
    assert_eq!((harness.servers[0].notified.len(), harness.servers[1].notified.len()), (3, 2));
    // Attributes that one sets later, and the ends of its observations, are its own.
    harness.ask_as(0, get("3/0/9").observe(0));
    harness.ask_as(0, attributes("3/0/9", "pmax"));
    harness.run(15.0);
    assert_eq!((harness.servers[0].notified.len(), harness.servers[1].notified.len()), (3, 3));
    harness.set("3/0/9", 42_i64);
    let last = |harness: &Harness, server: usize| harness.servers[server].notified.last().cloned();
    assert_eq!((harness.servers[0].notified.len(), harness.servers[1].notified.len()), (4, 4));
    assert_eq!(last(&harness, 0).unwrap().1.payload, "42");
    assert_eq!(last(&harness, 1).unwrap().1.payload, "42");
}
