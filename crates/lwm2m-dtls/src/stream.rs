//! A TLS 1.2 connection: the same handshake as on datagrams, on the records of a stream.
//!
//! Nothing is lost or doubled on a stream, so there are no flights to repeat and no replay window;
//! and whatever is not authentic ends the connection, because nobody but the peer could have sent
//! it, or somebody on the way has altered it: RFC 5246 section 7.2.2.

use crate::alert::Alert;
use crate::config::Mode;
use crate::connecting::Machine;
use crate::error::{Error, Reason};
use crate::event::Cause;
use crate::handshake::fragment::Message;
use crate::handshake::message::{self, MessageType};
use crate::handshake::server::ServerHandshake;
use crate::handshake::transcript::Framing;
use crate::handshake::{Completed, Context, Keys, Output, Role};
use crate::identity::Identity;
use crate::record::stream::{Direction, NoRecord, StreamRecord, parse};
use crate::record::{ContentType, MAX_PLAINTEXT};
use crate::resumption::CacheKey;
#[cfg(feature = "tls13")]
use crate::tls13::{Step, Tls13};
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;
use core::net::SocketAddr;

/// A handshake message may hold so many bytes.
const MAX_MESSAGE: usize = 16 * 1024;

/// A connection from its first byte on.
pub(crate) struct Stream {
    pub(crate) peer: SocketAddr,
    pub(crate) role: Role,
    state: State,
    /// A record that is not all there.
    input: Vec<u8>,
    /// Handshake messages that are not all there.
    messages: Vec<u8>,
    /// The number of the peer's next message.
    received: u16,
    /// What was agreed on; each direction changes to its keys in its own time.
    keys: Option<Box<Keys>>,
    read: Direction,
    write: Direction,
    max_plaintext: usize,
    /// Where the session is in the cache, which must forget it after a fatal alert.
    pub(crate) cached: Option<CacheKey>,
    /// Who speaks, once version 1.3 is agreed on.
    #[cfg(feature = "tls13")]
    tls13: Option<Box<Tls13>>,
}

enum State {
    AwaitClientHello,
    Connecting(Machine, Mode),
    #[cfg(feature = "tls13")]
    ConnectingTls13(Mode),
    Established(Identity),
    Closed,
}

/// What the bytes of a peer have led to.
pub(crate) enum StreamEvent {
    Connected(Box<Completed>),
    Data(Bytes),
    Closed(Cause),
    Failed(Option<Mode>, Reason),
}

/// Where the results of a step go.
#[derive(Default)]
pub(crate) struct Outcome {
    /// To be sent.
    pub(crate) bytes: Vec<u8>,
    pub(crate) happened: Vec<StreamEvent>,
}

impl Stream {
    /// The server's side of a connection.
    pub(crate) fn accepted(peer: SocketAddr) -> Self {
        Self::new(peer, Role::Server, State::AwaitClientHello)
    }

    /// The client's side; the hello is in `output`.
    pub(crate) fn connecting(
        peer: SocketAddr,
        (machine, mode): (Machine, Mode),
        output: Output,
        context: &mut Context<'_>,
        outcome: &mut Outcome,
    ) -> Self {
        let mut stream = Self::new(peer, Role::Client, State::Connecting(machine, mode));
        stream.apply(output, context, outcome);
        stream
    }

    fn new(peer: SocketAddr, role: Role, state: State) -> Self {
        Self {
            peer,
            role,
            state,
            input: Vec::new(),
            messages: Vec::new(),
            received: 0,
            keys: None,
            read: Direction::default(),
            write: Direction::default(),
            max_plaintext: MAX_PLAINTEXT,
            cached: None,
            #[cfg(feature = "tls13")]
            tls13: None,
        }
    }

    pub(crate) const fn is_established(&self) -> bool {
        matches!(self.state, State::Established(_))
    }

