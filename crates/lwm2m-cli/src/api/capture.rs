//! `lwm2m capture` and `lwm2m quirks`: what was said with a device, and what it does not do by the standard.

use super::client::{Sent, encoded, query};
use super::table::{Table, plain, time};
use super::{Session, text};
use clap::Args;
use lwm2m_app::Failure;
use serde_json::Value as Json;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;
use ureq::http::Method;

/// How often is asked for what is new.
const EVERY: Duration = Duration::from_secs(1);
/// The most messages of an answer.
const MOST: u64 = 1_000;
/// The longest capture, in bytes.
const LARGEST: u64 = 1 << 32;

/// What `capture` takes.
#[derive(Args, Debug)]
pub(crate) struct Capture {
    /// The endpoint name
    endpoint: String,
    /// File to write for Wireshark, in pcapng with the keys of the sessions; for admins
    #[arg(long, short, value_name = "FILE", conflicts_with_all = ["follow", "limit", "raw"])]
    output: Option<PathBuf>,
    /// Print what is said from now on, too
    #[arg(long, short)]
    follow: bool,
    /// The most messages to begin with [default: 100]
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,
    /// Print the bytes of messages, with all secrets; for admins
    #[arg(long)]
    raw: bool,
}

/// What `quirks` takes.
#[derive(Args, Debug)]
pub(crate) struct Quirks {
    /// The endpoint name
    endpoint: String,
}

pub(super) fn capture(it: &Capture, session: &Session) -> Result<(), Failure> {
    if let Some(file) = &it.output {
        return save(it, file, session);
    }
    let mut last = print(it, session, it.limit, None)?;
    if !it.follow {
        return Ok(());
    }
    loop {
        std::thread::sleep(EVERY);
        last = print(it, session, Some(MOST), Some(last))?;
    }
}

/// Prints messages after a number, and returns the number of the last one.
fn print(
    it: &Capture,
    session: &Session,
    limit: Option<u64>,
    after: Option<u64>,
) -> Result<u64, Failure> {
    let number = |it: Option<u64>| it.map(|it| it.to_string());
    let raw = it.raw.then(|| "true".to_owned());
    let query = query([("limit", number(limit)), ("after", number(after)), ("raw", raw)]);
    let path = format!("/api/clients/{}/messages{query}", encoded(&it.endpoint));
    let messages = session.client.get(&path)?;
    let mut last = after.unwrap_or_default();
    for message in messages.as_array().into_iter().flatten() {
        last = message["number"].as_u64().unwrap_or(last);
        session.print(message, |message| lwm2m_app::print_line(plain(&line(message))));
    }
    Ok(last)
}

/// A message: time, direction, operation, what it is about, code, and what is in it.
fn line(message: &Json) -> String {
    let at = time(message["at"].as_i64().unwrap_or_default());
    let arrow = if text(message, "way") == "sent" { "->" } else { "<-" };
    let lock = if message["secured"] == true { "s" } else { " " };
    let [operation, path, code] = ["operation", "path", "code"].map(|name| text(message, name));
    let head = format!("{at} {arrow}{lock} {code:<4} {operation} {path}");
    [head, content(message), text(message, "raw").to_owned()]
        .into_iter()
        .filter(|it| !it.is_empty())
        .collect::<Vec<_>>()
        .join("  ")
}

fn content(message: &Json) -> String {
    let values = message["values"].as_array().into_iter().flatten().map(|value| {
        let name = text(value, "name");
        let shown = match &value["value"] {
            _ if value["hidden"] == true => "(hidden)".to_owned(),
            Json::String(text) => text.clone(),
            other => other.to_string(),
        };
        format!("{} {name}={shown}", text(value, "path"))
    });
    let mut parts: Vec<_> = values.collect();
    if let Some(further) = message["further"].as_u64() {
        parts.push(format!("and {further} more"));
    }
    parts.extend(["text", "error"].map(|name| text(message, name).to_owned()));
    if message["hidden"] == true {
        parts.push("(hidden)".to_owned());
    }
    parts.retain(|part| !part.is_empty());
    parts.join(", ")
}

/// Writes what Wireshark opens. The keys in it are for the owner of the file alone.
fn save(it: &Capture, file: &PathBuf, session: &Session) -> Result<(), Failure> {
    let path = format!("/api/clients/{}/capture.pcapng", encoded(&it.endpoint));
    let response = session.client.send(&Method::GET, &path, &Sent::default())?;
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let cannot = |error| Failure::running(format!("cannot write {}: {error}", file.display()));
    let mut written = options.open(file).map_err(cannot)?;
    #[cfg(unix)]
    written.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600)).map_err(cannot)?;
    let mut body = response.into_body().into_reader().take(LARGEST);
    let bytes = std::io::copy(&mut body, &mut written).map_err(cannot)?;
    eprintln!(
        "{bytes} bytes written to {}; anyone who has this file can read the device's sessions",
        file.display()
    );
    Ok(())
}

pub(super) fn quirks(it: &Quirks, session: &Session) -> Result<(), Failure> {
    let all = session.client.get(&format!("/api/clients/{}/quirks", encoded(&it.endpoint)))?;
    let mut table = Table::new(&["kind", "in", "messages", "what"]);
    for it in all.as_array().into_iter().flatten() {
        match session.json {
            true => lwm2m_app::print_line(it),
            false => {
                let [kind, place, what] =
                    ["kind", "place", "what"].map(|name| text(it, name).to_owned());
                table.row([kind, place, it["count"].to_string(), what]);
            }
        }
    }
    if !session.json {
        table.print();
    }
    Ok(())
}
