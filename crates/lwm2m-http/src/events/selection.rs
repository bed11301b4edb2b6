//! Which events a stream wants.

use super::frame;
use lwm2m_core::Path;
use lwm2m_server::records::{Happened, KeptEvent};
use lwm2m_server::{Event, Target};
use std::collections::BTreeSet;

/// The names of the events.
pub(crate) const KINDS: [&str; 9] = [
    "REGISTRATION",
    "UPDATED",
    "DEREGISTRATION",
    "SLEEPING",
    "AWAKE",
    "NOTIFICATION",
    "OBSERVATION_ENDED",
    "SEND",
    "REQUEST_RESPONSE",
];

/// The events that a stream wants.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Selection {
    /// Of which devices.
    pub(crate) devices: Devices,
    /// The names of the events; empty for all events.
    pub(crate) kinds: BTreeSet<&'static str>,
    /// About values at, below or above this path.
    pub(crate) path: Option<Path>,
}

/// The devices whose events a stream wants.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Devices {
    /// All of them.
    All,
    /// Those whose endpoint names begin with this.
    Prefix(String),
    /// One.
    Endpoint(String),
}

impl Devices {
    fn have(&self, endpoint: &str) -> bool {
        match self {
            Self::All => true,
            Self::Prefix(prefix) => endpoint.starts_with(&**prefix),
            Self::Endpoint(one) => endpoint == one,
        }
    }
}

impl Selection {
    /// Whether the stream wants an event of a device.
    pub(super) fn wants(&self, endpoint: &str, event: &Event) -> bool {
        self.devices.have(endpoint)
            && (self.kinds.is_empty()
                || frame::kind(event).is_some_and(|it| self.kinds.contains(it)))
            && self.path.is_none_or(|path| is_about(event, &path))
    }

    /// Whether the stream would have wanted an event that is kept. Of those, others than the stream has
    /// are not wanted.
    pub(crate) fn would_have_wanted(&self, event: &KeptEvent) -> bool {
        let kind = match event.what {
            Happened::Registered(_) => "REGISTRATION",
            Happened::Updated(_) => "UPDATED",
            Happened::Deregistered(_) => "DEREGISTRATION",
            Happened::CommandEnded(..) => "REQUEST_RESPONSE",
            _ => return false,
        };
        // They do not tell paths.
        self.devices.have(&event.endpoint)
            && (self.kinds.is_empty() || self.kinds.contains(kind))
            && self.path.is_none()
    }
}

/// Whether an event tells of values at, below or above a path.
fn is_about(event: &Event, path: &Path) -> bool {
    let target = match event {
        Event::Notification { target, .. }
        | Event::ObservationEnded { target, .. }
        | Event::Completed { target, .. } => target,
        Event::ValuesReceived { values, .. } => {
            return values.iter().any(|value| path.overlaps(&value.path));
        }
        Event::CommandEnded { operation, .. } => return path.overlaps(operation.path()),
        _ => return false,
    };
    match target {
        Target::Path(own) => path.overlaps(own),
        Target::Composite(paths) => paths.iter().any(|own| path.overlaps(own)),
    }
}
