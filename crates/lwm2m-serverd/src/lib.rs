//! The LwM2M server as a daemon: the engine on its sockets, and the HTTP API.
//!
//! The binary adds flags to this library; `lwm2m demo` starts the same server in its own process.

mod access;
mod bootstrap;
pub mod credentials;
mod import;
mod log;
mod models;
mod outputs;
pub mod reference;
pub mod settings;

use credentials::ServerEntry;
use lwm2m_app::{Data, Descriptors, Failure, Listen, dtls, keys, signal::End};
use lwm2m_credentials::SecurityStore;
use lwm2m_dtls::crypto::{AwsLc, Provider};
use lwm2m_dtls::{Backend, CidRoute, RoutingCids};
use lwm2m_http::{
    Access, ApiConfig, ApiState, BOOTSTRAP, BOOTSTRAP_CREDENTIALS, BULKS, Bootstrap, Bulks,
    CredentialsFile, DEAD_LETTERS, MAX_CONNECTIONS, MODELS, Models, OUTPUTS,
};
use lwm2m_link::Table;
use lwm2m_net::{Clock, ServerHandle, Sockets};
use lwm2m_server::{Config, Server, records};
use lwm2m_store::{Changes, FileStore, Store, Writer};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub use outputs::OutputSettings;
pub use settings::Settings;

const COAP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 5683);
const COAPS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 5684);
const HTTP: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
const MAX_REGISTRATIONS: usize = 100_000;
const MAX_REGISTERS_PER_SECOND: u32 = 5_000;
/// A third of a processor with certificates.
const MAX_HANDSHAKES_PER_SECOND: u32 = 2_000;
/// How long the store may take at the end.
const FLUSH: Duration = Duration::from_secs(10);
const EVENTS: u64 = 10_000;
const RECORDER_BYTES: usize = 8 << 20;
const HISTORY: u32 = 1_000;
const HISTORY_DAYS: u32 = 30;

/// A running server.
#[derive(Debug)]
pub struct Running {
    /// The engine.
    pub server: ServerHandle,
    /// The bootstrap server.
    pub bootstrap: Option<Bootstrap>,
    /// The address of the HTTP API.
    pub http: SocketAddr,
    /// Lines for the first admin: a token and a link to the page. They are shown once.
    pub first: Vec<String>,
    stop: oneshot::Sender<()>,
    api: JoinHandle<io::Result<()>>,
    state: ApiState,
}

