//! What is acknowledged is kept: the daemon is killed again and again while devices send values in
//! their sessions. `LWM2M_KILLS` and `LWM2M_DEVICES` change how often and how many; `cargo xtask crash`
//! sets them.

use crate::process::{Daemon, Ports, ask};
use lwm2m_client::{Client, Config, Event, MemoryObject, Object, Security, ServerAccount};
use lwm2m_core::{ObjectVersion, Path, Value};
use lwm2m_net::{ClientHandle, Sockets, bind_client};
use lwm2m_server::records::{KeptValue, REGISTRATIONS, VALUES};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::sync::Notify;

const KEY: &[u8] = b"0123456789abcdef";
const VALUE: Path = Path::resource(3303, 0, 5700);
/// How long a device tries before it makes a new handshake: two and four seconds are the shortest times
/// of the first two transmissions.
const DEVICES_PATIENCE: Duration = Duration::from_secs(6);
/// How long anything may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(120);

fn number(name: &str, default: u32) -> u32 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What the devices were told.
#[derive(Default)]
struct Told {
    /// By endpoint name: the location of the registration, and the newest value.
    devices: Mutex<HashMap<String, (String, f64)>>,
    acknowledged: AtomicU32,
    handshakes: AtomicU32,
    news: Notify,
}

impl Told {
    /// The newest acknowledged value of each device.
    fn values(&self) -> HashMap<String, f64> {
        let devices = self.devices.lock().unwrap();
        devices.iter().map(|(name, (_, value))| (name.clone(), *value)).collect()
    }

