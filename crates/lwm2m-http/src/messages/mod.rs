//! The messages of the flight recorder in terms of LwM2M: operations, names of resources, values.
//!
//! | module | what |
//! |---|---|
//! | `framing` | recorded bytes to messages of CoAP |
//! | `operation` | what a request is in LwM2M |
//! | `values` | payloads to values, without secrets |

mod framing;
mod operation;
mod values;

pub(crate) use self::framing::{Framed, Framing};

use self::operation::Asked;
use crate::json::{milliseconds, value::hex};
use lwm2m_coap::{Code, MessageType, OptionNumber, Options, Token};
use lwm2m_link::{Recorded, Way};
use lwm2m_net::Clock;
use lwm2m_objects::Registry;
use lwm2m_server::{Registration, Target};
use serde::Serialize;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

/// The longest text of a message that is shown, in bytes.
const MAX_TEXT: usize = 1_024;

/// A message as JSON.
#[derive(Serialize, Debug)]
pub(crate) struct MessageJson {
    number: u64,
    at: u64,
    /// `received` or `sent`.
    way: &'static str,
    remote: SocketAddr,
    /// `udp` or `tcp`.
    transport: &'static str,
    secured: bool,
    #[serde(skip_serializing_if = "Option::is_none", rename = "type")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mid: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    token: String,
    /// What it is in LwM2M, of an answer that of its request.
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
    /// What it is about, of an answer that of its request.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    query: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    observe: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    block: Option<BlockJson>,
    /// The length of the payload.
    payload: usize,
    #[serde(flatten)]
    content: values::ContentJson,
    /// The whole message.
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<String>,
}

/// Which part of a body a message has.
#[derive(Serialize, Debug, Clone, Copy)]
struct BlockJson {
    number: u32,
    more: bool,
}

/// What messages are read with.
pub(crate) struct Reader {
    /// The device, if it is registered.
    pub(crate) registration: Option<Arc<Registration>>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) clock: Clock,
    /// What is observed, by the tokens of notifications.
    pub(crate) observed: Vec<(Token, Target)>,
    /// Whether the bytes of messages are shown, with all secrets.
    pub(crate) raw: bool,
}

impl Reader {
    /// Reads messages, the oldest first, and returns those with numbers above `after`. The ones before
    /// tell what answers are about.
    pub(crate) fn read(&self, messages: &[Recorded], after: u64) -> Vec<MessageJson> {
        let mut framing = Framing::default();
        let observed = self.observed.iter();
        let mut asked: HashMap<_, _> = observed
            .map(|(token, target)| ((Way::Sent, *token), Asked::observed(target)))
            .collect();
        let mut read = Vec::new();
        for recorded in messages {
            for framed in framing.take(recorded) {
                let about = about(&mut asked, recorded.way, &framed);
                if recorded.number > after {
                    read.push(self.describe(recorded, &framed, about.as_ref()));
                }
            }
        }
        read
    }

    fn describe(&self, recorded: &Recorded, framed: &Framed, about: Option<&Asked>) -> MessageJson {
        let carriage = recorded.carriage;
        let mut json = MessageJson {
            number: recorded.number,
            at: milliseconds(self.clock, recorded.at),
            way: if recorded.way == Way::Sent { "sent" } else { "received" },
            remote: recorded.remote,
            transport: if carriage.is_stream { "tcp" } else { "udp" },
            secured: carriage.is_secured,
            kind: None,
            mid: None,
            code: None,
            token: String::new(),
            operation: about.map(|it| it.operation.clone()),
            path: about.and_then(|it| it.target.clone()),
            query: Vec::new(),
            location: None,
            format: None,
            observe: None,
            block: None,
            payload: 0,
            content: values::ContentJson::default(),
            raw: self.raw.then(|| hex(framed.raw())),
        };
        match framed {
            Framed::Malformed { why, .. } => json.content.error = Some(why.clone()),
            Framed::Message(message) => self.fill(&mut json, message, about),
        }
        json
    }

    fn fill(&self, json: &mut MessageJson, message: &framing::Message, about: Option<&Asked>) {
        let options = &message.options;
        (json.kind, json.mid) = match message.head {
            Some((kind, mid)) => (Some(kind_name(kind)), Some(mid)),
            None => (None, None),
        };
        json.code = Some(message.code.to_string());
        json.token = hex(message.token.as_bytes());
        json.query = texts(options.uri_query());
        json.location = segments(options.location_path());
        json.format = options.content_format();
        json.observe = options.observe();
        json.block = block(options, message.code);
        json.payload = message.payload.len();
        if let (Some(about), None) = (about, json.block.filter(|it| it.more || it.number > 0)) {
            json.content = self.content(about, message);
        }
    }
}

/// What a message is about: a request by itself, an answer by the request with its token.
fn about(asked: &mut HashMap<(Way, Token), Asked>, way: Way, framed: &Framed) -> Option<Asked> {
    let Framed::Message(message) = framed else { return None };
    let code = message.code;
    if code.is_request() {
        let request = Asked::by(way, message);
        asked.insert((way, message.token), request.clone());
        return Some(request);
    }
    if code == Code::EMPTY || code.is_signal() {
        return operation::of_empty(message);
    }
    let other = if way == Way::Sent { Way::Received } else { Way::Sent };
    let request = asked.get(&(other, message.token));
    let is_notification = way == Way::Received && message.options.observe().is_some();
    match (request, is_notification) {
        (Some(request), true) => Some(request.notified()),
        (Some(request), false) => Some(request.clone()),
        (None, true) => Some(Asked::unknown("Notify")),
        (None, false) => Some(Asked::unknown("Answer")),
    }
}

fn block(options: &Options, code: Code) -> Option<BlockJson> {
    let option = if code.is_request() { OptionNumber::BLOCK1 } else { OptionNumber::BLOCK2 };
    let value = u32::try_from(options.get_uint(option)?).ok()?;
    Some(BlockJson { number: value >> 4, more: value & 8 != 0 })
}

const fn kind_name(kind: MessageType) -> &'static str {
    match kind {
        MessageType::Confirmable => "CON",
        MessageType::NonConfirmable => "NON",
        MessageType::Acknowledgement => "ACK",
        MessageType::Reset => "RST",
    }
}

/// Options as texts, of which few are long and many.
fn texts<'a>(all: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    all.take(32).map(|part| shortened(&String::from_utf8_lossy(part))).collect()
}

fn segments<'a>(all: impl Iterator<Item = &'a [u8]>) -> Option<String> {
    let texts = texts(all);
    (!texts.is_empty()).then(|| format!("/{}", texts.join("/")))
}

/// The beginning of a text.
fn shortened(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_TEXT);
    let start = text.get(..end).unwrap_or_default();
    if end < text.len() { format!("{start}…") } else { start.to_owned() }
}

#[cfg(test)]
mod tests;
