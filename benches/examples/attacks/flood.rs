//! Datagrams without security, as fast as they can be sent.

use crate::{Attack, Outcome, Sent};
use lwm2m_coap::{Code, MessageBuilder, MessageType, MessageView, OptionNumber, Options, Token};
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

/// A request.
pub(crate) struct Message {
    id: u16,
    code: Code,
    options: Options,
}

impl Message {
    pub(crate) fn new(id: u16, code: Code) -> Self {
        Self { id, code, options: Options::new() }
    }

    pub(crate) fn post(id: u16, path: &str) -> Self {
        Self::new(id, Code::POST).path(path)
    }

    pub(crate) fn path(self, segment: &str) -> Self {
        self.option(OptionNumber::URI_PATH, segment.as_bytes())
    }

    pub(crate) fn query(self, query: &str) -> Self {
        self.option(OptionNumber::URI_QUERY, query.as_bytes())
    }

    pub(crate) fn format(self, format: u8) -> Self {
        self.option(OptionNumber::CONTENT_FORMAT, &[format])
    }

    /// Block1 with blocks of 1,024 bytes.
    pub(crate) fn block(self, number: u32, more: bool) -> Self {
        let value = (number << 4 | u32::from(more) << 3 | 6).to_be_bytes();
        let zeros = value.iter().take_while(|byte| **byte == 0).count();
        self.option(OptionNumber::BLOCK1, value.get(zeros..).unwrap_or_default())
    }

    pub(crate) fn option(mut self, number: OptionNumber, value: &[u8]) -> Self {
        self.options.push(number, value);
        self
    }

    /// The whole message.
    pub(crate) fn payload(self, payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let kind = MessageType::Confirmable;
        let message = MessageBuilder::new(&mut bytes, kind, self.code, self.id, Token::EMPTY);
        message.options(&self.options).payload(payload);
        bytes
    }
}

pub(crate) fn code_of(answer: &[u8]) -> Option<Code> {
    MessageView::parse(answer).ok().map(|view| view.code())
}

/// Makes the message with this number.
pub(crate) type Make = Box<dyn FnMut(u32) -> Vec<u8> + Send>;
/// Says what came of it.
pub(crate) type Tell = Box<dyn FnMut(&Answers) -> Outcome<String> + Send>;

/// Where messages come from.
pub(crate) enum From {
    /// The message with number n from socket n modulo their number.
    Sockets(Vec<UdpSocket>),
    /// Each from an address of its own, where nobody waits for an answer.
    Forged,
}

/// What came back, by code.
#[derive(Default)]
pub(crate) struct Answers(BTreeMap<Code, u64>);

impl std::fmt::Display for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|(code, count)| write!(f, "{count} × {code} "))
    }
}

/// Messages without a pause.
pub(crate) struct Flood {
    to: SocketAddr,
    from: From,
    make: Make,
    tell: Tell,
    number: u32,
    answers: Answers,
}

impl Flood {
    pub(crate) fn new(to: SocketAddr, from: From, make: Make, tell: Tell) -> Self {
        Self { to, from, make, tell, number: 0, answers: Answers::default() }
    }
}

/// So many sockets of one host. A message ID comes again after as many messages as there are IDs.
pub(crate) fn sockets(count: usize) -> Outcome<Vec<UdpSocket>> {
    let one = |_| {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    };
    (0..count).map(one).collect()
}

/// A socket at another address of this host.
pub(crate) fn forged(number: u32) -> Outcome<UdpSocket> {
    let address = Ipv4Addr::from_bits(0x7f01_0000 + number % 0x00f0_0000);
    Ok(UdpSocket::bind((address, 0))?)
}

impl Attack for Flood {
    fn step(&mut self, sent: &mut Sent) -> Outcome<()> {
        self.number += 1;
        let message = (self.make)(self.number);
        match &self.from {
            From::Forged => _ = forged(self.number)?.send_to(&message, self.to)?,
            From::Sockets(sockets) => {
                let socket = sockets.get(self.number as usize % sockets.len());
                let socket = socket.ok_or("no socket")?;
                // A full buffer delays the attack.
                let _ = socket.send_to(&message, self.to);
                let mut buffer = [0; 2048];
                while let Ok(length) = socket.recv(&mut buffer) {
                    let code = code_of(buffer.get(..length).unwrap_or_default());
                    *self.answers.0.entry(code.unwrap_or(Code::EMPTY)).or_default() += 1;
                }
            }
        }
        sent.add(message.len());
        Ok(())
    }

    fn outcome(&mut self) -> Outcome<String> {
        (self.tell)(&self.answers)
    }
}
