//! The state of the registration with one server.

use crate::client::same;
use crate::config::ServerAccount;
use crate::security::{ClientProfile, SecurityMode};
use crate::transport::Transport;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;
use lwm2m_coap::{PeerId, Request, RequestId};
use lwm2m_core::{ContentFormat, Version};
use lwm2m_time::Instant;

/// A server, and how far the registration with it has come.
pub(crate) struct Account {
    pub(crate) config: ServerAccount,
    /// How its sessions are made; none without security.
    pub(crate) profile: Option<Arc<ClientProfile>>,
    /// The instance of the Server object (1) with its settings.
    pub(crate) instance: u16,
    /// The version that the server accepts, as far as it is known.
    pub(crate) version: Version,
    /// The version to begin with.
    highest: Version,
    pub(crate) peer: Option<PeerId>,
    /// What carries the messages of the peer.
    pub(crate) transport: Transport,
    pub(crate) attempts: Attempts,
    /// How often in a row the server said that it is overloaded.
    overloads: u32,
    pub(crate) state: State,
}

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

pub(crate) struct Registering {
    pub(crate) request: RequestId,
    pub(crate) offer: RegistrationParams,
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
}

pub(crate) struct Deregistering {
    pub(crate) request: RequestId,
    /// Whether the timer of the account brings a new registration.
    pub(crate) disabled: bool,
}

/// What a registration tells the server, besides names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct RegistrationParams {
    pub(crate) lifetime: u32,
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
    pub(crate) fn failed(&mut self, retry: &crate::Retry) -> Option<Duration> {
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
pub(crate) const SHORTEST_RETRY: Duration = Duration::from_secs(5);
/// How late it is asked again at the latest: it must not silence the client for ever.
const LONGEST_RETRY: Duration = Duration::from_secs(86_400);
/// So many doublings exceed the longest wait.
const MAX_DOUBLINGS: u32 = 15;

impl Registered {
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
    pub(crate) fn update_request(&self, offer: &RegistrationParams) -> Request {
        let mut request = Request::post().path(&self.location);
        if offer.lifetime != self.known.lifetime {
            request = request.query(&format!("lt={}", offer.lifetime));
        }
        if offer.binding != self.known.binding {
            request = request.query(&format!("b={}", offer.binding));
        }
        if offer.links != self.known.links {
            request = request.content_format(ContentFormat::LINK.0).payload(offer.links.clone());
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

impl Account {
    pub(crate) const fn new(
        config: ServerAccount,
        profile: Option<Arc<ClientProfile>>,
        instance: u16,
        version: Version,
    ) -> Self {
        Self {
            config,
            profile,
            instance,
            version,
            highest: version,
            peer: None,
            transport: Transport::Udp,
            attempts: Attempts::FIRST,
            overloads: 0,
            state: State::Idle,
        }
    }

    /// Forgets what was learnt of the server: registering begins as if it were new.
    pub(crate) const fn forget(&mut self) {
        self.version = self.highest;
        self.accepted();
    }

    /// Notes that the server accepted something.
    pub(crate) const fn accepted(&mut self) {
        self.attempts = Attempts::FIRST;
        self.overloads = 0;
    }

    /// How long to leave an overloaded server (5.03) alone: as long as it says (60 s if it does
    /// not), but each time twice as long as before, and from 5 s to a day in any case. It is no
    /// failed attempt.
    pub(crate) fn overloaded(&mut self, max_age: Option<u32>) -> Duration {
        let doubled = SHORTEST_RETRY.saturating_mul(1_u32.checked_shl(self.overloads).unwrap_or(0));
        self.overloads = (self.overloads + 1).min(MAX_DOUBLINGS);
        doubled.max(Duration::from_secs(max_age.unwrap_or(60).into())).min(LONGEST_RETRY)
    }

    /// Whether `server` is this one, however its settings have changed.
    pub(crate) fn is_same(&self, server: &ServerAccount) -> bool {
        let own = &self.config;
        self.server() == server.short_server_id
            && own.security == server.security
            && match server.address {
                // The name of the server is part of its security.
                Some(_) if own.security.mode != SecurityMode::NoSec => own.uri == server.uri,
                Some(address) => own.address == Some(address),
                None => own.uri == server.uri,
            }
    }

    /// Makes this an account of nobody, so that those after it keep their places.
    pub(crate) fn retire(&mut self) {
        *self = Self::new(ServerAccount::named(0, ""), None, u16::MAX, self.highest);
    }

    /// Whether what comes from its peer can only come from the server that this side has chosen: by
    /// keys, or because this side has opened the connection.
    pub(crate) const fn has_session(&self) -> bool {
        self.profile.is_some() || matches!(self.transport, Transport::Tcp)
    }

    /// Whether the server may send requests. In a session its first ones may overtake the answer to
    /// Register; datagrams without security could be anybody's.
    pub(crate) const fn may_ask(&self) -> bool {
        match self.state {
            State::Registered(_) => true,
            State::Registering(_) => self.has_session(),
            _ => false,
        }
    }

    /// Whether the server listens there.
    pub(crate) fn is_at(&self, address: SocketAddr) -> bool {
        self.config.address.is_some_and(|own| same(own, address))
    }

    pub(crate) const fn is_retired(&self) -> bool {
        self.server() == 0
    }

    pub(crate) const fn server(&self) -> u16 {
        self.config.short_server_id
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
        let retry = crate::Retry { count: 3, timer: 2, sequence_delay: 10, sequence_count: 2 };
        let mut attempts = Attempts::FIRST;
        let waits: Vec<_> = core::iter::from_fn(|| attempts.failed(&retry)).collect();
        assert_eq!(waits, [2, 4, 10, 2, 4].map(Duration::from_secs));
        let once = crate::Retry { count: 1, sequence_delay: u32::MAX, ..retry };
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
