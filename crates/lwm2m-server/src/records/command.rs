//! Commands as records.

use super::node::{KeptNode, KeptTyped};
use crate::command::{Command, CommandId, CommandOptions, CommandState, Outcome};
use crate::operation::{Content, Operation, Response, WriteMode};
use lwm2m_core::{Attribute, ContentFormat, Path};
use lwm2m_time::Instant;
use minicbor::{Decode, Encode};
use std::sync::Arc;

/// A command. Its key is its number.
#[derive(Encode, Decode)]
#[cbor(map)]
pub(crate) struct KeptCommand {
    #[n(0)]
    endpoint: String,
    #[n(1)]
    operation: KeptOperation,
    #[n(2)]
    priority: u8,
    #[n(3)]
    key: Option<String>,
    #[n(4)]
    coalesces: bool,
    #[n(5)]
    may_repeat: bool,
    /// Microseconds of Unix time.
    #[n(6)]
    created_at: u64,
    #[n(7)]
    expires_at: u64,
    #[n(8)]
    attempts: u8,
    /// Whether it may be at the device already.
    #[n(9)]
    sent: bool,
    #[n(10)]
    outcome: Option<KeptOutcome>,
}

#[derive(Encode, Decode, Default)]
#[cbor(map)]
struct KeptOperation {
    #[n(0)]
    kind: u8,
    #[n(1)]
    path: Option<String>,
    #[n(2)]
    format: Option<u16>,
    #[n(3)]
    path_format: Option<u16>,
    #[n(4)]
    node: Option<KeptNode>,
    #[n(5)]
    partial: Option<bool>,
    #[n(6)]
    attributes: Option<Vec<String>>,
    #[n(7)]
    arguments: Option<String>,
    #[n(8)]
    instance: Option<u16>,
    #[n(9)]
    paths: Option<Vec<String>>,
    #[n(10)]
    changes: Option<Vec<(String, Option<KeptTyped>)>>,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct KeptOutcome {
    /// As [`Outcome`] lists them.
    #[n(0)]
    kind: u8,
    #[n(1)]
    ended_at: u64,
    #[n(2)]
    error: Option<String>,
    #[n(3)]
    code: Option<u8>,
    #[n(4)]
    valid: Option<bool>,
    #[n(5)]
    node: Option<KeptNode>,
    #[n(6)]
    links: Option<String>,
    #[n(7)]
    created: Option<String>,
    #[n(8)]
    diagnostic: Option<String>,
}

impl KeptCommand {
    /// `None` for the operations that are no commands.
    pub(crate) fn of(command: &Command) -> Option<Self> {
        let CommandOptions { priority, key, coalesces, may_repeat, .. } = command.options.clone();
        let (sent, outcome) = match &command.state {
            CommandState::Storing | CommandState::Queued => (false, None),
            CommandState::Marking | CommandState::Sent(_) => (true, None),
            CommandState::Ending(at, outcome) | CommandState::Ended(at, outcome) => {
                (true, Some(KeptOutcome::of(*at, outcome)))
            }
        };
        Some(Self {
            endpoint: command.endpoint.to_string(),
            operation: KeptOperation::of(&command.operation)?,
            priority,
            key,
            coalesces,
            may_repeat,
            created_at: command.created_at.as_micros(),
            expires_at: command.expires_at.as_micros(),
            attempts: command.attempts,
            sent,
            outcome,
        })
    }

    /// The command; `None` if a field has no legal value. What may be at the device already is sent
    /// again only if it may be repeated.
    pub(crate) fn command(self, id: CommandId, now: Instant) -> Option<Command> {
        let Self { priority, key, coalesces, may_repeat, sent, outcome, .. } = self;
        let operation = self.operation.operation()?;
        let repeats = may_repeat || operation.is_idempotent();
        let state = match outcome {
            Some(outcome) => {
                let at = Instant::from_micros(outcome.ended_at);
                CommandState::Ended(at, Arc::new(outcome.outcome()?))
            }
            None if sent && !repeats => CommandState::Ending(now, Arc::new(Outcome::Unknown)),
            None => CommandState::Queued,
        };
        Some(Command {
            id,
            endpoint: self.endpoint.into(),
            operation: Arc::new(operation),
            options: CommandOptions { priority, key, coalesces, may_repeat, expires_in: None },
            created_at: Instant::from_micros(self.created_at),
            expires_at: Instant::from_micros(self.expires_at),
            attempts: self.attempts,
            state,
        })
    }
}

fn texts<'p>(items: impl IntoIterator<Item = &'p (impl ToString + 'p)>) -> Option<Vec<String>> {
    Some(items.into_iter().map(ToString::to_string).collect())
}

fn paths(texts: Option<Vec<String>>) -> Option<Arc<[Path]>> {
    texts?.iter().map(|text| text.parse().ok()).collect()
}

impl KeptOperation {
    fn of(operation: &Operation) -> Option<Self> {
        let number = |format: &Option<ContentFormat>| format.map(|format| format.0);
        let none = Self { path: Some(operation.path().to_string()), ..Self::default() };
        Some(match operation {
            Operation::Read { format, .. } => Self { kind: 0, format: number(format), ..none },
            Operation::Discover { .. } => Self { kind: 1, ..none },
            Operation::Write { node, format, mode, .. } => Self {
                kind: 2,
                node: Some(KeptNode(node.clone())),
                format: number(format),
                partial: Some(*mode == WriteMode::Partial),
                ..none
            },
            Operation::WriteAttributes { attributes, .. } => {
                Self { kind: 3, attributes: texts(attributes), ..none }
            }
            Operation::Execute { arguments, .. } => {
                Self { kind: 4, arguments: Some(arguments.clone()), ..none }
            }
            Operation::Create { instance, node, format, .. } => Self {
                kind: 5,
                instance: *instance,
                node: Some(KeptNode(node.clone())),
                format: number(format),
                ..none
            },
            Operation::Delete { .. } => Self { kind: 6, ..none },
            Operation::ReadComposite { paths, path_format, format } => Self {
                kind: 7,
                paths: texts(paths.iter()),
                path_format: number(path_format),
                format: number(format),
                ..none
            },
            Operation::WriteComposite { changes, format } => {
                let change = |(path, value): &(Path, Option<lwm2m_core::Value>)| {
                    (path.to_string(), value.clone().map(KeptTyped))
                };
                let changes = Some(changes.iter().map(change).collect());
                Self { kind: 8, changes, format: number(format), ..none }
            }
            Operation::Observe { .. }
            | Operation::ObserveComposite { .. }
            | Operation::CancelObservation { .. } => return None,
        })
    }

