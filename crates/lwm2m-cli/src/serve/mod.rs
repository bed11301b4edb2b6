//! `lwm2m coap serve`: a CoAP server with the resources of the ETSI plugtests, to test clients by.

mod conditions;
mod links;
mod resources;
mod service;
mod store;

use clap::Args;
use lwm2m_app::secured::Secured;
use lwm2m_app::{Failure, LogLevel, log, print_line, signal};
use lwm2m_coap::Config;
use lwm2m_dtls::{CidRoute, RoutingCids};
use lwm2m_net::service::{CoapServer, ServiceConfig};
use lwm2m_net::{Addresses, ConnectionConfig, Sockets};
pub(crate) use service::Plugtest;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

/// The address for CoAP over UDP if no other is given.
const COAP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 5683);
/// The largest body that a resource takes, in bytes.
const MAX_BODY: usize = 256 << 10;
/// Silence on a connection before the server pings it.
const KEEP_ALIVE: Duration = Duration::from_secs(300);

/// What `coap serve` takes.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Address for CoAP over UDP [default: 127.0.0.1:5683 if no other address is given]
    #[arg(long, value_name = "ADDRESS")]
    coap: Option<SocketAddr>,
    /// Address for CoAP over TCP
    #[arg(long, value_name = "ADDRESS")]
    coap_tcp: Option<SocketAddr>,
    /// Address for CoAP over DTLS
    #[arg(long, value_name = "ADDRESS")]
    coaps: Option<SocketAddr>,
    /// Address for CoAP over TLS
    #[arg(long, value_name = "ADDRESS")]
    coaps_tcp: Option<SocketAddr>,
    #[command(flatten)]
    secured: Secured,
    /// Threads that share the port, each with resources of its own
    #[arg(long, value_name = "NUMBER", default_value_t = NonZero::<u8>::MIN)]
    shards: NonZero<u8>,
    /// Log every datagram in hex
    #[arg(long, short)]
    verbose: bool,
}

impl Arguments {
    fn sockets(&self) -> Sockets {
        let Self { coap, coaps, coap_tcp, coaps_tcp, shards, .. } = *self;
        let is_alone = coaps.or(coap_tcp).or(coaps_tcp).is_none();
        Sockets {
            udp: coap.or_else(|| is_alone.then_some(COAP)),
            dtls: coaps,
            tcp: coap_tcp,
            tls: coaps_tcp,
            share_port: shards.get() > 1,
            ..Sockets::default()
        }
    }
}

/// Runs `lwm2m coap serve` until a signal ends it.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    log::start(if arguments.verbose { LogLevel::Trace } else { LogLevel::Warn });
    let runtime = runtime()?;
    let mut sockets = arguments.sockets();
    let security = match arguments.coaps.or(arguments.coaps_tcp) {
        Some(_) => Some(arguments.secured.server()?),
        None => None,
    };
    let mut end = runtime.block_on(async { signal::End::listen() }).map_err(Failure::running)?;
    let first = runtime.block_on(bind(sockets, security.clone()))?;
    let Addresses { udp, dtls, .. } = *first.local();
    sockets = Sockets { udp, dtls, tcp: None, tls: None, ..sockets };
    let mut servers = vec![first.clone()];
    for number in 1..arguments.shards.get() {
        let shard = self::runtime()?;
        let security = security.clone().map(|config| in_shard(config, number));
        let server = shard.block_on(bind(sockets, security))?;
        servers.push(server.clone());
        std::thread::spawn(move || shard.block_on(serve_forever(server)));
    }
    runtime.block_on(CoapServer::share(&servers)).map_err(Failure::running)?;
    for (scheme, address) in first.local().iter() {
        print_line(format_args!("{} on {address}", scheme.name()));
    }
    runtime.block_on(end.wait());
    Ok(())
}

/// Session settings whose Connection IDs contain the number of the shard.
fn in_shard(mut config: lwm2m_dtls::Config, shard: u8) -> lwm2m_dtls::Config {
    let length = config.connection_ids.and_then(|ids| u8::try_from(ids.length()).ok());
    let ids = length.map(|length| RoutingCids::new(CidRoute { node: 0, shard }, length));
    config.connection_ids = ids.map(|ids| Arc::new(ids) as _);
    config
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::running)
}

/// Runs a shard until the process ends.
async fn serve_forever(server: CoapServer<Plugtest>) {
    std::future::pending::<()>().await;
    drop(server);
}

async fn bind(
    sockets: Sockets,
    security: Option<lwm2m_dtls::Config>,
) -> Result<CoapServer<Plugtest>, Failure> {
    let config = ServiceConfig {
        coap: Config::default().max_body(MAX_BODY).conditional_requests(true),
        connections: ConnectionConfig {
            keep_alive: Some(KEEP_ALIVE),
            ..ConnectionConfig::default()
        },
        security,
    };
    let seed = lwm2m_net::seed().map_err(Failure::running)?;
    let server = CoapServer::bind(sockets, config, seed, Plugtest::default()).await;
    server.map_err(|error| Failure::bind(&error))
}
