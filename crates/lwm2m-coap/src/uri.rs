//! URIs: `coap` and `coaps` (RFC 7252 section 6), `coap+tcp` and `coaps+tcp` (RFC 8323 section 8).
//!
//! Host names are not resolved.

use crate::message::{OptionNumber, Options};
use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The longest accepted URI, in bytes. This is the limit of the LwM2M Server URI resource.
pub const MAX_LENGTH: usize = 255;

/// The scheme of a URI: its transport and security.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Scheme {
    /// CoAP over UDP, default port 5683.
    Coap,
    /// CoAP over DTLS, default port 5684.
    Coaps,
    /// CoAP over TCP, default port 5683.
    CoapTcp,
    /// CoAP over TLS, default port 5684.
    CoapsTcp,
}

impl Scheme {
    /// The scheme as it is written before `://`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Coap => "coap",
            Self::Coaps => "coaps",
            Self::CoapTcp => "coap+tcp",
            Self::CoapsTcp => "coaps+tcp",
        }
    }

    /// Whether messages travel on a connection instead of datagrams.
    #[must_use]
    pub const fn is_connection(self) -> bool {
        matches!(self, Self::CoapTcp | Self::CoapsTcp)
    }

    /// Whether messages are secured by DTLS or TLS.
    #[must_use]
    pub const fn is_secured(self) -> bool {
        matches!(self, Self::Coaps | Self::CoapsTcp)
    }

    /// The port of a URI without a port.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Coap | Self::CoapTcp => 5_683,
            Self::Coaps | Self::CoapsTcp => 5_684,
        }
    }
}

/// The host of a URI.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Host<'a> {
    /// An address literal.
    Address(IpAddr),
    /// An IPv6 address with a zone, `fe80::1%25eth0` (RFC 6874). The caller finds the interface.
    Zoned(Ipv6Addr, &'a str),
    /// A name that the caller resolves. Percent-encoding is kept.
    Name(&'a str),
}

impl fmt::Display for Host<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Zoned(address, zone) => write!(f, "{address}%{zone}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// The parts of a URI, borrowed from its text.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Uri<'a> {
    /// The scheme.
    pub scheme: Scheme,
    /// The host.
    pub host: Host<'a>,
    /// The port of the URI, or the default port of the scheme.
    pub port: u16,
    /// The path with its leading slash, or an empty text.
    pub path: &'a str,
    /// The query without the question mark.
    pub query: Option<&'a str>,
}

/// Why a text is not a CoAP URI.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UriError {
    /// The text has more than [`MAX_LENGTH`] bytes.
    #[error("the URI is longer than 255 bytes")]
    TooLong,
    /// The scheme is unknown.
    #[error("the URI does not begin with coap://, coaps://, coap+tcp:// or coaps+tcp://")]
    Scheme,
    /// The host is missing or malformed, or there is user information.
    #[error("the URI has no valid host")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("the port of the URI is not a number from 1 to 65535")]
    Port,
    /// The URI has a fragment, which CoAP does not allow.
    #[error("a CoAP URI cannot have a fragment")]
    Fragment,
    /// A percent sign is not followed by two hexadecimal digits.
    #[error("the URI has a percent sign without two hexadecimal digits")]
    Encoding,
}

