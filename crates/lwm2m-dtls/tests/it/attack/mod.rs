//! Attacks: forgeries, replays, floods, spoofed addresses, and devices that return after they were
//! barred.

pub(crate) mod addresses;
mod certificates;
mod crowds;
pub(crate) mod earlier;
pub(crate) mod handshakes;

use crate::support::{FourBytes, KEY, Pair, address, backends, connected, psk_profile};
use lwm2m_dtls::{Config, Endpoint, SessionId};
use std::sync::Arc;

/// Connection IDs, if the server's backend supports them.
pub(super) fn with_ids(mut config: Config) -> Config {
    if backends()[1].has_connection_ids() {
        config.connection_ids = Some(Arc::new(FourBytes));
    }
    config
}

/// Another client of the same server, with its own address.
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
