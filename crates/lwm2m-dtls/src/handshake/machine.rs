//! The state machine of either side.

use super::client::ClientHandshake;
use super::context::Context;
use super::fragment::Message;
use super::output::Output;
use super::server::ServerHandshake;
use crate::error::Reason;
use alloc::boxed::Box;

/// The state machine of one handshake.
pub(crate) enum Machine {
    Client(Box<ClientHandshake>),
    Server(Box<ServerHandshake>),
}

impl Machine {
    /// Handles the next message; the result is in `output`.
    pub(crate) fn handle(
        &mut self,
        message: &Message,
        context: &mut Context<'_>,
        output: &mut Output,
    ) -> Result<(), Reason> {
        match self {
            Self::Client(machine) => machine.handle(message, context, output),
            Self::Server(machine) => machine.handle(message, context, output),
        }
    }
}
