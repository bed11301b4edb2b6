//! The states of the registration with one server (OMA LwM2M Core 6.2).

use crate::config::Retry;
use crate::transport::Transport;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;
use lwm2m_coap::{Request, RequestId};
use lwm2m_core::{ContentFormat, Version};
use lwm2m_time::Instant;

/// What goes on with a server.
pub(crate) enum State {
    /// Nothing: not started, given up, or stopped.
    Idle,
    /// Register is under way.
    Registering(Registering),
    /// The next Register waits for the timer of the account.
    Waiting,
    /// The server knows this client.
    Registered(Registered),
    /// De-register is under way.
    Deregistering(Deregistering),
    /// The server disabled itself; the timer of the account ends that.
    Disabled,
}

impl State {
    /// The request that is under way, if any.
    pub(crate) fn pending(&self) -> Option<RequestId> {
        match self {
            Self::Registering(state) => Some(state.request),
            Self::Registered(state) => state.update.as_ref().map(|(id, _)| *id),
            Self::Deregistering(state) => Some(state.request),
            Self::Idle | Self::Waiting | Self::Disabled => None,
        }
    }
}

pub(crate) struct Registering {
    pub(crate) request: RequestId,
    /// What the request tells.
    pub(crate) params: RegistrationParams,
}

pub(crate) struct Registered {
    /// The path segments of the registration on the server.
    pub(crate) location: Vec<String>,
    /// What the server knows.
    pub(crate) known: RegistrationParams,
    /// The Update that is under way, and what the server will know by it.
    pub(crate) update: Option<(RequestId, RegistrationParams)>,
    /// The transport that the next Update changes to, if it does.
    pub(crate) moving_to: Option<Transport>,
    /// Whether another Update has to follow at once.
    pub(crate) again: bool,
    /// When the server accepted a Register or Update last.
    pub(crate) renewed_at: Instant,
    /// Whether it stems from before a restart or from a connection that has ended, and the server has not
    /// confirmed it since.
    pub(crate) resumes: bool,
}

pub(crate) struct Deregistering {
    pub(crate) request: RequestId,
    /// Whether the timer of the account brings a new registration.
    pub(crate) disabled: bool,
}

/// What Register and Update tell the server, besides the endpoint name and the version (OMA LwM2M
/// Core 6.2.1 and 6.2.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RegistrationParams {
    /// `lt`: seconds; 0 never ends.
    pub(crate) lifetime: u32,
    /// `b`: transports, and in LwM2M 1.0 the letter Q for queue mode.
    pub(crate) binding: String,
    /// The object list in the CoRE Link Format.
    pub(crate) links: String,
}

/// How often registering has failed (OMA LwM2M Core 6.2.1.1); both counters begin at 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attempts {
    attempt: u32,
    sequence: u32,
}

impl Attempts {
    pub(crate) const FIRST: Self = Self { attempt: 1, sequence: 1 };

    /// Counts a failed attempt, and tells how long to wait for the next one, if there is one.
    pub(crate) fn failed(&mut self, retry: &Retry) -> Option<Duration> {
        if self.attempt < retry.count {
            let doublings = 1_u64.checked_shl(self.attempt - 1).unwrap_or(u64::MAX);
            self.attempt += 1;
            return Some(Duration::from_secs(u64::from(retry.timer).saturating_mul(doublings)));
        }
        if self.sequence < retry.sequence_count && retry.sequence_delay != u32::MAX {
            *self = Self { attempt: 1, sequence: self.sequence + 1 };
            return Some(Duration::from_secs(retry.sequence_delay.into()));
        }
        None
    }
}

/// How soon an overloaded server, or one that ended the session, is asked again at the earliest: it
/// must not keep the client sending.
pub(super) const SHORTEST_RETRY: Duration = Duration::from_secs(5);
/// How late it is asked again at the latest: it must not silence the client for ever.
pub(super) const LONGEST_RETRY: Duration = Duration::from_secs(86_400);
/// So many doublings exceed the longest wait.
pub(super) const MAX_DOUBLINGS: u32 = 15;

