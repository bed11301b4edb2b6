//! The engine: configurations, and bootstraps over one [`Link`].

use crate::config::{Command, Config, Packs};
use crate::event::{Content, Event, SessionError};
use crate::request::{self, Refusal, Request};
use crate::session::{self, Session};
use lwm2m_coap::{self as coap, Code, FailReason, PeerId, RequestId, Response};
use lwm2m_core::{ContentFormat, Path};
use lwm2m_credentials::{Change, Credential, Mismatch, RefusedName, SecurityStore, StoreError};
use lwm2m_link::{
    Engine, Identity, Input, Link, LinkEvent, Output, Outputs, Overload, OverloadReports,
    SecurityEvent,
};
use lwm2m_time::Instant;
use std::collections::HashMap;
use std::sync::Arc;

/// A LwM2M bootstrap server without sockets and clocks.
///
/// It is an [`Engine`]: a driver passes inputs and the time in, and polls outputs and the next
/// deadline. It serves devices on UDP and TCP, with and without security. By plain CoAP anyone can
/// ask in the name of any device that has no credentials: give such devices no secrets.
#[derive(Debug)]
pub struct BootstrapServer {
    config: Config,
    link: Link,
    configurations: HashMap<String, Vec<Command>>,
    sessions: HashMap<String, Session>,
    /// The device that each request under way is for.
    requests: HashMap<RequestId, String>,
    /// Requests that were answered 5.03.
    refused: u64,
    reports: OverloadReports,
    outputs: Outputs<Event>,
}

