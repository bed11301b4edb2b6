//! What the API answers when it cannot do what it is asked: problem JSON (RFC 9457).
//!
//! Handlers return an [`ApiError`]. It travels with the response as an extension, and
//! [`render`], which knows the address of the request, writes the body.

use crate::json::bootstrap::BootstrapJsonError;
use crate::json::node::NodeError;
use crate::json::security::SecurityJsonError;
use crate::json::value::ValueError;
use axum::body::Body;
use axum::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use lwm2m_coap::{Error as CoapError, FailReason};
use lwm2m_core::Path;
use lwm2m_core::attributes::AttributeError;
use lwm2m_core::path::PathError;
use lwm2m_credentials::StoreError;
use lwm2m_net::{Closed, RequestError};
use lwm2m_server::{Invalid, OperationError, SubmitError};
use serde_json::json;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// When to come back, in seconds: message IDs and slots for requests become free one after the other,
/// and a store that failed is tried again.
const BUSY_FOR: HeaderValue = HeaderValue::from_static("10");

/// What a request without a proof of its sender is asked for (RFC 6750 section 3).
const BEARER: HeaderValue = HeaderValue::from_static("Bearer realm=\"lwm2m\"");

/// Why a request was not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("no device is registered as `{0}`; GET /api/clients lists those that are")]
    UnknownEndpoint(String),
    #[error("no credentials are stored for `{0}`; GET /api/security/clients lists those that are")]
    NoCredentials(String),
    #[error("the credentials of `{0}` come from the server's own file; change them there")]
    FixedCredentials(String),
    #[error(
        "the server has no port for DTLS or TLS, so `{0}` could not use credentials; start it with --coaps or --coaps-tcp"
    )]
    NoSecurePort(String),
    #[error(
        "this server bootstraps no devices; start it with --bootstrap-coaps or --bootstrap-coap"
    )]
    NoBootstrap,
    #[error(
        "the bootstrap server has no port for DTLS or TLS, so `{0}` could not use credentials; start it with --bootstrap-coaps or --bootstrap-coaps-tcp"
    )]
    NoSecureBootstrapPort(String),
    #[error("`{0}` has no configuration; GET /api/bootstrap lists the devices that have one")]
    NoConfiguration(String),
    #[error("`{0}` is not known; POST /api/devices makes a device")]
    NoDevice(String),
    #[error(
        "`{0}` is known already; DELETE /api/devices/{0} takes it away with its keys, and new ones can be made"
    )]
    KnownDevice(String),
    #[error("there is no output `{0}`; GET /api/outputs lists those that there are")]
    NoOutput(String),
    #[error("{0} devices have one already, or all together have 64 MiB; remove some first")]
    TooManyBootstraps(usize),
    #[error(transparent)]
    Bootstrap(#[from] BootstrapJsonError),
    #[error("the credentials cannot be stored: {0}")]
    Store(#[from] StoreError),
    #[error("this identity or public key cannot be used; take another one")]
    TakenElsewhere,
    #[error("the change holds, but a restart will lose it: the file cannot be written: {0}")]
    NotSaved(#[source] std::io::Error),
    #[error("there is nothing at this address")]
    UnknownRoute,
    #[error("this address does not know the method; the header Allow lists those that it knows")]
    Method(Option<&'static str>),
    #[error("the address cannot be read; write segments as percent-encoded UTF-8")]
    Address,
    #[error(transparent)]
    Path(#[from] PathError),
    #[error("{operation} needs the path of {needed}")]
    Depth { operation: &'static str, needed: &'static str },
    #[error("the query parameter `{name}` must be {expected}")]
    Parameter { name: &'static str, expected: &'static str },
    #[error("there is no query parameter `{0}` here; correct it or leave it out")]
    UnknownParameter(String),
    #[error("the query parameter `timeout` must be a whole number of seconds from 1 to {}", .0.as_secs())]
    Timeout(Duration),
    #[error("pmax is shorter than pmin, so the device would ignore it; send pmax of pmin or more")]
    Periods,
    #[error(
        "attributes of an observation of several paths need LwM2M 1.2, which the device does not \
         have; set them by PUT …/attributes on each path"
    )]
    CompositeAttributes,
    #[error("the query cannot be read; write name=value&name=value, percent-encoded")]
    Query,
    #[error("`{0}`: {1}")]
    Attribute(String, #[source] AttributeError),
    #[error("there is no attribute to write; write for example /attributes?pmin=10&pmax=60")]
    NoAttribute,
    #[error("the content type of the body must be application/json or text/plain")]
    ContentType,
    #[error(
        "the content type of the body must be application/json: text/plain is for the value of one \
         resource"
    )]
    NotJson,
    #[error("the body is not JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error(transparent)]
    Security(#[from] SecurityJsonError),
    #[error(transparent)]
    Text(#[from] ValueError),
    #[error("the body is not UTF-8 text")]
    NotText,
    #[error("the body is larger than {0} bytes, the limit of this server")]
    BodyTooLarge(usize),
    #[error("the body did not arrive within {} s; send it faster", .0.as_secs())]
    BodyTooSlow(Duration),
    #[error("the body ended early")]
    BodyLost,
    #[error(
        "the request comes from a page of another origin; only pages of this server, and programs \
         that are no browsers, may use the API"
    )]
    ForeignOrigin,
    #[error(
        "this server does not answer to the host name in the header Host; use its IP address, or \
         start it with --http-host NAME to allow the name"
    )]
    ForeignHost,
    #[error("a request has one header field Host (RFC 9112 section 3.2), not {0}")]
    Hosts(usize),
    #[error("send a token in the header `Authorization: Bearer`, or log in by POST /api/session")]
    LogIn,
    #[error("the token is not valid: it is mistyped, was revoked, or has expired")]
    Token,
    #[error("`{name}` may not do this; it needs the scope {needed}")]
    Forbidden { name: String, needed: &'static str },
    #[error(
        "user and password do not fit, or the token is not valid; a link works once, within an hour"
    )]
    LogInFailed,
    #[error("too many log-ins have failed; try again in {0} s")]
    TooManyAttempts(u64),
    #[error("{name} must be {expected}")]
    Member { name: &'static str, expected: &'static str },
    #[error("the server cannot make a secret: it has no randomness or memory for it")]
    NoRandomness,
    #[error("the change cannot be kept at present: {0}")]
    NotKept(String),
    #[error("the request did not come to its end: {0}")]
    Unfinished(tokio::task::JoinError),
    #[error("{0} bulks are going through the fleet already; wait for one, or take one back")]
    TooManyBulks(usize),
    #[error("the body: {0}")]
    Model(#[from] lwm2m_objects::xml::XmlError),
    #[error("the API has definitions of {0} MiB already; remove some first, or use --models DIR")]
    TooManyModels(usize),
    #[error(
        "the API has no definition of object {0} in this version; others cannot be removed by it"
    )]
    NoModel(String),
    #[error("there are 10000 of them already; remove one first")]
    TooManyEntries,
    #[error("there is no `{0}`")]
    UnknownName(String),
    #[error("`{0}` has no session: it registered in the clear, or its session has ended already")]
    NoSession(String),
    #[error("all {0} event streams are in use; close one, or raise the limit")]
    TooManySubscribers(usize),
    #[error("no command has the number {0}; GET /api/commands lists those that there are")]
    UnknownCommand(String),
    #[error("the command was taken back before the device answered")]
    CommandRemoved,
    #[error("{reason}")]
    CommandFailed {
        reason: String,
        /// Whether the device has not answered.
        is_silent: bool,
    },
    #[error("the header Idempotency-Key is one text of 1 to 255 visible characters")]
    IdempotencyKey,
    #[error("no values at or below {path} are kept of `{endpoint}`; read or observe them once")]
    NoValues { endpoint: String, path: Path },
    #[error("more than {0} values are kept at and below this path; ask for a part of it")]
    TooManyValues(usize),
    #[error("this server keeps no values; start it with --data DIR")]
    KeepsNothing,
    #[error("this server does not record the messages of devices; start it with --recorder-bytes")]
    NotRecorded,
    #[error("the store cannot be read: {0}")]
    StoreRead(#[from] lwm2m_store::StoreError),
    #[error("reading the store did not come to its end: {0}")]
    Interrupted(tokio::task::JoinError),
    #[error(transparent)]
    Request(RequestError),
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// The sorts of problems, which the member `type` names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    UnknownEndpoint,
    UnknownRoute,
    NoCredentials,
    Conflict,
    NotSaved,
    MethodNotAllowed,
    InvalidPath,
    InvalidParameter,
    InvalidBody,
    BodyTooLarge,
    BodyTooSlow,
    ForeignOrigin,
    InvalidHost,
    Unauthorized,
    Forbidden,
    TooManyAttempts,
    UnknownName,
    TooManySubscribers,
    NotObserved,
    NotSent,
    Busy,
    NoAnswer,
    BadAnswer,
    GivenUp,
    UnknownCommand,
    NoValues,
    KeepsNothing,
    StoreFailed,
    NotKept,
    KeyInUse,
    Failed,
    Closed,
}

