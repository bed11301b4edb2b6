//! The server's side of the handshake, from the hello with a valid cookie on.

use super::agreed::{Agreed, check_finished, signed_parameters};
use super::context::Context;
use super::extension::{ECDSA_SECP256R1_SHA256, X509};
use super::fragment::Message;
use super::framing::MessageType;
use super::message::{self, ClientHello, ServerHello};
use super::output::{Completed, Output};
use super::schedule::{Master, verify_data};
use super::server_flight::{self, OwnKey};
use super::server_peer::{certified_peer, psk_exchange, raw_peer};
use super::transcript::Transcript;
use crate::certificate::spki::subject_public_key_info;
use crate::credential::{Authenticated, check_still_known};
use crate::crypto::provider::KeyExchange;
use crate::error::Reason;
use crate::mode::{Mode, Role};
use crate::resumption::{CacheKey, SessionState, seal_ticket};
use crate::suite::KeyExchangeKind;
use crate::wire::{complete, vector8};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

/// TLS 1.3 and DTLS 1.3.
const NEWER: [u16; 2] = [0x0304, 0xfefc];

/// The server's state machine.
pub(crate) struct ServerHandshake {
    transcript: Transcript,
    common: Common,
    state: State,
}

/// The data that all states share.
struct Common {
    agreed: Agreed,
    server_name: Option<String>,
    issues_ticket: bool,
}

enum State {
    AwaitCertificate(AwaitCertificate),
    AwaitKeyExchange(AwaitKeyExchange),
    AwaitCertificateVerify(AwaitCertificateVerify),
    AwaitFinished(AwaitFinished),
    Done,
}

struct AwaitCertificate {
    ephemeral: Box<dyn KeyExchange>,
}

struct AwaitKeyExchange {
    ephemeral: Option<Box<dyn KeyExchange>>,
    /// The client's key and identity, if it sent a certificate.
    peer: Option<(Vec<u8>, Authenticated)>,
}

struct AwaitCertificateVerify {
    key: Vec<u8>,
    peer: Authenticated,
    master: Master,
}

struct AwaitFinished {
    peer: Authenticated,
    master: Master,
    /// In an abbreviated handshake, the cache entry of the session, if it has one.
    resumed: Option<Option<CacheKey>>,
}

impl ServerHandshake {
    /// Starts with the answer to a hello. `cid` is the Connection ID for the client to use, if any.
    pub(crate) fn start(
        hello_message: &Message,
        cid: Option<Vec<u8>>,
        context: &mut Context<'_>,
        out: &mut Output,
    ) -> Result<Self, Reason> {
        let hello = ClientHello::decode(context.framing, hello_message.body());
        let hello = hello.ok_or(Reason::Malformed)?;
        let versions = &hello.extensions.versions;
        let lacks_ours = !versions.is_empty() && !versions.contains(&context.framing.version());
        if lacks_ours && versions.iter().any(|version| NEWER.contains(version)) {
            return Err(Reason::OnlyNewerVersion);
        }
        if lacks_ours || !context.framing.is_within(hello.version) {
            return Err(Reason::UnsupportedVersion);
        }
        let mut transcript = Transcript::new(context.framing, hello_message.sequence);
        transcript.add(hello_message.raw());
        match server_flight::resumable(&hello, context)? {
            Some(found) => Self::resume(&hello, found, transcript, cid, context, out),
            None => Self::full(&hello, transcript, cid, context, out),
        }
    }

    fn full(
        hello: &ClientHello,
        mut transcript: Transcript,
        cid: Option<Vec<u8>>,
        context: &mut Context<'_>,
        out: &mut Output,
    ) -> Result<Self, Reason> {
        let cid_agreed = cid.is_some() && hello.extensions.connection_id.is_some();
        let (agreed, key) = server_flight::agree(hello, cid, context)?;
        let issues_ticket =
            context.config.ticket_key.is_some() && hello.extensions.session_ticket.is_some();
        let extensions =
            server_flight::extensions(hello, &agreed, false, issues_ticket, cid_agreed);
        send_hello(&mut transcript, &agreed, extensions, context, out);
        let state = send_key(&mut transcript, &agreed, &key, context, out)?;
        out.message(&mut transcript, MessageType::SERVER_HELLO_DONE, &[]);
        let server_name = hello.extensions.server_name.clone();
        Ok(Self { transcript, common: Common { agreed, server_name, issues_ticket }, state })
    }

