//! What has happened in a server since it was started, in numbers: for metrics, which are read beside
//! the engine.

use lwm2m_dtls::Reason;
use lwm2m_server::{DeregistrationReason, Event, Outcome};
use std::sync::atomic::{AtomicU64, Ordering};

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Counted {
    /// Registers that were accepted.
    Registered,
    /// Updates that were accepted.
    Updated,
    /// Devices that went on from another address.
    Moved,
    /// Registrations that their devices ended.
    Removed,
    /// Registrations whose lifetime passed.
    Expired,
    /// Registrations that a new one replaced.
    Replaced,
    /// Registrations that ended with the credentials of their endpoints.
    CredentialsChanged,
    /// Devices that fell asleep.
    Asleep,
    /// Devices that woke up.
    Awake,
    /// Notifications with values.
    Notification,
    /// Notifications whose values cannot be read.
    BadNotification,
    /// Sends.
    Send,
    /// Registers that claimed a name which their identity may not use.
    NameRefused,
    /// Commands that their devices answered.
    CommandAnswered,
    /// Commands that failed.
    CommandFailed,
    /// Commands that expired.
    CommandExpired,
    /// Commands of which nobody knows whether they were carried out.
    CommandUnknown,
    /// Commands whose place a later one took.
    CommandSuperseded,
    /// Handshakes with an unknown identity or a wrong key.
    HandshakeCredentials,
    /// Handshakes whose certificates are not accepted.
    HandshakeCertificate,
    /// Handshakes without a common version, suite or mode.
    HandshakeMismatch,
    /// Handshakes that their peers left unfinished, or ended.
    HandshakeAbandoned,
    /// Handshakes for which there was no room.
    HandshakeOverload,
    /// Handshakes that broke the protocol, or failed in another way.
    HandshakeOther,
}

/// The number of variants of [`Counted`].
const KINDS: usize = Counted::HandshakeOther as usize + 1;

/// The counters of a server; see [`ServerHandle::counters`](crate::ServerHandle::counters).
#[derive(Debug)]
pub struct Counters([AtomicU64; KINDS]);

impl Default for Counters {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Counters {
    /// How often something has happened.
    #[must_use]
    pub fn get(&self, what: Counted) -> u64 {
        self.0.get(what as usize).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    pub(crate) fn count(&self, event: &Event) {
        let count = counted(event).and_then(|what| self.0.get(what as usize));
        count.into_iter().for_each(|count| _ = count.fetch_add(1, Ordering::Relaxed));
    }
}

/// As what an event counts.
fn counted(event: &Event) -> Option<Counted> {
    Some(match event {
        Event::Registered(_) => Counted::Registered,
        Event::Updated { .. } => Counted::Updated,
        Event::Moved(_) => Counted::Moved,
        Event::Deregistered { reason, .. } => match reason {
            DeregistrationReason::Expired => Counted::Expired,
            DeregistrationReason::Replaced => Counted::Replaced,
            DeregistrationReason::CredentialsChanged => Counted::CredentialsChanged,
            _ => Counted::Removed,
        },
        Event::Asleep(_) => Counted::Asleep,
        Event::Awake(_) => Counted::Awake,
        Event::Notification { result: Ok(_), .. } => Counted::Notification,
        Event::Notification { result: Err(_), .. } => Counted::BadNotification,
        Event::ValuesReceived { .. } => Counted::Send,
        Event::NameRefused(_) => Counted::NameRefused,
        Event::CommandEnded { outcome, .. } => match &**outcome {
            Outcome::Answered(_) => Counted::CommandAnswered,
            Outcome::Failed(_) => Counted::CommandFailed,
            Outcome::Expired => Counted::CommandExpired,
            Outcome::Unknown => Counted::CommandUnknown,
            Outcome::Superseded => Counted::CommandSuperseded,
        },
        Event::HandshakeFailed(failure) => handshake(&failure.reason),
        _ => return None,
    })
}

const fn handshake(reason: &Reason) -> Counted {
    match reason {
        Reason::UnknownIdentity { .. } | Reason::WrongKey | Reason::UnknownPeerKey => {
            Counted::HandshakeCredentials
        }
        Reason::CertificateExpired
        | Reason::NameMismatch
        | Reason::UnknownAuthority
        | Reason::BadCertificate(_)
        | Reason::NoCertificate
        | Reason::BadSignature => Counted::HandshakeCertificate,
        Reason::NoCommonSuite(_)
        | Reason::NoCommonCertificateType
        | Reason::OnlyNewerVersion
        | Reason::UnsupportedVersion
        | Reason::NoApplicationProtocol
        | Reason::InappropriateFallback => Counted::HandshakeMismatch,
        Reason::Disconnected
        | Reason::Timeout
        | Reason::Unanswered { .. }
        | Reason::IncompleteHello
        | Reason::Cancelled
        | Reason::PeerAlert(_) => Counted::HandshakeAbandoned,
        Reason::Evicted | Reason::NoRoom => Counted::HandshakeOverload,
        _ => Counted::HandshakeOther,
    }
}
