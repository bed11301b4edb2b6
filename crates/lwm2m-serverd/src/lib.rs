//! The LwM2M server as a daemon: the engine on its sockets, and the HTTP API.
//!
//! The binary is flags and this library; the demo starts the same server in its own process.

pub mod settings;

use lwm2m_daemon::{Failure, signal::End};
use lwm2m_http::{ApiConfig, ApiState};
use lwm2m_net::{ServerHandle, Sockets};
use lwm2m_server::{Config, Event, Server};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::sync::{broadcast::error::RecvError, oneshot};
use tokio::task::JoinHandle;

pub use settings::Settings;

const COAP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 5683);
const HTTP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
const MAX_REGISTRATIONS: usize = 100_000;

/// A running server.
#[derive(Debug)]
pub struct Running {
    /// The engine.
    pub server: ServerHandle,
    /// The address of the HTTP API.
    pub http: SocketAddr,
    stop: oneshot::Sender<()>,
    api: JoinHandle<std::io::Result<()>>,
}

/// Starts a server.
///
/// # Errors
/// An address cannot be listened on, or the operating system has no randomness.
pub async fn start(settings: &Settings) -> Result<Running, Failure> {
    let coap = settings.coap.unwrap_or(COAP);
    let http = settings.http.unwrap_or(HTTP);
    // HTTP first: where that fails, no device has been answered yet.
    let listener = TcpListener::bind(http).await;
    let listener = listener.map_err(|error| Failure::listen("HTTP", http, &error))?;
    let seed = lwm2m_net::seed().map_err(Failure::running)?;
    let sockets = Sockets { tcp: settings.coap_tcp, ..Sockets::from(coap) };
    let server = lwm2m_net::bind_server(sockets, Server::new(engine(settings), seed)).await;
    let server = server.map_err(|error| Failure::listen("CoAP", coap, &error))?;
    tokio::spawn(log_events(server.subscribe()));
    let http = listener.local_addr().map_err(Failure::running)?;
    let (stop, stopped) = oneshot::channel();
    let routes = lwm2m_http::router(ApiState::with_config(server.clone(), api(settings)));
    let end = async {
        // A dropped sender means the end as well.
        let _ = stopped.await;
    };
    let api = tokio::spawn(lwm2m_http::serve(listener, routes, end));
    Ok(Running { server, http, stop, api })
}

fn engine(settings: &Settings) -> Config {
    let max_registrations = settings.max_registrations.unwrap_or(MAX_REGISTRATIONS);
    let mut config = Config { max_registrations, ..Config::default() };
    // A registered device is a peer, and strangers need places too.
    config.coap.max_peers = config.coap.max_peers.max(max_registrations.saturating_mul(2));
    config
}

fn api(settings: &Settings) -> ApiConfig {
    let mut config = ApiConfig::default();
    config.hosts.clone_from(&settings.http_host);
    config
}

impl Running {
    /// Stops listening. Registrations are lost: they live in memory.
    ///
    /// # Errors
    /// The HTTP server had failed.
    pub async fn stop(self) -> Result<(), Failure> {
        // The API may have ended already, by a failure that the next line tells.
        let _ = self.stop.send(());
        self.api.await.map_err(Failure::running)?.map_err(Failure::running)
    }
}

/// Runs a server until Ctrl-C or SIGTERM.
///
/// # Errors
/// As [`start`], or the HTTP server fails.
pub async fn run(settings: &Settings) -> Result<(), Failure> {
    let mut end = End::listen().map_err(Failure::running)?;
    let mut running = start(settings).await?;
    lwm2m_daemon::say(format_args!("listening for coap on {}", running.server.local_addr()));
    if let Some(address) = running.server.local_tcp_addr() {
        lwm2m_daemon::say(format_args!("listening for coap+tcp on {address}"));
    }
    lwm2m_daemon::say(format_args!("listening for http on http://{}", running.http));
    tokio::select! {
        () = end.wait() => {}
        ended = &mut running.api => {
            ended.map_err(Failure::running)?.map_err(Failure::running)?;
            return Err(Failure::running("the HTTP server ended"));
        }
    }
    tracing::info!("stopping");
    running.stop().await
}

async fn log_events(mut events: tokio::sync::broadcast::Receiver<Arc<Event>>) {
    loop {
        match events.recv().await {
            Ok(event) => log_event(&event),
            Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "too many events to log"),
            Err(RecvError::Closed) => break,
        }
    }
}

fn log_event(event: &Event) {
    match event {
        Event::Registered(it) => tracing::info!(
            endpoint = %it.endpoint, address = %it.address, version = %it.version,
            lifetime = it.lifetime.as_secs(), "registered"
        ),
        Event::Updated { registration: it, .. } => {
            tracing::debug!(endpoint = %it.endpoint, address = %it.address, "updated");
        }
        Event::Deregistered { registration: it, reason } => {
            tracing::info!(endpoint = %it.endpoint, ?reason, "deregistered");
        }
        Event::Notification { registration: it, target, result: Ok(_), .. } => {
            tracing::debug!(endpoint = %it.endpoint, %target, "notification");
        }
        Event::Notification { registration: it, target, result: Err(error), .. } => {
            tracing::warn!(endpoint = %it.endpoint, %target, %error, "notification not understood");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_are_those_of_the_help() {
        assert_eq!(engine(&Settings::default()).max_registrations, 100_000);
        let settings = Settings { max_registrations: Some(7), ..Settings::default() };
        assert_eq!(engine(&settings).max_registrations, 7);
    }

    #[test]
    fn host_names_reach_the_api() {
        let settings = Settings { http_host: vec!["a.example".to_owned()], ..Settings::default() };
        assert_eq!(api(&settings).hosts, ["a.example"]);
    }
}
