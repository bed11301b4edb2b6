//! Where the events of a server go: to callers that wait, to the directory, to subscribers.

use super::RequestError;
use crate::counters::Counters;
use crate::directory::Directory;
use crate::events::Publisher;
use crate::rejected::Rejected;
use crate::with_sink::Sink;
use lwm2m_coap::Code;
use lwm2m_server::{CommandId, Event, OperationId, Outcome as Ended, Reach, Response, Server};
use lwm2m_time::Instant;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::sync::oneshot;

pub(super) type Outcome = Result<Response, RequestError>;

/// Who is told the outcome of an operation.
pub(super) enum Waiter {
    /// A caller of the handle.
    Caller(oneshot::Sender<Outcome>),
    /// All subscribers.
    Subscribers,
}

/// What the events of a server go to.
pub(super) struct ServerSink {
    pub(super) operations: HashMap<OperationId, Waiter>,
    /// The callers that wait for the ends of commands.
    pub(super) ends: HashMap<CommandId, Vec<oneshot::Sender<()>>>,
    pub(super) directory: Arc<Directory>,
    pub(super) counters: Arc<Counters>,
    pub(super) rejected: Arc<Rejected>,
    pub(super) events: Publisher,
    pub(super) selections: Vec<Selection>,
}

/// A subscriber that wants some of the events only.
pub(super) struct Selection {
    pub(super) wants: fn(&Event) -> bool,
    pub(super) events: Publisher,
}

fn is_asleep(server: &Server, endpoint: &str) -> bool {
    matches!(server.reach(endpoint), Some(Reach::AsleepSince(_)))
}

impl ServerSink {
    pub(super) fn new(server: &Server) -> Self {
        let directory = Directory::default();
        for registration in server.registrations() {
            directory.put(registration);
            directory.set_asleep(registration, is_asleep(server, &registration.endpoint));
        }
        Self {
            operations: HashMap::new(),
            ends: HashMap::new(),
            directory: Arc::new(directory),
            counters: Arc::default(),
            rejected: Arc::default(),
            events: Publisher::default(),
            selections: Vec::new(),
        }
    }

    /// Tells a caller when a command has ended.
    pub(super) fn await_end(&mut self, id: CommandId, end: oneshot::Sender<()>) {
        self.ends.entry(id).or_default().push(end);
    }

    /// Forgets the callers that no longer wait for the end of a command.
    pub(super) fn forget_callers(&mut self, id: CommandId) {
        let Some(waiting) = self.ends.get_mut(&id) else { return };
        waiting.retain(|end| !end.is_closed());
        if waiting.is_empty() {
            self.ends.remove(&id);
        }
    }

    /// Passes an event to its subscribers.
    fn publish(&mut self, event: Event) {
        self.selections.retain(|selection| selection.events.has_subscribers());
        let selected = self.selections.iter().filter(|selection| (selection.wants)(&event));
        let selected = selected.map(|selection| &selection.events);
        let all = Some(&self.events).filter(|events| events.has_subscribers());
        let subscribers: Vec<_> = all.into_iter().chain(selected).collect();
        if !subscribers.is_empty() {
            let (bytes, event) = (event.memory_estimate(), Arc::new(event));
            subscribers.into_iter().for_each(|it| it.publish(Arc::clone(&event), bytes));
        }
    }

    /// Keeps the directory up to date.
    fn follow(&self, server: &Server, event: &Event) {
        match event {
            Event::Registered(it) | Event::Moved(it) | Event::Updated { registration: it, .. } => {
                self.directory.put(it);
            }
            Event::Adopted(it) => {
                self.directory.put(it);
                self.directory.set_asleep(it, is_asleep(server, &it.endpoint));
            }
            Event::Asleep(it) => self.directory.set_asleep(it, true),
            Event::Awake(it) => self.directory.set_asleep(it, false),
            Event::Deregistered { registration, .. } | Event::Released(registration) => {
                self.directory.remove(registration);
            }
            Event::Completed { endpoint, result: Ok(response), .. } => {
                self.follow_answer(server, endpoint, response);
            }
            Event::CommandEnded { endpoint, outcome, .. } => {
                if let Ended::Answered(response) = &**outcome {
                    self.follow_answer(server, endpoint, response);
                }
            }
            _ => {}
        }
    }

    /// Create and Delete change the list of instances before the device's Update does.
    fn follow_answer(&self, server: &Server, endpoint: &str, response: &Response) {
        if matches!(response.code, Code::CREATED | Code::DELETED) {
            server.registration(endpoint).into_iter().for_each(|it| self.directory.put(it));
        }
    }
}

impl Sink<Server> for ServerSink {
    fn take(&mut self, now: Instant, server: &mut Server, event: Event) {
        self.follow(server, &event);
        self.counters.count(&event);
        self.rejected.note(now, &event);
        match event {
            Event::Completed { id, .. } => match self.operations.remove(&id) {
                Some(Waiter::Caller(reply)) => {
                    let Event::Completed { result, .. } = event else { return };
                    // The caller may have gone.
                    let _ = reply.send(result.map_err(RequestError::from));
                }
                Some(Waiter::Subscribers) => self.publish(event),
                None => {}
            },
            event => {
                if let Event::CommandEnded { id, .. } = &event {
                    let ended = self.ends.remove(id).into_iter().flatten();
                    // Some of these may have gone.
                    ended.for_each(|end| _ = end.send(()));
                }
                self.publish(event);
            }
        }
    }
}
