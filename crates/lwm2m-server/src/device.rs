//! A device as a value: everything that a server keeps of it.

use crate::device_management::Expected;
use crate::device_management::format::{FormatsSent, RefusedFormats};
use crate::observation::{Observation, Observed};
use crate::operation::{Operation, OperationId, Target};
use crate::quirks::Counts;
use crate::registration::Registration;
use lwm2m_coap::{PeerId, RequestId};
use lwm2m_time::Instant;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A registered device: its registration, its operations and its observations.
///
/// [`Server::release`](crate::Server::release) takes it out of a server, and
/// [`Server::adopt`](crate::Server::adopt) puts it into another one.
#[derive(Debug)]
pub struct Device {
    pub(crate) registration: Arc<Registration>,
    /// The peer that requests go to; `None` until an adopted device has been heard of.
    pub(crate) peer: Option<PeerId>,
    /// When its last message came.
    pub(crate) heard_at: Instant,
    /// Whether another device has registered from the same peer, as behind a gateway.
    pub(crate) shares_peer: bool,
    /// The operations that have no outcome yet.
    pub(crate) operations: BTreeMap<OperationId, PendingOperation>,
    pub(crate) observed: BTreeMap<Target, Observed>,
    /// The formats that the device has refused, if it has.
    pub(crate) refused: Option<Box<RefusedFormats>>,
    /// When the timer of the lifetime fires: never after the lifetime ends, but an Update leaves it
    /// where it was.
    pub(crate) timer: Option<Instant>,
    /// Whether it is in queue mode and sleeps.
    pub(crate) is_asleep: bool,
    /// How long it listens after a message, if not as long as others.
    pub(crate) awake_time: Option<Duration>,
    /// When the timer fires that notes that it sleeps.
    pub(crate) sleep_timer: Option<Instant>,
    /// What was forgiven it, if anything was.
    pub(crate) quirks: Option<Box<Counts>>,
    /// The bytes that the device takes without its object list, by estimate.
    pub(crate) memory: usize,
}

/// An operation without an outcome.
#[derive(Debug)]
pub(crate) struct PendingOperation {
    pub(crate) target: Target,
    pub(crate) state: OperationState,
    /// What to send again in another format if the device refuses this one.
    pub(crate) retry: Option<Box<Retry>>,
}

/// An operation whose formats the server chose.
#[derive(Debug)]
pub(crate) struct Retry {
    pub(crate) operation: Operation,
    pub(crate) sent: FormatsSent,
}

/// How far an operation has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OperationState {
    /// CoAP has this request, whose answer is to be decoded as told.
    Sent(RequestId, Expected),
}

impl OperationState {
    /// The request that is under way.
    pub(crate) const fn request(self) -> RequestId {
        let Self::Sent(request, _) = self;
        request
    }
}

/// What a request to a device belongs to.
pub(crate) enum RequestOwner {
    Operation(OperationId),
    Observation(Target),
}

impl Device {
    /// A device that has just registered.
    pub(crate) fn new(registration: Registration, peer: PeerId) -> Self {
        Self { peer: Some(peer), ..Self::restored(registration) }
    }

    /// A device that has not been heard of yet.
    pub(crate) fn restored(registration: Registration) -> Self {
        Self {
            memory: registration.memory_estimate(),
            heard_at: registration.updated_at,
            is_asleep: false,
            awake_time: None,
            sleep_timer: None,
            registration: Arc::new(registration),
            peer: None,
            shares_peer: false,
            operations: BTreeMap::new(),
            observed: BTreeMap::new(),
            refused: None,
            quirks: None,
            timer: None,
        }
    }

    /// The registration.
    #[must_use]
    pub const fn registration(&self) -> &Arc<Registration> {
        &self.registration
    }

    /// The observations, ordered by target.
    pub fn observations(&self) -> impl Iterator<Item = Observation> {
        self.observed.iter().map(|(target, observed)| Observation {
            target: target.clone(),
            format: observed.format,
            id: observed.operation,
        })
    }

    /// What a request belongs to. A device has few of both, so they are searched.
    pub(crate) fn owner_of(&self, request: RequestId) -> Option<RequestOwner> {
        let operation = self.operations.iter().find(|(_, it)| it.state.request() == request);
        if let Some((id, _)) = operation {
            return Some(RequestOwner::Operation(*id));
        }
        let observed = self.observed.iter().find(|(_, it)| it.request() == Some(request));
        observed.map(|(target, _)| RequestOwner::Observation(target.clone()))
    }

    /// The requests that are under way, and those that began observations.
    pub(crate) fn requests(&self) -> impl Iterator<Item = RequestId> {
        let operations = self.operations.values().map(|it| it.state.request());
        operations.chain(self.observed.values().filter_map(Observed::request))
    }
}
