//! What Mbed TLS does in a handshake, and what it needs to be protected from or does not tell.

use super::{Handshaking, Progress};
use crate::certificate::CertificateFlaw;
use crate::certificate::chain::MAX_INTERMEDIATES;
use crate::dtls::Dtls;
use crate::error::Reason;
use crate::handshake::context::Context;
use crate::handshake::fragment::Message;
use crate::handshake::framing::{Framing, MessageType};
use crate::handshake::message::{ClientHello, decode_certificate_chain};
use crate::handshake::output::Step;
use crate::suite::Offered;
use alloc::vec::Vec;

impl Handshaking {
    /// Gives the library a record, which may be empty; `message` is the one in it.
    pub(super) fn advance(
        &mut self,
        message: Option<&Message>,
        record: &[u8],
        context: &mut Context<'_>,
    ) -> Result<Progress, Reason> {
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

/// Refuses a long chain before the library searches it for paths.
pub(super) fn check_chain(message: &Message) -> Result<(), Reason> {
    let is_certificate = message.kind == MessageType::CERTIFICATE;
    let chain = decode_certificate_chain(message.body()).filter(|_| is_certificate);
    match chain.is_some_and(|chain| chain.len() > 1 + MAX_INTERMEDIATES) {
        true => Err(Reason::BadCertificate(CertificateFlaw::LongChain)),
        false => Ok(()),
    }
}

/// Adds what the client has offered, which the library does not tell.
pub(super) fn name_offered(reason: Reason, hello: &[u8]) -> Reason {
    match (reason, ClientHello::decode(Framing::Datagram, hello)) {
        (Reason::NoCommonSuite(_), Some(hello)) => {
            Reason::NoCommonSuite(Offered::new(&hello.suites))
        }
        (reason, _) => reason,
    }
}
