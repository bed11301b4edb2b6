//! TCP connections: one task for each, which moves bytes between its socket and the driver.
//!
//! Nothing piles up: what arrives waits in one bounded queue for the engine, a peer that does not
//! read is not read from either, and when even so too much is to be sent to it, it is cut off.

use crate::driver::Wake;
use bytes::Bytes;
use lwm2m_link::{ConnectionId, StreamAction};
use socket2::SockRef;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::timeout;

/// Pieces of streams that wait for the engine; more wait in their sockets.
const QUEUE: usize = 64;
/// Bytes taken from a socket at once.
const READ: usize = 8 << 10;
/// Bytes to be sent to a peer beyond which nothing more is read from it.
const HIGH_WATER: usize = 64 << 10;
/// Bytes to be sent to a peer beyond which it is cut off.
const MAX_QUEUED: usize = 1 << 20;
/// What a message that waits takes besides its bytes: an answer to a ping has but two.
const PLACE: usize = 96;
/// How long connecting, and how long sending one message, may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long the rest of a closed stream is read, so that the peer gets all that was sent.
const LINGER: Duration = Duration::from_secs(2);
/// Closed connections whose last bytes are still on their way; who is closed beyond that is cut off.
const MAX_CLOSING: usize = 1_000;
/// The pause after an accept that failed, usually because too many files are open.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What the connections tell the driver.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A connection from an address, whether to the port for coaps+tcp, and its place.
    Accepted(TcpStream, SocketAddr, bool, OwnedSemaphorePermit),
    Bytes(ConnectionId, Vec<u8>),
    Ended(ConnectionId),
}

/// A connection, and its place if it was accepted.
type Placed = (TcpStream, Option<OwnedSemaphorePermit>);

/// The driver's side of all connections.
#[derive(Debug)]
pub(crate) struct Connections {
    sender: mpsc::Sender<Incoming>,
    receiver: mpsc::Receiver<Incoming>,
    open: HashMap<ConnectionId, Outgoing>,
    /// The number of connections that were accepted so far, which names the next one.
    accepted: u64,
    /// A place for each that is closing.
    closing: Arc<Semaphore>,
    /// A place for each that was accepted, until its socket is closed.
    places: Arc<Semaphore>,
}

/// What is to be sent to one peer.
#[derive(Debug)]
struct Outgoing {
    messages: mpsc::UnboundedSender<Bytes>,
    queue: Arc<Queue>,
    task: tokio::task::AbortHandle,
    /// Whether the engine has written anything.
    written: bool,
}

/// How much waits to be sent.
#[derive(Debug, Default)]
struct Queue {
    bytes: AtomicUsize,
    sent: Notify,
    /// Once the driver has closed the connection; given back when its task has ended.
    closing: OnceLock<OwnedSemaphorePermit>,
}

