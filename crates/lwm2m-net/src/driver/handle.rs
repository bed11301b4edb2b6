//! Access to an engine that is driven on sockets.

use super::Driver;
use super::command::{Command, asked, told};
use super::sockets::{Addresses, SocketIo, Sockets};
use crate::clock::Clock;
use crate::with_sink::{Sink, WithSink};
use lwm2m_link::Engine;
use lwm2m_store::Writer;
use lwm2m_time::Instant;
use std::io;
use tokio::sync::{mpsc, oneshot};

/// The engine has ended: it was shut down, or it panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the engine has been shut down")]
pub struct Closed;

/// Access to an engine that a [`Driver`] drives.
#[derive(Debug)]
pub struct Commands<E>(pub(super) mpsc::Sender<Box<dyn Command<E>>>);

impl<E> Clone for Commands<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E: 'static> Commands<E> {
    /// Runs `f` on the engine, between two inputs, and returns its result when the events and
    /// datagrams that follow from it have left the engine.
    ///
    /// # Errors
    /// [`Closed`] if the engine has ended.
    pub async fn with<R: Send + 'static>(
        &self,
        f: impl FnOnce(&mut E, Instant) -> R + Send + 'static,
    ) -> Result<R, Closed> {
        let (command, answer) = asked(f);
        self.0.send(command).await.map_err(|_| Closed)?;
        answer.await.map_err(|_| Closed)
    }

    /// Runs `f` on the engine after what was sent before. Waits for room in the queue, but not for
    /// `f`.
    ///
    /// # Errors
    /// [`Closed`] if the engine has ended.
    #[cfg(feature = "server")]
    pub(crate) async fn run(
        &self,
        f: impl FnOnce(&mut E, Instant) + Send + 'static,
    ) -> Result<(), Closed> {
        self.0.send(told(f)).await.map_err(|_| Closed)
    }

    /// Runs `f` on the engine after what was sent before, without waiting for it; not at all, if the
    /// engine has ended. For use where nothing can wait, such as `Drop`.
    #[cfg(feature = "server")]
    pub(crate) fn post(&self, f: impl FnOnce(&mut E, Instant) + Send + 'static) {
        let Err(mpsc::error::TrySendError::Full(command)) = self.0.try_send(told(f)) else {
            return;
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let commands = self.0.clone();
            // The engine may end before there is room.
            runtime.spawn(async move { commands.send(command).await.ok() });
        }
    }
}

/// Access to an engine that is driven on sockets. The engine ends when the last clone is dropped.
#[derive(Debug)]
pub struct Handle<E> {
    commands: Commands<E>,
    local: Addresses,
    clock: Clock,
}

impl<E> Clone for Handle<E> {
    fn clone(&self) -> Self {
        Self { commands: self.commands.clone(), ..*self }
    }
}

impl<E: Engine + Send + 'static> Handle<E> {
    /// Binds the sockets and starts a task of the current runtime that drives `engine` on them.
    ///
    /// Events of the engine are dropped: see [`bind_with`](Handle::bind_with). So is what it wants
    /// kept: see [`bind_on_thread`](Handle::bind_on_thread).
    ///
    /// # Errors
    /// A socket cannot be bound, for example because the port is in use.
    pub async fn bind(sockets: impl Into<Sockets>, engine: E) -> io::Result<Self> {
        let (handle, driver) = Self::prepare(sockets.into(), engine, None).await?;
        tokio::spawn(driver.run());
        Ok(handle)
    }

    /// As [`bind`](Handle::bind), but on a thread of its own, so that work of other tasks never
    /// delays the engine. If the engine panics, each use of the handle is answered by [`Closed`].
    ///
    /// `writer` takes what the engine wants kept, and is dropped with the engine. Leave it out for an
    /// engine that was made without a store.
    ///
    /// # Errors
    /// A socket cannot be bound, or the thread cannot be started.
    pub async fn bind_on_thread(
        name: &str,
        sockets: impl Into<Sockets>,
        engine: E,
        writer: Option<Writer>,
    ) -> io::Result<Self> {
        let (bound, outcome) = oneshot::channel();
        let sockets = sockets.into();
        let thread = std::thread::Builder::new().name(name.to_owned());
        thread.spawn(move || drive(sockets, engine, writer, bound))?;
        outcome.await.map_err(|_| io::Error::other("the thread of the engine has ended"))?
    }

    async fn prepare(
        sockets: Sockets,
        engine: E,
        writer: Option<Writer>,
    ) -> io::Result<(Self, Driver<E, SocketIo>)> {
        let clock = Clock::start();
        let (io, local) = SocketIo::bind(sockets, clock, writer).await?;
        let (driver, commands) = Driver::new(engine, io);
        Ok((Self { commands, local, clock }, driver))
    }

    /// The addresses that were bound.
    #[must_use]
    pub const fn local(&self) -> &Addresses {
        &self.local
    }

    /// The clock that the engine is driven by.
    #[must_use]
    pub const fn clock(&self) -> Clock {
        self.clock
    }

    /// Runs `f` on the engine, between two inputs, and returns its result when the events and
    /// datagrams that follow from it have left the engine.
    ///
    /// # Errors
    /// [`Closed`] if the engine has ended.
    pub async fn with<R: Send + 'static>(
        &self,
        f: impl FnOnce(&mut E, Instant) -> R + Send + 'static,
    ) -> Result<R, Closed> {
        self.commands.with(f).await
    }

    #[cfg(feature = "server")]
    pub(crate) async fn run(
        &self,
        f: impl FnOnce(&mut E, Instant) + Send + 'static,
    ) -> Result<(), Closed> {
        self.commands.run(f).await
    }

    #[cfg(feature = "server")]
    pub(crate) fn post(&self, f: impl FnOnce(&mut E, Instant) + Send + 'static) {
        self.commands.post(f);
    }

    /// Access for an engine that shares the ports.
    pub(crate) fn shard(&self) -> ShardHandle<E> {
        ShardHandle(self.commands.0.downgrade())
    }
}

