//! From a CoAP request to an operation and its answer (OMA LwM2M Transport 6.4.4 and 6.4.5).

use crate::bootstrap::is_finish;
use crate::client::Client;
use crate::error::Refusal;
use crate::event::Event;
use crate::objects::{HIDDEN, server};
use crate::operations::write::Mode;
use crate::operations::{
    attributes, composite, create, delete, discover, execute, format, read, write,
};
use crate::reporting::{Observation, Observed};
use alloc::boxed::Box;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;
use bytes::Bytes;
use lwm2m_coap::{Code, ExchangeId, Observer, Request, Response};
use lwm2m_codec::link;
use lwm2m_core::path::PathError;
use lwm2m_core::{Arguments, Attributes, ContentFormat, Model, Path, Version};
use lwm2m_time::Instant;

/// A request of a registered server.
struct Asked<'a> {
    account: usize,
    server: u16,
    version: Version,
    path: Path,
    query: Vec<&'a [u8]>,
    request: &'a Request,
}

/// What is left to do once the answer is on its way.
enum Effect {
    Nothing,
    /// Values at these paths have changed.
    Changed(Vec<Path>),
    /// Instances have come or gone; the values at this path with them.
    Instances(Path),
    /// Attributes at this path have changed.
    Attributes,
    /// An observation begins.
    Observe(Box<Observation>),
    /// A resource was executed.
    Executed(Arguments),
}

type Outcome = Result<(Response, Effect), Refusal>;

impl Client {
    pub(crate) fn handle_request(
        &mut self,
        now: Instant,
        exchange: ExchangeId,
        observer: Observer,
        request: &Request,
    ) {
        if self.handle_command(now, exchange, observer.peer, request) {
            return;
        }
        let Some(account) = self.account_of(observer.peer) else { return };
        let known = self.accounts.get(account).filter(|account| account.may_ask());
        let Some((server, version)) = known.map(|it| (it.server(), it.version)) else {
            return self.refuse(now, exchange, Refusal::Unavailable);
        };
        let query = request.options.uri_query().collect();
        let asked = parse_path(request).map(|path| Asked {
            account,
            server,
            version,
            path,
            query,
            request,
        });
        let outcome = match &asked {
            Ok(asked) => self.dispatch(now, asked),
            Err(refusal) => Err(*refusal),
        };
        let (response, then) = match outcome {
            Ok(done) => done,
            Err(refusal) => {
                let response = Response::new(refusal.code()).payload(refusal.to_string());
                (response, Effect::Nothing)
            }
        };
        let answered = self.link.coap().respond(now, exchange, response).is_ok();
        if let Ok(asked) = asked {
            self.follow_up(now, &asked, observer, then, answered);
        }
    }

    /// Answers a server in a session that must not ask now; others do not come that far.
    pub(crate) fn refuse(&mut self, now: Instant, exchange: ExchangeId, refusal: Refusal) {
        // The server may have asked again meanwhile; then nobody waits for this.
        let _ = self.link.coap().respond(now, exchange, Response::new(refusal.code()));
    }

    fn dispatch(&mut self, now: Instant, asked: &Asked<'_>) -> Outcome {
        if asked.path.object_id().is_some_and(|id| HIDDEN.contains(&id)) {
            return Err(Refusal::Unauthorized);
        }
        if asked.content_format().is_some_and(|format| self.declined_formats.contains(&format)) {
            return Err(Refusal::UnsupportedContentFormat);
        }
        if asked.accept().is_some_and(|format| self.declined_formats.contains(&format)) {
            return Err(Refusal::NotAcceptable);
        }
        match asked.request.code {
            Code::GET if asked.accept() == Some(ContentFormat::LINK) => self.discover(asked),
            Code::GET => self.read(now, asked),
            Code::PUT if asked.writes_attributes() => self.write_attributes(asked),
            Code::PUT => self.write(asked, Mode::Replace),
            Code::POST => self.post(asked),
            Code::DELETE => self.delete(asked),
            Code::FETCH if asked.path.depth() == 0 => self.read_composite(now, asked),
            Code::IPATCH if asked.path.depth() == 0 => self.write_composite(asked),
            _ => Err(Refusal::MethodNotAllowed),
        }
    }

    fn post(&mut self, asked: &Asked<'_>) -> Outcome {
        match *asked.path.ids() {
            [object] => self.create(asked, object),
            [_, _] => self.write(asked, Mode::PartialUpdate),
            [object, _, resource] => {
                let multiple = self.store.definitions().resource(object, resource);
                let tree = matches!(
                    asked.content_format(),
                    Some(
                        ContentFormat::TLV
                            | ContentFormat::SENML_JSON
                            | ContentFormat::SENML_CBOR
                            | ContentFormat::LWM2M_CBOR
                    )
                );
                if tree && multiple.is_some_and(|resource| resource.multiple) {
                    self.write(asked, Mode::PartialUpdate)
                } else {
                    self.execute(asked)
                }
            }
            _ => Err(Refusal::MethodNotAllowed),
        }
    }

