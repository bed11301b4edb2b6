//! `lwm2m read`, `write`, `exec`, `create`, `delete` and `observe`

use super::client::{Sent, encoded, query};
use super::node::{self, Names};
use super::sse;
use super::table::plain;
use super::{Session, text};
use clap::Args;
use lwm2m_app::Failure;
use serde_json::{Value as Json, json};
use std::path::PathBuf;
use ureq::http::Method;

/// A device, and a place in it.
#[derive(Args, Debug)]
pub(crate) struct Target {
    /// The endpoint name
    endpoint: String,
    /// The path, such as /3303/0/5700
    path: String,
}

impl Target {
    fn address(&self, aspect: &str) -> String {
        let path = self.path.trim_matches('/');
        let path = path.split('/').map(encoded).collect::<Vec<_>>().join("/");
        format!("/api/clients/{}/{path}{aspect}", encoded(&self.endpoint))
    }
}

/// How an operation is carried out.
#[derive(Args, Debug)]
pub(crate) struct How {
    /// Seconds that the device may take to answer, up to 300 [default: 5]
    #[arg(long, value_name = "SECONDS")]
    timeout: Option<u32>,
    /// Content format: TLV, SENML_JSON, SENML_CBOR, TEXT, OPAQUE, CBOR or a number
    #[arg(long)]
    format: Option<String>,
    /// Leave the operation to the server, and print the number of its command
    #[arg(long)]
    later: bool,
    /// Seconds that the command may wait for its device [default: a day]
    #[arg(long, value_name = "SECONDS")]
    ttl: Option<u64>,
    /// Sent twice under one key, the operation is one command
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

impl How {
    fn members(&self) -> [(&'static str, Option<String>); 3] {
        let number = |it: Option<u64>| it.map(|it| it.to_string());
        [
            ("timeout", number(self.timeout.map(u64::from))),
            ("format", self.format.clone()),
            ("ttl", number(self.ttl)),
        ]
    }

    fn headers(&self) -> Vec<(&'static str, String)> {
        let prefer = self.later.then(|| ("Prefer", "respond-async".to_owned()));
        prefer.into_iter().chain(self.key.clone().map(|key| ("Idempotency-Key", key))).collect()
    }
}

/// What `read` takes.
#[derive(Args, Debug)]
pub(crate) struct Read {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    how: How,
    /// Print the newest values that the server keeps, without asking the device
    #[arg(long, conflicts_with_all = ["later", "format", "timeout"])]
    cached: bool,
    /// Discover: print the links of what is there
    #[arg(long, conflicts_with = "cached")]
    discover: bool,
}

/// What `write` takes.
#[derive(Args, Debug)]
pub(crate) struct Write {
    #[command(flatten)]
    target: Target,
    /// The value of a resource; of an instance ID=VALUE for each resource
    #[arg(required_unless_present = "file", allow_negative_numbers = true)]
    values: Vec<String>,
    /// A file with the JSON of the node, in place of values
    #[arg(long, value_name = "FILE", conflicts_with = "values")]
    file: Option<PathBuf>,
    /// Keep the resources of an instance that are not written
    #[arg(long)]
    partial: bool,
    #[command(flatten)]
    how: How,
}

/// What `exec` takes.
#[derive(Args, Debug)]
pub(crate) struct Exec {
    #[command(flatten)]
    target: Target,
    /// Arguments, such as 0='text',1
    #[arg(default_value = "")]
    arguments: String,
    #[command(flatten)]
    how: How,
}

/// What `create` takes.
#[derive(Args, Debug)]
pub(crate) struct Create {
    #[command(flatten)]
    target: Target,
    /// ID=VALUE for each resource
    values: Vec<String>,
    /// A file with the JSON of the instance, in place of values
    #[arg(long, value_name = "FILE", conflicts_with = "values")]
    file: Option<PathBuf>,
    #[command(flatten)]
    how: How,
}

/// What `delete` takes.
#[derive(Args, Debug)]
pub(crate) struct Delete {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    how: How,
}

/// What `observe` takes.
#[derive(Args, Debug)]
pub(crate) struct Observe {
    #[command(flatten)]
    target: Target,
    /// The least number of seconds between notifications
    #[arg(long, value_name = "SECONDS")]
    pmin: Option<u32>,
    /// The most seconds between notifications
    #[arg(long, value_name = "SECONDS")]
    pmax: Option<u32>,
    /// End after so many notifications [default: go on]
    #[arg(long, value_name = "COUNT")]
    count: Option<u64>,
    /// End the observation, which otherwise goes on in the server
    #[arg(long)]
    stop: bool,
}

pub(super) fn read(it: &Read, session: &Session) -> Result<(), Failure> {
    let aspect = if it.discover { "/discover" } else { "" };
    let cached = it.cached.then(String::new);
    let query = query(it.how.members().into_iter().chain([("cached", cached)]));
    let sent = Sent { body: None, headers: it.how.headers() };
    let address = format!("{}{query}", it.target.address(aspect));
    finish(session, &it.target, &session.client.call(&Method::GET, &address, &sent)?)
}

pub(super) fn write(it: &Write, session: &Session) -> Result<(), Failure> {
    let depth = it.target.path.trim_matches('/').split('/').count();
    let (media_type, body) = match (&it.file, it.values.as_slice()) {
        (Some(file), _) => ("application/json", content(file)?),
        (None, [value]) if depth > 2 => ("text/plain", value.clone()),
        (None, _) if depth > 2 => {
            return Err(Failure::usage(
                "a resource has one value; put texts with spaces in quotes",
            ));
        }
        (None, values) => ("application/json", instance(values)?.to_string()),
    };
    let replace = it.partial.then(|| "false".to_owned());
    let query = query(it.how.members().into_iter().chain([("replace", replace)]));
    let sent = Sent { body: Some((media_type, &body)), headers: it.how.headers() };
    let address = format!("{}{query}", it.target.address(""));
    finish(session, &it.target, &session.client.call(&Method::PUT, &address, &sent)?)
}

pub(super) fn exec(it: &Exec, session: &Session) -> Result<(), Failure> {
    let sent = Sent { body: Some(("text/plain", &it.arguments)), headers: it.how.headers() };
    let address = format!("{}{}", it.target.address(""), query(it.how.members()));
    finish(session, &it.target, &session.client.call(&Method::POST, &address, &sent)?)
}

pub(super) fn create(it: &Create, session: &Session) -> Result<(), Failure> {
    let body = match &it.file {
        Some(file) => content(file)?,
        None => instance(&it.values)?.to_string(),
    };
    let sent = Sent { body: Some(("application/json", &body)), headers: it.how.headers() };
    let address = format!("{}{}", it.target.address(""), query(it.how.members()));
    finish(session, &it.target, &session.client.call(&Method::POST, &address, &sent)?)
}

pub(super) fn delete(it: &Delete, session: &Session) -> Result<(), Failure> {
    let sent = Sent { body: None, headers: it.how.headers() };
    let address = format!("{}{}", it.target.address(""), query(it.how.members()));
    finish(session, &it.target, &session.client.call(&Method::DELETE, &address, &sent)?)
}

pub(super) fn observe(it: &Observe, session: &Session) -> Result<(), Failure> {
    let address = it.target.address("/observe");
    if it.stop {
        session.client.call(&Method::DELETE, &address, &Sent::default())?;
        return Ok(());
    }
    // Before the observation begins, so that no value is missed.
    let stream = format!("/api/event{}", query([("ep", Some(it.target.endpoint.clone()))]));
    let events = sse::open(&session.client, &stream)?;
    let number = |it: Option<u32>| it.map(|it| it.to_string());
    let query = query([("pmin", number(it.pmin)), ("pmax", number(it.pmax))]);
    let begun =
        session.client.call(&Method::POST, &format!("{address}{query}"), &Sent::default())?;
    finish(session, &it.target, &begun)?;
    let path = format!("/{}", it.target.path.trim_matches('/'));
    let mut left = it.count.unwrap_or(u64::MAX);
    for event in events {
        let event = event?;
        if event.name != "NOTIFICATION" || text(&event.data, "res") != path {
            continue;
        }
        session.print(&event.data, |data| {
            let mut rows = Vec::new();
            node::leaves(&path, &data["val"], &mut rows);
            for (path, value) in rows {
                lwm2m_app::print_line(format_args!("{path}  {}", plain(&value)));
            }
        });
        left = left.saturating_sub(1);
        if left == 0 {
            return Ok(());
        }
    }
    Err(Failure::running("the server ended the stream of events"))
}

/// Prints what a device answered, or says what waits for it.
fn finish(session: &Session, target: &Target, answer: &Json) -> Result<(), Failure> {
    if let Some(id) = answer["requestId"].as_str().or_else(|| answer["id"].as_str()) {
        session.print(answer, |_| {
            lwm2m_app::print_line(format_args!(
                "the server carries it out when the device can be reached: `lwm2m commands {id}` has the answer"
            ));
        });
        return Ok(());
    }
    let is_refused = answer["success"] == Json::Bool(false);
    session.print(answer, |answer| people(session, target, answer));
    if !is_refused {
        return Ok(());
    }
    let why = text(answer, "errormessage");
    let why = if why.is_empty() { String::new() } else { format!(": {}", plain(why)) };
    let status = text(answer, "status");
    Err(Failure::running(format!("the device refuses: {}{why}", plain(status))))
}

/// The values, links or place of an answer.
fn people(session: &Session, target: &Target, answer: &Json) {
    let path = format!("/{}", target.path.trim_matches('/'));
    if let Some(content) = answer.get("content").filter(|it| !it.is_null()) {
        return node::print(&path, content, &Names::of(&session.client, &target.endpoint));
    }
    for link in answer["objectLinks"].as_array().into_iter().flatten() {
        let attributes = link["attributes"].as_object().into_iter().flatten();
        let attributes = attributes.map(|(name, value)| match value.as_str() {
            Some(value) => format!(" {name}={value}"),
            None => format!(" {name}"),
        });
        let line = format!("{}{}", text(link, "url"), attributes.collect::<String>());
        lwm2m_app::print_line(plain(&line));
    }
    if let Some(place) = answer["location"].as_str() {
        lwm2m_app::print_line(format_args!("/{}", plain(place.trim_start_matches('/'))));
    }
}

/// The JSON of an instance of resources that are written ID=VALUE.
fn instance(values: &[String]) -> Result<Json, Failure> {
    let resource = |text: &String| {
        let (id, value) = text.split_once('=')?;
        let id: u16 = id.parse().ok()?;
        Some(json!({"id": id, "kind": "singleResource", "value": value}))
    };
    let resources = values.iter().map(|text| {
        let wrong = || Failure::usage(format!("`{text}` is not ID=VALUE, such as 5700=21.5"));
        resource(text).ok_or_else(wrong)
    });
    Ok(json!({"kind": "instance", "resources": resources.collect::<Result<Vec<_>, _>>()?}))
}

fn content(file: &std::path::Path) -> Result<String, Failure> {
    std::fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("cannot read {}: {error}", file.display())))
}
