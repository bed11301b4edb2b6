//! Commands: operations that wait for their devices, survive restarts, and keep their results.

use crate::operation::{Content, Operation, OperationId, Response};
use lwm2m_time::Instant;
use std::sync::Arc;
use std::time::Duration;

/// What is kept in place of an answer that there is no room for.
const NO_ROOM: &str = "the server has no room to keep the answer";

/// The number of a command. It grows, is never used again, and fits a number of JSON.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CommandId(pub u64);

/// How a command is to be handled.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct CommandOptions {
    /// How long it may wait. Default: [`Config::command_lifetime`](crate::Config::command_lifetime).
    pub expires_in: Option<Duration>,
    /// Commands of higher priority go first; those of one priority in the order in which they came.
    pub priority: u8,
    /// Names the command, so that one that is asked for twice is carried out once.
    pub key: Option<String>,
    /// Whether this write takes the place of an earlier one to the same path that still waits and
    /// says the same.
    pub coalesces: bool,
    /// Whether the device may get it twice. Reads, writes and Write-Attributes always may.
    pub may_repeat: bool,
}

/// A command.
#[derive(Clone, PartialEq, Debug)]
pub struct Command {
    /// Its number.
    pub id: CommandId,
    /// The endpoint name of the device.
    pub endpoint: Arc<str>,
    /// What is to be done.
    pub operation: Arc<Operation>,
    /// How.
    pub options: CommandOptions,
    /// When it was asked for.
    pub created_at: Instant,
    /// When it is given up.
    pub expires_at: Instant,
    /// How often the device has not answered.
    pub attempts: u8,
    /// How far it has come.
    pub state: CommandState,
}

/// How far a command has come.
#[derive(Clone, PartialEq, Debug)]
pub enum CommandState {
    /// It is not durable yet.
    Storing,
    /// It waits for its device, or for a command before it.
    Queued,
    /// It goes out as soon as it is durable that it does: it must not be sent again after a crash.
    Marking,
    /// The device has it, or will get it.
    Sent(OperationId),
    /// It has ended so, which is not durable yet.
    Ending(Instant, Arc<Outcome>),
    /// It has ended so.
    Ended(Instant, Arc<Outcome>),
}

/// How a command ended.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    /// The device answered.
    Answered(Response),
    /// It could not be carried out, for this reason.
    Failed(String),
    /// The device was not reached in time.
    Expired,
    /// The device, or the server, vanished before the answer came. The device may have carried it
    /// out.
    Unknown,
    /// A later write took its place.
    Superseded,
}

impl Outcome {
    /// The outcome where there is no room for what the device answered: with its code alone.
    pub(crate) fn without_values(self) -> Self {
        match self {
            Self::Answered(response) => Self::Answered(Response {
                content: Content::None,
                diagnostic: Some(NO_ROOM.to_owned()),
                left_out: Vec::new(),
                ..response
            }),
            other => other,
        }
    }
}

impl Command {
    /// Whether the device may get it twice.
    #[must_use]
    pub fn repeats(&self) -> bool {
        self.options.may_repeat || self.operation.is_idempotent()
    }

    /// Whether it has ended for good.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        matches!(self.state, CommandState::Ended(..))
    }
}
