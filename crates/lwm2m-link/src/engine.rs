//! The contract between a sans-IO engine and its driver: a socket loop or a simulator.

use crate::journal::{Lsn, Write};
use alloc::collections::VecDeque;
use bytes::Bytes;
use core::net::SocketAddr;
use lwm2m_time::Instant;

/// The name of a connection, chosen by the side that begins it.
///
/// The driver numbers the connections that it accepts, the engine those that it opens. The two
/// kinds never clash, so neither side has to wait for the other to learn a name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ConnectionId {
    /// Accepted by the driver, which never uses a number twice.
    Accepted(u64),
    /// Opened by the engine, which never uses a number twice.
    Opened(u64),
}

/// Something that happened outside of the engine.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A datagram arrived.
    Datagram {
        /// The sender.
        from: SocketAddr,
        /// Whether it arrived at the port for coaps, which speaks DTLS only, instead of the port
        /// for coap.
        secured: bool,
        /// The bytes of the datagram.
        bytes: &'a [u8],
    },
    /// The driver accepted a connection. An engine refuses it by [`StreamAction::Close`].
    Connected {
        /// The name of the connection: [`ConnectionId::Accepted`].
        connection: ConnectionId,
        /// The remote address.
        from: SocketAddr,
        /// Whether it was accepted at the port for coaps+tcp, which speaks TLS only.
        secured: bool,
    },
    /// The next bytes of a connection arrived, cut anywhere.
    Stream {
        /// The connection.
        connection: ConnectionId,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// A connection ended, or could not be opened. After [`StreamAction::Close`] the engine
    /// ignores this.
    Disconnected {
        /// The connection.
        connection: ConnectionId,
    },
    /// The store has made all [`Output::Write`]s up to this one durable.
    Written(Lsn),
    /// The store could not keep the [`Output::Write`]s up to this one. It tries again, and
    /// [`Input::Written`] follows when it succeeds.
    WriteFailed(Lsn),
    /// The time that [`Engine::poll_timeout`] named has come. Coming early does nothing.
    Timeout,
}

impl<'a> Input<'a> {
    /// A datagram at the port for coap.
    #[must_use]
    pub const fn datagram(from: SocketAddr, bytes: &'a [u8]) -> Self {
        Self::Datagram { from, secured: false, bytes }
    }

    /// A datagram at the port for coaps.
    #[must_use]
    pub const fn secured_datagram(from: SocketAddr, bytes: &'a [u8]) -> Self {
        Self::Datagram { from, secured: true, bytes }
    }
}

/// Something that the engine wants done, or tells its application.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output<E> {
    /// Send a datagram.
    Transmit(Transmit),
    /// Do something with a connection.
    Stream(StreamAction),
    /// Keep something, after everything that was to be kept before. What an engine wants kept
    /// between two inputs, or calls of its mutators, becomes durable at once: a crash leaves all of
    /// it or none.
    Write(Write),
    /// Tell the application.
    Event(E),
}

/// A datagram to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// The address to send it to.
    pub to: SocketAddr,
    /// The datagram.
    pub payload: Bytes,
    /// Whether it leaves from the port for coaps, which speaks DTLS, or from the one for coap.
    pub secured: bool,
}

/// What to do with a connection: TCP, with or without TLS on it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum StreamAction {
    /// Connect to an address. If that fails, the answer is [`Input::Disconnected`].
    Open {
        /// The name of the connection: [`ConnectionId::Opened`].
        connection: ConnectionId,
        /// The address to connect to.
        to: SocketAddr,
    },
    /// Send the next bytes. They wait if the connection is not established yet.
    Write {
        /// The connection.
        connection: ConnectionId,
        /// The bytes.
        payload: Bytes,
    },
    /// Send what is still to be sent, then close. The name means nothing from then on.
    Close {
        /// The connection.
        connection: ConnectionId,
    },
}

impl StreamAction {
    /// The connection that this is about.
    #[must_use]
    pub const fn connection(&self) -> ConnectionId {
        match self {
            Self::Open { connection, .. }
            | Self::Write { connection, .. }
            | Self::Close { connection } => *connection,
        }
    }
}

/// A sans-IO engine: it has no socket and no clock, so a daemon and a test run the same code.
///
/// A driver loops: it passes one input to [`handle`](Engine::handle) or calls a mutator of the
/// engine, takes outputs from [`poll`](Engine::poll) until there are none, and waits for the next
/// input, at most until [`poll_timeout`](Engine::poll_timeout).
///
/// Every method is required: an engine that wraps another one cannot forget a kind of input.
pub trait Engine {
    /// What the engine tells its application.
    type Event;

