//! Devices that come, register and leave, by each transport. With `LWM2M_SCALE=10000` and
//! `--nocapture` it shows that the cost of a device does not grow with their number:
//!
//! `LWM2M_SCALE=10000 cargo test --release -p lwm2m-server --test it scale -- --nocapture`

use crate::harness::{LIST, register};
use lwm2m_coap::{Code, MessageBuilder, MessageType, MessageView, Token};
use lwm2m_dtls::{ClientProfile, ClientSecurity, Endpoint, Event, SessionId};
use lwm2m_link::{ConnectionId, Engine, Input, Output, StreamAction};
use lwm2m_server::security::{Credential, SecurityStore};
use lwm2m_server::{Config, Server};
use lwm2m_time::Instant;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const KEY: &[u8] = b"0123456789abcdef";
const NOW: Instant = Instant::from_millis(1_000);

#[derive(Clone, Copy, Debug)]
enum Kind {
    Plain,
    Dtls,
    Tls,
}

/// A server, its clock, and what it said last.
struct Measured {
    server: Server,
    spent: Duration,
    datagrams: Vec<bytes::Bytes>,
    stream: Vec<bytes::Bytes>,
}

impl Measured {
    fn new(secured: u32) -> Self {
        let store = SecurityStore::default();
        for number in 0..secured {
            let name = format!("device-{number}");
            store.put(&name, Credential::psk(name.as_bytes(), KEY).unwrap()).unwrap();
        }
        let config = Config::default().dtls(Some(lwm2m_dtls::Config::default()));
        let mut config = config.security(Arc::new(store));
        config.connections.max_connections = 1_000_000;
        Self {
            server: Server::new(config, [7; 32]),
            spent: Duration::ZERO,
            datagrams: Vec::new(),
            stream: Vec::new(),
        }
    }

    fn handle(&mut self, input: Input<'_>) {
        let start = std::time::Instant::now();
        self.server.handle(NOW, input);
        while let Some(output) = self.server.poll() {
            match output {
                Output::Transmit(sent) => self.datagrams.push(sent.payload),
                Output::Stream(StreamAction::Write { payload, .. }) => self.stream.push(payload),
                _ => {}
            }
        }
        self.spent += start.elapsed();
    }
}

fn address(number: u32) -> SocketAddr {
    let [_, a, b, c] = number.to_be_bytes();
    ([10, a, b, c], 5_684).into()
}

fn message(number: u32) -> Vec<u8> {
    let request = register(&format!("ep=device-{number}&lt=86400&lwm2m=1.1"), LIST);
    let mut bytes = Vec::new();
    let kind = MessageType::Confirmable;
    MessageBuilder::new(&mut bytes, kind, Code::POST, 1, Token::EMPTY)
        .options(&request.options)
        .payload(&request.payload);
    bytes
}

/// The same message on a connection, behind the CSM: without type and message ID, with a length.
fn framed(message: &[u8]) -> Vec<u8> {
    let body = &message[4..];
    let length = u16::try_from(body.len() - 13).unwrap();
    assert!(length < 256);
    [&[0x00, 0xE1, 0xD0, length as u8, 2][..], body].concat()
}

/// Lets a device come and register; returns its client.
fn join(measured: &mut Measured, number: u32, kind: Kind) -> (Endpoint, Option<SessionId>) {
    let server = address(0xFF_FFFF);
    let seed = [&number.to_be_bytes()[..], &[0; 28]].concat().try_into().unwrap();
    let mut client = Endpoint::new(lwm2m_dtls::Config::default(), seed);
    let (identity, key) = (format!("device-{number}").into(), zeroize(KEY));
    let profile = Arc::new(ClientProfile::new(ClientSecurity::Psk { identity, key }));
    let from = address(number);
    let connection = ConnectionId::Accepted(number.into());
    let session = match kind {
        Kind::Plain => {
            measured.handle(Input::datagram(from, &message(number)));
            let answer = measured.datagrams.pop().unwrap();
            assert_eq!(MessageView::parse(&answer).unwrap().code(), Code::CREATED);
            return (client, None);
        }
        Kind::Dtls => client.connect(NOW, server, profile).unwrap(),
        Kind::Tls => {
            measured.handle(Input::Connected { connection, from, secured: true });
            client.connect_stream(NOW, from, profile, None).unwrap()
        }
    };
    let mut asked = false;
    loop {
        let mut quiet = true;
        while let Some(sent) = client.poll_transmit() {
            measured.handle(Input::secured_datagram(from, &sent.payload));
            quiet = false;
        }
        while let Some((_, bytes)) = client.poll_stream() {
            measured.handle(Input::Stream { connection, bytes: &bytes });
            quiet = false;
        }
        for datagram in std::mem::take(&mut measured.datagrams) {
            client.handle_datagram(NOW, server, &datagram);
        }
        for bytes in std::mem::take(&mut measured.stream) {
            client.handle_stream(NOW, session, &bytes);
        }
        while let Some(event) = client.poll_event() {
            if let (Event::Connected { .. }, false) = (&event, asked) {
                asked = true;
                let message = message(number);
                let message = if matches!(kind, Kind::Tls) { framed(&message) } else { message };
                client.send(NOW, session, &message).unwrap();
                quiet = false;
            }
        }
        if quiet {
            return (client, Some(session));
        }
    }
}

fn zeroize(key: &[u8]) -> zeroize::Zeroizing<Vec<u8>> {
    zeroize::Zeroizing::new(key.to_vec())
}

#[test]
fn scale_of_joining_and_leaving() {
    let scale = std::env::var("LWM2M_SCALE").ok().and_then(|it| it.parse().ok()).unwrap_or(1);
    for kind in [Kind::Plain, Kind::Dtls, Kind::Tls] {
        let mut measured = Measured::new(if matches!(kind, Kind::Plain) { 0 } else { 10 * scale });
        let mut clients = Vec::new();
        let (mut before, mut at) = (Duration::ZERO, 0);
        for size in [1, 2, 10].map(|it: u32| it * scale) {
            for number in at..size {
                clients.push(join(&mut measured, number, kind));
            }
            let spent = measured.spent - before;
            println!("{kind:?}: {:?} a device from {at} to {size}", spent / (size - at));
            (before, at) = (measured.spent, size);
        }
        assert_eq!(measured.server.registrations().count(), clients.len());
        for (number, (mut client, session)) in (0..).zip(clients) {
            if let Some(session) = session {
                client.close(session).unwrap();
            }
            while let Some(sent) = client.poll_transmit() {
                measured.handle(Input::secured_datagram(address(number), &sent.payload));
            }
            let connection = ConnectionId::Accepted(number.into());
            while let Some((_, bytes)) = client.poll_stream() {
                measured.handle(Input::Stream { connection, bytes: &bytes });
            }
        }
        println!("{kind:?}: {:?} for leaving", (measured.spent - before) / at);
    }
}
