//! What a server keeps: the records of its journal, in CBOR.
//!
//! Each record is an array or map of numbered fields. A field may be added, and older records lack it;
//! a number is never used for another meaning.

mod command;
mod credential;
mod departed;
mod event;
mod history;
mod node;
mod observation;
mod registration;
mod target;
mod value;

pub(crate) use self::command::KeptCommand;
pub(crate) use self::credential::KeptCredential;
pub(crate) use self::departed::KeptDeparted;
pub use self::event::{CommandEnd, Happened, KeptEvent};
pub use self::history::KeptNumber;
pub(crate) use self::observation::KeptWish;
pub(crate) use self::registration::KeptRegistration;
pub use self::value::KeptValue;

use bytes::Bytes;
use lwm2m_link::{Record, Table};
use minicbor::{Decode, Encode};

/// The credentials of clients that were set while the server ran.
pub const CREDENTIALS: Table = Table(0);
/// The keys and peers of sessions, sealed.
pub const SESSIONS: Table = Table(1);
/// How far the record numbers of sessions have come.
pub const COUNTERS: Table = Table(2);
/// When devices were last heard of, where that is later than their registrations say.
pub const UPDATES: Table = Table(3);
/// What is to be observed.
pub const OBSERVATIONS: Table = Table(4);
/// Registrations.
pub const REGISTRATIONS: Table = Table(5);
/// Operations that wait for their devices, and results.
pub const COMMANDS: Table = Table(6);
/// The newest values of resources.
pub const VALUES: Table = Table(7);
/// The generation of the credential that is set next: one record.
pub const GENERATION: Table = Table(8);
/// What happened to devices, by number.
pub const EVENTS: Table = Table(9);
/// Numbers that devices told, by resource and time.
pub const HISTORY: Table = Table(10);
/// Devices without credentials that are not registered any more and have values, by number.
pub const DEPARTED: Table = Table(11);

/// The first table of the application that runs the server.
pub const APPLICATION: Table = Table(128);

/// All tables, in the order in which they are read, with names for people.
pub const TABLES: [(Table, &str); 12] = [
    (CREDENTIALS, "credentials"),
    (SESSIONS, "sessions"),
    (COUNTERS, "session counters"),
    (UPDATES, "updates"),
    (OBSERVATIONS, "observations"),
    (REGISTRATIONS, "registrations"),
    (COMMANDS, "commands"),
    (VALUES, "values"),
    (GENERATION, "credential generation"),
    (EVENTS, "events"),
    (HISTORY, "history of values"),
    (DEPARTED, "departed devices"),
];

/// The tables that a server goes on from, in the order in which they are read. The others are for who
/// asks for the past, and too large to be read at each start.
pub const RESTORED: [Table; 10] = [
    CREDENTIALS,
    SESSIONS,
    COUNTERS,
    UPDATES,
    OBSERVATIONS,
    REGISTRATIONS,
    COMMANDS,
    GENERATION,
    EVENTS,
    DEPARTED,
];

/// The name of a table for people.
#[must_use]
pub fn name(table: Table) -> Option<&'static str> {
    TABLES.iter().find(|(it, _)| *it == table).map(|(_, name)| *name)
}

/// What a key has after the endpoint name, which may have any other byte.
const SEPARATOR: u8 = 0xff;

/// The key of something that belongs to a device. No endpoint name has the byte between both parts,
/// because it is UTF-8.
pub(crate) fn key_of(endpoint: &str, rest: &str) -> Bytes {
    [endpoint.as_bytes(), &[SEPARATOR], rest.as_bytes()].concat().into()
}

/// The parts of such a key.
pub(crate) fn parts(key: &[u8]) -> Option<(&str, &str)> {
    let (endpoint, rest) = key.split_at_checked(key.iter().position(|byte| *byte == SEPARATOR)?)?;
    let text = |bytes| std::str::from_utf8(bytes).ok();
    Some((text(endpoint)?, text(rest.get(1..)?)?))
}

/// The beginning of the keys of what belongs to a device.
#[must_use]
pub fn prefix(endpoint: &str) -> Bytes {
    key_of(endpoint, "")
}

/// A record with this value.
pub(crate) fn put(table: Table, key: Bytes, value: &impl Encode<()>) -> Record {
    Record { table, key, value: Some(encode(value)) }
}

/// The end of a record.
pub(crate) const fn remove(table: Table, key: Bytes) -> Record {
    Record { table, key, value: None }
}

fn encode(value: &impl Encode<()>) -> Bytes {
    // A vector takes everything, and no value here refuses to be encoded.
    minicbor::to_vec(value).unwrap_or_default().into()
}

/// Decodes what fills `bytes`; `None` for anything else.
pub(crate) fn decode<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Option<T> {
    let mut decoder = minicbor::Decoder::new(bytes);
    let value = decoder.decode().ok()?;
    (decoder.position() == bytes.len()).then_some(value)
}
