//! A sans-IO LwM2M client: the part that a device embeds.
//!
//! A device makes [`MemoryObject`] (or objects of its own) with its values, names its servers in a
//! [`Config`], and gives both to a [`Client`]. The client registers, answers what servers ask and
//! notifies what they observe; a driver moves its datagrams and tells it the time.
//!
//! | part | what | section of OMA LwM2M Core |
//! |---|---|---|
//! | [`config`] | the device, its servers | 6.2, E.1, E.2 |
//! | `objects`: [`Object`](trait@Object), [`MemoryObject`], [`typed`] | the objects of the device | 7.2 |
//! | `account` | Register, Update, De-register, retries; sessions and transports | 6.2; Transport 5.2, 6.2 |
//! | `bootstrap` | how a client gets its servers | 6.1 |
//! | `device_management` | Read, Write, Execute, Create, Delete, Discover | 6.3 |
//! | `reporting` | Observe, Notify, attributes, Send | 6.4, 7.3 |
//! | `sleeping` | queue mode | 6.5 |
//! | [`firmware`] | Firmware Update, object 5 | E.6 |
//! | [`records`], `keeping` | what survives a crash | |
//! | [`security`] | modes and keys of accounts | E.1; Transport 5.2 |
//! | [`event`], [`error`] | what the application learns | |
//!
//! `client` owns the parts and routes inputs to them. A part gets the `context` with each call,
//! which holds the time, the objects and the link to the servers, and leaves behind what others
//! have to do as an `effect`. Parts do not call each other back.
//!
//! ```
//! use lwm2m_client::{Client, Config, Event, MemoryObject, ServerAccount};
//! use lwm2m_link::{Engine, Output};
//! use lwm2m_time::Instant;
//!
//! let device = MemoryObject::new(3)
//!     .instance(0, |v| v.with(0, "Example").with_multiple(11, [(0, 0i64)]).with(16, "U"))
//!     .on_execute(4, |_instance, _arguments| Ok(()));
//! let thermometer = MemoryObject::new(3303).instance(0, |v| v.with(5700, 21.5)).fixed();
//! let config = Config::new("urn:dev:os:32473-123456")
//!     .server(ServerAccount::new(1, "192.0.2.1:5683".parse()?).lifetime(300));
//! let seed = [7; 32]; // from the random number generator of the device
//! let mut client = Client::new(config, vec![Box::new(device), Box::new(thermometer)], seed)?;
//!
//! let mut now = Instant::ZERO; // from the clock of the device
//! client.start(now);
//! let Some(Output::Transmit(register)) = client.poll() else { panic!("nothing to send") };
//! assert_eq!(register.to.port(), 5683);
//! // Datagrams that arrive go into client.handle(), and so on. A new value:
//! client.update::<MemoryObject>(now, 3303, |thermometer| thermometer.set(0, 5700, 21.9))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(not(feature = "std"), no_std)]
#![warn(clippy::indexing_slicing)]

extern crate alloc;

mod account;
mod bootstrap;
mod client;
pub mod config;
mod configured;
mod context;
mod device_management;
mod effect;
pub mod error;
pub mod event;
pub mod firmware;
mod format;
mod ids;
mod keeping;
mod objects;
pub mod records;
mod reporting;
pub mod security;
mod sleeping;
mod transport;

pub use account::RegistrationState;
pub use client::Client;
pub use config::{BootstrapAccount, Config, Retry, ServerAccount};
pub use error::{
    AccountsError, BootstrapError, ConfigError, ErrorResponse, Refusal, RegistrationError,
    SendError, ValueError,
};
pub use event::Event;
pub use ids::SendId;
pub use keeping::{Restore, Restored};
#[cfg(feature = "derive")]
pub use lwm2m_derive::Object;
pub use lwm2m_objects::ObjectDefinition;
pub use objects::{Block, MemoryObject, Object, typed};
pub use security::{Security, SecurityError, SecurityMode};
pub use typed::{Instance, Instances};
