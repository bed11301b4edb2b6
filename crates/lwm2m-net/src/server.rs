//! A server on its sockets: operations as futures, events as a stream, the fleet as a directory.

use crate::cancellation::Cancellation;
use crate::clock::Clock;
use crate::directory::Directory;
use crate::driver::{Addresses, Closed, Handle, Sockets};
use crate::events::{Events, Publisher, Subscriptions};
use crate::with_sink::Sink;
use lwm2m_coap::Code;
use lwm2m_link::Lsn;
use lwm2m_objects::Registry;
use lwm2m_server::security::SecurityStore;
use lwm2m_server::{
    Event, Operation, OperationError, OperationId, Response, Server, SubmitError, Target,
};
use lwm2m_store::{Durability, NotDurable, Reader, Writer};
use lwm2m_time::Instant;
use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Why an operation on a device gave no response.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The operation was not sent.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// The device did not answer, or its answer could not be understood.
    #[error(transparent)]
    Operation(#[from] OperationError),
    /// The device did not answer in the caller's time; the operation was cancelled.
    #[error("the device did not answer within {} s", .0.as_secs_f32())]
    Elapsed(Duration),
    /// The operation was not sent in the caller's time, because an earlier request about this target
    /// has no answer: devices get one request at a time (NSTART, RFC 7252 section 4.7). It was cancelled.
    #[error(
        "not sent within {} s: the device has yet to answer an earlier request about {target}", after.as_secs_f32()
    )]
    Queued {
        /// The caller's time.
        after: Duration,
        /// What the earlier request is about.
        target: Target,
    },
    /// The server has been shut down.
    #[error(transparent)]
    Closed(#[from] Closed),
}

type Outcome = Result<Response, RequestError>;

type WithSink = crate::with_sink::WithSink<Server, ServerSink>;

/// What the events of a server go to.
struct ServerSink {
    /// The callers of [`ServerHandle::request`] that wait for an answer.
    operations: HashMap<OperationId, oneshot::Sender<Outcome>>,
    directory: Arc<Directory>,
    events: Publisher,
    selections: Vec<Selection>,
}

/// A subscriber that wants some of the events only.
struct Selection {
    wants: fn(&Event) -> bool,
    events: Publisher,
}

impl ServerSink {
    fn new(server: &Server) -> Self {
        let directory = Arc::new(server.registrations().cloned().collect());
        let (events, selections) = (Publisher::default(), Vec::new());
        Self { operations: HashMap::new(), directory, events, selections }
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
            Event::Registered(registration)
            | Event::Adopted(registration)
            | Event::Moved(registration)
            | Event::Updated { registration, .. } => self.directory.put(registration),
            Event::Deregistered { registration, .. } | Event::Released(registration) => {
                self.directory.remove(registration);
            }
            // Create and Delete change the list of instances before the device's Update does.
            Event::Completed { endpoint, result: Ok(response), .. }
                if matches!(response.code, Code::CREATED | Code::DELETED) =>
            {
                server.registration(endpoint).into_iter().for_each(|it| self.directory.put(it));
            }
            _ => {}
        }
    }
}

impl Sink<Server> for ServerSink {
    fn take(&mut self, _: Instant, server: &mut Server, event: Event) {
        self.follow(server, &event);
        match event {
            Event::Completed { id, result, .. } => {
                if let Some(reply) = self.operations.remove(&id) {
                    // The caller may have gone.
                    let _ = reply.send(result.map_err(RequestError::from));
                }
            }
            event => self.publish(event),
        }
    }
}

/// A request whose caller still waits. Cancels the operation when it is dropped before the answer
/// has come.
struct CancelGuard<'a> {
    handle: &'a Handle<WithSink>,
    cancellation: Cancellation<OperationId>,
}

impl CancelGuard<'_> {
    /// Notes that the answer has come, so that there is nothing to cancel.
    fn disarm(self) {
        let _ = self.cancellation.abandon();
    }
}

impl Drop for CancelGuard<'_> {
    fn drop(&mut self) {
        let Some(id) = self.cancellation.abandon() else { return };
        self.handle.post(move |with_sink, _| {
            with_sink.sink.operations.remove(&id);
            with_sink.engine.cancel(id);
        });
    }
}