impl Connections {
    /// Without connections; at most `max_accepted` are accepted at a time.
    pub(crate) fn new(max_accepted: usize) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let closing = Arc::new(Semaphore::new(MAX_CLOSING));
        let places = Arc::new(Semaphore::new(max_accepted.min(Semaphore::MAX_PERMITS)));
        Self { sender, receiver, open: HashMap::new(), accepted: 0, closing, places }
    }

    /// Accepts connections, for coaps+tcp if `secured`, until the driver ends. Returns the address
    /// that it listens on.
    pub(crate) async fn listen(
        &self,
        address: SocketAddr,
        secured: bool,
    ) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await?;
        let local = listener.local_addr()?;
        let places = Arc::clone(&self.places);
        tokio::spawn(accept(listener, secured, places, self.sender.clone()));
        Ok(local)
    }

    /// Waits for the next thing that happens on a connection.
    pub(crate) async fn next(&mut self) -> Wake {
        // This side has a sender, too, so the queue does not end.
        let Some(incoming) = self.receiver.recv().await else {
            return std::future::pending().await;
        };
        match incoming {
            Incoming::Accepted(stream, from, secured, place) => {
                let connection = ConnectionId::Accepted(self.accepted);
                self.accepted += 1;
                tracing::debug!(%from, ?connection, "connected");
                self.spawn(connection, async { Ok((stream, Some(place))) });
                Wake::Connected { connection, from, secured }
            }
            Incoming::Bytes(connection, bytes) => Wake::Stream { connection, bytes },
            Incoming::Ended(connection) => Wake::Disconnected { connection },
        }
    }

    /// Does what the engine wants; `false` if the connection had to be cut.
    #[must_use]
    pub(crate) fn act(&mut self, action: StreamAction) -> bool {
        match action {
            StreamAction::Open { connection, to } => {
                self.spawn(connection, async move { Ok((TcpStream::connect(to).await?, None)) });
            }
            StreamAction::Close { connection } => self.close(connection),
            StreamAction::Write { connection, payload } => return self.write(connection, payload),
        }
        true
    }

    /// Lets the task send what is left, when it sees that no more will come.
    /// Without a written byte, as when the engine refuses it, the connection is cut at once.
    fn close(&mut self, connection: ConnectionId) {
        let Some(outgoing) = self.open.remove(&connection) else { return };
        let Outgoing { queue, task, written, .. } = outgoing;
        if !written {
            return task.abort();
        }
        match Arc::clone(&self.closing).try_acquire_owned() {
            // There is no other: a connection is closed once.
            Ok(place) => _ = queue.closing.set(place),
            Err(_) => task.abort(),
        }
    }

    fn write(&mut self, connection: ConnectionId, payload: Bytes) -> bool {
        let Some(outgoing) = self.open.get_mut(&connection) else { return true };
        outgoing.written = true;
        let length = PLACE + payload.len();
        if outgoing.queue.bytes.fetch_add(length, Ordering::Relaxed) + length > MAX_QUEUED {
            tracing::debug!(?connection, "reads too little and is cut off");
            outgoing.task.abort();
            self.open.remove(&connection);
            return false;
        }
        // A task that has ended has said so.
        let _ = outgoing.messages.send(payload);
        true
    }

    fn spawn(
        &mut self,
        connection: ConnectionId,
        stream: impl Future<Output = io::Result<Placed>> + Send + 'static,
    ) {
        let (messages, receiver) = mpsc::unbounded_channel();
        let queue = Arc::new(Queue::default());
        let task = Task { connection, queue: Arc::clone(&queue), incoming: self.sender.clone() };
        let task = tokio::spawn(task.run(stream, receiver)).abort_handle();
        self.open.insert(connection, Outgoing { messages, queue, task, written: false });
    }
}