    /// Who the peer is, once established.
    pub(crate) const fn identity(&self) -> Option<&Identity> {
        match &self.state {
            State::Established(identity) => Some(identity),
            _ => None,
        }
    }

    /// The client's side of version 1.3.
    #[cfg(feature = "tls13")]
    pub(crate) fn connecting_tls13(
        peer: SocketAddr,
        (tls13, mode): (Tls13, Mode),
        context: &mut Context<'_>,
        outcome: &mut Outcome,
    ) -> Self {
        let mut stream = Self::new(peer, Role::Client, State::ConnectingTls13(mode));
        stream.tls13 = Some(Box::new(tls13));
        stream.advance_tls13(context, outcome);
        stream
    }

    /// Takes the next bytes in, cut anywhere.
    pub(crate) fn handle(&mut self, bytes: &[u8], context: &mut Context<'_>, to: &mut Outcome) {
        let mut input = core::mem::take(&mut self.input);
        input.extend_from_slice(bytes);
        let mut rest = input.as_slice();
        while !matches!(self.state, State::Closed) && !self.is_handed_over() {
            let step = match parse(rest) {
                Ok(Some((record, after))) => {
                    rest = after;
                    self.on_record(record, context, to)
                }
                Ok(None) => break,
                Err(NoRecord::NotTls) if self.received == 0 => Err(Reason::UnsupportedVersion),
                // RFC 5246 section 6: a type of record that was not agreed on.
                Err(NoRecord::NotTls) => Err(Reason::UnexpectedMessage),
                Err(NoRecord::TooLong) => Err(Reason::RecordOverflow),
            };
            if let Err(reason) = step {
                self.fail(reason, context, to);
            }
        }
        self.input = rest.to_vec();
        #[cfg(feature = "tls13")]
        self.advance_tls13(context, to);
    }

    /// The connection is over.
    pub(crate) fn handle_end(&mut self, to: &mut Outcome) {
        to.happened.extend(match core::mem::replace(&mut self.state, State::Closed) {
            State::AwaitClientHello => Some(StreamEvent::Failed(None, Reason::Disconnected)),
            State::Connecting(_, mode) => {
                Some(StreamEvent::Failed(Some(mode), Reason::Disconnected))
            }
            #[cfg(feature = "tls13")]
            State::ConnectingTls13(mode) => {
                Some(StreamEvent::Failed(Some(mode), Reason::Disconnected))
            }
            State::Established(_) => Some(StreamEvent::Closed(Cause::Truncated)),
            State::Closed => None,
        });
    }

    /// Seals application data in as many records as it takes.
    pub(crate) fn send(
        &mut self,
        data: &[u8],
        context: &mut Context<'_>,
    ) -> Result<Vec<u8>, Error> {
        if !self.is_established() {
            return Err(Error::NotEstablished);
        }
        let mut out = Vec::with_capacity(data.len() + 64);
        #[cfg(feature = "tls13")]
        if let Some(tls13) = &mut self.tls13 {
            return tls13.send(data, &mut out).map(|()| out).ok_or(Error::SequenceExhausted);
        }
        self.write(ContentType::APPLICATION_DATA, data, context, &mut out)
            .ok_or(Error::SequenceExhausted)?;
        Ok(out)
    }

    /// Says close_notify and nothing more.
    pub(crate) fn close(&mut self, context: &mut Context<'_>, to: &mut Outcome) {
        match &self.state {
            State::Established(_) => {
                self.alert(Alert::CLOSE_NOTIFY, context, to);
                self.end(Cause::ByUs, to);
            }
            State::Closed => {}
            _ => self.fail(Reason::Cancelled, context, to),
        }
    }

