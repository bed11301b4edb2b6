//! The resources of the ETSI CoAP plugtests, and those that clients create.

use super::conditions::{self, Target};
use super::links;
use super::store::{Stored, create};
use lwm2m_coap::{Code, OptionNumber, Request, Response};
use std::collections::BTreeMap;

/// The resource that lists the others.
const LIST: &str = ".well-known/core";
/// Largest number of created resources.
const MAX_CREATED: usize = 256;
/// Format of links: RFC 6690.
const LINK_FORMAT: u16 = 40;
const TEXT: u16 = 0;
const XML: u16 = 41;

/// What a resource does.
#[derive(Debug, Clone)]
enum Kind {
    /// Read, written, posted to and deleted.
    Value(Stored),
    /// Only read.
    Fixed(Stored),
    /// Written and deleted, and not there at first.
    Absent,
    /// Answers a POST with its body.
    Echo,
    /// Each POST creates one below it.
    Factory,
    /// Answers with the query.
    Query,
    /// Answers a POST with Location-Query options.
    LocationQuery,
    /// As text or XML, by the option Accept.
    MultiFormat,
    /// The steps of the clock.
    Clock(Clock),
}

/// A resource that changes with the clock.
#[derive(Debug, Clone, Copy, Default)]
struct Clock {
    /// Whether it answers late.
    late: bool,
    /// The format that the last PUT gave it.
    format: u16,
    /// Whether it has been deleted. A PUT creates it again.
    deleted: bool,
}

/// A resource and how it is listed.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) title: &'static str,
    pub(super) resource_type: &'static str,
    pub(super) interface: &'static str,
    pub(super) format: Option<u16>,
    pub(super) observable: bool,
    kind: Kind,
}

impl Entry {
    const fn new(title: &'static str, kind: Kind) -> Self {
        let (resource_type, interface) = ("", "");
        Self { title, resource_type, interface, format: None, observable: false, kind }
    }

    /// The length of the body in bytes, if it is one that does not change by itself.
    pub(super) fn size(&self) -> Option<usize> {
        match &self.kind {
            Kind::Value(stored) | Kind::Fixed(stored) => Some(stored.size()),
            _ => None,
        }
    }

    const fn etag(&self) -> Option<[u8; 4]> {
        match &self.kind {
            Kind::Value(stored) | Kind::Fixed(stored) => Some(stored.etag()),
            _ => None,
        }
    }

    /// Whether it is there to be read and listed.
    const fn is_present(&self) -> bool {
        !matches!(self.kind, Kind::Absent | Kind::Clock(Clock { deleted: true, .. }))
    }
}

/// The answer to a request.
#[derive(Debug)]
pub(super) enum Answer {
    Now(Response),
    /// A separate response: later than an acknowledgement can wait.
    Late(Response),
}

/// All resources by their paths, which have no slash in front.
#[derive(Debug)]
pub(super) struct Resources {
    entries: BTreeMap<String, Entry>,
    created: usize,
    next_name: u64,
    /// Steps of the clock so far.
    pub(super) ticks: u64,
}

impl Default for Resources {
    fn default() -> Self {
        let entries = table().into_iter().map(|(path, entry)| (path.to_owned(), entry));
        Self { entries: entries.collect(), created: 0, next_name: 0, ticks: 0 }
    }
}

