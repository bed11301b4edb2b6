//! The events of a server.

use crate::command::{CommandId, Outcome};
use crate::error::OperationError;
use crate::operation::{Content, Operation, OperationId, Response, Target};
use crate::registration::{Registration, Update};
use lwm2m_coap::Code;
use lwm2m_codec::{LeftOut, Timed};
use lwm2m_core::{Node, Path, Resource, Value};
use lwm2m_credentials::RefusedName;
use lwm2m_link::{HandshakeFailure, Overload};
use std::fmt;
use std::sync::Arc;

/// An event of a server. A registration in it is the state right after the event, or right before
/// it in [`Event::Deregistered`].
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The event that follows is kept under this number; see
    /// [`KeptEvent`](crate::records::KeptEvent).
    Remembered(u64),
    /// A device registered; if it was registered before, [`Event::Deregistered`] came first.
    Registered(Arc<Registration>),
    /// The server [adopted](crate::Server::adopt) a device.
    Adopted(Arc<Registration>),
    /// The server [released](crate::Server::release) a device, for another one to adopt.
    Released(Arc<Registration>),
    /// A device updated its registration.
    Updated {
        /// The registration as it is now.
        registration: Arc<Registration>,
        /// What the Update said.
        update: Update,
    },
    /// A device goes on from another address: its DTLS session has moved there (RFC 9146, 6), or a
    /// new session of its identity continues the old one. An Update that comes from a new address is
    /// [`Event::Updated`].
    Moved(Arc<Registration>),
    /// A registration ended.
    Deregistered {
        /// The registration as it was.
        registration: Arc<Registration>,
        /// The reason.
        reason: DeregistrationReason,
        /// Whether the device is in queue mode and slept.
        was_asleep: bool,
    },
    /// An operation ended. Each operation that was submitted and not cancelled has exactly one such
    /// event.
    Completed {
        /// The operation.
        id: OperationId,
        /// The endpoint name of the device.
        endpoint: Arc<str>,
        /// What the operation is about.
        target: Target,
        /// What the device answered.
        result: Result<Response, OperationError>,
    },
    /// A device in queue mode was heard of, and listens for a while.
    Awake(Arc<Registration>),
    /// A device in queue mode sleeps: its time to listen is over, or it did not answer.
    Asleep(Arc<Registration>),
    /// A command ended, which is durable.
    CommandEnded {
        /// The command.
        id: CommandId,
        /// The endpoint name of the device.
        endpoint: Arc<str>,
        /// What was asked for.
        operation: Arc<Operation>,
        /// How.
        outcome: Arc<Outcome>,
    },
    /// A device sent the values of an observation. An error does not end the observation.
    Notification {
        /// The device.
        registration: Arc<Registration>,
        /// What is observed.
        target: Target,
        /// The values at [`Target::path`]; of a composite observation, all values.
        result: Result<Node, OperationError>,
        /// The values that the result lacks, because they cannot be decoded; at most 64 of them.
        left_out: Vec<LeftOut>,
    },
    /// A device sent values by the operation Send (OMA LwM2M Core 6.4.6).
    ValuesReceived {
        /// The device.
        registration: Arc<Registration>,
        /// The values, in the order of the payload.
        values: Vec<Timed>,
        /// The values that cannot be decoded; at most 64 of them.
        left_out: Vec<LeftOut>,
    },
    /// A DTLS or TLS handshake with a client failed; nothing is proven about the client.
    HandshakeFailed(HandshakeFailure),
    /// A Register was refused, because the identity may not use the endpoint name.
    NameRefused(RefusedName),
    /// Something was refused or forgotten because a bound was reached: so much since the last of
    /// these events, which come once a minute at most.
    Overloaded(Overload),
    /// An observation ended. The server does not begin it anew.
    ObservationEnded {
        /// The endpoint name of the device.
        endpoint: Arc<str>,
        /// What was observed.
        target: Target,
        /// The reason.
        reason: ObservationEnd,
    },
}

/// What an event takes without its values and object list.
const BASE: usize = 512;
/// What a value takes in a tree, without its text.
const LEAF: usize = 96;

