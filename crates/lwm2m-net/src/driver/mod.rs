//! The loop that drives an engine on UDP sockets, one for coap and one for coaps, and on TCP
//! connections.
//!
//! One task owns the engine, so engines need no locks. Other tasks reach it by closures in a bounded
//! queue ([`Handle::with`]); when the queue is full, the sender waits.
//!
//! The loop never waits for a socket. Datagrams that do not fit wait in a backlog, while input,
//! timers and connections go on. It does its I/O by the trait [`Io`]: on sockets by [`Handle::bind`],
//! or in a simulation by another implementation.

mod command;
mod handle;
mod io;
mod mistake;
mod sockets;

pub(crate) use handle::ShardHandle;
pub use handle::{Closed, Commands, Handle};
pub use io::{FullPorts, Io, Wake};
pub use sockets::{Addresses, Sockets};

use command::Command;
use lwm2m_link::{Engine, Input, Output, Transmit};
use std::collections::VecDeque;
use tokio::sync::mpsc;

/// Closures that wait for the engine; more senders than this wait for room.
const QUEUE: usize = 256;
/// Datagrams that wait for a full socket; more are dropped, as a full network does.
const BACKLOG: usize = 1_024;

/// An engine and what drives it.
///
/// On sockets, [`Handle::bind`] makes and runs it. A simulation makes one of its own and either
/// [runs](Driver::run) it, or calls [`wake`](Driver::wake) for each thing that happens.
#[derive(Debug)]
pub struct Driver<E: Engine, I> {
    engine: E,
    io: I,
    queue: mpsc::Receiver<Box<dyn Command<E>>>,
    plain: Backlog,
    secured: Backlog,
}

/// What waits for a full socket, in order.
#[derive(Debug, Default)]
struct Backlog(VecDeque<Transmit>);

impl Backlog {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn keep(&mut self, transmit: Transmit) {
        match self.0.len() {
            0..BACKLOG => self.0.push_back(transmit),
            _ => tracing::debug!(to = %transmit.to, "the socket is full: a datagram is dropped"),
        }
    }

    /// Sends what waits, until the socket is full again.
    fn send(&mut self, io: &mut impl Io) {
        while self.0.front().is_some_and(|transmit| io.try_send(transmit)) {
            self.0.pop_front();
        }
    }
}

impl<E: Engine, I: Io> Driver<E, I> {
    /// A driver, and access to its engine. The driver ends when the last clone of the access is
    /// dropped.
    pub fn new(engine: E, io: I) -> (Self, Commands<E>) {
        let (commands, queue) = mpsc::channel(QUEUE);
        let (plain, secured) = (Backlog::default(), Backlog::default());
        (Self { engine, io, queue, plain, secured }, Commands(commands))
    }

    /// Drives the engine until the last access to it is dropped.
    pub async fn run(mut self) {
        self.flush();
        loop {
            let until = self.engine.poll_timeout();
            let full = self.full_ports();
            let command = tokio::select! {
                wake = self.io.wait(until, full) => {
                    self.wake(wake);
                    None
                }
                command = self.queue.recv() => match command {
                    Some(mut command) => {
                        command.run(&mut self.engine, self.io.now());
                        Some(command)
                    }
                    None => break,
                },
            };
            self.flush();
            command.into_iter().for_each(Command::finish);
        }
        self.flush();
    }

    /// The ports whose sockets are full.
    #[must_use]
    pub fn full_ports(&self) -> FullPorts {
        FullPorts { plain: !self.plain.is_empty(), secured: !self.secured.is_empty() }
    }

    /// Handles what has happened. The outputs that follow from it wait for
    /// [`flush`](Driver::flush).
    pub fn wake(&mut self, wake: Wake) {
        match wake {
            Wake::Readable { secured } => {
                let Self { engine, io, .. } = self;
                let now = io.now();
                io.receive(secured, &mut |from, bytes| {
                    if let Some(mistake) = mistake::of(secured, bytes) {
                        tracing::debug!(%from, "{mistake}");
                    }
                    engine.handle(now, Input::Datagram { from, secured, bytes });
                });
            }
            Wake::Writable { secured: false } => self.plain.send(&mut self.io),
            Wake::Writable { secured: true } => self.secured.send(&mut self.io),
            Wake::Connected { connection, from, secured } => {
                self.handle(Input::Connected { connection, from, secured });
            }
            Wake::Stream { connection, bytes } => {
                self.handle(Input::Stream { connection, bytes: &bytes });
            }
            Wake::Disconnected { connection } => self.handle(Input::Disconnected { connection }),
            Wake::Written(lsn) => self.handle(Input::Written(lsn)),
            Wake::WriteFailed(lsn) => self.handle(Input::WriteFailed(lsn)),
            Wake::Timeout => self.handle(Input::Timeout),
        }
    }

    fn handle(&mut self, input: Input<'_>) {
        self.engine.handle(self.io.now(), input);
    }

