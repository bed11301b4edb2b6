//! From the library's errors to reasons, and back.

use crate::alert::Alert;
use crate::certificate::CertificateFlaw;
use crate::error::Reason;
use crate::suite::Offered;
use alloc::sync::Arc;
use rustls::{CertificateError, Error, OtherError, PeerIncompatible};

/// The reason for an error of the library.
pub(super) fn of(error: &Error) -> Reason {
    match error {
        Error::InappropriateMessage { .. } | Error::InappropriateHandshakeMessage { .. } => {
            Reason::UnexpectedMessage
        }
        Error::InvalidMessage(_) => Reason::Malformed,
        Error::NoCertificatesPresented => Reason::NoCertificate,
        Error::DecryptError => Reason::BadRecord,
        Error::PeerSentOversizedRecord => Reason::RecordOverflow,
        Error::NoApplicationProtocol => Reason::NoApplicationProtocol,
        Error::AlertReceived(alert) => Reason::PeerAlert(Alert(u8::from(*alert))),
        Error::InvalidCertificate(CertificateError::BadSignature) => Reason::BadSignature,
        Error::InvalidCertificate(_) => Reason::BadCertificate(CertificateFlaw::Malformed),
        Error::PeerIncompatible(problem) => incompatible(problem),
        Error::PeerMisbehaved(_) => Reason::IllegalParameter,
        _ => Reason::Internal,
    }
}

fn incompatible(problem: &PeerIncompatible) -> Reason {
    match problem {
        PeerIncompatible::IncorrectCertificateTypeExtension
        | PeerIncompatible::UnsolicitedCertificateTypeExtension => Reason::NoCommonCertificateType,
        PeerIncompatible::ServerDoesNotSupportTls12Or13
        | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig
        | PeerIncompatible::SupportedVersionsExtensionRequired
        | PeerIncompatible::Tls12NotOffered
        | PeerIncompatible::Tls12NotOfferedOrEnabled
        | PeerIncompatible::Tls13RequiredForQuic => Reason::UnsupportedVersion,
        _ => Reason::NoCommonSuite(Offered::default()),
    }
}

/// The error by which the library sends the alert of a reason.
pub(super) fn refusal(reason: &Reason) -> Error {
    Error::InvalidCertificate(match reason {
        Reason::CertificateExpired => CertificateError::Expired,
        Reason::UnknownAuthority => CertificateError::UnknownIssuer,
        Reason::NameMismatch => CertificateError::NotValidForName,
        Reason::BadSignature => CertificateError::BadSignature,
        Reason::UnknownPeerKey => CertificateError::Other(OtherError(Arc::new(reason.clone()))),
        _ => CertificateError::BadEncoding,
    })
}
