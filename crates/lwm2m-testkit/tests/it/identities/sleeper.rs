//! A device that makes a new session at each wake-up and tells the server nothing: its CoAP does
//! not notice.

use lwm2m_coap::{Code, Config, Endpoint as Coap, Event, Observer, PeerId, Request, Response};
use lwm2m_dtls::{ClientProfile, Endpoint as Dtls, Event as DtlsEvent, Resumption, SessionId};
use lwm2m_link::{ConnectionId, Engine, Input, Output, Outputs, StreamAction, Transmit};
use lwm2m_time::Instant;
use std::net::SocketAddr;
use std::sync::Arc;

const SERVER: PeerId = PeerId(0);

/// The device.
pub(super) struct Sleeper {
    dtls: Dtls,
    pub(super) coap: Coap,
    profile: Arc<ClientProfile>,
    to: SocketAddr,
    session: Option<SessionId>,
    resumption: Option<Arc<Resumption>>,
    /// The number of its connection, if it speaks TLS.
    connection: Option<u64>,
    pub(super) resumed: bool,
    /// What observes it.
    pub(super) observer: Option<Observer>,
    /// Whether it leaves requests unanswered.
    pub(super) silent: bool,
    waiting: Vec<bytes::Bytes>,
    outputs: Outputs<Event>,
    now: Instant,
}

impl Sleeper {
    pub(super) fn new(to: SocketAddr, profile: ClientProfile, seed: u8, stream: bool) -> Self {
        let mut config = super::dtls();
        config.application_protocol = Some(b"coap"[..].into());
        Self {
            dtls: Dtls::new(config, [seed; 32]),
            coap: Coap::new(Config::default(), [seed; 32]),
            profile: Arc::new(profile),
            to,
            session: None,
            resumption: None,
            connection: stream.then_some(0),
            resumed: false,
            observer: None,
            silent: false,
            waiting: Vec::new(),
            outputs: Outputs::default(),
            now: Instant::ZERO,
        }
    }

    /// Makes a new session, and offers to resume the last one if asked to.
    pub(super) fn wake(&mut self, now: Instant, resume: bool) {
        self.now = now;
        let (to, profile) = (self.to, Arc::clone(&self.profile));
        let resumption = self.resumption.clone().filter(|_| resume);
        let session = match (&mut self.connection, resumption) {
            (Some(connection), resumption) => {
                *connection += 1;
                let connection = ConnectionId::Opened(*connection);
                self.outputs.stream(StreamAction::Open { connection, to });
                // Observations end with their connection.
                self.coap.disconnected(now, SERVER);
                self.observer = None;
                self.dtls.connect_stream(now, to, profile, resumption)
            }
            (None, Some(resumption)) => self.dtls.resume(now, to, profile, resumption),
            (None, None) => self.dtls.connect(now, to, profile),
        };
        self.session = Some(session.expect("a good profile"));
        self.settle();
    }

    /// Ends its session, and tells the server.
    pub(super) fn close(&mut self) {
        self.dtls.close(self.session.expect("a session")).expect("it is open");
        self.settle();
    }

    pub(super) fn ask(&mut self, now: Instant, request: Request) {
        self.coap.request(now, SERVER, request).expect("room");
        self.settle();
    }

    pub(super) fn notify(&mut self, now: Instant) {
        let observer = self.observer.expect("an observer");
        let state = Response::new(Code::CONTENT).content_format(0).payload("6").observe();
        self.coap.notify(now, observer, state, true).expect("an observer");
        self.settle();
    }

    fn on_session(&mut self, event: DtlsEvent) {
        match event {
            DtlsEvent::Connected { resumed, resumption, session, .. } => {
                self.resumed = resumed;
                self.resumption = resumption.or_else(|| self.resumption.take());
                if self.connection.is_some() {
                    self.coap.connected(self.now, SERVER).expect("room");
                }
                for payload in std::mem::take(&mut self.waiting) {
                    self.dtls.send(self.now, session, &payload).expect("established");
                }
            }
            DtlsEvent::Data { session, data } if Some(session) == self.session => {
                match self.connection {
                    Some(_) => self.coap.handle_stream(self.now, SERVER, &data),
                    None => self.coap.handle_datagram(self.now, SERVER, &data),
                }
            }
            _ => {}
        }
    }

    fn on_coap(&mut self, event: Event) {
        if let Event::Request { exchange, token, request, .. } = &event
            && !self.silent
        {
            if request.options.observe() == Some(0) {
                self.observer = Some(Observer { peer: SERVER, token: *token });
            }
            let answer = super::answer(request);
            self.coap.respond(self.now, *exchange, answer).expect("waiting");
        }
        self.outputs.push_back(event);
    }

    fn settle(&mut self) {
        loop {
            let mut idle = true;
            while let Some(event) = self.dtls.poll_event() {
                self.on_session(event);
                idle = false;
            }
            while let Some(event) = self.coap.poll_event() {
                self.on_coap(event);
                idle = false;
            }
            while let Some(sent) = self.coap.poll_transmit() {
                idle = false;
                let Some(session) = self.session else { continue };
                if self.dtls.send(self.now, session, &sent.payload).is_err() {
                    self.waiting.push(sent.payload);
                }
            }
            while let Some(sent) = self.dtls.poll_transmit() {
                let (to, payload) = (sent.peer, sent.payload);
                self.outputs.transmit(Transmit { to, payload, secured: true });
            }
            while let Some((session, payload)) = self.dtls.poll_stream() {
                let connection = self.connection.filter(|_| Some(session) == self.session);
                if let Some(connection) = connection.map(ConnectionId::Opened) {
                    self.outputs.stream(StreamAction::Write { connection, payload });
                }
            }
            if idle {
                return;
            }
        }
    }
}

impl Engine for Sleeper {
    type Event = Event;

    fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.now = now;
        match input {
            Input::Datagram { from, bytes, .. } => self.dtls.handle_datagram(now, from, bytes),
            Input::Stream { connection, bytes } => {
                let current = self.connection.map(ConnectionId::Opened) == Some(connection);
                if let Some(session) = self.session.filter(|_| current) {
                    self.dtls.handle_stream(now, session, bytes);
                }
            }
            Input::Written(_) | Input::WriteFailed(_) => {}
            Input::Timeout => {
                self.dtls.handle_timeout(now);
                self.coap.handle_timeout(now);
            }
            Input::Connected { .. } | Input::Disconnected { .. } => {}
        }
        self.settle();
    }

    fn poll(&mut self) -> Option<Output<Event>> {
        self.outputs.poll()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.dtls.poll_timeout().into_iter().chain(self.coap.poll_timeout()).min()
    }
}
