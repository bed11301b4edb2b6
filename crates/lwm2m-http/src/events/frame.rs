//! Events as frames of `text/event-stream`, in the dialect's JSON.

use crate::json::Entries;
use crate::json::node::{CompositeJson, NodeJson};
use crate::json::registration::{RegistrationJson, UpdateJson};
use crate::json::response::{LeftOutJson, TargetJson};
use lwm2m_codec::Timed;
use lwm2m_core::{Node, Path};
use lwm2m_net::Clock;
use lwm2m_server::{Event, Registration, Target};
use serde::Serialize;
use serde::ser::Serializer;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Display;

/// The endpoint name of the device that an event is about, if the dialect has such an event.
pub(super) fn endpoint(event: &Event) -> Option<&str> {
    match event {
        Event::Registered(it)
        | Event::Updated { registration: it, .. }
        | Event::Deregistered { registration: it, .. }
        | Event::Notification { registration: it, result: Ok(_), .. }
        | Event::ValuesReceived { registration: it, .. } => Some(&it.endpoint),
        Event::ObservationEnded { endpoint, .. } => Some(endpoint),
        _ => None,
    }
}

/// Appends the frame of an event; nothing, if the dialect has no such event.
pub(super) fn write(text: &mut Vec<u8>, event: &Event, clock: Clock) {
    let json = |registration| RegistrationJson::new(registration, clock);
    match event {
        Event::Registered(it) => frame(text, "REGISTRATION", &json(it)),
        Event::Updated { registration: it, update } => {
            let data = UpdatedJson { registration: json(it), update: UpdateJson::new(it, update) };
            frame(text, "UPDATED", &data);
        }
        Event::Deregistered { registration: it, .. } => frame(text, "DEREGISTRATION", &json(it)),
        Event::Notification { registration: it, target, result: Ok(node), left_out } => {
            let data = NotificationJson::new(it, target, node);
            frame(text, "NOTIFICATION", &WithLeftOut { data, left_out: LeftOutJson::of(left_out) });
        }
        Event::ValuesReceived { registration: it, values, left_out } => {
            let data = SendJson::new(it, values);
            frame(text, "SEND", &WithLeftOut { data, left_out: LeftOutJson::of(left_out) });
        }
        Event::ObservationEnded { endpoint, target, reason } => {
            let reason = reason.to_string();
            frame(
                text,
                "OBSERVATION_ENDED",
                &EndedJson { ep: endpoint, of: target.into(), reason },
            );
        }
        _ => {}
    }
}

/// The end of an observation. The dialect has no such event.
#[derive(Serialize)]
struct EndedJson<'a> {
    ep: &'a str,
    #[serde(flatten)]
    of: TargetJson<'a>,
    reason: String,
}

/// The frame that tells a stream how many events it has missed.
pub(crate) fn lagged(missed: u64) -> Vec<u8> {
    let mut text = Vec::new();
    frame(&mut text, "LAGGED", &json!({"missed": missed}));
    text
}

fn frame(text: &mut Vec<u8>, name: &str, data: &impl Serialize) {
    for part in ["event: ", name, "\ndata: "] {
        text.extend_from_slice(part.as_bytes());
    }
    // JSON of our own types cannot fail, and has no line breaks, which would end the field.
    let _ = serde_json::to_writer(&mut *text, data);
    text.extend_from_slice(b"\n\n");
}

#[derive(Serialize)]
struct UpdatedJson<'a> {
    registration: RegistrationJson<'a>,
    update: UpdateJson<'a>,
}

/// Values with the reasons why others are missing.
#[derive(Serialize)]
struct WithLeftOut<'a, T> {
    #[serde(flatten)]
    data: T,
    #[serde(rename = "leftOut", skip_serializing_if = "Option::is_none")]
    left_out: Option<LeftOutJson<'a>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum NotificationJson<'a> {
    Single {
        ep: &'a str,
        kind: &'static str,
        #[serde(serialize_with = "text")]
        res: &'a Path,
        val: NodeJson<'a>,
    },
    Composite {
        ep: &'a str,
        kind: &'static str,
        val: CompositeJson<'a>,
        paths: Vec<String>,
    },
}

impl<'a> NotificationJson<'a> {
    fn new(registration: &'a Registration, target: &'a Target, node: &'a Node) -> Self {
        let ep = &registration.endpoint;
        match target {
            Target::Path(path) => {
                Self::Single { ep, kind: "single", res: path, val: NodeJson::new(path, node) }
            }
            Target::Composite(paths) => Self::Composite {
                ep,
                kind: "composite",
                val: CompositeJson::new(paths, node),
                paths: paths.iter().map(ToString::to_string).collect(),
            },
        }
    }
}

/// The values of a Send: `val` has the newest of each path; where values tell their times, `timed`
/// has all of them.
#[derive(Serialize)]
struct SendJson<'a> {
    ep: &'a str,
    #[serde(serialize_with = "newest")]
    val: BTreeMap<Path, &'a Timed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timed: Option<Vec<TimedJson<'a>>>,
}

#[derive(Serialize)]
struct TimedJson<'a> {
    time: Option<f64>,
    #[serde(serialize_with = "text")]
    path: &'a Path,
    val: NodeJson<'a>,
}

impl<'a> SendJson<'a> {
    fn new(registration: &'a Registration, values: &'a [Timed]) -> Self {
        let mut val = BTreeMap::new();
        for value in values {
            let known = val.entry(value.path).or_insert(value);
            if !value.is_older_than(known) {
                *known = value;
            }
        }
        let row = |it: &'a Timed| TimedJson { time: it.time, path: &it.path, val: node(it) };
        let timed = values.iter().any(|value| value.time.is_some());
        let timed = timed.then(|| values.iter().map(row).collect());
        Self { ep: &registration.endpoint, val, timed }
    }
}

fn node(value: &Timed) -> NodeJson<'_> {
    NodeJson::of_value(&value.path, &value.value)
}

fn newest<S: Serializer>(
    values: &BTreeMap<Path, &Timed>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let entries = || values.iter().map(|(path, value)| (path.to_string(), node(value)));
    Entries(entries).serialize(serializer)
}

fn text<S: Serializer>(it: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(it)
}
