//! Extensions of the two hellos: RFC 6066, 7250, 7366, 7627, 8422, 8449, 9146, 9853, 5077, 5746.

use crate::wire::{
    Parsed, complete, numbers, put_u16, put_vector8, put_vector16, vector8, vector16,
};
use alloc::string::String;
use alloc::vec::Vec;
use nom::Parser;
use nom::multi::many0;
use nom::number::complete::{be_u8, be_u16};
use nom::sequence::preceded;

const SERVER_NAME: u16 = 0;
const MAX_FRAGMENT_LENGTH: u16 = 1;
const SUPPORTED_GROUPS: u16 = 10;
const EC_POINT_FORMATS: u16 = 11;
const SIGNATURE_ALGORITHMS: u16 = 13;
const APPLICATION_PROTOCOLS: u16 = 16;
const CLIENT_CERTIFICATE_TYPE: u16 = 19;
const SERVER_CERTIFICATE_TYPE: u16 = 20;
const ENCRYPT_THEN_MAC: u16 = 22;
const EXTENDED_MASTER_SECRET: u16 = 23;
const RECORD_SIZE_LIMIT: u16 = 28;
const SESSION_TICKET: u16 = 35;
const SUPPORTED_VERSIONS: u16 = 43;
const CONNECTION_ID: u16 = 54;
const RETURN_ROUTABILITY_CHECK: u16 = 61;
const RENEGOTIATION_INFO: u16 = 0xff01;

/// The longest host name in bytes: RFC 1035 section 2.3.4.
const MAX_NAME: usize = 255;

/// The version number of TLS 1.3.
#[cfg(feature = "tls13")]
pub(crate) const TLS_1_3: u16 = 0x0304;
/// The group secp256r1.
pub(crate) const SECP256R1: u16 = 23;
/// The signature algorithm ecdsa_secp256r1_sha256.
pub(crate) const ECDSA_SECP256R1_SHA256: u16 = 0x0403;
/// The certificate type X.509.
pub(crate) const X509: u8 = 0;
/// The certificate type RawPublicKey.
pub(crate) const RAW_PUBLIC_KEY: u8 = 2;

/// The hello of the extensions. Some are a list in the client's and a choice in the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hello {
    Client,
    Server,
}

/// The known extensions of a hello.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Extensions {
    /// The name; in a ServerHello it is empty and means that the name was used.
    pub(crate) server_name: Option<String>,
    pub(crate) max_fragment_length: Option<u8>,
    pub(crate) groups: Option<Vec<u16>>,
    pub(crate) uncompressed_points: bool,
    pub(crate) signature_algorithms: Option<Vec<u16>>,
    /// The client's protocols in its order, or the server's choice.
    pub(crate) application_protocols: Vec<Vec<u8>>,
    pub(crate) client_certificate_types: Vec<u8>,
    pub(crate) server_certificate_types: Vec<u8>,
    /// The versions that a client lists: RFC 8446 section 4.2.1.
    pub(crate) versions: Vec<u16>,
    pub(crate) encrypt_then_mac: bool,
    pub(crate) extended_master_secret: bool,
    pub(crate) record_size_limit: Option<u16>,
    pub(crate) session_ticket: Option<Vec<u8>>,
    pub(crate) connection_id: Option<Vec<u8>>,
    pub(crate) return_routability_check: bool,
    /// Present, and empty as it must be in a first handshake.
    pub(crate) renegotiation_info: bool,
    /// There is an unknown extension.
    pub(crate) unknown: bool,
}

