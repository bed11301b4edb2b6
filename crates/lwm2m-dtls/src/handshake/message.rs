//! Handshake messages: RFC 5246 section 7.4, RFC 6347 section 4.2, RFC 4279, RFC 8422.

use super::extension::{Extensions, Hello, SECP256R1};
use super::framing::{Framing, MessageType};
use crate::crypto::provider::Point;
use crate::suite::CipherSuite;
use crate::wire::{
    Parsed, array, complete, numbers, put_u16, put_vector8, put_vector16, put_vector24, vector8,
    vector16, vector24,
};
use alloc::vec::Vec;
use nom::Parser;
use nom::combinator::cond;
use nom::multi::many0;
use nom::number::complete::{be_u8, be_u16, be_u24, be_u32};

/// The type and body of a message on a stream, and the rest of the input.
type OnStream<'a> = (MessageType, &'a [u8], &'a [u8]);

/// Parses the next message in the records of a stream: RFC 5246 section 7.4. `None` if it is
/// incomplete; an error if its body is longer than `limit` bytes.
pub(crate) fn parse_on_stream(input: &[u8], limit: usize) -> Result<Option<OnStream<'_>>, ()> {
    let Ok((rest, (kind, length))) = (be_u8::<_, ()>, be_u24).parse(input) else {
        return Ok(None);
    };
    let length = length as usize;
    if length > limit {
        return Err(());
    }
    Ok(rest.split_at_checked(length).map(|(body, after)| (MessageType(kind), body, after)))
}

/// ClientHello: RFC 5246 section 7.4.1.2, RFC 6347 section 4.2.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientHello {
    pub(crate) version: u16,
    pub(crate) random: [u8; 32],
    pub(crate) session_id: Vec<u8>,
    pub(crate) cookie: Vec<u8>,
    pub(crate) suites: Vec<CipherSuite>,
    pub(crate) null_compression: bool,
    pub(crate) extensions: Extensions,
}

/// The cookie of a hello, and the version, random value and session id before it, which it covers.
/// What comes after the cookie may be in other fragments.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CookieParts<'a> {
    pub(crate) before: &'a [u8],
    pub(crate) cookie: &'a [u8],
}

impl ClientHello {
    pub(crate) fn encode(&self, framing: Framing) -> Vec<u8> {
        let mut out = Vec::with_capacity(192);
        put_u16(&mut out, self.version);
        out.extend_from_slice(&self.random);
        put_vector8(&mut out, &self.session_id);
        if framing == Framing::Datagram {
            put_vector8(&mut out, &self.cookie);
        }
        let mut suites = Vec::new();
        self.suites.iter().for_each(|suite| put_u16(&mut suites, suite.0));
        put_vector16(&mut out, &suites);
        put_vector8(&mut out, &[0]);
        self.extensions.encode(Hello::Client, &mut out);
        out
    }

    pub(crate) fn decode(framing: Framing, body: &[u8]) -> Option<Self> {
        let cookie = cond(framing == Framing::Datagram, vector8);
        let head = (be_u16, array, vector8, cookie, vector16, vector8);
        let (rest, head) = { head }.parse(body).map_err(|_: nom::Err<()>| ()).ok()?;
        let (version, random, session_id, cookie, suites, compression) = head;
        Some(Self {
            version,
            random,
            session_id: (session_id.len() <= 32).then(|| session_id.to_vec())?,
            cookie: cookie.unwrap_or_default().to_vec(),
            suites: numbers(suites)?.into_iter().map(CipherSuite).collect(),
            null_compression: compression.contains(&0),
            extensions: Extensions::decode(Hello::Client, rest)?,
        })
    }

    /// Reads a hello up to its cookie; the rest may be missing.
    pub(crate) fn cookie_parts(body: &[u8]) -> Option<CookieParts<'_>> {
        let head = (be_u16, array::<32>, vector8);
        let (rest, _) = { head }.parse(body).map_err(|_: nom::Err<()>| ()).ok()?;
        let before = body.get(..body.len() - rest.len())?;
        let (_, cookie) = vector8(rest).ok()?;
        Some(CookieParts { before, cookie })
    }
}

/// Encodes a HelloVerifyRequest.
pub(crate) fn hello_verify_request(cookie: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    // RFC 6347 section 4.2.1: always the version of DTLS 1.0.
    put_u16(&mut out, crate::record::header::VERSION_1_0);
    put_vector8(&mut out, cookie);
    out
}

/// Decodes the cookie of a HelloVerifyRequest.
pub(crate) fn decode_hello_verify_request(body: &[u8]) -> Option<Vec<u8>> {
    complete((be_u16, vector8), body).map(|(_, cookie)| cookie.to_vec())
}

/// ServerHello: RFC 5246 section 7.4.1.3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerHello {
    pub(crate) version: u16,
    pub(crate) random: [u8; 32],
    pub(crate) session_id: Vec<u8>,
    pub(crate) suite: CipherSuite,
    pub(crate) extensions: Extensions,
}

impl ServerHello {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        put_u16(&mut out, self.version);
        out.extend_from_slice(&self.random);
        put_vector8(&mut out, &self.session_id);
        put_u16(&mut out, self.suite.0);
        out.push(0);
        self.extensions.encode(Hello::Server, &mut out);
        out
    }

    pub(crate) fn decode(body: &[u8]) -> Option<Self> {
        let head = (be_u16, array, vector8, be_u16, be_u8);
        let (rest, head) = { head }.parse(body).map_err(|_: nom::Err<()>| ()).ok()?;
        let (version, random, session_id, suite, compression) = head;
        (compression == 0 && session_id.len() <= 32).then_some(())?;
        Some(Self {
            version,
            random,
            session_id: session_id.to_vec(),
            suite: CipherSuite(suite),
            extensions: Extensions::decode(Hello::Server, rest)?,
        })
    }
}

