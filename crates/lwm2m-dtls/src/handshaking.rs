//! A handshake on datagrams: reassembly, repetition and deadlines (RFC 6347 section 4.2). The
//! backend sees whole messages in order, and authentic records only.

use crate::alert::Alert;
use crate::backend::Backend;
use crate::config::ClientProfile;
use crate::dtls::{Dtls, Finished};
use crate::dtls12::Dtls12;
use crate::error::{Error, Reason};
use crate::handshake::context::Context;
use crate::handshake::fragment::{self, Fragment, Message, Reassembly};
use crate::handshake::framing::MessageType;
use crate::handshake::output::Completed;
#[cfg(feature = "mbedtls")]
use crate::mbedtls::MbedTls;
use crate::mode::{Mode, Role};
use crate::record::header::{ContentType, Record};
use crate::resumption::Resumption;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;
use lwm2m_time::Instant;

/// The most bytes that messages under reassembly may hold.
const MAX_REASSEMBLY: usize = 16 * 1024;
/// After a protected record that does not authenticate, a handshake goes on for this many initial
/// retransmission intervals. If the record was forged, the peer's own arrives within that time.
const WRONG_KEY_INTERVALS: u32 = 8;
/// The upper bound of retransmission intervals: RFC 6347 section 4.2.4.1.
const MAX_INTERVAL: Duration = Duration::from_secs(60);

/// A handshake under way.
pub(crate) struct Handshaking {
    pub(crate) peer: SocketAddr,
    pub(crate) role: Role,
    /// The ClientHello that a server answers. A copy of it is a retransmission.
    pub(crate) hello: Vec<u8>,
    /// The handshake replaced an earlier one with the same address.
    pub(crate) is_replacement: bool,
    /// The Connection ID that is reserved for the session; empty without one.
    pub(crate) cid: Box<[u8]>,
    protocol: Dtls,
    reassembly: Reassembly,
    /// The message that our latest flight answers. A copy of it asks for the flight again.
    answered: Option<u16>,
    deadline: Instant,
    sent_at: Instant,
    resend_at: Instant,
    interval: Duration,
    /// A protected record did not authenticate: it was forged, or the keys differ.
    saw_bad_record: bool,
}

/// What an input has led to.
pub(crate) enum Progress {
    /// Nothing to send.
    Wait,
    /// [`Handshaking::datagrams`] are to be sent.
    Send,
    /// The handshake is finished; call [`Handshaking::finish`].
    Completed(Box<Completed>),
}

impl Progress {
    /// The progress of two inputs in a row.
    fn and(self, next: Self) -> Self {
        match next {
            Self::Wait => self,
            next => next,
        }
    }
}

impl Handshaking {
    /// Starts a handshake as client. With `cid`, Connection IDs are offered, and it is ours.
    pub(crate) fn client(
        peer: SocketAddr,
        profile: Arc<ClientProfile>,
        resumption: Option<Arc<Resumption>>,
        cid: Option<Vec<u8>>,
        context: &mut Context<'_>,
    ) -> Result<Self, Error> {
        let own_cid = cid.clone().unwrap_or_default();
        let protocol = match context.config.backend {
            Backend::Native => Dtls::Native(Dtls12::client(profile, resumption, cid, context)),
            #[cfg(feature = "mbedtls")]
            Backend::MbedTls => Dtls::MbedTls(Box::new(MbedTls::client(profile, context)?)),
        };
        Ok(Self::new(peer, Role::Client, protocol, 0, own_cid, context))
    }

