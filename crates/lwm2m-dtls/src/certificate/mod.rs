//! Public keys and certificates: RFC 5480, RFC 5280, RFC 7250.

pub(crate) mod chain;
mod der;
mod early;
mod flaw;
mod name;
mod request;
pub(crate) mod spki;
pub(crate) mod verify;

pub use flaw::CertificateFlaw;
pub use request::{certification_request, private_key};
pub use spki::subject_public_key_info;
pub use verify::{Association, CertificateUsage, Matching, ServerVerification, check_authority};
