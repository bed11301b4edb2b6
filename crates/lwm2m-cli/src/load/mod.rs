//! `lwm2m load`: many requests to a CoAP server over UDP or DTLS, and how long they took.

mod cpu;
mod generator;
mod sender;
#[cfg(test)]
mod tests;
mod wire;

use crate::coap::security;
use clap::Args;
use generator::{Load, MAX_PER_SOCKET, Report};
use lwm2m_app::secured::Secured;
use lwm2m_app::{Failure, LogLevel, log, print_line};
use lwm2m_coap::Request;
use lwm2m_coap::uri::Uri;
use serde_json::json;
use std::time::Duration;

/// Default number of sockets: enough that the server sees many peers.
const SOCKETS: u64 = 16;
/// Largest number of sockets: each is an open file.
const MAX_SOCKETS: u64 = 8_192;
/// Largest number of requests: their latencies are kept in memory.
const MAX_REQUESTS: u64 = MAX_SOCKETS * MAX_PER_SOCKET as u64;

/// What `load` takes.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The resource, for example coap://127.0.0.1/test
    uri: String,
    #[command(flatten)]
    secured: Secured,
    /// Requests to send
    #[arg(long, value_name = "NUMBER", default_value_t = 100_000,
          value_parser = clap::value_parser!(u64).range(1..=MAX_REQUESTS))]
    requests: u64,
    /// Sockets to send from [default: 16, or as many as the message IDs of the requests need]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..=MAX_SOCKETS))]
    sockets: Option<u64>,
    /// Requests that each socket has under way
    #[arg(long, value_name = "NUMBER", default_value_t = 4,
          value_parser = clap::value_parser!(u16).range(1..=1_024))]
    window: u16,
    /// Send a PUT with this payload in place of a GET
    #[arg(long, value_name = "PAYLOAD")]
    put: Option<String>,
    /// Seconds after which the load ends, finished or not
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    at_most: u32,
    /// Process id of the server, to print its CPU time per request
    #[arg(long, value_name = "ID")]
    pid: Option<u32>,
    /// Print a line of JSON
    #[arg(long)]
    json: bool,
}

/// Runs `lwm2m load`.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    log::start(LogLevel::Warn);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Failure::running)?;
    let load = runtime.block_on(load(arguments))?;
    let seed = lwm2m_net::seed().map_err(Failure::running)?;
    let before = (cpu::own(), arguments.pid.and_then(cpu::of));
    let report = runtime.block_on(generator::run(&load, seed)).map_err(Failure::running)?;
    let spent = |before: Option<Duration>, after: Option<Duration>| {
        let answered = report.succeeded + report.refused;
        let spent = after?.checked_sub(before?)?;
        (answered > 0).then(|| spent.as_secs_f64() * 1e6 / answered as f64)
    };
    let own = spent(before.0, cpu::own());
    let server = spent(before.1, arguments.pid.and_then(cpu::of));
    print_line(if arguments.json {
        line(&report, own, server)
    } else {
        table(&report, own, server)
    });
    if report.failed + report.unfinished > 0 {
        return Err(Failure::running(
            "some requests were not answered; the report has the numbers",
        ));
    }
    if report.succeeded == 0 {
        return Err(Failure::running(
            "the server refused every request; see its answer by `lwm2m coap`",
        ));
    }
    Ok(())
}

async fn load(arguments: &Arguments) -> Result<Load, Failure> {
    let needed = arguments.requests.div_ceil(MAX_PER_SOCKET.into());
    let sockets = arguments.sockets.unwrap_or_else(|| needed.max(SOCKETS));
    if sockets < needed {
        return Err(Failure::usage(format!(
            "{} requests need {needed} sockets",
            arguments.requests
        )));
    }
    let uri = Uri::parse(&arguments.uri).map_err(Failure::usage)?;
    let server = lwm2m_net::uri::resolve(&arguments.uri).await.map_err(Failure::usage)?;
    if server.scheme.is_connection() {
        return Err(Failure::usage("load works over UDP: use a coap:// or coaps:// URI"));
    }
    let security = security(&arguments.uri, &arguments.secured)?;
    let mut request = match &arguments.put {
        Some(payload) => Request::put().payload(payload.clone()),
        None => Request::get(),
    };
    uri.push_options(&mut request.options);
    uri.push_host(&mut request.options);
    if request.payload.len() > 1_024 {
        return Err(Failure::usage("the payload is longer than 1,024 bytes"));
    }
    Ok(Load {
        server: server.address,
        request,
        security,
        requests: arguments.requests,
        sockets: u32::try_from(sockets).unwrap_or(u32::MAX),
        window: arguments.window,
        at_most: Duration::from_secs(arguments.at_most.into()),
    })
}

const SHARES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("max", 1.0)];

fn line(report: &Report, own: Option<f64>, server: Option<f64>) -> String {
    let latency = SHARES.map(|(name, share)| (name, report.latency(share).as_micros() as u64));
    json!({
        "succeeded": report.succeeded,
        "refused": report.refused,
        "failed": report.failed,
        "unfinished": report.unfinished,
        "retransmitted": report.retransmitted,
        "handshakeSeconds": report.handshakes.as_secs_f64(),
        "seconds": report.elapsed.as_secs_f64(),
        "requestsPerSecond": report.rate(),
        "latencyMicros": latency.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
        "cpuMicrosPerRequest": {"load": own, "server": server},
    })
    .to_string()
}

fn table(report: &Report, own: Option<f64>, server: Option<f64>) -> String {
    let mut rows = vec![
        ("requests/s", format!("{:.0}", report.rate())),
        ("seconds", format!("{:.3}", report.elapsed.as_secs_f64())),
        ("succeeded", report.succeeded.to_string()),
        ("refused", report.refused.to_string()),
        ("failed", report.failed.to_string()),
        ("unfinished", report.unfinished.to_string()),
        ("sent again", report.retransmitted.to_string()),
    ];
    if !report.handshakes.is_zero() {
        rows.push(("seconds of handshakes", format!("{:.3}", report.handshakes.as_secs_f64())));
    }
    rows.extend(
        SHARES.map(|(name, share)| (name, format!("{} µs", report.latency(share).as_micros()))),
    );
    for (name, micros) in [("CPU a request, load", own), ("CPU a request, server", server)] {
        rows.extend(micros.map(|micros| (name, format!("{micros:.2} µs"))));
    }
    let lines: Vec<String> =
        rows.iter().map(|(name, value)| format!("{name:<22} {value:>12}")).collect();
    lines.join("\n")
}