    /// Starts a handshake as server. The cookie of the ClientHello is valid.
    pub(crate) fn server(
        peer: SocketAddr,
        hello: &Fragment<'_>,
        record_sequence: u64,
        cid: Option<Vec<u8>>,
        context: &mut Context<'_>,
    ) -> Result<Self, Reason> {
        let own_cid = cid.clone().unwrap_or_default();
        let (protocol, next) = match context.config.backend {
            Backend::Native => {
                let native = Dtls12::server(hello, record_sequence, cid, context)?;
                (Dtls::Native(native), hello.sequence.wrapping_add(1))
            }
            #[cfg(feature = "mbedtls")]
            Backend::MbedTls => {
                let library = MbedTls::server(context).map_err(|_| Reason::Internal)?;
                let library = library.answering(record_sequence);
                (Dtls::MbedTls(Box::new(library)), hello.sequence)
            }
        };
        let mut server = Self::new(peer, Role::Server, protocol, next, own_cid, context);
        server.hello = hello.body.to_vec();
        Ok(server)
    }

    fn new(
        peer: SocketAddr,
        role: Role,
        protocol: Dtls,
        next_message: u16,
        cid: Vec<u8>,
        context: &Context<'_>,
    ) -> Self {
        let Context { now, config, .. } = *context;
        Self {
            peer,
            role,
            hello: Vec::new(),
            is_replacement: false,
            cid: cid.into(),
            protocol,
            reassembly: Reassembly::new(next_message, MAX_REASSEMBLY),
            answered: next_message.checked_sub(1),
            deadline: now + config.handshake_timeout,
            sent_at: now,
            resend_at: now + config.retransmit_after,
            interval: config.retransmit_after,
            saw_bad_record: false,
        }
    }

