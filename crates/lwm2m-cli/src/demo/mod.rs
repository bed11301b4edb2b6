//! `lwm2m demo`: a server and three simulated devices in one process.

mod tour;

use clap::Args;
use lwm2m_clientd::Device;
use lwm2m_daemon::{Failure, LogLevel, log, signal::End};
use lwm2m_serverd::Running;
use std::net::SocketAddr;

/// The endpoint names of the devices.
const ENDPOINTS: [&str; 3] = ["thermostat-1", "thermostat-2", "thermostat-3"];

/// What `demo` takes.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Run a scripted tour of every operation, print a table and exit: 0, or 1 at the first failure
    #[arg(long)]
    once: bool,
    /// Address for CoAP over UDP [default: 127.0.0.1:5683; any free port with --once]
    #[arg(long, value_name = "ADDRESS:PORT")]
    coap: Option<SocketAddr>,
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
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(Failure::running)?.block_on(demo(arguments))
}

async fn demo(arguments: &Arguments) -> Result<(), Failure> {
    let port = |usual: u16| if arguments.once { 0 } else { usual };
    let local = |usual| SocketAddr::from(([127, 0, 0, 1], port(usual)));
    let server = lwm2m_serverd::start(&lwm2m_serverd::Settings {
        coap: Some(arguments.coap.unwrap_or_else(|| local(5683))),
        http: Some(arguments.http.unwrap_or_else(|| local(8080))),
        ..Default::default()
    })
    .await?;
    let outcome = match arguments.once {
        true => tour::run(&server).await,
        false => show(&server).await,
    };
    server.stop().await?;
    outcome
}

/// Starts a device that registers with the server; its temperature moves every `period` seconds.
async fn device(server: &Running, endpoint: &str, period: u32) -> Result<Device, Failure> {
    let settings = lwm2m_clientd::Settings {
        server: Some(format!("coap://{}", server.server.local_addr())),
        endpoint: Some(endpoint.to_owned()),
        period: Some(period),
        bind: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        ..Default::default()
    };
    lwm2m_clientd::start(&settings).await
}

async fn show(server: &Running) -> Result<(), Failure> {
    let mut end = End::listen().map_err(Failure::running)?;
    let mut devices = Vec::new();
    for endpoint in ENDPOINTS {
        devices.push(device(server, endpoint, 5).await?);
    }
    print_hints(server);
    end.wait().await;
    lwm2m_daemon::say(format_args!("stopping"));
    for device in devices {
        device.stop().await;
    }
    Ok(())
}

fn print_hints(server: &Running) {
    let (coap, http) = (server.server.local_addr(), server.http);
    let first = ENDPOINTS[0];
    lwm2m_daemon::say(format_args!(
        "An LwM2M server and three devices are running.

  CoAP       coap://{coap}
  dashboard  http://{http}/
  devices    {}

Try, in another terminal:

  curl http://{http}/api/clients
  curl http://{http}/api/clients/{first}/3/0
  curl http://{http}/api/clients/{first}/3303/0/5700?format=TEXT
  curl -X PUT -H 'Content-Type: application/json' \\
       -d '{{\"id\":1,\"kind\":\"singleResource\",\"type\":\"INTEGER\",\"value\":\"600\"}}' \\
       http://{http}/api/clients/{first}/1/0/1
  curl -X POST http://{http}/api/clients/{first}/3303/0/5700/observe
  curl -N http://{http}/api/event

or add a device of your own: cargo run --release --bin lwm2m-clientd -- --endpoint mine

Ctrl-C stops everything.",
        ENDPOINTS.join(", ")
    ));
}
