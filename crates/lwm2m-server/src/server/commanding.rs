//! Commands: kept, sent one at a time when their devices listen, and ended with a result.

use super::Server;
use super::keeping::{Held, Keep};
use crate::command::{Command, CommandId, CommandOptions, CommandState, Outcome};
use crate::device_management::validate;
use crate::devices::DeviceKey;
use crate::error::{Invalid, OperationError, SubmitError};
use crate::event::Event;
use crate::operation::{Operation, OperationId, Response};
use crate::records::{self, Happened, KeptCommand};
use bytes::Bytes;
use lwm2m_link::{Lsn, Record};
use lwm2m_time::Instant;
use std::sync::Arc;

impl Server {
    /// Keeps an operation on a device that is registered now, until the device can be reached, and
    /// then its result. An [`Event::CommandEnded`] follows. With a key that an earlier command of the
    /// device has, nothing is done, and the earlier one is named.
    ///
    /// # Errors
    /// The device is unknown, the operation has no form on the wire or is an observation (see
    /// [`wish`](Self::wish)), the key stands for another operation, or there is no room.
    pub fn command(
        &mut self,
        now: Instant,
        endpoint: &str,
        operation: Operation,
        options: CommandOptions,
    ) -> Result<CommandId, SubmitError> {
        validate::check(&operation)?;
        let earlier = options.key.as_deref().and_then(|key| self.commands.with_key(endpoint, key));
        if let Some(earlier) = earlier {
            let same = *earlier.operation == operation;
            return if same { Ok(earlier.id) } else { Err(SubmitError::KeyInUse) };
        }
        let key = self.devices.key_of(endpoint).ok_or(SubmitError::UnknownEndpoint)?;
        let device = self.devices.get(key).ok_or(SubmitError::UnknownEndpoint)?;
        let endpoint = Arc::clone(&device.registration.endpoint);
        let id = self.make_command(now, endpoint, operation, options, None)?;
        self.handle_link_events(now);
        Ok(id)
    }

    /// Adds a command; one that is at the device already if it is `sent`.
    pub(super) fn make_command(
        &mut self,
        now: Instant,
        endpoint: Arc<str>,
        operation: Operation,
        options: CommandOptions,
        sent: Option<OperationId>,
    ) -> Result<CommandId, SubmitError> {
        let lifetime = options.expires_in.unwrap_or(self.config.command_lifetime);
        let command = Command {
            id: self.commands.fresh_id(now),
            endpoint,
            operation: Arc::new(operation),
            options,
            created_at: now,
            expires_at: now + lifetime,
            attempts: 0,
            state: sent.map_or(CommandState::Storing, CommandState::Sent),
        };
        self.admit_command(now, command)
    }

    fn admit_command(&mut self, now: Instant, command: Command) -> Result<CommandId, SubmitError> {
        let record = record_of(&command).ok_or(Invalid::NoCommand)?;
        let size = record.value.as_ref().map_or(0, Bytes::len);
        let (count, memory) = self.commands.extent();
        if !self.journal.can_promise() {
            return Err(SubmitError::NotKept);
        }
        if count >= self.config.max_commands || memory + size > self.config.max_command_bytes {
            return Err(SubmitError::TooManyCommands);
        }
        let id = command.id;
        let since = self.journal.promised();
        let due = command.expires_at;
        self.commands.insert(command, due, size);
        self.keep(Keep::Promised, record);
        if self.journal.hold(since, Held::Command(id)).is_some() {
            self.advance_command(now, id);
        }
        Ok(id)
    }

    /// Ends the earlier writes that a command takes the place of, now that it is durable itself.
    fn supersede(&mut self, now: Instant, id: CommandId) {
        let Some(command) = self.commands.get(id) else { return };
        let Operation::Write { path, mode, .. } = &*command.operation else { return };
        let is_same = |it: &&Command| {
            let waits = matches!(it.state, CommandState::Queued) && it.options.coalesces;
            waits
                && it.id < id
                && matches!(&*it.operation, Operation::Write { path: p, mode: m, .. } if p == path && m == mode)
        };
        let earlier = self.commands.open(&command.endpoint).filter(is_same).map(|it| it.id);
        for id in earlier.collect::<Vec<_>>() {
            self.end_command(now, id, Outcome::Superseded);
        }
    }

    /// A command, also one that has ended, until it is forgotten.
    #[must_use]
    pub fn command_by_id(&self, id: CommandId) -> Option<&Command> {
        self.commands.get(id)
    }

    /// All commands in the order of their numbers, from one on.
    pub fn commands_from(&self, id: CommandId) -> impl Iterator<Item = &Command> {
        self.commands.from(id)
    }

    /// The commands of a device that have not ended.
    pub fn open_commands(&self, endpoint: &str) -> impl Iterator<Item = &Command> {
        self.commands.open(endpoint)
    }

