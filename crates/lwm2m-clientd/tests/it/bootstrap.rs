//! A device from the factory asks a bootstrap server for its server and keys.

use lwm2m_bootstrap::{BootstrapServer, Command, Event as Bootstrap};
use lwm2m_clientd::Settings;
use lwm2m_core::{Bytes, Node, Object, ObjectInstance, Path};
use lwm2m_credentials::{Credential, OwnCredentials, SecurityStore};
use lwm2m_net::{Events, Handle, ServerHandle, Sockets};
use lwm2m_server::{Config, Event, Server};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::time::timeout;

const NAME: &str = "factory-fresh";
const FACTORY_KEY: &[u8] = b"factory key 1234";
const SERVER_KEY: &[u8] = b"server key 56789";
const SERVER_ID: u16 = 7;
const PATIENCE: Duration = Duration::from_secs(30);

fn security(key: &[u8]) -> (Arc<SecurityStore>, Option<lwm2m_dtls::Config>) {
    let store = SecurityStore::new(OwnCredentials::default());
    store.put(NAME, Credential::psk(NAME.as_bytes(), key).unwrap()).unwrap();
    (Arc::new(store), Some(lwm2m_dtls::Config::default()))
}

fn sockets() -> Sockets {
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Sockets { dtls: Some(free), ..Sockets::default() }
}

/// The server that the device is to get.
async fn server() -> ServerHandle {
    let (store, dtls) = security(SERVER_KEY);
    let server = Server::new(Config::default().security(store).dtls(dtls), [1; 32]);
    lwm2m_net::bind_server(sockets(), server, None).await.unwrap()
}

fn account(server: SocketAddr) -> Vec<Command> {
    let security = ObjectInstance::default()
        .with(0, format!("coaps://{server}"))
        .with(1, false)
        .with(2, 0_i64)
        .with(3, Bytes::from_static(NAME.as_bytes()))
        .with(4, Bytes::new())
        .with(5, Bytes::from_static(SERVER_KEY))
        .with(10, i64::from(SERVER_ID));
    let settings = ObjectInstance::default()
        .with(0, i64::from(SERVER_ID))
        .with(1, 300_i64)
        .with(6, true)
        .with(7, "U");
    vec![
        Command::Write(Path::object(0), Node::Object(Object { instances: [(1, security)].into() })),
        Command::Write(Path::instance(1, 0), Node::ObjectInstance(settings)),
    ]
}

/// What bootstraps the device, until it is dropped; where it listens, and what it tells.
async fn bootstrap_server(
    server: SocketAddr,
) -> (impl Sized, SocketAddr, UnboundedReceiver<Bootstrap>) {
    let (security, dtls) = security(FACTORY_KEY);
    let config = lwm2m_bootstrap::Config { security, dtls, ..Default::default() };
    let mut engine = BootstrapServer::new(config, [2; 32]);
    engine.configure(NAME, account(server));
    let (sender, events) = mpsc::unbounded_channel();
    let sink = move |_now, _server: &mut BootstrapServer, event: Bootstrap| {
        let _ = sender.send(event);
    };
    let handle = Handle::bind_with(sockets(), engine, sink).await.unwrap();
    let address = handle.local().dtls.unwrap();
    (handle, address, events)
}

async fn until(events: &mut Events, is: impl Fn(&Event) -> bool) {
    let wait = async { while !is(&events.recv().await.unwrap()) {} };
    timeout(PATIENCE, wait).await.expect("the event comes");
}

#[tokio::test]
async fn a_device_registers_with_the_server_that_a_bootstrap_gave_it_also_after_a_restart() {
    let (folder, server) = (TempDir::new().unwrap(), server().await);
    let (bootstrap, address, mut told) = bootstrap_server(server.local().dtls.unwrap()).await;
    let mut settings = Settings {
        bootstrap: Some(format!("coaps://{address}")),
        endpoint: Some(NAME.to_owned()),
        data: Some(folder.path().to_owned()),
        bind: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        ..Settings::default()
    };
    settings.security.psk_identity = Some(NAME.to_owned());
    let key: String = FACTORY_KEY.iter().map(|byte| format!("{byte:02x}")).collect();
    settings.security.psk_key = Some(key.into());
    let mut events = server.subscribe();

    let device = lwm2m_clientd::start(&settings).await.unwrap();
    until(&mut events, |event| matches!(event, Event::Registered(_))).await;
    device.update().await.unwrap();
    until(&mut events, |event| matches!(event, Event::Updated { .. })).await;
    assert!(device.stop().await, "the server is told");
    until(&mut events, |event| matches!(event, Event::Deregistered { .. })).await;
    let mut bootstraps = 0;
    while let Ok(event) = told.try_recv() {
        bootstraps += u32::from(matches!(event, Bootstrap::Started { .. }));
    }
    assert_eq!(bootstraps, 1);

    // It has its accounts, and needs nobody else.
    drop(bootstrap);
    let device = lwm2m_clientd::start(&settings).await.unwrap();
    until(&mut events, |event| matches!(event, Event::Registered(_))).await;
    assert!(device.stop().await);
}