    fn operation(self) -> Option<Operation> {
        let path: Path = self.path?.parse().ok()?;
        let format = self.format.map(ContentFormat);
        Some(match self.kind {
            0 => Operation::Read { path, format },
            1 => Operation::Discover { path },
            2 => {
                let mode = if self.partial? { WriteMode::Partial } else { WriteMode::Replace };
                Operation::Write { path, node: self.node?.0, format, mode }
            }
            3 => {
                let attributes = self.attributes?;
                let attributes = attributes.iter().map(|text| Attribute::parse(text).ok());
                Operation::WriteAttributes { path, attributes: attributes.collect::<Option<_>>()? }
            }
            4 => Operation::Execute { path, arguments: self.arguments? },
            5 => {
                let (instance, node) = (self.instance, self.node?.0);
                Operation::Create { path, instance, node, format }
            }
            6 => Operation::Delete { path },
            7 => {
                let path_format = self.path_format.map(ContentFormat);
                Operation::ReadComposite { paths: paths(self.paths)?, path_format, format }
            }
            8 => {
                let change = |(path, value): (String, Option<KeptTyped>)| {
                    Some((path.parse().ok()?, value.map(|value| value.0)))
                };
                let changes = self.changes?.into_iter().map(change).collect::<Option<_>>()?;
                Operation::WriteComposite { changes, format }
            }
            _ => return None,
        })
    }
}

impl KeptOutcome {
    fn of(ended_at: Instant, outcome: &Outcome) -> Self {
        let none = Self {
            kind: 0,
            ended_at: ended_at.as_micros(),
            error: None,
            code: None,
            valid: None,
            node: None,
            links: None,
            created: None,
            diagnostic: None,
        };
        let response = match outcome {
            Outcome::Answered(response) => response,
            Outcome::Failed(error) => {
                return Self { kind: 1, error: Some(error.clone()), ..none };
            }
            Outcome::Expired => return Self { kind: 2, ..none },
            Outcome::Unknown => return Self { kind: 3, ..none },
            Outcome::Superseded => return Self { kind: 4, ..none },
        };
        let none = Self {
            code: Some(response.code.as_byte()),
            valid: Some(response.valid),
            diagnostic: response.diagnostic.clone(),
            ..none
        };
        match &response.content {
            Content::None => none,
            Content::Node(node) => Self { node: Some(KeptNode(node.clone())), ..none },
            Content::Links(links) => Self { links: Some(lwm2m_codec::link::write(links)), ..none },
            Content::Created(path) => {
                let created = path.map_or_else(String::new, |path| path.to_string());
                Self { created: Some(created), ..none }
            }
        }
    }

    fn outcome(self) -> Option<Outcome> {
        match self.kind {
            0 => {}
            1 => return Some(Outcome::Failed(self.error?)),
            2 => return Some(Outcome::Expired),
            3 => return Some(Outcome::Unknown),
            4 => return Some(Outcome::Superseded),
            _ => return None,
        }
        let content = match (self.node, self.links, self.created) {
            (Some(node), ..) => Content::Node(node.0),
            (_, Some(links), _) => Content::Links(lwm2m_codec::link::parse(&links).ok()?),
            (.., Some(path)) if path.is_empty() => Content::Created(None),
            (.., Some(path)) => Content::Created(Some(path.parse().ok()?)),
            (None, None, None) => Content::None,
        };
        Some(Outcome::Answered(Response {
            code: lwm2m_coap::Code::from(self.code?),
            valid: self.valid?,
            content,
            diagnostic: self.diagnostic,
            left_out: Vec::new(),
        }))
    }
}
