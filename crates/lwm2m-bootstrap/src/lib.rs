//! A LwM2M bootstrap server without sockets and clocks: it tells devices which servers to use.
//!
//! [`BootstrapServer`] is an [`Engine`](lwm2m_link::Engine): a driver passes inputs and the time in
//! and polls outputs, on UDP and TCP, with and without security. The application gives each endpoint a list of
//! [`Command`]s; when the device asks, they are sent one after another, with Bootstrap-Finish at
//! the end, and an [`Event`] tells the outcome.
//!
//! | module | what | section of OMA LwM2M Core |
//! |---|---|---|
//! | [`Config`], [`Command`] | what an operator chooses | 6.1.7 |
//! | `request` | Bootstrap-Request, Bootstrap-Pack-Request | 6.1.7.1, 6.1.7.2 |
//! | [`security`] | who may speak for which endpoint | Transport 5.2 |
//! | `session` | the commands of one bootstrap | 6.1.7.3 to 6.1.7.7 |
//! | `server` | the engine that joins them | |
//!
//! ```
//! use lwm2m_bootstrap::{BootstrapServer, Command, Config};
//! use lwm2m_core::{Node, ObjectInstance, Path};
//!
//! let settings = ObjectInstance::default().with(0, 1i64).with(1, 300i64).with(6, true).with(7, "U");
//! let mut server = BootstrapServer::new(Config::default(), [7; 32]);
//! server.configure("urn:dev:os:32473-123456", vec![
//!     Command::Delete(Path::object(1)),
//!     Command::Write(Path::instance(1, 0), Node::ObjectInstance(settings)),
//!     // and an instance of Security (0), from which the device learns the address
//! ]);
//! ```
#![warn(clippy::indexing_slicing)]

mod config;
mod event;
mod request;
mod server;
mod session;

/// Credentials of clients and of the server itself; see [`Config::security`].
pub use lwm2m_credentials as security;

pub use lwm2m_link::ConnectionConfig;

pub use config::{Authority, Command, Config, Packs};
pub use event::{Content, Event, SessionError};
pub use server::BootstrapServer;