impl BootstrapServer {
    /// A server that knows no device. `seed` must be unpredictable outside of tests.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        let mut link = Link::new(config.coap, seed);
        link.set_connection_config(config.connections);
        if let Some(dtls) = &config.dtls {
            link.set_security(config.security.secure(dtls));
            link.limit_sessions(config.max_sessions_per_identity);
        }
        Self {
            link,
            config,
            configurations: HashMap::new(),
            sessions: HashMap::new(),
            requests: HashMap::new(),
            refused: 0,
            reports: OverloadReports::default(),
            outputs: Outputs::default(),
        }
    }

    /// Sets what a device is told when it asks; Bootstrap-Finish follows by itself.
    pub fn configure(&mut self, endpoint: impl Into<String>, commands: Vec<Command>) {
        self.configurations.insert(endpoint.into(), commands);
    }

    /// Forgets what a device is told: it is refused from now on. `false` if it was not known.
    pub fn remove(&mut self, endpoint: &str) -> bool {
        self.configurations.remove(endpoint).is_some()
    }

    /// The credentials of the clients, and our own.
    #[must_use]
    pub const fn security(&self) -> &Arc<SecurityStore> {
        &self.config.security
    }

    /// Sets the credential of an endpoint. If that changes anything, its bootstrap ends, and so do
    /// the DTLS sessions in which the old credential was proven.
    ///
    /// # Errors
    /// See [`StoreError`]; then nothing has changed.
    pub fn put_credential(
        &mut self,
        now: Instant,
        endpoint: &str,
        credential: Credential,
    ) -> Result<(), StoreError> {
        let backend = self.config.dtls.as_ref().map(|dtls| dtls.backend);
        if let Some(change) = self.config.security.change(endpoint, credential, backend)? {
            self.apply(now, endpoint, &change);
        }
        Ok(())
    }

    /// Removes the credential of an endpoint, and ends its bootstrap and sessions. `false` if it
    /// had none.
    pub fn remove_credential(&mut self, now: Instant, endpoint: &str) -> bool {
        let change = self.config.security.revoke(endpoint);
        if let Some(change) = &change {
            self.apply(now, endpoint, change);
        }
        change.is_some()
    }

    fn apply(&mut self, now: Instant, endpoint: &str, change: &Change) {
        if let Some(session) = self.sessions.remove(endpoint) {
            self.end(session, Err(SessionError::CredentialsChanged));
        }
        self.link.end_sessions_of(|identity| change.revokes(identity));
        self.handle_link_events(now);
    }

    /// The number of peers about which state is held: devices that are being bootstrapped, and
    /// peers whose messages CoAP still remembers.
    #[must_use]
    pub fn peer_count(&self) -> usize {
        self.link.peer_count()
    }

    /// What was refused or forgotten so far because a bound was reached.
    #[must_use]
    pub fn overload(&self) -> Overload {
        let mut overload = self.link.overload();
        overload.bootstraps = self.refused;
        overload
    }

    /// Handles what the link has to tell, and passes on what it has to send.
    fn handle_link_events(&mut self, now: Instant) {
        while let Some(event) = self.outputs.take_from(&mut self.link) {
            match event {
                LinkEvent::Coap(event) => self.handle_coap_event(now, event),
                LinkEvent::Security(SecurityEvent::Failed(failure)) => {
                    self.outputs.push_back(Event::HandshakeFailed(failure));
                }
                // Sessions that begin or end are known by their peers.
                LinkEvent::Security(_) | LinkEvent::Unanswered { .. } => {}
            }
        }
    }

    fn handle_coap_event(&mut self, now: Instant, event: coap::Event) {
        match event {
            coap::Event::Request { exchange, peer, request, .. } => {
                let (response, session) = match self.handle_request(peer, &request) {
                    Ok(done) => done,
                    Err(refusal) => {
                        self.refused += u64::from(refusal == Refusal::Full);
                        (refusal.response(), None)
                    }
                };
                // The device may have asked again meanwhile; then nobody waits for this.
                let _ = self.link.coap().respond(now, exchange, response);
                if let Some(session) = session {
                    self.start(now, session);
                }
            }
            coap::Event::Response { id, response, .. } => {
                self.handle_answer(now, id, Ok(response));
            }
            coap::Event::Failed { id, reason, .. } => self.handle_answer(now, id, Err(reason)),
            // Nobody observes this server.
            _ => {}
        }
    }

    fn handle_request(
        &mut self,
        peer: PeerId,
        request: &coap::Request,
    ) -> Result<(Response, Option<Session>), Refusal> {
        match request::parse(request)? {
            Request::Commands { endpoint, format } => {
                let endpoint = self.endpoint_name(peer, endpoint)?;
                let commands = self.commands_for(peer, &endpoint)?;
                let known = self.sessions.contains_key(&endpoint);
                if !known && self.sessions.len() >= self.config.max_sessions {
                    return Err(Refusal::Full);
                }
                let commands = commands.iter().cloned().collect();
                let session = Session { endpoint, peer, format, commands, current: None };
                Ok((Response::new(Code::CHANGED), Some(session)))
            }
            Request::Pack { endpoint, format } => {
                let endpoint = self.endpoint_name(peer, endpoint)?;
                Ok((self.pack(peer, endpoint, format)?, None))
            }
            Request::Authority => {
                let authority = self.config.authority.clone().ok_or(Refusal::NotFound)?;
                self.endpoint_name(peer, None)?;
                Ok((request::certificate(Code::CONTENT, authority.certificate()), None))
            }
            Request::Certificate(request) => Ok((self.certify(peer, &request)?, None)),
        }
    }

    /// What the device at a peer is told.
    fn commands_for(&self, peer: PeerId, endpoint: &str) -> Result<&[Command], Refusal> {
        let commands = self.configurations.get(endpoint).ok_or(Refusal::UnknownEndpoint)?;
        let is_proven = self.link.identity(peer).is_some_and(|it| *it != Identity::NoSec);
        match self.config.keys_need_proof && !is_proven && commands.iter().any(Command::has_key) {
            true => Err(Mismatch::CredentialsNeeded.into()),
            false => Ok(commands),
        }
    }

    /// Issues a certificate, only ever in the name that the peer has proven.
    fn certify(&mut self, peer: PeerId, request: &[u8]) -> Result<Response, Refusal> {
        let authority = self.config.authority.clone().ok_or(Refusal::NotFound)?;
        if self.link.identity(peer) == Some(&Identity::NoSec) {
            return Err(Mismatch::CredentialsNeeded.into());
        }
        let endpoint = self.endpoint_name(peer, None)?;
        let certificate = authority.issue(&endpoint, request).ok_or(Refusal::CertificateRequest)?;
        self.outputs.push_back(Event::Certified { endpoint });
        Ok(request::certificate(Code::CHANGED, certificate))
    }

    /// The endpoint name that a peer may use.
    fn endpoint_name(&mut self, peer: PeerId, claimed: Option<String>) -> Result<String, Refusal> {
        let address = self.link.peer_address(peer).ok_or(Refusal::Full)?;
        let identity = self.link.identity(peer).ok_or(Refusal::Full)?.secured();
        let claimed = claimed.as_deref();
        let believed = self.config.security.resolve(identity, claimed).inspect_err(|&reason| {
            let refused = RefusedName::new(address, identity, claimed, reason);
            self.outputs.extend(refused.map(Event::NameRefused));
        });
        Ok(believed?)
    }

    fn pack(
        &mut self,
        peer: PeerId,
        endpoint: String,
        format: ContentFormat,
    ) -> Result<Response, Refusal> {
        match self.config.packs {
            Packs::Offered => {}
            Packs::Refused => return Err(Refusal::PackRefused),
            Packs::Unsupported => return Err(Refusal::PackUnsupported),
        }
        let commands = self.commands_for(peer, &endpoint)?;
        if !request::packs(format) {
            return Err(Refusal::Accept);
        }
        let tree = session::pack(commands).ok_or(Refusal::Configuration)?;
        let payload = lwm2m_codec::encode(format, &Path::ROOT, &tree);
        let payload = payload.map_err(|_| Refusal::Configuration)?;
        self.outputs.push_back(Event::Packed { endpoint });
        Ok(Response::new(Code::CONTENT).content_format(format.0).payload(payload))
    }

    /// Begins a bootstrap, in place of one of the same device.
    fn start(&mut self, now: Instant, session: Session) {
        let Some(address) = self.link.peer_address(session.peer) else { return };
        // Held before the old bootstrap releases it: it may be the same peer.
        self.link.hold(session.peer);
        if let Some(old) = self.sessions.remove(&session.endpoint) {
            self.end(old, Err(SessionError::Cancelled));
        }
        let endpoint = session.endpoint.clone();
        self.outputs.push_back(Event::Started { endpoint, address });
        self.proceed(now, session);
    }

    /// Sends the next command, or Bootstrap-Finish after the last.
    fn proceed(&mut self, now: Instant, mut session: Session) {
        let command = session.commands.pop_front();
        let path = command.as_ref().map_or(Path::ROOT, |command| *command.path());
        let sent = session::request(command.as_ref(), session.format).and_then(|request| {
            let id = self.link.coap().request(now, session.peer, request);
            id.map_err(|_| SessionError::NotSent(path))
        });
        match sent {
            Ok(id) => {
                self.requests.insert(id, session.endpoint.clone());
                session.current = Some((id, command));
                self.sessions.insert(session.endpoint.clone(), session);
            }
            Err(error) => self.end(session, Err(error)),
        }
    }

    fn handle_answer(&mut self, now: Instant, id: RequestId, answer: Result<Response, FailReason>) {
        let Some(endpoint) = self.requests.remove(&id) else { return };
        let Some(mut session) = self.sessions.remove(&endpoint) else { return };
        let command = session.current.take().and_then(|(_, command)| command);
        match (answer, command) {
            (Ok(response), Some(command)) => {
                match session::content(&command, session.format, &self.config, &response) {
                    // The device does not tell.
                    Err(_) if command == Command::KeepBootstrapAccount => {
                        self.proceed(now, session)
                    }
                    Ok(content) => {
                        if let (Command::KeepBootstrapAccount, Content::Links(links)) =
                            (&command, &content)
                        {
                            session.keep_bootstrap_account(links);
                        }
                        let path = *command.path();
                        self.outputs.push_back(Event::Answered { endpoint, path, content });
                        self.proceed(now, session);
                    }
                    Err(error) => self.end(session, Err(error)),
                }
            }
            (Ok(response), None) if response.code == Code::CHANGED => self.end(session, Ok(())),
            (Ok(response), None) => {
                self.end(session, Err(SessionError::NotFinished(response.code)));
            }
            (Err(reason), _) => self.end(session, Err(SessionError::NoAnswer(reason))),
        }
    }

    fn end(&mut self, session: Session, outcome: Result<(), SessionError>) {
        let Session { endpoint, peer, current, .. } = session;
        if let Some((id, _)) = current {
            self.requests.remove(&id);
            self.link.coap().cancel(id);
        }
        self.link.release(peer);
        self.outputs.push_back(match outcome {
            Ok(()) => Event::Finished { endpoint },
            Err(reason) => Event::Failed { endpoint, reason },
        });
    }
}

impl Engine for BootstrapServer {
    type Event = Event;

    fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.link.handle(now, input);
        self.handle_link_events(now);
        let report = self.reports.next(now, self.overload());
        self.outputs.extend(report.map(Event::Overloaded));
    }

    fn poll(&mut self) -> Option<Output<Event>> {
        self.outputs.poll()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.link.poll_timeout()
    }
}