/// Starts a server.
///
/// # Errors
/// An address cannot be listened on, or the operating system has no randomness.
pub async fn start(settings: &Settings) -> Result<Running, Failure> {
    let http = settings.http.unwrap_or(HTTP);
    // Binds HTTP first: if that fails, no device has been answered yet.
    let (access, https) = (access::config(settings, http)?, access::https(settings)?);
    let access = Access::new(access);
    let listener = TcpListener::bind(http).await;
    let listener = listener.map_err(|error| Failure::listen("HTTP", http, &error))?;
    let seed = lwm2m_net::seed().map_err(Failure::running)?;
    // Before any socket: a folder that another server uses is said before devices are answered.
    let data = match settings.ephemeral {
        true => None,
        false => Some(Data::open(&settings.data_folder()?)?),
    };
    let (mut engine, api) = secured(engine(settings), api(settings), settings)?;
    engine.is_kept = data.is_some();
    if let (Some(data), Some(dtls)) = (&data, &mut engine.dtls) {
        let can_export = dtls.backend == Backend::Native;
        dtls.durable_sessions = Some(data.session_key.clone()).filter(|_| can_export);
    }
    let mut descriptors = Descriptors::raise(MAX_CONNECTIONS, engine.connections.max_connections);
    let for_bootstrap = bootstrap::share(settings, &mut descriptors);
    engine.connections.max_connections = descriptors.open;
    let sockets = Sockets { max_accepted: descriptors.accepted, ..sockets(settings) };
    let bootstrap = bootstrap::new(settings, engine.security.own());
    let mut server = Server::new(engine, seed);
    let (models, bulks) = (Models::default(), Bulks::default());
    let folder = settings.models.as_deref().map(models::Folder::open).transpose()?;
    let folder = folder.map(|(folder, definitions)| {
        models.set_files(definitions);
        folder
    });
    let state = OfApi { access: &access, models: &models, bulks: &bulks, bootstrap: &bootstrap };
    let writer = data.map(|data| restore(data, &mut server, &state)).transpose()?;
    server.set_registry(Arc::new(models.registry()));
    let server = lwm2m_net::bind_server(sockets, server, writer).await;
    let server = server.map_err(|error| Failure::bind(&error))?;
    if let Some(path) = settings.security_store.as_deref().filter(|_| !settings.ephemeral) {
        import::credentials(path, &server).await?;
    }
    if let Some(bootstrap) = &bootstrap {
        bootstrap::start(bootstrap, settings, &for_bootstrap).await?;
    }
    tokio::spawn(log::events(server.subscribe_to(log::wants)));
    let outputs = outputs::all(settings)?;
    let http = listener.local_addr().map_err(Failure::running)?;
    let (stop, stopped) = oneshot::channel();
    let page = access::page(settings, http);
    let state = ApiState::with_config(
        server.clone(),
        api.with_access(access)
            .with_models(models)
            .with_bulks(bulks)
            .with_bootstrap(bootstrap.clone()),
    );
    state.resume_bulks();
    outputs::follow(&state, outputs).map_err(Failure::running)?;
    folder.into_iter().for_each(|folder| folder.watch(state.clone()));
    let first = access::begin(settings, &state, &page).await?;
    let routes = lwm2m_http::router(state.clone());
    let end = async {
        // A dropped sender means the end as well.
        let _ = stopped.await;
    };
    let api = tokio::spawn(async move {
        match https {
            Some(https) => {
                access::reload_at_hangup(https.clone());
                lwm2m_http::serve_by_tls(descriptors.http, listener, &https, routes, end).await
            }
            None => {
                lwm2m_http::serve_at_most(descriptors.http, listener, routes, end).await;
                Ok(())
            }
        }
    });
    Ok(Running { server, bootstrap, http, first, stop, api, state })
}

/// The name of a table in the data folder for people.
#[must_use]
pub fn table_name(table: Table) -> Option<&'static str> {
    let of_api = || lwm2m_http::access::TABLES.iter().find(|(it, _)| *it == table);
    let others = || match table {
        MODELS => Some("object definitions"),
        BULKS => Some("bulk operations"),
        OUTPUTS => Some("cursors of outputs"),
        DEAD_LETTERS => Some("events that outputs could not tell"),
        BOOTSTRAP => Some("bootstrap configurations"),
        BOOTSTRAP_CREDENTIALS => Some("credentials for the bootstrap"),
        _ => None,
    };
    records::name(table).or_else(|| of_api().map(|(_, name)| *name)).or_else(others)
}

/// Adds an admin token to a data folder, and prints it.
///
/// # Errors
/// There is no store, a server uses it, or it cannot be written.
pub fn admin_token(folder: &Path) -> Result<(), Failure> {
    // Fails if there is none: a token in a new store would be of no use to anybody.
    drop(lwm2m_store::open_to_read(folder).map_err(Failure::usage)?);
    let mut store = FileStore::open(folder).map_err(Failure::usage)?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (secret, record) =
        lwm2m_http::access::admin_token(since.as_secs()).map_err(Failure::running)?;
    let mut changes = Changes::default();
    changes.push(record);
    store.commit(&changes).map_err(Failure::running)?;
    lwm2m_app::print_line(format_args!("admin token, shown this once: {}", *secret.text()));
    Ok(())
}

/// What the API has in the store of the server.
struct OfApi<'a> {
    access: &'a Access,
    models: &'a Models,
    bulks: &'a Bulks,
    bootstrap: &'a Option<Bootstrap>,
}

