//! An attacker who has recorded everything, and crashes at any point: nothing counts twice, and no
//! record number is used twice.

use super::{Node, Nodes, Way, protected_numbers};
use crate::support::{CLIENT, SERVER, address};
use lwm2m_dtls::SessionId;
use proptest::prelude::*;
use std::collections::HashSet;
use std::time::Duration;

/// A step of a run. Each concerns one side; `true` is the client.
#[derive(Clone, Debug)]
enum Step {
    /// It asks for so many new things. The attacker holds every third request back.
    Ask(bool, u32),
    /// It sends so many records.
    Send(bool, u32),
    /// Its store makes so many commits durable.
    Commit(bool, usize),
    /// It gets everything again that was ever sent to it, and what was held back.
    Replay(bool),
    /// It crashes and goes on with what is durable.
    Crash(bool),
    Wait(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let side = any::<bool>();
    let number = prop_oneof![30 => 1..80u32, 1 => 20_000..70_000u32];
    prop_oneof![
        4 => (side, 1..5u32).prop_map(|(side, number)| Step::Ask(side, number)),
        3 => (side, number).prop_map(|(side, number)| Step::Send(side, number)),
        4 => (side, 1..20usize).prop_map(|(side, number)| Step::Commit(side, number)),
        2 => side.prop_map(Step::Replay),
        2 => side.prop_map(Step::Crash),
        1 => (0..8u8).prop_map(Step::Wait),
    ]
}

/// A run, and what the attacker knows.
struct Run {
    nodes: Nodes,
    /// The sessions of client and server, if both are open.
    sessions: Option<[SessionId; 2]>,
    /// The datagrams from the client and from the server, of all sessions.
    recorded: [Vec<Vec<u8>>; 2],
    /// The numbers that client and server have used under the present keys.
    used: [HashSet<u64>; 2],
    asked: u64,
}

impl Run {
    fn new(way: Way) -> Self {
        let (recorded, used) = Default::default();
        Self { nodes: Nodes::new(way), sessions: None, recorded, used, asked: 0 }
    }

    fn node(&mut self, is_client: bool) -> &mut Node {
        if is_client { &mut self.nodes.client } else { &mut self.nodes.server }
    }

    /// The session of one side; new keys for both if a side has lost it.
    fn session(&mut self, is_client: bool) -> SessionId {
        let sessions = self.sessions.unwrap_or_else(|| {
            self.used = Default::default();
            let sessions = self.nodes.connect();
            // The numbers of the handshake are used, too.
            self.used.iter_mut().for_each(|used| used.extend([0]));
            sessions
        });
        self.sessions = Some(sessions);
        sessions[usize::from(!is_client)]
    }

    /// Delivers what both sides have to send, except what `is_held` selects.
    fn carry(&mut self, is_held: &mut dyn FnMut() -> bool) {
        let cid_length = if self.nodes.way.has_cids { 4 } else { 0 };
        let Self { nodes, recorded, used, .. } = self;
        nodes.carry(&mut |up, datagram| {
            let side = usize::from(!up);
            for number in protected_numbers(datagram, cid_length) {
                assert!(used[side].insert(number), "number {number} is used twice");
            }
            recorded[side].push(datagram.to_vec());
            !is_held()
        });
        for is_client in [true, false] {
            let node = self.node(is_client);
            let events = node.handle_events();
            let is_over = |it: &_| matches!(it, lwm2m_dtls::Event::Closed { .. });
            if events.iter().any(is_over) {
                self.sessions = None;
            }
        }
    }

    fn play(&mut self, step: &Step) {
        match *step {
            Step::Ask(is_client, number) => self.ask(is_client, number),
            Step::Send(is_client, number) => self.send(is_client, number),
            Step::Commit(is_client, number) => {
                let now = self.nodes.now;
                self.node(is_client).commit(now, number);
                self.carry(&mut || false);
            }
            Step::Replay(is_client) => self.replay(is_client),
            Step::Crash(is_client) => self.crash(is_client),
            Step::Wait(seconds) => {
                self.nodes.now = self.nodes.now + Duration::from_secs(seconds.into());
            }
        }
        self.check();
    }

