//! `lwm2m-serverd`: the LwM2M server as a daemon.

use clap::Parser;
use lwm2m_app::{Failure, data, exit, log, settings};
use lwm2m_serverd::Settings;
use std::path::PathBuf;
use std::process::ExitCode;

/// A Read by HTTP takes 8% less processor time than with that of the C library, a handshake 10% less.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    #[command(subcommand)]
    command: Option<Command>,
}

/// What to do with the data folder instead of serving.
#[derive(clap::Subcommand, Debug)]
enum Command {
    /// Copy the data to a file, also while a server runs
    Backup {
        /// The file; replaced if it exists
        file: PathBuf,
    },
    /// Make the data folder from a backup; devices come back by new handshakes
    Restore {
        /// The backup
        file: PathBuf,
        /// Replace the data that is there
        #[arg(long)]
        replace: bool,
    },
    /// Make another admin token for the HTTP API, where all others are lost; no server may run
    AdminToken,
    /// Print a settings file with all settings as comments, or their reference
    Settings {
        /// The reference, in Markdown
        #[arg(long)]
        reference: bool,
    },
    /// Tell what is in the data folder, also while a server runs
    Inspect,
}

fn main() -> ExitCode {
    let arguments = match exit::arguments("lwm2m-serverd") {
        Ok(arguments) => arguments,
        Err(status) => return status,
    };
    let ran = match lwm2m_app::runtime() {
        Ok(runtime) => {
            let ran = runtime.block_on(run(arguments));
            // What is kept is kept by now; nobody waits for a receiver of events that does not answer.
            runtime.shutdown_background();
            ran
        }
        Err(error) => Err(Failure::running(format!("cannot start: {error}"))),
    };
    exit::status("lwm2m-serverd", ran)
}

async fn run(arguments: Arguments) -> Result<(), Failure> {
    let file = settings::read(arguments.config.as_deref()).map_err(Failure::usage)?;
    let settings = arguments.settings.or(file);
    log::start_as(settings.log.unwrap_or_default(), settings.log_format.unwrap_or_default());
    let folder = settings.data_folder();
    match arguments.command {
        None => lwm2m_serverd::run(&settings).await,
        Some(Command::Backup { file }) => data::backup(&folder?, &file),
        Some(Command::Restore { file, replace }) => data::restore(&file, &folder?, replace),
        Some(Command::AdminToken) => lwm2m_serverd::admin_token(&folder?),
        Some(Command::Settings { reference }) => {
            use lwm2m_serverd::reference;
            let text = if reference { reference::markdown() } else { reference::sample() };
            lwm2m_app::print_line(text.trim_end());
            Ok(())
        }
        Some(Command::Inspect) => data::inspect(&folder?, lwm2m_serverd::table_name),
    }
}
