//! A server on its sockets: operations as futures, events as a stream, the fleet as a directory.

mod durable;
mod operations;
mod sink;

use self::sink::{Selection, ServerSink};
use crate::clock::Clock;
use crate::counters::Counters;
use crate::directory::Directory;
use crate::driver::{Addresses, Closed, Handle, Sockets};
use crate::events::{Events, Publisher, Subscriptions};
use crate::rejected::Rejected;
use lwm2m_link::Lsn;
use lwm2m_objects::Registry;
use lwm2m_server::security::SecurityStore;
use lwm2m_server::{Event, OperationError, Response, Server, SubmitError, Target};
use lwm2m_store::{Durability, NotDurable, Reader, Writer};
use lwm2m_time::Instant;
use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

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
    /// The device did not answer to the wish to observe in the caller's time. The wish stays.
    #[error(
        "the device did not answer within {} s; the observation begins when it does, or when it registers",
        .0.as_secs_f32()
    )]
    Wished(Duration),
    /// The store could not keep it.
    #[error(transparent)]
    NotDurable(#[from] NotDurable),
    /// The server has been shut down.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// What has come of something that was asked of a device. `I` names what goes on.
#[derive(Clone, PartialEq, Debug)]
pub enum Answer<I> {
    /// The device answered.
    Now(Response),
    /// It waits for the device, which is durable. An event will tell the answer.
    Later(I),
}

type WithSink = crate::with_sink::WithSink<Server, ServerSink>;

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
    let registry = Arc::new(RwLock::new(Arc::clone(server.registry())));
    let security = Arc::clone(server.security());
    let (counters, rejected) = (Arc::clone(&sink.counters), Arc::clone(&sink.rejected));
    let store = writer.as_ref().map(|writer| (writer.reader(), writer.durability()));
    let engine = WithSink::new(server, sink);
    let handle = Handle::bind_on_thread("lwm2m-server", sockets, engine, writer).await?;
    Ok(ServerHandle { handle, events, directory, counters, rejected, registry, security, store })
}

/// A running server. The task behind it ends when the last clone of the handle is dropped.
#[derive(Clone)]
pub struct ServerHandle {
    handle: Handle<WithSink>,
    events: Subscriptions,
    directory: Arc<Directory>,
    registry: Arc<RwLock<Arc<Registry>>>,
    counters: Arc<Counters>,
    rejected: Arc<Rejected>,
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

    /// How often things have happened since the server was started. Does not wait for the engine.
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The last clients that did not get in. Does not wait for the engine.
    #[must_use]
    pub fn rejected(&self) -> &Rejected {
        &self.rejected
    }

    /// The object definitions by which the server decodes; see also [`Registration::model`].
    ///
    /// [`Registration::model`]: lwm2m_server::Registration::model
    #[must_use]
    pub fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes other object definitions from now on, also for the devices that are registered. One caller
    /// at a time: of two, either may be the last.
    ///
    /// # Errors
    /// The server has been shut down.
    pub async fn set_registry(&self, registry: Registry) -> Result<(), Closed> {
        let registry = Arc::new(registry);
        let for_engine = Arc::clone(&registry);
        self.with(move |server, _| server.set_registry(for_engine)).await?;
        *self.registry.write().unwrap_or_else(PoisonError::into_inner) = registry;
        Ok(())
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
    /// [`Self::request`], unless [`Self::wish`] has told its caller that they come later. A subscriber that is more than 16,384 events or 64 MiB behind misses the
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

    /// Runs `f` on the engine, and does not wait for it; nothing if the server has been shut down.
    pub fn post(&self, f: impl FnOnce(&mut Server, Instant) + Send + 'static) {
        self.handle.post(move |with_sink, now| f(&mut with_sink.engine, now));
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
}

#[cfg(test)]
mod tests;