    fn crash(&mut self, is_client: bool) {
        let side = usize::from(!is_client);
        let session = self.sessions.map(|sessions| sessions[side]);
        let node = self.node(is_client);
        let name = session.and_then(|session| node.names.get(&session).copied());
        let restored = node.crash();
        let same = restored.into_iter().find(|it| node.names.get(it).copied() == name);
        self.sessions = self.sessions.zip(same).map(|(mut sessions, same)| {
            sessions[side] = same;
            sessions
        });
    }

    fn send(&mut self, is_client: bool, number: u32) {
        let side = usize::from(!is_client);
        let before = self.recorded[side].len();
        for index in 0..number {
            let session = self.session(is_client);
            let now = self.nodes.now;
            if self.node(is_client).endpoint.send(now, session, b"").is_err() {
                self.sessions = None;
            }
            if index % 64 == 0 || index + 1 == number || self.sessions.is_none() {
                self.carry(&mut || true);
            }
        }
        // Of many records the first and the last ones are enough.
        let recorded = &mut self.recorded[side];
        let many = before + 100..recorded.len().saturating_sub(100);
        if !many.is_empty() {
            recorded.drain(many);
        }
    }

    fn ask(&mut self, is_client: bool, number: u32) {
        for _ in 0..number {
            let session = self.session(is_client);
            self.asked += 1;
            let (now, thing) = (self.nodes.now, self.asked.to_string());
            let sent = self.node(is_client).endpoint.send(now, session, thing.as_bytes());
            if sent.is_err() {
                self.sessions = None;
            }
            let is_held = self.asked.is_multiple_of(3);
            self.carry(&mut || is_held);
        }
    }

    fn replay(&mut self, is_client: bool) {
        let sender = usize::from(is_client);
        let from = address([CLIENT, SERVER][sender]);
        let elsewhere = address("203.0.113.66:666");
        for datagram in self.recorded[sender].clone() {
            let now = self.nodes.now;
            let endpoint = &mut self.node(is_client).endpoint;
            // Hellos would begin handshakes.
            if datagram[0] != 22 {
                endpoint.handle_datagram(now, from, &datagram);
                endpoint.handle_datagram(now, elsewhere, &datagram);
            }
        }
        self.carry(&mut || false);
    }

    fn check(&mut self) {
        for is_client in [true, false] {
            let done = &self.node(is_client).disk.done;
            let mut seen = HashSet::new();
            for thing in done.iter().filter(|thing| !thing.is_empty()) {
                assert!(seen.insert(thing), "{} counts twice", thing.escape_ascii());
            }
        }
    }
}

/// Plays the steps, and ends with a crash and replays of both sides.
fn play(way: Way, steps: &[Step]) {
    let mut run = Run::new(way);
    steps.iter().for_each(|step| run.play(step));
    for is_client in [true, false] {
        run.play(&Step::Crash(is_client));
        run.play(&Step::Replay(is_client));
        run.play(&Step::Commit(is_client, usize::MAX));
    }
    // The window lets new things pass.
    for is_client in [true, false] {
        let before = run.node(!is_client).disk.done.len();
        run.play(&Step::Ask(is_client, 3));
        run.play(&Step::Commit(is_client, usize::MAX));
        run.play(&Step::Commit(!is_client, usize::MAX));
        let after = run.node(!is_client).disk.done.len();
        assert!(after >= before + 2, "only {} of the three of {is_client} arrived", after - before);
    }
}

/// How many sequences of steps each mode is put through.
const RUNS: u32 = 40;

macro_rules! attacks {
    ($($name:ident: $mode:literal, $has_cids:literal;)*) => {
        proptest! {
            #![proptest_config(ProptestConfig {
                cases: RUNS,
                failure_persistence: None,
                max_shrink_time: 30_000,
                ..ProptestConfig::default()
            })]
            $(
            // proves: SEC-33, SEC-34
            #[test]
            fn $name(steps in prop::collection::vec(step(), 1..60)) {
                play(Way { mode: $mode, has_cids: $has_cids }, &steps);
            })*
        }
    };
}

attacks! {
    psk: 0, false;
    psk_with_cids: 0, true;
    raw_public_keys: 1, false;
    raw_public_keys_with_cids: 1, true;
    certificates: 2, false;
    certificates_with_cids: 2, true;
}
