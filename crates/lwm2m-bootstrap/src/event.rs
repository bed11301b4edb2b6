//! What a bootstrap server tells its application.

use lwm2m_coap::{Code, FailReason};
use lwm2m_codec::DecodeError;
use lwm2m_codec::link::{Link, LinkError};
use lwm2m_core::{Node, Path};
use lwm2m_credentials::RefusedName;
use lwm2m_link::{HandshakeFailure, Overload};
use std::net::SocketAddr;

/// Something that happened to a device, which goes by its endpoint name.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A device asked for a bootstrap, which begins.
    Started {
        /// The device.
        endpoint: String,
        /// Where it is.
        address: SocketAddr,
    },
    /// A device carried out a command; the next one follows.
    Answered {
        /// The device.
        endpoint: String,
        /// The path of the command.
        path: Path,
        /// The answer.
        content: Content,
    },
    /// A device accepted all commands and Bootstrap-Finish.
    Finished {
        /// The device.
        endpoint: String,
    },
    /// A bootstrap ended before that.
    Failed {
        /// The device.
        endpoint: String,
        /// Why.
        reason: SessionError,
    },
    /// A DTLS handshake with a device failed; nothing is proven about which one it was.
    HandshakeFailed(HandshakeFailure),
    /// A client asked for something, and was not believed its endpoint name.
    NameRefused(RefusedName),
    /// A device was issued a certificate.
    Certified {
        /// The device.
        endpoint: String,
    },
    /// Something was refused or forgotten because a bound was reached: what, since this was told the
    /// last time, which is once a minute at most.
    Overloaded(Overload),
    /// A device took a Bootstrap-Pack. Whether it suits the device is not told.
    Packed {
        /// The device.
        endpoint: String,
    },
}

/// What a device answered.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Content {
    /// To Bootstrap-Discover.
    Links(Vec<Link>),
    /// To Bootstrap-Read.
    Node(Node),
    /// To Bootstrap-Write: the values are written.
    Written,
    /// To Bootstrap-Delete: the instances are gone.
    Deleted,
}

/// Why a bootstrap failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// The device asked again before the bootstrap was complete.
    #[error("the device asked again; the bootstrap begins anew")]
    Cancelled,
    /// The credentials of the endpoint were changed or removed.
    #[error("the credentials of the endpoint were changed")]
    CredentialsChanged,
    /// The device refused the command on this path.
    #[error("the device answered {1} to the command on {0}")]
    Refused(Path, Code),
    /// The device refused Bootstrap-Finish: its accounts are not consistent (4.06).
    #[error("the device answered {0} to Bootstrap-Finish; complete the accounts in /0 and /1")]
    NotFinished(Code),
    /// The device did not answer.
    #[error("{0}")]
    NoAnswer(FailReason),
    /// The answer to Bootstrap-Read cannot be read.
    #[error("the answer cannot be read: {0}")]
    Values(#[from] DecodeError),
    /// The answer to Bootstrap-Discover cannot be read.
    #[error("the answer cannot be read: {0}")]
    Links(#[from] LinkError),
    /// A command cannot be written in the format that the device wants, or CoAP has no room.
    #[error("the command on {0} cannot be sent; check that the node goes with the path")]
    NotSent(Path),
}
