//! The commands that use the HTTP API of a server: tables for people, `--json` for programs.

mod capture;
mod client;
mod commands;
mod context;
mod credentials;
mod devices;
mod events;
mod models;
mod node;
mod operations;
mod provision;
mod sse;
mod table;
mod why;

use clap::{Args, Subcommand};
use client::Client;
use lwm2m_app::Failure;
use serde_json::Value as Json;
use std::path::PathBuf;

/// Where the server is, and how its answers are printed.
#[derive(Args, Debug, Clone, Default)]
#[command(next_help_heading = "Server")]
pub(crate) struct Connection {
    /// The HTTP API [default: that of the context, or http://127.0.0.1:8080]
    #[arg(long, env = "LWM2M_API", value_name = "URL", global = true)]
    server: Option<String>,
    /// The token [default: that of the context, if it is for this server]
    #[arg(long, env = "LWM2M_TOKEN", value_name = "TOKEN", global = true, hide_env_values = true)]
    token: Option<String>,
    /// The context to use in place of the current one; see `lwm2m context`
    #[arg(long, env = "LWM2M_CONTEXT", value_name = "NAME", global = true)]
    context: Option<String>,
    /// Authorities that the server's certificate is trusted by, in PEM, in place of the system's
    #[arg(long, value_name = "FILE", global = true)]
    ca: Option<PathBuf>,
    /// Send the token over http to another machine, where the network is trusted
    #[arg(long, global = true)]
    allow_http: bool,
    /// Print JSON: of lists, an object a line
    #[arg(long, global = true)]
    json: bool,
}

/// The commands that use the API.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Keeps the server's address and a token for the commands that follow
    Login(With<context::Login>),
    /// Lists the contexts that `login` made, or makes one of them the current one
    Context(With<context::Arguments>),
    /// Lists the registered devices, or shows one
    Devices(With<devices::Arguments>),
    /// Reads from a device
    Read(With<operations::Read>),
    /// Writes to a device
    Write(With<operations::Write>),
    /// Executes a resource of a device
    Exec(With<operations::Exec>),
    /// Creates an object instance on a device
    Create(With<operations::Create>),
    /// Deletes an object instance of a device, or an instance of a resource
    Delete(With<operations::Delete>),
    /// Observes a device, and prints its values as they come
    Observe(With<operations::Observe>),
    /// Lists operations that wait for their devices, and their results
    Commands(With<commands::Arguments>),
    /// Lists, sets and removes the credentials of devices
    Creds(With<credentials::Arguments>),
    /// Makes devices that come in by the bootstrap server, and takes them away
    Provision(With<provision::Arguments>),
    /// Prints what happened to devices
    Events(With<events::Arguments>),
    /// Lists, shows and adds definitions of objects
    Models(With<models::Arguments>),
    /// Says what is the matter with a device, registered or not, and what to do
    Why(With<why::Why>),
    /// Prints the last messages of a device, or writes them for Wireshark
    Capture(With<capture::Capture>),
    /// Lists what the server forgave a device that deviates from the standard
    Quirks(With<capture::Quirks>),
    /// Lists the last clients that did not get in, with the reasons
    Rejected(With<why::Rejected>),
}

/// The arguments of a command, with those of its server.
#[derive(Args, Debug)]
pub(crate) struct With<A: Args> {
    #[command(flatten)]
    of: A,
    #[command(flatten)]
    connection: Connection,
}

/// Runs a command.
///
/// # Errors
/// The server cannot be reached or refuses, or the device refuses.
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Login(it) => context::login(&it.of, &it.connection),
        Command::Context(it) => context::run(&it.of, &it.connection),
        Command::Devices(it) => devices::run(&it.of, &session(&it.connection)?),
        Command::Read(it) => operations::read(&it.of, &session(&it.connection)?),
        Command::Write(it) => operations::write(&it.of, &session(&it.connection)?),
        Command::Exec(it) => operations::exec(&it.of, &session(&it.connection)?),
        Command::Create(it) => operations::create(&it.of, &session(&it.connection)?),
        Command::Delete(it) => operations::delete(&it.of, &session(&it.connection)?),
        Command::Observe(it) => operations::observe(&it.of, &session(&it.connection)?),
        Command::Commands(it) => commands::run(&it.of, &session(&it.connection)?),
        Command::Creds(it) => credentials::run(&it.of, &session(&it.connection)?),
        Command::Provision(it) => provision::run(&it.of, &session(&it.connection)?),
        Command::Events(it) => events::run(&it.of, &session(&it.connection)?),
        Command::Models(it) => models::run(&it.of, &session(&it.connection)?),
        Command::Why(it) => why::why(&it.of, &session(&it.connection)?),
        Command::Capture(it) => capture::capture(&it.of, &session(&it.connection)?),
        Command::Quirks(it) => capture::quirks(&it.of, &session(&it.connection)?),
        Command::Rejected(it) => why::rejected(&it.of, &session(&it.connection)?),
    }
}

/// A client of the API, and how answers are printed.
struct Session {
    client: Client,
    json: bool,
}

fn session(connection: &Connection) -> Result<Session, Failure> {
    let access = context::access(connection)?;
    Ok(Session { client: Client::new(&access)?, json: connection.json })
}

impl Session {
    /// Prints JSON as it is, or what `people` makes of it.
    fn print(&self, json: &Json, people: impl FnOnce(&Json)) {
        match self.json {
            true => lwm2m_app::print_line(json),
            false => people(json),
        }
    }
}

/// A text in JSON, or nothing.
fn text<'j>(json: &'j Json, name: &str) -> &'j str {
    json.get(name).and_then(Json::as_str).unwrap_or_default()
}
