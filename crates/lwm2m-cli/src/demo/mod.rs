//! `lwm2m demo`: a server and simulated devices in one process, one in each security mode and one
//! over TLS.

mod http;
mod keys;
mod tour;

use clap::Args;
use keys::{Keys, Mode};
use lwm2m_app::secured::Secured;
use lwm2m_app::{Failure, LogLevel, log, signal::End};
use lwm2m_clientd::Device;
use lwm2m_coap::uri::Scheme;
use lwm2m_serverd::Running;
use std::net::SocketAddr;

/// The devices: endpoint name, security mode and scheme.
const DEVICES: [(&str, Mode, Scheme); 5] = [
    ("thermostat-1", Mode::NoSec, Scheme::Coap),
    ("thermostat-2", Mode::Psk, Scheme::Coaps),
    ("thermostat-3", Mode::RawPublicKey, Scheme::Coaps),
    ("thermostat-4", Mode::Certificate, Scheme::Coaps),
    ("thermostat-5", Mode::Psk, Scheme::CoapsTcp),
];

/// What `demo` takes.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Run a scripted tour of every operation, print a table and exit: 0, or 1 at the first failure
    #[arg(long)]
    once: bool,
    /// Address for CoAP over UDP [default: 127.0.0.1:5683; any free port with --once]
    #[arg(long, value_name = "ADDRESS:PORT")]
    coap: Option<SocketAddr>,
    /// Address for CoAP over DTLS [default: 127.0.0.1:5684; any free port with --once]
    #[arg(long, value_name = "ADDRESS:PORT")]
    coaps: Option<SocketAddr>,
    /// Address for CoAP over TLS [default: 127.0.0.1:5684; any free port with --once]
    #[arg(long, value_name = "ADDRESS:PORT")]
    coaps_tcp: Option<SocketAddr>,
    /// Address for HTTP [default: 127.0.0.1:8080; any free port with --once]
    #[arg(long, value_name = "ADDRESS:PORT")]
    http: Option<SocketAddr>,
    /// What to log
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    log: LogLevel,
}

/// Runs `lwm2m demo`.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    log::start(arguments.log);
    lwm2m_app::runtime().map_err(Failure::running)?.block_on(demo(arguments))
}

async fn demo(arguments: &Arguments) -> Result<(), Failure> {
    let port = |usual: u16| if arguments.once { 0 } else { usual };
    let local = |usual| SocketAddr::from(([127, 0, 0, 1], port(usual)));
    let keys = Keys::new()?;
    let running = lwm2m_serverd::start(&lwm2m_serverd::Settings {
        coap: Some(arguments.coap.unwrap_or_else(|| local(5683)).into()),
        coaps: Some(arguments.coaps.unwrap_or_else(|| local(5684)).into()),
        coaps_tcp: Some(arguments.coaps_tcp.unwrap_or_else(|| local(5684))),
        http: Some(arguments.http.unwrap_or_else(|| local(8080))),
        key: Some(keys.file("server.key")),
        cert: Some(keys.file("server.crt")),
        trust: vec![keys.file("ca.crt")],
        ephemeral: true,
        trust_loopback: true,
        reveal_keys: true,
        ..Default::default()
    })
    .await?;
    let scene = Scene { running, keys };
    let outcome = match arguments.once {
        true => tour::run(&scene).await,
        false => show(&scene).await,
    };
    scene.running.stop().await?;
    outcome
}

/// The server, and the keys of server and devices.
struct Scene {
    running: Running,
    keys: Keys,
}

impl Scene {
    /// Stores the credentials of a device by the HTTP API, and starts the device.
    async fn device(
        &self,
        (endpoint, mode, scheme): (&str, Mode, Scheme),
        period: u32,
    ) -> Result<Device, Failure> {
        let (secured, credentials) = self.keys.device(endpoint, mode)?;
        if let Some(credentials) = &credentials {
            let told = self.ask("PUT", "/api/security/clients", Some(credentials)).await;
            told.map_err(Failure::running)?;
        }
        self.start(endpoint, scheme, secured, period).await
    }

