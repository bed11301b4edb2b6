//! Device management (OMA LwM2M Core 6.3): from the request of a server to an operation on the
//! objects and its response (OMA LwM2M Transport 6.4.4 and 6.4.5).
//!
//! Each operation is a function of the [store](crate::objects::store) that either does all that was
//! asked, or refuses and changes nothing. What a definition forbids never reaches an object.

mod composite;
mod create;
mod delete;
mod discover;
mod execute;
mod request;
mod write;
mod write_attributes;
mod write_block;

pub(crate) use request::{Request, is_finish, parse_path};
pub(crate) use write::{as_instance, drop_unknown};
pub(crate) use write_block::{is_streamed, write_block};

use crate::context::Context;
use crate::effect::Effect;
use crate::error::Refusal;
use crate::event::Event;
use crate::format;
use crate::objects::{HIDDEN, read};
use crate::reporting::{AttributeTable, LEASE, Observation, Observed};
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use bytes::Bytes;
use lwm2m_coap::{Code, Response};
use lwm2m_codec::link;
use lwm2m_core::{Attributes, ContentFormat, Model, Path, Version};
use write::Mode;

/// A response, and the observation that begins with it.
pub(crate) struct Done {
    pub(crate) response: Response,
    pub(crate) observation: Option<Observation>,
}

impl From<Response> for Done {
    fn from(response: Response) -> Self {
        Self { response, observation: None }
    }
}

type Outcome = Result<Done, Refusal>;

/// What operations work on. What follows of them is [effects](Effect) in the context.
pub(crate) struct Management<'a> {
    pub(crate) cx: &'a mut Context,
    pub(crate) attributes: &'a mut AttributeTable,
    /// Content formats that this client declines.
    pub(crate) declined_formats: &'a [ContentFormat],
}

