//! Server URIs to addresses and what carries messages there.

use lwm2m_coap::uri::{Host, Scheme, Uri, UriError};
use std::net::SocketAddr;

/// Why a server URI leads nowhere.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The text is no CoAP URI.
    #[error("{0}; a server URI looks like coap://host:5683")]
    Syntax(#[from] UriError),
    /// The host name has no address.
    #[error("the host {0} has no address")]
    NoAddress(String),
    /// Looking up the host name failed.
    #[error("looking up the host {0} failed: {1}")]
    Lookup(String, #[source] std::io::Error),
}

/// Where a server is and what carries messages there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Remote {
    /// The transport, and whether it is secured.
    pub scheme: Scheme,
    /// The address.
    pub address: SocketAddr,
}

impl From<SocketAddr> for Remote {
    fn from(address: SocketAddr) -> Self {
        Self { scheme: Scheme::Coap, address }
    }
}

/// The server that `uri` names, by a look-up in the DNS if it holds a name. Of several addresses
/// IPv4 comes first, as that is what servers listen on unless told otherwise.
///
/// # Errors
/// What is wrong with the URI or with the look-up.
pub async fn resolve(uri: &str) -> Result<Remote, ResolveError> {
    let uri = Uri::parse(uri)?;
    let scheme = uri.scheme;
    let name = match uri.host {
        Host::Address(ip) => return Ok(Remote { scheme, address: SocketAddr::new(ip, uri.port) }),
        // The look-up finds the number of the interface.
        host => host.to_string(),
    };
    let first = match tokio::net::lookup_host((name.as_str(), uri.port)).await {
        Ok(addresses) => addresses.min_by_key(SocketAddr::is_ipv6),
        Err(error) => return Err(ResolveError::Lookup(name.clone(), error)),
    };
    let address = first.ok_or(ResolveError::NoAddress(name))?;
    Ok(Remote { scheme, address })
}

#[cfg(test)]
mod tests {
    use super::*;
    use lwm2m_coap::{Config, Request};
    use lwm2m_dtls::{ClientProfile, ClientSecurity};
    use lwm2m_link::{Engine, Link, Output};
    use lwm2m_time::Instant;
    use std::sync::Arc;
    use zeroize::Zeroizing;

    #[tokio::test]
    async fn literals_need_no_look_up() {
        let remote = resolve("coap://[::1]:5783").await.unwrap();
        assert_eq!(remote, Remote::from("[::1]:5783".parse::<SocketAddr>().unwrap()));
        let remote = resolve("coap+tcp://127.0.0.1").await.unwrap();
        assert_eq!(remote.scheme, Scheme::CoapTcp);
        assert_eq!(remote.address, "127.0.0.1:5683".parse().unwrap());
        let remote = resolve("coaps://127.0.0.1").await.unwrap();
        assert_eq!((remote.scheme, remote.address.port()), (Scheme::Coaps, 5_684));
    }

    // proves: COAP-27
    #[tokio::test]
    async fn the_zone_of_an_address_is_looked_up() {
        // Every system has the loopback interface, whose number is 1 on Linux.
        let remote = resolve("coap://[fe80::1%25lo]:5783").await.unwrap();
        let SocketAddr::V6(address) = remote.address else { panic!("{remote:?}") };
        assert_eq!((address.port(), address.scope_id()), (5_783, 1));
        assert!(resolve("coap://[fe80::1%25no-such-interface]").await.is_err());
    }

    /// The port that a request to a server leaves for, and whether it is DTLS.
    async fn port(uri: &str) -> Result<(u16, bool), ResolveError> {
        let Remote { scheme, address } = resolve(uri).await?;
        let mut link = Link::new(Config::default(), [1; 32]);
        link.set_security(lwm2m_dtls::Config::default());
        let (identity, key) = ("device".into(), Zeroizing::new(b"key".to_vec()));
        let profile = Arc::new(ClientProfile::new(ClientSecurity::Psk { identity, key }));
        let peer = match scheme.is_secured() {
            true => link.connect_secured(Instant::ZERO, address, profile).unwrap(),
            false => link.connect(address).unwrap(),
        };
        link.coap().request(Instant::ZERO, peer, Request::get()).unwrap();
        let Some(Output::Transmit(sent)) = link.poll() else { panic!("nothing to send") };
        Ok((sent.to.port(), sent.secured))
    }

    // proves: COAP-20
    #[tokio::test]
    async fn requests_leave_for_the_port_of_the_scheme_or_the_one_given() {
        assert_eq!(port("coap://localhost").await.unwrap(), (5_683, false));
        assert_eq!(port("coaps://localhost").await.unwrap(), (5_684, true));
        assert_eq!(port("coap://[::1]:5783").await.unwrap(), (5_783, false));
        assert_eq!(port("coaps://[::1]:5784").await.unwrap(), (5_784, true));
        let long = |length: usize| format!("coap://[::1]/{:x>1$}", "", length - 13);
        assert!(port(&long(255)).await.is_ok());
        assert!(matches!(port(&long(256)).await, Err(ResolveError::Syntax(_))));
    }

    #[tokio::test]
    async fn what_is_wrong_is_told() {
        assert!(matches!(resolve("http://127.0.0.1").await, Err(ResolveError::Syntax(_))));
    }
}