/// Binds a UDP socket, and one for TCP connections if an address is given for them, and runs
/// `server` on them. `writer` takes what a server keeps that was made with a store.
///
/// # Errors
/// A socket cannot be bound, for example because the port is in use.
pub async fn bind_server(
    sockets: impl Into<Sockets>,
    server: Server,
    writer: Option<Writer>,
) -> io::Result<ServerHandle> {
    let sink = ServerSink::new(&server);
    let (directory, events) = (Arc::clone(&sink.directory), sink.events.subscriptions());
    let (registry, security) = (Arc::clone(server.registry()), Arc::clone(server.security()));
    let store = writer.as_ref().map(|writer| (writer.reader(), writer.durability()));
    let engine = WithSink::new(server, sink);
    let handle = Handle::bind_on_thread("lwm2m-server", sockets, engine, writer).await?;
    Ok(ServerHandle { handle, events, directory, registry, security, store })
}

/// A running server. The task behind it ends when the last clone of the handle is dropped.
#[derive(Clone)]
pub struct ServerHandle {
    handle: Handle<WithSink>,
    events: Subscriptions,
    directory: Arc<Directory>,
    registry: Arc<Registry>,
    security: Arc<SecurityStore>,
    store: Option<(Reader, Durability)>,
}

impl std::fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerHandle").field("local", self.local()).finish_non_exhaustive()
    }
}

impl ServerHandle {
    /// The addresses that were bound.
    #[must_use]
    pub const fn local(&self) -> &Addresses {
        self.handle.local()
    }

    /// The clock of the registrations' times.
    #[must_use]
    pub const fn clock(&self) -> Clock {
        self.handle.clock()
    }

    /// The registered devices. Reading them does not take the engine's time.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The object definitions by which the server decodes; see also [`Registration::model`].
    ///
    /// [`Registration::model`]: lwm2m_server::Registration::model
    #[must_use]
    pub const fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// The credentials of the clients, and the server's own. Change those of clients by
    /// [`Server::put_credential`] and [`Server::remove_credential`] inside of [`Self::with`], which
    /// also end what the old ones opened.
    #[must_use]
    pub const fn security(&self) -> &Arc<SecurityStore> {
        &self.security
    }

    /// Read access to what the server keeps; `None` without a store.
    #[must_use]
    pub fn store(&self) -> Option<&Reader> {
        self.store.as_ref().map(|(reader, _)| reader)
    }

    /// Waits until what the server wanted kept up to a position is durable. Without a store nothing is
    /// kept, and nothing to wait for. Cancel-safe.
    ///
    /// # Errors
    /// See [`NotDurable`].
    pub async fn written(&self, lsn: Lsn) -> Result<(), NotDurable> {
        match &self.store {
            Some((_, durability)) => durability.written(lsn).await,
            None => Ok(()),
        }
    }

    /// Tells when all of it is on the disk that was kept until the server ended; `None` without a
    /// store. Drop all handles, then wait for [`Durability::ended`] before the program ends.
    #[must_use]
    pub fn durability(&self) -> Option<Durability> {
        self.store.as_ref().map(|(_, durability)| durability.clone())
    }

    /// The events from now on, except completed operations, which go to the caller of
    /// [`Self::request`]. A subscriber that is more than 16,384 events or 64 MiB behind misses the
    /// oldest and is told how many.
    #[must_use]
    pub fn subscribe(&self) -> Events {
        self.events.subscribe()
    }

    /// Like [`subscribe`](Self::subscribe), but only for the events that `wants` selects, so that
    /// others do not push them out. It is called by the engine's thread, for each event.
    #[must_use]
    pub fn subscribe_to(&self, wants: fn(&Event) -> bool) -> Events {
        let events = Publisher::default();
        let subscriber = events.subscriptions().subscribe();
        self.handle.post(move |with_sink, _| {
            with_sink.sink.selections.push(Selection { wants, events });
        });
        subscriber
    }