impl Management<'_> {
    /// Carries a request out.
    pub(crate) fn handle(&mut self, request: &Request<'_>) -> Outcome {
        if request.path.object_id().is_some_and(|id| HIDDEN.contains(&id)) {
            return Err(Refusal::Unauthorized);
        }
        // A critical option that means nothing here must not be ignored (RFC 7252 section 5.4.1), and
        // LwM2M has no 4.02.
        if !request.query.is_empty() && !request.takes_query() {
            return Err(Refusal::BadRequest);
        }
        let declined = |format: Option<ContentFormat>| {
            format.is_some_and(|format| self.declined_formats.contains(&format))
        };
        if declined(request.content_format()) {
            return Err(Refusal::UnsupportedContentFormat);
        }
        if declined(request.accept()) {
            return Err(Refusal::NotAcceptable);
        }
        match request.message.code {
            Code::GET if request.accept() == Some(ContentFormat::LINK) => self.discover(request),
            Code::GET => self.read(request),
            Code::PUT if request.message.streamed_block().is_some() => self.write_block(request),
            Code::PUT if request.writes_attributes() => self.write_attributes(request),
            Code::PUT => self.write(request, Mode::Replace),
            Code::POST => self.post(request),
            Code::DELETE => self.delete(request),
            Code::FETCH if request.path.depth() == 0 => self.read_composite(request),
            Code::IPATCH if request.path.depth() == 0 => self.write_composite(request),
            _ => Err(Refusal::MethodNotAllowed),
        }
    }

    fn post(&mut self, request: &Request<'_>) -> Outcome {
        match *request.path.ids() {
            [object] => self.create(request, object),
            [_, _] => self.write(request, Mode::PartialUpdate),
            [object, _, resource] => {
                let multiple = self.cx.store.definitions().resource(object, resource);
                let tree = matches!(
                    request.content_format(),
                    Some(
                        ContentFormat::TLV
                            | ContentFormat::SENML_JSON
                            | ContentFormat::SENML_CBOR
                            | ContentFormat::LWM2M_CBOR
                    )
                );
                match tree && multiple.is_some_and(|resource| resource.multiple) {
                    true => self.write(request, Mode::PartialUpdate),
                    false => self.execute(request),
                }
            }
            _ => Err(Refusal::MethodNotAllowed),
        }
    }

    /// Read, and Observe, which is a Read with more to come.
    fn read(&self, request: &Request<'_>) -> Outcome {
        let (store, path, version) = (&self.cx.store, &request.path, request.version);
        let accept = request.message.options.accept();
        if !request.observes() && matches!(path.depth(), 1 | 2) {
            let format = format::choose_for_tree(version, accept)?;
            if let Some(payload) = read::stream(store, path, format)? {
                return Ok(content(format, payload).into());
            }
        }
        let node = read::read(store, path)?;
        let format = format::choose(version, accept, &node)?;
        let response = content(format, format::payload(format, path, &node)?);
        if !request.observes() {
            return Ok(response.into());
        }
        let observed = Observed::One(*path);
        let observation = self.observation(request, observed, format, vec![Some(node)])?;
        Ok(Done { response: response.observe(), observation: Some(observation) })
    }

    /// Read-Composite, and Observe-Composite, which is a Read-Composite with more to come.
    fn read_composite(&self, request: &Request<'_>) -> Outcome {
        let (content_format, payload) = request.body();
        let paths = composite::paths(request.version, content_format, payload)?;
        let accept = request.message.options.accept();
        let format = composite::choose(request.version, accept, content_format)?;
        let observed = Observed::Composite(paths);
        let last = observed.read(&self.cx.store)?;
        let (path, node) = observed.tree(&last).ok_or(Refusal::NotFound)?;
        let response = content(format, format::payload(format, &path, &node)?);
        if !request.observes() {
            return Ok(response.into());
        }
        let observation = self.observation(request, observed, format, last)?;
        Ok(Done { response: response.observe(), observation: Some(observation) })
    }

    fn observation(
        &self,
        request: &Request<'_>,
        observed: Observed,
        format: ContentFormat,
        last: Vec<Option<lwm2m_core::Node>>,
    ) -> Result<Observation, Refusal> {
        let own = self.own_attributes(request)?;
        let (account, server, notified_at) = (request.account, request.server, self.cx.now);
        let limit = LEASE;
        Ok(Observation { account, server, observed, format, own, last, notified_at, limit })
    }

    /// The attributes in the query of an Observe; a client before 1.2 refuses them.
    fn own_attributes(&self, request: &Request<'_>) -> Result<Option<Attributes>, Refusal> {
        if request.query.is_empty() {
            return Ok(None);
        }
        let (version, query) = (request.version, &request.query);
        if version < Version::V1_2 {
            return Err(Refusal::BadRequest);
        }
        let parsed = match request.path.depth() {
            0 => write_attributes::parse_composite(version, query)?,
            _ => write_attributes::parse(&self.cx.store, &request.path, version, query)?,
        };
        Ok(Some(parsed.into_iter().collect()))
    }

    fn discover(&self, request: &Request<'_>) -> Outcome {
        let depth = discover::depth(request.version, &request.query)?;
        let asking = discover::Asking {
            account: request.account,
            version: request.version,
            attributes: self.attributes,
        };
        let links = discover::discover(&self.cx.store, &request.path, depth, &asking)?;
        Ok(content(ContentFormat::LINK, link::write(&links).into()).into())
    }

    fn write_attributes(&mut self, request: &Request<'_>) -> Outcome {
        let (store, path) = (&self.cx.store, request.path);
        let parsed = write_attributes::parse(store, &path, request.version, &request.query)?;
        self.attributes.apply(request.account, path, &parsed);
        self.cx.effect(Effect::Attributes(request.account, path));
        Ok(Response::new(Code::CHANGED).into())
    }

    fn write_composite(&mut self, request: &Request<'_>) -> Outcome {
        let (content_format, payload) = request.body();
        let store = &mut self.cx.store;
        let paths = composite::write(store, request.version, content_format, payload)?;
        Ok(self.written(request, paths))
    }

    fn write(&mut self, request: &Request<'_>, mode: Mode) -> Outcome {
        let (content_format, payload) = request.body();
        let (store, path) = (&mut self.cx.store, request.path);
        write::write(store, &path, mode, request.version, content_format, payload)?;
        Ok(self.written(request, vec![path]))
    }

    /// One block of a Write. The application learns of the last one.
    fn write_block(&mut self, request: &Request<'_>) -> Outcome {
        let block = request.message.streamed_block().ok_or(Refusal::BadRequest)?;
        let (store, path) = (&mut self.cx.store, request.path);
        let written = write_block(store, &path, request.server, request.message, block);
        // A value that begins or is refused may change the instance: the state of a download.
        if block.offset() == 0 || written.is_err() {
            self.changed_around(&path);
        }
        match written? {
            true => Ok(self.written(request, vec![path])),
            false => Ok(Response::new(Code::CONTINUE).into()),
        }
    }

    fn written(&mut self, request: &Request<'_>, paths: Vec<Path>) -> Done {
        for path in &paths {
            self.cx.event(Event::Written { server: request.server, path: *path });
            self.changed_around(path);
        }
        self.cx.effect(Effect::Written(paths));
        Response::new(Code::CHANGED).into()
    }

    /// An object may change other resources of an instance with the one that a server writes or
    /// executes: those that have changed are reported.
    fn changed_around(&mut self, path: &Path) {
        if let [object, instance, _, ..] = *path.ids() {
            self.cx.effect(Effect::Changed(vec![Path::instance(object, instance)]));
        }
    }

    fn execute(&mut self, request: &Request<'_>) -> Outcome {
        let (content_format, payload) = request.body();
        let (server, path) = (request.server, request.path);
        let arguments = execute::execute(&mut self.cx.store, &path, content_format, payload)?;
        self.changed_around(&path);
        self.cx.effect(Effect::Executed(path, arguments.clone()));
        self.cx.event(Event::Executed { server, path, arguments });
        Ok(Response::new(Code::CHANGED).into())
    }

    fn create(&mut self, request: &Request<'_>, object: u16) -> Outcome {
        let (content_format, payload) = request.body();
        let store = &mut self.cx.store;
        let created = create::create(store, object, request.version, content_format, payload)?;
        let mut response = Response::new(Code::CREATED);
        for id in &created.instances {
            if created.chosen {
                response = response
                    .location_segment(&object.to_string())
                    .location_segment(&id.to_string());
            }
            let path = Path::instance(object, *id);
            self.cx.event(Event::Created { server: request.server, path });
            self.cx.effect(Effect::Instances(path));
        }
        Ok(response.into())
    }

    fn delete(&mut self, request: &Request<'_>) -> Outcome {
        let (server, path) = (request.server, request.path);
        delete::delete(&mut self.cx.store, &path)?;
        self.attributes.remove_below(&path);
        if path.depth() == 4 {
            self.cx.event(Event::Written { server, path });
            self.cx.effect(Effect::Written(vec![path]));
        } else {
            self.cx.event(Event::Deleted { server, path });
            self.cx.effect(Effect::Instances(path));
        }
        Ok(Response::new(Code::DELETED).into())
    }
}

fn content(format: ContentFormat, payload: Bytes) -> Response {
    Response::new(Code::CONTENT).content_format(format.0).payload(payload)
}
