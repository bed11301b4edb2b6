//! What is acknowledged is kept: a server with a disk crashes at random moments under the load of
//! fifty devices and an application, in virtual time. What was acknowledged before is compared with
//! what is there afterwards.

use crate::sensors::{self, KEY, SERVER, TEXT, VALUE};
use lwm2m_client::{
    Client, Event as ClientEvent, MemoryObject, RegistrationState, Security, ServerAccount,
};
use lwm2m_coap::Code;
use lwm2m_core::{Node as Tree, Path, Resource, Value};
use lwm2m_dtls::TicketKey;
use lwm2m_link::{Lsn, Record};
use lwm2m_server::records::{EVENTS, KeptEvent, KeptValue, VALUES};
use lwm2m_server::{
    CommandId, CommandOptions, CommandState, Config, Operation, Outcome, Server, Target,
    WishOptions, WriteMode,
};
use lwm2m_testkit::{Conditions, Node, Sim};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

const DEVICES: u8 = 50;
const MAX_EVENTS: u64 = 100;
const RESET: Path = Path::resource(3303, 0, 5605);

fn endpoint(device: u8) -> String {
    format!("dev-{device}")
}

/// The server, its devices, and what each side was told.
struct World {
    sim: Sim,
    rng: ChaCha8Rng,
    server: Node<Server>,
    devices: Vec<Node<Client>>,
    /// The number that the next value, write or execute has.
    next: u32,
    /// By device: the newest value whose Send was acknowledged.
    sent: BTreeMap<u8, f64>,
    /// The values on their way.
    sending: BTreeMap<(u8, lwm2m_client::SendId), f64>,
    /// By device: the location that it was told.
    locations: BTreeMap<u8, String>,
    /// What the application asked for and was not acknowledged yet, with its position in the log.
    asked: Vec<(Lsn, Promise)>,
    /// What was acknowledged: commands with their numbers, and the devices that are observed.
    commands: BTreeMap<CommandId, u32>,
    wished: BTreeSet<u8>,
    answered: u32,
    unknown: u32,
    /// How often each execute arrived, by its number.
    executed: BTreeMap<u32, u32>,
    /// Whether datagrams arrive once and in order. Otherwise an older request that arrives again after
    /// a crash is carried out again, because a restarted server has forgotten what came twice: without
    /// security nothing tells it from a new one.
    is_orderly: bool,
    handshakes: u32,
}

/// How many datagrams an attacker repeats after a crash.
const REPLAYED: usize = 1_000;

/// What the application was promised.
#[derive(Clone, PartialEq, Debug)]
enum Promise {
    Command(CommandId, u32),
    Wish(u8),
}

/// A server that goes on from the records. No two have the same message ids and tokens, or devices
/// would repeat what they answered to an earlier one.
fn server(config: Config, records: &[Record], starts: u32) -> Server {
    let mut seed = [99; 32];
    seed[..4].copy_from_slice(&starts.to_be_bytes());
    let mut server = Server::new(config, seed);
    // The simulation has no way to tell the time here: a store that is read at the beginning of time
    // would cut lifetimes, which are unlimited in this test.
    let mut restore = server.restore(lwm2m_time::Instant::ZERO);
    for Record { table, key, value } in records {
        restore.take(*table, key, value.as_deref().unwrap_or_default());
    }
    let restored = restore.finish();
    assert_eq!(restored.unusable, 0, "{restored:?}");
    server
}

/// A device; in a session with security, if the server has it.
fn client(device: u8, is_secured: bool) -> Client {
    let mut account = ServerAccount::new(1, SERVER).lifetime(86_400 * 365).mute_send(false);
    if is_secured {
        account = account.secured(Security::psk(endpoint(device), KEY));
    }
    let config = lwm2m_client::Config::new(endpoint(device)).server(account);
    let objects = sensors::objects("", |it| it.on_execute(5605, |_, _| Ok(())));
    Client::new(config, objects, [device + 1; 32]).unwrap()
}

