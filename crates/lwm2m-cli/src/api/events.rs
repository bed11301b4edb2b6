//! `lwm2m events`

use super::client::query;
use super::table::{plain, time};
use super::{Session, sse, text};
use clap::Args;
use lwm2m_app::Failure;
use serde_json::{Value as Json, json};

/// What `events` takes.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Those of one device
    #[arg(long, value_name = "ENDPOINT")]
    ep: Option<String>,
    /// Those after this number, the oldest first [default: the last ones]
    #[arg(long, value_name = "NUMBER", conflicts_with = "follow")]
    since: Option<u64>,
    /// The most to print [default: 100 of the past; without end with --follow]
    #[arg(long, value_name = "COUNT")]
    limit: Option<u64>,
    /// Print what happens from now on
    #[arg(long, short)]
    follow: bool,
}

pub(super) fn run(it: &Arguments, session: &Session) -> Result<(), Failure> {
    if it.follow { follow(it, session) } else { past(it, session) }
}

fn past(it: &Arguments, session: &Session) -> Result<(), Failure> {
    let number = |it: Option<u64>| it.map(|it| it.to_string());
    let query =
        query([("ep", it.ep.clone()), ("since", number(it.since)), ("limit", number(it.limit))]);
    let events = session.client.get(&format!("/api/events{query}"))?;
    for event in events.as_array().into_iter().flatten() {
        session.print(event, |event| lwm2m_app::print_line(plain(&line(event))));
    }
    Ok(())
}

/// An event of the past: number, time, name, device, and what else it has.
fn line(event: &Json) -> String {
    let at = time(event["time"].as_i64().unwrap_or_default());
    let more = ["address", "reason", "requestId", "state", "res"].map(|name| text(event, name));
    let more = more.into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" ");
    let (name, device) = (text(event, "event"), text(event, "ep"));
    format!("{:>6}  {at}  {name:<20} {device}  {more}", event["number"].to_string())
}

fn follow(it: &Arguments, session: &Session) -> Result<(), Failure> {
    let path = format!("/api/event{}", query([("ep", it.ep.clone())]));
    let mut left = it.limit.unwrap_or(u64::MAX);
    for event in sse::open(&session.client, &path)? {
        if left == 0 {
            return Ok(());
        }
        left -= 1;
        let event = event?;
        let json = json!({"event": event.name, "data": event.data});
        session.print(&json, |_| {
            let device = ["endpoint", "ep"].map(|name| text(&event.data, name));
            let device = device.into_iter().find(|it| !it.is_empty()).unwrap_or_default();
            let more = event.data.get("val").map(Json::to_string).unwrap_or_default();
            let (name, path) = (&event.name, text(&event.data, "res"));
            lwm2m_app::print_line(plain(&format!("{name:<20} {device}  {path} {more}")));
        });
        if left == 0 {
            return Ok(());
        }
    }
    Err(Failure::running("the server ended the stream of events"))
}
