//! Enrolment (OMA LwM2M Transport 5.2.8.4, RFC 9148): before a client in security mode 4 asks for
//! its servers, it makes a key pair and has it certified by the bootstrap server.

use super::{Bootstrap, Phase};
use crate::context::Context;
use crate::error::{BootstrapError, ErrorResponse};
use crate::security::{KeyPair, SecurityError, SecurityMode};
use alloc::vec::Vec;
use bytes::Bytes;
use lwm2m_coap::{Code, FailReason, Request, RequestId, Response};
use lwm2m_dtls::certificate::{certification_request, private_key};
use rand_chacha::rand_core::RngCore;
use zeroize::Zeroizing;

/// application/pkcs10.
const PKCS10: u16 = 286;
/// application/pkix-cert: one certificate, DER.
const CERTIFICATE: u16 = 287;

/// What a client that enrols waits for.
pub(crate) struct Enrolling {
    pub(super) request: RequestId,
    /// The key that is being certified; none while the authority's certificate is asked for.
    key: Option<Zeroizing<Vec<u8>>>,
}

fn est(request: Request, name: &str) -> Request {
    request.path([".well-known", "est", name]).accept(CERTIFICATE)
}

impl Bootstrap {
    /// Whether the client gets itself a certificate before it asks for its servers.
    pub(super) fn enrols(&self) -> bool {
        let mode = self.server.as_ref().map(|state| state.account.security.mode);
        mode == Some(SecurityMode::Enrolled)
    }

    /// Asks for the authority's certificate.
    pub(super) fn enrol(&mut self, cx: &mut Context) {
        match self.ask(cx, est(Request::get(), "crts")) {
            Some(request) => self.set_phase(Phase::Enrolling(Enrolling { request, key: None })),
            None => self.failed(cx, BootstrapError::NotSent),
        }
    }

    /// Takes the answer to a request of an enrolment.
    pub(super) fn enrolment_answered(
        &mut self,
        cx: &mut Context,
        key: Option<Zeroizing<Vec<u8>>>,
        answer: &Result<Response, FailReason>,
    ) {
        let done = match (key, answer) {
            (None, Ok(response)) => certificate_of(response, Code::CONTENT).and_then(|der| {
                self.trust.authority = Some(der.to_vec().into());
                self.ask_for_certificate(cx)
            }),
            (Some(key), Ok(response)) => {
                let certificate = certificate_of(response, Code::CHANGED);
                certificate.and_then(|chain| self.enrolled(cx, KeyPair { chain, key }))
            }
            (_, Err(reason)) => {
                self.end_session(cx);
                Err(BootstrapError::NoAnswer(*reason))
            }
        };
        if let Err(reason) = done {
            self.failed(cx, reason);
        }
    }

    /// Has a new key certified, or certified anew in place of an earlier one.
    fn ask_for_certificate(&mut self, cx: &mut Context) -> Result<(), BootstrapError> {
        // The few seeds that are no key are as rare as a guessed key.
        let der = private_key(&self.random_bytes()).map_err(|_| BootstrapError::Key)?;
        let key = self.trust.provider.signing_key(&der).map_err(|_| BootstrapError::Key)?;
        let payload = certification_request(&*key, &cx.endpoint_name);
        let payload = payload.map_err(|_| BootstrapError::Key)?;
        let name = if self.trust.enrolled.is_some() { "sren" } else { "sen" };
        let request = est(Request::post(), name).content_format(PKCS10).payload(payload);
        let request = self.ask(cx, request).ok_or(BootstrapError::NotSent)?;
        self.set_phase(Phase::Enrolling(Enrolling { request, key: Some(der) }));
        Ok(())
    }

    /// Fresh randomness for a key.
    fn random_bytes(&mut self) -> Zeroizing<[u8; 32]> {
        let mut bytes = Zeroizing::new([0; 32]);
        self.rng.fill_bytes(&mut *bytes);
        bytes
    }

    /// Keeps the certificate, if it is one for the key, and goes on with the bootstrap.
    fn enrolled(&mut self, cx: &mut Context, pair: KeyPair) -> Result<(), BootstrapError> {
        pair.check(&*self.trust.provider).map_err(BootstrapError::Certificate)?;
        self.trust.enrolled = Some(pair);
        self.ask_for_accounts(cx);
        Ok(())
    }
}

fn certificate_of(response: &Response, good: Code) -> Result<Bytes, BootstrapError> {
    let is_one = response.options.content_format() == Some(CERTIFICATE);
    match response.code == good {
        true if is_one => Ok(response.payload.clone()),
        true => Err(BootstrapError::Certificate(SecurityError::Certificate)),
        false => Err(BootstrapError::Refused(ErrorResponse::of(response))),
    }
}

impl Enrolling {
    /// The key that is being certified, if one is.
    pub(super) fn take_key(&mut self) -> Option<Zeroizing<Vec<u8>>> {
        self.key.take()
    }
}
