//! What may be wrong with a configuration, and how an operation is refused.

use crate::security::SecurityError;
use alloc::string::String;
use lwm2m_coap::{Code, FailReason, Response};
use lwm2m_core::{ContentFormat, DataType, Path};
use lwm2m_dtls::{Alert, Reason};

/// Why a client cannot be made of a configuration and its objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The endpoint name, of so many bytes, is empty or too long for a query parameter.
    #[error("an endpoint name has 1 to 252 bytes, not {0}")]
    EndpointName(usize),
    /// Two accounts have the same short server id, or one has 0 or 65535.
    #[error("short server id {0} is used twice or is not one of 1 to 65534")]
    ShortServerId(u16),
    /// Two accounts have the same address, so that requests could not be told apart. The bootstrap
    /// server is 0.
    #[error("the servers {0} and {1} have the same address; give each its own")]
    SameAddress(u16, u16),
    /// URI, mode and keys of an account do not fit each other, or cannot be read. The bootstrap
    /// server is 0.
    #[error("the account of server {0}: {1}")]
    Security(u16, SecurityError),
    /// The server is reached by TCP, which LwM2M 1.0 does not have. The bootstrap server is 0.
    #[error("server {0} is reached by TCP, which LwM2M 1.0 does not have; use version 1.1 or 1.2")]
    Transport(u16),
    /// Two objects have the same id.
    #[error("object {0} is given twice; one object holds all of its instances")]
    DuplicateObject(u16),
    /// The objects 0 and 1 are made from the accounts, and 21 and 23 hold credentials.
    #[error("object {0} is the client's own; describe servers in the accounts")]
    ReservedObject(u16),
    /// Neither the OMA registry nor the configuration defines the object in this version.
    #[error("object {0} has no definition in its version; add one to the configuration")]
    UndefinedObject(u16),
    /// An object that every client has is missing: Device (3).
    #[error("every client has object {0}, but it was not given")]
    MissingObject(u16),
    /// A mandatory resource is missing.
    #[error("{0} is mandatory but not there; set it when the object is made")]
    MissingResource(Path),
    /// A single-instance object has an instance other than 0.
    #[error("{0} cannot be: the object has no instance but 0")]
    SingleInstance(Path),
    /// An object holds a value that does not fit its definition.
    #[error(transparent)]
    Value(#[from] ValueError),
}

/// A value of the device that an object does not take (OMA LwM2M Core, Appendices C and D).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// The client has no such object, or it is of another Rust type.
    #[error("the client has no object {0} of this Rust type")]
    NoObject(u16),
    /// The object instance does not exist.
    #[error("{0} does not exist; insert the instance first")]
    NoInstance(Path),
    /// The value is not of the data type of its resource.
    #[error("{path} is of type {}, but the value is of type {}", .expected.name(), .found.name())]
    Type {
        /// The resource.
        path: Path,
        /// The type of the resource.
        expected: DataType,
        /// The type of the value.
        found: DataType,
    },
    /// A single-instance resource was given resource instances, or a multiple-instance resource a
    /// single value.
    #[error("{0} is single-instance or multiple-instance, other than the value")]
    Instances(Path),
}

/// Why an operation of a server is not done; each goes with a CoAP code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// 4.00: the request, or a value in it, is wrong.
    #[error("the request or a value in it is wrong")]
    BadRequest,
    /// 4.01: the server has no right to it.
    #[error("the server has no right to this")]
    Unauthorized,
    /// 4.04: the target does not exist.
    #[error("the target does not exist")]
    NotFound,
    /// 4.05: the target does not offer this operation.
    #[error("the target does not offer this operation")]
    MethodNotAllowed,
    /// 4.06: the format that was asked for cannot carry the target.
    #[error("the format that was asked for cannot carry the target")]
    NotAcceptable,
    /// 4.15: the payload is in a format that is not supported here.
    #[error("the payload is in a format that is not supported here")]
    UnsupportedContentFormat,
    /// 5.00: the device failed.
    #[error("the device failed")]
    Internal,
    /// 5.03: the device cannot do it now.
    #[error("the device cannot do it now")]
    Unavailable,
}

impl Refusal {
    /// The code of the answer.
    #[must_use]
    pub const fn code(self) -> Code {
        match self {
            Self::BadRequest => Code::BAD_REQUEST,
            Self::Unauthorized => Code::UNAUTHORIZED,
            Self::NotFound => Code::NOT_FOUND,
            Self::MethodNotAllowed => Code::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => Code::NOT_ACCEPTABLE,
            Self::UnsupportedContentFormat => Code::UNSUPPORTED_CONTENT_FORMAT,
            Self::Internal => Code::INTERNAL_SERVER_ERROR,
            Self::Unavailable => Code::SERVICE_UNAVAILABLE,
        }
    }
}

/// Why the accounts that a bootstrap server wrote are not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccountsError {
    /// There is no account of a server.
    #[error("there is no account of a server; write an instance of object 0, and one of object 1")]
    NoServer,
    /// An instance of the Security object, by its id, is wrong in itself.
    #[error("/0/{0}: {1}")]
    Security(u16, SecurityError),
    /// An instance of the Security object gives the bootstrap server another name.
    #[error("/0/{0}/0 has another host name for the bootstrap server; write its address")]
    BootstrapName(u16),
    /// An instance of the Security object has the address or the URI of another one.
    #[error("/0/{0}/0 is where another server is; give each its own address and port")]
    SameAddress(u16),
    /// An instance of the Security object is that of a second bootstrap server.
    #[error("/0/{0}/1 makes it a second bootstrap server; there is one at most")]
    SecondBootstrapServer(u16),
    /// The short server id in an instance of the Security object is missing, repeated or reserved.
    #[error("/0/{0}/10 is missing, that of another instance, or none of 1 to 65534")]
    ShortServerId(u16),
    /// A short server id has no complete instance of the Server object.
    #[error("short server id {0} has no complete instance of object 1")]
    NoSettings(u16),
}