/// Lets a server go on from what is kept, and returns the thread that keeps what follows.
fn restore(data: Data, server: &mut Server, api: &OfApi<'_>) -> Result<Writer, Failure> {
    let OfApi { access, models, bulks, bootstrap } = api;
    let mut restore = server.restore(Clock::start().now());
    data.read_tables(&records::RESTORED, |table, key, value| restore.take(table, key, value))?;
    let of_api = lwm2m_http::access::TABLES.map(|(table, _)| table);
    data.read_tables(&of_api, |table, key, value| _ = access.take(table, key, value))?;
    data.read_tables(&[BULKS], |table, key, value| _ = bulks.take(table, key, value))?;
    data.read_tables(&[MODELS], |table, key, value| {
        if !models.take(table, key, value) {
            tracing::warn!(
                "an object definition in the data folder cannot be read and is left out"
            );
        }
    })?;
    if let Some(bootstrap) = bootstrap {
        data.read_tables(&[BOOTSTRAP, BOOTSTRAP_CREDENTIALS], |table, key, value| {
            if !bootstrap.take(table, key, value) {
                tracing::warn!(
                    "what a device is told at its bootstrap cannot be read; it is left out"
                );
            }
        })?;
    }
    let restored = restore.finish();
    tracing::info!("restored {restored}");
    warn_of_unusable("", server.security());
    if let Some(bootstrap) = bootstrap {
        warn_of_unusable("bootstrap server: ", bootstrap.security());
    }
    data.writer()
}

/// Tells of credentials of which an earlier run had the keys.
fn warn_of_unusable(which: &str, store: &SecurityStore) {
    let count = store.count_unusable(None);
    if count > 0 {
        tracing::warn!(
            "{which}{count} clients have credentials whose mode the server has no keys for, and cannot \
             come in; start it with --key, or with --cert and --trust, or change their credentials"
        );
    }
}

fn engine(settings: &Settings) -> Config {
    let max_registrations = settings.max_registrations.unwrap_or(MAX_REGISTRATIONS);
    let at_once = settings.max_registers_per_second.unwrap_or(MAX_REGISTERS_PER_SECOND);
    let mut config = Config::default()
        .max_registrations(max_registrations)
        .max_registers_per_second(at_once)
        .max_events(settings.events.unwrap_or(EVENTS))
        .recorder_bytes(settings.recorder_bytes.unwrap_or(RECORDER_BYTES))
        .recorder_keys(!settings.no_recorder_keys)
        .max_history(settings.history.unwrap_or(HISTORY));
    // A registered device is a peer, and so is a device that is about to register.
    config.coap.max_peers = config.coap.max_peers.max(max_registrations.saturating_mul(2));
    config
}

/// The addresses to listen on for devices.
fn sockets(settings: &Settings) -> Sockets {
    Sockets {
        udp: settings.coap.unwrap_or(Listen::At(COAP)).address(),
        dtls: settings.coaps.unwrap_or(Listen::At(COAPS)).address(),
        tcp: settings.coap_tcp,
        tls: settings.coaps_tcp,
        ..Sockets::default()
    }
}

/// The engine with its credentials, and the API with what it must know of them.
fn secured(
    engine: Config,
    api: ApiConfig,
    settings: &Settings,
) -> Result<(Config, ApiConfig), Failure> {
    let provider: Arc<dyn Provider> = Arc::new(AwsLc);
    let flags = ServerEntry {
        key: settings.key.clone(),
        certificate: settings.cert.clone(),
        trust: settings.trust.clone(),
        unlisted: settings.unlisted,
        host: Vec::new(),
    };
    let (store, fixed) = credentials::load(settings.credentials.as_deref(), flags, &*provider)
        .map_err(Failure::usage)?;
    let mut api = api.with_fixed_credentials(fixed);
    if let Some(path) = settings.security_store.clone().filter(|_| settings.ephemeral) {
        keys::warn_if_shared(&path);
        let file = CredentialsFile::open(path, &store).map_err(Failure::usage)?;
        api = api.with_credentials_file(file);
    }
    let backend = settings.backend.unwrap_or_default();
    let place = CidRoute { node: settings.node.unwrap_or_default(), shard: 0 };
    let ids = RoutingCids::new(place, settings.cid.unwrap_or_else(|| dtls::server_cid(backend)));
    let store = Arc::new(store);
    let sockets = sockets(settings);
    let dtls = match sockets.dtls.or(sockets.tls) {
        Some(_) => {
            let mut config = dtls::config(backend, provider, ids, settings.keylog.as_deref())?;
            store.secure(&config).check().map_err(Failure::usage)?;
            check_clients(backend, &store)?;
            config.max_sessions =
                engine.max_registrations.saturating_mul(engine.max_sessions_per_identity);
            config.max_handshakes_per_second =
                settings.max_handshakes_per_second.unwrap_or(MAX_HANDSHAKES_PER_SECOND);
            Some(config)
        }
        None => None,
    };
    Ok((engine.security(store).dtls(dtls), api))
}

