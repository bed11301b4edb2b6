//! A handshake on datagrams: reassembly, repetition and deadlines (RFC 6347 section 4.2). The
//! backend sees whole messages in order, and authentic records only.

mod input;
#[cfg(feature = "mbedtls")]
mod library;

use crate::alert::Alert;
use crate::backend::Backend;
use crate::config::ClientProfile;
use crate::dtls::{Dtls, Finished};
use crate::dtls12::Dtls12;
use crate::error::{Error, Reason};
use crate::handshake::context::Context;
use crate::handshake::fragment::{Fragment, Reassembly};
use crate::handshake::output::Completed;
#[cfg(feature = "mbedtls")]
use crate::mbedtls::MbedTls;
use crate::mode::{Mode, Role};
use crate::resumption::Resumption;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;
use lwm2m_time::Instant;

/// The most bytes that messages under reassembly may hold.
const MAX_REASSEMBLY: usize = 16 * 1024;
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
    /// How often the latest flight was sent by itself.
    pub(crate) sent: u32,
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
            sent: 1,
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
            (Dtls::MbedTls(_), Some(hello)) => {
                let answered = self.handle_fragment(hello, 0, context);
                answered.map_err(|reason| library::name_offered(reason, hello.body))
            }
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
                false => Reason::Unanswered { sent: self.sent },
            });
        }
        if now < self.resend_at {
            return Ok(Progress::Wait);
        }
        let progress = match &mut self.protocol {
            Dtls::Native(_) => {
                self.interval = self.interval.saturating_mul(2).min(MAX_INTERVAL);
                self.resend_at = now + self.interval;
                self.sent_at = now;
                Progress::Send
            }
            #[cfg(feature = "mbedtls")]
            Dtls::MbedTls(_) => self.advance(None, &[], context)?,
        };
        self.sent += u32::from(matches!(progress, Progress::Send));
        Ok(progress)
    }

    /// Whether a client waits for a Finished that proves that the server has the pre-shared key.
    fn awaits_proof_of_key(&self) -> bool {
        let has_finished = self.protocol.has_sent_finished();
        self.role == Role::Client && self.mode() == Some(Mode::Psk) && has_finished
    }

    /// Whether a flight was sent within half of the retransmission interval.
    pub(crate) fn has_just_sent(&self, now: Instant) -> bool {
        now.saturating_since(self.sent_at) < self.interval / 2
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
}