    fn resume(
        hello: &ClientHello,
        (cached, session): (Option<CacheKey>, SessionState),
        mut transcript: Transcript,
        cid: Option<Vec<u8>>,
        context: &mut Context<'_>,
        out: &mut Output,
    ) -> Result<Self, Reason> {
        transcript.forget_messages();
        let (exchange, _) = session.suite.parts().ok_or(Reason::Internal)?;
        let cid_agreed = cid.is_some() && hello.extensions.connection_id.is_some();
        let choice = (session.suite, exchange);
        let types = (X509, X509);
        let agreed =
            server_flight::settle(hello, choice, hello.session_id.clone(), types, cid, context)?;
        let extensions = server_flight::extensions(hello, &agreed, true, false, cid_agreed);
        send_hello(&mut transcript, &agreed, extensions, context, out);
        let SessionState { master, identity, server_name, credential, expires, .. } = session;
        agreed.log(&master, context.config);
        out.keys = Some(agreed.keys(Role::Server, &master)?);
        out.finished(&mut transcript, &master, Role::Server);
        Ok(Self {
            transcript,
            common: Common { agreed, server_name, issues_ticket: false },
            state: State::AwaitFinished(AwaitFinished {
                peer: Authenticated { identity, credential, expires },
                master,
                resumed: Some(cached),
            }),
        })
    }

    /// The agreed mode.
    pub(crate) fn mode(&self) -> Mode {
        self.common.agreed.mode(self.common.agreed.certificate_types.0)
    }

    /// The longest plaintext that the client accepts in a record.
    pub(crate) const fn max_plaintext(&self) -> usize {
        self.common.agreed.max_plaintext
    }

    /// Handles the next message.
    pub(crate) fn handle(
        &mut self,
        message: &Message,
        context: &mut Context<'_>,
        out: &mut Output,
    ) -> Result<(), Reason> {
        let due = match &self.state {
            State::AwaitCertificate(_) => MessageType::CERTIFICATE,
            State::AwaitKeyExchange(_) => MessageType::CLIENT_KEY_EXCHANGE,
            State::AwaitCertificateVerify(_) => MessageType::CERTIFICATE_VERIFY,
            State::AwaitFinished(_) | State::Done => MessageType::FINISHED,
        };
        let epoch = u16::from(due == MessageType::FINISHED);
        if (message.kind, message.epoch) != (due, epoch) {
            return Err(Reason::UnexpectedMessage);
        }
        self.state = match core::mem::replace(&mut self.state, State::Done) {
            State::AwaitCertificate(state) => self.on_certificate(state, message, context)?,
            State::AwaitKeyExchange(state) => self.on_key_exchange(state, message, context, out)?,
            State::AwaitCertificateVerify(state) => self.on_verify(state, message, context, out)?,
            State::AwaitFinished(state) => self.on_finished(state, message, context, out)?,
            State::Done => return Err(Reason::UnexpectedMessage),
        };
        Ok(())
    }

    fn on_certificate(
        &mut self,
        state: AwaitCertificate,
        message: &Message,
        context: &Context<'_>,
    ) -> Result<State, Reason> {
        self.transcript.add(message.raw());
        let credentials = context.config.credentials.as_deref().ok_or(Reason::Internal)?;
        let peer = match self.mode() {
            Mode::RawPublicKey => raw_peer(message.body(), credentials)?,
            _ => certified_peer(message.body(), credentials, context)?,
        };
        Ok(State::AwaitKeyExchange(AwaitKeyExchange {
            ephemeral: Some(state.ephemeral),
            peer: Some(peer),
        }))
    }

    fn on_key_exchange(
        &mut self,
        state: AwaitKeyExchange,
        message: &Message,
        context: &mut Context<'_>,
        out: &mut Output,
    ) -> Result<State, Reason> {
        let Self { transcript, common, .. } = self;
        transcript.add(message.raw());
        let agreed = &common.agreed;
        let shared = |point: &[u8]| {
            let ephemeral = state.ephemeral.ok_or(Reason::Internal)?;
            ephemeral.agree(point).map_err(|_| Reason::IllegalParameter)
        };
        let Some((key, peer)) = state.peer else {
            let (peer, premaster) = psk_exchange(agreed, message.body(), shared, context)?;
            let master = agreed.master(&premaster, transcript, context.config);
            out.keys = Some(agreed.keys(Role::Server, &master)?);
            return Ok(State::AwaitFinished(AwaitFinished { peer, master, resumed: None }));
        };
        let point = complete(vector8, message.body()).ok_or(Reason::Malformed)?;
        let premaster = shared(point)?;
        let master = agreed.master(&*premaster, transcript, context.config);
        Ok(State::AwaitCertificateVerify(AwaitCertificateVerify { key, peer, master }))
    }

    fn on_verify(
        &mut self,
        state: AwaitCertificateVerify,
        message: &Message,
        context: &mut Context<'_>,
        out: &mut Output,
    ) -> Result<State, Reason> {
        let (algorithm, signature) =
            message::decode_signature(message.body()).ok_or(Reason::Malformed)?;
        if algorithm != ECDSA_SECP256R1_SHA256 {
            return Err(Reason::IllegalParameter);
        }
        let AwaitCertificateVerify { key, peer, master } = state;
        context
            .provider()
            .verify(&key, self.transcript.messages(), signature)
            .map_err(|_| Reason::BadSignature)?;
        self.transcript.add(message.raw());
        self.transcript.forget_messages();
        out.keys = Some(self.common.agreed.keys(Role::Server, &master)?);
        Ok(State::AwaitFinished(AwaitFinished { peer, master, resumed: None }))
    }

