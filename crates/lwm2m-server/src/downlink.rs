//! Operations to CoAP requests, and CoAP responses to what was asked for
//! (OMA LwM2M Transport 6.4.4 and 6.4.5).

use crate::error::{Invalid, OperationError, SubmitError};
use crate::format::{to_compose, to_create, to_fetch, to_read, to_write};
use crate::operation::{Content, Operation, Response, Target, WriteMode};
use crate::registration::Registration;
use lwm2m_coap::Request;
use lwm2m_codec::composite::Change;
use lwm2m_codec::link::{self, LinkError};
use lwm2m_codec::{DecodeCause, DecodeError, Reading, Writing};
use lwm2m_core::{Attribute, ContentFormat, Node, Path};
use lwm2m_objects::Registry;
use std::collections::BTreeMap;

/// The longest diagnostic text that is kept, in bytes.
const MAX_DIAGNOSTIC: usize = 1_024;

/// What the answer to a request has to be understood as.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Expected {
    /// Values; in this format, if the answer does not say.
    Node(ContentFormat),
    /// Values, followed by notifications if the answer has Observe.
    Observation(ContentFormat),
    /// Links.
    Links,
    /// The instance that was created, which has this id if the server chose it.
    Created(Option<u16>),
    /// The end of an instance or resource instance.
    Deleted,
    /// Just a code.
    Code,
}

/// What an operation takes on the wire.
#[derive(Debug)]
pub(crate) enum EncodedOperation {
    /// A request of its own.
    Request(Request, Expected),
    /// The end of an observation: CoAP repeats the request that began it.
    Cancel,
}

/// Turns an operation that has been checked into a request to the device.
pub(crate) fn downlink(
    registration: &Registration,
    operation: Operation,
) -> Result<EncodedOperation, SubmitError> {
    let path = *operation.path();
    let format = |format: Option<ContentFormat>| format.unwrap_or_else(|| to_read(registration));
    let (request, expected) = match operation {
        Operation::Read { format: wanted, .. } => {
            (Request::get().accept(format(wanted).0), Expected::Node(format(wanted)))
        }
        Operation::Observe { format: wanted, .. } => {
            let request = Request::get().accept(format(wanted).0).observe(0);
            (request, Expected::Observation(format(wanted)))
        }
        Operation::Discover { .. } => {
            (Request::get().accept(ContentFormat::LINK.0), Expected::Links)
        }
        Operation::Write { node, format, mode, .. } => {
            let format = format.unwrap_or_else(|| to_write(registration, &node));
            (write(writing(registration), &path, &node, format, mode)?, Expected::Code)
        }
        Operation::WriteAttributes { attributes, .. } => {
            let query = |request: Request, one: &Attribute| request.query(&one.to_string());
            (attributes.iter().fold(Request::put(), query), Expected::Code)
        }
        Operation::Execute { arguments, .. } => (execute(&arguments), Expected::Code),
        Operation::Create { instance, node, format, .. } => {
            let format = format.unwrap_or_else(|| to_create(registration, instance, &node));
            (
                create(writing(registration), &path, instance, node, format)?,
                Expected::Created(instance),
            )
        }
        Operation::Delete { .. } => (Request::delete(), Expected::Deleted),
        Operation::ReadComposite { paths, path_format, format } => {
            let (request, format) = fetch(registration, &paths, path_format, format)?;
            (request, Expected::Node(format))
        }
        Operation::ObserveComposite { paths, path_format, format } => {
            let (request, format) = fetch(registration, &paths, path_format, format)?;
            (request.observe(0), Expected::Observation(format))
        }
        Operation::WriteComposite { changes, format } => {
            (ipatch(registration, &changes, format)?, Expected::Code)
        }
        Operation::CancelObservation { .. } => return Ok(EncodedOperation::Cancel),
    };
    Ok(EncodedOperation::Request(addressed(request, &registration.root_path, &path), expected))
}

/// A request for several paths, and the format of its answer.
fn fetch(
    registration: &Registration,
    paths: &[Path],
    path_format: Option<ContentFormat>,
    format: Option<ContentFormat>,
) -> Result<(Request, ContentFormat), SubmitError> {
    let format = format.unwrap_or_else(|| to_fetch(registration));
    let path_format = path_format.unwrap_or_else(|| to_compose(registration, false));
    let payload = writing(registration).encode_paths(path_format, paths)?;
    let request = Request::fetch().content_format(path_format.0).accept(format.0).payload(payload);
    Ok((request, format))
}

fn ipatch(
    registration: &Registration,
    changes: &[Change],
    format: Option<ContentFormat>,
) -> Result<Request, SubmitError> {
    let removes = changes.iter().any(|(_, value)| value.is_none());
    let format = format.unwrap_or_else(|| to_compose(registration, removes));
    let payload = match format {
        ContentFormat::LWM2M_CBOR if !removes => {
            let mut tree = Node::Root(BTreeMap::new());
            for (path, value) in changes {
                let value = value.clone().ok_or(Invalid::Path(*path))?;
                let added = tree.insert(&Path::ROOT, path, value);
                added.then_some(()).ok_or(Invalid::Multiplicity(*path))?;
            }
            writing(registration).encode(format, &Path::ROOT, &tree)?
        }
        _ => writing(registration).encode_changes(format, changes)?,
    };
    Ok(Request::ipatch().content_format(format.0).payload(payload))
}