    /// Waits until it holds.
    async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let waiting = async {
            loop {
                let news = self.news.notified();
                if holds(self) {
                    return;
                }
                news.await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("devices are answered");
    }
}

fn client(endpoint: &str, ports: Ports) -> Client {
    let account = ServerAccount::new(1, ports.coaps)
        .lifetime(86_400)
        .mute_send(false)
        .secured(Security::psk(endpoint.to_owned(), KEY));
    let device = MemoryObject::new(3)
        .instance(0, |it| it.with(16, "U").with_multiple(11, [(0, 0i64)]))
        .on_execute(4, |_, _| Ok(()));
    let sensor = MemoryObject::new(3303)
        .version(ObjectVersion::new(1, 1))
        .instance(0, |it| it.with(5700, 0.0));
    let objects: Vec<Box<dyn Object>> = vec![Box::new(device), Box::new(sensor)];
    Client::new(Config::new(endpoint).server(account), objects, lwm2m_net::seed().unwrap()).unwrap()
}

/// Runs a device that sends one value after another, each when the one before has its answer.
async fn run(endpoint: String, ports: Ports, told: Arc<Told>) {
    let device = bind_client(Sockets::client(false), client(&endpoint, ports), None).await.unwrap();
    let mut events = device.subscribe();
    device.start().await.unwrap();
    let mut value = 0.0;
    loop {
        let event = events.recv().await.expect("fewer events than room");
        match &*event {
            Event::SessionBegun { .. } => _ = told.handshakes.fetch_add(1, Ordering::Relaxed),
            Event::Registered { location, .. } => {
                let place = (location.clone(), value);
                told.devices.lock().unwrap().insert(endpoint.clone(), place);
                told.news.notify_waiters();
                send(&device, value + 1.0).await;
            }
            Event::Sent { confirmed, .. } => {
                if confirmed.is_ok() {
                    value += 1.0;
                    let mut devices = told.devices.lock().unwrap();
                    devices.entry(endpoint.clone()).and_modify(|it| it.1 = value);
                    told.acknowledged.fetch_add(1, Ordering::Relaxed);
                }
                told.news.notify_waiters();
                send(&device, value + 1.0).await;
            }
            _ => {}
        }
    }
}

async fn send(device: &ClientHandle, value: f64) {
    let sent = device.with(move |client, now| {
        client.update::<MemoryObject>(now, 3303, |sensor| sensor.set(0, 5700, value)).unwrap();
        client.send(now, 1, &[VALUE], None)
    });
    // A device that is not registered sends when it is again.
    let _ = sent.await.unwrap();
}

/// Compares what devices were told with what is in the store.
fn check(folder: &TempDir, told: &Told) {
    let told = told.devices.lock().unwrap().clone();
    let store = lwm2m_store::open_to_read(folder.path()).unwrap();
    let records = |table| store.table(table).unwrap().map(Result::unwrap);
    let values: HashMap<String, f64> = records(VALUES)
        .filter_map(|record| {
            let (endpoint, path, kept) = KeptValue::read(&record.key, record.value.as_ref()?)?;
            let value = match kept.value {
                Value::Float(value) => value,
                Value::Integer(value) => value as f64,
                _ => return None,
            };
            (path == VALUE).then(|| (endpoint.to_owned(), value))
        })
        .collect();
    let registered = records(REGISTRATIONS).count();
    assert_eq!(registered, told.len());
    for (endpoint, (_, value)) in told {
        let kept = values.get(&endpoint).copied().unwrap_or_default();
        assert!(kept >= value, "{endpoint} was told that {value} is kept; it is {kept}");
    }
}

fn put_credential(ports: Ports, endpoint: &str) {
    let key: String = KEY.iter().map(|byte| format!("{byte:02x}")).collect();
    let body = format!(
        r#"{{"endpoint":"{endpoint}","tls":{{"mode":"psk","details":{{"identity":"{endpoint}","key":"{key}"}}}}}}"#
    );
    let (status, answer) = ask(ports.http, "PUT", "/api/security/clients", &body);
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_acknowledged_survives_kills_and_no_device_makes_a_handshake() {
    let (kills, devices) = (number("LWM2M_KILLS", 20), number("LWM2M_DEVICES", 50));
    let (folder, ports, told) = (TempDir::new().unwrap(), Ports::free(), Arc::new(Told::default()));
    let mut daemon = Daemon::start(folder.path(), ports);
    let mut running = tokio::task::JoinSet::new();
    for number in 0..devices {
        let endpoint = format!("dev-{number}");
        put_credential(ports, &endpoint);
        running.spawn(run(endpoint, ports, Arc::clone(&told)));
    }
    let all = usize::try_from(devices).unwrap();
    told.until(|told| told.devices.lock().unwrap().len() == all).await;
    let locations = |told: &Told| -> HashMap<String, String> {
        let devices = told.devices.lock().unwrap();
        devices.iter().map(|(name, (location, _))| (name.clone(), location.clone())).collect()
    };
    let before = locations(&told);
    let mut long_outages = 0;
    for kill in 0..kills {
        // At a moment that nobody can foresee, between no answers and some hundreds.
        let more = told.acknowledged.load(Ordering::Relaxed) + 1 + kill * 7919 % 300;
        told.until(|told| told.acknowledged.load(Ordering::Relaxed) >= more).await;
        let killed_at = Instant::now();
        daemon.kill();
        let then = told.values();
        check(&folder, &told);
        daemon = Daemon::start(folder.path(), ports);
        // A device whose message fails three times tries a new handshake, as it should: so each has an
        // answer of the new daemon before the next kill, the second one, because the first may have been
        // under way. On a machine that is too busy, it does so all the same.
        told.until(|told| told.values().iter().all(|(name, it)| *it > then[name] + 1.0)).await;
        long_outages += u32::from(killed_at.elapsed() > DEVICES_PATIENCE);
    }
    assert_eq!(locations(&told), before, "no device had to register again");
    let more = told.handshakes.load(Ordering::Relaxed) - devices;
    assert!(more <= long_outages * devices, "{more} more handshakes, {long_outages} long outages");
    let (status, answer) = ask(ports.http, "GET", "/api/security/clients/dev-0", "");
    assert_eq!(status, 200, "{answer}");
    println!(
        "{} values acknowledged, {kills} kills, {more} more handshakes",
        told.acknowledged.load(Ordering::Relaxed)
    );
    running.shutdown().await;
    drop(daemon);
}
