//! A server on its sockets: operations as futures, events as a stream.

use crate::clock::Clock;
use crate::driver::{Closed, Handle, Sockets};
use crate::with_sink::Sink;
use lwm2m_server::{
    Event, Operation, OperationError, OperationId, Registration, Response, Server, SubmitError,
    Target,
};
use lwm2m_time::Instant;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
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
    Submit(#[from] SubmitError),
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

type WithSink = crate::with_sink::WithSink<Server, Waiting>;

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

/// A request whose asker still waits. Dropped before it is redeemed, it gives the operation up.
struct CancelGuard<'a> {
    handle: &'a Handle<WithSink>,
    /// Set in the engine's task, so that it is known there even if the asker goes before it hears.
    id: Arc<OnceLock<OperationId>>,
}

impl CancelGuard<'_> {
    /// The answer has come.
    fn redeemed(mut self) {
        self.id = Arc::default();
    }
}

impl Drop for CancelGuard<'_> {
    fn drop(&mut self) {
        // The engine holds the other half while the operation may still be sent.
        if self.id.get().is_none() && Arc::strong_count(&self.id) == 1 {
            return;
        }
        let id = Arc::clone(&self.id);
        self.handle.post(move |with_sink, _| {
            if let Some(id) = id.get() {
                with_sink.sink.operations.remove(id);
                with_sink.engine.cancel(*id);
            }
        });
    }
}

/// Binds a UDP socket, and one for TCP connections if an address is given for them, and runs
/// `server` on them.
///
/// # Errors
/// A socket cannot be bound, for example because the port is in use.
pub async fn bind_server(sockets: impl Into<Sockets>, server: Server) -> io::Result<ServerHandle> {
    let (events, _) = broadcast::channel(EVENTS);
    let waiting = Waiting { operations: HashMap::new(), events: events.clone() };
    let handle = Handle::bind(sockets, WithSink::new(server, waiting)).await?;
    Ok(ServerHandle { handle, events })
}

/// A running server. The task behind it ends when the last clone of the handle is dropped.
#[derive(Clone)]
pub struct ServerHandle {
    handle: Handle<WithSink>,
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

    /// The address for datagrams of coaps, if there is one.
    #[must_use]
    pub const fn local_dtls_addr(&self) -> Option<SocketAddr> {
        self.handle.local_dtls_addr()
    }

    /// The address on which connections for coaps+tcp are accepted, if they are.
    #[must_use]
    pub const fn local_tls_addr(&self) -> Option<SocketAddr> {
        self.handle.local_tls_addr()
    }

    /// The address on which connections for coap+tcp are accepted, if they are.
    #[must_use]
    pub const fn local_tcp_addr(&self) -> Option<SocketAddr> {
        self.handle.local_tcp_addr()
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
        self.handle.with(move |with_sink, now| f(&mut with_sink.engine, now)).await
    }

    /// Sends an operation to the device that registered as `endpoint`, and waits for its answer.
    ///
    /// # Errors
    /// See [`RequestError`]. After `timeout` the operation is cancelled, as it is when the future
    /// is dropped: a device is not kept busy for somebody who has gone.
    pub async fn request(
        &self,
        endpoint: &str,
        operation: Operation,
        timeout: Duration,
    ) -> Result<Response, RequestError> {
        let endpoint = endpoint.to_owned();
        let (reply, answer) = oneshot::channel();
        let ticket = CancelGuard { handle: &self.handle, id: Arc::default() };
        let number = Arc::clone(&ticket.id);
        let send = move |with_sink: &mut WithSink, now| {
            let id = with_sink.engine.submit(now, &endpoint, operation)?;
            number.get_or_init(|| id);
            with_sink.sink.operations.insert(id, reply);
            Ok::<_, SubmitError>(())
        };
        self.handle.with(send).await??;
        match tokio::time::timeout(timeout, answer).await {
            Ok(outcome) => {
                ticket.redeemed();
                Ok(outcome.map_err(|_| Closed)??)
            }
            Err(_) => Err(RequestError::Elapsed(timeout)),
        }
    }

    /// All registrations, ordered by endpoint name.
    ///
    /// # Errors
    /// [`Closed`] if the server has been shut down.
    pub async fn registrations(&self) -> Result<Vec<Arc<Registration>>, Closed> {
        let mut all: Vec<_> =
            self.with(|server, _| server.registrations().cloned().collect()).await?;
        all.sort_unstable_by(|a: &Arc<Registration>, b| a.endpoint.cmp(&b.endpoint));
        Ok(all)
    }

    /// The registration of a device.
    ///
    /// # Errors
    /// [`Closed`] if the server has been shut down.
    pub async fn registration(&self, endpoint: &str) -> Result<Option<Arc<Registration>>, Closed> {
        let endpoint = endpoint.to_owned();
        self.with(move |server, _| server.registration(&endpoint).cloned()).await
    }

    /// Forgets the observation of exactly `target`, without telling the device, which learns it by
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
    use lwm2m_server::Config;
    use std::net::Ipv4Addr;
    use tokio::net::UdpSocket;

    const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

    /// A device that has registered as `a`, and never answers.
    async fn mute_device(server: &ServerHandle) -> UdpSocket {
        let socket = UdpSocket::bind(LOOPBACK).await.unwrap();
        socket.connect(server.local_addr()).await.unwrap();
        let register = b"\x40\x02\0\x01\xb2rd\x11\x28\x34ep=a\x05lt=60\x09lwm2m=1.1\xff</3/0>";
        socket.send(register).await.unwrap();
        let mut answer = [0; 64];
        let length = socket.recv(&mut answer).await.unwrap();
        assert_eq!(answer[1], 0x41, "not 2.01: {}", answer[..length].escape_ascii());
        socket
    }

    #[tokio::test]
    async fn operation_whose_asker_has_gone_is_given_up() {
        let engine = Server::new(Config::default(), [7; 32]);
        let server = bind_server(LOOPBACK, engine).await.unwrap();
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
