//! What a device answered to an operation, in the dialect's JSON.

use super::node::{CompositeJson, NodeJson};
use super::registration::LinksJson;
use lwm2m_coap::Code;
use lwm2m_codec::LeftOut;
use lwm2m_core::Path;
use lwm2m_server::{Content, Operation, Response, Target};
use serde::Serialize;
use serde::ser::Serializer;
use std::sync::Arc;

/// The answer of a device. `content` is there for reading operations alone, and null if they
/// failed; `location` is there for Create alone, and null if the device did not name it.
#[derive(Serialize, Debug)]
pub struct ResponseJson<'a> {
    #[serde(serialize_with = "status")]
    status: Code,
    valid: bool,
    success: bool,
    failure: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Option<ValuesJson<'a>>>,
    #[serde(rename = "objectLinks", skip_serializing_if = "Option::is_none")]
    object_links: Option<Option<LinksJson<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<Option<String>>,
    #[serde(rename = "errormessage", skip_serializing_if = "Option::is_none")]
    error_message: Option<&'a str>,
    #[serde(rename = "leftOut", skip_serializing_if = "Option::is_none")]
    left_out: Option<LeftOutJson<'a>>,
}

/// What is observed.
#[derive(Serialize, Debug)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(crate) enum TargetJson<'a> {
    Single {
        #[serde(serialize_with = "text")]
        res: &'a Path,
    },
    Composite {
        paths: Vec<String>,
    },
}

impl<'a> From<&'a Target> for TargetJson<'a> {
    fn from(target: &'a Target) -> Self {
        match target {
            Target::Path(path) => Self::Single { res: path },
            Target::Composite(paths) => {
                Self::Composite { paths: paths.iter().map(ToString::to_string).collect() }
            }
        }
    }
}

fn text<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(path)
}

/// The values that an answer lacks, because they cannot be read: paths with the reasons.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeftOutJson<'a>(&'a [LeftOut]);

impl<'a> LeftOutJson<'a> {
    /// `None` if nothing is left out.
    pub(crate) fn of(left_out: &'a [LeftOut]) -> Option<Self> {
        (!left_out.is_empty()).then_some(Self(left_out))
    }
}

impl Serialize for LeftOutJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let entry = |it: &LeftOut| (it.path.to_string(), it.cause.to_string());
        serializer.collect_map(self.0.iter().map(entry))
    }
}

#[derive(Serialize, Debug)]
#[serde(untagged)]
enum ValuesJson<'a> {
    Node(NodeJson<'a>),
    Composite(CompositeJson<'a>),
}

/// What an operation asked for, as far as the JSON of its answer depends on it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RequestKind {
    /// Read and Observe of this path.
    Node(Path),
    /// Read-Composite and Observe-Composite of these paths.
    Composite(Arc<[Path]>),
    /// Discover.
    Links,
    /// Create.
    Location,
    /// Write, Write-Attributes, Execute, Delete.
    Nothing,
}

impl From<&Target> for RequestKind {
    /// A Read or Observe of the target.
    fn from(target: &Target) -> Self {
        match target {
            Target::Path(path) => Self::Node(*path),
            Target::Composite(paths) => Self::Composite(Arc::clone(paths)),
        }
    }
}

impl From<&Operation> for RequestKind {
    fn from(operation: &Operation) -> Self {
        match operation {
            Operation::Read { path, .. } | Operation::Observe { path, .. } => Self::Node(*path),
            Operation::ReadComposite { paths, .. } | Operation::ObserveComposite { paths, .. } => {
                Self::Composite(Arc::clone(paths))
            }
            Operation::CancelObservation { target } => target.into(),
            Operation::Discover { .. } => Self::Links,
            Operation::Create { .. } => Self::Location,
            Operation::Write { .. }
            | Operation::WriteAttributes { .. }
            | Operation::Execute { .. }
            | Operation::Delete { .. }
            | Operation::WriteComposite { .. } => Self::Nothing,
        }
    }
}