fn table() -> Vec<(&'static str, Entry)> {
    let value =
        |title, body: &str| Entry::new(title, Kind::Value(Stored::new(TEXT, body.to_owned())));
    let fixed =
        |title, body: &str| Entry::new(title, Kind::Fixed(Stored::new(TEXT, body.to_owned())));
    let clock =
        |title| Entry { observable: true, ..Entry::new(title, Kind::Clock(Clock::default())) };
    let late = Kind::Clock(Clock { late: true, ..Clock::default() });
    let observed = |title, body| Entry { observable: true, ..value(title, body) };
    let links = |title, links: &str| {
        let body = Stored::new(LINK_FORMAT, links.to_owned());
        Entry { format: Some(LINK_FORMAT), ..Entry::new(title, Kind::Fixed(body)) }
    };
    let typed = |resource_type, interface| Entry {
        resource_type,
        interface,
        ..fixed("One of three", "link")
    };
    vec![
        ("test", value("Default test resource", "test")),
        ("validate", value("Resource with entity-tags", "validate")),
        ("create1", Entry::new("Resource to be created", Kind::Absent)),
        ("large", fixed("Large resource", &lines(1_700))),
        ("large-update", value("Large resource to be written", &lines(1_700))),
        ("large-create", Entry::new("Large resources to be created", Kind::Factory)),
        ("large-post", Entry::new("Large answers to large POSTs", Kind::Echo)),
        ("separate", Entry::new("Answers late", late)),
        ("obs", clock("Changes every five seconds")),
        ("obs-non", clock("Changes every five seconds, told once")),
        ("obs-large", observed("Large resource that changes when written", &lines(1_700))),
        ("query", Entry::new("Tells the query", Kind::Query)),
        ("location-query", Entry::new("Tells a location by queries", Kind::LocationQuery)),
        ("multi-format", Entry::new("As text and XML", Kind::MultiFormat)),
        ("link1", typed("Type1 Type2", "If1")),
        ("link2", typed("Type2 Type3", "If2")),
        ("link3", typed("Type1 Type3", "foo")),
        ("path", links("Has resources below", "</path/sub1>,</path/sub2>,</path/sub3>")),
        ("path/sub1", fixed("First below", "sub1")),
        ("path/sub2", fixed("Second below", "sub2")),
        ("path/sub3", fixed("Third below", "sub3")),
        ("seg1", fixed("One segment", "seg1")),
        ("seg1/seg2", fixed("Two segments", "seg2")),
        ("seg1/seg2/seg3", fixed("Three segments", "seg3")),
    ]
}

/// A text of a given length in bytes.
fn lines(length: usize) -> String {
    (0..)
        .flat_map(|n| format!("This is line {n:04} of a text\n").into_bytes())
        .map(char::from)
        .take(length)
        .collect()
}

impl Resources {
    /// Whether the resource can be observed, and if so whether its notifications are confirmable.
    pub(super) fn observable(&self, path: &str) -> Option<bool> {
        let entry = self.entries.get(path).filter(|entry| entry.observable)?;
        Some(!matches!(entry.kind, Kind::Clock(_)) || path != "obs-non")
    }

    /// Whether the resource changes with the clock.
    pub(super) fn is_clock(&self, path: &str) -> bool {
        self.entries.get(path).is_some_and(|entry| matches!(entry.kind, Kind::Clock(_)))
    }

    /// Answers a request to the resource at `path`.
    pub(super) fn handle(&mut self, path: &str, request: &Request) -> Answer {
        if !conditions::hold(request, self.target(path)) {
            return Answer::Now(Code::PRECONDITION_FAILED.into());
        }
        if let (LIST, Code::GET) = (path, request.code) {
            return Answer::Now(self.list(request));
        }
        let late = matches!(self.entries.get(path), Some(Entry { kind: Kind::Clock(clock), .. }) if clock.late);
        let response = match request.code {
            Code::GET => self.get(path, request),
            Code::PUT => self.put(path, request),
            Code::POST => self.post(path, request),
            Code::DELETE => self.delete(path),
            Code::FETCH => self.fetch(path, request),
            Code::PATCH | Code::IPATCH => self.patch(path, request),
            _ => Code::METHOD_NOT_ALLOWED.into(),
        };
        if late { Answer::Late(response) } else { Answer::Now(response) }
    }

    fn target(&self, path: &str) -> Target {
        match self.entries.get(path).filter(|entry| entry.is_present()) {
            Some(entry) => Target::Present(entry.etag()),
            None if path == LIST => Target::Present(None),
            None => Target::Absent,
        }
    }

    fn list(&self, request: &Request) -> Response {
        let entries = self.entries.iter().map(|(path, entry)| (path.as_str(), entry));
        let present = entries.filter(|(_, entry)| entry.is_present());
        let links = links::list(present, request.options.uri_query());
        Response::new(Code::CONTENT).content_format(LINK_FORMAT).payload(links)
    }

    fn get(&self, path: &str, request: &Request) -> Response {
        let entry = self.entries.get(path).filter(|entry| entry.is_present());
        let Some(entry) = entry else { return Code::NOT_FOUND.into() };
        let accept = request.options.accept();
        let text = |text: String| Response::new(Code::CONTENT).content_format(TEXT).payload(text);
        let response = match &entry.kind {
            Kind::Value(stored) | Kind::Fixed(stored) => stored.get(request),
            Kind::Absent => return Code::NOT_FOUND.into(),
            Kind::Echo | Kind::Factory | Kind::LocationQuery => {
                return Code::METHOD_NOT_ALLOWED.into();
            }
            Kind::Query => text(query(request)),
            Kind::MultiFormat if accept == Some(XML) => {
                Response::new(Code::CONTENT).content_format(XML).payload("<text>multi</text>")
            }
            Kind::MultiFormat => text("multi".to_owned()),
            Kind::Clock(clock) => Response::new(Code::CONTENT)
                .content_format(clock.format)
                .payload(format!("step {}", self.ticks))
                .max_age(5),
        };
        match (accept, response.options.content_format()) {
            (Some(wanted), Some(given)) if wanted != given => Code::NOT_ACCEPTABLE.into(),
            _ => response,
        }
    }