    /// Takes an input. Whatever its bytes are, this neither fails nor panics.
    fn handle(&mut self, now: Instant, input: Input<'_>);

    /// The next output, in the order in which the engine produced them. Polling changes nothing
    /// but the queue.
    fn poll(&mut self) -> Option<Output<Self::Event>>;

    /// When the engine wants [`Input::Timeout`], if nothing else happens before.
    fn poll_timeout(&self) -> Option<Instant>;
}

/// The queue of outputs of an engine.
#[derive(Clone, Debug)]
pub struct Outputs<E> {
    queue: VecDeque<Output<E>>,
    sent: u64,
}

impl<E> Default for Outputs<E> {
    fn default() -> Self {
        Self { queue: VecDeque::new(), sent: 0 }
    }
}

impl<E> Outputs<E> {
    /// Appends an event.
    pub fn push_back(&mut self, event: E) {
        self.queue.push_back(Output::Event(event));
    }

    /// Appends a datagram.
    pub fn transmit(&mut self, transmit: Transmit) {
        self.sent += 1;
        self.queue.push_back(Output::Transmit(transmit));
    }

    /// Appends an action.
    pub fn stream(&mut self, action: StreamAction) {
        self.sent += u64::from(matches!(action, StreamAction::Write { .. }));
        self.queue.push_back(Output::Stream(action));
    }

    /// Appends a change to keep.
    pub fn write(&mut self, write: Write) {
        self.queue.push_back(Output::Write(write));
    }

    /// Moves the outputs of the engine below to this queue, up to its next event, which is
    /// returned: the engine above handles it before it calls this again.
    pub fn take_from<B: Engine>(&mut self, below: &mut B) -> Option<B::Event> {
        loop {
            match below.poll()? {
                Output::Transmit(transmit) => self.transmit(transmit),
                Output::Stream(action) => self.stream(action),
                Output::Write(write) => self.write(write),
                Output::Event(event) => return Some(event),
            }
        }
    }

    /// The next output: what [`Engine::poll`] returns.
    pub fn poll(&mut self) -> Option<Output<E>> {
        self.queue.pop_front()
    }

    /// How many datagrams and pieces of streams were put into the queue: if it grows, something is
    /// sent.
    #[must_use]
    pub const fn sent(&self) -> u64 {
        self.sent
    }
}

impl<E> Extend<E> for Outputs<E> {
    fn extend<I: IntoIterator<Item = E>>(&mut self, events: I) {
        self.queue.extend(events.into_iter().map(Output::Event));
    }
}

/// The outputs of an engine sorted by kind, for drivers that move datagrams, streams and events at
/// different times, as tests and simulations do.
#[derive(Clone, Debug)]
pub struct Outbox<E> {
    /// Datagrams to send.
    pub transmits: VecDeque<Transmit>,
    /// Actions on connections.
    pub actions: VecDeque<StreamAction>,
    /// Changes to keep.
    pub writes: VecDeque<Write>,
    /// Events for the application.
    pub events: VecDeque<E>,
}

impl<E> Default for Outbox<E> {
    fn default() -> Self {
        Self {
            transmits: VecDeque::new(),
            actions: VecDeque::new(),
            writes: VecDeque::new(),
            events: VecDeque::new(),
        }
    }
}

impl<E> Outbox<E> {
    /// Takes all outputs that the engine has.
    pub fn collect(&mut self, engine: &mut (impl Engine<Event = E> + ?Sized)) {
        while let Some(output) = engine.poll() {
            match output {
                Output::Transmit(transmit) => self.transmits.push_back(transmit),
                Output::Stream(action) => self.actions.push_back(action),
                Output::Write(write) => self.writes.push_back(write),
                Output::Event(event) => self.events.push_back(event),
            }
        }
    }

    /// The next datagram of the engine.
    pub fn transmit(&mut self, engine: &mut impl Engine<Event = E>) -> Option<Transmit> {
        self.collect(engine);
        self.transmits.pop_front()
    }

    /// The next action of the engine on a connection.
    pub fn action(&mut self, engine: &mut impl Engine<Event = E>) -> Option<StreamAction> {
        self.collect(engine);
        self.actions.pop_front()
    }

    /// The next event of the engine.
    pub fn event(&mut self, engine: &mut impl Engine<Event = E>) -> Option<E> {
        self.collect(engine);
        self.events.pop_front()
    }
}
