//! The client's side of the handshake: RFC 5246 section 7.3, RFC 6347 section 4.2.4.

use super::agreed::{Agreed, check_finished, max_plaintext};
use super::client_flight::{self, AwaitFinished, AwaitServerHelloDone};
use super::context::Context;
use super::extension::{ECDSA_SECP256R1_SHA256, Extensions, RAW_PUBLIC_KEY, SECP256R1, X509};
use super::fragment::Message;
use super::framing::{Framing, MessageType};
use super::message::{self, ClientHello, ServerHello};
use super::output::{Completed, Output};
use super::schedule::{Randoms, verify_data};
use super::transcript::Transcript;
use crate::config::{ClientProfile, ClientSecurity};
use crate::credential::{self, Authenticated};
use crate::error::Reason;
use crate::mode::Role;
use crate::resumption::{Resumption, SessionState};
use crate::suite::{CipherSuite, KeyExchangeKind, Offered};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::IpAddr;

/// The most demands for a cookie that a client follows.
const MAX_COOKIES: u16 = 8;

/// The client's state machine.
pub(crate) struct ClientHandshake {
    profile: Arc<ClientProfile>,
    transcript: Transcript,
    state: State,
}

enum State {
    AwaitServerHello(Box<AwaitServerHello>),
    AwaitServerHelloDone(Box<AwaitServerHelloDone>),
    AwaitFinished(Box<AwaitFinished>),
    Done,
}

struct AwaitServerHello {
    hello: ClientHello,
    resumption: Option<Arc<Resumption>>,
}

impl ClientHandshake {
    /// Starts with the first hello. `cid` is the Connection ID for the server to use, if any.
    pub(crate) fn start(
        profile: Arc<ClientProfile>,
        resumption: Option<Arc<Resumption>>,
        cid: Option<Vec<u8>>,
        context: &mut Context<'_>,
        out: &mut Output,
    ) -> Self {
        let resumption = resumption.filter(|it| is_good(&it.state, &profile, context));
        let hello = client_hello(&profile, resumption.as_deref(), cid, context);
        let mut transcript = Transcript::new(context.framing, 0);
        let body = hello.encode(context.framing);
        out.message(&mut transcript, MessageType::CLIENT_HELLO, &body);
        let state = State::AwaitServerHello(Box::new(AwaitServerHello { hello, resumption }));
        Self { profile, transcript, state }
    }

    /// Handles the next message.
    pub(crate) fn handle(
        &mut self,
        message: &Message,
        context: &mut Context<'_>,
        out: &mut Output,
    ) -> Result<(), Reason> {
        self.state = match core::mem::replace(&mut self.state, State::Done) {
            State::AwaitServerHello(state) => self.on_server_hello(state, message, context, out)?,
            State::AwaitServerHelloDone(state) => {
                self.on_server_flight(state, message, context, out)?
            }
            State::AwaitFinished(state) => self.on_finished(state, message, context, out)?,
            State::Done => return Err(Reason::UnexpectedMessage),
        };
        Ok(())
    }

    fn on_server_hello(
        &mut self,
        mut state: Box<AwaitServerHello>,
        message: &Message,
        context: &mut Context<'_>,
        out: &mut Output,
    ) -> Result<State, Reason> {
        if message.epoch != 0 {
            return Err(Reason::UnexpectedMessage);
        }
        match message.kind {
            // A cookie may expire in transit, but not again and again.
            MessageType::HELLO_VERIFY_REQUEST
                if context.framing == Framing::Datagram && message.sequence < MAX_COOKIES =>
            {
                state.hello.cookie = message::decode_hello_verify_request(message.body())
                    .ok_or(Reason::Malformed)?;
                self.transcript.restart();
                let hello = state.hello.encode(context.framing);
                out.message(&mut self.transcript, MessageType::CLIENT_HELLO, &hello);
                Ok(State::AwaitServerHello(state))
            }
            MessageType::SERVER_HELLO => {
                self.transcript.add(message.raw());
                let hello = ServerHello::decode(message.body()).ok_or(Reason::Malformed)?;
                self.on_choice(*state, hello, context, out)
            }
            _ => Err(Reason::UnexpectedMessage),
        }
    }