    /// Takes a command back, or forgets its result. The device may carry out one that was sent.
    /// Returns `false` if there is none.
    pub fn remove_command(&mut self, now: Instant, id: CommandId) -> bool {
        let Some(command) = self.commands.remove(id) else { return false };
        self.keep(Keep::Promised, records::remove(records::COMMANDS, key_of(id)));
        if let CommandState::Sent(operation) = command.state {
            self.cancel(operation);
        }
        self.dispatch_to(now, &command.endpoint);
        self.handle_link_events(now);
        true
    }

    /// Goes on with a command whose record is durable.
    pub(super) fn advance_command(&mut self, now: Instant, id: CommandId) {
        let Some(command) = self.commands.get(id) else { return };
        let (endpoint, coalesces) = (Arc::clone(&command.endpoint), command.options.coalesces);
        match &command.state {
            CommandState::Storing => {
                self.commands.set_state(id, CommandState::Queued, now);
                if coalesces {
                    self.supersede(now, id);
                }
                self.dispatch_to(now, &endpoint);
            }
            CommandState::Marking => self.send_command(now, id),
            CommandState::Ending(at, outcome) => {
                let (at, outcome) = (*at, Arc::clone(outcome));
                self.tell_end(id, at, outcome);
            }
            _ => {}
        }
    }

    /// Handles that a record of a command could not be kept: who asked for it is told so.
    pub(super) fn fail_command(&mut self, id: CommandId) {
        match self.commands.get(id).map(|it| &it.state) {
            // Or an operation that was to become a command.
            Some(CommandState::Storing | CommandState::Sent(_)) => {
                let removed = self.commands.remove(id);
                self.keep(Keep::Noted, records::remove(records::COMMANDS, key_of(id)));
                if let Some(CommandState::Sent(operation)) = removed.map(|it| it.state) {
                    self.cancel(operation);
                }
            }
            Some(CommandState::Marking) => {
                self.commands.set_state(id, CommandState::Queued, Instant::ZERO);
            }
            // The store tries again; the outcome is told when it is durable.
            Some(CommandState::Ending(..)) => {
                _ = self.journal.hold(Lsn::default(), Held::Command(id));
            }
            _ => {}
        }
    }

    fn dispatch_to(&mut self, now: Instant, endpoint: &str) {
        if let Some(key) = self.devices.key_of(endpoint) {
            self.dispatch(now, key);
        }
    }

    /// Sends the next command of a device, if the device listens and has none.
    pub(super) fn dispatch(&mut self, now: Instant, key: DeviceKey) {
        let Some(device) = self.devices.get(key).filter(|device| self.listens(device)) else {
            return;
        };
        let is_free =
            |it: &Command| matches!(it.state, CommandState::Queued | CommandState::Storing);
        let endpoint = Arc::clone(&device.registration.endpoint);
        if !self.commands.open(&endpoint).all(is_free) {
            return;
        }
        let next = self.commands.open(&endpoint).find(|it| it.state == CommandState::Queued);
        let Some((id, repeats)) = next.map(|it| (it.id, it.repeats())) else { return };
        if repeats {
            self.send_command(now, id);
            return;
        }
        let since = self.journal.promised();
        self.commands.set_state(id, CommandState::Marking, now);
        self.keep_command(id, Keep::Promised);
        if self.journal.hold(since, Held::Command(id)).is_some() {
            self.send_command(now, id);
        }
    }

    fn send_command(&mut self, now: Instant, id: CommandId) {
        let Some(command) = self.commands.get(id) else { return };
        let (endpoint, operation) =
            (Arc::clone(&command.endpoint), Operation::clone(&command.operation));
        match self.submit_now(now, &endpoint, operation) {
            Ok(operation) => self.commands.set_state(id, CommandState::Sent(operation), now),
            Err(SubmitError::Invalid(error)) => {
                self.end_command(now, id, Outcome::Failed(error.to_string()));
            }
            Err(SubmitError::Encode(error)) => {
                self.end_command(now, id, Outcome::Failed(error.to_string()));
            }
            // The device has gone meanwhile, or has no room for another request.
            Err(_) => {
                self.commands.set_state(id, CommandState::Queued, now);
                self.keep_command(id, Keep::Noted);
            }
        }
    }

