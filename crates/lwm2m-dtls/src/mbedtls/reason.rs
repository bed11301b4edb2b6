//! What the library's failures mean.

use super::progress::Said;
use crate::alert::Alert;
use crate::error::Reason;
use crate::event::Cause;
use crate::handshake::transcript::Framing;
use lwm2m_mbedtls::Failure;

/// Why a handshake failed.
pub(super) fn of_handshake(failure: Failure, framing: Framing, said: Said) -> Reason {
    match failure {
        Failure::CloseNotify => Reason::PeerAlert(Alert::CLOSE_NOTIFY),
        Failure::Alert(alert) => Reason::PeerAlert(Alert(alert)),
        Failure::Timeout => Reason::Timeout,
        Failure::BadRecord if framing == Framing::Stream => Reason::BadRecord,
        Failure::BadRecord | Failure::BadFinished => Reason::WrongKey,
        // Where the owner did not refuse it, it could not be read.
        Failure::Distrusted => Reason::BadCertificate,
        Failure::NoCommonSuite => Reason::NoCommonSuite,
        Failure::NoCertificate => Reason::NoCertificate,
        Failure::BadSignature => Reason::BadSignature,
        Failure::Version => Reason::UnsupportedVersion,
        Failure::UnexpectedMessage => Reason::UnexpectedMessage,
        // The first record of a connection is judged by its header alone.
        Failure::InvalidRecord if framing == Framing::Stream => Reason::UnsupportedVersion,
        Failure::Exhausted | Failure::Internal(_) => Reason::Internal,
        _ => of_alert(said),
    }
}

/// What the alert tells that the library has sent, where its code does not.
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

/// Why an established session has ended.
pub(super) fn of_session(failure: Failure) -> Cause {
    match failure {
        Failure::CloseNotify => Cause::ByPeer,
        Failure::Alert(alert) => Cause::Alert(Alert(alert)),
        Failure::Exhausted => Cause::Exhausted,
        Failure::BadRecord => Cause::Broken(Alert::BAD_RECORD_MAC),
        Failure::UnexpectedMessage => Cause::Broken(Alert::UNEXPECTED_MESSAGE),
        Failure::Internal(_) => Cause::Broken(Alert::INTERNAL_ERROR),
        _ => Cause::Broken(Alert::DECODE_ERROR),
    }
}
