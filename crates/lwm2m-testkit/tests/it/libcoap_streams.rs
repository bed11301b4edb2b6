//! Observing libcoap's server on a TCP connection.

use lwm2m_coap::{Config, Event, Request, RequestId};
use lwm2m_link::{ConnectionId, Engine, Input, Link, LinkEvent, Output, StreamAction};
use lwm2m_testkit::peer::{LibcoapServer, PATIENCE};
use lwm2m_time::Instant;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant as Wall};

/// So long without a notification of what changes each second is the end of them.
const SILENCE: Duration = Duration::from_secs(3);

/// A link with one connection.
struct Connected {
    link: Link,
    stream: TcpStream,
    start: Wall,
}

impl Connected {
    fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }

    /// Sends what there is to send, and returns what was told and how many bytes came.
    fn turn(&mut self) -> (Vec<Event>, usize) {
        let mut told = Vec::new();
        while let Some(output) = self.link.poll() {
            match output {
                Output::Stream(StreamAction::Write { payload, .. }) => {
                    self.stream.write_all(&payload).unwrap();
                }
                Output::Event(LinkEvent::Coap(event)) => told.push(event),
                _ => {}
            }
        }
        let mut buffer = [0; 2_048];
        let length = self.stream.read(&mut buffer).unwrap_or(0);
        let (now, connection) = (self.now(), ConnectionId::Opened(1));
        self.link.handle(now, Input::Stream { connection, bytes: &buffer[..length] });
        (told, length)
    }

    fn until(&mut self, found: impl Fn(&Event) -> bool) {
        let deadline = Wall::now() + PATIENCE;
        while Wall::now() < deadline {
            if self.turn().0.iter().any(&found) {
                return;
            }
        }
        panic!("it does not come");
    }
}

/// A connection to their server, which listens for TCP somewhat later than it says it listens.
fn connected(address: SocketAddr) -> TcpStream {
    let deadline = Wall::now() + PATIENCE;
    loop {
        match TcpStream::connect(address) {
            Ok(stream) => return stream,
            Err(error) => assert!(Wall::now() < deadline, "{error}"),
        }
        std::thread::yield_now();
    }
}

fn begun(of: RequestId) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::Response { id, .. } if *id == of)
}

fn notified(of: RequestId) -> impl Fn(&Event) -> bool {
    move |event| matches!(event, Event::Notification { id, .. } if *id == of)
}

// proves: TCP-09
#[test]
fn their_server_stops_notifying_when_an_observation_is_forgotten() {
    let Some(theirs) = LibcoapServer::start().unwrap() else { return };
    let stream = connected(theirs.address);
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut link = Link::new(Config::default(), [7; 32]);
    let peer = link.open_connection(Instant::ZERO, theirs.address).unwrap();
    let mut ours = Connected { link, stream, start: Wall::now() };
    let now = ours.now();
    let time = || Request::get().path(["time"]).observe(0);
    let first = ours.link.coap().request(now, peer, time()).unwrap();
    ours.until(begun(first));
    ours.until(notified(first));
    // A second one of the same target replaces it, and then is forgotten.
    let now = ours.now();
    let second = ours.link.coap().request(now, peer, time()).unwrap();
    ours.until(begun(second));
    ours.until(notified(second));
    ours.link.coap().cancel(second);
    // It notifies each second while somebody observes: three of them in silence are enough. What
    // was under way comes first.
    let deadline = Wall::now() + PATIENCE;
    let mut silent_since = Wall::now();
    while silent_since.elapsed() < SILENCE {
        assert!(Wall::now() < deadline, "their server goes on");
        let (told, bytes) = ours.turn();
        if !told.is_empty() || bytes > 0 {
            silent_since = Wall::now();
        }
    }
}
