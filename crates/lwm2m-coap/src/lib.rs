//! A CoAP endpoint without sockets and clocks: RFC 7252, 7641, 7959 and 8323.
//!
//! [`Endpoint`] speaks CoAP with any number of peers, as client and server at once. The caller
//! passes datagrams and the time in, and polls datagrams and events out. So one loop drives it on
//! any runtime, and tests drive it on a virtual clock. Datagrams have at most 1,152 bytes; larger
//! bodies travel in blocks, which the application never sees. A peer may also be on a connection
//! (TCP, TLS): its messages then travel in streams, with the same events and methods.
//!
//! | module | what | standard |
//! |---|---|---|
//! | `message` | formats of messages, options, codes, blocks | RFC 7252 sections 3, 5.10, 12; RFC 7959 section 2; RFC 8323 section 3.2 |
//! | `messaging` | message IDs, acknowledgements, retransmission, duplicates | RFC 7252 section 4 |
//! | `connections` | streams and signaling messages | RFC 8323 |
//! | `transport`, `protection` | messaging or connections, by peer; the seam for OSCORE | RFC 8613 |
//! | `exchange` | tokens, requests and responses, Observe, block-wise transfer, Echo | RFC 7252 section 5, 7641, 7959, 8974, 9175 |
//! | `endpoint` | the layers combined | |
//! | `admit` | which messages of a peer are taken | |
//! | [`uri`] | `coap` and `coaps` URIs | RFC 7252 section 6 |
//!
//! ```
//! use lwm2m_coap::{Code, Config, Endpoint, Event, Instant, PeerId, Request, Response};
//!
//! let now = Instant::ZERO;
//! let (mut client, mut server) =
//!     (Endpoint::new(Config::default(), [1; 32]), Endpoint::new(Config::default(), [2; 32]));
//! let (to_server, to_client) = (PeerId(0), PeerId(0));
//!
//! let id = client.request(now, to_server, Request::get().path(["3", "0"]))?;
//! let datagram = client.poll_transmit().expect("a request");
//! server.handle_datagram(now, to_client, &datagram.payload);
//! let Some(Event::Request { exchange, .. }) = server.poll_event() else { panic!("no request") };
//! server.respond(now, exchange, Response::new(Code::CONTENT).payload("hello"))?;
//! let datagram = server.poll_transmit().expect("a response");
//! client.handle_datagram(now, to_server, &datagram.payload);
//! let Some(Event::Response { id: answered, response, .. }) = client.poll_event() else {
//!     panic!("no response")
//! };
//! assert_eq!((answered, &response.payload[..]), (id, &b"hello"[..]));
//! # Ok::<(), lwm2m_coap::Error>(())
//! ```
#![cfg_attr(not(feature = "std"), no_std)]
#![warn(clippy::indexing_slicing)]

extern crate alloc;

mod admit;
mod config;
mod connections;
mod delivery;
mod endpoint;
mod error;
mod event;
mod exchange;
mod ids;
mod message;
mod messaging;
mod protection;
mod request;
mod response;
mod statistics;
mod table;
mod transport;
pub mod uri;

pub use admit::{Admit, Sender};
pub use bytes::Bytes;
pub use config::{Config, PeerParameters, TransmissionParameters};
pub use endpoint::Endpoint;
pub use error::Error;
pub use event::{CloseReason, Event, FailReason, GoneReason, ProtocolFault, Transmit, Unanswered};
pub use ids::{ExchangeId, Observer, PeerId, RequestId};
pub use lwm2m_time::Instant;
pub use message::{
    BlockSize, BlockValue, Code, Fault, FrameError, FrameView, MessageBuilder, MessageType,
    MessageView, OptionIter, OptionNumber, Options, ParseError, Token, write_frame,
};
pub use request::Request;
pub use response::Response;
pub use statistics::Statistics;
