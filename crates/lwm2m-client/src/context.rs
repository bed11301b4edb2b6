//! What the parts of a client work with: the time, the objects, the link to servers, and what leaves
//! the part that is at work.

use crate::effect::Effect;
use crate::error::Refusal;
use crate::event::Event;
use crate::ids::Timer;
use crate::keeping::Held;
use crate::objects::store::Store;
use crate::security::ClientProfile;
use crate::transport::Transport;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;
use lwm2m_coap::uri::Uri;
use lwm2m_coap::{ExchangeId, Observer, PeerId, Request, RequestId, Response};
use lwm2m_core::Version;
use lwm2m_link::{Journal, Link, Outputs, Record};
use lwm2m_time::{Instant, TimerTable};

/// Shared by all parts; each call of a part gets it.
pub(crate) struct Context {
    /// The time of the input that is being handled.
    pub(crate) now: Instant,
    pub(crate) endpoint_name: String,
    /// The version of LwM2M to begin with.
    pub(crate) version: Version,
    /// Whether requests carry the name of the server.
    pub(crate) uri_host: bool,
    /// The time that CoAP may take for one request, which an Update has to leave.
    pub(crate) request_span: Duration,
    /// How long a bootstrap server may be silent.
    pub(crate) exchange_lifetime: Duration,
    /// Whether the application has asked for a shutdown that is not complete.
    pub(crate) stopping: bool,
    pub(crate) link: Link,
    pub(crate) store: Store,
    pub(crate) timers: TimerTable<Timer>,
    /// What the application learns, between what leaves for servers.
    pub(crate) outputs: Outputs<Event>,
    /// How long the device listens in queue mode.
    pub(crate) awake_time: Duration,
    /// Whether the device sleeps: nothing is received.
    pub(crate) asleep: bool,
    /// How much had been sent when the device last listened anew.
    pub(crate) sent: u64,
    /// What has to survive a crash, and the answers that wait until it does.
    pub(crate) journal: Journal<Held>,
    /// What other parts have to do.
    pub(crate) effects: VecDeque<Effect>,
    /// Connections that end when nothing is pending on them any more.
    pub(crate) leaving: Vec<PeerId>,
}

impl Context {
    /// Tells the application.
    pub(crate) fn event(&mut self, event: Event) {
        self.outputs.push_back(event);
    }

    /// Whether there is a store.
    pub(crate) const fn is_kept(&self) -> bool {
        // Without the feature, nothing of what follows is in the program.
        cfg!(feature = "journal") && self.journal.is_kept()
    }

    /// Keeps a change that an answer waits for.
    pub(crate) fn promise(&mut self, record: Record) {
        self.journal.promise(&mut self.outputs, record);
    }

    /// Keeps a change that may be lost with the last seconds before a crash.
    pub(crate) fn note(&mut self, record: Record) {
        self.journal.note(&mut self.outputs, record);
    }

    /// Asks other parts.
    pub(crate) fn effect(&mut self, effect: Effect) {
        self.effects.push_back(effect);
    }

    /// Sets a timer to fire after `wait`.
    pub(crate) fn set_timer(&mut self, timer: Timer, wait: Duration) {
        self.timers.set(timer, self.now + wait);
    }

    /// Makes a peer by a new session or connection, or without security, and holds it.
    pub(crate) fn connect(
        &mut self,
        address: SocketAddr,
        profile: Option<&Arc<ClientProfile>>,
        transport: Transport,
    ) -> Option<PeerId> {
        self.wake();
        let (link, now) = (&mut self.link, self.now);
        let peer = match (transport, profile.map(Arc::clone)) {
            (Transport::Udp, Some(profile)) => link.connect_secured(now, address, profile),
            (Transport::Udp, None) => link.connect(address),
            (Transport::Tcp, Some(profile)) => link.open_secured_connection(now, address, profile),
            (Transport::Tcp, None) => link.open_connection(now, address),
        }?;
        link.hold(peer);
        Some(peer)
    }

    /// Sends a request to the server with this URI.
    pub(crate) fn request(
        &mut self,
        peer: PeerId,
        uri: &str,
        mut request: Request,
    ) -> Option<RequestId> {
        self.wake();
        if let (true, Ok(uri)) = (self.uri_host, Uri::parse(uri)) {
            uri.push_host(&mut request.options);
        }
        self.link.coap().request(self.now, peer, request).ok()
    }

    /// Sends a notification.
    pub(crate) fn notify(
        &mut self,
        observer: Observer,
        response: Response,
        confirmable: bool,
    ) -> Result<(), lwm2m_coap::Error> {
        self.wake();
        self.link.coap().notify(self.now, observer, response, confirmable)
    }

    /// Sends a response; `false` if the server has asked again meanwhile and expects none.
    pub(crate) fn respond(&mut self, exchange: ExchangeId, response: Response) -> bool {
        self.link.coap().respond(self.now, exchange, response).is_ok()
    }

    /// Refuses a request of a server that must not send one now.
    pub(crate) fn refuse(&mut self, exchange: ExchangeId, refusal: Refusal) {
        self.respond(exchange, Response::new(refusal.code()));
    }

    /// Ends the session of a peer at once, or its connection in an orderly way.
    pub(crate) fn end(&mut self, peer: PeerId) {
        if !self.link.is_connected(peer) {
            self.link.end_session(peer);
        }
        self.leave(peer);
    }

    /// Releases a peer. What is to be sent to it still goes out.
    pub(crate) fn leave(&mut self, peer: PeerId) {
        if self.link.is_connected(peer) {
            self.link.release_connection(self.now, peer);
            self.leaving.push(peer);
        }
        self.link.release(peer);
    }
}
