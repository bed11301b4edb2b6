//! The resources `/rd` and `/dp`: the requests of devices, and the answers that refuse them
//! (OMA LwM2M Core 6.2, Transport 6.4.3).

pub(crate) mod parse;

use self::parse::{Register, UpdateRequest};
use crate::config::Config;
use crate::devices::ObjectLists;
use crate::registration::RegistrationId;
use lwm2m_coap::{Code, Request, Response};
use lwm2m_codec::link::LinkError;
use lwm2m_core::Path;
use lwm2m_credentials::Mismatch;

/// How many seconds a device should wait before it registers again at a full server.
const RETRY_AFTER: u32 = 60;
/// How many seconds a device should wait for a store that has failed.
const RETRY_STORE_AFTER: u32 = 5;

/// A request of a device, parsed.
pub(crate) enum Command {
    /// POST /rd
    Register(Box<Register>),
    /// POST /rd/{id}
    Update(RegistrationId, Box<UpdateRequest>),
    /// DELETE /rd/{id}
    Deregister(RegistrationId),
    /// POST /dp
    Send,
}

/// Why a request is refused; the text is the diagnostic payload of the answer.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there is no such resource; a location /rd/id is gone when its registration ends")]
    NotFound,
    #[error("/rd and /dp take POST; /rd/id takes POST and DELETE")]
    Method,
    #[error("values are sent as SenML JSON, SenML CBOR or, since LwM2M 1.2, as LwM2M CBOR")]
    SendFormat,
    #[error("the values cannot be decoded")]
    SendPayload,
    #[error("the payload has too many values; send fewer at a time")]
    TooManyValues,
    #[error("{0} is not registered")]
    Unregistered(Path),
    #[error("the query is too long")]
    QueryTooLong,
    #[error("the query is not UTF-8")]
    QueryNotUtf8,
    #[error("the parameter {0} is missing")]
    Missing(&'static str),
    #[error("the parameter {0} has no legal value")]
    Bad(&'static str),
    #[error("the parameter {0} is given twice")]
    Duplicate(&'static str),
    #[error("this version of LwM2M is not supported")]
    Version,
    #[error("profile ids are not known here; register with the list of objects")]
    Profile,
    #[error("the object list must be sent as content format 40")]
    ContentFormat,
    #[error(transparent)]
    Links(#[from] LinkError),
    #[error("the object list names no object")]
    NoObjects,
    #[error("the object list is too long")]
    ListTooLong,
    #[error("a link of the object list has too many attributes")]
    TooManyAttributes,
    #[error(transparent)]
    Identity(#[from] Mismatch),
    #[error("no more devices can be registered now")]
    Full,
    #[error("this cannot be kept now; send it again later")]
    NotKept,
    /// With the seconds that the device should wait.
    #[error("too many devices register at the same time; come back later")]
    Crowd(u32),
}

impl Refusal {
    const fn code(self) -> Code {
        match self {
            Self::NotFound | Self::Unregistered(_) => Code::NOT_FOUND,
            Self::Method => Code::METHOD_NOT_ALLOWED,
            Self::Version => Code::PRECONDITION_FAILED,
            Self::Profile => Code::CONFLICT,
            Self::ListTooLong | Self::TooManyAttributes | Self::TooManyValues => {
                Code::REQUEST_ENTITY_TOO_LARGE
            }
            Self::Identity(Mismatch::CredentialsNeeded) => Code::FORBIDDEN,
            Self::Full | Self::NotKept | Self::Crowd(_) => Code::SERVICE_UNAVAILABLE,
            _ => Code::BAD_REQUEST,
        }
    }

    /// The answer to the device.
    pub(crate) fn response(self) -> Response {
        let response = Response::new(self.code()).payload(self.to_string());
        match self {
            Self::Full => response.max_age(RETRY_AFTER),
            Self::NotKept => response.max_age(RETRY_STORE_AFTER),
            Self::Crowd(seconds) => response.max_age(seconds),
            _ => response,
        }
    }
}

/// Parses a request of a device.
///
/// `/bs` belongs to bootstrap servers and is answered as any unknown resource. An Update is a
/// POST; PUT was dropped before LwM2M 1.0.
pub(crate) fn command(
    request: &Request,
    config: &Config,
    lists: &ObjectLists,
) -> Result<Command, Refusal> {
    let mut path = request.options.uri_path();
    let segments = (path.next(), path.next(), path.next());
    match (segments, request.code) {
        ((Some(b"rd"), None, _), Code::POST) => {
            Ok(Command::Register(Box::new(parse::register(request, config, lists)?)))
        }
        ((Some(b"rd"), Some(id), None), code) => {
            let id = RegistrationId::from_bytes(id).ok_or(Refusal::NotFound)?;
            match code {
                Code::POST => {
                    Ok(Command::Update(id, Box::new(UpdateRequest::read(request, config, lists)?)))
                }
                Code::DELETE => Ok(Command::Deregister(id)),
                _ => Err(Refusal::Method),
            }
        }
        ((Some(b"dp"), None, _), Code::POST) => Ok(Command::Send),
        ((Some(b"dp"), None, _), _) => Err(Refusal::Method),
        ((Some(b"rd"), None, _), _) => Err(Refusal::Method),
        _ => Err(Refusal::NotFound),
    }
}
