//! The server: its process, and what runs in it.

use crate::Outcome;
use lwm2m_http::{ApiConfig, ApiState};
use lwm2m_server::Config;
use std::future::pending;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use tokio::net::TcpListener;

/// The argument that makes this program the server.
pub(crate) const COMMAND: &str = "serve";

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A running server.
pub(crate) struct Server {
    pub(crate) process: Child,
    pub(crate) coap: SocketAddr,
    pub(crate) http: SocketAddr,
}

impl Server {
    pub(crate) fn start() -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        let mut process = command.arg(COMMAND).stdout(Stdio::piped()).spawn()?;
        let output = process.stdout.take().ok_or("no output")?;
        let mut lines = BufReader::new(output).lines();
        let mut address =
            || -> Outcome<SocketAddr> { Ok(lines.next().ok_or("the server has ended")??.parse()?) };
        Ok(Self { coap: address()?, http: address()?, process })
    }
}

/// Serves until the process is killed.
pub(crate) fn run() -> Outcome<()> {
    let runtime = lwm2m_app::runtime()?;
    runtime.block_on(async {
        let mut config = Config::default();
        config.max_registrations = 1_000_000;
        config.max_registration_bytes = usize::MAX;
        let server = lwm2m_server::Server::new(config, lwm2m_net::seed()?);
        let server = lwm2m_net::bind_server(ANY, server, None).await?;
        let listener = TcpListener::bind(ANY).await?;
        let coap = server.local().udp.ok_or("no port for coap")?;
        println!("{coap}\n{}", listener.local_addr()?);
        let router = lwm2m_http::router(ApiState::with_config(server, ApiConfig::default()));
        Ok(lwm2m_http::serve(listener, router, pending()).await?)
    })
}
