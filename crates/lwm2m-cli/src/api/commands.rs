//! `lwm2m commands`

use super::client::{Sent, encoded, query};
use super::node;
use super::table::{Table, plain, time};
use super::{Session, text};
use clap::Args;
use indicatif::ProgressBar;
use lwm2m_app::Failure;
use serde_json::Value as Json;
use std::time::Duration;
use ureq::http::Method;

/// How often the server is asked for a command that is waited for.
const EVERY: Duration = Duration::from_secs(1);

/// What `commands` takes.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The number of one command
    id: Option<String>,
    /// Wait until it has ended
    #[arg(long, requires = "id")]
    wait: bool,
    /// Take it back, or forget its result
    #[arg(long, requires = "id", conflicts_with = "wait")]
    remove: bool,
    /// Those of one device
    #[arg(long, value_name = "ENDPOINT")]
    ep: Option<String>,
    /// Those in these states: waiting, sent, done, failed, expired, unknown, superseded
    #[arg(long, value_name = "STATES")]
    state: Option<String>,
    /// The most to list [default: all]
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,
}

pub(super) fn run(it: &Arguments, session: &Session) -> Result<(), Failure> {
    let Some(id) = &it.id else { return list(it, session) };
    let path = format!("/api/commands/{}", encoded(id));
    if it.remove {
        session.client.call(&Method::DELETE, &path, &Sent::default())?;
        return Ok(());
    }
    let progress = ProgressBar::new_spinner();
    progress.enable_steady_tick(Duration::from_millis(100));
    let command = loop {
        let command = session.client.get(&path)?;
        let state = text(&command, "state").to_owned();
        if !it.wait || !matches!(state.as_str(), "waiting" | "sent") {
            break command;
        }
        progress.set_message(state);
        std::thread::sleep(EVERY);
    };
    progress.finish_and_clear();
    session.print(&command, one);
    Ok(())
}

fn list(it: &Arguments, session: &Session) -> Result<(), Failure> {
    let limit = it.limit.map(|it| it.to_string());
    let query = query([("ep", it.ep.clone()), ("state", it.state.clone()), ("limit", limit)]);
    let commands = session.client.get(&format!("/api/commands{query}"))?;
    let mut table =
        Table::new(&["id", "device", "operation", "path", "state", "created", "result"]);
    for command in commands.as_array().into_iter().flatten() {
        match session.json {
            true => lwm2m_app::print_line(command),
            false => table.row(row(command)),
        }
    }
    if !session.json {
        table.print();
    }
    Ok(())
}

fn row(command: &Json) -> [String; 7] {
    let [id, device, operation, path, state] =
        ["id", "ep", "operation", "path", "state"].map(|name| text(command, name).to_owned());
    let created = time(command["created"].as_i64().unwrap_or_default());
    [id, device, operation, path, state, created, result(command)]
}

/// What the device answered, or why it did not.
fn result(command: &Json) -> String {
    match command.get("response") {
        Some(response) => text(response, "status").to_owned(),
        None => text(command, "error").to_owned(),
    }
}

fn one(command: &Json) {
    let mut table = Table::new(&["what", "value"]);
    let [id, device, operation, path, state, created, result] = row(command);
    for (what, value) in [
        ("command", id),
        ("device", device),
        ("operation", format!("{operation} {path}")),
        ("state", state),
        ("created", created),
        ("expires", time(command["expires"].as_i64().unwrap_or_default())),
        ("attempts", command["attempts"].to_string()),
        ("result", result),
    ] {
        table.row([what.to_owned(), value]);
    }
    table.print();
    if let Some(content) = command["response"].get("content").filter(|it| !it.is_null()) {
        let mut rows = Vec::new();
        node::leaves(text(command, "path"), content, &mut rows);
        for (path, value) in rows {
            lwm2m_app::print_line(format_args!("{path}  {}", plain(&value)));
        }
    }
}
