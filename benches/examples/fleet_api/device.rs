//! Devices: just enough CoAP to register, update, answer and notify.

use crate::Outcome;
use lwm2m_coap::{Code, MessageBuilder, MessageType, MessageView, OptionNumber, Token};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

const LINKS: &[u8] = b"</>;rt=\"oma.lwm2m\";ct=\"60 110 112 11542 11543\",</1/0>,</3/0>,</4/0>,\
                       </5/0>,</6/0>,</7/0>,</3303/0>,</3303/1>,</3304/0>";
const PATIENCE: Duration = Duration::from_secs(30);
const LINK_FORMAT: u16 = 40;

/// A socket that speaks for one device or for several.
pub(crate) struct Socket {
    socket: UdpSocket,
    next_message: u16,
    sent: Vec<u8>,
    received: Vec<u8>,
}

/// What arrived.
pub(crate) struct Received {
    pub(crate) kind: MessageType,
    pub(crate) message: u16,
    pub(crate) code: Code,
    pub(crate) token: Token,
    /// The segments of Location-Path.
    pub(crate) location: Vec<Vec<u8>>,
    pub(crate) observes: bool,
}

impl Socket {
    pub(crate) fn connect(server: SocketAddr) -> Outcome<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { socket, next_message: 0, sent: Vec::new(), received: vec![0; 2048] })
    }

    /// Begins a message with a new message ID.
    fn message(&mut self, kind: MessageType, code: Code, token: Token) -> MessageBuilder<'_> {
        self.next_message = self.next_message.wrapping_add(1);
        self.sent.clear();
        MessageBuilder::new(&mut self.sent, kind, code, self.next_message, token)
    }

    fn send(&self) -> Outcome<()> {
        self.socket.send(&self.sent)?;
        Ok(())
    }

    /// Sends a Register, whose answer [`Self::receive`] gets.
    pub(crate) fn register(&mut self, endpoint: &str) -> Outcome<()> {
        let message = self.message(MessageType::Confirmable, Code::POST, Token::EMPTY);
        let mut message = message
            .option(OptionNumber::URI_PATH, b"rd")
            .option(OptionNumber::CONTENT_FORMAT, &[LINK_FORMAT as u8]);
        for query in ["b=U", "lwm2m=1.1", "lt=86400", &format!("ep={endpoint}")] {
            message = message.option(OptionNumber::URI_QUERY, query.as_bytes());
        }
        message.payload(LINKS);
        self.send()
    }

    /// Sends an Update, whose answer [`Self::receive`] gets.
    pub(crate) fn update(&mut self, location: &[u8]) -> Outcome<()> {
        let message = self.message(MessageType::Confirmable, Code::POST, Token::EMPTY);
        message.option(OptionNumber::URI_PATH, b"rd").option(OptionNumber::URI_PATH, location);
        self.send()
    }

    /// Sends a notification.
    pub(crate) fn notify(
        &mut self,
        kind: MessageType,
        token: Token,
        sequence: u32,
        value: &str,
    ) -> Outcome<()> {
        let [_, sequence @ ..] = sequence.to_be_bytes();
        let message = self.message(kind, Code::CONTENT, token);
        let message = message.option(OptionNumber::OBSERVE, &sequence);
        message.option(OptionNumber::CONTENT_FORMAT, &[]).payload(value.as_bytes());
        self.send()
    }
}

impl Socket {
    /// Waits for a message.
    pub(crate) fn receive(&mut self) -> Outcome<Received> {
        let length = self.socket.recv(&mut self.received)?;
        let view = MessageView::parse(self.received.get(..length).unwrap_or_default())?;
        let options = view.to_options();
        Ok(Received {
            kind: view.kind(),
            message: view.message_id(),
            code: view.code(),
            token: view.token(),
            location: options.location_path().map(<[u8]>::to_vec).collect(),
            observes: options.observe() == Some(0),
        })
    }

    /// Waits for the next request and answers it with `format` and `payload`; an observation begins
    /// if it was asked for.
    pub(crate) fn answer(&mut self, format: u16, payload: &[u8]) -> Outcome<Received> {
        let request = loop {
            let received = self.receive()?;
            if received.kind == MessageType::Confirmable && received.code == Code::GET {
                break received;
            }
        };
        let Received { message, token, observes, .. } = request;
        self.sent.clear();
        let kind = MessageType::Acknowledgement;
        let mut answer = MessageBuilder::new(&mut self.sent, kind, Code::CONTENT, message, token);
        if observes {
            answer = answer.option(OptionNumber::OBSERVE, &[1]);
        }
        let format = format.to_be_bytes();
        let format = if format == [0, 0] { &[][..] } else { &format };
        answer.option(OptionNumber::CONTENT_FORMAT, format).payload(payload);
        self.send()?;
        Ok(request)
    }
}

/// A device of its own socket, registered as `endpoint`.
pub(crate) fn register(server: SocketAddr, endpoint: &str) -> Outcome<Socket> {
    let mut socket = Socket::connect(server)?;
    socket.register(endpoint)?;
    match socket.receive()?.code {
        Code::CREATED => Ok(socket),
        code => Err(format!("{endpoint} was answered {code}").into()),
    }
}

/// Registered devices that share some sockets.
pub(crate) struct Fleet {
    pub(crate) members: Vec<Members>,
}

/// The devices of one socket.
pub(crate) struct Members {
    pub(crate) socket: Socket,
    /// The ids of their registrations.
    pub(crate) ids: Vec<Vec<u8>>,
}

impl Fleet {
    /// A message ID may come again after four minutes, which bounds the devices of one socket.
    const SOCKETS: usize = 32;

    /// Registers `devices` devices, one of each socket at a time.
    pub(crate) fn register(server: SocketAddr, devices: usize) -> Outcome<Self> {
        let empty = |_| Ok(Members { socket: Socket::connect(server)?, ids: Vec::new() });
        let mut members = (0..Self::SOCKETS).map(empty).collect::<Outcome<Vec<_>>>()?;
        let numbers: Vec<_> = (0..devices).collect();
        for numbers in numbers.chunks(Self::SOCKETS) {
            for (number, it) in numbers.iter().zip(&mut members) {
                it.socket.register(&format!("urn:dev:ops:0000-{number:06}"))?;
            }
            for (_, it) in numbers.iter().zip(&mut members) {
                let answer = it.socket.receive()?;
                let id = answer.location.into_iter().nth(1).ok_or("no location")?;
                it.ids.push(id);
            }
        }
        Ok(Self { members })
    }
}
