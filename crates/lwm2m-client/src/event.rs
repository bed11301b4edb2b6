//! What the client tells its application.

use crate::error::{AccountsError, BootstrapError, RegistrationError};
use crate::ids::SendId;
use alloc::string::String;
use core::net::SocketAddr;
use lwm2m_core::{Arguments, Path};
use lwm2m_time::Instant;

/// Something that happened. Servers are named by their short server id.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Event {
    /// The server accepted the registration.
    Registered {
        /// The server.
        server: u16,
        /// Where the registration is on the server, such as `/rd/5a3f`.
        location: String,
    },
    /// A session of DTLS or TLS with a server is established.
    SessionBegun {
        /// The server; the bootstrap server is 0.
        server: u16,
        /// Whether its keys stem from an earlier session.
        resumed: bool,
    },
    /// The session or connection by which the client was registered with a server has ended: the
    /// server has ended it, or it was lost.
    SessionEnded {
        /// The server.
        server: u16,
        /// When the client registers again.
        retry_at: Instant,
    },
    /// The server accepted an Update.
    Updated {
        /// The server.
        server: u16,
    },
    /// A server has not answered a message, or a flight of the handshake, which was sent again for the
    /// first time, or has waited as long on a connection. The client goes on trying; if nothing comes, a
    /// failure follows.
    Unanswered {
        /// The server; the bootstrap server is 0.
        server: u16,
        /// Where it was looked for.
        address: SocketAddr,
    },
    /// A registration or Update failed.
    RegistrationFailed {
        /// The server.
        server: u16,
        /// Where it was looked for; `None` if its address is not known.
        address: Option<SocketAddr>,
        /// Why.
        reason: RegistrationError,
        /// The time of the next attempt; `None` if the client does not retry.
        retry_at: Option<Instant>,
    },
    /// The address of a server is not known, or it did not answer there, and its URI has a name:
    /// look that up and call [`Client::set_address`](crate::Client::set_address).
    AddressWanted {
        /// The server.
        server: u16,
        /// Its URI.
        uri: String,
    },
    /// The registration has ended: the client shuts down, or the server disabled it.
    Deregistered {
        /// The server.
        server: u16,
        /// Whether the server confirmed it, or why not; it may then keep the registration until
        /// the lifetime ends.
        confirmed: Result<(), RegistrationError>,
    },
    /// A server executed a resource.
    Executed {
        /// The server.
        server: u16,
        /// The resource.
        path: Path,
        /// The arguments.
        arguments: Arguments,
    },
    /// A server wrote an instance, resource or resource instance, or deleted a resource instance.
    Written {
        /// The server.
        server: u16,
        /// What it wrote to.
        path: Path,
    },
    /// A server created an object instance.
    Created {
        /// The server.
        server: u16,
        /// The new instance.
        path: Path,
    },
    /// A server deleted an object instance.
    Deleted {
        /// The server.
        server: u16,
        /// The instance that was.
        path: Path,
    },
    /// A server began to observe.
    Observed {
        /// The server.
        server: u16,
        /// What it observes.
        path: Path,
    },
    /// An observation has ended.
    ObservationEnded {
        /// The server.
        server: u16,
        /// What it observed.
        path: Path,
    },
    /// A notification was sent.
    Notified {
        /// The server.
        server: u16,
        /// What it observes.
        path: Path,
    },
    /// A bootstrap is complete; the client registers with the servers that it got.
    Bootstrapped,
    /// The bootstrap server has finished with accounts that cannot be used; it may mend them.
    AccountsRefused {
        /// What is wrong with them.
        reason: AccountsError,
    },
    /// A bootstrap failed.
    BootstrapFailed {
        /// Where its server was looked for.
        address: SocketAddr,
        /// Why.
        reason: BootstrapError,
        /// The time of the next attempt; `None` if the client does not retry.
        retry_at: Option<Instant>,
    },
    /// The device is in queue mode and its time to listen is over: it receives nothing until
    /// [`Event::Awake`], so that the application may turn the receiver off (OMA LwM2M Core 6.5).
    Sleeping {
        /// When the client has something to do by itself: an Update, or to look whether a notification
        /// is due. `None` if it does not.
        until: Option<Instant>,
    },
    /// The device sleeps no more: it is about to send something. This comes before the datagram.
    Awake,
    /// A Send has ended.
    Sent {
        /// The Send.
        id: SendId,
        /// The server.
        server: u16,
        /// Whether the server took the values, or why not.
        confirmed: Result<(), RegistrationError>,
    },
    /// The shutdown is complete.
    Stopped,
}
