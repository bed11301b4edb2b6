//! `lwm2m doctor`: each step by which a device gets to its server, and the remedy for the first that
//! fails.

use clap::Args;
use lwm2m_app::secured::Secured;
use lwm2m_app::{Failure, LogLevel, log};
use lwm2m_client::Event;
use lwm2m_client::error::RegistrationError;
use lwm2m_clientd::Settings;
use lwm2m_coap::Code;
use lwm2m_core::Version;
use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::broadcast::Receiver;

/// What `doctor` takes.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The server: coap://, coap+tcp://, or with keys coaps://, coaps+tcp://
    uri: String,
    /// The endpoint name to register; a device that has it is replaced until it registers again
    #[arg(long, value_name = "NAME", default_value = "doctor")]
    endpoint: String,
    /// Version of LwM2M to speak: 1.0, 1.1 or 1.2
    #[arg(long, value_name = "VERSION", default_value = "1.1")]
    lwm2m: Version,
    /// Seconds that each step may take
    #[arg(long, value_name = "SECONDS", default_value = "20")]
    timeout: u32,
    #[command(flatten)]
    secured: Secured,
}

/// Runs `lwm2m doctor`.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    log::start(LogLevel::Off);
    lwm2m_app::runtime().map_err(Failure::running)?.block_on(examine(arguments))
}

async fn examine(arguments: &Arguments) -> Result<(), Failure> {
    let begun = Instant::now();
    let remote = lwm2m_net::uri::resolve(&arguments.uri).await.map_err(|error| {
        failed("address", &format!("{error}; check the name, and the DNS of this machine"))
    })?;
    passed("address", begun, &remote.address);
    let settings = Settings {
        server: Some(arguments.uri.clone()),
        endpoint: Some(arguments.endpoint.clone()),
        lwm2m: Some(arguments.lwm2m),
        security: arguments.secured.clone(),
        period: Some(0),
        ephemeral: true,
        ..Settings::default()
    };
    let device = lwm2m_clientd::prepare(&settings).await?;
    let mut events = device.client().subscribe();
    device.client().start().await.map_err(Failure::running)?;
    let patience = Duration::from_secs(arguments.timeout.into());
    if remote.scheme.is_secured() {
        let begun = Instant::now();
        match next(&mut events, patience).await {
            Some(Outcome::Session) => passed("handshake", begun, &mode(&arguments.secured)),
            other => return Err(failed("handshake", &remedy(other, arguments))),
        }
    }
    let begun = Instant::now();
    match next(&mut events, patience).await {
        Some(Outcome::Registered(location)) => passed("registration", begun, &location),
        other => return Err(failed("registration", &remedy(other, arguments))),
    }
    let begun = Instant::now();
    if !device.stop().await {
        let what =
            "the server did not confirm it and keeps the registration until its lifetime ends";
        return Err(failed("deregistration", what));
    }
    passed("deregistration", begun, &"");
    lwm2m_app::print_line(format_args!("a device with these settings gets in"));
    Ok(())
}

/// How a step went.
enum Outcome {
    Session,
    Registered(String),
    Failed(RegistrationError),
}

/// Waits for the next event that ends a step; `None` if no such event comes in time.
async fn next(events: &mut Receiver<Arc<Event>>, patience: Duration) -> Option<Outcome> {
    let wait = async {
        loop {
            match &*events.recv().await.ok()? {
                Event::SessionBegun { .. } => return Some(Outcome::Session),
                Event::Registered { location, .. } => {
                    return Some(Outcome::Registered(location.clone()));
                }
                Event::RegistrationFailed { reason, .. } => {
                    return Some(Outcome::Failed(reason.clone()));
                }
                _ => {}
            }
        }
    };
    tokio::time::timeout(patience, wait).await.ok().flatten()
}

fn passed(step: &str, begun: Instant, what: &dyn Display) {
    let time = begun.elapsed().as_secs_f32() * 1_000.0;
    lwm2m_app::print_line(format_args!("{step:<15} ok  {time:>8.1} ms  {what}"));
}

fn failed(step: &str, why: &str) -> Failure {
    Failure::running(format!("the {step} fails: {why}"))
}

/// The security mode of the keys.
fn mode(secured: &Secured) -> &'static str {
    match (&secured.rpk, &secured.cert) {
        (Some(_), _) => "raw public key",
        (None, Some(_)) => "X.509",
        (None, None) => "pre-shared key",
    }
}

/// Why a step failed, and what to do about it.
fn remedy(outcome: Option<Outcome>, arguments: &Arguments) -> String {
    match outcome {
        None | Some(Outcome::Session | Outcome::Registered(_)) => format!(
            "no answer within {} s; check that the server runs and listens for this scheme, the port, and \
             the firewalls on the way",
            arguments.timeout
        ),
        Some(Outcome::Failed(RegistrationError::Refused(error))) => match error.code {
            Code::FORBIDDEN | Code::UNAUTHORIZED | Code::BAD_REQUEST => format!(
                "the server does not let `{}` in: {error}; compare endpoint name and credential on both \
                 sides",
                arguments.endpoint
            ),
            Code::SERVICE_UNAVAILABLE => {
                format!(
                    "the server is full or too busy ({error}); try again later, or raise its limits"
                )
            }
            Code::PRECONDITION_FAILED => {
                format!("the server does not speak this version ({error}); try another --lwm2m")
            }
            _ => format!("the server refuses with {error}; see its log"),
        },
        Some(Outcome::Failed(error)) => error.to_string(),
    }
}