impl Event {
    /// The bytes that this event takes in memory, by estimate: to bound queues of events. An object
    /// list counts where the device sent it, and where the event may be the last that has it.
    #[must_use]
    pub fn memory_estimate(&self) -> usize {
        BASE + match self {
            Self::Registered(it) | Self::Deregistered { registration: it, .. } => {
                it.list.memory_estimate()
            }
            Self::Updated { update, .. } => {
                update.list.as_ref().map_or(0, |list| list.memory_estimate())
            }
            Self::Notification { result: Ok(node), .. } => of_node(node),
            Self::Completed { result: Ok(response), .. } => of_response(response),
            Self::CommandEnded { outcome, .. } => match &**outcome {
                Outcome::Answered(response) => of_response(response),
                _ => 0,
            },
            Self::ValuesReceived { values, .. } => {
                values.iter().map(|it| size_of::<Timed>() + of_text(&it.value)).sum()
            }
            _ => 0,
        }
    }
}

fn of_response(response: &Response) -> usize {
    match &response.content {
        Content::Node(node) => of_node(node),
        _ => 0,
    }
}

fn of_node(node: &Node) -> usize {
    match node {
        Node::ResourceInstance(value) | Node::Resource(Resource::Single(value)) => of_text(value),
        node => node.leaves(&Path::ROOT).iter().map(|(_, value)| LEAF + of_text(value)).sum(),
    }
}

const fn of_text(value: &Value) -> usize {
    match value {
        Value::String(text) | Value::CoreLink(text) => text.len(),
        Value::Opaque(bytes) => bytes.len(),
        _ => 0,
    }
}

/// Why a registration ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DeregistrationReason {
    /// The device de-registered.
    Removed,
    /// The lifetime passed without an Update.
    Expired,
    /// The device registered anew.
    Replaced,
    /// The credentials of the endpoint were changed or removed.
    CredentialsChanged,
    /// The application deleted the device.
    Deleted,
}

/// Why an observation ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ObservationEnd {
    /// The application cancelled it.
    Cancelled,
    /// The registration ended, or the device registered anew.
    Deregistered,
    /// The device came back with another identity, or left an address that it shared with other
    /// devices, so its notifications are not recognised.
    Moved,
    /// The connection or session was lost, and the device did not answer when the server began the
    /// observation anew.
    Disconnected,
    /// The device ended it with this code.
    Ended(Code),
}

impl fmt::Display for ObservationEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("it was cancelled"),
            Self::Deregistered => {
                f.write_str("the registration ended, or the device registered anew")
            }
            Self::Moved => {
                f.write_str("the device came back with another identity, or left a shared address")
            }
            Self::Disconnected => f.write_str("the connection to the device is lost"),
            Self::Ended(code) => write!(f, "the device ended it with {code}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_take_at_least_what_devices_said_in_them() {
        const LONG: usize = 10_000;
        let opaque = || Value::Opaque(vec![7; LONG].into());
        let node = |value| Node::Resource(Resource::Single(value));
        let small = || node(Value::Integer(1));
        let texts = (0..100).map(|id| (id, Value::String("ten bytes!".to_owned())));
        let many = Node::Resource(Resource::Multiple(texts.collect()));
        let path = Path::resource(3, 0, 0);
        let response = |content| Response {
            code: Code::CONTENT,
            valid: true,
            content: Content::Node(content),
            diagnostic: None,
            left_out: Vec::new(),
        };
        let completed = |content| Event::Completed {
            id: OperationId(1),
            endpoint: "a".into(),
            target: path.into(),
            result: Ok(response(content)),
        };
        let ended = |content| Event::CommandEnded {
            id: CommandId(1),
            endpoint: "a".into(),
            operation: Arc::new(Operation::Discover { path }),
            outcome: Arc::new(Outcome::Answered(response(content))),
        };
        for (event, least) in [
            (completed(small()), 0),
            (completed(node(opaque())), LONG),
            (completed(node(Value::String("x".repeat(LONG)))), LONG),
            (completed(many.clone()), 100 * (LEAF + 10)),
            (ended(small()), 0),
            (ended(node(opaque())), LONG),
            (ended(many), 100 * (LEAF + 10)),
        ] {
            let estimate = event.memory_estimate();
            assert!((BASE + least..BASE + least + 100).contains(&estimate), "{estimate}");
        }
    }
}
