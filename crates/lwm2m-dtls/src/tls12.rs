//! TLS 1.2 on a stream: the native handshake on stream records (RFC 5246 section 6).
//!
//! A stream neither loses nor doubles bytes, so there are no retransmissions and no replay window.
//! A record that is not authentic ends the connection: the peer or somebody on the way is at fault
//! (RFC 5246 section 7.2.2).

use crate::alert::Alert;
use crate::config::ClientProfile;
use crate::error::Reason;
use crate::handshake::client::ClientHandshake;
use crate::handshake::context::Context;
use crate::handshake::fragment::Message;
use crate::handshake::framing::{Framing, MessageType};
use crate::handshake::keys::Keys;
use crate::handshake::machine::Machine;
use crate::handshake::message;
use crate::handshake::output::{Output, Step};
use crate::handshake::server::ServerHandshake;
use crate::mode::Mode;
use crate::record::header::{ContentType, MAX_PLAINTEXT};
use crate::record::stream::{Direction, NoRecord, StreamRecord, parse};
use crate::resumption::Resumption;
use crate::rng::Rng;
#[cfg(feature = "tls13")]
use crate::tls13::Tls13;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use bytes::Bytes;

/// The most bytes that a handshake message may hold.
const MAX_MESSAGE: usize = 16 * 1024;

/// A TLS 1.2 connection from its first byte on.
pub(crate) struct Tls12 {
    state: State,
    /// The mode, once the hellos are exchanged.
    mode: Option<Mode>,
    /// A record that is incomplete.
    input: Vec<u8>,
    /// A handshake message that is incomplete.
    messages: Vec<u8>,
    /// The number of the peer's next message.
    received: u16,
    /// The agreed keys. Each direction switches to them with its ChangeCipherSpec.
    keys: Option<Box<Keys>>,
    read: Direction,
    write: Direction,
    max_plaintext: usize,
}

enum State {
    AwaitClientHello,
    Handshake(Machine),
    Established,
    /// The peer has closed.
    Closed,
    /// The client offers version 1.3, and the connection goes on in it.
    #[cfg(feature = "tls13")]
    HandedOver(Box<Tls13>),
}

/// Where the results of an input go.
struct Results<'a> {
    /// Bytes to be sent.
    out: &'a mut Vec<u8>,
    steps: &'a mut Vec<Step>,
}

impl Tls12 {
    /// The server's side.
    pub(crate) fn server() -> Self {
        Self {
            state: State::AwaitClientHello,
            mode: None,
            input: Vec::new(),
            messages: Vec::new(),
            received: 0,
            keys: None,
            read: Direction::default(),
            write: Direction::default(),
            max_plaintext: MAX_PLAINTEXT,
        }
    }

    /// The client's side. The hello is appended to `out`.
    pub(crate) fn client(
        profile: Arc<ClientProfile>,
        resumption: Option<Arc<Resumption>>,
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) -> Self {
        let mode = Some(profile.security.mode());
        let mut output = Output::default();
        let client = ClientHandshake::start(profile, resumption, None, context, &mut output);
        let state = State::Handshake(Machine::Client(Box::new(client)));
        let mut connection = Self { state, mode, ..Self::server() };
        connection.apply(output, context, &mut Results { out, steps: &mut Vec::new() });
        connection
    }

    /// The mode, if it is known yet.
    pub(crate) const fn mode(&self) -> Option<Mode> {
        self.mode
    }

    /// Takes the version 1.3 that the connection goes on in, and its unread input.
    #[cfg(feature = "tls13")]
    pub(crate) fn take_successor(&mut self) -> Option<(Box<Tls13>, Vec<u8>)> {
        match core::mem::replace(&mut self.state, State::Closed) {
            State::HandedOver(tls13) => Some((tls13, core::mem::take(&mut self.input))),
            state => {
                self.state = state;
                None
            }
        }
    }

    /// Handles the next bytes, cut anywhere.
    pub(crate) fn handle(
        &mut self,
        bytes: &[u8],
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
        steps: &mut Vec<Step>,
    ) -> Result<(), Reason> {
        let mut input = core::mem::take(&mut self.input);
        input.extend_from_slice(bytes);
        let (mut rest, mut results) = (input.as_slice(), Results { out, steps });
        while self.reads_records() {
            let Some((record, after)) = parse(rest).map_err(|error| self.reason(error))? else {
                break;
            };
            rest = after;
            self.on_record(record, context, &mut results)?;
        }
        self.input = rest.to_vec();
        Ok(())
    }

    const fn reads_records(&self) -> bool {
        matches!(self.state, State::AwaitClientHello | State::Handshake(_) | State::Established)
    }

    fn reason(&self, error: NoRecord) -> Reason {
        match error {
            NoRecord::NotTls if self.received == 0 => Reason::UnsupportedVersion,
            // RFC 5246 section 6: a record type that was not agreed on.
            NoRecord::NotTls => Reason::UnexpectedMessage,
            NoRecord::TooLong => Reason::RecordOverflow,
        }
    }

    fn on_record(
        &mut self,
        record: StreamRecord<'_>,
        context: &mut Context<'_>,
        to: &mut Results<'_>,
    ) -> Result<(), Reason> {
        let plaintext = self.read.open(record)?;
        match record.content {
            ContentType::HANDSHAKE => self.on_handshake(&plaintext, context, to),
            ContentType::CHANGE_CIPHER_SPEC => self.on_change_cipher_spec(&plaintext),
            ContentType::ALERT => self.on_alert(&plaintext, to),
            _ if matches!(self.state, State::Established) => {
                to.steps.push(Step::Data(Bytes::from(plaintext)));
                Ok(())
            }
            _ => Err(Reason::UnexpectedMessage),
        }
    }

