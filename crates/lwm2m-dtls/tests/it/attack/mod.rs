//! What attackers do: forge, replay, flood, spoof addresses, and come back after they were barred.

pub(crate) mod addresses;
pub(crate) mod earlier;
pub(crate) mod handshakes;

use crate::support::{FourBytes, KEY, Pair, address, backends, connected, psk_profile};
use lwm2m_dtls::{Config, Endpoint, SessionId};
use std::sync::Arc;

/// Connection IDs, if the backend of servers has them.
pub(super) fn with_ids(mut config: Config) -> Config {
    if backends()[1].has_connection_ids() {
        config.connection_ids = Some(Arc::new(FourBytes));
    }
    config
}

/// A client of its own at another address of the same server.
pub(super) fn second_client(
    pair: &mut Pair,
    from: &str,
    config: Config,
) -> (Endpoint, SessionId, SessionId) {
    let mut other = Pair::new(config, Config::default());
    other.client_address = address(from);
    std::mem::swap(&mut pair.server, &mut other.server);
    let to_server = other.connect(psk_profile(KEY));
    other.settle();
    let to_client = connected(&mut other.server);
    std::mem::swap(&mut pair.server, &mut other.server);
    (other.client, to_server, to_client)
}