    /// Ends the connection and tells both sides why.
    pub(crate) fn fail(&mut self, reason: Reason, context: &mut Context<'_>, to: &mut Outcome) {
        if let Some(alert) = reason.answer() {
            self.alert(alert, context, to);
        }
        let happened = match core::mem::replace(&mut self.state, State::Closed) {
            State::AwaitClientHello => StreamEvent::Failed(None, reason),
            State::Connecting(_, mode) => StreamEvent::Failed(Some(mode), reason),
            #[cfg(feature = "tls13")]
            State::ConnectingTls13(mode) => StreamEvent::Failed(Some(mode), reason),
            State::Established(_) => StreamEvent::Closed(match reason {
                Reason::PeerAlert(alert) => Cause::Alert(alert),
                reason => Cause::Broken(reason.alert().unwrap_or(Alert::INTERNAL_ERROR)),
            }),
            State::Closed => return,
        };
        to.happened.push(happened);
    }

    fn end(&mut self, cause: Cause, to: &mut Outcome) {
        self.state = State::Closed;
        to.happened.push(StreamEvent::Closed(cause));
    }

    fn alert(&mut self, alert: Alert, context: &mut Context<'_>, to: &mut Outcome) {
        #[cfg(feature = "tls13")]
        if let Some(tls13) = &mut self.tls13 {
            // The library says all others by itself.
            if alert == Alert::CLOSE_NOTIFY {
                tls13.close(&mut to.bytes);
            }
            return;
        }
        // An alert that cannot be sealed is not sent; the connection ends either way.
        let _ = self.write(ContentType::ALERT, &alert.encode(), context, &mut to.bytes);
    }

    fn on_record(
        &mut self,
        record: StreamRecord<'_>,
        context: &mut Context<'_>,
        to: &mut Outcome,
    ) -> Result<(), Reason> {
        let plaintext = self.read.open(record)?;
        match record.content {
            ContentType::HANDSHAKE => self.on_handshake(&plaintext, context, to),
            ContentType::CHANGE_CIPHER_SPEC => self.on_change(&plaintext),
            ContentType::ALERT => self.on_alert(&plaintext, context, to),
            _ if self.is_established() => {
                to.happened.push(StreamEvent::Data(Bytes::from(plaintext)));
                Ok(())
            }
            _ => Err(Reason::UnexpectedMessage),
        }
    }

    /// The peer changes to the agreed keys: never before they are agreed, nor inside a message.
    fn on_change(&mut self, body: &[u8]) -> Result<(), Reason> {
        let due = !self.read.is_protected() && self.messages.is_empty() && body == [1];
        let keys = self.keys.as_ref().filter(|_| due).ok_or(Reason::UnexpectedMessage)?;
        self.read = Direction::protected(keys.read.clone());
        Ok(())
    }

