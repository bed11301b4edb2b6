//! What devices ask: Bootstrap-Request and Bootstrap-Pack-Request (OMA LwM2M Transport 6.4.2), and
//! certificates (RFC 9148).

use bytes::Bytes;
use lwm2m_coap::{self as coap, Code, Response};
use lwm2m_core::ContentFormat;
use lwm2m_credentials::Mismatch;

/// A request of a device.
#[derive(Debug)]
pub(crate) enum Request {
    /// POST /bs: commands, written in this format.
    Commands { endpoint: Option<String>, format: ContentFormat },
    /// GET /bspack: a pack in this format, or in one that no pack can have.
    Pack { endpoint: Option<String>, format: ContentFormat },
    /// GET /.well-known/est/crts: the certificate of the authority.
    Authority,
    /// POST /.well-known/est/sen or sren: a certificate for the key in this request.
    Certificate(Bytes),
}

/// application/pkcs10.
const PKCS10: u16 = 286;
/// application/pkix-cert: one certificate, DER.
const CERTIFICATE: ContentFormat = ContentFormat(287);

/// An answer that is a certificate.
pub(crate) fn certificate(code: Code, der: Bytes) -> Response {
    Response::new(code).content_format(CERTIFICATE.0).payload(der)
}

/// Why a request is refused. The text goes to the device as diagnostic payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("there is no such resource; bootstrap servers have /bs, /bspack and perhaps EST")]
    NotFound,
    #[error("/bs takes POST; /bspack takes GET")]
    Method,
    #[error("the parameter ep is empty, or not UTF-8")]
    BadEndpoint,
    #[error(transparent)]
    Identity(#[from] Mismatch),
    #[error("there is no configuration for this endpoint name")]
    UnknownEndpoint,
    #[error("commands cannot be written in the format of pct")]
    Format,
    #[error("a pack cannot have the format of Accept")]
    Accept,
    #[error("packs are not given out")]
    PackRefused,
    #[error("packs are not supported")]
    PackUnsupported,
    #[error("too many devices bootstrap now")]
    Full,
    #[error("certificates are issued as application/pkix-cert (287) only")]
    CertificateFormat,
    #[error("a request for a certificate is PKCS #10 (286), signed by the key that it is for")]
    CertificateRequest,
    #[error("the configuration of this endpoint cannot be written")]
    Configuration,
}

impl Refusal {
    const fn code(self) -> Code {
        match self {
            Self::NotFound => Code::NOT_FOUND,
            Self::Method | Self::PackRefused => Code::METHOD_NOT_ALLOWED,
            Self::Identity(Mismatch::CredentialsNeeded) => Code::FORBIDDEN,
            Self::BadEndpoint
            | Self::Identity(_)
            | Self::UnknownEndpoint
            | Self::CertificateRequest => Code::BAD_REQUEST,
            Self::Format => Code::UNSUPPORTED_CONTENT_FORMAT,
            Self::Accept | Self::CertificateFormat => Code::NOT_ACCEPTABLE,
            Self::PackUnsupported => Code::NOT_IMPLEMENTED,
            Self::Full => Code::SERVICE_UNAVAILABLE,
            Self::Configuration => Code::INTERNAL_SERVER_ERROR,
        }
    }

    /// The answer to the device.
    pub(crate) fn response(self) -> Response {
        Response::new(self.code()).payload(self.to_string())
    }
}

/// Reads a request of a device. Parameters that are not known are ignored.
pub(crate) fn parse(request: &coap::Request) -> Result<Request, Refusal> {
    let path: Vec<_> = request.options.uri_path().take(4).collect();
    if let [b".well-known", b"est", name] = path[..] {
        return est(name, request);
    }
    let mut path = request.options.uri_path();
    match (path.next(), path.next(), request.code) {
        (Some(b"bs"), None, Code::POST) => {
            let format = match parameter(request, b"pct=") {
                Some(format) => format.and_then(written).ok_or(Refusal::Format)?,
                None => ContentFormat::TLV,
            };
            Ok(Request::Commands { endpoint: endpoint(request)?, format })
        }
        (Some(b"bspack"), None, Code::GET) => {
            let format = request.options.accept().map(ContentFormat);
            let format = format.unwrap_or(ContentFormat::SENML_CBOR);
            Ok(Request::Pack { endpoint: endpoint(request)?, format })
        }
        (Some(b"bs" | b"bspack"), None, _) => Err(Refusal::Method),
        _ => Err(Refusal::NotFound),
    }
}

/// Enrolment over CoAP, as far as devices need it.
fn est(name: &[u8], request: &coap::Request) -> Result<Request, Refusal> {
    let asked = match (name, request.code) {
        (b"crts", Code::GET) => Request::Authority,
        (b"sen" | b"sren", Code::POST) => {
            if request.options.content_format() != Some(PKCS10) {
                return Err(Refusal::CertificateRequest);
            }
            Request::Certificate(request.payload.clone())
        }
        (b"crts" | b"sen" | b"sren", _) => return Err(Refusal::Method),
        _ => return Err(Refusal::NotFound),
    };
    match request.options.accept().map(ContentFormat) {
        Some(CERTIFICATE) => Ok(asked),
        _ => Err(Refusal::CertificateFormat),
    }
}

/// A parameter, if it is given: its text, unless that is not UTF-8.
fn parameter<'r>(request: &'r coap::Request, name: &[u8]) -> Option<Option<&'r str>> {
    let value = request.options.uri_query().find_map(|part| part.strip_prefix(name))?;
    Some(core::str::from_utf8(value).ok())
}

/// The name that the device claims, if it claims one.
fn endpoint(request: &coap::Request) -> Result<Option<String>, Refusal> {
    let Some(name) = parameter(request, b"ep=") else { return Ok(None) };
    let name = name.filter(|name| !name.is_empty()).ok_or(Refusal::BadEndpoint)?;
    Ok(Some(name.to_owned()))
}

/// A format in which any command can be written.
fn written(number: &str) -> Option<ContentFormat> {
    let format = ContentFormat(number.parse().ok()?);
    (format == ContentFormat::TLV || packs(format)).then_some(format)
}

/// Whether a pack can have this format.
pub(crate) fn packs(format: ContentFormat) -> bool {
    matches!(
        format,
        ContentFormat::SENML_JSON | ContentFormat::SENML_CBOR | ContentFormat::LWM2M_CBOR
    )
}