impl Extensions {
    /// Whether a server's extensions answer only what the client offered: RFC 5246 section 7.4.1.4.
    pub(crate) fn within(&self, offered: &Self) -> bool {
        let absent_or = |answered: bool, offered: bool| !answered || offered;
        !self.unknown
            && absent_or(self.server_name.is_some(), offered.server_name.is_some())
            && absent_or(self.max_fragment_length.is_some(), offered.max_fragment_length.is_some())
            && absent_or(self.encrypt_then_mac, offered.encrypt_then_mac)
            && absent_or(self.extended_master_secret, offered.extended_master_secret)
            && absent_or(self.record_size_limit.is_some(), offered.record_size_limit.is_some())
            && absent_or(self.session_ticket.is_some(), offered.session_ticket.is_some())
            && absent_or(self.connection_id.is_some(), offered.connection_id.is_some())
            && absent_or(self.return_routability_check, offered.return_routability_check)
            && absent_or(self.uncompressed_points, offered.groups.is_some())
            && chosen_of(&self.application_protocols, &offered.application_protocols)
            && chosen_of(&self.client_certificate_types, &offered.client_certificate_types)
            && chosen_of(&self.server_certificate_types, &offered.server_certificate_types)
            && self.signature_algorithms.is_none()
    }

    /// Appends the block of extensions with its length, unless it is empty.
    pub(crate) fn encode(&self, hello: Hello, out: &mut Vec<u8>) {
        let mut block = Vec::new();
        self.encode_flags(&mut block);
        if let Some(name) = &self.server_name {
            put_extension(&mut block, SERVER_NAME, &server_name(hello, name));
        }
        if let Some(code) = self.max_fragment_length {
            put_extension(&mut block, MAX_FRAGMENT_LENGTH, &[code]);
        }
        if let Some(limit) = self.record_size_limit {
            put_extension(&mut block, RECORD_SIZE_LIMIT, &limit.to_be_bytes());
        }
        if let Some(groups) = &self.groups {
            put_extension(&mut block, SUPPORTED_GROUPS, &number_list(groups));
        }
        if let Some(algorithms) = &self.signature_algorithms {
            put_extension(&mut block, SIGNATURE_ALGORITHMS, &number_list(algorithms));
        }
        if !self.application_protocols.is_empty() {
            put_extension(&mut block, APPLICATION_PROTOCOLS, &names(&self.application_protocols));
        }
        put_types(&mut block, CLIENT_CERTIFICATE_TYPE, hello, &self.client_certificate_types);
        put_types(&mut block, SERVER_CERTIFICATE_TYPE, hello, &self.server_certificate_types);
        if let Some(ticket) = &self.session_ticket {
            put_extension(&mut block, SESSION_TICKET, ticket);
        }
        if let Some(cid) = &self.connection_id {
            let mut body = Vec::new();
            put_vector8(&mut body, cid);
            put_extension(&mut block, CONNECTION_ID, &body);
        }
        if !block.is_empty() {
            put_vector16(out, &block);
        }
    }

    fn encode_flags(&self, block: &mut Vec<u8>) {
        if self.renegotiation_info {
            put_extension(block, RENEGOTIATION_INFO, &[0]);
        }
        if self.extended_master_secret {
            put_extension(block, EXTENDED_MASTER_SECRET, &[]);
        }
        if self.encrypt_then_mac {
            put_extension(block, ENCRYPT_THEN_MAC, &[]);
        }
        if self.return_routability_check {
            put_extension(block, RETURN_ROUTABILITY_CHECK, &[]);
        }
        if self.uncompressed_points {
            put_extension(block, EC_POINT_FORMATS, &[1, 0]);
        }
    }

    /// Decodes the rest of a hello after the compression method.
    pub(crate) fn decode(hello: Hello, input: &[u8]) -> Option<Self> {
        let mut extensions = Self::default();
        if input.is_empty() {
            return Some(extensions);
        }
        let mut block = complete(vector16, input)?;
        let mut seen = Vec::new();
        while !block.is_empty() {
            let (rest, (kind, body)) = extension(block).ok()?;
            if seen.contains(&kind) || seen.len() > 64 {
                return None;
            }
            seen.push(kind);
            extensions.set(hello, kind, body)?;
            block = rest;
        }
        Some(extensions)
    }