    /// Does what the engine wants done.
    pub fn flush(&mut self) {
        let mut writes = Vec::new();
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Transmit(transmit) => self.send(transmit),
                Output::Stream(action) => {
                    let connection = action.connection();
                    if !self.io.act(action) {
                        self.handle(Input::Disconnected { connection });
                    }
                }
                Output::Write(write) => writes.push(write),
                // The events of `WithSink` went to the sink; other engines' are not wanted.
                Output::Event(_) => {}
            }
        }
        if !writes.is_empty() {
            self.io.write(writes);
        }
    }

    /// Sends a datagram after those that wait for the same socket.
    fn send(&mut self, transmit: Transmit) {
        let backlog = if transmit.secured { &mut self.secured } else { &mut self.plain };
        if !backlog.is_empty() || !self.io.try_send(&transmit) {
            backlog.keep(transmit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use lwm2m_link::{Lsn, Outputs, Record, StreamAction, Table, Write};
    use lwm2m_time::Instant;
    use std::future::pending;
    use std::net::{Ipv4Addr, SocketAddr};

    const PEER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

    /// Sends what it is told to, and counts the inputs.
    #[derive(Default)]
    struct Probe {
        outputs: Outputs<()>,
        datagrams: usize,
        timeouts: usize,
    }

    impl Probe {
        fn send(&mut self, number: u8, secured: bool) {
            let payload = vec![number].into();
            self.outputs.transmit(Transmit { to: PEER, payload, secured });
        }
    }

    impl Engine for Probe {
        type Event = ();

        fn handle(&mut self, _: Instant, input: Input<'_>) {
            match input {
                Input::Datagram { bytes, .. } => {
                    self.datagrams += 1;
                    self.send(bytes[0], false);
                }
                Input::Timeout => {
                    self.timeouts += 1;
                    self.send(100, true);
                }
                _ => {}
            }
        }

        fn poll(&mut self) -> Option<Output<()>> {
            self.outputs.poll()
        }

        fn poll_timeout(&self) -> Option<Instant> {
            None
        }
    }

    /// Ports that take so many datagrams until they are full.
    #[derive(Default)]
    struct Ports {
        room: usize,
        sent: Vec<(u8, bool)>,
        arrived: Vec<u8>,
        written: Vec<Vec<u64>>,
    }

    impl Io for Ports {
        fn now(&self) -> Instant {
            Instant::ZERO
        }

        fn try_send(&mut self, transmit: &Transmit) -> bool {
            let fits = transmit.secured || self.sent.len() < self.room;
            if fits {
                self.sent.push((transmit.payload[0], transmit.secured));
            }
            fits
        }

        fn receive(&mut self, _: bool, take: &mut dyn FnMut(SocketAddr, &[u8])) {
            self.arrived.drain(..).for_each(|number| take(PEER, &[number]));
        }

        fn act(&mut self, _: StreamAction) -> bool {
            true
        }

        fn write(&mut self, writes: Vec<Write>) {
            self.written.push(writes.iter().map(|write| write.lsn.0).collect());
        }

        async fn wait(&mut self, _: Option<Instant>, _: FullPorts) -> Wake {
            pending().await
        }
    }

    #[test]
    fn what_an_engine_wants_kept_goes_to_the_store_at_once() {
        let (mut driver, _commands) = Driver::new(Probe::default(), Ports::default());
        let write = |driver: &mut Driver<Probe, Ports>, lsn| {
            let record = Record { table: Table(1), key: Bytes::new(), value: None };
            driver.engine.outputs.write(Write {
                lsn: Lsn(lsn),
                record,
                keep_last: None,
                promised: true,
            });
        };
        driver.flush();
        write(&mut driver, 1);
        driver.engine.send(1, true);
        write(&mut driver, 2);
        driver.flush();
        write(&mut driver, 3);
        driver.flush();
        assert_eq!(driver.io.written, [vec![1, 2], vec![3]]);
    }

    #[test]
    fn full_socket_stops_neither_input_nor_timers_nor_the_other_socket() {
        let (mut driver, _commands) = Driver::new(Probe::default(), Ports::default());
        driver.engine.send(1, false);
        driver.flush();
        assert_eq!(driver.full_ports(), FullPorts { plain: true, secured: false });
        driver.io.arrived = vec![2, 3];
        driver.wake(Wake::Readable { secured: false });
        driver.flush();
        driver.wake(Wake::Timeout);
        driver.flush();
        assert_eq!((driver.engine.datagrams, driver.engine.timeouts), (2, 1));
        assert_eq!(driver.io.sent, [(100, true)]);
        // What did not fit follows in order, as far as there is room.
        driver.io.room = 3;
        driver.wake(Wake::Writable { secured: false });
        assert_eq!(driver.io.sent, [(100, true), (1, false), (2, false)]);
        assert!(driver.full_ports().plain);
        driver.io.room = usize::MAX;
        driver.wake(Wake::Writable { secured: false });
        driver.engine.send(4, false);
        driver.flush();
        assert_eq!(driver.io.sent[3..], [(3, false), (4, false)]);
        assert_eq!(driver.full_ports(), FullPorts::default());
    }

    #[test]
    fn datagrams_wait_in_bounded_number() {
        let (mut driver, _commands) = Driver::new(Probe::default(), Ports::default());
        (0..2 * BACKLOG).for_each(|_| driver.engine.send(1, false));
        driver.flush();
        assert_eq!(driver.plain.0.len(), BACKLOG);
    }
}