fn config(is_secured: bool, with_ids: bool) -> Config {
    let config =
        Config::default().is_kept(true).max_events(MAX_EVENTS).max_history(10).max_departed(5);
    if !is_secured {
        return config;
    }
    let mut dtls = lwm2m_dtls::Config::default();
    dtls.durable_sessions = Some(TicketKey::new([7; 16]));
    sensors::with_keys(config, (0..DEVICES).map(endpoint), dtls, with_ids)
}

impl World {
    fn new(conditions: Conditions, seed: u64, is_secured: bool) -> Self {
        let mut sim = Sim::new(conditions, seed);
        let (mut starts, config) = (0, config(is_secured, seed % 2 == 1));
        let server = sim.add_with_disk(SERVER, move |_, records| {
            starts += 1;
            server(config.clone(), &records, starts)
        });
        let devices = (0..DEVICES).map(|device| {
            let address = SocketAddr::from((Ipv4Addr::new(198, 51, 100, device), 5683));
            let node = sim.add(address, move |_| client(device, is_secured));
            sim.with(node, |it, now| it.start(now));
            node
        });
        let devices = devices.collect();
        Self {
            sim,
            rng: ChaCha8Rng::seed_from_u64(seed),
            server,
            devices,
            next: 0,
            sent: BTreeMap::new(),
            sending: BTreeMap::new(),
            locations: BTreeMap::new(),
            asked: Vec::new(),
            commands: BTreeMap::new(),
            wished: BTreeSet::new(),
            answered: 0,
            unknown: 0,
            executed: BTreeMap::new(),
            is_orderly: is_secured || seed % 2 == 1,
            handshakes: 0,
        }
    }

    fn random(&mut self, below: u32) -> u32 {
        self.rng.next_u32() % below
    }

    fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    /// Something happens.
    fn act(&mut self) {
        let device = u8::try_from(self.random(DEVICES.into())).unwrap();
        match self.random(10) {
            0..=4 => self.send(device),
            5 | 6 => self.command(device, true),
            7 => self.command(device, false),
            8 => self.wish(device),
            _ => {
                let node = self.devices[usize::from(device)];
                self.sim.with(node, |it, now| it.update_registration(now, 1));
            }
        }
    }

    fn send(&mut self, device: u8) {
        let value = f64::from(self.number());
        let id = self.sim.with(self.devices[usize::from(device)], |it, now| {
            it.update::<MemoryObject>(now, 3303, |sensor| sensor.set(0, 5700, value)).unwrap();
            it.send(now, 1, &[VALUE], None)
        });
        if let Ok(id) = id {
            self.sending.insert((device, id), value);
        }
    }

    fn command(&mut self, device: u8, writes: bool) {
        let number = self.number();
        let operation = match writes {
            true => Operation::Write {
                path: TEXT,
                node: Tree::Resource(Resource::Single(Value::String(number.to_string()))),
                format: None,
                mode: WriteMode::Replace,
            },
            false => Operation::Execute { path: RESET, arguments: format!("0='{number}'") },
        };
        let options = CommandOptions::default();
        let asked = self.sim.with(self.server, |it, now| {
            let id = it.command(now, &endpoint(device), operation, options).ok()?;
            Some((it.promised(), id))
        });
        if let Some((lsn, id)) = asked {
            self.asked.push((lsn, Promise::Command(id, number)));
        }
    }

    fn wish(&mut self, device: u8) {
        let target = Target::Path(VALUE);
        let asked = self.sim.with(self.server, |it, now| {
            it.wish(now, &endpoint(device), target, WishOptions::default()).ok()?;
            Some(it.promised())
        });
        self.asked.extend(asked.map(|lsn| (lsn, Promise::Wish(device))));
    }

    /// Takes note of what was acknowledged.
    fn note(&mut self) {
        let written = self.sim[self.server].written();
        for (lsn, promise) in std::mem::take(&mut self.asked) {
            match promise {
                _ if lsn > written => self.asked.push((lsn, promise)),
                Promise::Command(id, number) => _ = self.commands.insert(id, number),
                Promise::Wish(device) => _ = self.wished.insert(device),
            }
        }
        for device in 0..DEVICES {
            for (_, event) in self.sim.take_events(self.devices[usize::from(device)]) {
                self.note_event(device, event);
            }
        }
    }