impl Registered {
    /// Whether the server still knows the client at a time, for all that it has been told.
    pub(super) fn lasts_beyond(&self, at: Instant) -> bool {
        let lifetime = self.known.lifetime;
        lifetime == 0 || at < self.renewed_at + Duration::from_secs(lifetime.into())
    }

    /// How long to wait with an Update that an overloaded server wants after `wait`, so that it
    /// still comes within the lifetime; nothing if that is over.
    pub(crate) fn retry_within(
        &self,
        now: Instant,
        wait: Duration,
        span: Duration,
    ) -> Option<Duration> {
        if self.known.lifetime == 0 {
            return Some(wait);
        }
        let end = self.renewed_at + Duration::from_secs(self.known.lifetime.into());
        let left = end.saturating_since(now);
        let early = left.saturating_sub(span).max(left / 2);
        match left {
            Duration::ZERO => None,
            left if left <= SHORTEST_RETRY => Some(left),
            _ => Some(wait.min(early)),
        }
    }

    /// The Update that tells what has changed.
    pub(crate) fn update_request(&self, params: &RegistrationParams) -> Request {
        let mut request = Request::post().path(&self.location);
        if params.lifetime != self.known.lifetime {
            request = request.query(&format!("lt={}", params.lifetime));
        }
        if params.binding != self.known.binding {
            request = request.query(&format!("b={}", params.binding));
        }
        if params.links != self.known.links {
            request = request.content_format(ContentFormat::LINK.0).payload(params.links.clone());
        }
        request
    }
}

/// When to send the next Update, seen from the last one: so early that it can be retransmitted as
/// often as CoAP does (`span`) and still fail before the lifetime ends; half of a lifetime that is
/// too short for that. A lifetime of 0 never ends.
pub(crate) fn update_after(lifetime: u32, span: Duration) -> Option<Duration> {
    let lifetime = Duration::from_secs(lifetime.into());
    let early = lifetime.saturating_sub(span);
    (!lifetime.is_zero()).then(|| early.max(lifetime / 2))
}

/// The next lower version, for a server that refused this one. LwM2M 1.0 has no TCP.
pub(crate) const fn lower(version: Version, transport: Transport) -> Option<Version> {
    match (version, transport) {
        (Version::V1_2, _) => Some(Version::V1_1),
        (Version::V1_1, Transport::Udp) => Some(Version::V1_0),
        (Version::V1_1, Transport::Tcp) | (Version::V1_0, _) => None,
    }
}

/// How far the registration with a server has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RegistrationState {
    /// Not started, given up, or stopped.
    Idle,
    /// Register is under way.
    Registering,
    /// The next Register is made at this time.
    Waiting(Instant),
    /// The server knows this client.
    Registered,
    /// De-register is under way.
    Deregistering,
    /// The server disabled itself until this time.
    Disabled(Instant),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_sequences_follow() {
        let retry = Retry { count: 3, timer: 2, sequence_delay: 10, sequence_count: 2 };
        let mut attempts = Attempts::FIRST;
        let waits: Vec<_> = core::iter::from_fn(|| attempts.failed(&retry)).collect();
        assert_eq!(waits, [2, 4, 10, 2, 4].map(Duration::from_secs));
        let once = Retry { count: 1, sequence_delay: u32::MAX, ..retry };
        let mut attempts = Attempts::FIRST;
        assert_eq!(attempts.failed(&once), None);
    }

    #[test]
    fn updates_come_before_the_lifetime_ends() {
        let span = Duration::from_secs(93);
        assert_eq!(update_after(86_400, span), Some(Duration::from_secs(86_307)));
        assert_eq!(update_after(20, span), Some(Duration::from_secs(10)));
        assert_eq!(update_after(0, span), None);
    }
}
