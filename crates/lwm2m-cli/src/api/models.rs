//! `lwm2m models`

use super::client::{Sent, encoded};
use super::table::Table;
use super::{Session, text};
use clap::{Args, Subcommand};
use lwm2m_app::Failure;
use serde_json::Value as Json;
use std::path::PathBuf;
use ureq::http::Method;

const MODELS: &str = "/api/models";

/// What `models` takes. Without a command it lists the definitions.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Shows the resources of an object
    Get {
        /// The number of the object
        id: u16,
    },
    /// Adds the definitions of a file in the XML of OMA, or replaces those of the same versions
    Put {
        /// The file
        file: PathBuf,
    },
}

pub(super) fn run(it: &Arguments, session: &Session) -> Result<(), Failure> {
    match &it.command {
        None => list(session),
        Some(Command::Get { id }) => {
            let versions = session.client.get(&format!("{MODELS}/{}", encoded(&id.to_string())))?;
            session.print(&versions, |versions| {
                versions.as_array().into_iter().flatten().for_each(resources);
            });
            Ok(())
        }
        Some(Command::Put { file }) => {
            let body = std::fs::read_to_string(file).map_err(|error| {
                Failure::usage(format!("cannot read {}: {error}", file.display()))
            })?;
            let sent = Sent { body: Some(("application/xml", &body)), headers: Vec::new() };
            session.client.call(&Method::PUT, MODELS, &sent).map(drop)
        }
    }
}

fn list(session: &Session) -> Result<(), Failure> {
    let all = session.client.get(MODELS)?;
    let mut table = Table::new(&["id", "version", "name", "source"]);
    for it in all.as_array().into_iter().flatten() {
        match session.json {
            true => lwm2m_app::print_line(it),
            false => {
                let [version, name, source] =
                    ["version", "name", "source"].map(|name| text(it, name).to_owned());
                table.row([it["id"].to_string(), version, name, source]);
            }
        }
    }
    if !session.json {
        table.print();
    }
    Ok(())
}

fn resources(object: &Json) {
    lwm2m_app::print_line(super::table::plain(&format!(
        "{} {} (version {})",
        object["id"],
        text(object, "name"),
        text(object, "version")
    )));
    let mut table = Table::new(&["id", "name", "operations", "type", "range", "unit"]);
    for it in object["resourcedefs"].as_array().into_iter().flatten() {
        let [name, operations, data_type, range, unit] =
            ["name", "operations", "type", "range", "units"].map(|name| text(it, name).to_owned());
        table.row([it["id"].to_string(), name, operations, data_type, range, unit]);
    }
    table.print();
}