    fn on_alert(
        &mut self,
        body: &[u8],
        context: &mut Context<'_>,
        to: &mut Outcome,
    ) -> Result<(), Reason> {
        match Alert::decode(body).ok_or(Reason::Malformed)? {
            (Alert::CLOSE_NOTIFY, _) if self.is_established() => {
                self.alert(Alert::CLOSE_NOTIFY, context, to);
                self.end(Cause::ByPeer, to);
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
        to: &mut Outcome,
    ) -> Result<(), Reason> {
        let mut messages = core::mem::take(&mut self.messages);
        messages.extend_from_slice(body);
        let mut rest = messages.as_slice();
        while let Some((kind, body, after)) =
            message::parse_on_stream(rest, MAX_MESSAGE).map_err(|()| Reason::Malformed)?
        {
            rest = after;
            // Nothing comes after it before it is answered: RFC 8446 section 5.1.
            let alone = kind != MessageType::CLIENT_HELLO || rest.is_empty();
            alone.then_some(()).ok_or(Reason::UnexpectedMessage)?;
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
        to: &mut Outcome,
    ) -> Result<(), Reason> {
        #[cfg(feature = "tls13")]
        if matches!(self.state, State::AwaitClientHello)
            && message.kind == MessageType::CLIENT_HELLO
            && self.hand_over(message, context)?
        {
            return Ok(());
        }
        let mut output = Output::default();
        match &mut self.state {
            State::AwaitClientHello if message.kind == MessageType::CLIENT_HELLO => {
                let machine = ServerHandshake::start(message, None, context, &mut output)?;
                self.max_plaintext = machine.max_plaintext();
                let mode = machine.mode();
                self.state = State::Connecting(Machine::Server(Box::new(machine)), mode);
            }
            // RFC 5246 section 7.4.1.1: no answer while a handshake is under way.
            State::Connecting(Machine::Client(_), _)
                if message.kind == MessageType::HELLO_REQUEST => {}
            State::Connecting(Machine::Client(machine), _) => {
                machine.handle(message, context, &mut output)?;
            }
            State::Connecting(Machine::Server(machine), _) => {
                machine.handle(message, context, &mut output)?;
            }
            State::Established(_)
                if matches!(
                    message.kind,
                    MessageType::HELLO_REQUEST | MessageType::CLIENT_HELLO
                ) =>
            {
                self.alert(Alert::NO_RENEGOTIATION, context, to);
            }
            _ => return Err(Reason::UnexpectedMessage),
        }
        self.apply(output, context, to);
        Ok(())
    }

    fn apply(&mut self, output: Output, context: &mut Context<'_>, to: &mut Outcome) {
        if let Some(keys) = output.keys {
            self.max_plaintext = keys.max_plaintext;
            self.keys = Some(keys);
        }
        for item in output.flight {
            // A handshake is far from using all numbers.
            let _ = self.write(item.content, &item.bytes, context, &mut to.bytes);
            if item.content == ContentType::CHANGE_CIPHER_SPEC
                && let Some(keys) = &self.keys
            {
                self.write = Direction::protected(keys.write.clone());
            }
        }
        if let Some(completed) = output.completed {
            self.state = State::Established(completed.identity.clone());
            self.cached = completed.cached;
            self.keys = None;
            to.happened.push(StreamEvent::Connected(completed));
        }
    }

    const fn is_handed_over(&self) -> bool {
        #[cfg(feature = "tls13")]
        return self.tls13.is_some();
        #[cfg(not(feature = "tls13"))]
        false
    }

    fn write(
        &mut self,
        content: ContentType,
        bytes: &[u8],
        context: &mut Context<'_>,
        out: &mut Vec<u8>,
    ) -> Option<()> {
        bytes
            .chunks(self.max_plaintext.max(1))
            .try_for_each(|part| self.write.seal(content, part, context.rng, out))
    }
}

#[cfg(feature = "tls13")]
impl Stream {
    /// Whether the connection goes on in version 1.3.
    fn hand_over(&mut self, hello: &Message, context: &Context<'_>) -> Result<bool, Reason> {
        let accepted = Tls13::accept(hello, context)?;
        let Some((tls13, mode)) = accepted else { return Ok(false) };
        self.state = State::ConnectingTls13(mode);
        self.tls13 = Some(Box::new(tls13));
        Ok(true)
    }

    fn advance_tls13(&mut self, context: &mut Context<'_>, to: &mut Outcome) {
        let Some(tls13) = &mut self.tls13 else { return };
        let input = core::mem::take(&mut self.input);
        if matches!(self.state, State::Closed) {
            return;
        }
        let mut steps = Vec::new();
        let advanced = tls13.advance(&input, context, &mut to.bytes, &mut steps);
        for step in steps {
            match step {
                Step::Connected(completed) => {
                    self.state = State::Established(completed.identity.clone());
                    to.happened.push(StreamEvent::Connected(completed));
                }
                Step::Data(data) => to.happened.push(StreamEvent::Data(data)),
                Step::Closed => {
                    self.alert(Alert::CLOSE_NOTIFY, context, to);
                    self.end(Cause::ByPeer, to);
                }
            }
        }
        if let Err(reason) = advanced {
            self.fail(reason, context, to);
        }
    }
}
