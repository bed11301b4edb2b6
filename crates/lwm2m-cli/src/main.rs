//! `lwm2m`: a demonstration of the stack, tools for CoAP, keys and payloads, and a client of the HTTP API.

mod api;
mod coap;
mod convert;
mod demo;
mod doctor;
mod keys;
mod load;
mod serve;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use lwm2m_app::exit;
use std::process::ExitCode;

/// LwM2M on the command line.
#[derive(Parser, Debug)]
#[command(name = "lwm2m", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Runs a server and five simulated devices in this process
    Demo(demo::Arguments),
    /// Sends a request to any CoAP server, or runs one
    Coap(Box<coap::Arguments>),
    /// Measures a CoAP server over UDP or DTLS
    Load(load::Arguments),
    /// Makes keys and certificates for the security modes
    Keys(keys::Arguments),
    /// Decodes a payload or a CoAP message to JSON
    Decode(convert::Arguments),
    /// Encodes the JSON that `decode` prints to a payload or a CoAP message
    Encode(convert::Arguments),
    /// Connects to a server as a device does, and says what fails and what to do
    Doctor(Box<doctor::Arguments>),
    #[command(flatten)]
    Api(api::Command),
    /// Prints the completions of a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

fn main() -> ExitCode {
    let arguments: Arguments = match exit::arguments("lwm2m") {
        Ok(arguments) => arguments,
        Err(status) => return status,
    };
    let outcome = match arguments.command {
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Coap(arguments) => coap::run(&arguments),
        Command::Load(arguments) => load::run(&arguments),
        Command::Keys(arguments) => keys::run(&arguments),
        Command::Decode(arguments) => convert::run(&arguments, convert::Direction::Decode),
        Command::Encode(arguments) => convert::run(&arguments, convert::Direction::Encode),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Api(command) => api::run(&command),
        Command::Completions { shell } => {
            clap_complete::generate(
                shell,
                &mut Arguments::command(),
                "lwm2m",
                &mut std::io::stdout(),
            );
            Ok(())
        }
    };
    exit::status("lwm2m", outcome)
}