    fn note_event(&mut self, device: u8, event: ClientEvent) {
        match event {
            ClientEvent::Registered { location, .. } => {
                self.locations.insert(device, location);
            }
            ClientEvent::Sent { id, confirmed, .. } => {
                let value = self.sending.remove(&(device, id));
                if let (Some(value), Ok(())) = (value, confirmed) {
                    let newest = self.sent.entry(device).or_default();
                    *newest = newest.max(value);
                }
            }
            ClientEvent::SessionBegun { .. } => self.handshakes += 1,
            ClientEvent::Executed { arguments, .. } => {
                let text = arguments.to_string();
                let number: u32 = text[3..text.len() - 1].parse().unwrap();
                *self.executed.entry(number).or_default() += 1;
            }
            _ => {}
        }
    }

    fn crash(&mut self) {
        self.note();
        self.asked.clear();
        self.sim.restart(self.server);
        self.check();
    }

    /// Sends the latest datagrams of all devices again, the newest first: an older value that counts
    /// again replaces a newer one.
    fn replay(&mut self) {
        let capture = self.sim.network.capture.get_or_insert_default();
        let old = capture.len().saturating_sub(REPLAYED);
        capture.drain(..old);
        let sent = capture.clone();
        // Hellos begin handshakes, of which none comes to an end.
        for datagram in sent.iter().rev().filter(|it| it.to == SERVER && it.payload[0] != 22) {
            self.sim.inject(self.server, datagram.from, true, &datagram.payload);
        }
        self.sim.network.capture = Some(sent);
    }

    /// Compares what was acknowledged with what is there.
    fn check(&mut self) {
        let values: BTreeMap<String, f64> = self.values();
        for (device, value) in &self.sent {
            let kept = values.get(&endpoint(*device)).copied().unwrap_or(f64::NAN);
            let is_there = if self.is_orderly { kept >= *value } else { kept >= 1.0 };
            assert!(is_there, "{device} sent {value}, kept {kept}");
        }
        let server = &self.sim[self.server];
        for (device, location) in &self.locations {
            let registration = server.registration(&endpoint(*device));
            let kept = registration.map(|it| format!("/rd/{}", it.id));
            // One that the device asks for anew may be there before the device is told.
            let node = self.devices[usize::from(*device)];
            let is_settled =
                self.sim[node].registration_state(1) == Some(RegistrationState::Registered);
            let may_differ = !is_settled || !self.is_orderly;
            let is_there = kept.as_ref().is_some_and(|it| it == location || may_differ);
            assert!(is_there, "{device} was told {location}, kept {kept:?}");
        }
        for device in &self.wished {
            assert_eq!(server.wishes(&endpoint(*device)).count(), 1, "wish {device}");
        }
        assert!(self.executed.values().all(|count| *count == 1), "{:?}", self.executed);
        self.check_events();
        self.check_commands();
    }

    /// The events are the last ones, without a gap.
    fn check_events(&mut self) {
        let records = self.sim.disk(self.server).records();
        let events = records.iter().filter(|record| record.table == EVENTS);
        let read = |it: &Record| KeptEvent::read(&it.key, it.value.as_ref()?).map(|it| it.number);
        let numbers: Vec<u64> = events.map(|it| read(it).expect("an event")).collect();
        assert!(numbers.len() as u64 <= MAX_EVENTS);
        assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{numbers:?}");
    }

    /// Takes the results of commands that have ended.
    fn check_commands(&mut self) {
        for (id, number) in std::mem::take(&mut self.commands) {
            let command = self.sim[self.server].command_by_id(id);
            let command = command.unwrap_or_else(|| panic!("command {number} is lost"));
            let CommandState::Ended(_, outcome) = &command.state else {
                self.commands.insert(id, number);
                continue;
            };
            let executes = matches!(*command.operation, Operation::Execute { .. });
            match &**outcome {
                // A device that remembers too many requests of servers that crashed takes no more.
                Outcome::Answered(response) if response.code == Code::SERVICE_UNAVAILABLE => {
                    self.unknown += 1;
                }
                Outcome::Answered(response) => {
                    assert!(response.code.is_success(), "{command:?}: {response:?}");
                    self.answered += 1;
                    let count = self.executed.get(&number).copied().unwrap_or_default();
                    assert_eq!(count, u32::from(executes), "{number}");
                }
                Outcome::Unknown if executes => self.unknown += 1,
                Outcome::Failed(_) if !self.is_orderly => self.unknown += 1,
                other => panic!("command {number}: {other:?}"),
            }
            self.sim.with(self.server, |it, now| it.remove_command(now, id));
        }
    }

