//! A LwM2M server without sockets and clocks: registration, device management, information
//! reporting.
//!
//! [`Server`] is an [`Engine`](lwm2m_link::Engine): datagrams and the time are passed in,
//! datagrams and events are polled out. The application sends an [`Operation`] to a device by its
//! endpoint name and hears of the outcome, of registrations and of notifications as [`Event`]s.
//!
//! | module | what | section of OMA LwM2M Core |
//! |---|---|---|
//! | `rd`, `registration` | Register, Update, De-register | 6.2 |
//! | `devices` | all registrations and their lifetimes | 6.2 |
//! | `operation`, `validate`, `downlink`, `format` | Read, Discover, Write, Write-Attributes, Execute, Create, Delete, composites | 6.3 |
//! | `server::send` | Send | 6.4.6 |
//! | `observation` | Observe, Notify, Cancel Observation | 6.4 |
//! | [`security`] | who may speak for which endpoint | Transport 5.2 |
//! | `server` | the engine that joins them | |
//!
//! ```
//! use lwm2m_link::Engine;
//! use lwm2m_server::{Config, Operation, SubmitError, Server};
//! use lwm2m_time::Instant;
//!
//! let mut server = Server::new(Config::default(), [7; 32]);
//! let read = Operation::Read { path: "/3/0/0".parse()?, format: None };
//! assert_eq!(server.submit(Instant::ZERO, "urn:dev:1", read), Err(SubmitError::UnknownEndpoint));
//! assert!(server.poll_transmit().is_none());
//! # Ok::<(), lwm2m_core::path::PathError>(())
//! ```
#![warn(clippy::indexing_slicing)]

mod config;
mod devices;
mod downlink;
mod error;
mod event;
mod format;
mod observation;
mod operation;
mod pending;
mod rd;
mod registration;
mod server;
mod validate;

/// Credentials of clients and of the server itself; see [`Config::security`].
pub use lwm2m_credentials as security;

pub use config::Config;
pub use error::{Invalid, OperationError, SubmitError};
pub use event::{DeregistrationReason, Event, ObservationEnd};
pub use observation::Observation;
pub use operation::{Content, Operation, OperationId, Response, Target, WriteMode};
pub use registration::{ObjectInfo, Registration, Update};
pub use server::Server;
