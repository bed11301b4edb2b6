//! What a request is in LwM2M: OMA LwM2M Transport 6.4.

use super::framing::Message;
use super::{segments, texts};
use lwm2m_coap::{Code, MessageType, OptionNumber};
use lwm2m_core::{ContentFormat, Path};
use lwm2m_link::Way;
use lwm2m_server::Target;

/// What a request asks for.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// The name of the operation.
    pub(super) operation: String,
    /// What it is about, as text.
    pub(super) target: Option<String>,
    /// What it is about on the device.
    pub(super) path: Option<Path>,
    pub(super) payload: Payload,
}

/// What the payload of a request, or of a successful answer to it, is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Payload {
    /// Requests: values. Answers: nothing.
    Values,
    /// Requests: a new instance. Answers: nothing.
    Instance,
    /// Requests: nothing, or paths. Answers: values.
    Answer,
    /// Requests: paths. Answers: values at any paths.
    Paths,
    /// Text without secrets: links, arguments.
    Text,
    /// What is not shown.
    Hidden,
}

impl Asked {
    /// What a request asks for that went one way.
    pub(super) fn by(way: Way, message: &Message) -> Self {
        let target = segments(message.options.uri_path());
        match way {
            Way::Received => Self::by_device(message, target),
            Way::Sent => Self::by_server(message, target),
        }
    }

    /// What is observed.
    pub(super) fn observed(target: &Target) -> Self {
        let (path, target) = (Some(target.path()), target.to_string());
        let payload = Payload::Answer;
        Self { operation: "Observe".to_owned(), target: Some(target), path, payload }
    }

    /// An answer whose request is not recorded any more.
    pub(super) fn unknown(operation: &str) -> Self {
        let operation = operation.to_owned();
        Self { operation, target: None, path: None, payload: Payload::Paths }
    }

    /// A notification of what was asked for.
    pub(super) fn notified(&self) -> Self {
        Self { operation: "Notify".to_owned(), ..self.clone() }
    }

    fn by_device(message: &Message, target: Option<String>) -> Self {
        let path = texts(message.options.uri_path());
        let first = path.first().map_or("", String::as_str);
        let (operation, payload) = match (message.code, first, path.len()) {
            (Code::POST, "rd", 1) => ("Register", Payload::Text),
            (Code::POST, "rd", _) => ("Update", Payload::Text),
            (Code::DELETE, "rd", _) => ("De-register", Payload::Text),
            (Code::POST, "dp", _) => ("Send", Payload::Values),
            (Code::POST, "bs", _) => ("Bootstrap-Request", Payload::Text),
            (code, ..) => return Self::foreign(code, target),
        };
        let path = (payload == Payload::Values).then_some(Path::ROOT);
        Self { operation: operation.to_owned(), target, path, payload }
    }

    fn by_server(message: &Message, target: Option<String>) -> Self {
        let options = &message.options;
        let Ok(path) = Path::from_segments(options.uri_path()) else {
            return Self::foreign(message.code, target);
        };
        let discovers = options.accept() == Some(ContentFormat::LINK.0);
        let observe = options.get_uint(OptionNumber::OBSERVE);
        let (operation, payload) = match (message.code, path.depth(), observe) {
            (Code::GET, _, Some(0)) => ("Observe", Payload::Answer),
            (Code::GET, _, Some(_)) => ("Cancel Observation", Payload::Answer),
            (Code::GET, ..) if discovers => ("Discover", Payload::Text),
            (Code::GET, ..) => ("Read", Payload::Answer),
            (Code::FETCH, _, Some(0)) => ("Observe-Composite", Payload::Paths),
            (Code::FETCH, _, Some(_)) => ("Cancel Observation-Composite", Payload::Paths),
            (Code::FETCH, ..) => ("Read-Composite", Payload::Paths),
            (Code::IPATCH, ..) => ("Write-Composite", Payload::Values),
            (Code::PUT, ..) if message.payload.is_empty() => ("Write-Attributes", Payload::Text),
            (Code::PUT, ..) => ("Write", Payload::Values),
            (Code::POST, 3, _) => ("Execute", Payload::Text),
            (Code::POST, 1, _) => ("Create", Payload::Instance),
            (Code::POST, ..) => ("Write (update)", Payload::Values),
            (Code::DELETE, ..) => ("Delete", Payload::Values),
            (code, ..) => return Self::foreign(code, target),
        };
        // A composite operation has no path.
        let target = target.or_else(|| Some("/".to_owned()));
        Self { operation: operation.to_owned(), target, path: Some(path), payload }
    }

    /// A request outside of LwM2M, such as the one for a certificate.
    fn foreign(code: Code, target: Option<String>) -> Self {
        let operation = match code {
            Code::GET => "GET".to_owned(),
            Code::POST => "POST".to_owned(),
            Code::PUT => "PUT".to_owned(),
            Code::DELETE => "DELETE".to_owned(),
            Code::FETCH => "FETCH".to_owned(),
            code => code.to_string(),
        };
        Self { operation, target, path: None, payload: Payload::Hidden }
    }
}

/// What a message without method and response code is.
pub(super) fn of_empty(message: &Message) -> Option<Asked> {
    let kind = message.head.map(|(kind, _)| kind);
    let operation = match (message.code, kind) {
        (Code::EMPTY, Some(MessageType::Acknowledgement)) => "Acknowledgement",
        (Code::EMPTY, Some(MessageType::Reset)) => "Reset",
        (Code::EMPTY, Some(_)) | (Code::PING, _) => "Ping",
        (Code::PONG, _) => "Pong",
        (Code::CSM, _) => "Capabilities",
        (Code::RELEASE, _) => "Release",
        (Code::ABORT, _) => "Abort",
        _ => return None,
    };
    Some(Asked { payload: Payload::Text, ..Asked::unknown(operation) })
}
