//! `rustls` by itself: TLS 1.3 with certificates, on its buffered connections.

use crate::{End, Mode, Stack, data};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::time_provider::TimeProvider;
use rustls::version::TLS13;
use rustls::{ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig};
use rustls::{ServerConnection, SupportedProtocolVersion};
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

const VERSIONS: &[&SupportedProtocolVersion] = &[&TLS13];

/// When the certificates are good.
#[derive(Debug)]
struct Today;

impl TimeProvider for Today {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000)))
    }
}

struct Rustls {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
}

fn roots() -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(data!("root.cert.der"))).unwrap();
    Arc::new(roots)
}

fn key(der: &'static [u8]) -> PrivateKeyDer<'static> {
    PrivateKeyDer::try_from(der).unwrap()
}

pub(crate) fn tls13(mode: Mode) -> Option<Box<dyn Stack>> {
    let library = Arc::new(default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(roots(), Arc::clone(&library));
    let chain = [data!("server.cert.der"), data!("intermediate.cert.der")];
    let mut server = ServerConfig::builder_with_details(Arc::clone(&library), Arc::new(Today))
        .with_protocol_versions(VERSIONS)
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(chain.map(CertificateDer::from).to_vec(), key(data!("server.key.der")))
        .unwrap();
    server.session_storage = Arc::new(NoServerSessionStorage {});
    server.send_tls13_tickets = 0;
    let chain = vec![CertificateDer::from(data!("client.cert.der"))];
    let mut client = ClientConfig::builder_with_details(library, Arc::new(Today))
        .with_protocol_versions(VERSIONS)
        .unwrap()
        .with_root_certificates(roots())
        .with_client_auth_cert(chain, key(data!("client.key.der")))
        .unwrap();
    client.resumption = Resumption::disabled();
    let (client, server) = (Arc::new(client), Arc::new(server));
    (mode == Mode::Certificate).then(|| Box::new(Rustls { client, server }) as Box<dyn Stack>)
}

impl Stack for Rustls {
    fn name(&self) -> &'static str {
        "rustls, TLS 1.3"
    }
    fn client(&mut self) -> Box<dyn End> {
        let name = ServerName::try_from("server.example.com").unwrap();
        let connection = ClientConnection::new(Arc::clone(&self.client), name).unwrap();
        Box::new(Side(Connection::Client(connection)))
    }
    fn server(&mut self) -> Box<dyn End> {
        let connection = ServerConnection::new(Arc::clone(&self.server)).unwrap();
        Box::new(Side(Connection::Server(connection)))
    }
}

struct Side(Connection);

impl End for Side {
    fn handle(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            self.0.read_tls(&mut bytes).unwrap();
            self.0.process_new_packets().unwrap();
        }
    }
    fn poll(&mut self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        while self.0.wants_write() {
            self.0.write_tls(&mut out).unwrap();
        }
        (!out.is_empty()).then_some(out)
    }
    fn is_connected(&self) -> bool {
        !self.0.is_handshaking()
    }
    fn send(&mut self, data: &[u8]) {
        self.0.writer().write_all(data).unwrap();
    }
    fn received(&mut self) -> bool {
        self.0.reader().read(&mut [0; 128]).is_ok()
    }
}