/// Encodes a Certificate message of X.509: the chain, leaf first.
pub(crate) fn certificate_chain<T: AsRef<[u8]>>(chain: &[T]) -> Vec<u8> {
    let mut list = Vec::new();
    chain.iter().for_each(|certificate| put_vector24(&mut list, certificate.as_ref()));
    raw_public_key(&list)
}

/// Encodes a Certificate message of a raw public key: RFC 7250 section 3.
pub(crate) fn raw_public_key(spki: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_vector24(&mut out, spki);
    out
}

/// Decodes the chain of a Certificate message of X.509.
pub(crate) fn decode_certificate_chain(body: &[u8]) -> Option<Vec<&[u8]>> {
    complete(many0(vector24), complete(vector24, body)?)
}

/// Decodes the key of a Certificate message of a raw public key.
pub(crate) fn decode_raw_public_key(body: &[u8]) -> Option<&[u8]> {
    complete(vector24, body)
}

/// The ECCurveType named_curve: RFC 8422 section 5.4.
const NAMED_CURVE: u8 = 3;

/// Encodes the ECDHE parameters of a ServerKeyExchange, which are signed.
pub(crate) fn ecdh_parameters(point: &Point) -> Vec<u8> {
    let mut out = alloc::vec![NAMED_CURVE];
    put_u16(&mut out, SECP256R1);
    put_vector8(&mut out, point);
    out
}

/// The ECDHE parameters of a ServerKeyExchange.
pub(crate) struct EcdhParameters<'a> {
    pub(crate) curve: (u8, u16),
    pub(crate) point: &'a [u8],
}

impl EcdhParameters<'_> {
    pub(crate) fn is_secp256r1(&self) -> bool {
        self.curve == (NAMED_CURVE, SECP256R1)
    }
}

/// Decodes ECDHE parameters.
pub(crate) fn decode_ecdh_parameters(input: &[u8]) -> Parsed<'_, EcdhParameters<'_>> {
    let (rest, (kind, curve, point)) = (be_u8, be_u16, vector8).parse(input)?;
    Ok((rest, EcdhParameters { curve: (kind, curve), point }))
}

/// Encodes a signature with its algorithm: a CertificateVerify, and the end of a ServerKeyExchange.
pub(crate) fn signature(algorithm: u16, signature: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_u16(&mut out, algorithm);
    put_vector16(&mut out, signature);
    out
}

/// Decodes the algorithm and the signature.
pub(crate) fn decode_signature(input: &[u8]) -> Option<(u16, &[u8])> {
    complete((be_u16, vector16), input)
}

/// The ClientCertificateType ecdsa_sign: RFC 8422 section 5.5.
const ECDSA_SIGN: u8 = 64;

/// Encodes a CertificateRequest for ECDSA that names no authorities.
pub(crate) fn certificate_request(algorithm: u16) -> Vec<u8> {
    let mut out = alloc::vec![1, ECDSA_SIGN];
    put_vector16(&mut out, &algorithm.to_be_bytes());
    put_vector16(&mut out, &[]);
    out
}

/// Whether a CertificateRequest accepts ECDSA keys and the algorithm; `None` if it is malformed.
pub(crate) fn decode_certificate_request(body: &[u8], algorithm: u16) -> Option<bool> {
    let (types, algorithms, _authorities) = complete((vector8, vector16, vector16), body)?;
    Some(types.contains(&ECDSA_SIGN) && numbers(algorithms)?.contains(&algorithm))
}

/// Encodes a NewSessionTicket: RFC 5077 section 3.3. The lifetime is in seconds.
pub(crate) fn new_session_ticket(lifetime: u32, ticket: &[u8]) -> Vec<u8> {
    let mut out = lifetime.to_be_bytes().to_vec();
    put_vector16(&mut out, ticket);
    out
}

/// Decodes the lifetime in seconds and the ticket.
pub(crate) fn decode_new_session_ticket(body: &[u8]) -> Option<(u32, &[u8])> {
    complete((be_u32, vector16), body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_on_a_stream_is_as_long_as_the_limit_at_most() {
        let finished = |length: usize| {
            let mut message = alloc::vec![20];
            crate::wire::put_u24(&mut message, length);
            message.extend(alloc::vec![7; length]);
            message
        };
        let lengths = |input: &[u8]| {
            let parsed = parse_on_stream(input, 100)?;
            Ok::<_, ()>(parsed.map(|(_, body, rest)| (body.len(), rest.len())))
        };
        assert_eq!(lengths(&finished(100)), Ok(Some((100, 0))));
        assert_eq!(lengths(&[finished(7), finished(8)].concat()), Ok(Some((7, 12))));
        assert_eq!(lengths(&finished(100)[..103]), Ok(None));
        assert_eq!(lengths(&finished(7)[..3]), Ok(None));
        for length in [101, 102, 1_000] {
            assert_eq!(lengths(&finished(length)[..4]), Err(()), "before it has come");
        }
    }

    #[test]
    fn a_request_for_a_certificate_has_to_take_ours() {
        let request = |types: &[u8], algorithms: &[u8]| {
            let mut body = Vec::new();
            put_vector8(&mut body, types);
            put_vector16(&mut body, algorithms);
            put_vector16(&mut body, &[]);
            decode_certificate_request(&body, 0x0403)
        };
        assert_eq!(request(&[1, 64], &[4, 1, 4, 3]), Some(true));
        assert_eq!(request(&[1], &[4, 3]), Some(false));
        assert_eq!(request(&[64], &[4, 1]), Some(false));
        assert_eq!(request(&[1], &[4, 1]), Some(false));
        assert_eq!(request(&[64], &[4]), None);
    }
}
