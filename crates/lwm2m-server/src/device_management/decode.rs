//! CoAP responses to what an operation yields (OMA LwM2M Transport 6.4.4 and 6.4.5).

use super::Expected;
use crate::config::Config;
use crate::error::OperationError;
use crate::operation::{Content, Response, Target};
use crate::registration::Registration;
use lwm2m_coap::Code;
use lwm2m_codec::link::{self, LinkError};
use lwm2m_codec::{DecodeCause, DecodeError, LeftOut, Quirk, Reading};
use lwm2m_core::{ContentFormat, Node, Path, Resource};

/// The most values that are told as left out.
const MAX_LEFT_OUT: usize = 64;
/// The longest diagnostic text that is kept, in bytes.
const MAX_DIAGNOSTIC: usize = 1_024;

/// Decodes the answer to an operation on `target`, and adds what was forgiven the device.
pub(crate) fn response(
    expected: Expected,
    target: &Target,
    registration: &Registration,
    config: &Config,
    response: &lwm2m_coap::Response,
    forgiven: &mut Vec<Quirk>,
) -> Result<Response, OperationError> {
    let code = response.code;
    if !code.is_success() {
        let diagnostic = diagnostic(&response.payload);
        let valid = expected.may_fail_with(target, code);
        let (content, left_out) = (Content::None, Vec::new());
        return Ok(Response { code, valid, content, diagnostic, left_out });
    }
    if code != expected.success() {
        return Err(OperationError::UnexpectedCode(code));
    }
    let (content, left_out) = match expected {
        Expected::Node(format) | Expected::Observation(format) => {
            let values = node(format, target, registration, config, response, forgiven)?;
            (Content::Node(values.node), values.left_out)
        }
        Expected::Links => (Content::Links(links(response, config.max_values)?), Vec::new()),
        Expected::Created(_) => {
            (Content::Created(location(&target.path(), registration, response)), Vec::new())
        }
        Expected::Deleted | Expected::Written | Expected::Changed => (Content::None, Vec::new()),
    };
    Ok(Response { code, valid: true, content, diagnostic: None, left_out })
}

/// The values of an answer or notification.
pub(crate) struct Values {
    pub(crate) node: Node,
    pub(crate) left_out: Vec<LeftOut>,
}

/// Decodes values by the Content-Format of the answer, or by `asked` if it has none.
pub(crate) fn node(
    asked: ContentFormat,
    target: &Target,
    registration: &Registration,
    config: &Config,
    response: &lwm2m_coap::Response,
    forgiven: &mut Vec<Quirk>,
) -> Result<Values, OperationError> {
    if response.code != Code::CONTENT {
        return Err(OperationError::UnexpectedCode(response.code));
    }
    let path = target.path();
    let model = registration.model_at(&config.registry, &path);
    let asked = match asked {
        // A payload without a format is text, as far as there is a rule.
        ContentFormat::UNSPECIFIED if path.depth() >= 3 => ContentFormat::TEXT,
        ContentFormat::UNSPECIFIED => ContentFormat::TLV,
        asked => asked,
    };
    let format = response.options.content_format().map_or(asked, ContentFormat);
    let reading =
        Reading::answer(&model).below(&registration.list.root_path).at_most(config.max_values);
    let mut node = reading.decode(format, &path, &response.payload)?;
    forgiven.extend(reading.forgiven());
    let mut left_out = reading.left_out();
    take_foreign(target, &mut node, &mut left_out)?;
    Ok(Values { node, left_out })
}

/// Takes out of the answer to a composite operation what was not asked for. Answers about one path
/// decode to a node at that path, or not at all.
fn take_foreign(
    target: &Target,
    node: &mut Node,
    left_out: &mut Vec<LeftOut>,
) -> Result<(), DecodeError> {
    let Target::Composite(_) = target else { return Ok(()) };
    let all: Vec<Path> = node.leaves(&Path::ROOT).into_iter().map(|(path, _)| path).collect();
    let foreign: Vec<_> = all.iter().filter(|path| !target.names(path)).collect();
    for path in &foreign {
        let cause = DecodeCause::OutsideTarget { target: target.path(), path: **path };
        if foreign.len() == all.len() {
            return Err(DecodeError { offset: 0, cause });
        }
        remove(node, path);
        if left_out.len() < MAX_LEFT_OUT {
            left_out.push(LeftOut { path: **path, cause });
        }
    }
    Ok(())
}

/// Removes a value from a tree.
fn remove(node: &mut Node, path: &Path) {
    let (Node::Root(objects), [object, instance, resource, below @ ..]) = (node, path.ids()) else {
        return;
    };
    let found = objects.get_mut(object).and_then(|it| it.instances.get_mut(instance));
    let Some(found) = found else { return };
    match (found.resources.get_mut(resource), below.first()) {
        (Some(Resource::Multiple(values)), Some(id)) => _ = values.remove(id),
        _ => _ = found.resources.remove(resource),
    }
}

fn links(response: &lwm2m_coap::Response, most: usize) -> Result<Vec<link::Link>, OperationError> {
    let format = response.options.content_format().map_or(ContentFormat::LINK, ContentFormat);
    if format != ContentFormat::LINK {
        return Err(DecodeError::unsupported(format).into());
    }
    let text = core::str::from_utf8(&response.payload);
    let text = text.map_err(|error| LinkError::Utf8 { offset: error.valid_up_to() })?;
    Ok(link::parse_at_most(text, most)?)
}

/// The instance in Location-Path, with or without the alternate path before it.
pub(crate) fn location(
    object: &Path,
    registration: &Registration,
    response: &lwm2m_coap::Response,
) -> Option<Path> {
    let root: Vec<_> =
        registration.list.root_path.split('/').filter(|part| !part.is_empty()).collect();
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
