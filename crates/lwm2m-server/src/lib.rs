//! A LwM2M server without sockets and clocks: registration, device management, information
//! reporting.
//!
//! [`Server`] is an [`Engine`](lwm2m_link::Engine): a driver passes datagrams and the time in, and
//! polls datagrams and [`Event`]s out. The application submits an [`Operation`] on a device by its
//! endpoint name. Events tell the outcome, registrations and notifications.
//!
//! A [`Device`] holds all that the server keeps of one device, and can go from one server to
//! another.
//!
//! | module | what | section of OMA LwM2M Core |
//! |---|---|---|
//! | `server` | the engine; each of its files handles one interface | |
//! | `rd` | parses Register, Update, De-register, Send; refusals | 6.2, 6.4.6 |
//! | `registration` | what a device registered; object lists | 6.2 |
//! | `device`, `devices` | a device as a value; the table of all of them, with timers | |
//! | `command`, `commands` | operations that wait for their devices and survive restarts | 6.5 |
//! | `operation`, `device_management` | operations, their checks, requests and answers | 6.3 |
//! | `observation` | Observe, Notify, Cancel Observation | 6.4 |
//! | [`records`] | what is kept: the records of the journal | |
//! | [`security`] | which identity may use which endpoint name | Transport 5.2 |
//!
//! ```
//! use lwm2m_link::Engine;
//! use lwm2m_server::{Config, Operation, SubmitError, Server};
//! use lwm2m_time::Instant;
//!
//! let mut server = Server::new(Config::default(), [7; 32]);
//! let read = Operation::Read { path: "/3/0/0".parse()?, format: None };
//! assert_eq!(server.submit(Instant::ZERO, "urn:dev:1", read), Err(SubmitError::UnknownEndpoint));
//! assert!(server.poll().is_none());
//! # Ok::<(), lwm2m_core::path::PathError>(())
//! ```
#![warn(clippy::indexing_slicing)]

mod command;
mod commands;
mod config;
mod departed;
mod device;
mod device_management;
mod devices;
mod error;
mod event;
mod history;
mod observation;
mod operation;
mod quirks;
mod rd;
pub mod records;
mod registration;
mod server;
mod wish;

/// Credentials of clients and of the server itself; see [`Config::security`].
pub use lwm2m_credentials as security;

pub use command::{Command, CommandId, CommandOptions, CommandState, Outcome};
pub use config::Config;
pub use device::Device;
pub use error::{AdoptError, Invalid, OperationError, SubmitError};
pub use event::{DeregistrationReason, Event, ObservationEnd};
pub use lwm2m_link::Overload;
pub use observation::Observation;
pub use operation::{Content, Operation, OperationId, Response, Target, WriteMode};
pub use quirks::Forgiven;
pub use registration::{ObjectInfo, ObjectList, Registration, RegistrationId, Update};
pub use server::{Begun, Messages, Reach, Restore, Restored, Server};
pub use wish::{Wish, WishOptions, WishState};