    /// Makes the first flight. `hello` is that of a client, for a server.
    #[cfg_attr(
        not(feature = "mbedtls"),
        expect(unused_variables, reason = "only Mbed TLS needs all arguments")
    )]
    pub(crate) fn begin(
        &mut self,
        hello: Option<&Fragment<'_>>,
        context: &mut Context<'_>,
    ) -> Result<Progress, Reason> {
        match (&mut self.protocol, hello) {
            (Dtls::Native(_), _) => Ok(Progress::Send),
            #[cfg(feature = "mbedtls")]
            (Dtls::MbedTls(_), Some(hello)) => self.handle_fragment(hello, 0, context),
            #[cfg(feature = "mbedtls")]
            (Dtls::MbedTls(_), None) => self.advance(None, &[], context),
        }
    }

    /// The mode, if it is known yet.
    pub(crate) fn mode(&self) -> Option<Mode> {
        self.protocol.mode()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub(crate) fn next_timeout(&self) -> Instant {
        self.resend_at.min(self.deadline)
    }

    /// Resends the flight or gives up, if that is due.
    pub(crate) fn handle_timeout(&mut self, context: &mut Context<'_>) -> Result<Progress, Reason> {
        let now = context.now;
        if now >= self.deadline {
            return Err(match self.saw_bad_record || self.awaits_proof_of_key() {
                true => Reason::WrongKey,
                false => Reason::Timeout,
            });
        }
        if now < self.resend_at {
            return Ok(Progress::Wait);
        }
        match &mut self.protocol {
            Dtls::Native(_) => {
                self.interval = self.interval.saturating_mul(2).min(MAX_INTERVAL);
                self.resend_at = now + self.interval;
                self.sent_at = now;
                Ok(Progress::Send)
            }
            #[cfg(feature = "mbedtls")]
            Dtls::MbedTls(_) => self.advance(None, &[], context),
        }
    }

    /// Whether a client waits for a Finished that proves that the server has the pre-shared key.
    fn awaits_proof_of_key(&self) -> bool {
        let has_finished = self.protocol.has_sent_finished();
        self.role == Role::Client && self.mode() == Some(Mode::Psk) && has_finished
    }

    /// Handles a protected record. A record that does not authenticate ends nothing, because
    /// anybody can send it: RFC 6347 section 4.1.2.7.
    pub(crate) fn handle_protected(
        &mut self,
        record: &Record<'_>,
        context: &mut Context<'_>,
    ) -> Result<Progress, Reason> {
        let opened = match &mut self.protocol {
            Dtls::Native(native) => native.open(record),
            #[cfg(feature = "mbedtls")]
            Dtls::MbedTls(library) => match library.check(record) {
                Some(true) => return self.advance(None, record.raw, context),
                check => check.map(|_| None),
            },
        };
        match opened {
            Some(Some(opened)) if opened.content == ContentType::HANDSHAKE => {
                self.handle_fragments(&opened.plaintext, record.header.epoch, context)
            }
            Some(Some(opened)) if opened.content == ContentType::ALERT => {
                self.handle_alert(&opened.plaintext)
            }
            // Application data ahead of the Finished is not trusted yet; the peer sends it again.
            Some(Some(_)) | None => Ok(Progress::Wait),
            Some(None) => {
                self.note_bad_record(context);
                Ok(Progress::Wait)
            }
        }
    }

    fn note_bad_record(&mut self, context: &Context<'_>) {
        if !self.saw_bad_record {
            self.saw_bad_record = true;
            let patience = context.config.retransmit_after.saturating_mul(WRONG_KEY_INTERVALS);
            self.deadline = self.deadline.min(context.now + patience);
        }
    }

    /// Handles an unprotected ChangeCipherSpec. The native backend needs none: the epoch of a
    /// record names its keys.
    #[cfg_attr(
        not(feature = "mbedtls"),
        expect(unused_variables, reason = "only Mbed TLS needs all arguments")
    )]
    pub(crate) fn handle_change_cipher_spec(
        &mut self,
        body: &[u8],
        context: &mut Context<'_>,
    ) -> Result<Progress, Reason> {
        match &mut self.protocol {
            Dtls::Native(_) => Ok(Progress::Wait),
            #[cfg(feature = "mbedtls")]
            Dtls::MbedTls(_) if body != [1] => Ok(Progress::Wait),
            #[cfg(feature = "mbedtls")]
            Dtls::MbedTls(library) => {
                let record = library.plain(ContentType::CHANGE_CIPHER_SPEC, body);
                self.advance(None, &record, context)
            }
        }
    }

    /// Handles an alert. A fatal one ends the handshake, unless no server may send it to a client.
    pub(crate) fn handle_alert(&self, body: &[u8]) -> Result<Progress, Reason> {
        match Alert::decode(body) {
            Some((alert, true)) if self.role == Role::Client && alert.is_not_for_clients() => {
                Ok(Progress::Wait)
            }
            Some((alert, true)) => Err(Reason::PeerAlert(alert)),
            _ => Ok(Progress::Wait),
        }
    }

    /// Whether a flight was sent within half of the retransmission interval.
    pub(crate) fn has_just_sent(&self, now: Instant) -> bool {
        now.saturating_since(self.sent_at) < self.interval / 2
    }

    fn handle_fragments(
        &mut self,
        mut rest: &[u8],
        epoch: u16,
        context: &mut Context<'_>,
    ) -> Result<Progress, Reason> {
        let mut progress = Progress::Wait;
        while let Some((fragment, after)) = fragment::parse(rest) {
            rest = after;
            progress = progress.and(self.handle_fragment(&fragment, epoch, context)?);
            if matches!(progress, Progress::Completed(_)) {
                break;
            }
        }
        Ok(progress)
    }

    /// Adds a fragment and handles the messages that are complete.
    pub(crate) fn handle_fragment(
        &mut self,
        fragment: &Fragment<'_>,
        epoch: u16,
        context: &mut Context<'_>,
    ) -> Result<Progress, Reason> {
        if self.answered == Some(fragment.sequence) && fragment.is_last() {
            return self.repeat(fragment, context);
        }
        // The Finished is always protected, and no other message is: this one is forged.
        if (fragment.kind == MessageType::FINISHED) != (epoch > 0) {
            return Ok(Progress::Wait);
        }
        self.reassembly.insert(fragment, epoch);
        let mut progress = Progress::Wait;
        while let Some(message) = self.reassembly.pop() {
            progress = progress.and(self.handle_message(&message, context)?);
            if matches!(progress, Progress::Completed(_)) {
                break;
            }
        }
        Ok(progress)
    }

    /// Sends the flight again, because the peer repeats what it answers; but not twice in short
    /// order, because anybody can repeat a message.
    #[cfg_attr(
        not(feature = "mbedtls"),
        expect(unused_variables, reason = "only Mbed TLS needs all arguments")
    )]
    fn repeat(
        &mut self,
        fragment: &Fragment<'_>,
        context: &mut Context<'_>,
    ) -> Result<Progress, Reason> {
        if self.has_just_sent(context.now) {
            return Ok(Progress::Wait);
        }
        self.sent_at = context.now;
        match &mut self.protocol {
            Dtls::Native(_) => Ok(Progress::Send),
            #[cfg(feature = "mbedtls")]
            Dtls::MbedTls(library) => {
                let record = library.plain(ContentType::HANDSHAKE, &fragment.encode());
                self.advance(None, &record, context)
            }
        }
    }

    fn handle_message(
        &mut self,
        message: &Message,
        context: &mut Context<'_>,
    ) -> Result<Progress, Reason> {
        match &mut self.protocol {
            Dtls::Native(native) => {
                let (has_flight, completed) = native.handle(message, context)?;
                if has_flight {
                    self.note_flight(message, context);
                    self.interval = context.config.retransmit_after;
                    self.resend_at = context.now + self.interval;
                }
                Ok(match completed {
                    Some(completed) => Progress::Completed(completed),
                    None if has_flight => Progress::Send,
                    None => Progress::Wait,
                })
            }
            #[cfg(feature = "mbedtls")]
            Dtls::MbedTls(library) => {
                let record = library.plain(ContentType::HANDSHAKE, message.raw());
                self.advance(Some(message), &record, context)
            }
        }
    }

    /// Remembers that a new flight answers the message.
    fn note_flight(&mut self, message: &Message, context: &Context<'_>) {
        // A repeated demand for a cookie would be refused again, so that it waits for the timer.
        let is_demand = message.kind == MessageType::HELLO_VERIFY_REQUEST;
        self.answered = (!is_demand).then_some(message.sequence);
        self.sent_at = context.now;
    }

    /// The flight as datagrams.
    pub(crate) fn datagrams(&mut self, context: &mut Context<'_>) -> Vec<Vec<u8>> {
        self.protocol.datagrams(context)
    }

    /// The datagrams that tell the peer of a failure.
    pub(crate) fn refusal(
        &mut self,
        alert: Option<Alert>,
        context: &mut Context<'_>,
    ) -> Vec<Vec<u8>> {
        self.protocol.refusal(alert, context)
    }

    /// Turns the finished handshake into the records of its session.
    pub(crate) fn finish(
        self,
        completed: &Completed,
        context: &mut Context<'_>,
    ) -> Option<Finished> {
        // The side that sends last may have to send again.
        let sends_last = (self.role == Role::Server) != completed.resumed;
        self.protocol.finish(sends_last, context)
    }

    /// Gives the library a record, which may be empty; `message` is the one in it.
    #[cfg(feature = "mbedtls")]
    fn advance(
        &mut self,
        message: Option<&Message>,
        record: &[u8],
        context: &mut Context<'_>,
    ) -> Result<Progress, Reason> {
        use crate::handshake::output::Step;
        let Dtls::MbedTls(library) = &mut self.protocol else { return Ok(Progress::Wait) };
        let mut steps = Vec::new();
        library.step(record, context, &mut steps)?;
        self.resend_at = library.next_timeout().unwrap_or(self.deadline);
        let has_flight = library.has_outgoing();
        match message {
            Some(message) if has_flight => self.note_flight(message, context),
            _ if has_flight => self.sent_at = context.now,
            _ => {}
        }
        let completed = steps.into_iter().find_map(|step| match step {
            Step::Connected(completed) => Some(completed),
            _ => None,
        });
        Ok(match completed {
            Some(completed) => Progress::Completed(completed),
            None if has_flight => Progress::Send,
            None => Progress::Wait,
        })
    }
}
