//! Our link over sessions with Scandium: a client that resumes, and a server that has lost its
//! sessions.

use super::keys::{PSK, folder, psk_client, psk_server};
use lwm2m_coap::{Code, Event, Observer, Request, Response, Token};
use lwm2m_link::{Engine, Input, Link, LinkEvent, Output, PeerId};
use lwm2m_testkit::peer::{PATIENCE, SecuredPeer, Stack};
use lwm2m_time::Instant;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant as Wall};

/// A link on a socket, which answers requests.
struct OnSocket {
    link: Link,
    socket: UdpSocket,
    start: Wall,
    heard: Vec<Event>,
}

impl OnSocket {
    fn new(config: lwm2m_dtls::Config) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        let mut link = Link::new(lwm2m_coap::Config::default(), [7; 32]);
        link.set_security(config);
        Self { link, socket, start: Wall::now(), heard: Vec::new() }
    }

    fn address(&self) -> SocketAddr {
        self.socket.local_addr().unwrap()
    }

    fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }

    fn turn(&mut self) {
        while let Some(output) = self.link.poll() {
            match output {
                Output::Transmit(sent) => drop(self.socket.send_to(&sent.payload, sent.to)),
                Output::Event(LinkEvent::Coap(event)) => {
                    if let Event::Request { exchange, .. } = &event {
                        let answer = Response::new(Code::CONTENT).payload("answered").observe();
                        let now = self.now();
                        self.link.coap().respond(now, *exchange, answer).unwrap();
                    }
                    self.heard.push(event);
                }
                _ => {}
            }
        }
        let mut buffer = [0; 2048];
        let now = self.now();
        match self.socket.recv_from(&mut buffer) {
            Ok((length, from)) => {
                self.link.handle(now, Input::secured_datagram(from, &buffer[..length]));
            }
            Err(_) => self.link.handle(now, Input::Timeout),
        }
    }

    fn until(&mut self, patience: Duration, found: impl Fn(&Event) -> bool) -> Event {
        let deadline = Wall::now() + patience;
        while Wall::now() < deadline {
            self.turn();
            if let Some(place) = self.heard.iter().position(&found) {
                return self.heard.remove(place);
            }
        }
        panic!("{:?}", self.heard);
    }

    /// The peer that asks next.
    fn asked_by(&mut self) -> PeerId {
        match self.until(PATIENCE, |it| matches!(it, Event::Request { .. })) {
            Event::Request { peer, .. } => peer,
            other => panic!("{other:?}"),
        }
    }
}

/// A confirmable GET with the token `t`, with Observe 0 or without; all of it is ASCII.
fn get(id: char, observes: bool) -> String {
    format!("A\u{1}0{id}t{}", if observes { "`" } else { "" })
}

#[test]
fn their_client_goes_on_in_a_session_that_it_resumes() {
    if !Stack::Scandium.is_available() {
        return;
    }
    let mut ours = OnSocket::new(psk_server());
    let mut theirs =
        SecuredPeer::client(Stack::Scandium, &folder(), ours.address(), &[PSK]).unwrap();
    theirs.process.tell(&get('1', true)).unwrap();
    let peer = ours.asked_by();
    ours.link.hold(peer);
    let answered = |line: &str| line.contains("answered").then_some(());
    ours.turn();
    theirs.process.wait_for("an answer", answered).unwrap();
    for id in ['2', '3'] {
        theirs.process.tell("resume").unwrap();
        theirs.process.tell(&get(id, false)).unwrap();
        assert_eq!(ours.asked_by(), peer, "the session is another one");
        ours.turn();
        theirs.process.wait_for("an answer", answered).unwrap();
        let observer = Observer { peer, token: Token::new(b"t").unwrap() };
        let state = Response::new(Code::CONTENT).payload("notified");
        let now = ours.now();
        ours.link.coap().notify(now, observer, state, false).expect("it still observes");
        ours.turn();
        let notified = |line: &str| line.contains("notified").then_some(());
        theirs.process.wait_for("a notification", notified).unwrap();
    }
}

/// The server sends back what it gets, so that our own answer comes back as that of our request.
#[test]
fn our_client_comes_back_to_their_server_that_has_lost_the_session() {
    if !Stack::Scandium.is_available() {
        return;
    }
    let theirs = SecuredPeer::server(Stack::Scandium, &folder(), &[PSK]).unwrap();
    let address = theirs.address;
    let mut ours = OnSocket::new(lwm2m_dtls::Config::default());
    let now = ours.now();
    let peer = ours.link.connect_secured(now, address, Arc::new(psk_client())).unwrap();
    ours.link.hold(peer);
    let ask = |ours: &mut OnSocket, patience| {
        let now = ours.now();
        let asked = ours.link.coap().request(now, peer, Request::get()).unwrap();
        ours.until(patience, |it| matches!(it, Event::Response { id, .. } if *id == asked));
    };
    ask(&mut ours, PATIENCE);
    // Killed, it says nothing.
    drop(theirs);
    let _theirs = SecuredPeer::server_at(Stack::Scandium, &folder(), address, &[PSK]).unwrap();
    // Three waits of CoAP at their longest and a handshake; CoAP gives up after 93 s.
    ask(&mut ours, Duration::from_secs(30));
}