    /// Read, and Observe, which is a Read with more to come.
    fn read(&mut self, now: Instant, asked: &Asked<'_>) -> Outcome {
        let accept = asked.request.options.accept();
        let observe = asked.request.options.observe() == Some(0);
        let content = |format: ContentFormat, payload: Bytes| {
            Response::new(Code::CONTENT).content_format(format.0).payload(payload)
        };
        if !observe && matches!(asked.path.depth(), 1 | 2) {
            let format = format::choose_for_tree(asked.version, accept)?;
            if let Some(payload) = read::stream(&self.store, &asked.path, format)? {
                return Ok((content(format, payload), Effect::Nothing));
            }
        }
        let node = read::read(&self.store, &asked.path)?;
        let format = format::choose(asked.version, accept, &node)?;
        let response = content(format, format::payload(format, &asked.path, &node)?);
        if !observe {
            return Ok((response, Effect::Nothing));
        }
        let observation = Observation {
            account: asked.account,
            observed: Observed::One(asked.path),
            format,
            own: self.own_attributes(asked)?,
            last: vec![Some(node)],
            notified_at: now,
        };
        Ok((response.observe(), Effect::Observe(Box::new(observation))))
    }

    /// Read-Composite, and Observe-Composite, which is one with more to come.
    fn read_composite(&mut self, now: Instant, asked: &Asked<'_>) -> Outcome {
        let options = &asked.request.options;
        let content_format = options.content_format();
        let paths = composite::paths(asked.version, content_format, &asked.request.payload)?;
        let format = composite::choose(asked.version, options.accept(), content_format)?;
        let observed = Observed::Composite(paths);
        let last = observed.read(&self.store)?;
        let (path, node) = observed.tree(&last).ok_or(Refusal::NotFound)?;
        let payload = format::payload(format, &path, &node)?;
        let response = Response::new(Code::CONTENT).content_format(format.0).payload(payload);
        if options.observe() != Some(0) {
            return Ok((response, Effect::Nothing));
        }
        let account = asked.account;
        let own = self.own_attributes(asked)?;
        let observation = Observation { account, observed, format, own, last, notified_at: now };
        Ok((response.observe(), Effect::Observe(Box::new(observation))))
    }

    fn write_composite(&mut self, asked: &Asked<'_>) -> Outcome {
        let content_format = asked.request.options.content_format();
        let payload = &asked.request.payload;
        let paths = composite::write(&mut self.store, asked.version, content_format, payload)?;
        let server = asked.server;
        let written = paths.iter().map(|path| Event::Written { server, path: *path });
        self.events.extend(written);
        Ok((Response::new(Code::CHANGED), Effect::Changed(paths)))
    }

    /// The attributes in the query of an Observe; a client before 1.2 refuses them.
    fn own_attributes(&mut self, asked: &Asked<'_>) -> Result<Option<Attributes>, Refusal> {
        if asked.query.is_empty() {
            return Ok(None);
        }
        if asked.version < Version::V1_2 {
            return Err(Refusal::BadRequest);
        }
        let parsed = match asked.path.depth() {
            0 => attributes::parse_composite(asked.version, &asked.query)?,
            _ => attributes::parse(&self.store, &asked.path, asked.version, &asked.query)?,
        };
        Ok(Some(parsed.into_iter().collect()))
    }

    fn discover(&mut self, asked: &Asked<'_>) -> Outcome {
        let depth = discover::depth(asked.version, &asked.query)?;
        let asking = discover::Asking {
            account: asked.account,
            version: asked.version,
            attributes: &self.attributes,
        };
        let links = discover::discover(&self.store, &asked.path, depth, &asking)?;
        let response = Response::new(Code::CONTENT)
            .content_format(ContentFormat::LINK.0)
            .payload(link::write(&links));
        Ok((response, Effect::Nothing))
    }

    fn write_attributes(&mut self, asked: &Asked<'_>) -> Outcome {
        let parsed = attributes::parse(&self.store, &asked.path, asked.version, &asked.query)?;
        self.attributes.apply(asked.account, asked.path, &parsed);
        Ok((Response::new(Code::CHANGED), Effect::Attributes))
    }