    fn on_choice(
        &mut self,
        state: AwaitServerHello,
        hello: ServerHello,
        context: &mut Context<'_>,
        out: &mut Output,
    ) -> Result<State, Reason> {
        let agreed = self.agree(&state.hello, &hello, context.framing)?;
        let expects_ticket = hello.extensions.session_ticket.is_some();
        let echoed = !hello.session_id.is_empty() && hello.session_id == state.hello.session_id;
        let Some(resumption) = state.resumption.filter(|_| echoed) else {
            if agreed.exchange != KeyExchangeKind::EcdheEcdsa {
                self.transcript.forget_messages();
            }
            return Ok(State::AwaitServerHelloDone(Box::new(AwaitServerHelloDone {
                agreed,
                expects_ticket,
                certificate: None,
                key_exchange: None,
                certificate_requested: false,
                last: MessageType::SERVER_HELLO,
            })));
        };
        let session = &resumption.state;
        if session.extended_master_secret != agreed.extended_master_secret {
            return Err(Reason::ResumptionRefused);
        }
        if session.suite != agreed.suite {
            return Err(Reason::IllegalParameter);
        }
        self.transcript.forget_messages();
        agreed.log(&session.master, context.config);
        out.keys = Some(agreed.keys(Role::Client, &session.master)?);
        Ok(State::AwaitFinished(Box::new(AwaitFinished {
            agreed,
            master: session.master.clone(),
            peer: Authenticated {
                identity: session.identity.clone(),
                credential: session.credential,
                expires: session.expires,
            },
            expects_ticket,
            ticket: resumption.ticket.clone(),
            resumed: true,
        })))
    }

    /// Checks that the server chose among our offers, and returns what is agreed on.
    fn agree(
        &self,
        offer: &ClientHello,
        hello: &ServerHello,
        framing: Framing,
    ) -> Result<Agreed, Reason> {
        if hello.version != framing.version() {
            return Err(Reason::UnsupportedVersion);
        }
        let answered = &hello.extensions;
        if !answered.within(&offer.extensions) {
            return Err(Reason::UnsupportedExtension);
        }
        let (exchange, _) = hello.suite.parts().ok_or(Reason::IllegalParameter)?;
        let echoes_length = answered.max_fragment_length.is_none()
            || answered.max_fragment_length == offer.extensions.max_fragment_length;
        let small_records = answered.record_size_limit.is_some_and(|limit| limit < 64);
        if !offer.suites.contains(&hello.suite) || !echoes_length || small_records {
            return Err(Reason::IllegalParameter);
        }
        if self.profile.require_extended_master_secret && !answered.extended_master_secret {
            return Err(Reason::NoCommonSuite(Offered::default()));
        }
        let own_cid = offer.extensions.connection_id.clone().unwrap_or_default();
        let type_of = |types: &[u8]| types.first().copied().unwrap_or(X509);
        Ok(Agreed {
            suite: hello.suite,
            exchange,
            randoms: Randoms { client: offer.random, server: hello.random },
            extended_master_secret: answered.extended_master_secret,
            encrypt_then_mac: answered.encrypt_then_mac,
            read_cid: answered.connection_id.as_ref().map(|_| own_cid).unwrap_or_default(),
            write_cid: answered.connection_id.clone().unwrap_or_default(),
            return_routability_check: answered.connection_id.is_some()
                && answered.return_routability_check,
            max_plaintext: max_plaintext(answered.max_fragment_length, answered.record_size_limit),
            session_id: hello.session_id.clone(),
            application_protocols: answered.application_protocols.clone(),
            certificate_types: (
                type_of(&answered.client_certificate_types),
                type_of(&answered.server_certificate_types),
            ),
        })
    }

    fn on_server_flight(
        &mut self,
        mut state: Box<AwaitServerHelloDone>,
        message: &Message,
        context: &mut Context<'_>,
        out: &mut Output,
    ) -> Result<State, Reason> {
        if message.epoch != 0 || message.kind.0 <= state.last.0 {
            return Err(Reason::UnexpectedMessage);
        }
        state.last = message.kind;
        self.transcript.add(message.raw());
        match message.kind {
            MessageType::CERTIFICATE => state.certificate = Some(message.body().to_vec()),
            MessageType::SERVER_KEY_EXCHANGE => state.key_exchange = Some(message.body().to_vec()),
            MessageType::CERTIFICATE_REQUEST => {
                let usable =
                    message::decode_certificate_request(message.body(), ECDSA_SECP256R1_SHA256);
                let none = || Reason::NoCommonSuite(Offered::default());
                usable.ok_or(Reason::Malformed)?.then_some(()).ok_or_else(none)?;
                state.certificate_requested = true;
            }
            MessageType::SERVER_HELLO_DONE if message.body().is_empty() => {
                let next = client_flight::answer(
                    &self.profile,
                    &mut self.transcript,
                    *state,
                    context,
                    out,
                )?;
                return Ok(State::AwaitFinished(Box::new(next)));
            }
            _ => return Err(Reason::UnexpectedMessage),
        }
        Ok(State::AwaitServerHelloDone(state))
    }