    fn put(&mut self, path: &str, request: &Request) -> Response {
        let Some(entry) = self.entries.get_mut(path) else {
            return if path.starts_with("large-create/") {
                Code::NOT_FOUND
            } else {
                Code::METHOD_NOT_ALLOWED
            }
            .into();
        };
        match &mut entry.kind {
            Kind::Value(stored) => stored.put(request).into(),
            Kind::Absent => {
                entry.kind = Kind::Value(create(request));
                Code::CREATED.into()
            }
            Kind::Clock(clock) => {
                clock.format = request.options.content_format().unwrap_or(TEXT);
                let created = std::mem::take(&mut clock.deleted);
                if created { Code::CREATED } else { Code::CHANGED }.into()
            }
            _ => Code::METHOD_NOT_ALLOWED.into(),
        }
    }

    fn post(&mut self, path: &str, request: &Request) -> Response {
        let Some(entry) = self.entries.get(path) else { return Code::NOT_FOUND.into() };
        match entry.kind {
            Kind::Value(_) => ["location1", "location2", "location3"]
                .into_iter()
                .fold(Response::new(Code::CREATED), Response::location_segment),
            Kind::Echo => Response::new(Code::CHANGED)
                .content_format(request.options.content_format().unwrap_or(TEXT))
                .payload(request.payload.clone()),
            Kind::LocationQuery => {
                let mut response = Response::new(Code::CREATED);
                for query in ["first=1", "second=2"] {
                    response.options.push(OptionNumber::LOCATION_QUERY, query.as_bytes());
                }
                response
            }
            Kind::Factory => self.create_below(path, request),
            _ => Code::METHOD_NOT_ALLOWED.into(),
        }
    }

    /// FETCH of what tells the query: here the body is the query.
    fn fetch(&self, path: &str, request: &Request) -> Response {
        match self.entries.get(path).map(|entry| &entry.kind) {
            Some(Kind::Query) => Response::new(Code::CONTENT)
                .content_format(request.options.content_format().unwrap_or(TEXT))
                .payload(request.payload.clone()),
            Some(_) => Code::METHOD_NOT_ALLOWED.into(),
            None => Code::NOT_FOUND.into(),
        }
    }

    /// PATCH and iPATCH: a text takes the place of the whole, other formats of changes are unknown.
    fn patch(&mut self, path: &str, request: &Request) -> Response {
        let format = request.options.content_format().unwrap_or(TEXT);
        match self.entries.get_mut(path).map(|entry| &mut entry.kind) {
            Some(Kind::Value(_)) if format != TEXT => Code::UNSUPPORTED_CONTENT_FORMAT.into(),
            Some(Kind::Value(stored)) => stored.put(request).into(),
            Some(_) => Code::METHOD_NOT_ALLOWED.into(),
            None => Code::NOT_FOUND.into(),
        }
    }

    fn create_below(&mut self, path: &str, request: &Request) -> Response {
        if self.created >= MAX_CREATED {
            return Code::SERVICE_UNAVAILABLE.into();
        }
        self.created += 1;
        self.next_name += 1;
        let name = self.next_name.to_string();
        self.entries.insert(format!("{path}/{name}"), Entry::new("", Kind::Value(create(request))));
        Response::new(Code::CREATED).location_segment(path).location_segment(&name)
    }

    fn delete(&mut self, path: &str) -> Response {
        let Some(entry) = self.entries.get_mut(path) else { return Code::DELETED.into() };
        match &mut entry.kind {
            Kind::Value(_) if path == "create1" => entry.kind = Kind::Absent,
            Kind::Clock(clock) => clock.deleted = true,
            Kind::Value(_) if path.starts_with("large-create/") => {
                self.entries.remove(path);
                self.created -= 1;
            }
            // The others are there for the next test as well.
            Kind::Value(_) | Kind::Absent => {}
            _ => return Code::METHOD_NOT_ALLOWED.into(),
        }
        Code::DELETED.into()
    }
}

fn query(request: &Request) -> String {
    let parameters = request.options.uri_query().map(String::from_utf8_lossy);
    parameters.collect::<Vec<_>>().join("&")
}
