//! Events as frames of `text/event-stream`, in the dialect's JSON.

use crate::json::Entries;
use crate::json::command::{self, DelayedJson, Request};
use crate::json::happened::HappenedJson;
use crate::json::node::{CompositeJson, NodeJson};
use crate::json::registration::{ObjectListJson, RegistrationJson, UpdateJson};
use crate::json::response::{LeftOutJson, RequestKind, TargetJson};
use lwm2m_codec::Timed;
use lwm2m_core::{Node, Path};
use lwm2m_net::Clock;
use lwm2m_server::{Event, Registration, Target, Update};
use serde::Serialize;
use serde::ser::Serializer;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

/// The endpoint name of the device that an event is about, if the dialect has such an event.
pub(super) fn endpoint(event: &Event) -> Option<&str> {
    match event {
        Event::Registered(it)
        | Event::Updated { registration: it, .. }
        | Event::Deregistered { registration: it, .. }
        | Event::Notification { registration: it, result: Ok(_), .. }
        | Event::ValuesReceived { registration: it, .. } => Some(&it.endpoint),
        Event::Awake(it) | Event::Asleep(it) => Some(&it.endpoint),
        Event::ObservationEnded { endpoint, .. }
        | Event::CommandEnded { endpoint, .. }
        | Event::Completed { endpoint, .. } => Some(endpoint),
        _ => None,
    }
}

/// The name of an event, if the dialect has such an event.
pub(super) const fn kind(event: &Event) -> Option<&'static str> {
    Some(match event {
        Event::Registered(_) => "REGISTRATION",
        Event::Updated { .. } => "UPDATED",
        Event::Deregistered { .. } => "DEREGISTRATION",
        Event::Asleep(_) => "SLEEPING",
        Event::Awake(_) => "AWAKE",
        Event::Notification { .. } => "NOTIFICATION",
        Event::ValuesReceived { .. } => "SEND",
        Event::ObservationEnded { .. } => "OBSERVATION_ENDED",
        Event::CommandEnded { .. } | Event::Completed { .. } => "REQUEST_RESPONSE",
        _ => return None,
    })
}

/// Writes events as frames.
#[derive(Debug)]
pub(super) struct Writer {
    clock: Clock,
    /// The object list that was written last.
    objects: Option<ObjectListJson>,
    /// The number of the last event that is kept.
    pub(super) number: Option<u64>,
}

impl Writer {
    pub(super) const fn new(clock: Clock) -> Self {
        Self { clock, objects: None, number: None }
    }

    /// Appends the frame of an event; nothing, if the dialect has no such event.
    pub(super) fn write(&mut self, text: &mut Vec<u8>, event: &Event) {
        // What is not kept has the number of what was kept before it: a stream goes on after that.
        self.number.into_iter().for_each(|number| id(text, number));
        match event {
            Event::Registered(it) => self.registration(text, "REGISTRATION", it, false),
            Event::Updated { registration, update } => self.update(text, registration, update),
            Event::Deregistered { registration: it, was_asleep, .. } => {
                self.registration(text, "DEREGISTRATION", it, *was_asleep);
            }
            Event::Asleep(it) => frame(text, "SLEEPING", &json!({"ep": *it.endpoint})),
            Event::Awake(it) => frame(text, "AWAKE", &json!({"ep": *it.endpoint})),
            Event::Notification { registration: it, target, result: Ok(node), left_out } => {
                let (data, left_out) =
                    (NotificationJson::new(it, target, node), LeftOutJson::of(left_out));
                frame(text, "NOTIFICATION", &WithLeftOut { data, left_out });
            }
            Event::ValuesReceived { registration: it, values, left_out } => {
                let (data, left_out) = (SendJson::new(it, values), LeftOutJson::of(left_out));
                frame(text, "SEND", &WithLeftOut { data, left_out });
            }
            Event::ObservationEnded { endpoint: ep, target, reason } => {
                let reason = reason.to_string();
                frame(text, "OBSERVATION_ENDED", &EndedJson { ep, of: target.into(), reason });
            }
            Event::CommandEnded { id, endpoint, operation, outcome } => {
                let (kind, path) = (RequestKind::from(&**operation), command::path(operation));
                let delayed = DelayedJson::new(endpoint, path, Request::Command(*id));
                frame(text, "REQUEST_RESPONSE", &delayed.ended(&kind, outcome));
            }
            // The first answer to a wish that was told to come later.
            Event::Completed { id, endpoint, target, result } => {
                let (kind, path) = (RequestKind::from(target), target.to_string());
                let delayed = DelayedJson::new(endpoint, path, Request::Wish(*id));
                frame(text, "REQUEST_RESPONSE", &delayed.answered(&kind, result));
            }
            _ => {}
        }
    }