impl<'a> Uri<'a> {
    /// Parses an absolute URI (RFC 7252 section 6.4).
    ///
    /// # Errors
    /// As [`UriError`] tells.
    pub fn parse(uri: &'a str) -> Result<Self, UriError> {
        if uri.len() > MAX_LENGTH {
            return Err(UriError::TooLong);
        }
        let (scheme, rest) = scheme(uri)?;
        if rest.contains('#') {
            return Err(UriError::Fragment);
        }
        let authority_end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(authority_end);
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (rest, None),
        };
        let (host, port) = host_and_port(authority)?;
        let port = match port {
            None | Some("") => scheme.default_port(),
            Some(port) => number(port)?,
        };
        let uri = Self { scheme, host, port, path, query };
        uri.segments().chain(uri.parameters()).try_for_each(|part| decode(part).map(|_| ()))?;
        Ok(uri)
    }

    /// Adds the Uri-Path and Uri-Query options of the URI (RFC 7252 section 6.4). Resolves the segments
    /// `.` and `..`, which no Uri-Path may be (RFC 7252 section 5.10.1). Leaves Uri-Port out: the port is
    /// that of the peer. See also [`push_host`](Self::push_host).
    pub fn push_options(&self, options: &mut Options) {
        for segment in self.plain_segments() {
            options.push(OptionNumber::URI_PATH, &segment);
        }
        for parameter in self.parameters() {
            options.push(OptionNumber::URI_QUERY, &decode(parameter).unwrap_or_default());
        }
    }

    /// Adds the Uri-Host option, if the host is a name (RFC 7252 section 6.4, step 5). Address literals are
    /// those of the peer.
    pub fn push_host(&self, options: &mut Options) {
        if let Host::Name(name) = self.host {
            let name = decode(name).unwrap_or_default();
            options.remove(OptionNumber::URI_HOST);
            options.push(OptionNumber::URI_HOST, &name.to_ascii_lowercase());
        }
    }

    /// The decoded segments of the path without `.` and `..` (RFC 3986 section 5.2.4).
    fn plain_segments(&self) -> Vec<Cow<'a, [u8]>> {
        let mut plain = Vec::new();
        let mut segments = self.segments().peekable();
        while let Some(segment) = segments.next() {
            let segment = decode(segment).unwrap_or_default();
            let dots = matches!(&*segment, b"." | b"..");
            if *segment == *b".." {
                plain.pop();
            }
            // A path that ends in dots ends in a slash.
            match dots {
                false => plain.push(segment),
                true if segments.peek().is_none() && !plain.is_empty() => {
                    plain.push(Cow::Borrowed(b""));
                }
                true => {}
            }
        }
        plain
    }

    /// The percent-encoded segments of the path. An empty path and `/` have none.
    fn segments(&self) -> impl Iterator<Item = &'a str> {
        let path = self.path.strip_prefix('/').filter(|path| !path.is_empty());
        path.into_iter().flat_map(|path| path.split('/'))
    }

    fn parameters(&self) -> impl Iterator<Item = &'a str> {
        self.query.into_iter().flat_map(|query| query.split('&'))
    }
}

fn scheme(uri: &str) -> Result<(Scheme, &str), UriError> {
    let (name, rest) = uri.split_once("://").ok_or(UriError::Scheme)?;
    let schemes = [Scheme::Coap, Scheme::Coaps, Scheme::CoapTcp, Scheme::CoapsTcp];
    let known = schemes.into_iter().find(|scheme| name.eq_ignore_ascii_case(scheme.name()));
    known.map(|scheme| (scheme, rest)).ok_or(UriError::Scheme)
}

fn host_and_port(authority: &str) -> Result<(Host<'_>, Option<&str>), UriError> {
    if let Some(literal) = authority.strip_prefix('[') {
        let (address, rest) = literal.split_once(']').ok_or(UriError::Host)?;
        let (address, zone) = match address.split_once('%') {
            // RFC 6874 encodes the percent sign; addresses outside of URIs do not (RFC 4007).
            Some((address, zone)) => (address, Some(zone.strip_prefix("25").unwrap_or(zone))),
            None => (address, None),
        };
        let address: Ipv6Addr = address.parse().map_err(|_| UriError::Host)?;
        let host = match zone {
            None => Host::Address(address.into()),
            Some(zone) if is_zone(zone) => Host::Zoned(address, zone),
            Some(_) => return Err(UriError::Host),
        };
        let port = match rest {
            "" => None,
            _ => Some(rest.strip_prefix(':').ok_or(UriError::Host)?),
        };
        return Ok((host, port));
    }
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(&byte);
    if host.is_empty() || !host.bytes().all(is_name) {
        return Err(UriError::Host);
    }
    let host = match host.parse::<Ipv4Addr>() {
        Ok(address) => Host::Address(address.into()),
        Err(_) => Host::Name(host),
    };
    Ok((host, port))
}

/// Whether a text is a zone: the name of an interface or its number.
fn is_zone(zone: &str) -> bool {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    !zone.is_empty() && zone.bytes().all(is_unreserved)
}

fn number(port: &str) -> Result<u16, UriError> {
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse() {
        Ok(port) if digits && port > 0 => Ok(port),
        _ => Err(UriError::Port),
    }
}

