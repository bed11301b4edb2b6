//! An attacker who has recorded everything, at any moment of a crash: what was acknowledged is kept,
//! and nothing is done twice.

use super::{World, security};
use crate::harness::{KEY, address, profile};
use lwm2m_testkit::Conditions;
use lwm2m_testkit::sim::network::InFlight;
use proptest::prelude::*;
use std::collections::HashSet;
use std::time::Duration;

/// How a run goes: for each thing that is asked for, how many changes become durable then, and
/// whether the server crashes. All become durable every second and a half, before the device gives
/// the session up: what it asks for in one session and again in the next may be done twice.
type Script = Vec<(usize, bool)>;

/// The record numbers that were sent under the keys of sessions. There is one session.
fn numbers(sent: &[InFlight], server: bool) -> Vec<u64> {
    let from = address(if server { World::SERVER } else { World::DEVICE });
    let of_side = sent.iter().filter(|it| it.from == from);
    let protected = of_side.filter(|it| it.payload[3..5] == [0, 1]);
    let number = |it: &InFlight| {
        let bytes = it.payload[3..11].try_into().expect("8 bytes");
        u64::from_be_bytes(bytes) & ((1 << 48) - 1)
    };
    protected.map(number).collect()
}

fn all_differ<T: std::hash::Hash + Eq>(things: impl IntoIterator<Item = T>) -> bool {
    let mut seen = HashSet::new();
    things.into_iter().all(|thing| seen.insert(thing))
}

/// Returns whether there was one session only, and then all checks were made.
fn run(has_cids: bool, script: &Script) -> bool {
    let mut world = World::new(security(has_cids));
    let server = world.server;
    let peer = world.connect(&profile(KEY));
    // The session is durable before the attack begins, so that no other one follows.
    let first = world.post(peer, "first");
    assert!(world.is_answered(first, Duration::from_secs(1)));
    world.sim[server].commits = false;
    // What is lost is held back: the attacker has it, and the server gets it later.
    let bad = Conditions { loss: 15, delay: Duration::from_millis(5), ..Conditions::GOOD };
    world.sim.network.set_conditions(bad);
    let mut asked = vec![(first, "first".to_owned())];
    for (index, (number, crashes)) in script.iter().enumerate() {
        let thing = index.to_string();
        asked.push((world.post(peer, &thing), thing));
        world.sim.run_for(Duration::from_millis(10));
        let number = if index % 5 == 4 { usize::MAX } else { *number };
        world.sim.with(server, |it, _| it.commit(number));
        if *crashes {
            world.sim.restart(server);
            world.sim[server].commits = false;
            replay(&mut world);
        }
        world.sim.run_for(Duration::from_millis(300));
    }
    world.sim.network.set_conditions(Conditions::INSTANT);
    world.sim[server].commits = true;
    world.sim.run_for(Duration::from_secs(100));
    world.sim.restart(server);
    replay(&mut world);
    let sent = world.sim.network.capture.take().expect("captured");
    let hellos = sent.iter().filter(|it| it.payload[0] == 22 && it.payload[13] == 1).count();
    if hellos > 2 {
        return false;
    }
    let done = world.disk.borrow().done.clone();
    assert!(all_differ(&done), "{done:?}");
    for (id, thing) in asked {
        let is_acknowledged = world.is_answered(id, Duration::ZERO);
        let is_done = done.iter().any(|it| it == thing.as_bytes());
        assert!(is_done || !is_acknowledged, "{thing} was acknowledged and is lost");
    }
    for side in [false, true] {
        assert!(all_differ(numbers(&sent, side)), "a number is used twice");
    }
    true
}

/// Everything that was ever sent to the server comes again, from its sender and from elsewhere.
fn replay(world: &mut World) {
    let sent = world.sim.network.capture.clone().expect("captured");
    let server = address(World::SERVER);
    for datagram in sent.iter().filter(|it| it.to == server && it.payload[0] != 22) {
        for from in [datagram.from, address("203.0.113.66:666")] {
            world.sim.inject(world.server, from, true, &datagram.payload);
        }
    }
    world.sim.settle();
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    // proves: SEC-33, SEC-34
#[test]
    fn nothing_is_done_twice_and_nothing_is_lost(
        has_cids: bool,
        script in prop::collection::vec((0..6usize, prop::bool::weighted(0.2)), 1..20),
    ) {
        prop_assume!(run(has_cids, &script));
    }
}