impl Kind {
    const ALL: [Self; 32] = [
        Self::UnknownEndpoint,
        Self::UnknownRoute,
        Self::NoCredentials,
        Self::Conflict,
        Self::NotSaved,
        Self::MethodNotAllowed,
        Self::InvalidPath,
        Self::InvalidParameter,
        Self::InvalidBody,
        Self::BodyTooLarge,
        Self::BodyTooSlow,
        Self::ForeignOrigin,
        Self::InvalidHost,
        Self::Unauthorized,
        Self::Forbidden,
        Self::TooManyAttempts,
        Self::UnknownName,
        Self::TooManySubscribers,
        Self::NotObserved,
        Self::NotSent,
        Self::Busy,
        Self::NoAnswer,
        Self::BadAnswer,
        Self::GivenUp,
        Self::UnknownCommand,
        Self::NoValues,
        Self::KeepsNothing,
        Self::StoreFailed,
        Self::NotKept,
        Self::KeyInUse,
        Self::Failed,
        Self::Closed,
    ];

    /// The status, the name in `type`, and the title.
    const fn parts(self) -> (StatusCode, &'static str, &'static str) {
        use StatusCode as S;
        match self {
            Self::UnknownEndpoint => {
                (S::NOT_FOUND, "unknown-endpoint", "No such device is registered")
            }
            Self::UnknownRoute => (S::NOT_FOUND, "unknown-address", "Nothing is at this address"),
            Self::NoCredentials => (S::NOT_FOUND, "no-credentials", "No such credentials"),
            Self::Conflict => (S::CONFLICT, "conflict", "Contradicts what the server has"),
            Self::NotSaved => {
                (S::INTERNAL_SERVER_ERROR, "not-saved", "The change will not outlive a restart")
            }
            Self::MethodNotAllowed => {
                (S::METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed here")
            }
            Self::InvalidPath => (S::BAD_REQUEST, "invalid-path", "Not a path for this operation"),
            Self::InvalidParameter => {
                (S::BAD_REQUEST, "invalid-parameter", "Not a valid query parameter")
            }
            Self::InvalidBody => (S::BAD_REQUEST, "invalid-body", "The body does not fit"),
            Self::BodyTooLarge => (S::PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large"),
            Self::BodyTooSlow => (S::REQUEST_TIMEOUT, "body-too-slow", "The body is too slow"),
            Self::ForeignOrigin => (S::FORBIDDEN, "foreign-origin", "Not allowed from there"),
            Self::InvalidHost => (S::BAD_REQUEST, "invalid-host", "Not exactly one Host"),
            Self::Unauthorized => (S::UNAUTHORIZED, "unauthorized", "Say who you are"),
            Self::Forbidden => (S::FORBIDDEN, "forbidden", "Not allowed for you"),
            Self::TooManyAttempts => {
                (S::TOO_MANY_REQUESTS, "too-many-attempts", "Too many failed log-ins")
            }
            Self::UnknownName => (S::NOT_FOUND, "unknown-name", "Nothing has this name"),
            Self::TooManySubscribers => {
                (S::SERVICE_UNAVAILABLE, "too-many-subscribers", "Too many event streams")
            }
            Self::NotObserved => (S::NOT_FOUND, "not-observed", "Nothing is observed there"),
            Self::NotSent => (S::BAD_REQUEST, "not-sent", "The operation could not be sent"),
            Self::Busy => (S::SERVICE_UNAVAILABLE, "busy", "Too much is going on already"),
            Self::NoAnswer => (S::GATEWAY_TIMEOUT, "no-answer", "The device did not answer"),
            Self::BadAnswer => (
                S::INTERNAL_SERVER_ERROR,
                "bad-answer",
                "The device refused the message, or its answer makes no sense",
            ),
            Self::GivenUp => (S::INTERNAL_SERVER_ERROR, "given-up", "The operation was given up"),
            Self::UnknownCommand => (S::NOT_FOUND, "unknown-command", "No such command"),
            Self::NoValues => (S::NOT_FOUND, "no-values", "No such values are kept"),
            Self::KeepsNothing => (S::NOT_IMPLEMENTED, "keeps-nothing", "The server keeps nothing"),
            Self::StoreFailed => {
                (S::INTERNAL_SERVER_ERROR, "store-failed", "The store cannot be read")
            }
            Self::NotKept => (S::SERVICE_UNAVAILABLE, "not-kept", "It cannot be kept at present"),
            Self::KeyInUse => {
                (S::UNPROCESSABLE_ENTITY, "key-in-use", "The key stands for something else")
            }
            Self::Failed => (S::INTERNAL_SERVER_ERROR, "failed", "The server has failed"),
            Self::Closed => (S::SERVICE_UNAVAILABLE, "closed", "The server is shutting down"),
        }
    }
}

impl ApiError {
    /// What went wrong with an operation on the device `endpoint`.
    pub(crate) fn request(endpoint: &str, error: RequestError) -> Self {
        match error {
            RequestError::Submit(SubmitError::UnknownEndpoint) => {
                Self::UnknownEndpoint(endpoint.to_owned())
            }
            error => Self::Request(error),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::UnknownEndpoint(_) => Kind::UnknownEndpoint,
            Self::UnknownRoute => Kind::UnknownRoute,
            Self::NoCredentials(_) => Kind::NoCredentials,
            Self::Store(StoreError::Endpoint | StoreError::Unsupported(_)) => Kind::InvalidBody,
            Self::LogIn | Self::Token | Self::LogInFailed => Kind::Unauthorized,
            Self::Forbidden { .. } => Kind::Forbidden,
            Self::TooManyAttempts(_) => Kind::TooManyAttempts,
            Self::Member { .. } => Kind::InvalidBody,
            Self::NotKept(_) => Kind::NotKept,
            Self::NoRandomness | Self::Unfinished(_) => Kind::Failed,
            Self::TooManyEntries
            | Self::TooManyModels(_)
            | Self::TooManyBulks(_)
            | Self::TooManyBootstraps(_) => Kind::Conflict,
            Self::UnknownName(_)
            | Self::NoSession(_)
            | Self::NoModel(_)
            | Self::NoBootstrap
            | Self::NoDevice(_)
            | Self::NoConfiguration(_)
            | Self::NoOutput(_) => Kind::UnknownName,
            Self::TakenElsewhere
            | Self::FixedCredentials(_)
            | Self::KnownDevice(_)
            | Self::NoSecurePort(_)
            | Self::NoSecureBootstrapPort(_)
            | Self::Store(_) => Kind::Conflict,
            Self::NotSaved(_) => Kind::NotSaved,
            Self::Method(_) => Kind::MethodNotAllowed,
            Self::Address | Self::Path(_) | Self::Depth { .. } => Kind::InvalidPath,
            Self::Parameter { .. }
            | Self::UnknownParameter(_)
            | Self::Timeout(_)
            | Self::Periods
            | Self::Query
            | Self::Attribute(..)
            | Self::IdempotencyKey
            | Self::CompositeAttributes
            | Self::NoAttribute => Kind::InvalidParameter,
            Self::ContentType
            | Self::NotJson
            | Self::Model(_)
            | Self::Bootstrap(_)
            | Self::Json(_)
            | Self::Node(_)
            | Self::Security(_)
            | Self::Text(_)
            | Self::NotText
            | Self::BodyLost => Kind::InvalidBody,
            Self::BodyTooLarge(_) => Kind::BodyTooLarge,
            Self::BodyTooSlow(_) => Kind::BodyTooSlow,
            Self::ForeignOrigin | Self::ForeignHost => Kind::ForeignOrigin,
            Self::Hosts(_) => Kind::InvalidHost,
            Self::TooManySubscribers(_) => Kind::TooManySubscribers,
            Self::UnknownCommand(_) => Kind::UnknownCommand,
            Self::CommandFailed { is_silent: true, .. } => Kind::NoAnswer,
            Self::CommandRemoved | Self::CommandFailed { .. } => Kind::GivenUp,
            Self::NoValues { .. } => Kind::NoValues,
            Self::TooManyValues(_) => Kind::InvalidPath,
            Self::KeepsNothing | Self::NotRecorded => Kind::KeepsNothing,
            Self::StoreRead(_) | Self::Interrupted(_) => Kind::StoreFailed,
            Self::Request(error) => request_kind(error),
            Self::Closed(_) => Kind::Closed,
        }
    }
}

const fn request_kind(error: &RequestError) -> Kind {
    match error {
        RequestError::Submit(SubmitError::Invalid(Invalid::NotObserved(_))) => Kind::NotObserved,
        RequestError::Submit(
            SubmitError::Coap(CoapError::TooManyPending(_) | CoapError::TooManyPeers(_))
            | SubmitError::TooManyObservations
            | SubmitError::TooManyCommands,
        )
        | RequestError::Operation(OperationError::Protocol(FailReason::TooManyMessages)) => {
            Kind::Busy
        }
        RequestError::NotDurable(_) | RequestError::Submit(SubmitError::NotKept) => Kind::NotKept,
        RequestError::Submit(SubmitError::KeyInUse) => Kind::KeyInUse,
        RequestError::Elapsed(_)
        | RequestError::Wished(_)
        | RequestError::Queued { .. }
        | RequestError::Operation(
            OperationError::Timeout | OperationError::Protocol(FailReason::Closed),
        )
        | RequestError::Submit(SubmitError::NotConnected | SubmitError::Asleep { .. }) => {
            Kind::NoAnswer
        }
        RequestError::Submit(_) => Kind::NotSent,
        RequestError::Operation(
            OperationError::Cancelled | OperationError::Deregistered | OperationError::Moved,
        ) => Kind::GivenUp,
        RequestError::Closed(_) => Kind::Closed,
        _ => Kind::BadAnswer,
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let kind = self.kind();
        let mut response = kind.parts().0.into_response();
        if matches!(kind, Kind::Busy | Kind::NotKept) {
            response.headers_mut().insert(RETRY_AFTER, BUSY_FOR);
        }
        if let Self::TooManyAttempts(seconds) = self {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        if matches!(self, Self::LogIn | Self::Token) {
            response.headers_mut().insert(WWW_AUTHENTICATE, BEARER);
        }
        if let Self::Method(Some(allowed)) = self {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
        }
        // Extensions must be Clone, errors need not be.
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

/// Writes the problem JSON of a response to `uri` that carries an [`ApiError`].
pub(crate) fn render(uri: &Uri, response: &mut Response) {
    if let Some(error) = response.extensions_mut().remove::<Arc<ApiError>>() {
        let (status, name, title) = error.kind().parts();
        let problem = json!({
            "type": format!("/problems#{name}"),
            "title": title,
            "status": status.as_u16(),
            "detail": error.to_string(),
            "instance": uri.path(),
        });
        let json = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(CONTENT_TYPE, json);
        *response.body_mut() = Body::from(problem.to_string());
    }
}

/// `GET /problems`: what the members `type` stand for.
pub(crate) async fn list() -> String {
    let mut text = "The problems that this server reports (RFC 9457)\n\n".to_owned();
    for (status, name, title) in Kind::ALL.map(Kind::parts) {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{} {name}: {title}", status.as_u16());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use lwm2m_coap::PeerId;

    #[test]
    fn what_went_wrong_with_an_operation_decides_the_status() {
        use OperationError::{Cancelled, Deregistered, Moved, Protocol, Reset, Timeout};
        let busy = SubmitError::Coap(CoapError::TooManyPending(PeerId(1)));
        let table = [
            (SubmitError::UnknownEndpoint.into(), 404, "unknown-endpoint"),
            (
                SubmitError::Invalid(Invalid::NotObserved(Path::ROOT.into())).into(),
                404,
                "not-observed",
            ),
            (SubmitError::Invalid(Invalid::NoAttributes).into(), 400, "not-sent"),
            (SubmitError::Coap(CoapError::BodyTooLarge).into(), 400, "not-sent"),
            (busy.into(), 503, "busy"),
            (SubmitError::TooManyObservations.into(), 503, "busy"),
            (SubmitError::NotConnected.into(), 504, "no-answer"),
            (SubmitError::TooManyCommands.into(), 503, "busy"),
            (SubmitError::NotKept.into(), 503, "not-kept"),
            (SubmitError::KeyInUse.into(), 422, "key-in-use"),
            (RequestError::Wished(Duration::from_secs(1)), 504, "no-answer"),
            (Protocol(FailReason::TooManyMessages).into(), 503, "busy"),
            (Protocol(FailReason::TooLarge).into(), 500, "bad-answer"),
            (Timeout.into(), 504, "no-answer"),
            (RequestError::Elapsed(Duration::from_secs(1)), 504, "no-answer"),
            (Reset.into(), 500, "bad-answer"),
            (Cancelled.into(), 500, "given-up"),
            (Deregistered.into(), 500, "given-up"),
            (Moved.into(), 500, "given-up"),
            (Closed.into(), 503, "closed"),
        ];
        for (error, status, name) in table {
            let error = ApiError::request("peer", error);
            let (found, kind, _) = error.kind().parts();
            assert_eq!((found.as_u16(), kind), (status, name), "{error}");
            let response = error.into_response();
            assert_eq!(response.status(), found);
            let later = matches!(name, "busy" | "not-kept");
            assert_eq!(response.headers().contains_key(RETRY_AFTER), later, "{name}");
        }
    }

    #[test]
    fn each_sort_of_problem_has_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = Kind::ALL.map(|kind| kind.parts().1).into();
        assert_eq!(names.len(), Kind::ALL.len());
    }
}
