//! The state of a request from a peer: RFC 7252 section 5.2.

use super::bodies::Assembly;
use super::check::ExchangeOptions;
use super::key::RequestKey;
use super::streamed::Streamed;
use crate::admit::Sender;
use crate::delivery::Source;
use crate::ids::PeerId;
use crate::message::Token;
use alloc::boxed::Box;
use lwm2m_time::Instant;

/// A request that waits for the application's response.
#[derive(Clone, Debug)]
pub(super) struct ServerExchange {
    pub(super) peer: PeerId,
    pub(super) expires: Instant,
    pub(super) token: Token,
    /// The message to reply to; `None` if it came by a path that the peer has left.
    pub(super) source: Option<Source>,
    pub(super) sender: Sender,
    pub(super) key: RequestKey,
    pub(super) options: ExchangeOptions,
    /// Whether the request asks for an observation.
    pub(super) registers: bool,
    /// Whether the request is one block of a body that is handed out block by block.
    pub(super) streamed: Option<Streamed>,
    /// Set if the request has a body that came in several blocks and is complete.
    pub(super) complete: Option<Box<Assembly>>,
}
