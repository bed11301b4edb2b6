//! A handshake under way: the state machine with its flight, its fragments and its timer.

use crate::channel::{Channel, Opened};
use crate::config::Mode;
use crate::error::Reason;
use crate::flight::Flight;
use crate::handshake::client::ClientHandshake;
use crate::handshake::fragment::{Fragment, Message, Reassembly};
use crate::handshake::message::MessageType;
use crate::handshake::server::ServerHandshake;
use crate::handshake::{Completed, Context, Output, Role};
use crate::record::Record;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;
use lwm2m_time::Instant;

/// What messages under way may hold, in bytes.
pub(crate) const MAX_REASSEMBLY: usize = 16 * 1024;
/// A handshake of which a protected record does not authenticate is given up after so many first
/// intervals: a forgery does no harm then, because the peer's own record comes in the meantime.
pub(crate) const WRONG_KEY_INTERVALS: u32 = 8;
/// Retransmission intervals double up to this: RFC 6347 section 4.2.4.1.
pub(crate) const MAX_INTERVAL: Duration = Duration::from_secs(60);

/// The side of the handshake.
pub(crate) enum Machine {
    Client(Box<ClientHandshake>),
    Server(Box<ServerHandshake>),
}

/// A handshake and what carries it.
pub(crate) struct Connecting {
    pub(crate) peer: SocketAddr,
    pub(crate) machine: Machine,
    pub(crate) mode: Mode,
    pub(crate) flight: Flight,
    pub(crate) channel: Option<Box<Channel>>,
    reassembly: Reassembly,
    /// The message that our flight answers: who repeats it has not got the flight.
    answered: Option<u16>,
    /// The hello that a server answers: a repetition is no new handshake.
    pub(crate) hello: Vec<u8>,
    /// Another one with the same address gave way to it.
    pub(crate) is_replacement: bool,
    /// The Connection ID that is kept for the session; empty if there is none.
    pub(crate) cid: Box<[u8]>,
    deadline: Instant,
    sent_at: Instant,
    resend_at: Instant,
    interval: Duration,
    /// A protected record did not authenticate: noise, a forgery or a sign of a wrong key.
    saw_bad_record: bool,
}

/// What became of a received message.
pub(crate) enum Progress {
    /// Nothing to send.
    Wait,
    /// The flight has to be sent, for the first time or again.
    Send,
    /// The handshake is done; what remains of the flight has to be sent.
    Completed(Box<Completed>),
}

/// When a handshake begins and how patient it is.
#[derive(Clone, Copy)]
pub(crate) struct Timing {
    pub(crate) now: Instant,
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
}

impl Connecting {
    /// A handshake whose first flight is in `output`.
    pub(crate) fn new(
        peer: SocketAddr,
        (machine, mode): (Machine, Mode),
        next_message: u16,
        mut flight: Flight,
        output: Output,
        timing: Timing,
    ) -> Self {
        flight.replace(output.flight);
        if let Machine::Server(server) = &machine {
            flight.limit(server.max_plaintext());
        }
        Self {
            peer,
            machine,
            mode,
            flight,
            channel: output.keys.map(|keys| Box::new(Channel::new(*keys))),
            reassembly: Reassembly::new(next_message, MAX_REASSEMBLY),
            answered: next_message.checked_sub(1),
            hello: Vec::new(),
            is_replacement: false,
            cid: Box::default(),
            deadline: timing.now + timing.timeout,
            sent_at: timing.now,
            resend_at: timing.now + timing.interval,
            interval: timing.interval,
            saw_bad_record: false,
        }
    }

    pub(crate) fn role(&self) -> Role {
        match self.machine {
            Machine::Client(_) => Role::Client,
            Machine::Server(_) => Role::Server,
        }
    }

    /// When something is due.
    pub(crate) fn next_timeout(&self) -> Instant {
        self.resend_at.min(self.deadline)
    }