    fn set(&mut self, hello: Hello, kind: u16, body: &[u8]) -> Option<()> {
        match kind {
            SERVER_NAME => self.server_name = parse_server_name(hello, body)?,
            MAX_FRAGMENT_LENGTH => self.max_fragment_length = Some(complete(be_u8, body)?),
            RECORD_SIZE_LIMIT => self.record_size_limit = Some(complete(be_u16, body)?),
            SUPPORTED_GROUPS => self.groups = Some(numbers(complete(vector16, body)?)?),
            EC_POINT_FORMATS => self.uncompressed_points = complete(vector8, body)?.contains(&0),
            SIGNATURE_ALGORITHMS => {
                self.signature_algorithms = Some(numbers(complete(vector16, body)?)?);
            }
            APPLICATION_PROTOCOLS => {
                let list = complete(many0(vector8), complete(vector16, body)?)?;
                self.application_protocols = list.into_iter().map(<[u8]>::to_vec).collect();
            }
            CLIENT_CERTIFICATE_TYPE => self.client_certificate_types = types(hello, body)?,
            SERVER_CERTIFICATE_TYPE => self.server_certificate_types = types(hello, body)?,
            SUPPORTED_VERSIONS if hello == Hello::Client => {
                self.versions = numbers(complete(vector8, body)?)?;
            }
            ENCRYPT_THEN_MAC => self.encrypt_then_mac = empty(body)?,
            EXTENDED_MASTER_SECRET => self.extended_master_secret = empty(body)?,
            SESSION_TICKET => self.session_ticket = Some(body.to_vec()),
            CONNECTION_ID => self.connection_id = Some(complete(vector8, body)?.to_vec()),
            RETURN_ROUTABILITY_CHECK => self.return_routability_check = empty(body)?,
            RENEGOTIATION_INFO => {
                self.renegotiation_info = empty(complete(vector8, body)?)?;
            }
            _ => self.unknown = true,
        }
        Some(())
    }
}

fn chosen_of<T: PartialEq>(answered: &[T], offered: &[T]) -> bool {
    answered.iter().all(|choice| offered.contains(choice))
}

fn extension(input: &[u8]) -> Parsed<'_, (u16, &[u8])> {
    (be_u16, vector16).parse(input)
}

fn empty(body: &[u8]) -> Option<bool> {
    body.is_empty().then_some(true)
}

fn types(hello: Hello, body: &[u8]) -> Option<Vec<u8>> {
    match hello {
        Hello::Client => complete(vector8, body).map(<[u8]>::to_vec),
        Hello::Server => complete(be_u8, body).map(|kind| alloc::vec![kind]),
    }
}

fn put_types(block: &mut Vec<u8>, extension: u16, hello: Hello, types: &[u8]) {
    if types.is_empty() {
        return;
    }
    let mut body = Vec::new();
    match hello {
        Hello::Client => put_vector8(&mut body, types),
        Hello::Server => body.extend(types.first()),
    }
    put_extension(block, extension, &body);
}

fn put_extension(block: &mut Vec<u8>, kind: u16, body: &[u8]) {
    put_u16(block, kind);
    put_vector16(block, body);
}

fn names(names: &[Vec<u8>]) -> Vec<u8> {
    let mut list = Vec::new();
    names.iter().for_each(|name| put_vector8(&mut list, name));
    let mut body = Vec::new();
    put_vector16(&mut body, &list);
    body
}

fn number_list(numbers: &[u16]) -> Vec<u8> {
    let mut list = Vec::new();
    numbers.iter().for_each(|&number| put_u16(&mut list, number));
    let mut body = Vec::new();
    put_vector16(&mut body, &list);
    body
}

fn server_name(hello: Hello, name: &str) -> Vec<u8> {
    let mut body = Vec::new();
    if hello == Hello::Client {
        let mut entry = alloc::vec![0];
        put_vector16(&mut entry, name.as_bytes());
        put_vector16(&mut body, &entry);
    }
    body
}

/// Parses the first host name of a client's list; ignores a name that is too long or not UTF-8.
fn parse_server_name(hello: Hello, body: &[u8]) -> Option<Option<String>> {
    if hello == Hello::Server {
        return empty(body).map(|_| Some(String::new()));
    }
    let list = complete(vector16, body)?;
    let (_, name) = preceded(nom::bytes::complete::tag(&[0u8][..]), vector16)
        .parse(list)
        .map_err(|_: nom::Err<()>| ())
        .ok()?;
    let name = core::str::from_utf8(name).ok().filter(|name| name.len() <= MAX_NAME);
    Some(name.map(str::to_ascii_lowercase))
}
