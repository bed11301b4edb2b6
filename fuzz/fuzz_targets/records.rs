//! A client or a server that goes on from records of any content, as a damaged or foreign store has
//! them. It must not panic, then or later.
//!
//! An input is a number of records, each `table, length, key, length in two bytes, value`, and a
//! script. The lowest bit of its first byte chooses the engine, the others are how many records.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lwm2m_client::{Client, MemoryObject, Object, ServerAccount};
use lwm2m_fuzz::{address, play};
use lwm2m_link::Table;
use lwm2m_server::Server;
use lwm2m_time::Instant;

fuzz_target!(|input: &[u8]| {
    let Some((&first, rest)) = input.split_first() else { return };
    let (records, script) = records(rest, first >> 1);
    if first & 1 == 0 { client(&records, script) } else { server(&records, script) }
});

type Record<'i> = (Table, &'i [u8], &'i [u8]);

fn records(mut rest: &[u8], number: u8) -> (Vec<Record<'_>>, &[u8]) {
    let mut records = Vec::new();
    for _ in 0..number {
        let Some((record, after)) = record(rest) else { break };
        records.push(record);
        rest = after;
    }
    (records, rest)
}

fn record(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let (&[table, length], rest) = bytes.split_first_chunk()?;
    let (key, rest) = rest.split_at_checked(length.into())?;
    let (length, rest) = rest.split_first_chunk()?;
    let (value, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    Some(((Table(table % 16), key, value), rest))
}

fn client(records: &[Record<'_>], script: &[u8]) {
    let account = ServerAccount::new(123, address(0)).lifetime(300);
    let config = lwm2m_client::Config::new("device").server(account).is_kept(true);
    let objects: Vec<Box<dyn Object>> = vec![
        Box::new(
            MemoryObject::new(3)
                .instance(0, |it| it.with(16, "U").with_multiple(11, [(0, 0)]))
                .on_execute(4, |_, _| Ok(())),
        ),
        Box::new(
            MemoryObject::new(3303)
                .instance(0, |it| it.with(5700, 0.0))
                .new_instances(|it| it.with(5700, 0.0)),
        ),
    ];
    let mut client = Client::new(config, objects, [7; 32]).expect("a good configuration");
    let mut restore = client.restore(Instant::ZERO);
    records.iter().for_each(|(table, key, value)| restore.take(*table, key, value));
    let restored = restore.finish();
    assert!(restored.unusable <= records.len());
    client.start(Instant::ZERO);
    play(&mut client, script, |_, _, _| {});
}

fn server(records: &[Record<'_>], script: &[u8]) {
    let config = lwm2m_server::Config::default().is_kept(true).max_registrations(2);
    let bound = config.max_registrations;
    let mut server = Server::new(config, [7; 32]);
    let mut restore = server.restore(Instant::ZERO);
    records.iter().for_each(|(table, key, value)| restore.take(*table, key, value));
    let restored = restore.finish();
    assert!(restored.unusable <= records.len());
    assert!(server.registrations().count() <= bound);
    play(&mut server, script, |_, _, _| {});
}
