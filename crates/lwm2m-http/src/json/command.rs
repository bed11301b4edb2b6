//! Commands, and answers that come later.

use super::milliseconds;
use super::response::{RequestKind, ResponseJson};
use lwm2m_net::Clock;
use lwm2m_server::{Command, CommandId, CommandState, Operation, OperationId, Outcome};
use serde::Serialize;
use serde::ser::Serializer;

/// The words for how far a command has come.
pub(crate) const STATES: [&str; 7] =
    ["waiting", "sent", "done", "failed", "expired", "unknown", "superseded"];

/// How far a command has come, as a word.
pub(crate) fn state(command: &Command) -> &'static str {
    match &command.state {
        CommandState::Storing | CommandState::Queued | CommandState::Marking => "waiting",
        CommandState::Sent(_) | CommandState::Ending(..) => "sent",
        CommandState::Ended(_, outcome) => outcome_state(outcome),
    }
}

fn outcome_state(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Answered(_) => "done",
        Outcome::Failed(_) => "failed",
        Outcome::Expired => "expired",
        Outcome::Unknown => "unknown",
        Outcome::Superseded => "superseded",
    }
}

/// Why a command ended without an answer.
pub(crate) fn error(outcome: &Outcome) -> Option<&str> {
    match outcome {
        Outcome::Answered(_) => None,
        Outcome::Failed(reason) => Some(reason),
        Outcome::Expired => {
            Some("the device could not be reached in the time that the command had")
        }
        Outcome::Unknown => Some(
            "the device, or the server, went away before the answer came; the device may have carried \
             it out",
        ),
        Outcome::Superseded => Some("a later write took its place"),
    }
}

/// The name of an operation.
const fn word(operation: &Operation) -> &'static str {
    match operation {
        Operation::Read { .. } => "read",
        Operation::Discover { .. } => "discover",
        Operation::Write { .. } => "write",
        Operation::WriteAttributes { .. } => "write-attributes",
        Operation::Execute { .. } => "execute",
        Operation::Create { .. } => "create",
        Operation::Delete { .. } => "delete",
        Operation::Observe { .. } => "observe",
        Operation::ReadComposite { .. } => "read-composite",
        Operation::WriteComposite { .. } => "write-composite",
        Operation::ObserveComposite { .. } => "observe-composite",
        Operation::CancelObservation { .. } => "cancel-observation",
    }
}

/// The path of an operation, or the paths with commas between them.
pub(crate) fn path(operation: &Operation) -> String {
    let list = |paths: &mut dyn Iterator<Item = String>| paths.collect::<Vec<_>>().join(",");
    match operation {
        Operation::ReadComposite { paths, .. } | Operation::ObserveComposite { paths, .. } => {
            list(&mut paths.iter().map(ToString::to_string))
        }
        Operation::WriteComposite { changes, .. } => {
            list(&mut changes.iter().map(|(path, _)| path.to_string()))
        }
        Operation::CancelObservation { target } => target.to_string(),
        operation => operation.path().to_string(),
    }
}

/// A command. What it does not have is left out.
#[derive(Serialize)]
pub(crate) struct CommandJson<'a> {
    #[serde(serialize_with = "text")]
    id: CommandId,
    ep: &'a str,
    operation: &'static str,
    path: String,
    state: &'static str,
    created: u64,
    expires: u64,
    attempts: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<ResponseJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

impl<'a> CommandJson<'a> {
    /// The JSON of a command; `kind` is that of its operation.
    pub(crate) fn new(command: &'a Command, kind: &'a RequestKind, clock: Clock) -> Self {
        let ended = match &command.state {
            CommandState::Ended(at, outcome) => Some((*at, &**outcome)),
            _ => None,
        };
        Self {
            id: command.id,
            ep: &command.endpoint,
            operation: word(&command.operation),
            path: path(&command.operation),
            state: state(command),
            created: milliseconds(clock, command.created_at),
            expires: milliseconds(clock, command.expires_at),
            attempts: command.attempts,
            ended: ended.map(|(at, _)| milliseconds(clock, at)),
            response: ended.and_then(|(_, outcome)| response(kind, outcome)),
            error: ended.and_then(|(_, outcome)| error(outcome)),
        }
    }
}

fn response<'a>(kind: &'a RequestKind, outcome: &'a Outcome) -> Option<ResponseJson<'a>> {
    let Outcome::Answered(response) = outcome else { return None };
    Some(ResponseJson::new(kind, response))
}

fn text<S: Serializer>(id: &CommandId, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&id.0)
}

/// What is answered now about an operation whose answer comes later, and the event that then tells it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DelayedJson<'a> {
    ep: &'a str,
    path: String,
    request_id: String,
    response: Option<ResponseJson<'a>>,
    delayed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What will be answered later.
#[derive(Clone, Copy)]
pub(crate) enum Request {
    Command(CommandId),
    /// The first answer to a wish. The number is not that of a command.
    Wish(OperationId),
}

impl<'a> DelayedJson<'a> {
    /// The answer for now.
    pub(crate) fn new(ep: &'a str, path: String, request: Request) -> Self {
        let request_id = match request {
            Request::Command(id) => id.0.to_string(),
            Request::Wish(id) => format!("o{}", id.0),
        };
        Self { ep, path, request_id, response: None, delayed: true, state: None, error: None }
    }

    /// The same, with how the command ended.
    pub(crate) fn ended(self, kind: &'a RequestKind, outcome: &'a Outcome) -> Self {
        let error = error(outcome).map(str::to_owned);
        Self {
            response: response(kind, outcome),
            state: Some(outcome_state(outcome)),
            error,
            ..self
        }
    }

    /// The same, with what the device answered.
    pub(crate) fn answered(
        self,
        kind: &'a RequestKind,
        result: &'a Result<lwm2m_server::Response, lwm2m_server::OperationError>,
    ) -> Self {
        match result {
            Ok(response) => Self { response: Some(ResponseJson::new(kind, response)), ..self },
            Err(error) => Self { error: Some(error.to_string()), ..self },
        }
    }
}