    fn on_finished(
        &mut self,
        state: AwaitFinished,
        message: &Message,
        context: &mut Context<'_>,
        out: &mut Output,
    ) -> Result<State, Reason> {
        let AwaitFinished { peer, master, resumed } = state;
        let expected = verify_data(&master, Role::Client, &self.transcript.hash());
        check_finished(message, &expected)?;
        check_still_known(&peer, context.config)?;
        self.transcript.add(message.raw());
        let identity = peer.identity.clone();
        let cached = match resumed {
            Some(cached) => cached,
            None => self.conclude(peer, &master, context, out),
        };
        out.completed = Some(Box::new(Completed {
            identity,
            suite: self.common.agreed.suite,
            resumed: resumed.is_some(),
            resumption: None,
            cached,
        }));
        Ok(State::Done)
    }

    /// Ends a full handshake: issues a ticket or adds the session to the cache.
    fn conclude(
        &mut self,
        peer: Authenticated,
        master: &Master,
        context: &mut Context<'_>,
        out: &mut Output,
    ) -> Option<CacheKey> {
        let Common { agreed, server_name, issues_ticket } = &self.common;
        let session = agreed.state(peer, server_name.clone(), master, context);
        if let (true, Some(key)) = (*issues_ticket, &context.config.ticket_key) {
            let ticket = seal_ticket(&key.clone(), context.random(), &session);
            let lifetime = context.config.resumption_lifetime.as_secs();
            let lifetime = u32::try_from(lifetime).unwrap_or(u32::MAX);
            let body = message::new_session_ticket(lifetime, &ticket);
            out.message(&mut self.transcript, MessageType::NEW_SESSION_TICKET, &body);
        }
        let id = agreed.session_id.as_slice().try_into().ok();
        let cached = id.and_then(|id| context.cache.insert(id, session));
        out.finished(&mut self.transcript, master, Role::Server);
        cached
    }
}

fn send_hello(
    transcript: &mut Transcript,
    agreed: &Agreed,
    extensions: super::extension::Extensions,
    context: &Context<'_>,
    out: &mut Output,
) {
    let hello = ServerHello {
        version: context.framing.version(),
        random: agreed.randoms.server,
        session_id: agreed.session_id.clone(),
        suite: agreed.suite,
        extensions,
    };
    out.message(transcript, MessageType::SERVER_HELLO, &hello.encode());
}

/// Sends the certificate, the key exchange and the request for a certificate, as the suite needs
/// them.
fn send_key(
    transcript: &mut Transcript,
    agreed: &Agreed,
    key: &OwnKey,
    context: &mut Context<'_>,
    out: &mut Output,
) -> Result<State, Reason> {
    if agreed.exchange == KeyExchangeKind::Psk {
        transcript.forget_messages();
        return Ok(State::AwaitKeyExchange(AwaitKeyExchange { ephemeral: None, peer: None }));
    }
    let ephemeral = context.key_exchange()?;
    let parameters = message::ecdh_parameters(&ephemeral.public_key());
    let (certificate, signing) = match key {
        OwnKey::Shared => {
            transcript.forget_messages();
            // The identity hint is empty.
            let body = [&[0, 0][..], &parameters].concat();
            out.message(transcript, MessageType::SERVER_KEY_EXCHANGE, &body);
            let ephemeral = Some(ephemeral);
            return Ok(State::AwaitKeyExchange(AwaitKeyExchange { ephemeral, peer: None }));
        }
        OwnKey::Raw(key) => {
            (message::raw_public_key(&subject_public_key_info(&key.public_key())), key)
        }
        OwnKey::Certified(certified) => {
            (message::certificate_chain(&certified.chain), &certified.key)
        }
    };
    out.message(transcript, MessageType::CERTIFICATE, &certificate);
    let signature = signing.sign(&signed_parameters(&agreed.randoms, &parameters));
    let signature = signature.map_err(|_| Reason::Internal)?;
    let signature = message::signature(ECDSA_SECP256R1_SHA256, &signature);
    out.message(
        transcript,
        MessageType::SERVER_KEY_EXCHANGE,
        &[&parameters[..], &signature].concat(),
    );
    let request = message::certificate_request(ECDSA_SECP256R1_SHA256);
    out.message(transcript, MessageType::CERTIFICATE_REQUEST, &request);
    Ok(State::AwaitCertificate(AwaitCertificate { ephemeral }))
}