/// The longest diagnostic text that is kept, in bytes.
const MAX_DIAGNOSTIC: usize = 200;

/// The error response of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorResponse {
    /// What it answered.
    pub code: Code,
    /// What it says to it, if anything (RFC 7252 section 5.5.2): at most 200 bytes, as they came.
    pub diagnostic: String,
}

impl ErrorResponse {
    pub(crate) fn of(response: &Response) -> Self {
        let text = match response.options.content_format() {
            None => response.payload.get(..MAX_DIAGNOSTIC).unwrap_or(&response.payload),
            Some(_) => &[],
        };
        Self { code: response.code, diagnostic: String::from_utf8_lossy(text).into_owned() }
    }
}

impl core::fmt::Display for ErrorResponse {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", self.code)?;
        match self.diagnostic.is_empty() {
            true => Ok(()),
            // A server may say anything, also what would break the lines of a log.
            false => write!(f, ": {}", self.diagnostic.escape_debug()),
        }
    }
}

/// Why a bootstrap failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BootstrapError {
    /// The bootstrap server answered with an error.
    #[error("the bootstrap server refused with {0}; see its log")]
    Refused(ErrorResponse),
    /// The bootstrap server did not answer.
    #[error("{0}")]
    NoAnswer(FailReason),
    /// No session was established with the bootstrap server.
    #[error("no secured session: {0}")]
    Handshake(Reason),
    /// The bootstrap server began, but did not finish in time, or not with consistent accounts.
    #[error("the bootstrap server did not finish; its own account is as before")]
    Unfinished,
    /// The bootstrap server finished, but no server that it named accepted the client.
    #[error("no server that the bootstrap server named accepted the registration")]
    Fruitless,
    /// The certificate that the bootstrap server issued cannot be used (mode 4).
    #[error("the bootstrap server issued no usable certificate: {0}")]
    Certificate(SecurityError),
    /// The library of cryptography made no key (mode 4).
    #[error("no key could be made for a certificate; check the provider")]
    Key,
    /// The request could not be sent; a bound of the CoAP configuration is too small.
    #[error("the request could not be sent; raise the bounds in the CoAP configuration")]
    NotSent,
}

/// Why values are not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The client is not registered with this server.
    #[error("the client is not registered with server {0}; send after Event::Registered")]
    NotRegistered(u16),
    /// The server wants nothing sent: Mute Send (/1/x/23) is true or missing.
    #[error("server {0} is mute; it has to write false to Mute Send (/1/x/23)")]
    Muted(u16),
    /// The server does not know what lives there, or must not.
    #[error("{0} is not registered with the server, so its values cannot be sent")]
    Unregistered(Path),
    /// There is nothing at the path, or servers may not read it.
    #[error("{0} does not exist or cannot be read by servers")]
    Unreadable(Path),
    /// The paths have no values at all.
    #[error("there are no values at the paths")]
    NoValues,
    /// Send has another format in this version of LwM2M, or none at all (1.0).
    #[error("values cannot be sent as {0} in this version of LwM2M; leave the format out")]
    Format(ContentFormat),
    /// The request could not be sent; a bound of the CoAP configuration is too small.
    #[error("the request could not be sent; raise the bounds in the CoAP configuration")]
    NotSent,
}

/// Why a registration, or another request to a server, failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrationError {
    /// The server answered with an error.
    #[error("the server refused with {0}; see its log")]
    Refused(ErrorResponse),
    /// The server did not answer.
    #[error("{0}")]
    NoAnswer(FailReason),
    /// No session was established with the server.
    #[error("no secured session: {0}")]
    Handshake(Reason),
    /// The server has ended the session with an alert.
    #[error("the server ended the session: {0}; see its log")]
    Alert(Alert),
    /// The address of the server is not known yet.
    #[error("the server's address is not known yet; its name has to be looked up")]
    NoAddress,
    /// The server accepted, but did not say where the registration is.
    #[error("the server accepted but named no location; it breaks OMA LwM2M Transport 6.4.3")]
    NoLocation,
    /// A bootstrap has removed the account of the server.
    #[error("a bootstrap has removed the account of the server")]
    AccountRemoved,
    /// The request could not be sent; a bound of the CoAP configuration is too small.
    #[error("the request could not be sent; raise the bounds in the CoAP configuration")]
    NotSent,
}

impl RegistrationError {
    /// Whether no further attempt can succeed before the account has other credentials (OMA LwM2M
    /// Transport 5.2.9).
    #[must_use]
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Handshake(Reason::PeerAlert(alert)) | Self::Alert(alert) => is_final(*alert),
            _ => false,
        }
    }

    /// Whether the server may be at another address by now.
    pub(crate) const fn may_be_elsewhere(&self) -> bool {
        matches!(self, Self::NoAnswer(_) | Self::Handshake(_) | Self::NoAddress)
    }
}

impl BootstrapError {
    /// As [`RegistrationError::is_final`].
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Handshake(Reason::PeerAlert(alert)) if is_final(*alert))
    }
}

/// Whether no further attempt with the same credentials can succeed after this alert (OMA LwM2M
/// Transport 5.2.9).
const fn is_final(alert: Alert) -> bool {
    matches!(alert.0, 42..=46 | 48 | 49 | 112..=115)
}