/// Names in payloads begin where those of the device do.
fn writing(registration: &Registration) -> Writing<'_> {
    Writing::below(&registration.root_path)
}

/// Adds the path as the device knows it: below its alternate path, if it has one.
fn addressed(request: Request, root_path: &str, path: &Path) -> Request {
    let root = root_path.split('/').filter(|segment| !segment.is_empty());
    request.path(root).path(path.ids().iter().map(u16::to_string))
}

fn write(
    writing: Writing<'_>,
    path: &Path,
    node: &Node,
    format: ContentFormat,
    mode: WriteMode,
) -> Result<Request, SubmitError> {
    let request = match mode {
        WriteMode::Replace => Request::put(),
        WriteMode::Partial => Request::post(),
    };
    Ok(request.content_format(format.0).payload(writing.encode(format, path, node)?))
}

fn execute(arguments: &str) -> Request {
    match arguments {
        "" => Request::post(),
        _ => Request::post().content_format(ContentFormat::TEXT.0).payload(arguments.to_owned()),
    }
}

fn create(
    writing: Writing<'_>,
    path: &Path,
    instance: Option<u16>,
    node: Node,
    format: ContentFormat,
) -> Result<Request, SubmitError> {
    let (Some(object), Node::ObjectInstance(values)) = (path.object_id(), node) else {
        return Err(Invalid::Node(*path).into());
    };
    let payload = writing.encode_create(format, object, instance, &values)?;
    Ok(Request::post().content_format(format.0).payload(payload))
}

/// Understands the answer of a device; `target` is that of the operation.
pub(crate) fn response(
    expected: Expected,
    target: &Target,
    registration: &Registration,
    registry: &Registry,
    response: &lwm2m_coap::Response,
) -> Result<Response, OperationError> {
    let code = response.code;
    if !code.is_success() {
        let diagnostic = diagnostic(&response.payload);
        return Ok(Response { code, content: Content::None, diagnostic });
    }
    let content = match expected {
        Expected::Node(format) | Expected::Observation(format) => {
            Content::Node(node(format, target, registration, registry, response)?)
        }
        Expected::Links => Content::Links(links(response)?),
        Expected::Created(_) => Content::Created(location(&target.path(), registration, response)),
        Expected::Deleted | Expected::Code => Content::None,
    };
    Ok(Response { code, content, diagnostic: None })
}

/// Decodes values by the Content-Format of the answer, whatever was asked for.
pub(crate) fn node(
    asked: ContentFormat,
    target: &Target,
    registration: &Registration,
    registry: &Registry,
    response: &lwm2m_coap::Response,
) -> Result<Node, DecodeError> {
    let format = response.options.content_format().map_or(asked, ContentFormat);
    let path = target.path();
    let model = registration.model_at(registry, &path);
    let reading = Reading::lenient(&model).below(&registration.root_path);
    let node = reading.decode(format, &path, &response.payload)?;
    let strange = node.leaves(&path).into_iter().find(|(leaf, _)| !target.names(leaf));
    match strange.map(|(leaf, _)| leaf) {
        Some(leaf) => {
            let cause = DecodeCause::OutsideTarget { target: path, path: leaf };
            Err(DecodeError { offset: 0, cause })
        }
        None => Ok(node),
    }
}

fn links(response: &lwm2m_coap::Response) -> Result<Vec<link::Link>, OperationError> {
    let format = response.options.content_format().map_or(ContentFormat::LINK, ContentFormat);
    if format != ContentFormat::LINK {
        return Err(DecodeError::unsupported(format).into());
    }
    let text = core::str::from_utf8(&response.payload);
    let text = text.map_err(|error| LinkError::Utf8 { offset: error.valid_up_to() })?;
    Ok(link::parse(text)?)
}

/// The instance that Location-Path names, with or without the alternate path before it.
pub(crate) fn location(
    object: &Path,
    registration: &Registration,
    response: &lwm2m_coap::Response,
) -> Option<Path> {
    let root: Vec<_> = registration.root_path.split('/').filter(|part| !part.is_empty()).collect();
    let segments: Vec<_> = response.options.location_path().collect();
    let below = match segments.get(..root.len()) {
        Some(start) if start.iter().zip(&root).all(|(is, root)| *is == root.as_bytes()) => {
            segments.get(root.len()..)
        }
        _ => None,
    };
    let path = Path::from_segments(below.unwrap_or(&segments).iter().copied()).ok()?;
    (path.depth() == 2 && object.contains(&path)).then_some(path)
}

fn diagnostic(payload: &[u8]) -> Option<String> {
    let text = core::str::from_utf8(payload).ok().filter(|text| !text.is_empty())?;
    text.get(..text.floor_char_boundary(MAX_DIAGNOSTIC)).map(str::to_owned)
}
