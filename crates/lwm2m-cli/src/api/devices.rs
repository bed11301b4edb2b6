//! `lwm2m devices`

use super::client::{Sent, encoded, query};
use super::table::{Table, time};
use super::{Session, text};
use clap::Args;
use indicatif::ProgressBar;
use lwm2m_app::Failure;
use lwm2m_time::Rough;
use serde_json::Value as Json;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use ureq::http::Method;

/// Registrations that are asked for at a time.
const PAGE: usize = 1_000;

/// What `devices` takes.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The endpoint name of one device
    endpoint: Option<String>,
    /// Those whose endpoint names begin with this
    #[arg(long)]
    prefix: Option<String>,
    /// Those whose endpoint names contain this, whatever the case
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
    /// Those that are listening, awake or asleep
    #[arg(long)]
    state: Option<String>,
    /// Those that have an object, or an instance of it: 3303 or 3303/0
    #[arg(long)]
    object: Option<String>,
    /// The most to list [default: all]
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
}

/// Lists devices page by page, or shows one.
pub(super) fn run(arguments: &Arguments, session: &Session) -> Result<(), Failure> {
    if let Some(endpoint) = &arguments.endpoint {
        let device = session.client.get(&format!("/api/clients/{}", encoded(endpoint)))?;
        session.print(&device, one);
        return Ok(());
    }
    let mut left = arguments.limit.unwrap_or(usize::MAX);
    let mut next = Some(first(arguments, left.min(PAGE)));
    let mut rows =
        Table::new(&["endpoint", "state", "version", "lifetime", "last heard", "address"]);
    // Drawn on standard error, and only where that is a terminal.
    let progress = ProgressBar::new_spinner();
    while let Some(path) = next.filter(|_| left > 0) {
        let (page, after) = page(session, &path)?;
        for device in page.iter().take(left) {
            match session.json {
                true => lwm2m_app::print_line(device),
                false => rows.row(row(device)),
            }
        }
        left = left.saturating_sub(page.len());
        progress.inc(u64::try_from(page.len()).unwrap_or_default());
        progress.set_message(format!("{} devices", progress.position()));
        next = after;
    }
    progress.finish_and_clear();
    if !session.json {
        rows.print();
    }
    Ok(())
}

fn first(arguments: &Arguments, limit: usize) -> String {
    let query = query([
        ("limit", Some(limit.max(1).to_string())),
        ("prefix", arguments.prefix.clone()),
        ("q", arguments.search.clone()),
        ("state", arguments.state.clone()),
        ("object", arguments.object.clone()),
    ]);
    format!("/api/clients{query}")
}

/// A page, and the address of the next one.
fn page(session: &Session, path: &str) -> Result<(Vec<Json>, Option<String>), Failure> {
    let mut response = session.client.send(&Method::GET, path, &Sent::default())?;
    let next = response.headers().get("link").and_then(|it| it.to_str().ok()).and_then(next);
    let body = response.body_mut().with_config().limit(64 << 20).read_to_vec();
    let body = body.map_err(Failure::running)?;
    let page = serde_json::from_slice(&body).map_err(Failure::running)?;
    Ok((page, next))
}

/// The address of the next page in the header `Link`. Another server than this one is not asked.
fn next(link: &str) -> Option<String> {
    let of = |link: &str| {
        let (address, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = parameters.split(';').any(|it| it.trim().trim_matches('"') == "rel=\"next");
        (is_next && address.starts_with("/api/")).then(|| address.to_owned())
    };
    link.split(',').find_map(of)
}

/// What a device does at present, as a word.
fn state(device: &Json) -> &'static str {
    match device["sleeping"].as_bool() {
        None => "listening",
        Some(true) => "asleep",
        Some(false) => "awake",
    }
}

fn row(device: &Json) -> [String; 6] {
    let lifetime = Duration::from_secs(device["lifetime"].as_u64().unwrap_or_default());
    let secure = if device["secure"].as_bool() == Some(true) { "secure " } else { "" };
    [
        text(device, "endpoint").to_owned(),
        state(device).to_owned(),
        text(device, "lwM2mVersion").to_owned(),
        Rough(lifetime).to_string(),
        format!("{} ago", Rough(age(&device["lastUpdate"]))),
        format!("{secure}{}", text(device, "address")),
    ]
}

/// The time since a number of milliseconds since 1970.
fn age(at: &Json) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(Duration::from_millis(at.as_u64().unwrap_or_default()))
}

fn one(device: &Json) {
    let mut table = Table::new(&["what", "value"]);
    let mut row = |what: &str, value: String| table.row([what.to_owned(), value]);
    row("endpoint", text(device, "endpoint").to_owned());
    row("state", state(device).to_owned());
    row("version", text(device, "lwM2mVersion").to_owned());
    row("binding", text(device, "bindingMode").to_owned());
    row("address", text(device, "address").to_owned());
    row("secure", device["secure"].to_string());
    row("lifetime", format!("{} s", device["lifetime"]));
    for (what, name) in [("registered", "registrationDate"), ("last heard", "lastUpdate")] {
        row(what, time(device[name].as_i64().unwrap_or_default()));
    }
    let links = device["objectLinks"].as_array().into_iter().flatten();
    let links: Vec<_> = links.map(|link| text(link, "url")).filter(|url| *url != "/").collect();
    row("objects", links.join(" "));
    table.print();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_on_the_same_server() {
        let link = r#"</api/clients?limit=2&after=b>; rel="next""#;
        assert_eq!(next(link).as_deref(), Some("/api/clients?limit=2&after=b"));
        assert_eq!(next(r#"<https://evil.example/api/>; rel="next""#), None);
        assert_eq!(next(r#"<//evil.example/api/>; rel="next""#), None);
        assert_eq!(next(r#"</api/clients>; rel="prev""#), None);
        assert_eq!(next("x"), None);
    }
}
