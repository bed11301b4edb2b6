//! What a client keeps over a restart.

use crate::bootstrap::{account, provision};
use crate::harness::{Harness, TEXT, TLV, config, delete, get, objects, post, put};
use lwm2m_client::{BootstrapAccount, Client, Config, MemoryObject, RegistrationState};
use lwm2m_coap::{Request, Response};
use lwm2m_core::{ContentFormat, Node, Object, ObjectInstance, Path};
use lwm2m_time::Instant;

fn write(path: &str, text: &str) -> Request {
    put(path).content_format(TEXT).payload(text.to_owned())
}

/// Asks and gives the disk time.
fn code(harness: &mut Harness, request: Request) -> String {
    answer(harness, request).code.to_string()
}

fn answer(harness: &mut Harness, request: Request) -> Response {
    let asked = harness.send(0, request);
    harness.run(0.1);
    harness.answer(0, asked).expect("an answer")
}

fn started(config: Config) -> Harness {
    let mut harness = Harness::kept(config);
    harness.start();
    harness.run(2.0);
    assert_eq!(harness.heard().len(), 1, "one Register");
    harness
}

#[test]
fn what_is_written_made_and_deleted_is_as_before() {
    let mut harness = started(config());
    assert_eq!(code(&mut harness, write("/3/0/14", "+05:00")), "2.04");
    assert_eq!(code(&mut harness, write("/3442/0/120", "7")), "2.04");
    assert_eq!(code(&mut harness, delete("/16/1")), "2.02");
    let values = ObjectInstance::default().with_multiple(0, [(3, "x")]);
    let instances = Node::Object(Object { instances: [(7, values)].into() });
    let create = lwm2m_codec::encode(ContentFormat::TLV, &Path::object(16), &instances).unwrap();
    let made = post("/16").content_format(TLV).payload(create);
    assert_eq!(code(&mut harness, made), "2.01");
    for _ in 0..2 {
        let restored = harness.restart();
        assert_eq!((restored.instances, restored.unusable), (4, 0));
        assert_eq!(harness.text("/3/0/14"), "+05:00");
        // What no server wrote is as the device has it.
        assert_eq!(harness.text("/3/0/0"), "Open Mobile Alliance");
        assert_eq!(harness.text("/3442/0/120"), "7");
        assert_eq!(harness.text("/3442/0/110"), "text");
        assert_eq!(code(&mut harness, get("/16/1")), "4.04");
        assert_eq!(code(&mut harness, get("/16/7")), "2.05");
    }
    // What was made and deleted leaves no trace.
    assert_eq!(code(&mut harness, delete("/16/7")), "2.02");
    assert_eq!(harness.restart().instances, 3);
}

#[test]
fn application_has_the_last_word_on_its_instances() {
    let mut harness = started(config());
    assert_eq!(code(&mut harness, delete("/16/1")), "2.02");
    harness.insert(16, 1, ObjectInstance::default().with_multiple(0, [(0, "again")]));
    assert_eq!(code(&mut harness, write("/3442/0/120", "7")), "2.04");
    let remove = |target: &mut MemoryObject| {
        target.remove(0);
        Ok(())
    };
    harness.sim.with(harness.client, |it, now| it.update(now, 3442, remove)).unwrap();
    assert_eq!(harness.restart().instances, 0);
}

#[test]
fn full_disk_refuses_what_would_have_to_be_kept() {
    let mut harness = started(config());
    harness.sim.disk(harness.client).is_full = true;
    let unkept = [
        write("/3/0/14", "+05:00"),
        delete("/16/1"),
        get("/3303/0/5700").observe(0),
        put("/3303/0/5700").query("gt=30"),
    ];
    for request in unkept.clone() {
        assert_eq!(code(&mut harness, request), "5.03");
    }
    assert_eq!(code(&mut harness, get("/3303/0/5700")), "2.05");
    harness.set("/3303/0/5700", 40.0);
    assert!(harness.notified().is_empty(), "no observation has begun");
    harness.sim.disk(harness.client).is_full = false;
    harness.run(2.0);
    let codes = unkept.map(|request| code(&mut harness, request));
    assert_eq!(codes, ["2.04", "2.02", "2.05", "2.04"]);
}

#[test]
fn accounts_of_a_bootstrap_are_used_again() {
    let mut harness = Harness::kept(Config::new("test").bootstrap(account()));
    harness.start();
    provision(&mut harness);
    harness.run(1.0);
    assert_eq!(harness.heard_by(1).len(), 1, "one Register");
    for _ in 0..2 {
        let restored = harness.restart();
        assert_eq!((restored.registrations, restored.unusable), (1, 0));
        assert_eq!(harness.heard_by(0), [""; 0], "no bootstrap");
        let heard = harness.heard_by(1);
        assert!(heard.len() == 1 && heard[0].contains("POST /rd/5a3f"), "{heard:?}");
        let state = harness.sim[harness.client].registration_state(1);
        assert_eq!(state, Some(RegistrationState::Registered));
    }
}

#[test]
fn account_of_a_bootstrap_server_that_was_purged_stays_so() {
    let account: BootstrapAccount = account().account_timeout(10);
    let mut harness = Harness::kept(Config::new("test").bootstrap(account));
    harness.start();
    provision(&mut harness);
    harness.run(20.0);
    harness.restart();
    let bootstrap = post("/1/0/9");
    let asked = harness.send(1, bootstrap);
    harness.run(1.0);
    harness.answer(1, asked);
    assert_eq!(harness.heard_by(0), [""; 0], "nobody to ask");
}

#[test]
fn registration_that_is_over_is_made_anew() {
    let mut harness = started(config());
    harness.run(2.0);
    harness.sim.crash(harness.client);
    harness.sim.run_for(std::time::Duration::from_secs(86_401));
    let restored = harness.restart();
    assert_eq!((restored.registrations, restored.unusable), (0, 1));
    assert!(harness.heard()[0].contains("POST /rd ep=test"));
}

#[test]
fn damaged_records_are_told_and_do_nothing() {
    let mut harness = started(config());
    assert_eq!(code(&mut harness, write("/3/0/14", "+05:00")), "2.04");
    assert_eq!(code(&mut harness, delete("/16/1")), "2.02");
    assert_eq!(code(&mut harness, put("/3303/0/5700").query("gt=30")), "2.04");
    assert_eq!(code(&mut harness, get("/3303/0/5700").observe(0)), "2.05");
    harness.run(2.0);
    let records = harness.sim.disk(harness.client).records();
    assert_eq!(records.len(), 5);
    let client = || Client::new(config().is_kept(true), objects(), [7; 32]).unwrap();
    let restored = |table, key: &[u8], value: &[u8]| {
        let mut client = client();
        let mut restore = client.restore(Instant::ZERO);
        restore.take(table, key, value);
        let restored = restore.finish();
        client.start(Instant::ZERO);
        restored
    };
    for record in records {
        let value = record.value.unwrap();
        assert_eq!(restored(record.table, &record.key, &value).unusable, 0);
        for length in 0..value.len() {
            assert_eq!(restored(record.table, &record.key, &value[..length]).unusable, 1);
        }
        for place in 0..value.len() {
            let mut changed = value.to_vec();
            changed[place] ^= 0xff;
            restored(record.table, &record.key, &changed);
        }
        for length in 0..record.key.len() {
            restored(record.table, &record.key[..length], &value);
        }
    }
}