    fn on_finished(
        &mut self,
        mut state: Box<AwaitFinished>,
        message: &Message,
        context: &mut Context<'_>,
        out: &mut Output,
    ) -> Result<State, Reason> {
        if message.kind == MessageType::NEW_SESSION_TICKET
            && message.epoch == 0
            && state.expects_ticket
        {
            let (_, ticket) =
                message::decode_new_session_ticket(message.body()).ok_or(Reason::Malformed)?;
            state.ticket = Some(ticket.to_vec());
            state.expects_ticket = false;
            self.transcript.add(message.raw());
            return Ok(State::AwaitFinished(state));
        }
        let expected = verify_data(&state.master, Role::Server, &self.transcript.hash());
        check_finished(message, &expected)?;
        self.transcript.add(message.raw());
        if state.resumed {
            out.finished(&mut self.transcript, &state.master, Role::Client);
        }
        out.completed = Some(Box::new(self.completed(*state, context)));
        Ok(State::Done)
    }

    fn completed(&self, state: AwaitFinished, context: &Context<'_>) -> Completed {
        let AwaitFinished { agreed, master, peer, ticket, resumed, .. } = state;
        let identity = peer.identity.clone();
        let session = agreed.state(peer, self.profile.server_name.clone(), &master, context);
        let resumable = ticket.is_some() || !agreed.session_id.is_empty();
        let session_id = agreed.session_id;
        let resumption =
            resumable.then(|| Box::new(Resumption { session_id, ticket, state: session }));
        Completed { identity, suite: agreed.suite, resumed, resumption, cached: None }
    }
}

/// Whether a session fits the profile and has not expired.
fn is_good(session: &SessionState, profile: &ClientProfile, context: &Context<'_>) -> bool {
    session.framing == context.framing
        && session.credential == credential::of_profile(profile)
        && session.server_name == profile.server_name
        && session.expires > context.unix_time().as_secs()
}

fn client_hello(
    profile: &ClientProfile,
    resumption: Option<&Resumption>,
    cid: Option<Vec<u8>>,
    context: &mut Context<'_>,
) -> ClientHello {
    let ticket = resumption.and_then(|resumption| resumption.ticket.clone());
    // With a ticket, the server accepts by echoing our session id, which may be any: RFC 5077
    // section 3.4.
    let session_id = match resumption {
        Some(resumption) if !resumption.session_id.is_empty() => resumption.session_id.clone(),
        Some(_) if ticket.is_some() => context.random::<32>().to_vec(),
        _ => Vec::new(),
    };
    let mut suites = profile.offered();
    let extensions = client_extensions(profile, &suites, ticket, cid, context);
    suites.push(CipherSuite::RENEGOTIATION_SCSV);
    ClientHello {
        version: context.framing.version(),
        random: context.random(),
        session_id,
        cookie: Vec::new(),
        suites,
        null_compression: true,
        extensions,
    }
}

fn client_extensions(
    profile: &ClientProfile,
    suites: &[CipherSuite],
    ticket: Option<Vec<u8>>,
    cid: Option<Vec<u8>>,
    context: &Context<'_>,
) -> Extensions {
    let uses_ecc = suites.iter().any(|suite| {
        matches!(suite.parts(), Some((KeyExchangeKind::EcdhePsk | KeyExchangeKind::EcdheEcdsa, _)))
    });
    let uses_signatures = !matches!(profile.security, ClientSecurity::Psk { .. });
    let certificate_types = match profile.security {
        ClientSecurity::RawPublicKey { .. } => alloc::vec![RAW_PUBLIC_KEY],
        _ => Vec::new(),
    };
    Extensions {
        server_name: profile.server_name.clone().filter(|name| name.parse::<IpAddr>().is_err()),
        max_fragment_length: profile.max_fragment_length,
        groups: uses_ecc.then(|| alloc::vec![SECP256R1]),
        uncompressed_points: uses_ecc,
        signature_algorithms: uses_signatures.then(|| alloc::vec![ECDSA_SECP256R1_SHA256]),
        application_protocols: context.own_protocol(),
        client_certificate_types: certificate_types.clone(),
        server_certificate_types: certificate_types,
        encrypt_then_mac: true,
        extended_master_secret: true,
        record_size_limit: profile.record_size_limit,
        session_ticket: profile.tickets.then(|| ticket.unwrap_or_default()),
        return_routability_check: cid.is_some() && profile.return_routability_check,
        connection_id: cid,
        ..Extensions::default()
    }
}
