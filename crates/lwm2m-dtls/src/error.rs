//! What can go wrong: [`Error`] for a call, [`Reason`] for a handshake.

use crate::alert::Alert;
use crate::unsupported::Unsupported;
use bytes::Bytes;
use core::fmt;

/// Why a call was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The session is closed or was never there.
    #[error("there is no such session; it may have closed: connect anew")]
    UnknownSession,
    /// The handshake is still under way.
    #[error("the session is not established yet; wait for the event that it is connected")]
    NotEstablished,
    /// More bytes than fit one record.
    #[error("a record of this session holds at most {limit} bytes; send less at once")]
    TooLarge {
        /// What fits, in bytes.
        limit: usize,
    },
    /// The sequence numbers of the epoch are used up: RFC 6347 section 4.1.
    #[error("all 2^48 sequence numbers of the session are used; connect anew")]
    SequenceExhausted,
    /// As many sessions or handshakes as the configuration allows.
    #[error("as many sessions as configured are open; close one or raise the limit")]
    TooManySessions,
    /// Exported bytes that are altered, sealed with another key or of another version.
    #[error("the exported session cannot be read; check that it was sealed with this key")]
    ImportRefused,
    /// A session with this Connection ID or peer is there already.
    #[error("a session with the imported address or Connection ID is open already")]
    AlreadyOpen,
    /// The profile cannot make a handshake: a key too long, no suite that fits.
    #[error("the client profile offers nothing: check its key lengths and cipher suites")]
    UnusableProfile,
    /// The backend lacks what was asked for.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
}

/// Why a handshake failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The server has no key for the client's PSK identity.
    UnknownIdentity {
        /// What the client called itself.
        identity: Bytes,
    },
    /// The peer's Finished is wrong; or none came and its protected records did not
    /// authenticate; or none came in answer to ours, made with a pre-shared key.
    WrongKey,
    /// Client and server share no cipher suite.
    NoCommonSuite,
    /// Client and server share no certificate type.
    NoCommonCertificateType,
    /// The peer speaks no version 1.2.
    UnsupportedVersion,
    /// The client tries again with version 1.2, and both sides have 1.3: RFC 7507.
    InappropriateFallback,
    /// The peer's certificate is expired or not valid yet.
    CertificateExpired,
    /// The server's certificate is for another name.
    NameMismatch,
    /// The peer's certificate leads to no trusted authority.
    UnknownAuthority,
    /// The peer's certificate cannot be read or may not be used for this.
    BadCertificate,
    /// The peer sent no certificate.
    NoCertificate,
    /// The peer's public key or certificate is not the one configured.
    UnknownPeerKey,
    /// A signature of the peer is wrong.
    BadSignature,
    /// A message that has no place at this point of the handshake.
    UnexpectedMessage,
    /// A message that cannot be read.
    Malformed,
    /// A value that the standards forbid: a point off the curve, a suite that was not offered.
    IllegalParameter,
    /// The server answered an extension that was not offered.
    UnsupportedExtension,
    /// A session may not be resumed like this (extended master secret).
    ResumptionRefused,
    /// The peer speaks none of our application protocols: RFC 7301 section 3.2.
    NoApplicationProtocol,
    /// A record of a stream that does not authenticate.
    BadRecord,
    /// A record of a stream that is longer than any may be.
    RecordOverflow,
    /// The connection ended before the handshake did.
    Disconnected,
    /// The peer fell silent.
    Timeout,
    /// It gave way to newer ones: as many handshakes as configured were under way.
    Evicted,
    /// It was not begun: as many as configured were under way, in all or with the host, or as many
    /// sessions open.
    NoRoom,
    /// The peer ended the handshake.
    PeerAlert(Alert),
    /// We ended it: the session was closed before it was established.
    Cancelled,
    /// Cryptography of our own failed.
    Internal,
    /// The backend lacks what it takes.
    Unsupported(Unsupported),
}