    fn write(&mut self, asked: &Asked<'_>, mode: Mode) -> Outcome {
        write::write(
            &mut self.store,
            &asked.path,
            mode,
            asked.version,
            asked.request.options.content_format(),
            &asked.request.payload,
        )?;
        let (server, path) = (asked.server, asked.path);
        self.events.push_back(Event::Written { server, path });
        Ok((Response::new(Code::CHANGED), Effect::Changed(vec![path])))
    }

    fn execute(&mut self, asked: &Asked<'_>) -> Outcome {
        let arguments = execute::execute(
            &mut self.store,
            &asked.path,
            asked.request.options.content_format(),
            &asked.request.payload,
        )?;
        let (server, path) = (asked.server, asked.path);
        let then = Effect::Executed(arguments.clone());
        self.events.push_back(Event::Executed { server, path, arguments });
        Ok((Response::new(Code::CHANGED), then))
    }

    fn create(&mut self, asked: &Asked<'_>, object: u16) -> Outcome {
        let created = create::create(
            &mut self.store,
            object,
            asked.version,
            asked.request.options.content_format(),
            &asked.request.payload,
        )?;
        let mut response = Response::new(Code::CREATED);
        for id in &created.instances {
            if created.chosen {
                response = response
                    .location_segment(&object.to_string())
                    .location_segment(&id.to_string());
            }
            let path = Path::instance(object, *id);
            self.events.push_back(Event::Created { server: asked.server, path });
        }
        Ok((response, Effect::Instances(asked.path)))
    }

    fn delete(&mut self, asked: &Asked<'_>) -> Outcome {
        let (server, path) = (asked.server, asked.path);
        delete::delete(&mut self.store, &path)?;
        let response = Response::new(Code::DELETED);
        self.attributes.remove_below(&path);
        if path.depth() == 4 {
            self.events.push_back(Event::Written { server, path });
            return Ok((response, Effect::Changed(vec![path])));
        }
        self.events.push_back(Event::Deleted { server, path });
        Ok((response, Effect::Instances(path)))
    }

    fn follow_up(
        &mut self,
        now: Instant,
        asked: &Asked<'_>,
        observer: Observer,
        then: Effect,
        answered: bool,
    ) {
        match then {
            Effect::Nothing => {}
            Effect::Observe(observation) if answered => {
                self.begin_observation(observer, *observation);
            }
            Effect::Observe(_) => {}
            Effect::Attributes => self.attributes_changed(now, asked.account, &asked.path),
            Effect::Changed(paths) => self.written(now, &paths),
            Effect::Instances(path) => {
                self.synchronise(now);
                self.report(now, &[path]);
            }
            Effect::Executed(arguments) => self.executed(now, &asked.path, &arguments),
        }
    }

    fn written(&mut self, now: Instant, paths: &[Path]) {
        for path in paths {
            if let [server::ID, instance, ..] = *path.ids() {
                self.synchronise(now);
                if let Some(account) = self.account_at(instance) {
                    // The default periods may be others now.
                    self.attributes_changed(now, account, &Path::ROOT);
                }
            }
        }
        self.report(now, paths);
    }

    /// The executables of the Server object are the client's own.
    fn executed(&mut self, now: Instant, path: &Path, arguments: &Arguments) {
        let [server::ID, instance, resource] = *path.ids() else { return };
        match (self.account_at(instance), resource) {
            (Some(account), server::UPDATE_TRIGGER) => {
                self.update_triggered(now, account, arguments);
            }
            (Some(account), server::DISABLE) => self.disable(now, account),
            (_, server::BOOTSTRAP_TRIGGER) => self.begin_bootstrap(now),
            _ => {}
        }
    }
}

impl Asked<'_> {
    fn accept(&self) -> Option<ContentFormat> {
        self.request.options.accept().map(ContentFormat)
    }

    fn content_format(&self) -> Option<ContentFormat> {
        self.request.options.content_format().map(|number| ContentFormat(number).canonical())
    }

    /// A PUT with a query and nothing else.
    fn writes_attributes(&self) -> bool {
        !self.query.is_empty()
            && self.request.payload.is_empty()
            && self.request.options.content_format().is_none()
    }
}

/// The path of a request. What is no path of LwM2M does not exist here; more ids than a path may
/// have break the rules of addressing.
pub(crate) fn parse_path(request: &Request) -> Result<Path, Refusal> {
    if is_finish(request) {
        // Bootstrap-Finish of one who is no bootstrap server.
        return Err(Refusal::MethodNotAllowed);
    }
    let segments = request.options.uri_path().filter(|segment| !segment.is_empty());
    Path::from_segments(segments).map_err(|error| match error {
        PathError::TooLong => Refusal::MethodNotAllowed,
        _ => Refusal::NotFound,
    })
}
