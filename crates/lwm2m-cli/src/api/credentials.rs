//! `lwm2m creds`

use super::client::{Sent, encoded};
use super::table::Table;
use super::{Session, text};
use clap::{ArgGroup, Args, Subcommand};
use lwm2m_app::{Failure, keys};
use serde_json::{Value as Json, json};
use std::path::{Path, PathBuf};
use ureq::http::Method;

const CLIENTS: &str = "/api/security/clients";

/// What `creds` takes. Without a command it lists the devices that have credentials.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Shows the credential of a device
    Get {
        /// The endpoint name
        endpoint: String,
        /// Show its pre-shared key, too; the audit log says so
        #[arg(long)]
        reveal: bool,
    },
    /// Sets the credential of a device, which ends what its old one opened
    Set(Box<Set>),
    /// Removes the credential of a device
    Delete {
        /// The endpoint name
        endpoint: String,
    },
}

#[derive(Args, Debug)]
#[command(group(ArgGroup::new("credential").required(true).args(["psk_file", "generate_psk", "rpk", "x509"])))]
struct Set {
    /// The endpoint name
    endpoint: String,
    /// A file with identity and key, made by `lwm2m keys psk`
    #[arg(long, value_name = "FILE")]
    psk_file: Option<PathBuf>,
    /// Make a pre-shared key, and print it this once
    #[arg(long)]
    generate_psk: bool,
    /// The identity of that key [default: the endpoint name]
    #[arg(long, value_name = "TEXT", requires = "generate_psk")]
    identity: Option<String>,
    /// The public key of the device in PEM or DER
    #[arg(long, value_name = "FILE")]
    rpk: Option<PathBuf>,
    /// A certificate of an authority that the server trusts
    #[arg(long)]
    x509: bool,
}

pub(super) fn run(it: &Arguments, session: &Session) -> Result<(), Failure> {
    match &it.command {
        None => list(session),
        Some(Command::Get { endpoint, reveal }) => {
            let reveal = if *reveal { "?reveal" } else { "" };
            let path = format!("{CLIENTS}/{}{reveal}", encoded(endpoint));
            let credential = session.client.get(&path)?;
            session.print(&credential, |it| print([it]));
            Ok(())
        }
        Some(Command::Set(set)) => self::set(set, session),
        Some(Command::Delete { endpoint }) => {
            let path = format!("{CLIENTS}/{}", encoded(endpoint));
            session.client.call(&Method::DELETE, &path, &Sent::default()).map(drop)
        }
    }
}

fn list(session: &Session) -> Result<(), Failure> {
    let all = session.client.get(CLIENTS)?;
    let all = all.as_array().into_iter().flatten();
    match session.json {
        true => all.for_each(lwm2m_app::print_line),
        false => print(all),
    }
    Ok(())
}

fn print<'j>(all: impl IntoIterator<Item = &'j Json>) {
    let mut table = Table::new(&["endpoint", "mode", "identity", "key"]);
    for credential in all {
        let (tls, details) = (&credential["tls"], &credential["tls"]["details"]);
        let identity = ["identity", "identityHex"].map(|name| text(details, name));
        let identity = identity.into_iter().find(|it| !it.is_empty()).unwrap_or_default();
        let cells =
            [text(credential, "endpoint"), text(tls, "mode"), identity, text(details, "key")];
        table.row(cells.map(str::to_owned));
    }
    table.print();
}

fn psk(identity: &str, key: &[u8]) -> Json {
    json!({"mode": "psk", "details": {"identity": identity, "key": hex(key)}})
}

/// The credential that flags give, in the JSON of the API; `None` if they give none.
pub(super) fn given(
    psk_file: Option<&Path>,
    rpk: Option<&Path>,
    x509: bool,
) -> Result<Option<Json>, Failure> {
    if let Some(file) = psk_file {
        let (identity, key) = keys::pre_shared_key(file).map_err(Failure::usage)?;
        return Ok(Some(psk(&identity, &key)));
    }
    if let Some(file) = rpk {
        let spki = keys::public_key(file).map_err(Failure::usage)?;
        return Ok(Some(json!({"mode": "rpk", "details": {"key": hex(&spki)}})));
    }
    Ok(x509.then(|| json!({"mode": "x509"})))
}

fn set(set: &Set, session: &Session) -> Result<(), Failure> {
    let mut made = None;
    let tls = if let Some(tls) = given(set.psk_file.as_deref(), set.rpk.as_deref(), set.x509)? {
        tls
    } else {
        let mut key = [0; 16];
        getrandom::fill(&mut key).map_err(|error| Failure::running(error.to_string()))?;
        let identity = set.identity.as_deref().unwrap_or(&set.endpoint);
        made = Some((identity.to_owned(), hex(&key)));
        psk(identity, &key)
    };
    let body = json!({"endpoint": set.endpoint, "tls": tls}).to_string();
    let sent = Sent { body: Some(("application/json", &body)), headers: Vec::new() };
    session.client.call(&Method::PUT, CLIENTS, &sent)?;
    if let Some((identity, key)) = made {
        session.print(&json!({"identity": identity, "key": key}), |_| {
            lwm2m_app::print_line(format_args!(
                "{}",
                super::table::plain(&format!(
                    "shown this once: --psk-identity '{identity}' --psk-key {key}"
                ))
            ));
        });
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