impl Reason {
    /// The alert that ended the handshake: the peer's, or the one that tells the peer. A peer
    /// that fell silent got and sent none.
    pub fn alert(&self) -> Option<Alert> {
        Some(match self {
            Self::UnknownIdentity { .. } => Alert::UNKNOWN_PSK_IDENTITY,
            Self::WrongKey | Self::BadSignature => Alert::DECRYPT_ERROR,
            Self::NoCommonSuite | Self::NoCertificate | Self::ResumptionRefused => {
                Alert::HANDSHAKE_FAILURE
            }
            Self::NoCommonCertificateType => Alert::UNSUPPORTED_CERTIFICATE,
            Self::UnsupportedVersion => Alert::PROTOCOL_VERSION,
            Self::InappropriateFallback => Alert::INAPPROPRIATE_FALLBACK,
            Self::CertificateExpired => Alert::CERTIFICATE_EXPIRED,
            Self::NameMismatch | Self::BadCertificate => Alert::BAD_CERTIFICATE,
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
            Self::Timeout | Self::Disconnected | Self::Evicted | Self::NoRoom => return None,
        })
    }

    /// The alert that tells the peer, who knows its own.
    pub(crate) fn answer(&self) -> Option<Alert> {
        self.alert().filter(|_| !matches!(self, Self::PeerAlert(_)))
    }

    fn text(&self) -> &'static str {
        match self {
            Self::UnknownIdentity { .. } => "no key is stored for the identity",
            Self::WrongKey => {
                "the peer's messages do not authenticate: the pre-shared keys differ, most \
                 likely; compare the key on both sides"
            }
            Self::NoCommonSuite => {
                "no common cipher suite, or no P-256 for it; enable one on both sides, or configure \
                 the credentials that the peer's suites need"
            }
            Self::NoCommonCertificateType => {
                "one side wants raw public keys and the other X.509; use one mode on both sides"
            }
            Self::UnsupportedVersion => {
                "the peer speaks neither DTLS 1.2 nor TLS 1.2 here; check the port, or update it"
            }
            Self::InappropriateFallback => {
                "the client has TLS 1.3 and came back with 1.2; see what lies between, and why its \
                 first attempt failed"
            }
            Self::CertificateExpired => {
                "the peer's certificate is expired or not valid yet; check the clock, then renew it"
            }
            Self::NameMismatch => {
                "the server's certificate is for another name; check the server's URI or the SNI"
            }
            Self::UnknownAuthority => {
                "the peer's certificate leads to no trusted authority; add its authority or send \
                 the intermediate certificates"
            }
            Self::BadCertificate => {
                "the peer's certificate cannot be used; issue one for P-256 and for the use of its \
                 side, as client or server"
            }
            Self::NoCertificate => "the peer sent no certificate; configure one there",
            Self::UnknownPeerKey => {
                "the peer's public key is not the configured one; compare both sides"
            }
            Self::BadSignature => "the peer's signature is wrong; its key and certificate differ",
            Self::UnexpectedMessage => "a message out of order; the peer's stack is at fault",
            Self::Malformed => "a message that cannot be read; the peer's stack is at fault",
            Self::IllegalParameter => "a forbidden value; the peer's stack is at fault",
            Self::UnsupportedExtension => {
                "an extension that was not offered; the peer's stack is at fault"
            }
            Self::ResumptionRefused => "the session cannot be resumed; connect without resumption",
            Self::NoApplicationProtocol => {
                "the peer speaks another protocol on TLS; connect to it with what it speaks"
            }
            Self::BadRecord => {
                "a record does not authenticate; compare the pre-shared keys on both sides"
            }
            Self::RecordOverflow => "a record is too long; the peer's stack is at fault",
            Self::Disconnected => {
                "no connection came about, or it ended; check address and port, and the peer's log"
            }
            Self::Timeout => {
                "no answer; check address, port and firewall, and that the peer speaks DTLS"
            }
            Self::Evicted => {
                "it gave way to newer handshakes; raise their limit, or keep out who begins so many"
            }
            Self::NoRoom => {
                "too many sessions, or handshakes with its host; raise the limit, or keep out who \
                 begins so many"
            }
            Self::PeerAlert(_) => "the peer ended the handshake",
            Self::Cancelled => {
                "this side closed it before it was established: it took too long, or another one \
                 took its place"
            }
            Self::Unsupported(lacking) => lacking.text(),
            Self::Internal => "the cryptographic library refused our own key; check it",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownIdentity { identity } => {
                write!(f, "{} \"{}\"; add it", self.text(), identity.escape_ascii())
            }
            Self::PeerAlert(alert) => write!(f, "{}: {alert}; see its log", self.text()),
            _ => f.write_str(self.text()),
        }
    }
}

impl core::error::Error for Reason {}