    /// Handles the outcome of the operation of a command.
    pub(super) fn handle_outcome(
        &mut self,
        now: Instant,
        id: CommandId,
        result: Result<Response, OperationError>,
    ) {
        let Some(command) = self.commands.get(id) else { return };
        let (repeats, attempts) = (command.repeats(), command.attempts);
        let endpoint = Arc::clone(&command.endpoint);
        let goes_on = result.as_ref().err().is_none_or(OperationError::keeps_device);
        match result {
            Ok(response) => self.end_command(now, id, Outcome::Answered(response)),
            Err(error) if !error.leaves_open() => {
                self.end_command(now, id, Outcome::Failed(error.to_string()));
            }
            Err(_) if !repeats => self.end_command(now, id, Outcome::Unknown),
            Err(OperationError::Timeout) if attempts + 1 >= self.config.max_command_attempts => {
                self.end_command(now, id, Outcome::Failed(OperationError::Timeout.to_string()));
            }
            Err(error) => {
                if error == OperationError::Timeout {
                    self.commands.count_attempt(id);
                }
                self.commands.set_state(id, CommandState::Queued, now);
                self.keep_command(id, Keep::Noted);
            }
        }
        if goes_on {
            self.dispatch_to(now, &endpoint);
        }
    }

    /// Notes how a command ended. It is told when it is durable: after a crash it must not have ended
    /// in another way.
    fn end_command(&mut self, now: Instant, id: CommandId, outcome: Outcome) {
        let since = self.journal.promised();
        let mut outcome = Arc::new(outcome);
        self.commands.set_state(id, CommandState::Ending(now, Arc::clone(&outcome)), now);
        if !self.resize(id, self.config.max_command_bytes) {
            outcome = Arc::new(Outcome::clone(&outcome).without_values());
            self.commands.set_state(id, CommandState::Ending(now, Arc::clone(&outcome)), now);
            self.resize(id, usize::MAX);
        }
        self.keep_command(id, Keep::Promised);
        if self.journal.hold(since, Held::Command(id)).is_some() {
            self.tell_end(id, now, outcome);
        }
    }

    /// Counts the bytes of a command anew. Returns whether they fit.
    fn resize(&mut self, id: CommandId, most: usize) -> bool {
        let record = self.commands.get(id).and_then(record_of);
        let size = record.and_then(|it| it.value).map_or(0, |value| value.len());
        self.commands.resize(id, size, most)
    }

    fn tell_end(&mut self, id: CommandId, at: Instant, outcome: Arc<Outcome>) {
        let Some(command) = self.commands.get(id) else { return };
        let endpoint = Arc::clone(&command.endpoint);
        let operation = Arc::clone(&command.operation);
        let ended = CommandState::Ended(at, Arc::clone(&outcome));
        self.commands.set_state(id, ended, at + self.config.keep_results_for);
        self.remember(at, &endpoint, || Happened::CommandEnded(id, (&*outcome).into()));
        self.outputs.push_back(Event::CommandEnded { id, endpoint, operation, outcome });
    }

    fn keep_command(&mut self, id: CommandId, keep: Keep) {
        if let Some(record) = self.commands.get(id).and_then(record_of) {
            self.keep(keep, record);
        }
    }

    /// Gives up what has waited too long, and forgets old results.
    pub(super) fn expire_commands(&mut self, now: Instant) {
        while let Some(id) = self.commands.pop_due(now) {
            match self.commands.get(id).map(|it| (&it.state, it.expires_at)) {
                Some((CommandState::Ended(at, _), _)) => {
                    // The timer may be that of its own expiry, before it ended.
                    if *at + self.config.keep_results_for <= now {
                        self.commands.remove(id);
                        self.keep(Keep::Noted, records::remove(records::COMMANDS, key_of(id)));
                    }
                }
                // It is at the device: the answer, or its absence, ends it. Or it is ending.
                Some((
                    CommandState::Sent(_) | CommandState::Marking | CommandState::Ending(..),
                    _,
                ))
                | None => {}
                Some((_, expires_at)) if expires_at <= now => {
                    self.end_command(now, id, Outcome::Expired);
                }
                Some(_) => {}
            }
        }
    }

    /// Puts a command back that was kept.
    pub(super) fn restore_command(&mut self, now: Instant, key: &[u8], value: &[u8]) -> Option<()> {
        let id = CommandId(u64::from_be_bytes(key.try_into().ok()?));
        let kept: KeptCommand = records::decode(value)?;
        let command = kept.command(id, now)?;
        let due = match &command.state {
            CommandState::Ended(at, _) => *at + self.config.keep_results_for,
            _ => command.expires_at,
        };
        let is_unknown = matches!(command.state, CommandState::Ending(..));
        self.commands.insert(command, due, value.len());
        if is_unknown {
            self.end_command(now, id, Outcome::Unknown);
        }
        Some(())
    }

    /// Whether an operation belongs to a command.
    pub(super) fn command_of(&self, id: OperationId) -> Option<CommandId> {
        self.commands.of_operation(id)
    }
}

fn key_of(id: CommandId) -> Bytes {
    id.0.to_be_bytes().to_vec().into()
}

fn record_of(command: &Command) -> Option<Record> {
    let kept = KeptCommand::of(command)?;
    Some(records::put(records::COMMANDS, key_of(command.id), &kept))
}
