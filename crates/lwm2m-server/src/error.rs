//! The errors of operations and adoptions.

use crate::device::Device;
use crate::operation::Target;
use lwm2m_codec::link::LinkError;
use lwm2m_codec::{DecodeError, EncodeError};
use lwm2m_core::Path;

/// An operation was not submitted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// No device is registered under this endpoint name.
    #[error("no device is registered under this endpoint name")]
    UnknownEndpoint,
    /// The operation has no form on the wire.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The connection or DTLS session of the device is over, or an adopted device has not been
    /// heard of yet. A server opens no connections and sessions.
    #[error(
        "the connection or session of the device is over; it has to connect and send an Update"
    )]
    NotConnected,
    /// The device is in queue mode and sleeps; see [`Server::command`](crate::Server::command).
    #[error("the device sleeps; ask for it as a command, which waits until the device wakes up")]
    Asleep {
        /// When it was heard of last.
        since: lwm2m_time::Instant,
    },
    /// Another operation has the key of this command.
    #[error("another operation has this idempotency key; a new one needs a new key")]
    KeyInUse,
    /// There are as many commands, or as many bytes of them, as the configuration allows.
    #[error("too many commands wait or keep their results; remove some first")]
    TooManyCommands,
    /// The store has failed, or is far behind.
    #[error("this cannot be kept now, because the store has failed or is far behind; try again")]
    NotKept,
    /// The values cannot be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// CoAP refused, for example because too many requests to the device are pending.
    #[error(transparent)]
    Coap(#[from] lwm2m_coap::Error),
    /// The device has as many observations as
    /// [`Config::max_observations`](crate::Config::max_observations) allows.
    #[error("the device has too many observations; cancel some first")]
    TooManyObservations,
}

/// An operation has no form on the wire.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// The operation does not apply to paths of this length.
    #[error("the operation cannot be applied to {0}, a path of this length")]
    Path(Path),
    /// The node is not of the kind that lives at the path.
    #[error("the values are not of the kind that lives at {0}")]
    Node(Path),
    /// A Write-Composite has both a single value and resource instances of one resource, which LwM2M
    /// CBOR cannot express.
    #[error("{0} has both a single value and resource instances")]
    Multiplicity(Path),
    /// There are no attributes to write.
    #[error("there are no attributes to write")]
    NoAttributes,
    /// A composite operation names nothing.
    #[error("a composite operation needs at least one path")]
    NoPaths,
    /// Observations are no commands: see [`Server::wish`](crate::Server::wish).
    #[error("an observation is no command; it lasts by itself until it is cancelled")]
    NoCommand,
    /// The target is not observed.
    #[error("{0} is not observed")]
    NotObserved(Target),
}

/// An operation that was submitted gave no response.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OperationError {
    /// The device did not answer in time.
    #[error("the device did not answer in time")]
    Timeout,
    /// The device rejected the message.
    #[error("the device rejected the message with a Reset")]
    Reset,
    /// The operation was cancelled.
    #[error("the operation was cancelled")]
    Cancelled,
    /// The registration ended before the device answered.
    #[error("the device registered anew or its registration ended before it answered")]
    Deregistered,
    /// The device came back with another identity, or left an address that it shared with other
    /// devices, so its answer would not be recognised. It may have carried the operation out.
    #[error(
        "the device changed its identity or left a shared address before it answered; send the operation again"
    )]
    Moved,
    /// Another server takes the device over. It may have carried the operation out.
    #[error("the device was released to another server before it answered; submit it there")]
    Released,
    /// The answer breaks a rule of CoAP, or is larger than the server accepts.
    #[error("the answer of the device cannot be accepted: {0}")]
    Protocol(lwm2m_coap::FailReason),
    /// The answer or notification has the success code of another operation (OMA LwM2M Transport 6.4.4
    /// and 6.4.5).
    #[error("the device answered {0}, the success of another operation")]
    UnexpectedCode(lwm2m_coap::Code),
    /// The answer cannot be decoded, or has paths that were not asked for.
    #[error("the answer of the device cannot be decoded: {0}")]
    Decode(#[from] DecodeError),
    /// The links of a Discover cannot be decoded.
    #[error("the links that the device sent cannot be decoded: {0}")]
    Links(#[from] LinkError),
}

impl OperationError {
    /// Whether the device is still where it was, so that other operations can follow.
    pub(crate) const fn keeps_device(&self) -> bool {
        !matches!(self, Self::Cancelled | Self::Deregistered | Self::Moved | Self::Released)
    }

    /// Whether the device may or may not have carried the operation out, so that it is worth another
    /// try.
    pub(crate) const fn leaves_open(&self) -> bool {
        matches!(
            self,
            Self::Timeout | Self::Cancelled | Self::Deregistered | Self::Moved | Self::Released
        ) || matches!(self, Self::Protocol(lwm2m_coap::FailReason::Closed))
    }
}

/// A device was not adopted; the error gives it back.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdoptError {
    /// A device with this endpoint name or location is registered already.
    #[error("the device {} is registered here already", .0.registration().endpoint)]
    Registered(Box<Device>),
    /// Nothing that is proven about the device or its peer allows the endpoint name.
    #[error("the identity of the device {} may not use its name", .0.registration().endpoint)]
    Identity(Box<Device>),
    /// The server has as many devices, or takes as much memory, as its configuration allows.
    #[error("there is no room for the device {}", .0.registration().endpoint)]
    Full(Box<Device>),
}