    fn values(&mut self) -> BTreeMap<String, f64> {
        let records = self.sim.disk(self.server).records();
        let values = records.iter().filter(|record| record.table == VALUES);
        let values = values.filter_map(|it| KeptValue::read(&it.key, it.value.as_ref()?));
        let number = |(endpoint, path, kept): (&str, Path, KeptValue)| match kept.value {
            Value::Float(value) if path == VALUE => Some((endpoint.to_owned(), value)),
            Value::Integer(value) if path == VALUE => Some((endpoint.to_owned(), value as f64)),
            _ => None,
        };
        values.filter_map(number).collect()
    }

    /// Runs until each command has its end; no more crashes.
    fn finish(&mut self) {
        for _ in 0..20 {
            self.sim.run_for(Duration::from_secs(300));
            self.note();
            (0..DEVICES).for_each(|device| {
                let node = self.devices[usize::from(device)];
                self.sim.with(node, |it, now| it.update_registration(now, 1));
            });
        }
        self.check();
        let waits = self.commands.keys().next();
        let waits = waits.and_then(|id| self.sim[self.server].command_by_id(*id));
        assert_eq!(waits, None, "each command comes to an end");
        let (answered, unknown) = (self.answered, self.unknown);
        assert!(answered > unknown, "{answered} answered, {unknown} unknown");
    }
}

/// How many crashes: 300, or as many as the environment says.
fn crashes() -> u32 {
    std::env::var("LWM2M_CRASHES").ok().and_then(|text| text.parse().ok()).unwrap_or(300)
}

/// Crashes again and again, and runs for a while after each crash.
fn survive(conditions: Conditions, seed: u64, is_secured: bool, after: Duration) -> World {
    survive_with(conditions, seed, is_secured, after, |_| {})
}

/// As [`survive`], with something that happens after each crash.
fn survive_with(
    conditions: Conditions,
    seed: u64,
    is_secured: bool,
    after: Duration,
    mut then: impl FnMut(&mut World),
) -> World {
    let mut world = World::new(conditions, seed, is_secured);
    world.sim.run_for(Duration::from_secs(30));
    for _ in 0..crashes() / 4 {
        for _ in 0..world.random(6) {
            world.act();
            let pause = u64::from(world.random(40));
            world.sim.run_for(Duration::from_millis(pause));
            world.note();
        }
        world.crash();
        then(&mut world);
        world.sim.run_for(after);
    }
    world.finish();
    world
}

#[test]
fn what_is_acknowledged_survives_crashes() {
    survive(Conditions::GOOD, 1, false, Duration::ZERO);
}

#[test]
fn what_is_acknowledged_survives_crashes_on_a_bad_network() {
    survive(Conditions::BAD, 2, false, Duration::ZERO);
}

#[test]
fn sessions_survive_crashes_and_no_device_makes_a_handshake() {
    // With Connection IDs and without. A device that gets no answer to two retransmissions tries a new
    // handshake, so the first one, which comes after three seconds at most, must not meet a crash.
    for seed in [3, 4] {
        let world = survive(Conditions::GOOD, seed, true, Duration::from_secs(5));
        assert_eq!(world.handshakes, u32::from(DEVICES));
    }
}

#[test]
fn sessions_survive_crashes_on_a_bad_network() {
    survive(Conditions::BAD, 5, true, Duration::ZERO);
}

// proves: SEC-34
#[test]
fn datagrams_that_are_repeated_after_a_crash_do_nothing() {
    for seed in [6, 7] {
        let after = Duration::from_secs(5);
        let world = survive_with(Conditions::GOOD, seed, true, after, World::replay);
        assert_eq!(world.handshakes, u32::from(DEVICES));
    }
}