    fn registration(
        &mut self,
        text: &mut Vec<u8>,
        name: &str,
        registration: &Arc<Registration>,
        is_asleep: bool,
    ) {
        let json = RegistrationJson::new(registration, self.clock).asleep(is_asleep);
        match ObjectListJson::of(&mut self.objects, &registration.list) {
            Some(objects) => frame(text, name, &json.sharing(objects)),
            None => frame(text, name, &json),
        }
    }

    /// An Update without an object list costs the same for a device of a thousand links as for one
    /// of three: its event leaves the list out.
    fn update(&mut self, text: &mut Vec<u8>, registration: &Registration, update: &Update) {
        let json = RegistrationJson::new(registration, self.clock);
        let changed = UpdateJson::new(registration, update);
        let list = update.list.as_ref();
        let objects = list.and_then(|list| ObjectListJson::of(&mut self.objects, list));
        let data = match objects {
            Some(objects) => UpdatedJson {
                registration: json.sharing(objects),
                update: changed.sharing(objects),
            },
            None => UpdatedJson { registration: json.without_list(), update: changed },
        };
        frame(text, "UPDATED", &data);
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

/// Appends the frame of an event of the past.
pub(crate) fn replayed(text: &mut Vec<u8>, number: u64, happened: HappenedJson<'_>) {
    id(text, number);
    frame(text, happened.event(), &ReplayedJson { endpoint: happened.endpoint(), happened });
}

/// What is kept of an event, with the names that the event had when it happened.
#[derive(Serialize)]
struct ReplayedJson<'a> {
    endpoint: &'a str,
    #[serde(flatten)]
    happened: HappenedJson<'a>,
}

fn id(text: &mut Vec<u8>, number: u64) {
    text.extend_from_slice(format!("id: {number}\n").as_bytes());
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

#[cfg(test)]
mod tests {
    use super::*;
    use lwm2m_link::{Engine as _, Input, Output};
    use lwm2m_server::{Config, Server};
    use lwm2m_time::Instant;
    use std::net::{Ipv4Addr, SocketAddr};

    const FROM: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 5683);

    /// The frames of what a server tells when it gets `datagram`.
    fn frames(server: &mut Server, writer: &mut Writer, datagram: &[u8]) -> String {
        server.handle(Instant::ZERO, Input::datagram(FROM, datagram));
        let mut text = Vec::new();
        while let Some(output) = server.poll() {
            if let Output::Event(event) = output {
                writer.write(&mut text, &event);
            }
        }
        String::from_utf8(text).unwrap()
    }

    /// The frames of a Register with a list, of a bare Update, and of one with the same list.
    fn life(list: &str) -> [String; 3] {
        let mut server = Server::new(Config::default(), [7; 32]);
        let mut writer = Writer::new(Clock::start());
        let register = b"\x40\x02\0\x01\xb2rd\x11\x28\x34ep=a\x05lt=60\x09lwm2m=1.1\xff";
        let register = [register, list.as_bytes()].concat();
        let registered = frames(&mut server, &mut writer, &register);
        let id = server.registration("a").unwrap().id;
        let length = u8::try_from(id.as_str().len()).unwrap();
        let update = |number, rest: &[u8]| {
            let head = [0x40, 2, 0, number, 0xb2, b'r', b'd', 0x0d, length - 13];
            [&head, id.as_str().as_bytes(), rest].concat()
        };
        let bare = frames(&mut server, &mut writer, &update(2, b""));
        let again = [b"\x11\x28\xff", list.as_bytes()].concat();
        [registered, bare, frames(&mut server, &mut writer, &update(3, &again))]
    }

    #[test]
    fn an_update_without_a_list_is_as_short_for_a_thousand_links() {
        let fat: Vec<_> = (0..1_000).map(|it| format!("</3303/{it}>;a;b;c;d;e;f;g;h")).collect();
        let ([few, slim_bare, _], [many, fat_bare, fat_again]) =
            (life("</3303/0>"), life(&fat.join(",")));
        assert!(many.len() > 50 * few.len(), "{few}");
        assert!(fat_bare.starts_with("event: UPDATED"), "{fat_bare}");
        assert_eq!(fat_bare.len(), slim_bare.len(), "{fat_bare}");
        assert!(fat_again.len() > many.len(), "what the device sent is told");
    }
}