impl<'a> ResponseJson<'a> {
    /// The JSON of what a device answered to a request of this kind.
    #[must_use]
    pub fn new(kind: &'a RequestKind, response: &'a Response) -> Self {
        let success = response.code.is_success();
        let mut json = Self {
            status: response.code,
            valid: response.valid,
            success,
            failure: !success,
            content: None,
            object_links: None,
            location: None,
            error_message: response.diagnostic.as_deref(),
            left_out: LeftOutJson::of(&response.left_out),
        };
        match kind {
            RequestKind::Node(_) | RequestKind::Composite(_) => {
                json.content = Some(values(kind, &response.content));
            }
            RequestKind::Links => json.object_links = Some(links(&response.content)),
            RequestKind::Location if success => json.location = Some(location(&response.content)),
            RequestKind::Location | RequestKind::Nothing => {}
        }
        json
    }
}

fn values<'a>(kind: &'a RequestKind, content: &'a Content) -> Option<ValuesJson<'a>> {
    match (kind, content) {
        (RequestKind::Node(path), Content::Node(node)) => {
            Some(ValuesJson::Node(NodeJson::new(path, node)))
        }
        (RequestKind::Composite(paths), Content::Node(tree)) => {
            Some(ValuesJson::Composite(CompositeJson::new(paths, tree)))
        }
        _ => None,
    }
}

fn links(content: &Content) -> Option<LinksJson<'_>> {
    let Content::Links(links) = content else { return None };
    Some(LinksJson(links))
}

fn location(content: &Content) -> Option<String> {
    let Content::Created(Some(path)) = content else { return None };
    Some(path.to_string().trim_start_matches('/').to_owned())
}

/// `CONTENT(205)`: the name of a code with its number.
pub(crate) fn status<S: Serializer>(code: &Code, serializer: S) -> Result<S::Ok, S::Error> {
    let (name, class, detail) = (name(*code), code.class(), code.detail());
    serializer.collect_str(&format_args!("{name}({class}{detail:02})"))
}

