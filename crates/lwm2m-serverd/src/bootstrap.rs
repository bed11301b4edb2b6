//! The bootstrap server of the daemon: a second engine on ports of its own.

use crate::{MAX_HANDSHAKES_PER_SECOND, Settings};
use lwm2m_app::{Descriptors, Failure, dtls, print_line};
use lwm2m_bootstrap::{Config, Event};
use lwm2m_credentials::{OwnCredentials, SecurityStore};
use lwm2m_dtls::crypto::{AwsLc, Provider};
use lwm2m_dtls::{CidRoute, RoutingCids};
use lwm2m_http::Bootstrap;
use lwm2m_net::Sockets;
use std::sync::Arc;

/// The bootstrap server, if the settings have an address for it. Towards devices it proves itself as the
/// LwM2M server does; devices prove themselves to it by credentials of their own.
pub(crate) fn new(settings: &Settings, own: &OwnCredentials) -> Option<Bootstrap> {
    let sockets = sockets(settings);
    let is_wanted =
        [sockets.udp, sockets.dtls, sockets.tcp, sockets.tls].iter().any(Option::is_some);
    is_wanted.then(|| Bootstrap::new(Arc::new(SecurityStore::new(own.clone()))))
}

fn sockets(settings: &Settings) -> Sockets {
    Sockets {
        udp: settings.bootstrap_coap,
        dtls: settings.bootstrap_coaps,
        tcp: settings.bootstrap_coap_tcp,
        tls: settings.bootstrap_coaps_tcp,
        ..Sockets::default()
    }
}

/// Takes the share of the bootstrap server in the connections of devices: an eighth, a thousand at most,
/// because a bootstrap is short.
pub(crate) fn share(settings: &Settings, all: &mut Descriptors) -> Descriptors {
    let sockets = sockets(settings);
    let share = |number: usize| match sockets.tcp.or(sockets.tls) {
        Some(_) => (number / 8).clamp(1, 1_000),
        None => 0,
    };
    let own = Descriptors { http: 0, accepted: share(all.accepted), open: share(all.open) };
    all.accepted = all.accepted.saturating_sub(own.accepted).max(1);
    all.open = all.open.saturating_sub(own.open).max(1);
    own
}

/// Starts it, after what was kept is back.
pub(crate) async fn start(
    bootstrap: &Bootstrap,
    settings: &Settings,
    descriptors: &Descriptors,
) -> Result<(), Failure> {
    let sockets = Sockets { max_accepted: descriptors.accepted, ..sockets(settings) };
    let mut config = Config { keys_need_proof: true, ..Config::default() };
    config.connections.max_connections = descriptors.open;
    if sockets.dtls.or(sockets.tls).is_some() {
        let provider: Arc<dyn Provider> = Arc::new(AwsLc);
        let backend = settings.backend.unwrap_or_default();
        let route = CidRoute { node: settings.node.unwrap_or_default(), shard: 0 };
        let length = settings.cid.unwrap_or_else(|| dtls::server_cid(backend));
        let ids = RoutingCids::new(route, length);
        let mut dtls = dtls::config(backend, provider, ids, settings.keylog.as_deref())?;
        dtls.max_handshakes_per_second =
            settings.max_handshakes_per_second.unwrap_or(MAX_HANDSHAKES_PER_SECOND);
        config.dtls = Some(dtls);
    }
    let seed = lwm2m_net::seed().map_err(Failure::running)?;
    let started = bootstrap.start(sockets, config, seed, log).await;
    started.map_err(|error| Failure::bind(&error))
}

/// Prints where it listens.
pub(crate) fn tell(bootstrap: &Bootstrap) {
    for (scheme, address) in bootstrap.local().iter().flat_map(|local| local.iter()) {
        print_line(format_args!("bootstrapping for {} on {address}", scheme.name()));
    }
}

/// The log lines of its events.
fn log(event: &Event) {
    match event {
        Event::Finished { endpoint } | Event::Packed { endpoint } => {
            tracing::info!(?endpoint, "bootstrapped");
        }
        Event::Failed { endpoint, reason } => {
            tracing::warn!(?endpoint, %reason, "a bootstrap failed");
        }
        Event::Certified { endpoint } => tracing::info!(?endpoint, "a certificate was issued"),
        Event::HandshakeFailed(failure) => tracing::warn!("bootstrap server: {failure}"),
        Event::Overloaded(overload) => tracing::warn!("bootstrap server: {overload}"),
        Event::NameRefused(refused) => tracing::warn!("bootstrap server: {refused}"),
        _ => {}
    }
}