fn decode(part: &str) -> Result<Cow<'_, [u8]>, UriError> {
    if !part.contains('%') {
        return Ok(Cow::Borrowed(part.as_bytes()));
    }
    let mut bytes = part.bytes();
    let mut decoded = Vec::with_capacity(part.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let (high, low) = (digit(bytes.next()), digit(bytes.next()));
        let (Some(high), Some(low)) = (high, low) else { return Err(UriError::Encoding) };
        decoded.push((high << 4 | low) as u8);
    }
    Ok(Cow::Owned(decoded))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn ports_default_to_those_of_the_scheme() {
        for (uri, scheme, host, port) in [
            ("coap://h", Scheme::Coap, Host::Name("h"), 5_683),
            ("COAPS://h/", Scheme::Coaps, Host::Name("h"), 5_684),
            ("coap+tcp://h", Scheme::CoapTcp, Host::Name("h"), 5_683),
            ("coaps+TCP://h", Scheme::CoapsTcp, Host::Name("h"), 5_684),
            ("coap://h:/", Scheme::Coap, Host::Name("h"), 5_683),
            ("coap://127.0.0.1:1", Scheme::Coap, Host::Address([127, 0, 0, 1].into()), 1),
            ("coap://[::1]:5783", Scheme::Coap, Host::Address(Ipv6Addr::LOCALHOST.into()), 5_783),
        ] {
            let parsed = Uri::parse(uri).unwrap();
            assert_eq!((parsed.scheme, parsed.host, parsed.port), (scheme, host, port), "{uri}");
        }
    }

    #[test]
    fn invalid_uris_are_refused() {
        let long = format!("coap://{}", "h".repeat(249));
        for (uri, error) in [
            (long.as_str(), UriError::TooLong),
            ("http://h", UriError::Scheme),
            ("coap:h", UriError::Scheme),
            ("coap+udp://h", UriError::Scheme),
            ("coap://", UriError::Host),
            ("coap://:5683", UriError::Host),
            ("coap://me@h", UriError::Host),
            ("coap://[::1", UriError::Host),
            ("coap://[::1]5", UriError::Host),
            ("coap://[h]", UriError::Host),
            ("coap://h:0", UriError::Port),
            ("coap://h:65536", UriError::Port),
            ("coap://h:+1", UriError::Port),
            ("coap://::1", UriError::Host),
            ("coap://h/#top", UriError::Fragment),
            ("coap://h/%4", UriError::Encoding),
            ("coap://h/?%zz", UriError::Encoding),
        ] {
            assert_eq!(Uri::parse(uri), Err(error), "{uri}");
        }
        assert!(Uri::parse(&long[..MAX_LENGTH]).is_ok());
    }

    // proves: COAP-26
    #[test]
    fn dots_are_resolved() {
        for (path, expected) in [
            ("/a/./b", &["a", "b"][..]),
            ("/a/../b", &["b"]),
            ("/a/%2e%2E/b", &["b"]),
            ("/../../a", &["a"]),
            ("/a/..", &[]),
            ("/a/b/..", &["a", ""]),
            ("/a/.", &["a", ""]),
            ("/.", &[]),
            ("/a/...", &["a", "..."]),
        ] {
            let uri = alloc::format!("coap://h{path}");
            let mut options = Options::new();
            Uri::parse(&uri).unwrap().push_options(&mut options);
            let segments: Vec<_> = options.uri_path().map(<[u8]>::to_vec).collect();
            let expected: Vec<_> = expected.iter().map(|text| text.as_bytes().to_vec()).collect();
            assert_eq!(segments, expected, "{path}");
        }
    }

    // proves: COAP-29
    #[test]
    fn a_name_becomes_uri_host_and_an_address_does_not() {
        for (uri, expected) in [
            ("coap://Example.com/a", Some(&b"example.com"[..])),
            ("coap://b%c3%bcro", Some("büro".as_bytes())),
            ("coap://127.0.0.1", None),
            ("coap://[::1]", None),
            ("coap://[fe80::1%25eth0]", None),
        ] {
            let mut options = Options::new();
            Uri::parse(uri).unwrap().push_host(&mut options);
            assert_eq!(options.get(OptionNumber::URI_HOST), expected, "{uri}");
        }
    }

    // proves: COAP-27
    #[test]
    fn an_address_may_have_a_zone() {
        let link_local = "fe80::1".parse().unwrap();
        for (uri, zone) in [
            ("coap://[fe80::1%25eth0]:5683/rd", "eth0"),
            ("coap://[fe80::1%eth0]", "eth0"),
            ("coaps://[fe80::1%252]", "2"),
            ("coap://[fe80::1%25wlan0.1]", "wlan0.1"),
        ] {
            assert_eq!(Uri::parse(uri).unwrap().host, Host::Zoned(link_local, zone), "{uri}");
        }
        for uri in ["coap://[fe80::1%]", "coap://[fe80::1%25]", "coap://[fe80::1%25a/b]"] {
            assert_eq!(Uri::parse(uri), Err(UriError::Host), "{uri}");
        }
    }

    #[test]
    fn path_and_query_become_options() {
        let uri = Uri::parse("coap://h/rd/%4e1//?ep=a%20b&lt=60").unwrap();
        assert_eq!((uri.path, uri.query), ("/rd/%4e1//", Some("ep=a%20b&lt=60")));
        let mut options = Options::new();
        uri.push_options(&mut options);
        assert_eq!(options.uri_path().collect::<Vec<_>>(), [&b"rd"[..], b"N1", b"", b""]);
        assert_eq!(options.uri_query().collect::<Vec<_>>(), [&b"ep=a b"[..], b"lt=60"]);
        let mut none = Options::new();
        Uri::parse("coap://h/").unwrap().push_options(&mut none);
        assert!(none.is_empty());
    }
}
