//! From the library's failures to reasons.

use crate::alert::Alert;
use crate::certificate::CertificateFlaw;
use crate::error::Reason;
use crate::handshake::framing::Framing;
use crate::record::header::{ContentType, HEADER_LENGTH};
use crate::suite::Offered;
use lwm2m_mbedtls::Failure;

/// The last thing that the library has sent by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Nothing,
    /// An unprotected alert.
    Alert(Alert),
    Other,
}

impl Said {
    pub(super) fn of(framing: Framing, bytes: &[u8]) -> Self {
        let header = match framing {
            Framing::Datagram => HEADER_LENGTH,
            Framing::Stream => 5,
        };
        let is_alert = bytes.first() == Some(&ContentType::ALERT.0);
        match bytes.get(header..).and_then(Alert::decode) {
            Some((alert, _)) if is_alert => Self::Alert(alert),
            _ => Self::Other,
        }
    }
}

/// Why a handshake failed.
pub(super) fn of_handshake(failure: Failure, framing: Framing, said: Said) -> Reason {
    match failure {
        Failure::CloseNotify => Reason::PeerAlert(Alert::CLOSE_NOTIFY),
        Failure::Alert(alert) => Reason::PeerAlert(Alert(alert)),
        Failure::Timeout => Reason::Timeout,
        Failure::BadRecord if framing == Framing::Stream => Reason::BadRecord,
        Failure::BadRecord | Failure::BadFinished => Reason::WrongKey,
        // The owner has not refused it, so the library could not parse it.
        Failure::Distrusted => Reason::BadCertificate(CertificateFlaw::Malformed),
        Failure::NoCommonSuite => Reason::NoCommonSuite(Offered::default()),
        Failure::NoCertificate => Reason::NoCertificate,
        Failure::BadSignature => Reason::BadSignature,
        Failure::Version => Reason::UnsupportedVersion,
        Failure::UnexpectedMessage => Reason::UnexpectedMessage,
        // The library rejects the first record of a connection by its header alone.
        Failure::InvalidRecord if framing == Framing::Stream => Reason::UnsupportedVersion,
        Failure::Exhausted | Failure::Internal(_) => Reason::Internal,
        _ => of_alert(said),
    }
}

/// The reason by the alert that the library has sent, where its error code says too little.
fn of_alert(said: Said) -> Reason {
    match said {
        Said::Alert(Alert::NO_APPLICATION_PROTOCOL) => Reason::NoApplicationProtocol,
        Said::Alert(Alert::PROTOCOL_VERSION) => Reason::UnsupportedVersion,
        Said::Alert(Alert::ILLEGAL_PARAMETER) => Reason::IllegalParameter,
        Said::Alert(Alert::UNEXPECTED_MESSAGE) => Reason::UnexpectedMessage,
        Said::Alert(Alert::UNSUPPORTED_EXTENSION) => Reason::UnsupportedExtension,
        Said::Alert(Alert::DECRYPT_ERROR) => Reason::BadSignature,
        Said::Alert(Alert::RECORD_OVERFLOW) => Reason::RecordOverflow,
        _ => Reason::Malformed,
    }
}

/// Why an established session ended.
pub(super) fn of_session(failure: Failure) -> Reason {
    match failure {
        Failure::Alert(alert) => Reason::PeerAlert(Alert(alert)),
        Failure::BadRecord => Reason::BadRecord,
        Failure::UnexpectedMessage => Reason::UnexpectedMessage,
        Failure::Exhausted | Failure::Internal(_) => Reason::Internal,
        _ => Reason::Malformed,
    }
}
