//! Mbed TLS 2.28 by its crate: pre-shared keys and certificates. Its heap is C's and not counted.

use crate::{End, IDENTITY, KEY, Mode, Pipe, Stack, data};
use mbedtls::pk::Pk;
use mbedtls::rng::{CtrDrbg, OsEntropy};
use mbedtls::ssl::config::{AuthMode, Endpoint, Preset, Transport};
use mbedtls::ssl::context::Timer;
use mbedtls::ssl::{Config, Context, CookieContext};
use mbedtls::x509::Certificate;
use std::io::{Read, Write};
use std::sync::Arc;

const PSK_CCM_8: i32 = 0xc0a8;
const ECDSA_CCM_8: i32 = 0xc0ae;

struct MbedTls {
    client: Arc<Config>,
    server: Arc<Config>,
}

/// Text as the parsers of C want it.
fn text(pem: &[u8]) -> Vec<u8> {
    [pem, &[0]].concat()
}

fn config(is_server: bool, mode: Mode) -> Config {
    let rng = Arc::new(CtrDrbg::new(Arc::new(OsEntropy::new()), None).unwrap());
    let endpoint = if is_server { Endpoint::Server } else { Endpoint::Client };
    let mut config = Config::new(endpoint, Transport::Datagram, Preset::Default);
    if is_server {
        config.set_dtls_cookies(Arc::new(CookieContext::new(Arc::clone(&rng)).unwrap()));
    }
    config.set_rng(rng);
    if mode == Mode::Psk {
        config.set_ciphersuites(Arc::new(vec![PSK_CCM_8, 0]));
        config.set_psk(KEY, IDENTITY).unwrap();
        return config;
    }
    let (key, chain) = if is_server {
        let chain = [data!("server.cert.pem"), data!("intermediate.cert.pem")].concat();
        (data!("server.key.pem"), chain)
    } else {
        (data!("client.key.pem"), data!("client.cert.pem").to_vec())
    };
    let key = Arc::new(Pk::from_private_key(&text(key), None).unwrap());
    let chain = Arc::new(Certificate::from_pem_multiple(&text(&chain)).unwrap());
    let root = Certificate::from_pem_multiple(&text(data!("root.cert.pem"))).unwrap();
    config.set_ciphersuites(Arc::new(vec![ECDSA_CCM_8, 0]));
    config.set_authmode(AuthMode::Required);
    config.set_ca_list(Arc::new(root), None);
    config.push_cert(chain, key).unwrap();
    config
}

pub(crate) fn stack(mode: Mode) -> Option<Box<dyn Stack>> {
    (mode != Mode::RawPublicKey).then(|| {
        let client = Arc::new(config(false, mode));
        let server = Arc::new(config(true, mode));
        Box::new(MbedTls { client, server }) as Box<dyn Stack>
    })
}

/// A client of the server of that name, or a server.
fn side(config: &Arc<Config>, name: Option<&str>) -> Box<dyn End> {
    let pipe = Pipe::default();
    let mut context = Context::new(Arc::clone(config));
    context.set_timer_callback(Box::new(Timer::new()));
    if name.is_none() {
        context.set_client_transport_id_once(b"client");
    }
    // It cannot be done before a datagram has come.
    let connected = context.establish(pipe.clone(), name).is_ok();
    Box::new(Side { context, pipe, connected })
}

impl Stack for MbedTls {
    fn name(&self) -> &'static str {
        "Mbed TLS 2.28"
    }
    fn client(&mut self) -> Box<dyn End> {
        side(&self.client, Some("server.example.com"))
    }
    fn server(&mut self) -> Box<dyn End> {
        side(&self.server, None)
    }
    fn is_counted(&self) -> bool {
        false
    }
}

struct Side {
    context: Context<Pipe>,
    pipe: Pipe,
    connected: bool,
}

impl End for Side {
    fn handle(&mut self, datagram: &[u8]) {
        self.pipe.put_incoming(datagram);
        if !self.connected {
            // An error is that more is needed, or that the client has to show the cookie.
            self.connected = self.context.handshake().is_ok();
        }
    }
    fn poll(&mut self) -> Option<Vec<u8>> {
        self.pipe.take_outgoing()
    }
    fn is_connected(&self) -> bool {
        self.connected
    }
    fn send(&mut self, data: &[u8]) {
        self.context.write_all(data).unwrap();
    }
    fn received(&mut self) -> bool {
        self.context.read(&mut [0; 128]).is_ok()
    }
}
