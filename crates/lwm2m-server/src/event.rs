//! What a server tells its application.

use crate::error::OperationError;
use crate::operation::{OperationId, Response, Target};
use crate::registration::{Registration, Update};
use lwm2m_coap::Code;
use lwm2m_codec::{DecodeError, Timed};
use lwm2m_core::Node;
use lwm2m_credentials::RefusedName;
use lwm2m_link::HandshakeFailure;
use std::sync::Arc;

/// Something that the application may want to know. A registration is the state right after (for
/// [`Event::Deregistered`]: right before) the event.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A device registered; if it was registered before, [`Event::Deregistered`] came first.
    Registered(Arc<Registration>),
    /// A device updated its registration.
    Updated {
        /// The registration as it is now.
        registration: Arc<Registration>,
        /// What the Update said.
        update: Update,
    },
    /// A registration ended.
    Deregistered {
        /// The registration as it was.
        registration: Arc<Registration>,
        /// Why.
        reason: DeregistrationReason,
    },
    /// An operation ended; there is exactly one such event for each operation that was sent and
    /// not cancelled.
    Completed {
        /// The operation.
        id: OperationId,
        /// The device.
        endpoint: String,
        /// What it answered.
        result: Result<Response, OperationError>,
    },
    /// A device notified of a change. An error does not end the observation.
    Notification {
        /// The device.
        registration: Arc<Registration>,
        /// What is observed.
        target: Target,
        /// The values at [`Target::path`]; of a composite observation, all that there are.
        result: Result<Node, DecodeError>,
    },
    /// A device sent values on its own account.
    ValuesReceived {
        /// The device.
        registration: Arc<Registration>,
        /// The values, in the order of the payload.
        values: Vec<Timed>,
    },
    /// A DTLS or TLS handshake with a client failed; nothing is proven about who it was.
    HandshakeFailed(HandshakeFailure),
    /// A client wanted to register, and was not believed its endpoint name.
    NameRefused(RefusedName),
    /// An observation ended; the server begins none anew by itself.
    ObservationEnded {
        /// The endpoint name of the device.
        endpoint: String,
        /// What was observed.
        target: Target,
        /// Why.
        reason: ObservationEnd,
    },
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
}

/// Why an observation ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ObservationEnd {
    /// The application cancelled it.
    Cancelled,
    /// The registration ended, or the device registered anew.
    Deregistered,
    /// The device moved to another address, from which its notifications are not recognised.
    Moved,
    /// The connection to the device is lost.
    Disconnected,
    /// The device ended it with this code.
    Ended(Code),
}
