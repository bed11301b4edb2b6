//! Addresses with ports in settings. An IPv6 address may have a zone, the name or number of an
//! interface: `[fe80::1%eth0]:5683` (RFC 4007 section 11).

use serde::{Deserialize, Deserializer};
use std::net::{SocketAddr, ToSocketAddrs};

/// Parses an address with a port.
///
/// # Errors
/// What is wrong with the text.
pub fn parse(text: &str) -> Result<SocketAddr, String> {
    let malformed = |error: std::net::AddrParseError| {
        format!("{error}; write 192.0.2.1:5683, [2001:db8::1]:5683 or [fe80::1%eth0]:5683")
    };
    match text.parse() {
        Ok(address) => Ok(address),
        Err(error) => zoned(text).unwrap_or_else(|| Err(malformed(error))),
    }
}

/// An address with the name of an interface; `None` if the text has another form.
fn zoned(text: &str) -> Option<Result<SocketAddr, String>> {
    let (literal, port) = text.strip_prefix('[')?.rsplit_once("]:")?;
    let (address, zone) = literal.split_once('%')?;
    let (_, port) = (address.parse::<std::net::Ipv6Addr>().ok()?, port.parse::<u16>().ok()?);
    // The system's look-up knows the numbers of interfaces.
    let found = (literal, port).to_socket_addrs().ok().and_then(|mut found| found.next());
    Some(found.ok_or_else(|| format!("there is no network interface {zone}")))
}

/// Reads an address of a settings file.
///
/// # Errors
/// As [`parse`].
pub fn optional<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).map(Some).map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    // proves: COAP-27
    #[test]
    fn an_address_may_have_a_zone() {
        assert_eq!(parse("127.0.0.1:5683"), Ok(([127, 0, 0, 1], 5_683).into()));
        let Ok(SocketAddr::V6(local)) = parse("[fe80::1%lo]:5683") else { panic!() };
        assert_eq!((local.port(), local.scope_id()), (5_683, 1));
        let Ok(SocketAddr::V6(local)) = parse("[fe80::1%7]:5683") else { panic!() };
        assert_eq!(local.scope_id(), 7);
        assert!(parse("[fe80::1%none-such]:5683").unwrap_err().contains("none-such"));
        for bad in ["", "localhost:5683", "[fe80::1%lo]", "[fe80::1%lo]:x", "127.0.0.1"] {
            assert!(parse(bad).unwrap_err().contains("write"), "{bad}");
        }
    }
}