    /// Starts a device that registers with the server; its temperature moves every `period`
    /// seconds.
    async fn start(
        &self,
        endpoint: &str,
        scheme: Scheme,
        security: Secured,
        period: u32,
    ) -> Result<Device, Failure> {
        let settings = lwm2m_clientd::Settings {
            server: Some(self.uri(scheme)),
            endpoint: Some(endpoint.to_owned()),
            period: Some(period),
            bind: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            security,
            ephemeral: true,
            ..Default::default()
        };
        lwm2m_clientd::start(&settings).await
    }

    /// The URI at which devices register.
    fn uri(&self, scheme: Scheme) -> String {
        let mut all = self.running.server.local().iter();
        let address = all.find_map(|(known, address)| (known == scheme).then_some(address));
        // The demo listens for each scheme that a device has.
        let address = address.map(|it| it.to_string()).unwrap_or_default();
        format!("{}://{address}", scheme.name())
    }

    /// Asks the HTTP API.
    async fn ask(
        &self,
        method: &str,
        target: &str,
        body: Option<&serde_json::Value>,
    ) -> std::io::Result<serde_json::Value> {
        http::call(self.running.http, method, target, body).await
    }
}

async fn show(scene: &Scene) -> Result<(), Failure> {
    let mut end = End::listen().map_err(Failure::running)?;
    let mut devices = Vec::new();
    for device in DEVICES {
        devices.push(scene.device(device, 5).await?);
    }
    print_hints(scene);
    end.wait().await;
    lwm2m_app::print_line(format_args!("stopping"));
    for device in devices {
        device.stop().await;
    }
    Ok(())
}

fn print_hints(scene: &Scene) {
    let [coap, coaps, coaps_tcp] =
        [Scheme::Coap, Scheme::Coaps, Scheme::CoapsTcp].map(|scheme| scene.uri(scheme));
    let http = scene.running.http;
    let first = DEVICES[0].0;
    let devices = DEVICES.map(|(endpoint, mode, scheme)| match scheme.is_connection() {
        true => format!("{endpoint} ({mode} by TLS)"),
        false => format!("{endpoint} ({mode})"),
    });
    let devices = devices.join(", ");
    lwm2m_app::print_line(format_args!(
        "An LwM2M server and five devices are running, one in each security mode and one over TLS.

  CoAP       {coap}
  DTLS       {coaps}
  TLS        {coaps_tcp}
  dashboard  http://{http}/
  devices    {devices}

Try, in another terminal:

  curl http://{http}/api/clients
  curl http://{http}/api/clients/{first}/3/0
  curl http://{http}/api/clients/{first}/3303/0/5700?format=TEXT
  curl -X PUT -H 'Content-Type: application/json' \\
       -d '{{\"id\":1,\"kind\":\"singleResource\",\"type\":\"INTEGER\",\"value\":\"600\"}}' \\
       http://{http}/api/clients/{first}/1/0/1
  curl -X POST http://{http}/api/clients/{first}/3303/0/5700/observe
  curl -N http://{http}/api/event

or add a device of your own: cargo run --bin lwm2m-clientd -- --endpoint mine
and one with a key, which you give to the server first:

  curl -X PUT -H 'Content-Type: application/json' \\
       -d '{{\"endpoint\":\"mine\",\"tls\":{{\"mode\":\"psk\",\"details\":{{\"identity\":\"mine\",\"key\":\"00112233\"}}}}}}' \\
       http://{http}/api/security/clients
  cargo run --bin lwm2m-clientd -- --server {coaps} --endpoint mine \\
       --psk-identity mine --psk-key 00112233

(or over TLS: --server {coaps_tcp})

Ctrl-C stops everything."
    ));
}