/// Refuses to start with credentials that the server cannot ask for.
fn check_clients(backend: Backend, store: &SecurityStore) -> Result<(), Failure> {
    store.list().into_iter().try_for_each(|(endpoint, credential)| {
        let checked = store.check(&credential, Some(backend));
        checked.map_err(|what| Failure::usage(format!("the credential of {endpoint}: {what}")))
    })
}

fn api(settings: &Settings) -> ApiConfig {
    let days = settings.history_days.unwrap_or(HISTORY_DAYS);
    let span = Duration::from_secs(86_400 * u64::from(days));
    ApiConfig::default().with_hosts(settings.http_host.iter().cloned()).with_history_for(span)
}

impl Running {
    /// Stops listening, and waits until all that is to be kept is durable.
    ///
    /// # Errors
    /// The HTTP server had failed, or the store cannot be written.
    pub async fn stop(self) -> Result<(), Failure> {
        let Self { server, stop, api, state, .. } = self;
        // If the API has ended already, the next line returns its error.
        let _ = stop.send(());
        api.await.map_err(Failure::running)?.map_err(Failure::running)?;
        state.end().await;
        let durability = server.durability();
        drop((server, state));
        if let Some(durability) = durability {
            let late = |_| {
                Failure::running(
                    "the store did not finish in 10 s; is its disk all right? What was not acknowledged may be lost",
                )
            };
            tokio::time::timeout(FLUSH, durability.ended()).await.map_err(late)?;
        }
        Ok(())
    }
}

/// Runs a server until Ctrl-C or SIGTERM.
///
/// # Errors
/// As [`start`], or the HTTP server fails.
pub async fn run(settings: &Settings) -> Result<(), Failure> {
    let mut end = End::listen().map_err(Failure::running)?;
    let mut running = start(settings).await?;
    for (scheme, address) in running.server.local().iter() {
        lwm2m_app::print_line(format_args!("listening for {} on {address}", scheme.name()));
    }
    running.bootstrap.iter().for_each(bootstrap::tell);
    running.first.iter().for_each(lwm2m_app::print_line);
    let scheme = if settings.http_cert.is_some() { "https" } else { "http" };
    lwm2m_app::print_line(format_args!("listening for http on {scheme}://{}", running.http));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_are_those_of_the_help() {
        assert_eq!(engine(&Settings::default()).max_registrations, 100_000);
        assert_eq!(engine(&Settings::default()).max_registers_per_second, 5_000);
        assert_eq!(engine(&Settings::default()).max_events, 10_000);
        assert_eq!(engine(&Settings::default()).recorder_bytes, 8 << 20);
        assert_eq!(engine(&Settings::default()).max_history, 1_000);
        let month = Duration::from_secs(30 * 86_400);
        assert_eq!(api(&Settings::default()).history_for, month);
        let settings = Settings { max_registrations: Some(7), ..Settings::default() };
        assert_eq!(engine(&settings).max_registrations, 7);
    }

    #[test]
    fn host_names_reach_the_api() {
        let settings = Settings { http_host: vec!["a.example".to_owned()], ..Settings::default() };
        assert_eq!(api(&settings).hosts, ["a.example"]);
    }
}
