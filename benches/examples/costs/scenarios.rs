//! What is counted in instructions: each scenario does one operation so many times.

use crate::adapter::{Keys, Session};
use crate::device::{Device, SERVER, address, endpoint_name};
use crate::fleet::{Fleet, keys, measured, path};
use lwm2m_benches::device_object;
use lwm2m_core::ContentFormat;
use lwm2m_time::Instant;
use std::hint::black_box;

/// Devices that are registered when the operation begins.
const FLEET: u32 = 1_000;

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) run: fn(u32),
}

pub(crate) const SCENARIOS: [Scenario; 10] = [
    Scenario { name: "register", run: |count| register(count, None) },
    Scenario { name: "register-dtls", run: |count| register(count, Some(&keys(FLEET + count))) },
    Scenario { name: "update", run: |count| update(count, None) },
    Scenario { name: "update-dtls", run: |count| update(count, Some(&keys(FLEET))) },
    Scenario { name: "read", run: |count| read(count, None) },
    Scenario { name: "read-dtls", run: |count| read(count, Some(&keys(FLEET))) },
    Scenario { name: "notification", run: |count| notification(count, None) },
    Scenario { name: "notification-dtls", run: |count| notification(count, Some(&keys(FLEET))) },
    Scenario { name: "record-write", run: |count| records(count, true) },
    Scenario { name: "record-read", run: |count| records(count, false) },
];

/// Registers devices, beyond the first ones; with keys the handshake counts, too.
fn register(count: u32, keys: Option<&Keys>) {
    Fleet::new(keys).register(FLEET + count, false);
}

/// A fleet whose devices can go on.
pub(crate) fn registered(size: u32, keys: Option<&Keys>) -> Fleet {
    let mut fleet = Fleet::new(keys);
    fleet.register(size, true);
    assert_eq!(fleet.server.registrations(), size as usize);
    fleet
}

fn update(count: u32, keys: Option<&Keys>) {
    registered(FLEET, keys).act(count, &Device::update);
}

/// Reads the device object, all of it: 16 values in SenML CBOR.
fn read(count: u32, keys: Option<&Keys>) {
    let device = path("/3/0");
    let format = ContentFormat::SENML_CBOR;
    let values = lwm2m_codec::encode(format, &device, &device_object()).expect("values that fit");
    registered(FLEET, keys).ask(
        count,
        &|server, now, endpoint| server.read(now, endpoint, device),
        &|device, now| device.answer(now, format.0, &values, false),
    );
}

/// Each device notifies of a temperature that is observed.
fn notification(count: u32, keys: Option<&Keys>) {
    const TEXT: u16 = 0;
    let temperature = path("/3303/0/5700");
    let mut fleet = registered(FLEET, keys);
    fleet.ask(
        FLEET,
        &|server, now, endpoint| server.observe(now, endpoint, temperature),
        &|device, now| device.answer(now, TEXT, b"21.5", true),
    );
    assert_eq!(fleet.server.observations(&endpoint_name(FLEET - 1)), 1);
    fleet.act(count, &|device, now| device.notify(now, TEXT, b"22.75"));
}

/// Writes and reads records with 64 bytes; one of them counts.
fn records(count: u32, writes: bool) {
    let (now, device) = (Instant::from_millis(1_000), address(0));
    let mut server = Session::accept(&keys(1));
    let mut client = Session::connect(now, [1; 32], SERVER, &endpoint_name(0));
    loop {
        let sent: Vec<_> = std::iter::from_fn(|| client.poll()).collect();
        if sent.is_empty() {
            break;
        }
        for bytes in sent {
            server.read(now, device, &bytes);
        }
        while let Some(bytes) = server.poll() {
            client.read(now, SERVER, &bytes);
        }
    }
    for _ in 0..count {
        let mut record = None;
        let mut write = || {
            server.write(now, black_box(&[7; 64]));
            record = server.poll();
        };
        match writes {
            true => drop(measured(write)),
            false => write(),
        }
        let record = record.expect("a record");
        let mut read = || drop(black_box(client.read(now, SERVER, &record)));
        match writes {
            true => read(),
            false => drop(measured(read)),
        }
    }
}
