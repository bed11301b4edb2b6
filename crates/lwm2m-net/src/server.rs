//! A server on a UDP socket: operations as futures, events as a stream.

use crate::clock::Clock;
use crate::driver::{Closed, Handle};
use crate::hosted::Sink;
use lwm2m_core::Path;
use lwm2m_server::{
    Event, Operation, OperationError, OperationId, Registration, Response, SendError, Server,
};
use lwm2m_time::Instant;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, oneshot};

/// Events that a subscriber may be behind before it misses some.
const EVENTS: usize = 1024;

/// Why an operation on a device gave no response.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The operation was not sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The device did not answer, or not with something that can be understood.
    #[error(transparent)]
    Operation(#[from] OperationError),
    /// The caller's time is over; the operation was cancelled.
    #[error("the device did not answer within {} s", .0.as_secs_f32())]
    Elapsed(Duration),
    /// The server has been shut down.
    #[error(transparent)]
    Closed(#[from] Closed),
}

type Outcome = Result<Response, OperationError>;

type Hosted = crate::hosted::Hosted<Server, Waiting>;

/// Those who wait for answers, and those who listen.
struct Waiting {
    operations: HashMap<OperationId, oneshot::Sender<Outcome>>,
    events: broadcast::Sender<Arc<Event>>,
}

impl Sink<Server> for Waiting {
    fn take(&mut self, _: Instant, _: &mut Server, event: Event) {
        match event {
            Event::Completed { id, result, .. } => {
                if let Some(waiting) = self.operations.remove(&id) {
                    // Whoever waited may have gone.
                    let _ = waiting.send(result);
                }
            }
            event => {
                // No subscriber is no error.
                let _ = self.events.send(Arc::new(event));
            }
        }
    }
}

/// Binds a UDP socket and runs `server` on it.
///
/// # Errors
/// The socket cannot be bound, for example because the port is in use.
pub async fn bind_server(address: SocketAddr, server: Server) -> io::Result<ServerHandle> {
    let (events, _) = broadcast::channel(EVENTS);
    let waiting = Waiting { operations: HashMap::new(), events: events.clone() };
    let handle = Handle::bind(address, Hosted::new(server, waiting)).await?;
    Ok(ServerHandle { handle, events })
}

/// A running server. The task behind it ends when the last clone of the handle is dropped.
#[derive(Clone)]
pub struct ServerHandle {
    handle: Handle<Hosted>,
    events: broadcast::Sender<Arc<Event>>,
}

impl std::fmt::Debug for ServerHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerHandle").field("local", &self.local_addr()).finish_non_exhaustive()
    }
}

impl ServerHandle {
    /// The address that the server listens on.
    #[must_use]
    pub const fn local_addr(&self) -> SocketAddr {
        self.handle.local_addr()
    }

    /// The clock of the registrations' times.
    #[must_use]
    pub const fn clock(&self) -> Clock {
        self.handle.clock()
    }

    /// The events from now on, except completed operations, which go to who asked for them. A
    /// subscriber that is more than 1,024 events behind misses the oldest and is told how many.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.events.subscribe()
    }

    /// Runs `f` on the engine.
    ///
    /// # Errors
    /// [`Closed`] if the server has been shut down.
    pub async fn with<R: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Server, Instant) -> R + Send + 'static,
    ) -> Result<R, Closed> {
        self.handle.with(move |hosted, now| f(&mut hosted.engine, now)).await
    }

    /// Sends an operation to the device that registered as `endpoint`, and waits for its answer.
    ///
    /// # Errors
    /// See [`RequestError`]. After `timeout` the operation is cancelled.
    pub async fn request(
        &self,
        endpoint: &str,
        operation: Operation,
        timeout: Duration,
    ) -> Result<Response, RequestError> {
        let endpoint = endpoint.to_owned();
        let (reply, answer) = oneshot::channel();
        let send = move |hosted: &mut Hosted, now| {
            let id = hosted.engine.send(now, &endpoint, operation)?;
            hosted.sink.operations.insert(id, reply);
            Ok::<_, SendError>(id)
        };
        let id = self.handle.with(send).await??;
        match tokio::time::timeout(timeout, answer).await {
            Ok(outcome) => Ok(outcome.map_err(|_| Closed)??),
            Err(_) => {
                let cancel = move |hosted: &mut Hosted, _| {
                    hosted.sink.operations.remove(&id);
                    hosted.engine.cancel(id);
                };
                self.handle.with(cancel).await?;
                Err(RequestError::Elapsed(timeout))
            }
        }
    }

    /// All registrations, ordered by endpoint name.
    ///
    /// # Errors
    /// [`Closed`] if the server has been shut down.
    pub async fn registrations(&self) -> Result<Vec<Arc<Registration>>, Closed> {
        self.with(|server, _| server.registrations().cloned().collect()).await
    }

    /// The registration of a device.
    ///
    /// # Errors
    /// [`Closed`] if the server has been shut down.
    pub async fn registration(&self, endpoint: &str) -> Result<Option<Arc<Registration>>, Closed> {
        let endpoint = endpoint.to_owned();
        self.with(move |server, _| server.registration(&endpoint).cloned()).await
    }

    /// Forgets the observation of exactly `path`, without telling the device, which learns it by
    /// the Reset to its next notification. Returns how many observations were forgotten.
    ///
    /// # Errors
    /// [`Closed`] if the server has been shut down.
    pub async fn forget_observation(&self, endpoint: &str, path: Path) -> Result<usize, Closed> {
        let endpoint = endpoint.to_owned();
        self.with(move |server, now| server.cancel_observations(now, &endpoint, &path)).await
    }
}
