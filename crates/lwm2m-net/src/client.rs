//! A client on a UDP socket: changes of values in, events out.

use crate::driver::{Addresses, Closed, Handle, Sockets};
use crate::with_sink::Sink;
use lwm2m_client::{Client, Event};
use lwm2m_core::Path;
use lwm2m_store::Writer;
use lwm2m_time::Instant;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;

/// Events that a subscriber may be behind before it misses some.
const EVENTS: usize = 256;

type WithSink = crate::with_sink::WithSink<Client, Listeners>;

struct Listeners(broadcast::Sender<Arc<Event>>);

impl Sink<Client> for Listeners {
    fn take(&mut self, _: Instant, _: &mut Client, event: Event) {
        // No subscriber is no error.
        let _ = self.0.send(Arc::new(event));
    }
}

/// Binds a UDP socket and runs `client` on it. Nothing is sent before [`ClientHandle::start`], so
/// that no event is missed by who subscribes in between. With a `writer`, which takes what a client
/// keeps that was made with a store, the client has a thread of its own.
///
/// # Errors
/// The socket cannot be bound, for example because the port is in use.
pub async fn bind_client(
    sockets: impl Into<Sockets>,
    client: Client,
    writer: Option<Writer>,
) -> io::Result<ClientHandle> {
    let (events, _) = broadcast::channel(EVENTS);
    let engine = WithSink::new(client, Listeners(events.clone()));
    let handle = match writer {
        None => Handle::bind(sockets, engine).await?,
        // The end of a writer waits for its disk.
        Some(_) => Handle::bind_on_thread("lwm2m-client", sockets, engine, writer).await?,
    };
    Ok(ClientHandle { handle, events })
}

/// A running client. The task behind it ends when the last clone of the handle is dropped.
#[derive(Clone)]
pub struct ClientHandle {
    handle: Handle<WithSink>,
    events: broadcast::Sender<Arc<Event>>,
}

impl std::fmt::Debug for ClientHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientHandle").field("local", self.local()).finish_non_exhaustive()
    }
}

impl ClientHandle {
    /// The addresses that were bound.
    #[must_use]
    pub const fn local(&self) -> &Addresses {
        self.handle.local()
    }

    /// The events from now on. A subscriber that is more than 256 events behind misses the oldest
    /// and is told how many.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.events.subscribe()
    }

    /// Runs `f` on the engine, for example to set a value of an object.
    ///
    /// # Errors
    /// [`Closed`] if the client has been shut down.
    pub async fn with<R: Send + 'static>(
        &self,
        f: impl FnOnce(&mut Client, Instant) -> R + Send + 'static,
    ) -> Result<R, Closed> {
        self.handle.with(move |with_sink, now| f(&mut with_sink.engine, now)).await
    }

    /// Begins to register with all servers.
    ///
    /// # Errors
    /// [`Closed`] if the client has been shut down.
    pub async fn start(&self) -> Result<(), Closed> {
        self.with(|client, now| client.start(now)).await
    }

    /// Tells the engine that the value at `path`, which its object computes, has changed by itself.
    /// Changes by [`Client::update`] are reported without this.
    ///
    /// # Errors
    /// [`Closed`] if the client has been shut down.
    pub async fn changed(&self, path: Path) -> Result<(), Closed> {
        self.with(move |client, now| client.changed(now, &path)).await
    }

    /// De-registers from all servers. Returns whether they all confirmed it within `patience`.
    ///
    /// # Errors
    /// [`Closed`] if the client has been shut down already.
    pub async fn shutdown(self, patience: Duration) -> Result<bool, Closed> {
        let mut events = self.subscribe();
        self.with(|client, now| client.shutdown(now)).await?;
        let stopped = async {
            let mut all_confirmed = true;
            loop {
                match events.recv().await {
                    Ok(event) => match &*event {
                        Event::Stopped => return all_confirmed,
                        Event::Deregistered { confirmed: Err(_), .. } => all_confirmed = false,
                        _ => {}
                    },
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return false,
                }
            }
        };
        Ok(tokio::time::timeout(patience, stopped).await.unwrap_or(false))
    }
}
