//! The engine: registrations, operations and observations over one [`Link`].

mod answering;
mod commanding;
mod credentials;
mod forgetting;
mod keeping;
mod migrating;
mod observing;
mod queueing;
mod quirky;
mod recording;
mod registering;
mod remembering;
mod restoring;
mod send;
mod sessions;
mod sleeping;
mod submitting;
mod wishing;

use self::keeping::{Held, HeldAnswer};
use crate::commands::Commands;
use crate::config::Config;
use crate::departed::Departed;
use crate::devices::{DeviceKey, Devices};
use crate::event::Event;
use crate::history::History;
use crate::quirks::Counts;
use crate::registration::{Registration, RegistrationId};
use crate::wish::Wishes;
use lwm2m_link::{
    Engine, Input, Journal, Link, LinkEvent, Output, Outputs, Overload, OverloadReports,
    SecurityEvent,
};
use lwm2m_objects::Registry;
use lwm2m_time::{Admission, Instant};
use std::sync::Arc;

pub use self::queueing::Begun;
pub use self::recording::Messages;
pub use self::restoring::{Restore, Restored};
pub use self::sleeping::Reach;

/// A LwM2M server without sockets and clocks.
///
/// It is an [`Engine`]: a driver passes inputs and the time in, and polls outputs and the next
/// deadline.
/// - getters: [`registrations`](Self::registrations), [`registration`](Self::registration),
///   [`registration_by_id`](Self::registration_by_id), [`observations`](Self::observations)
/// - mutators: [`submit`](Self::submit), [`cancel`](Self::cancel),
///   [`cancel_observations`](Self::cancel_observations),
///   [`put_credential`](Self::put_credential), [`remove_credential`](Self::remove_credential),
///   [`release`](Self::release), [`adopt`](Self::adopt); poll after each.
#[derive(Debug)]
pub struct Server {
    config: Config,
    link: Link,
    devices: Devices,
    /// The device whose Update has just come from another peer.
    arrived: Option<DeviceKey>,
    /// Registers and Updates that were answered 5.03.
    refused: u64,
    /// What the application was told of that and of other refusals, and when.
    reports: OverloadReports,
    /// The number of operations that were submitted.
    operations: u64,
    /// Of registrations without and with security: nobody without can keep those with it out.
    admission: [Admission; 2],
    wishes: Wishes,
    commands: Commands,
    /// The events that are kept.
    history: History,
    departed: Departed,
    /// What was forgiven all devices.
    quirks: Counts,
    /// The time of the last input.
    now: Instant,
    journal: Journal<Held>,
    outputs: Outputs<Event>,
}

impl Server {
    /// A server without registrations. `seed` must be unpredictable outside of tests: the ids of
    /// registrations come from it.
    #[must_use]
    pub fn new(config: Config, seed: [u8; 32]) -> Self {
        // Tokens go out in the clear, and ids must not follow from them: each has its own stream.
        let key = seed.first_chunk().map_or(0, |it| u64::from_be_bytes(*it));
        let admission = [(); 2].map(|()| Admission::new(config.max_registers_per_second, key));
        let link_seed = seed.map(|byte| byte ^ 0x5c);
        let mut link = Link::new(config.coap, link_seed);
        link.set_connection_config(config.connections);
        link.set_recorder(config.recorder_bytes);
        if let Some(dtls) = &config.dtls {
            let dtls = config.security.secure(dtls);
            let dtls = if config.recorder_keys { link.record_sessions(dtls) } else { dtls };
            link.set_security(dtls);
            link.limit_sessions(config.max_sessions_per_identity);
        }
        Self {
            link,
            journal: Journal::new(config.is_kept),
            history: History::new(config.max_events),
            departed: Departed::default(),
            quirks: Counts::default(),
            now: Instant::ZERO,
            config,
            devices: Devices::new(seed),
            arrived: None,
            refused: 0,
            reports: OverloadReports::default(),
            operations: 0,
            admission,
            wishes: Wishes::default(),
            commands: Commands::default(),
            outputs: Outputs::default(),
        }
    }

    /// All registrations, in no particular order.
    pub fn registrations(&self) -> impl Iterator<Item = &Arc<Registration>> {
        self.devices.iter().map(|device| &device.registration)
    }

    /// The registration of a device by its endpoint name.
    #[must_use]
    pub fn registration(&self, endpoint: &str) -> Option<&Arc<Registration>> {
        let key = self.devices.key_of(endpoint)?;
        self.devices.get(key).map(|device| &device.registration)
    }

    /// The registration with the location `/rd/{id}`.
    #[must_use]
    pub fn registration_by_id(&self, id: &str) -> Option<&Arc<Registration>> {
        let key = self.devices.key_of_id(&RegistrationId::from_bytes(id.as_bytes())?)?;
        self.devices.get(key).map(|device| &device.registration)
    }

    /// When the last request, response or notification of a device came.
    #[must_use]
    pub fn heard_at(&self, endpoint: &str) -> Option<Instant> {
        self.devices.get(self.devices.key_of(endpoint)?).map(|device| device.heard_at)
    }

