//! A device, as far as its server can see it.

use crate::adapter::Session;
use bytes::Bytes;
use lwm2m_coap::{Code, MessageBuilder, MessageType, MessageView, OptionNumber, Options, Token};
use lwm2m_time::Instant;
use std::net::{Ipv4Addr, SocketAddr};

pub(crate) const SERVER: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5684);
/// Ten links, the same for the whole fleet.
const LINKS: &[u8] =
    b"</>;rt=\"oma.lwm2m\";ct=\"60 110 112 11542 11543\",</1/0>,</3/0>,</4/0>,</5/0>,\
    </6/0>,</7/0>,</3303/0>;ver=1.1,</3303/1>,</19/0>";
const FIRST_ADDRESS: u32 = 0x0a00_0000;

/// The endpoint name, which is the identity of the pre-shared key as well.
pub(crate) fn endpoint_name(number: u32) -> String {
    format!("urn:imei:{number:015}")
}

pub(crate) fn address(number: u32) -> SocketAddr {
    (Ipv4Addr::from_bits(FIRST_ADDRESS + number), 5683).into()
}

/// The device at an address.
pub(crate) fn number_at(address: SocketAddr) -> u32 {
    let SocketAddr::V4(address) = address else { panic!("not of the fleet: {address}") };
    address.ip().to_bits() - FIRST_ADDRESS
}

pub(crate) struct Device {
    number: u32,
    session: Option<Session>,
    message_id: u16,
    /// The id of the registration.
    location: Option<Vec<u8>>,
    /// The latest request of the server: message id, token and whether it was an Observe.
    asked: Option<(u16, Token)>,
    /// Datagrams to send.
    outgoing: Vec<Bytes>,
}

impl Device {
    /// A device that registers at once, in the clear or in a session with its own key.
    pub(crate) fn start(now: Instant, number: u32, secured: bool) -> Self {
        let mut device = Self {
            number,
            session: None,
            message_id: 0,
            location: None,
            asked: None,
            outgoing: Vec::new(),
        };
        if secured {
            let mut seed = [0; 32];
            seed[..4].copy_from_slice(&number.to_le_bytes());
            let name = endpoint_name(number);
            device.session = Some(Session::connect(now, seed, SERVER, &name));
        } else {
            device.register(now);
        }
        device
    }

    pub(crate) fn is_registered(&self) -> bool {
        self.location.is_some()
    }

    fn register(&mut self, now: Instant) {
        let mut options = Options::new();
        options.push(OptionNumber::URI_PATH, b"rd");
        options.push(OptionNumber::CONTENT_FORMAT, &[40]);
        for query in
            [&*format!("ep={}", endpoint_name(self.number)), "lt=86400", "lwm2m=1.1", "b=U"]
        {
            options.push(OptionNumber::URI_QUERY, query.as_bytes());
        }
        self.request(now, &options, LINKS);
    }

    /// Sends an Update that extends the lifetime.
    pub(crate) fn update(&mut self, now: Instant) {
        let mut options = Options::new();
        options.push(OptionNumber::URI_PATH, b"rd");
        options.push(OptionNumber::URI_PATH, self.location.as_ref().expect("a registration"));
        self.request(now, &options, b"");
    }

    fn request(&mut self, now: Instant, options: &Options, payload: &[u8]) {
        self.message_id += 1;
        let token = Token::new(&self.message_id.to_be_bytes()).expect("two bytes");
        let kind = MessageType::Confirmable;
        self.send(now, (kind, Code::POST, self.message_id, token), options, payload);
    }

    /// Answers the latest request of the server on its acknowledgement.
    pub(crate) fn answer(&mut self, now: Instant, format: u16, payload: &[u8], observe: bool) {
        let (id, token) = self.asked.expect("a request");
        let options = content(format, observe.then_some(1));
        self.send(now, (MessageType::Acknowledgement, Code::CONTENT, id, token), &options, payload);
    }

    /// Sends a notification to the latest Observe of the server.
    pub(crate) fn notify(&mut self, now: Instant, format: u16, payload: &[u8]) {
        self.message_id += 1;
        let (_, token) = self.asked.expect("an observation");
        let options = content(format, Some(u64::from(self.message_id) + 1));
        let head = (MessageType::NonConfirmable, Code::CONTENT, self.message_id, token);
        self.send(now, head, &options, payload);
    }

    fn send(
        &mut self,
        now: Instant,
        (kind, code, id, token): (MessageType, Code, u16, Token),
        options: &Options,
        payload: &[u8],
    ) {
        let mut message = Vec::new();
        MessageBuilder::new(&mut message, kind, code, id, token).options(options).payload(payload);
        match &mut self.session {
            Some(session) => session.write(now, &message),
            None => self.outgoing.push(message.into()),
        }
    }

    /// Handles a datagram of the server.
    pub(crate) fn handle(&mut self, now: Instant, datagram: &Bytes) {
        let Some(session) = &mut self.session else { return self.handle_message(datagram) };
        let (plaintext, connected) = session.read(now, SERVER, datagram);
        if connected {
            self.register(now);
        }
        plaintext.iter().for_each(|message| self.handle_message(message));
    }

    fn handle_message(&mut self, message: &[u8]) {
        let message = MessageView::parse(message).expect("a message");
        if message.code() == Code::CREATED {
            let options = message.to_options();
            self.location = options.location_path().last().map(<[u8]>::to_vec);
        } else if message.code().is_request() {
            self.asked = Some((message.message_id(), message.token()));
        } else {
            assert!(message.code().is_success(), "{:?}", message.code());
        }
    }

    /// The next datagram to send.
    pub(crate) fn poll(&mut self) -> Option<Bytes> {
        match &mut self.session {
            Some(session) => session.poll(),
            None => (!self.outgoing.is_empty()).then(|| self.outgoing.remove(0)),
        }
    }
}

fn content(format: u16, observe: Option<u64>) -> Options {
    let mut options = Options::new();
    if let Some(sequence) = observe {
        options.push_uint(OptionNumber::OBSERVE, sequence);
    }
    options.push_uint(OptionNumber::CONTENT_FORMAT, format.into());
    options
}