const fn name(code: Code) -> &'static str {
    match code {
        Code::CREATED => "CREATED",
        Code::DELETED => "DELETED",
        Code::CHANGED => "CHANGED",
        Code::CONTENT => "CONTENT",
        Code::BAD_REQUEST => "BAD_REQUEST",
        Code::UNAUTHORIZED => "UNAUTHORIZED",
        Code::BAD_OPTION => "BAD_OPTION",
        Code::FORBIDDEN => "FORBIDDEN",
        Code::NOT_FOUND => "NOT_FOUND",
        Code::METHOD_NOT_ALLOWED => "METHOD_NOT_ALLOWED",
        Code::NOT_ACCEPTABLE => "NOT_ACCEPTABLE",
        Code::REQUEST_ENTITY_INCOMPLETE => "REQUEST_ENTITY_INCOMPLETE",
        Code::CONFLICT => "CONFLICT",
        Code::PRECONDITION_FAILED => "PRECONDITION_FAILED",
        Code::REQUEST_ENTITY_TOO_LARGE => "REQUEST_ENTITY_TOO_LARGE",
        Code::UNSUPPORTED_CONTENT_FORMAT => "UNSUPPORTED_CONTENT_FORMAT",
        Code::UNPROCESSABLE_ENTITY => "UNPROCESSABLE_ENTITY",
        Code::TOO_MANY_REQUESTS => "TOO_MANY_REQUESTS",
        Code::INTERNAL_SERVER_ERROR => "INTERNAL_SERVER_ERROR",
        Code::NOT_IMPLEMENTED => "NOT_IMPLEMENTED",
        Code::BAD_GATEWAY => "BAD_GATEWAY",
        Code::SERVICE_UNAVAILABLE => "SERVICE_UNAVAILABLE",
        Code::GATEWAY_TIMEOUT => "GATEWAY_TIMEOUT",
        Code::PROXYING_NOT_SUPPORTED => "PROXYING_NOT_SUPPORTED",
        _ => "UNKNOWN",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lwm2m_codec::DecodeCause;
    use lwm2m_codec::link::Link;
    use lwm2m_core::{DataType, Node, Resource, Value};
    use serde_json::{Value as Json, json};

    fn answer(kind: RequestKind, code: Code, content: Content) -> Json {
        let valid = code != Code::new(4, 31);
        let response = Response { code, valid, content, diagnostic: None, left_out: Vec::new() };
        serde_json::to_value(ResponseJson::new(&kind, &response)).unwrap()
    }

    #[test]
    fn golden_answers() {
        let path = Path::resource(3, 0, 14);
        let node = Node::Resource(Resource::Single(Value::from("+02:00")));
        assert_eq!(
            answer(RequestKind::Node(path), Code::CONTENT, Content::Node(node)),
            json!({"status": "CONTENT(205)", "valid": true, "success": true, "failure": false,
                   "content": {"kind": "singleResource", "id": 14, "type": "STRING", "value": "+02:00"}})
        );
        assert_eq!(
            answer(RequestKind::Nothing, Code::CHANGED, Content::None),
            json!({"status": "CHANGED(204)", "valid": true, "success": true, "failure": false})
        );
        assert_eq!(
            answer(
                RequestKind::Location,
                Code::CREATED,
                Content::Created(Some(Path::instance(3303, 6)))
            ),
            json!({"status": "CREATED(201)", "valid": true, "success": true, "failure": false,
                   "location": "3303/6"})
        );
        assert_eq!(
            answer(RequestKind::Location, Code::CREATED, Content::Created(None)),
            json!({"status": "CREATED(201)", "valid": true, "success": true, "failure": false,
                   "location": null})
        );
        let links = Content::Links(vec![Link::new("/3").with("ver", "1.2"), Link::new("/3/0")]);
        assert_eq!(
            answer(RequestKind::Links, Code::CONTENT, links),
            json!({"status": "CONTENT(205)", "valid": true, "success": true, "failure": false,
                   "objectLinks": [{"url": "/3", "attributes": {"ver": "1.2"}},
                                   {"url": "/3/0", "attributes": {}}]})
        );
    }

    #[test]
    fn failures_of_the_device_are_answers_too() {
        let response = Response {
            code: Code::NOT_FOUND,
            valid: true,
            content: Content::None,
            diagnostic: Some("no such instance".to_owned()),
            left_out: Vec::new(),
        };
        let kind = RequestKind::Node(Path::instance(3, 9));
        let json = ResponseJson::new(&kind, &response);
        assert_eq!(
            serde_json::to_value(json).unwrap(),
            json!({"status": "NOT_FOUND(404)", "valid": true, "success": false, "failure": true,
                   "content": null, "errormessage": "no such instance"})
        );
    }

    #[test]
    fn what_is_left_out_is_said() {
        let path = Path::resource(3, 0, 13);
        let cause = DecodeCause::Type { path, expected: DataType::Time };
        let response = Response {
            code: Code::CONTENT,
            valid: true,
            content: Content::Node(Node::ObjectInstance(Default::default())),
            diagnostic: None,
            left_out: vec![LeftOut { path, cause }],
        };
        let kind = RequestKind::Node(Path::instance(3, 0));
        let json = serde_json::to_value(ResponseJson::new(&kind, &response)).unwrap();
        assert_eq!(json["leftOut"], json!({"/3/0/13": "the value of /3/0/13 is not a valid Time"}));
    }

    #[test]
    fn every_status_has_three_digits() {
        let status = |code| answer(RequestKind::Nothing, code, Content::None)["status"].take();
        assert_eq!(status(Code::INTERNAL_SERVER_ERROR), "INTERNAL_SERVER_ERROR(500)");
        assert_eq!(status(Code::PRECONDITION_FAILED), "PRECONDITION_FAILED(412)");
        assert_eq!(status(Code::new(4, 30)), "UNKNOWN(430)");
    }
}
