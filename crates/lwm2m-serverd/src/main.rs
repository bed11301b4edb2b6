//! `lwm2m-serverd`: the LwM2M server as a daemon.

use clap::Parser;
use lwm2m_app::{Failure, exit, log, settings};
use lwm2m_serverd::Settings;
use std::path::PathBuf;
use std::process::ExitCode;

/// An LwM2M server: devices register by CoAP, you manage them by HTTP.
///
/// Flags win over environment variables, and these over the settings file.
#[derive(Parser, Debug)]
#[command(version)]
struct Arguments {
    /// Settings file in TOML
    #[arg(long, env = "LWM2M_SERVER_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

#[tokio::main]
async fn main() -> ExitCode {
    match exit::arguments("lwm2m-serverd") {
        Ok(arguments) => exit::status("lwm2m-serverd", run(arguments).await),
        Err(status) => status,
    }
}

async fn run(arguments: Arguments) -> Result<(), Failure> {
    let file = settings::read(arguments.config.as_deref()).map_err(Failure::usage)?;
    let settings = arguments.settings.or(file);
    log::start(settings.log.unwrap_or_default());
    lwm2m_serverd::run(&settings).await
}
