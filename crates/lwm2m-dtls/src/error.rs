//! Errors: [`Error`] of a call, [`Reason`] of a handshake.

use crate::alert::Alert;
use crate::certificate::CertificateFlaw;
use crate::suite::Offered;
use crate::unsupported::Unsupported;
use bytes::Bytes;

/// The error of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The session has ended or never existed.
    #[error("there is no such session; it may have ended: connect anew")]
    UnknownSession,
    /// The handshake is not finished.
    #[error("the session is not established yet; wait for the event that it is connected")]
    NotEstablished,
    /// The data does not fit a record.
    #[error("a record of this session holds at most {limit} bytes; send less at once")]
    TooLarge {
        /// The most bytes that fit.
        limit: usize,
    },
    /// All sequence numbers of the epoch are used: RFC 6347 section 4.1.
    #[error("all 2^48 sequence numbers of the session are used; connect anew")]
    SequenceExhausted,
    /// The record numbers that are reserved in the store are used up.
    #[error(
        "the store has reserved no more record numbers for the session; find out why it does not \
         write, and connect anew"
    )]
    CountersNotWritten,
    /// The configured limit of sessions or handshakes is reached.
    #[error(
        "the configured limit of sessions or handshakes is reached; close one or raise the limit"
    )]
    TooManySessions,
    /// More handshakes came in a second than configured.
    #[error("too many clients connect at the same time; the client has to try again later")]
    TooFast,
    /// The bytes of a session are altered, sealed with another key, of another version, of the other
    /// side, or its counters are those of another session.
    #[error(
        "the session cannot be read; check that it was sealed with this key, on this side, and that \
         its counters belong to it"
    )]
    ImportRefused,
    /// The credential of a restored session was changed or removed.
    #[error("the credential of the session was changed or removed; connect anew")]
    CredentialChanged,
    /// A session with this Connection ID or address is open, or was open lately.
    #[error("a session with the imported address or Connection ID is open already")]
    AlreadyOpen,
    /// The profile cannot lead to a handshake: a key is too long, or no suite fits the mode.
    #[error("the client profile cannot be used: check its key lengths and cipher suites")]
    UnusableProfile,
    /// The backend does not support what was asked for.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}

/// Why a ClientHello got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum HelloFlaw {
    /// It is longer than 4,096 bytes.
    #[error("is longer than 4,096 bytes; have the client offer less")]
    TooLong,
    /// It is malformed, or its first fragment ends before the cookie.
    #[error("is malformed, or its first fragment ends before the cookie")]
    Malformed,
}