    /// What is due: a resend, or the end.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<Progress, Reason> {
        if now >= self.deadline {
            return Err(match self.saw_bad_record || self.awaits_proof_of_key() {
                true => Reason::WrongKey,
                false => Reason::Timeout,
            });
        }
        if now < self.resend_at {
            return Ok(Progress::Wait);
        }
        self.interval = self.interval.saturating_mul(2).min(MAX_INTERVAL);
        self.resend_at = now + self.interval;
        self.sent_at = now;
        Ok(Progress::Send)
    }

    /// Whether a client waits for a Finished that only the right pre-shared key can make.
    fn awaits_proof_of_key(&self) -> bool {
        self.role() == Role::Client && self.mode == Mode::Psk && self.flight.has_changed_cipher()
    }

    /// Opens a protected record, if keys are agreed and it is authentic. Anybody can send one that
    /// is not, so it ends nothing: RFC 6347 section 4.1.2.7.
    pub(crate) fn open(&mut self, record: &Record<'_>, timing: Timing) -> Option<Opened> {
        let channel = self.channel.as_mut().filter(|it| it.expects(&record.header))?;
        let opened = channel.open(record);
        if opened.is_none() && !self.saw_bad_record {
            self.saw_bad_record = true;
            let patience = timing.interval.saturating_mul(WRONG_KEY_INTERVALS);
            self.deadline = self.deadline.min(timing.now + patience);
        }
        opened
    }

    /// Whether the flight was sent, for the first time or again, a short while ago.
    pub(crate) fn has_just_sent(&self, now: Instant) -> bool {
        now.saturating_since(self.sent_at) < self.interval / 2
    }

    /// What to do when the peer repeats what our flight answers. Anybody can make it seem so, so
    /// the flight is sent again only if that is a while ago.
    fn repeat(&mut self, now: Instant) -> Progress {
        if self.has_just_sent(now) {
            return Progress::Wait;
        }
        self.sent_at = now;
        Progress::Send
    }

    /// Takes a fragment in and drives the state machine with the messages that are complete.
    pub(crate) fn handle_fragment(
        &mut self,
        fragment: &Fragment<'_>,
        epoch: u16,
        context: &mut Context<'_>,
        timing: Timing,
    ) -> Result<Progress, Reason> {
        if self.answered == Some(fragment.sequence) && fragment.is_last() {
            return Ok(self.repeat(timing.now));
        }
        // Only the Finished is protected, and it always is: anything else is forged.
        if (fragment.kind == MessageType::FINISHED) != (epoch > 0) {
            return Ok(Progress::Wait);
        }
        self.reassembly.insert(fragment, epoch);
        let mut progress = Progress::Wait;
        while let Some(message) = self.reassembly.pop() {
            if let Some(next) = self.handle_message(&message, context, timing)? {
                progress = next;
            }
        }
        Ok(progress)
    }

    fn handle_message(
        &mut self,
        message: &Message,
        context: &mut Context<'_>,
        timing: Timing,
    ) -> Result<Option<Progress>, Reason> {
        let mut output = Output::default();
        match &mut self.machine {
            Machine::Client(machine) => machine.handle(message, context, &mut output)?,
            Machine::Server(machine) => machine.handle(message, context, &mut output)?,
        }
        if let Some(keys) = output.keys {
            self.flight.limit(keys.max_plaintext);
            self.channel = Some(Box::new(Channel::new(*keys)));
        }
        let flight = !output.flight.is_empty();
        if flight {
            self.flight.replace(output.flight);
            // A cookie that is demanded again would be refused again: that waits for the timer.
            let demand = message.kind == MessageType::HELLO_VERIFY_REQUEST;
            self.answered = (!demand).then_some(message.sequence);
            self.interval = timing.interval;
            self.sent_at = timing.now;
            self.resend_at = timing.now + timing.interval;
        }
        Ok(match output.completed {
            Some(completed) => Some(Progress::Completed(completed)),
            None => flight.then_some(Progress::Send),
        })
    }
}
