//! What arrives during a handshake: records, alerts and fragments, up to whole messages.

#[cfg(feature = "mbedtls")]
use super::library::check_chain;
use super::{Handshaking, Progress};
use crate::alert::Alert;
use crate::dtls::Dtls;
use crate::error::Reason;
use crate::handshake::context::Context;
use crate::handshake::fragment::{self, Fragment, Message};
use crate::handshake::framing::MessageType;
use crate::mode::Role;
use crate::record::header::{ContentType, Record};

/// After a protected record that does not authenticate, a handshake goes on for this many initial
/// retransmission intervals. If the record was forged, the peer's own arrives within that time.
const WRONG_KEY_INTERVALS: u32 = 8;

impl Handshaking {
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
                check_chain(message)?;
                let record = library.plain(ContentType::HANDSHAKE, message.raw());
                self.advance(Some(message), &record, context)
            }
        }
    }

    /// Remembers that a new flight answers the message.
    pub(super) fn note_flight(&mut self, message: &Message, context: &Context<'_>) {
        // A repeated demand for a cookie would be refused again, so that it waits for the timer.
        let is_demand = message.kind == MessageType::HELLO_VERIFY_REQUEST;
        self.answered = (!is_demand).then_some(message.sequence);
        self.sent_at = context.now;
        self.sent = 1;
    }
}
