//! The errors of operations and adoptions.

use crate::device::Device;
use crate::operation::Target;
use lwm2m_codec::link::LinkError;
use lwm2m_codec::{DecodeError, EncodeError};
use lwm2m_core::arguments::ArgumentsError;
use lwm2m_core::{AttributeName, Path};
use lwm2m_objects::range::RangeError;

/// An operation was not submitted.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// No device is registered under this endpoint name.
    #[error("no device is registered under this endpoint name")]
    UnknownEndpoint,
    /// The device cannot carry out such an operation.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The connection or DTLS session of the device is over, or an adopted device has not been
    /// heard of yet. A server opens no connections and sessions.
    #[error(
        "the connection or session of the device is over; it has to connect and send an Update"
    )]
    NotConnected,
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

/// The device would refuse an operation; found without asking it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Invalid {
    /// The operation does not apply to paths of this length, in the client's LwM2M version.
    #[error("the operation cannot be applied to {0} in the LwM2M version of the device")]
    Path(Path),
    /// The node is not of the kind that lives at the path.
    #[error("the values are not of the kind that lives at {0}")]
    Node(Path),
    /// The resource cannot be read.
    #[error("{0} cannot be read")]
    NotReadable(Path),
    /// The resource cannot be written.
    #[error("{0} cannot be written")]
    NotWritable(Path),
    /// The resource cannot be executed.
    #[error("{0} cannot be executed")]
    NotExecutable(Path),
    /// A single value for a multiple-instance resource, or the reverse.
    #[error("{0} is single where it is multiple, or the reverse")]
    Multiplicity(Path),
    /// A value of the wrong type, or out of range.
    #[error("{path}: {error}")]
    Value {
        /// The resource.
        path: Path,
        /// What is wrong with the value.
        error: RangeError,
    },
    /// The arguments of Execute are malformed.
    #[error("the arguments of Execute are malformed: {0}")]
    Arguments(#[from] ArgumentsError),
    /// The attribute cannot be set at this path, or is unknown in the client's LwM2M version.
    #[error("{} cannot be set at {path} in the LwM2M version of the device", name.as_str())]
    Attribute {
        /// The path.
        path: Path,
        /// The attribute.
        name: AttributeName,
    },
    /// There are no attributes to write.
    #[error("there are no attributes to write")]
    NoAttributes,
    /// The object has one instance, whose id is 0.
    #[error("{0} has one instance at the most, with the id 0")]
    SingleInstance(Path),
    /// Composite operations begin with LwM2M 1.1, and the device speaks 1.0.
    #[error("a device of LwM2M 1.0 has no composite operations; send single ones")]
    NoComposite,
    /// A composite operation names nothing.
    #[error("a composite operation needs at least one path")]
    NoPaths,
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
    /// The answer cannot be decoded, or has paths that were not asked for.
    #[error("the answer of the device cannot be decoded: {0}")]
    Decode(#[from] DecodeError),
    /// The links of a Discover cannot be decoded.
    #[error("the links that the device sent cannot be decoded: {0}")]
    Links(#[from] LinkError),
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