    /// Runs `f` on the engine.
    ///
    /// # Errors
    /// [`Closed`] if the server has been shut down.
    pub async fn with<R: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Server, Instant) -> R + Send + 'static,
    ) -> Result<R, Closed> {
        self.handle.with(move |with_sink, now| f(&mut with_sink.engine, now)).await
    }

    /// Sends an operation to the device that registered as `endpoint`, and waits for its answer.
    ///
    /// # Errors
    /// See [`RequestError`]. The operation is cancelled after `timeout`, and when the future is
    /// dropped.
    pub async fn request(
        &self,
        endpoint: &str,
        operation: Operation,
        timeout: Duration,
    ) -> Result<Response, RequestError> {
        let cancellation = Cancellation::new();
        let guard = CancelGuard { handle: &self.handle, cancellation: cancellation.clone() };
        let answered = self.submit(endpoint, operation, cancellation);
        match tokio::time::timeout(timeout, answered).await {
            Ok(outcome) => {
                guard.disarm();
                outcome
            }
            Err(_) => Err(self.give_up(guard, timeout).await),
        }
    }

    /// Cancels an operation whose time is over. Returns why it has no outcome.
    async fn give_up(&self, guard: CancelGuard<'_>, after: Duration) -> RequestError {
        let Some(id) = guard.cancellation.abandon() else { return RequestError::Elapsed(after) };
        let waits = self.handle.with(move |with_sink, _| {
            with_sink.sink.operations.remove(&id);
            let target = with_sink.engine.waits_for(id);
            with_sink.engine.cancel(id);
            target
        });
        match waits.await {
            Ok(Some(target)) => RequestError::Queued { after, target },
            Ok(None) => RequestError::Elapsed(after),
            Err(closed) => closed.into(),
        }
    }

    /// Submits an operation, unless it is given up before, and waits for its outcome.
    async fn submit(
        &self,
        endpoint: &str,
        operation: Operation,
        cancellation: Cancellation<OperationId>,
    ) -> Outcome {
        let endpoint = endpoint.to_owned();
        let (reply, outcome) = oneshot::channel();
        let submit = move |with_sink: &mut WithSink, now| {
            if cancellation.is_abandoned() {
                return;
            }
            match with_sink.engine.submit(now, &endpoint, operation) {
                Ok(id) if cancellation.begin(id) => {
                    with_sink.sink.operations.insert(id, reply);
                }
                Ok(id) => with_sink.engine.cancel(id),
                // The caller may have gone.
                Err(error) => drop(reply.send(Err(error.into()))),
            }
        };
        self.handle.run(submit).await?;
        outcome.await.map_err(|_| Closed)?
    }

    /// Forgets the observation of exactly `target` without telling the device, which learns it by
    /// the Reset to its next notification. Returns how many observations were forgotten.
    ///
    /// # Errors
    /// [`Closed`] if the server has been shut down.
    pub async fn forget_observation(
        &self,
        endpoint: &str,
        target: Target,
    ) -> Result<usize, Closed> {
        let endpoint = endpoint.to_owned();
        self.with(move |server, now| server.cancel_observations(now, &endpoint, &target)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lwm2m_core::Path;
    use lwm2m_link::{Engine as _, Input, Output};
    use lwm2m_server::Config;
    use std::net::{Ipv4Addr, SocketAddr};
    use tokio::net::UdpSocket;

    const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    const REGISTER: &[u8] = b"\x40\x02\0\x01\xb2rd\x11\x28\x34ep=a\x05lt=60\x09lwm2m=1.1\xff</3/0>";

    /// A device that has registered as `a`, and never answers.
    async fn mute_device(server: &ServerHandle) -> UdpSocket {
        let socket = UdpSocket::bind(LOOPBACK).await.unwrap();
        socket.connect(server.local().udp.unwrap()).await.unwrap();
        socket.send(REGISTER).await.unwrap();
        let mut answer = [0; 64];
        let length = socket.recv(&mut answer).await.unwrap();
        assert_eq!(answer[1], 0x41, "not 2.01: {}", answer[..length].escape_ascii());
        socket
    }

    #[test]
    fn directory_has_a_device_before_its_acknowledgement_leaves() {
        let server = Server::new(Config::default(), [7; 32]);
        let sink = ServerSink::new(&server);
        let directory = Arc::clone(&sink.directory);
        let mut engine = WithSink::new(server, sink);
        engine.handle(Instant::ZERO, Input::datagram(LOOPBACK, REGISTER));
        assert!(directory.get("a").is_none(), "nothing has been polled");
        let outputs = core::iter::from_fn(|| engine.poll());
        let mut answers = outputs.filter_map(|output| match output {
            Output::Transmit(answer) => Some(answer),
            _ => None,
        });
        assert_eq!(answers.next().unwrap().payload[1], 0x41);
        assert!(directory.get("a").is_some());
    }

    #[tokio::test]
    async fn operation_whose_caller_has_gone_is_cancelled() {
        let engine = Server::new(Config::default(), [7; 32]);
        let server = bind_server(LOOPBACK, engine, None).await.unwrap();
        let device = mute_device(&server).await;
        let read = Operation::Read { path: Path::object(3), format: None };
        let mut datagram = [0; 64];
        tokio::select! {
            it = server.request("a", read, Duration::from_secs(60)) => panic!("{it:?}"),
            received = device.recv(&mut datagram) => assert!(received.is_ok()),
        }
        let waiting =
            server.handle.with(|with_sink, _| with_sink.sink.operations.len()).await.unwrap();
        assert_eq!(waiting, 0);
    }
}
