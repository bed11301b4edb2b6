//! Operations to CoAP requests (OMA LwM2M Transport 6.4.4 and 6.4.5).

use super::Expected;
use super::format::Formats;
use crate::error::{Invalid, SubmitError};
use crate::operation::{Operation, WriteMode};
use crate::registration::Registration;
use lwm2m_coap::Request;
use lwm2m_codec::Writing;
use lwm2m_codec::composite::Change;
use lwm2m_core::{Attribute, ContentFormat, Node, Path};
use std::collections::BTreeMap;

/// An operation on the wire.
#[derive(Debug)]
pub(crate) enum EncodedOperation {
    /// A request, and how its answer is to be decoded.
    Request(Request, Expected),
    /// The end of an observation: CoAP repeats the request that began it, with Observe 1.
    Cancel,
}

/// Encodes an operation that has been checked.
pub(crate) fn encode(
    formats: &Formats<'_>,
    operation: &Operation,
) -> Result<EncodedOperation, SubmitError> {
    let (path, registration) = (*operation.path(), formats.registration);
    let (request, expected) = match operation {
        Operation::Read { format, .. } => {
            let format = format.unwrap_or_else(|| formats.to_read(&path));
            (accept(Request::get(), format), Expected::Node(format))
        }
        Operation::Observe { format, .. } => {
            let format = format.unwrap_or_else(|| formats.to_read(&path));
            (accept(Request::get(), format).observe(0), Expected::Observation(format))
        }
        Operation::Discover { .. } => {
            (Request::get().accept(ContentFormat::LINK.0), Expected::Links)
        }
        Operation::Write { node, format, mode, .. } => {
            let format = format.unwrap_or_else(|| formats.to_write(node));
            (write(writing(registration), &path, node, format, *mode)?, Expected::Written)
        }
        Operation::WriteAttributes { attributes, .. } => {
            let query = |request: Request, one: &Attribute| request.query(&one.to_string());
            (attributes.iter().fold(Request::put(), query), Expected::Changed)
        }
        Operation::Execute { arguments, .. } => (execute(arguments), Expected::Changed),
        Operation::Create { instance, node, format, .. } => {
            let format = format.unwrap_or_else(|| formats.to_create(*instance, node));
            (
                create(writing(registration), &path, *instance, node, format)?,
                Expected::Created(*instance),
            )
        }
        Operation::Delete { .. } => (Request::delete(), Expected::Deleted),
        Operation::ReadComposite { paths, path_format, format } => {
            let (request, format) = fetch(formats, paths, *path_format, *format)?;
            (request, Expected::Node(format))
        }
        Operation::ObserveComposite { paths, path_format, format } => {
            let (request, format) = fetch(formats, paths, *path_format, *format)?;
            (request.observe(0), Expected::Observation(format))
        }
        Operation::WriteComposite { changes, format } => {
            (ipatch(formats, changes, *format)?, Expected::Written)
        }
        Operation::CancelObservation { .. } => return Ok(EncodedOperation::Cancel),
    };
    Ok(EncodedOperation::Request(addressed(request, &registration.list.root_path, &path), expected))
}

/// Asks for a format, unless it is the client's choice.
fn accept(request: Request, format: ContentFormat) -> Request {
    if format == ContentFormat::UNSPECIFIED { request } else { request.accept(format.0) }
}

/// The request of Read-Composite and Observe-Composite, and the format to ask for.
fn fetch(
    formats: &Formats<'_>,
    paths: &[Path],
    path_format: Option<ContentFormat>,
    format: Option<ContentFormat>,
) -> Result<(Request, ContentFormat), SubmitError> {
    let format = format.unwrap_or_else(|| formats.to_fetch());
    let path_format = path_format.unwrap_or_else(|| formats.to_compose(false));
    let payload = writing(formats.registration).encode_paths(path_format, paths)?;
    let request = Request::fetch().content_format(path_format.0).payload(payload);
    Ok((accept(request, format), format))
}

fn ipatch(
    formats: &Formats<'_>,
    changes: &[Change],
    format: Option<ContentFormat>,
) -> Result<Request, SubmitError> {
    let removes = changes.iter().any(|(_, value)| value.is_none());
    let format = format.unwrap_or_else(|| formats.to_compose(removes));
    let writing = writing(formats.registration);
    let payload = match format {
        ContentFormat::LWM2M_CBOR if !removes => {
            let mut tree = Node::Root(BTreeMap::new());
            for (path, value) in changes {
                let value = value.clone().ok_or(Invalid::Path(*path))?;
                let added = tree.insert(&Path::ROOT, path, value);
                added.then_some(()).ok_or(Invalid::Multiplicity(*path))?;
            }
            writing.encode(format, &Path::ROOT, &tree)?
        }
        _ => writing.encode_changes(format, changes)?,
    };
    Ok(Request::ipatch().content_format(format.0).payload(payload))
}

/// Names in payloads begin with the alternate path of the device.
fn writing(registration: &Registration) -> Writing<'_> {
    Writing::below(&registration.list.root_path)
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
    node: &Node,
    format: ContentFormat,
) -> Result<Request, SubmitError> {
    let (Some(object), Node::ObjectInstance(values)) = (path.object_id(), node) else {
        return Err(Invalid::Node(*path).into());
    };
    let payload = writing.encode_create(format, object, instance, values)?;
    Ok(Request::post().content_format(format.0).payload(payload))
}
