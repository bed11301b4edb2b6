//! Operations that go out now if their device listens, and wait for it otherwise.

use super::Server;
use crate::command::{CommandId, CommandOptions};
use crate::error::SubmitError;
use crate::operation::{Operation, OperationId};
use lwm2m_time::Instant;

/// What has become of an operation that was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Begun {
    /// It went out. An [`Event::Completed`](crate::Event::Completed) follows.
    Sent(OperationId),
    /// It is kept as a command. An [`Event::CommandEnded`](crate::Event::CommandEnded) follows.
    Kept(CommandId),
}

impl Server {
    /// Whether a request to a device would go out now: the device is registered, does not sleep, and
    /// has a connection or session if it needs one.
    #[must_use]
    pub fn is_reachable(&self, endpoint: &str) -> bool {
        let device = self.devices.key_of(endpoint).and_then(|key| self.devices.get(key));
        device.is_some_and(|device| self.listens(device))
    }

    pub(super) fn listens(&self, device: &crate::Device) -> bool {
        !device.is_asleep && device.peer.is_some_and(|peer| self.link.is_reachable(peer))
    }

    /// Carries an operation out now, or keeps it as a command if the device is in queue mode and
    /// cannot be reached. So it is if commands wait for the device: those were asked for earlier.
    ///
    /// # Errors
    /// As [`submit`](Self::submit) and [`command`](Self::command).
    pub fn begin(
        &mut self,
        now: Instant,
        endpoint: &str,
        operation: Operation,
        options: CommandOptions,
    ) -> Result<Begun, SubmitError> {
        let device = self.devices.key_of(endpoint).and_then(|key| self.devices.get(key));
        let device = device.ok_or(SubmitError::UnknownEndpoint)?;
        let waits = !self.listens(device) || self.commands.open(endpoint).next().is_some();
        match device.registration.queue_mode && waits {
            true => self.command(now, endpoint, operation, options).map(Begun::Kept),
            false => self.submit(now, endpoint, operation).map(Begun::Sent),
        }
    }

    /// Makes a command of an operation that is under way, so that its outcome is kept and told by
    /// [`Event::CommandEnded`](crate::Event::CommandEnded). If the device does not answer, it is sent
    /// again only if it may be repeated. `operation` is what was submitted.
    ///
    /// # Errors
    /// The operation has ended ([`SubmitError::UnknownEndpoint`]), is no command, or cannot be kept.
    /// Then nothing has changed.
    pub fn keep_operation(
        &mut self,
        now: Instant,
        id: OperationId,
        operation: Operation,
        options: CommandOptions,
    ) -> Result<CommandId, SubmitError> {
        let device = self.devices.key_of_operation(id).and_then(|key| self.devices.get(key));
        let device = device.ok_or(SubmitError::UnknownEndpoint)?;
        let endpoint = std::sync::Arc::clone(&device.registration.endpoint);
        self.make_command(now, endpoint, operation, options, Some(id))
    }
}