    /// The object definitions by which the server decodes; see also [`Registration::model`].
    #[must_use]
    pub const fn registry(&self) -> &Arc<Registry> {
        &self.config.registry
    }

    /// Takes other object definitions from now on, also for the devices that are registered.
    pub fn set_registry(&mut self, registry: Arc<Registry>) {
        self.config.registry = registry;
    }

    /// The number of peers that have state: registered devices, and others until CoAP forgets their
    /// messages.
    #[must_use]
    pub fn peer_count(&self) -> usize {
        self.link.peer_count()
    }

    /// The counters of CoAP.
    #[must_use]
    pub const fn statistics(&self) -> &lwm2m_coap::Statistics {
        self.link.statistics()
    }

    /// Handles what the link has to tell, and passes on what it has to send.
    fn handle_link_events(&mut self, now: Instant) {
        while let Some(event) = self.outputs.take_from(&mut self.link) {
            match event {
                LinkEvent::Security(event) => self.handle_security_event(now, event),
                LinkEvent::Coap(event) => self.handle_coap_event(now, event),
                // The operation or the notification goes on.
                LinkEvent::Unanswered { .. } => {}
            }
        }
    }

    /// The position in the log of what was promised last. Who has called a mutator that is documented
    /// to promise tells its own caller when this is durable.
    #[must_use]
    pub const fn promised(&self) -> lwm2m_link::Lsn {
        self.journal.promised()
    }

    /// The position up to which all is durable, as far as the store has told.
    #[must_use]
    pub const fn written(&self) -> lwm2m_link::Lsn {
        self.journal.durable()
    }

    /// How many sessions devices have established so far: by a full handshake, and by resumption.
    #[must_use]
    pub const fn accepted_sessions(&self) -> (u64, u64) {
        self.link.accepted_sessions()
    }

    /// What was refused or forgotten so far because a bound was reached.
    #[must_use]
    pub fn overload(&self) -> Overload {
        let mut overload = self.link.overload();
        overload.registrations = self.refused;
        overload
    }

    fn handle_security_event(&mut self, now: Instant, event: SecurityEvent) {
        match event {
            SecurityEvent::Failed(failure) => {
                self.outputs.push_back(Event::HandshakeFailed(failure));
            }
            SecurityEvent::CountersDue { peer } => self.keep_session(peer),
            SecurityEvent::Forget { session } => self.forget_session(&session),
            SecurityEvent::Moved { peer } => {
                self.keep_session(peer);
                self.follow(peer);
                self.resume_observations_at(now, peer);
            }
            // CoAP tells what the end of a session means for requests and observations.
            _ => {}
        }
    }

    /// Goes on with what waited for a message of the device at a peer.
    fn go_on(&mut self, now: Instant, peer: lwm2m_coap::PeerId) {
        if let Some(key) = self.devices.key_at(peer) {
            self.resume_observations(now, key);
            self.dispatch(now, key);
        }
    }

    fn handle_coap_event(&mut self, now: Instant, event: lwm2m_coap::Event) {
        match event {
            lwm2m_coap::Event::Request { exchange, peer, request, .. } => {
                let promised = self.journal.promised();
                let session = self.link.session_of(peer);
                let response = self.handle_request(now, peer, &request);
                let arrived = self.arrived.take();
                let moved = arrived.is_some();
                let device = arrived.or_else(|| self.devices.key_at(peer));
                device.into_iter().for_each(|key| self.hear_of(now, key));
                if self.journal.promised() > promised {
                    self.link.coap().promise(exchange, &response);
                    let its_peer = device.and_then(|key| self.devices.get(key)?.peer);
                    self.keep_asking(session, [peer].into_iter().chain(its_peer));
                }
                let answer = HeldAnswer { exchange, response, device, moved };
                if let Some(Held::Answer(answer)) =
                    self.journal.hold(promised, Held::Answer(answer))
                {
                    self.answer(now, answer);
                }
            }
            lwm2m_coap::Event::Response { id, response, peer, .. } => {
                self.handle_response(now, id, &response);
                self.go_on(now, peer);
            }
            lwm2m_coap::Event::Notification { id, response, peer, .. } => {
                self.handle_notification(now, id, &response);
                self.go_on(now, peer);
            }
            lwm2m_coap::Event::Unexpected { peer } => self.handle_unexpected(now, peer),
            lwm2m_coap::Event::Failed { id, reason, .. } => self.handle_failure(now, id, reason),
            // This server has no resources to observe.
            _ => {}
        }
    }
}

impl Engine for Server {
    type Event = Event;

    fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.now = now;
        // A registration that is over must not be found, even if the driver is late.
        self.expire(now);
        self.handle_progress(now, &input);
        self.link.handle(now, input);
        self.handle_link_events(now);
        let report = self.reports.next(now, self.overload());
        self.outputs.extend(report.map(Event::Overloaded));
    }

    fn poll(&mut self) -> Option<Output<Event>> {
        self.outputs.poll()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let own = self.devices.next_timeout().into_iter().chain(self.commands.next_timeout());
        self.link.poll_timeout().into_iter().chain(own).min()
    }
}