async fn accept(
    listener: TcpListener,
    secured: bool,
    places: Arc<Semaphore>,
    incoming: mpsc::Sender<Incoming>,
) {
    let accept = async || {
        // The semaphore is never closed.
        let place = Arc::clone(&places).acquire_owned().await.map_err(io::Error::other)?;
        listener.accept().await.map(|(stream, from)| (stream, from, place))
    };
    loop {
        let accepted = tokio::select! {
            accepted = accept() => accepted,
            () = incoming.closed() => return,
        };
        match accepted {
            // The driver may have ended meanwhile; then the loop ends as well.
            Ok((stream, from, place)) => {
                let _ = incoming.send(Incoming::Accepted(stream, from, secured, place)).await;
            }
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Small messages are not delayed, and a peer that has vanished without a word (by default of most
/// systems for two hours) does not keep its place for ever: no deadline of CoAP does that for a
/// peer that may sleep.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_keepalive(true)
}

/// One connection.
struct Task {
    connection: ConnectionId,
    queue: Arc<Queue>,
    incoming: mpsc::Sender<Incoming>,
}

impl Task {
    async fn run(
        self,
        stream: impl Future<Output = io::Result<Placed>>,
        messages: mpsc::UnboundedReceiver<Bytes>,
    ) {
        match timeout(PATIENCE, stream).await {
            Ok(Ok((stream, _place))) => {
                if let Err(error) = prepare(&stream) {
                    tracing::debug!(%error, "a connection keeps the settings of the system");
                }
                self.carry(stream, messages).await;
            }
            Ok(Err(error)) => {
                tracing::debug!(connection = ?self.connection, %error, "connecting failed")
            }
            Err(_) => tracing::debug!(connection = ?self.connection, "connecting takes too long"),
        }
        // The driver may have ended.
        let _ = self.incoming.send(Incoming::Ended(self.connection)).await;
    }

    async fn carry(&self, stream: TcpStream, messages: mpsc::UnboundedReceiver<Bytes>) {
        let (mut reader, mut writer) = stream.into_split();
        let closed = tokio::select! {
            never = self.read(&mut reader) => match never {},
            closed = self.write(&mut writer, messages) => closed,
        };
        // With bytes unread, closing would take back what the peer has not got yet.
        if closed.is_ok() && writer.shutdown().await.is_ok() {
            let _ = timeout(LINGER, discard(&reader)).await;
        }
    }

    /// Reads to the end of the stream and says so; ends only by being dropped.
    async fn read(&self, reader: &mut OwnedReadHalf) -> std::convert::Infallible {
        loop {
            while self.queue.bytes.load(Ordering::Relaxed) > HIGH_WATER {
                self.queue.sent.notified().await;
            }
            let ready = reader.readable().await;
            let mut buffer = Vec::with_capacity(READ);
            let read = ready.and_then(|()| reader.try_read_buf(&mut buffer));
            let incoming = match read {
                Ok(1..) => Incoming::Bytes(self.connection, buffer),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
                Ok(0) | Err(_) => {
                    let _ = self.incoming.send(Incoming::Ended(self.connection)).await;
                    std::future::pending().await
                }
            };
            // Without a driver the writing half ends, and with it this one.
            let _ = self.incoming.send(incoming).await;
        }
    }

    /// Sends until the driver closes the connection or the peer takes nothing any more.
    async fn write(
        &self,
        writer: &mut OwnedWriteHalf,
        mut messages: mpsc::UnboundedReceiver<Bytes>,
    ) -> io::Result<()> {
        while let Some(message) = messages.recv().await {
            timeout(PATIENCE, writer.write_all(&message)).await??;
            self.queue.bytes.fetch_sub(PLACE + message.len(), Ordering::Relaxed);
            self.queue.sent.notify_one();
        }
        Ok(())
    }
}

/// Reads to the end of a stream.
async fn discard(reader: &OwnedReadHalf) {
    let mut buffer = [0; 1024];
    while reader.readable().await.is_ok() {
        match reader.try_read(&mut buffer) {
            Ok(1..) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Ok(0) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use tokio::io::AsyncReadExt;

    #[tokio::test]
    async fn closed_connections_linger_in_bounded_number() {
        const PLACES: u32 = 2;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let mut connections = Connections::new(8);
        connections.closing = Arc::new(Semaphore::new(PLACES as usize));
        let mut peers = Vec::new();
        for number in 0..3 {
            peers.push(TcpStream::connect(listener.local_addr().unwrap()).await.unwrap());
            let (stream, _) = listener.accept().await.unwrap();
            connections.spawn(ConnectionId::Accepted(number), async { Ok((stream, None)) });
        }
        for connection in (0..3).map(ConnectionId::Accepted) {
            assert!(connections.act(StreamAction::Write { connection, payload: "last".into() }));
        }
        for peer in &mut peers {
            let mut last = [0; 4];
            peer.read_exact(&mut last).await.unwrap();
            assert_eq!(&last, b"last");
        }
        for connection in (0..3).map(ConnectionId::Accepted) {
            assert!(connections.act(StreamAction::Close { connection }));
        }
        assert_eq!(connections.closing.available_permits(), 0);
        // The third is cut off: what is written to it is refused.
        while peers[2].write_all(&[0; 1_024]).await.is_ok() {}
        drop(peers);
        let freed = timeout(PATIENCE, connections.closing.acquire_many(PLACES)).await;
        assert!(freed.is_ok_and(|places| places.is_ok()));
    }

    #[tokio::test]
    async fn accepted_connections_are_bounded_by_their_places() {
        let mut connections = Connections::new(1);
        let address = connections.listen((Ipv4Addr::LOCALHOST, 0).into(), false).await.unwrap();
        let _first = TcpStream::connect(address).await.unwrap();
        let Wake::Connected { connection, .. } = connections.next().await else { panic!("none") };
        let _second = TcpStream::connect(address).await.unwrap();
        assert_eq!(connections.places.available_permits(), 0);
        assert!(timeout(Duration::from_millis(50), connections.next()).await.is_err());
        assert!(connections.act(StreamAction::Close { connection }));
        assert!(matches!(connections.next().await, Wake::Connected { .. }));
    }

    #[tokio::test]
    async fn short_messages_that_wait_count_with_their_places() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let _peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let mut connections = Connections::new(8);
        let connection = ConnectionId::Accepted(1);
        connections.spawn(connection, async { Ok((stream, None)) });
        // The task does not run before this one waits.
        let pong = || StreamAction::Write { connection, payload: "ab".into() };
        let taken = (0..MAX_QUEUED).take_while(|_| connections.act(pong())).count();
        assert_eq!(taken, MAX_QUEUED / (PLACE + 2));
    }

    #[tokio::test]
    async fn peer_that_vanishes_is_noticed_by_the_system() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        prepare(&stream).unwrap();
        assert!(SockRef::from(&stream).keepalive().unwrap() && stream.nodelay().unwrap());
    }
}