/// Why a handshake failed. The text says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Reason {
    /// The server has no key for the client's PSK identity.
    #[error("no key is stored for the identity \"{}\"; add it", identity.escape_ascii())]
    UnknownIdentity {
        /// The client's identity.
        identity: Bytes,
    },
    /// The peer's Finished is wrong; or none arrived, and its protected records did not
    /// authenticate, or it answered nothing to our Finished with a pre-shared key.
    #[error(
        "the peer's messages do not authenticate: the pre-shared keys differ, most likely; \
         compare the key on both sides"
    )]
    WrongKey,
    /// Client and server share no cipher suite.
    #[error(
        "no common cipher suite, or no P-256 for it{0}; enable one on both sides, or configure the \
         credentials that the peer's suites need"
    )]
    NoCommonSuite(Offered),
    /// Client and server share no certificate type.
    #[error("one side uses raw public keys and the other X.509; use the same mode on both sides")]
    NoCommonCertificateType,
    /// The client offers version 1.3 alone, where it cannot be used: on datagrams, without a
    /// certificate or raw public key, or where it is turned off.
    #[error(
        "the client offers version 1.3 only; it has to offer 1.2, too, for pre-shared keys, for DTLS, \
         and where TLS 1.3 is off"
    )]
    OnlyNewerVersion,
    /// The peer does not support version 1.2.
    #[error("the peer speaks neither DTLS 1.2 nor TLS 1.2 here; check the port, or update it")]
    UnsupportedVersion,
    /// The client falls back to version 1.2 although both sides support 1.3: RFC 7507.
    #[error(
        "the client supports TLS 1.3 but falls back to 1.2; find out why its first attempt \
         failed, and what alters it on the way"
    )]
    InappropriateFallback,
    /// The peer's certificate is expired or not valid yet.
    #[error("the peer's certificate is expired or not valid yet; check the clock, then renew it")]
    CertificateExpired,
    /// The server's certificate is issued for another name.
    #[error("the server's certificate is issued for another name; check the server's URI")]
    NameMismatch,
    /// No path leads from the peer's certificate to a trusted authority.
    #[error(
        "no path leads from the peer's certificate to a trusted authority; add its authority, \
         or send the intermediate certificates, each after the one that it has issued"
    )]
    UnknownAuthority,
    /// The peer's certificate, or one of its authorities, cannot be used.
    #[error("the peer's certificate cannot be used: {0}")]
    BadCertificate(CertificateFlaw),
    /// The peer sent no certificate.
    #[error("the peer sent no certificate; configure one there")]
    NoCertificate,
    /// The peer's public key or certificate is not the configured one.
    #[error("the peer's public key is not the configured one; compare both sides")]
    UnknownPeerKey,
    /// A signature of the peer is not valid.
    #[error("the peer's signature is wrong; its key and certificate differ")]
    BadSignature,
    /// A message arrived out of order.
    #[error("the peer sent a message out of order; its stack is at fault")]
    UnexpectedMessage,
    /// A message is malformed.
    #[error("the peer sent a malformed message; its stack is at fault")]
    Malformed,
    /// A message holds a forbidden value, such as a point off the curve or a suite that was not
    /// offered.
    #[error("the peer sent a forbidden value; its stack is at fault")]
    IllegalParameter,
    /// The server answered an extension that the client did not offer.
    #[error("the peer answered an extension that was not offered; its stack is at fault")]
    UnsupportedExtension,
    /// The session was made with extended master secret and would be resumed without: RFC 7627
    /// section 5.3.
    #[error("the session cannot be resumed; connect without resumption")]
    ResumptionRefused,
    /// The peer names only other application protocols: RFC 7301 section 3.2.
    #[error("the peer offers other application protocols only; check the port")]
    NoApplicationProtocol,
    /// A record of a stream does not authenticate.
    #[error("a record does not authenticate; compare the pre-shared keys on both sides")]
    BadRecord,
    /// A record of a stream is longer than allowed.
    #[error("the peer sent a record that is too long; its stack is at fault")]
    RecordOverflow,
    /// The connection ended before the handshake was finished.
    #[error(
        "the connection could not be made or has ended; check address and port, and the peer's \
         log"
    )]
    Disconnected,
    /// The peer did not answer on a stream in time.
    #[error("no answer; check address and port, and that the peer speaks TLS")]
    Timeout,
    /// The peer did not answer a flight of datagrams.
    #[error(
        "no answer, though the flight was sent {sent} times; check address, port and firewall, and that \
         the peer speaks DTLS"
    )]
    Unanswered {
        /// How often the flight was sent.
        sent: u32,
    },
    /// The client's hello came in fragments, and some did not arrive.
    #[error(
        "a part of the client's hello did not arrive; check whether the path drops datagrams, or \
         have the client send its hello in one"
    )]
    IncompleteHello,
    /// Hellos got no answer. Nothing is proven about their senders, so this is told once a second at
    /// most.
    #[error("{count} hellos got no answer; the last {flaw}")]
    IgnoredHellos {
        /// What was wrong with the last one.
        flaw: HelloFlaw,
        /// How many there were since this was told before.
        count: u64,
    },
    /// The handshake was evicted for a newer one at the configured limit.
    #[error(
        "newer handshakes have evicted it; raise the limit of handshakes, or block the hosts \
         that start so many"
    )]
    Evicted,
    /// The handshake was not started: a configured limit of handshakes, of the host or in all, or
    /// of sessions is reached.
    #[error(
        "too many sessions, or handshakes with this host; raise the limit, or block the hosts \
         that start so many"
    )]
    NoRoom,
    /// The peer ended the handshake with this alert.
    #[error("the peer ended the handshake: {0}; see its log")]
    PeerAlert(Alert),
    /// We ended the handshake, or another one with the same peer replaced it.
    #[error(
        "this side closed it before it was established: it took too long, or another handshake \
         replaced it"
    )]
    Cancelled,
    /// Our own key or the provider failed.
    #[error("the cryptographic library rejected our own key; check it")]
    Internal,
    /// The backend does not support what the handshake needs.
    #[error(transparent)]
    Unsupported(Unsupported),
}

impl Reason {
    /// The alert that ended the handshake: the peer's or ours. `None` if no alert was sent, for
    /// example after a timeout.
    pub fn alert(&self) -> Option<Alert> {
        Some(match self {
            Self::UnknownIdentity { .. } => Alert::UNKNOWN_PSK_IDENTITY,
            Self::WrongKey | Self::BadSignature => Alert::DECRYPT_ERROR,
            Self::NoCommonSuite(_) | Self::NoCertificate | Self::ResumptionRefused => {
                Alert::HANDSHAKE_FAILURE
            }
            Self::NoCommonCertificateType => Alert::UNSUPPORTED_CERTIFICATE,
            Self::UnsupportedVersion | Self::OnlyNewerVersion => Alert::PROTOCOL_VERSION,
            Self::InappropriateFallback => Alert::INAPPROPRIATE_FALLBACK,
            Self::CertificateExpired => Alert::CERTIFICATE_EXPIRED,
            Self::NameMismatch | Self::BadCertificate(_) => Alert::BAD_CERTIFICATE,
            Self::UnknownAuthority => Alert::UNKNOWN_CA,
            Self::UnknownPeerKey => Alert::CERTIFICATE_UNKNOWN,
            Self::UnexpectedMessage => Alert::UNEXPECTED_MESSAGE,
            Self::Malformed => Alert::DECODE_ERROR,
            Self::IllegalParameter => Alert::ILLEGAL_PARAMETER,
            Self::UnsupportedExtension => Alert::UNSUPPORTED_EXTENSION,
            Self::Cancelled => Alert::USER_CANCELED,
            Self::Internal | Self::Unsupported(_) => Alert::INTERNAL_ERROR,
            Self::NoApplicationProtocol => Alert::NO_APPLICATION_PROTOCOL,
            Self::BadRecord => Alert::BAD_RECORD_MAC,
            Self::RecordOverflow => Alert::RECORD_OVERFLOW,
            Self::PeerAlert(alert) => *alert,
            Self::Timeout
            | Self::Unanswered { .. }
            | Self::Disconnected
            | Self::IncompleteHello
            | Self::IgnoredHellos { .. }
            | Self::Evicted
            | Self::NoRoom => return None,
        })
    }

    /// The alert to send to the peer; `None` if the peer sent one.
    pub(crate) fn answer(&self) -> Option<Alert> {
        self.alert().filter(|_| !matches!(self, Self::PeerAlert(_)))
    }
}