impl<E, S> Handle<WithSink<E, S>>
where
    E: Engine + Send + 'static,
    S: Sink<E> + Send + 'static,
{
    /// As [`bind`](Handle::bind), with a sink that takes the events of the engine. A closure is a
    /// sink:
    ///
    /// ```
    /// use lwm2m_bootstrap::{BootstrapServer, Config, Event};
    /// use lwm2m_net::{Handle, Sockets};
    /// use std::net::{Ipv4Addr, SocketAddr};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0)); // 5683 in production
    /// let sockets = Sockets { tcp: Some(any), ..Sockets::from(any) };
    /// let server = BootstrapServer::new(Config::default(), lwm2m_net::seed()?);
    /// let log = |_now, _server: &mut BootstrapServer, event: Event| println!("{event:?}");
    /// let handle = Handle::bind_with(sockets, server, log).await?;
    /// // Later, from any task:
    /// handle.with(|it, _now| it.engine.configure("urn:dev:1", Vec::new())).await.unwrap();
    /// # std::io::Result::Ok(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// A socket cannot be bound, for example because the port is in use.
    pub async fn bind_with(sockets: impl Into<Sockets>, engine: E, sink: S) -> io::Result<Self> {
        Self::bind(sockets, WithSink::new(engine, sink)).await
    }
}

/// Binds the sockets and drives the engine on this thread.
fn drive<E: Engine + Send + 'static>(
    sockets: Sockets,
    engine: E,
    writer: Option<Writer>,
    bound: oneshot::Sender<io::Result<Handle<E>>>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        // The caller may have given up, here and below.
        Err(error) => return drop(bound.send(Err(error))),
    };
    runtime.block_on(async move {
        match Handle::prepare(sockets, engine, writer).await {
            Ok((handle, driver)) => {
                // Without a caller there is no handle, and the driver ends at once.
                let _ = bound.send(Ok(handle));
                driver.run().await;
            }
            Err(error) => _ = bound.send(Err(error)),
        }
    });
}

/// Access of one engine to another that shares its ports. Unlike a [`Handle`] it does not keep the
/// engine running.
#[derive(Debug)]
pub(crate) struct ShardHandle<E>(mpsc::WeakSender<Box<dyn Command<E>>>);

impl<E> Clone for ShardHandle<E> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<E> ShardHandle<E> {
    /// Runs `f` on the engine soon; not at all, if its queue is full or it has ended.
    pub(crate) fn try_post(&self, f: impl FnOnce(&mut E, Instant) + Send + 'static) {
        let posted = self.0.upgrade().is_some_and(|queue| queue.try_send(told(f)).is_ok());
        if !posted {
            tracing::debug!("another shard has no room for a datagram");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lwm2m_link::{Input, Link, Output};
    use std::net::{Ipv4Addr, SocketAddr};

    #[tokio::test]
    async fn engine_has_a_thread_of_its_own_and_its_panic_is_seen() {
        let engine = Link::new(lwm2m_coap::Config::default(), [1; 32]);
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let handle = Handle::bind_on_thread("an engine", local, engine, None).await.unwrap();
        let name = handle.with(|_, _| std::thread::current().name().map(str::to_owned)).await;
        assert_eq!(name.unwrap().as_deref(), Some("an engine"));
        let panicked = handle.with(|_, _| panic!("on purpose")).await;
        assert_eq!(panicked, Err::<(), _>(Closed));
        assert_eq!(handle.with(|_, _| ()).await, Err(Closed));
        let taken = std::net::UdpSocket::bind(local).unwrap().local_addr();
        let engine = Link::new(lwm2m_coap::Config::default(), [1; 32]);
        let _taken = std::net::UdpSocket::bind(taken.unwrap()).unwrap();
        let taken = _taken.local_addr().unwrap();
        assert!(Handle::bind_on_thread("b", taken, engine, None).await.is_err());
    }

    /// An engine whose only output is an event that was asked for.
    #[derive(Default)]
    struct Bell(bool);

    impl Engine for Bell {
        type Event = ();

        fn handle(&mut self, _: Instant, _: Input<'_>) {}

        fn poll(&mut self) -> Option<Output<()>> {
            std::mem::take(&mut self.0).then_some(Output::Event(()))
        }

        fn poll_timeout(&self) -> Option<Instant> {
            None
        }
    }

    #[tokio::test]
    async fn the_result_comes_after_the_events() {
        let (entered, has_entered) = std::sync::mpsc::channel();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let sink = move |_: Instant, _: &mut Bell, ()| {
            entered.send(()).unwrap();
            released.recv().unwrap();
        };
        let engine = WithSink::new(Bell::default(), sink);
        let handle = Handle::bind_on_thread("a bell", Sockets::default(), engine, None);
        let handle = handle.await.unwrap();
        let mut ring = Box::pin(handle.with(|it, _| it.engine.0 = true));
        let mut waiting = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(ring.as_mut().poll(&mut waiting).is_pending());
        has_entered.recv().unwrap();
        assert!(ring.as_mut().poll(&mut waiting).is_pending());
        release.send(()).unwrap();
        assert_eq!(ring.await, Ok(()));
    }
}
