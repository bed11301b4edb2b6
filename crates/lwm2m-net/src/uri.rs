//! Server URIs to socket addresses.

use lwm2m_coap::uri::{Host, Scheme, Uri, UriError};
use std::net::SocketAddr;

/// Why a server URI leads nowhere.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// The text is no CoAP URI.
    #[error("{0}; a server URI looks like coap://host:5683")]
    Syntax(#[from] UriError),
    /// The URI asks for a transport or security that this build does not have.
    #[error("the scheme of the server URI is not supported; use coap://")]
    Scheme,
    /// The host name has no address.
    #[error("the host {0} has no address")]
    NoAddress(String),
    /// Looking up the host name failed.
    #[error("looking up the host {0} failed: {1}")]
    Lookup(String, #[source] std::io::Error),
}

/// The address of the server that `uri` names, by a look-up in the DNS if it holds a name. Of
/// several addresses IPv4 comes first, as that is what servers listen on unless told otherwise.
///
/// # Errors
/// What is wrong with the URI or with the look-up.
pub async fn resolve(uri: &str) -> Result<SocketAddr, ResolveError> {
    let uri = Uri::parse(uri)?;
    if uri.scheme != Scheme::Coap {
        return Err(ResolveError::Scheme);
    }
    let name = match uri.host {
        Host::Address(address) => return Ok(SocketAddr::new(address, uri.port)),
        Host::Name(name) => name,
    };
    let lookup = tokio::net::lookup_host((name, uri.port)).await;
    let addresses = lookup.map_err(|error| ResolveError::Lookup(name.to_owned(), error))?;
    let first = addresses.min_by_key(SocketAddr::is_ipv6);
    first.ok_or_else(|| ResolveError::NoAddress(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn literals_need_no_look_up() {
        let address = resolve("coap://[::1]:5783").await.unwrap();
        assert_eq!(address, "[::1]:5783".parse().unwrap());
        let address = resolve("coap://127.0.0.1").await.unwrap();
        assert_eq!(address, "127.0.0.1:5683".parse().unwrap());
    }

    #[tokio::test]
    async fn what_is_wrong_is_told() {
        assert!(matches!(resolve("coaps://127.0.0.1").await, Err(ResolveError::Scheme)));
        assert!(matches!(resolve("http://127.0.0.1").await, Err(ResolveError::Syntax(_))));
    }
}
