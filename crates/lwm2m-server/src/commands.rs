//! All commands: by number, by device in the order in which they go out, with their timers.

use crate::command::{Command, CommandId, CommandState};
use crate::operation::OperationId;
use lwm2m_time::{Instant, TimerQueue};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// The order of the commands of a device.
type Rank = (Reverse<u8>, CommandId);

#[derive(Debug, Default)]
pub(crate) struct Commands {
    all: BTreeMap<CommandId, Command>,
    newest: u64,
    /// Those that have not ended and are not about to.
    open: HashMap<Arc<str>, BTreeSet<Rank>>,
    by_operation: HashMap<OperationId, CommandId>,
    keys: HashMap<(Arc<str>, String), CommandId>,
    /// When an open one expires, and when one that has ended is forgotten.
    timers: TimerQueue<CommandId>,
    /// The bytes of the records of all.
    memory: usize,
    sizes: HashMap<CommandId, usize>,
}

fn rank(command: &Command) -> Rank {
    (Reverse(command.options.priority), command.id)
}

impl Commands {
    /// The number of all commands, and the bytes of their records.
    pub(crate) fn extent(&self) -> (usize, usize) {
        (self.all.len(), self.memory)
    }

    /// A number that no command has, and none had before a restart: at least `now` in microseconds.
    pub(crate) fn fresh_id(&mut self, now: Instant) -> CommandId {
        self.newest = (self.newest + 1).max(now.as_micros());
        CommandId(self.newest)
    }

    pub(crate) fn get(&self, id: CommandId) -> Option<&Command> {
        self.all.get(&id)
    }

    /// All commands in the order of their numbers, from one on.
    pub(crate) fn from(&self, id: CommandId) -> impl Iterator<Item = &Command> {
        self.all.range(id..).map(|(_, command)| command)
    }

    /// The command with this key of its asker.
    pub(crate) fn with_key(&self, endpoint: &str, key: &str) -> Option<&Command> {
        let id = self.keys.get(&(Arc::from(endpoint), key.to_owned()))?;
        self.all.get(id)
    }

    /// The commands of a device that have no outcome, in the order in which they go out.
    pub(crate) fn open(&self, endpoint: &str) -> impl Iterator<Item = &Command> {
        let ranks = self.open.get(endpoint).into_iter().flatten();
        ranks.filter_map(|(_, id)| self.all.get(id))
    }

    /// Adds a command whose record takes `size` bytes; it is woken for at `due`.
    pub(crate) fn insert(&mut self, command: Command, due: Instant, size: usize) {
        let id = command.id;
        self.newest = self.newest.max(id.0);
        if let Some(key) = command.options.key.clone() {
            self.keys.insert((Arc::clone(&command.endpoint), key), id);
        }
        if !command.has_ended() {
            self.open.entry(Arc::clone(&command.endpoint)).or_default().insert(rank(&command));
        }
        if let CommandState::Sent(operation) = command.state {
            self.by_operation.insert(operation, id);
        }
        self.timers.insert(due, id);
        self.sizes.insert(id, size);
        self.memory += size;
        self.all.insert(id, command);
    }

    /// Changes the state of a command. One that has ended is woken for at `due`.
    pub(crate) fn set_state(&mut self, id: CommandId, state: CommandState, due: Instant) {
        let Some(mut command) = self.all.remove(&id) else { return };
        if let CommandState::Sent(operation) = command.state {
            self.by_operation.remove(&operation);
        }
        match &state {
            CommandState::Sent(operation) => _ = self.by_operation.insert(*operation, id),
            CommandState::Ending(..) => self.close(&command),
            CommandState::Ended(..) => self.timers.insert(due, id),
            _ => {}
        }
        command.state = state;
        self.all.insert(id, command);
    }

    /// Notes that the record of a command takes `size` bytes now. Returns `false`, and changes nothing,
    /// if all records would take more than `most`.
    pub(crate) fn resize(&mut self, id: CommandId, size: usize, most: usize) -> bool {
        let Some(known) = self.sizes.get_mut(&id) else { return true };
        let memory = (self.memory - *known).saturating_add(size);
        let fits = memory <= most;
        if fits {
            (self.memory, *known) = (memory, size);
        }
        fits
    }

    /// Counts that the device has not answered.
    pub(crate) fn count_attempt(&mut self, id: CommandId) {
        if let Some(command) = self.all.get_mut(&id) {
            command.attempts = command.attempts.saturating_add(1);
        }
    }

    /// The command of an operation that is under way.
    pub(crate) fn of_operation(&self, id: OperationId) -> Option<CommandId> {
        self.by_operation.get(&id).copied()
    }

    pub(crate) fn remove(&mut self, id: CommandId) -> Option<Command> {
        let command = self.all.remove(&id)?;
        self.close(&command);
        if let CommandState::Sent(operation) = command.state {
            self.by_operation.remove(&operation);
        }
        if let Some(key) = &command.options.key {
            self.keys.remove(&(Arc::clone(&command.endpoint), key.clone()));
        }
        self.memory -= self.sizes.remove(&id).unwrap_or_default();
        Some(command)
    }

    /// Notes that a command has an outcome, or is gone.
    fn close(&mut self, command: &Command) {
        let Some(ranks) = self.open.get_mut(&command.endpoint) else { return };
        ranks.remove(&rank(command));
        if ranks.is_empty() {
            self.open.remove(&command.endpoint);
        }
    }

    pub(crate) fn next_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// A command that was to be woken for by now.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<CommandId> {
        self.timers.pop_expired(now)
    }
}