    /// Switches to the agreed keys. They must exist, and the peer must not be inside a message.
    fn on_change_cipher_spec(&mut self, body: &[u8]) -> Result<(), Reason> {
        let is_due = !self.read.is_protected() && self.messages.is_empty() && body == [1];
        let keys = self.keys.as_ref().filter(|_| is_due).ok_or(Reason::UnexpectedMessage)?;
        self.read = Direction::protected(keys.read.clone());
        Ok(())
    }

    fn on_alert(&mut self, body: &[u8], to: &mut Results<'_>) -> Result<(), Reason> {
        match Alert::decode(body).ok_or(Reason::Malformed)? {
            (Alert::CLOSE_NOTIFY, _) if matches!(self.state, State::Established) => {
                self.state = State::Closed;
                to.steps.push(Step::CloseNotify);
                Ok(())
            }
            (alert @ Alert::CLOSE_NOTIFY, _) | (alert, true) => Err(Reason::PeerAlert(alert)),
            _ => Ok(()),
        }
    }

    fn on_handshake(
        &mut self,
        body: &[u8],
        context: &mut Context<'_>,
        to: &mut Results<'_>,
    ) -> Result<(), Reason> {
        let mut messages = core::mem::take(&mut self.messages);
        messages.extend_from_slice(body);
        let mut rest = messages.as_slice();
        while let Some((kind, body, after)) =
            message::parse_on_stream(rest, MAX_MESSAGE).map_err(|()| Reason::Malformed)?
        {
            rest = after;
            // RFC 8446 section 5.1: a client sends nothing more before its hello is answered.
            let is_alone = kind != MessageType::CLIENT_HELLO || rest.is_empty();
            is_alone.then_some(()).ok_or(Reason::UnexpectedMessage)?;
            let epoch = u16::from(self.read.is_protected());
            let number = (self.received, epoch);
            self.received = self.received.wrapping_add(1);
            let message = Message::framed(Framing::Stream, kind, number, body);
            self.on_message(&message, context, to)?;
        }
        self.messages = rest.to_vec();
        Ok(())
    }

    fn on_message(
        &mut self,
        message: &Message,
        context: &mut Context<'_>,
        to: &mut Results<'_>,
    ) -> Result<(), Reason> {
        let mut output = Output::default();
        match (&mut self.state, message.kind) {
            (State::AwaitClientHello, MessageType::CLIENT_HELLO) => {
                self.on_client_hello(message, context, &mut output)?;
            }
            // RFC 5246 section 7.4.1.1: ignored while a handshake is under way.
            (State::Handshake(Machine::Client(_)), MessageType::HELLO_REQUEST) => {}
            (State::Handshake(machine), _) => machine.handle(message, context, &mut output)?,
            (State::Established, MessageType::HELLO_REQUEST | MessageType::CLIENT_HELLO) => {
                self.alert(Alert::NO_RENEGOTIATION, context.rng, to.out);
            }
            _ => return Err(Reason::UnexpectedMessage),
        }
        self.apply(output, context, to);
        Ok(())
    }

    fn on_client_hello(
        &mut self,
        message: &Message,
        context: &mut Context<'_>,
        output: &mut Output,
    ) -> Result<(), Reason> {
        #[cfg(feature = "tls13")]
        if let Some(tls13) = Tls13::accept(message, context)? {
            self.state = State::HandedOver(Box::new(tls13));
            return Ok(());
        }
        let server = ServerHandshake::start(message, None, context, output)?;
        self.max_plaintext = server.max_plaintext();
        self.mode = Some(server.mode());
        self.state = State::Handshake(Machine::Server(Box::new(server)));
        Ok(())
    }

    fn apply(&mut self, output: Output, context: &mut Context<'_>, to: &mut Results<'_>) {
        if let Some(keys) = output.keys {
            self.max_plaintext = keys.max_plaintext;
            self.keys = Some(keys);
        }
        for item in output.flight {
            // A handshake is far from using all sequence numbers.
            let _ = self.write(item.content, &item.bytes, context.rng, to.out);
            if item.content == ContentType::CHANGE_CIPHER_SPEC
                && let Some(keys) = &self.keys
            {
                self.write = Direction::protected(keys.write.clone());
            }
        }
        if let Some(completed) = output.completed {
            self.state = State::Established;
            self.keys = None;
            to.steps.push(Step::Connected(completed));
        }
    }

    /// Appends the records of application data; `None` when all sequence numbers are used.
    pub(crate) fn send(&mut self, data: &[u8], rng: &mut Rng, out: &mut Vec<u8>) -> Option<()> {
        self.write(ContentType::APPLICATION_DATA, data, rng, out)
    }

    /// Appends an alert, unless it cannot be sealed: the connection ends either way.
    pub(crate) fn alert(&mut self, alert: Alert, rng: &mut Rng, out: &mut Vec<u8>) {
        let _ = self.write(ContentType::ALERT, &alert.encode(), rng, out);
    }

    fn write(
        &mut self,
        content: ContentType,
        bytes: &[u8],
        rng: &mut Rng,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        bytes
            .chunks(self.max_plaintext.max(1))
            .try_for_each(|part| self.write.seal(content, part, rng, out))
    }
}
