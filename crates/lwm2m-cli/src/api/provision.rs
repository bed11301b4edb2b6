//! `lwm2m provision`

use super::client::{Sent, encoded};
use super::table::{Table, plain, time};
use super::{Session, credentials, text};
use clap::{Args, Subcommand};
use indicatif::ProgressBar;
use lwm2m_app::Failure;
use serde_json::{Value as Json, json};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use ureq::http::Method;

const DEVICES: &str = "/api/devices";

/// What `provision` takes.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Makes a device, and prints how it comes to its bootstrap; its key is shown this once
    Add(Box<Add>),
    /// Makes the devices of a file, and writes how they come to their bootstrap to another one
    Import {
        /// A device a line: its endpoint name, or JSON as POST /api/devices takes it
        file: PathBuf,
        /// Where the answers go, an object a line; it has keys in it, so the file is yours alone
        #[arg(long, value_name = "FILE")]
        output: PathBuf,
        #[command(flatten)]
        account: Account,
    },
    /// Says how far a device has come
    Show {
        /// The endpoint name
        endpoint: String,
    },
    /// Takes a device away with all its keys, which throws it out
    Delete {
        /// The endpoint name
        endpoint: String,
    },
}

#[derive(Args, Debug)]
struct Add {
    /// The endpoint name
    endpoint: String,
    /// The key that the device has from its factory, in a file made by `lwm2m keys psk` [default: a new key]
    #[arg(long, value_name = "FILE", group = "factory")]
    psk_file: Option<PathBuf>,
    /// The public key that the device has from its factory, in PEM or DER
    #[arg(long, value_name = "FILE", group = "factory")]
    rpk: Option<PathBuf>,
    /// The device has a certificate from its factory, of an authority that the server trusts
    #[arg(long, group = "factory")]
    x509: bool,
    #[command(flatten)]
    account: Account,
}

/// What devices are told of the server.
#[derive(Args, Debug)]
struct Account {
    /// The name or address by which devices reach the server [default: that of the API]
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// The lifetime of their registrations in seconds [default: a day]
    #[arg(long, value_name = "SECONDS")]
    lifetime: Option<u32>,
}

impl Account {
    /// Adds what the body of a request does not say itself.
    fn fill(&self, mut body: Json) -> Json {
        let filled = [("host", json!(self.host)), ("lifetime", json!(self.lifetime))];
        if let Some(members) = body.as_object_mut() {
            for (name, value) in filled.into_iter().filter(|(_, value)| !value.is_null()) {
                members.entry(name).or_insert(value);
            }
        }
        body
    }
}

pub(super) fn run(it: &Arguments, session: &Session) -> Result<(), Failure> {
    match &it.command {
        Command::Add(add) => self::add(add, session),
        Command::Import { file, output, account } => import(file, output, account, session),
        Command::Show { endpoint } => show(endpoint, session),
        Command::Delete { endpoint } => {
            let path = format!("{DEVICES}/{}", encoded(endpoint));
            session.client.call(&Method::DELETE, &path, &Sent::default()).map(drop)
        }
    }
}

fn add(add: &Add, session: &Session) -> Result<(), Failure> {
    let factory = credentials::given(add.psk_file.as_deref(), add.rpk.as_deref(), add.x509)?;
    let body = json!({"endpoint": add.endpoint, "factory": factory});
    let made = make(&add.account.fill(body), session)?;
    session.print(&made, |made| {
        let bootstrap = &made["bootstrap"];
        let keys = match text(bootstrap, "key") {
            "" if add.x509 => " --cert device.crt --key device.key --trust ca.crt".to_owned(),
            "" if add.rpk.is_some() => " --rpk device.key --peer-rpk server.pub".to_owned(),
            "" => " --psk-file device.psk".to_owned(),
            key => format!(" --psk-identity '{}' --psk-key {key}", text(bootstrap, "identity")),
        };
        let (uri, name) = (text(bootstrap, "uri"), text(made, "endpoint"));
        let line = format!("lwm2m-clientd --bootstrap {uri} --endpoint '{name}'{keys}");
        lwm2m_app::print_line(plain(&line));
    });
    if !session.json && made["bootstrap"].get("key").is_some() {
        eprintln!("the key is shown this once");
    }
    Ok(())
}

fn make(body: &Json, session: &Session) -> Result<Json, Failure> {
    let body = body.to_string();
    let sent = Sent { body: Some(("application/json", &body)), headers: Vec::new() };
    session.client.call(&Method::POST, DEVICES, &sent)
}

/// Makes devices one after the other. What is refused is told, and the others are made.
fn import(file: &Path, output: &Path, account: &Account, session: &Session) -> Result<(), Failure> {
    let lines = std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", file.display())))?;
    let mut made = create(output)?;
    let cannot = |error| Failure::running(format!("cannot write {}: {error}", output.display()));
    let devices = || lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let progress = ProgressBar::new(u64::try_from(devices().count()).unwrap_or(u64::MAX));
    let mut refused = 0;
    for (number, line) in devices() {
        match body(line).and_then(|body| make(&account.fill(body), session)) {
            // At once: the server does not tell it a second time.
            Ok(answer) => writeln!(made, "{answer}").and_then(|()| made.flush()).map_err(cannot)?,
            Err(error) => {
                refused += 1;
                progress.suspend(|| eprintln!("{}:{}: {error}", file.display(), number + 1));
            }
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    made.sync_all().map_err(cannot)?;
    match refused {
        0 => Ok(()),
        some => {
            let all = devices().count();
            Err(Failure::running(format!("{some} of {all} devices could not be made")))
        }
    }
}

/// The request that a line stands for.
fn body(line: &str) -> Result<Json, Failure> {
    let line = line.trim();
    match line.starts_with('{') {
        true => serde_json::from_str(line).map_err(Failure::usage),
        false => Ok(json!({"endpoint": line})),
    }
}

/// A new file for its owner alone. One that exists may have keys in it that nobody else has.
fn create(output: &Path) -> Result<File, Failure> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(output)
        .map_err(|error| Failure::usage(format!("cannot create {}: {error}", output.display())))
}

fn show(endpoint: &str, session: &Session) -> Result<(), Failure> {
    let device = session.client.get(&format!("{DEVICES}/{}", encoded(endpoint)))?;
    session.print(&device, |device| {
        let registered = if device["registered"] == true { "yes" } else { "no" };
        let mut rows = Table::new(&["what", "is"]);
        let factory = text(&device["factory"], "mode").to_owned();
        let account = text(&device["configuration"]["security"]["1"], "uri").to_owned();
        rows.row(["key of the factory".to_owned(), factory]);
        rows.row(["is told".to_owned(), account]);
        rows.row(["registered".to_owned(), registered.to_owned()]);
        for attempt in device["bootstraps"].as_array().into_iter().flatten() {
            let when = time(attempt["began"].as_i64().unwrap_or_default());
            let how = [text(attempt, "state"), text(attempt, "reason")];
            rows.row([format!("bootstrap at {when}"), how.join(" ").trim_end().to_owned()]);
            for step in attempt["steps"].as_array().into_iter().flatten() {
                let [command, path] = ["command", "path"].map(|name| text(step, name).to_owned());
                rows.row([format!("  {command}"), path]);
            }
        }
        rows.print();
    });
    Ok(())
}
