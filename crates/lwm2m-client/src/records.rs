//! What a client keeps: the records of its journal, in CBOR.
//!
//! Each record is a map of numbered fields. A field may be added, and older records lack it; a number
//! is never used for another meaning.

use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;
use lwm2m_coap::{Code, OptionNumber, Request};
use lwm2m_core::Path;
use lwm2m_link::{Record, Table};
use minicbor::bytes::ByteVec;
use minicbor::{Decode, Encode};

/// Object instances that servers made, wrote to or deleted; accounts and their keys after a bootstrap.
pub const INSTANCES: Table = Table(0);
/// Attributes that servers have set.
pub const ATTRIBUTES: Table = Table(1);
/// The keys of sessions with servers, sealed.
pub const SESSIONS: Table = Table(2);
/// How far the record numbers of sessions have come.
pub const COUNTERS: Table = Table(3);
/// Registrations with servers.
pub const REGISTRATIONS: Table = Table(4);
/// What servers observe.
pub const OBSERVATIONS: Table = Table(5);

/// Above the sequence numbers of notifications of an observation, if there were many.
pub const SEQUENCES: Table = Table(6);

/// All tables with names for people.
pub const TABLES: [(Table, &str); 7] = [
    (INSTANCES, "object instances"),
    (ATTRIBUTES, "attributes"),
    (SESSIONS, "sessions"),
    (COUNTERS, "session counters"),
    (REGISTRATIONS, "registrations"),
    (OBSERVATIONS, "observations"),
    (SEQUENCES, "sequence numbers"),
];

/// The name of a table for people.
#[must_use]
pub fn name(table: Table) -> Option<&'static str> {
    TABLES.iter().find(|(it, _)| *it == table).map(|(_, name)| *name)
}

/// What servers have done to an object instance. Its key has the ids.
#[derive(Encode, Decode, Default, Clone)]
#[cbor(map)]
pub(crate) struct KeptInstance {
    /// Whether it was deleted.
    #[n(0)]
    pub(crate) deleted: bool,
    /// Whether it was made; otherwise the device has it from its maker.
    #[n(1)]
    pub(crate) made: bool,
    /// The values of the resources that were written, in SenML CBOR.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub(crate) values: Vec<u8>,
    /// The resources that were removed.
    #[n(3)]
    pub(crate) absent: Vec<u16>,
}

/// A registration. Its key is the short server id.
#[derive(Encode, Decode)]
#[cbor(map)]
pub(crate) struct KeptRegistration {
    #[n(0)]
    pub(crate) endpoint: String,
    #[n(1)]
    pub(crate) uri: String,
    #[n(2)]
    pub(crate) address: Option<String>,
    #[n(3)]
    pub(crate) location: Vec<String>,
    #[n(4)]
    pub(crate) version: String,
    #[n(5)]
    pub(crate) lifetime: u32,
    #[n(6)]
    pub(crate) binding: String,
    #[n(7)]
    pub(crate) links: String,
    /// Microseconds.
    #[n(8)]
    pub(crate) renewed_at: u64,
}

/// An observation: the request that began it. Its key has the short server id and the token.
#[derive(Encode, Decode)]
#[cbor(map)]
pub(crate) struct KeptObservation {
    #[n(0)]
    code: u8,
    #[n(1)]
    options: Vec<(u16, ByteVec)>,
    #[cbor(n(2), with = "minicbor::bytes")]
    payload: Vec<u8>,
}

impl KeptObservation {
    pub(crate) fn of(request: &Request) -> Self {
        let option = |(number, value): (OptionNumber, &[u8])| (number.0, value.to_vec().into());
        Self {
            code: request.code.into(),
            options: request.options.iter().map(option).collect(),
            payload: request.payload.to_vec(),
        }
    }

    pub(crate) fn request(self) -> Request {
        let mut request = Request::new(Code::from(self.code)).payload(self.payload);
        for (number, value) in self.options {
            request.options.push(OptionNumber(number), &value);
        }
        request
    }
}

/// The key of an object instance.
pub(crate) fn instance_key((object, instance): (u16, u16)) -> Bytes {
    [object.to_be_bytes(), instance.to_be_bytes()].concat().into()
}

/// The ids of such a key.
pub(crate) fn instance_of(key: &[u8]) -> Option<(u16, u16)> {
    let (object, rest) = id_and_rest(key)?;
    let (instance, rest) = id_and_rest(rest)?;
    rest.is_empty().then_some((object, instance))
}

/// The key of something that belongs to a server.
pub(crate) fn server_key(server: u16, rest: &[u8]) -> Bytes {
    [&server.to_be_bytes(), rest].concat().into()
}

/// The short server id at the beginning of a key, and what follows.
pub(crate) fn id_and_rest(key: &[u8]) -> Option<(u16, &[u8])> {
    let (id, rest) = key.split_first_chunk()?;
    Some((u16::from_be_bytes(*id), rest))
}

/// The key of the attributes that a server has set at a path.
pub(crate) fn attributes_key(server: u16, path: &Path) -> Bytes {
    server_key(server, alloc::format!("{path}").as_bytes())
}

/// A record with this value.
pub(crate) fn put(table: Table, key: Bytes, value: &impl Encode<()>) -> Record {
    // A vector takes everything, and no value here refuses to be encoded.
    let value = minicbor::to_vec(value).unwrap_or_default();
    Record { table, key, value: Some(value.into()) }
}

/// The end of a record.
pub(crate) const fn remove(table: Table, key: Bytes) -> Record {
    Record { table, key, value: None }
}

/// Decodes what fills `bytes`; `None` for anything else.
pub(crate) fn decode<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Option<T> {
    let mut decoder = minicbor::Decoder::new(bytes);
    let value = decoder.decode().ok()?;
    (decoder.position() == bytes.len()).then_some(value)
}
