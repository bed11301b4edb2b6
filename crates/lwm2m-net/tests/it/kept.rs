//! An engine with a store on the driver: what it acknowledges is kept.

use lwm2m_link::{Engine, Input, Journal, Output, Outputs, Record, Table, Transmit};
use lwm2m_net::Handle;
use lwm2m_store::{Changes, MemoryStore, Pace, Reader, Store, StoreError, Writer};
use lwm2m_time::Instant;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use tokio::net::UdpSocket;

const TABLE: Table = Table(1);
const PACE: Pace = Pace { gather: Duration::from_secs(3600), retry: Duration::ZERO };

/// Keeps each datagram, and sends it back when it is durable; `!` when that fails.
struct Keeper {
    journal: Journal<(SocketAddr, Vec<u8>)>,
    outputs: Outputs<()>,
}

impl Keeper {
    fn send(&mut self, to: SocketAddr, payload: Vec<u8>) {
        self.outputs.transmit(Transmit { to, payload: payload.into(), secured: false });
    }
}

impl Engine for Keeper {
    type Event = ();

    fn handle(&mut self, _: Instant, input: Input<'_>) {
        match input {
            Input::Datagram { from, bytes, .. } => {
                let (key, value) = (bytes.to_vec().into(), Some("".into()));
                let since = self.journal.promised();
                self.journal.promise(&mut self.outputs, Record { table: TABLE, key, value });
                self.journal.hold(since, (from, bytes.to_vec()));
            }
            Input::Written(lsn) => self.journal.written(lsn),
            Input::WriteFailed(lsn) => {
                let failed: Vec<_> = self.journal.failed(lsn).collect();
                failed.into_iter().for_each(|(from, _)| self.send(from, b"!".to_vec()));
            }
            _ => {}
        }
        while let Some((from, bytes)) = self.journal.released() {
            self.send(from, bytes);
        }
    }

    fn poll(&mut self) -> Option<Output<()>> {
        self.outputs.poll()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}

/// Commits when a test says so, and whether it succeeds.
struct Commanded(MemoryStore, Sender<()>, Receiver<bool>);

impl Store for Commanded {
    fn commit(&mut self, changes: &Changes) -> Result<(), StoreError> {
        let Self(store, begun, verdicts) = self;
        begun.send(()).unwrap();
        match verdicts.recv() {
            Ok(true) => store.commit(changes),
            _ => Err(StoreError::io("a file", io::ErrorKind::StorageFull.into())),
        }
    }

    fn reader(&self) -> Reader {
        self.0.reader()
    }
}

async fn received(socket: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; 16];
    let length = socket.recv(&mut buffer).await.unwrap();
    buffer[..length].to_vec()
}

#[tokio::test]
async fn an_answer_leaves_when_the_write_before_it_is_durable() {
    let ((begun, has_begun), (verdict, verdicts)) = (channel(), channel());
    let store = Commanded(MemoryStore::default(), begun, verdicts);
    let writer = Writer::start(store, PACE).unwrap();
    let (reader, durability) = (writer.reader(), writer.durability());
    let engine = Keeper { journal: Journal::new(true), outputs: Outputs::default() };
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let handle = Handle::bind_on_thread("keeper", any, engine, Some(writer)).await.unwrap();
    let socket = UdpSocket::bind(any).await.unwrap();
    socket.connect(handle.local().udp.unwrap()).await.unwrap();

    // The engine has said what to keep, and goes on while the store is busy.
    socket.send(b"a").await.unwrap();
    has_begun.recv().unwrap();
    handle.with(|_, _| ()).await.unwrap();
    assert!(socket.try_recv(&mut [0; 16]).is_err(), "acknowledged before it was kept");
    verdict.send(true).unwrap();
    assert_eq!(received(&socket).await, b"a");
    assert!(reader.get(TABLE, b"a").unwrap().is_some());

    // A failure is told, and the writer tries again until it is kept.
    socket.send(b"b").await.unwrap();
    has_begun.recv().unwrap();
    verdict.send(false).unwrap();
    assert_eq!(received(&socket).await, b"!");
    has_begun.recv().unwrap();
    verdict.send(true).unwrap();
    let position = handle.with(|engine, _| engine.journal.promised()).await.unwrap();
    // The last attempt counts, and the next one may be under way.
    while durability.written(position).await.is_err() {
        tokio::task::yield_now().await;
    }
    assert!(reader.get(TABLE, b"b").unwrap().is_some());

    // The end of the engine keeps what it had said.
    handle
        .with(|engine, _| {
            let record = Record { table: TABLE, key: "c".into(), value: Some("".into()) };
            engine.journal.note(&mut engine.outputs, record);
        })
        .await
        .unwrap();
    verdict.send(true).unwrap();
    drop(handle);
    durability.ended().await;
    assert!(reader.get(TABLE, b"c").unwrap().is_some());
}
