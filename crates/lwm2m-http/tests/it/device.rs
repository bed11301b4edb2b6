//! A device that does what a test tells it, and remembers what it was asked.

use lwm2m_coap::{Event, Observer, OptionNumber, Request, Response};
use lwm2m_link::{Engine, Input, Link, LinkEvent, Output, Outputs};
use lwm2m_time::Instant;
use std::fmt::Write as _;
use std::net::SocketAddr;
use tokio::sync::oneshot;

/// Answers a request, or leaves it unanswered.
pub(crate) type Script = fn(&Request) -> Option<Response>;

/// The links that the device registers.
pub(crate) const LINKS: &str =
    r#"</>;rt="oma.lwm2m";ct="60 110 112 11542 11543",</1/0>,</3>;ver=1.2,</3/0>,</3303/0>"#;

pub(crate) struct Device {
    link: Link,
    outputs: Outputs<()>,
    server: SocketAddr,
    pub(crate) endpoint: &'static str,
    /// A parameter of its Register, besides those that all have.
    parameter: &'static str,
    /// How it answers from now on.
    pub(crate) script: Script,
    location: Vec<String>,
    registered: Option<oneshot::Sender<()>>,
    now: Instant,
    observer: Option<Observer>,
    /// One line for each request, see [`line`].
    pub(crate) asked: Vec<String>,
}

impl Device {
    pub(crate) fn new(
        server: SocketAddr,
        endpoint: &'static str,
        parameter: &'static str,
        script: Script,
    ) -> Self {
        let link = Link::new(lwm2m_coap::Config::default(), [7; 32]);
        Self {
            link,
            outputs: Outputs::default(),
            server,
            endpoint,
            parameter,
            script,
            location: Vec::new(),
            registered: None,
            now: Instant::ZERO,
            observer: None,
            asked: Vec::new(),
        }
    }

    /// Registers; the receiver is told when the server has answered.
    pub(crate) fn register(&mut self, now: Instant) -> oneshot::Receiver<()> {
        let request = Request::post()
            .path(["rd"])
            .query("b=U")
            .query("lwm2m=1.1")
            .query("lt=60")
            .query(&format!("ep={}", self.endpoint))
            .content_format(40)
            .payload(LINKS);
        let request = match self.parameter {
            "" => request,
            parameter => request.query(parameter),
        };
        self.request(now, request);
        let (registered, answered) = oneshot::channel();
        self.registered = Some(registered);
        answered
    }

    pub(crate) fn update(&mut self, now: Instant, query: &str) {
        let request = Request::post().path(&self.location).query(query);
        self.request(now, request);
    }

    pub(crate) fn deregister(&mut self, now: Instant) {
        let request = Request::delete().path(&self.location);
        self.request(now, request);
    }

    pub(crate) fn notify(&mut self, now: Instant, response: Response) {
        let observer = self.observer.expect("somebody observes");
        self.link.coap().notify(now, observer, response, true).expect("a notification is sent");
    }

    /// Sends a SenML JSON pack.
    pub(crate) fn send(&mut self, now: Instant, pack: &'static str) {
        self.request(now, Request::post().path(["dp"]).content_format(110).payload(pack));
    }

    fn request(&mut self, now: Instant, request: Request) {
        let peer = self.link.connect(self.server).expect("a peer");
        // A device knows its server: refusals to strangers have no text.
        self.link.hold(peer);
        self.link.coap().request(now, peer, request).expect("a request is sent");
    }

    fn handle_link_events(&mut self) {
        while let Some(event) = self.outputs.take_from(&mut self.link) {
            if let LinkEvent::Coap(event) = event {
                self.handle_event(event);
            }
        }
    }

    fn handle_event(&mut self, event: Event) {
        match event {
            Event::Request { exchange, peer, request, token } => {
                self.asked.push(line(&request));
                let Some(response) = (self.script)(&request) else { return };
                if request.options.observe() == Some(0) && response.options.observe().is_some() {
                    self.observer = Some(Observer { peer, token });
                }
                self.link.coap().respond(self.now, exchange, response).expect("an answer is sent");
            }
            Event::Response { response, .. } => {
                let location = response.options.location_path();
                let location: Vec<_> =
                    location.map(|part| String::from_utf8_lossy(part).into_owned()).collect();
                if !location.is_empty() {
                    self.location = location;
                    let registered = self.registered.take().expect("one Register");
                    registered.send(()).expect("somebody waits");
                }
            }
            _ => {}
        }
    }
}

/// A request as a line: `PUT /3/0/14?x accept=110 format=0 "payload"`.
fn line(request: &Request) -> String {
    let text = |part: &[u8]| String::from_utf8_lossy(part).into_owned();
    let method = match request.code.as_byte() {
        1 => "GET",
        2 => "POST",
        3 => "PUT",
        4 => "DELETE",
        5 => "FETCH",
        7 => "iPATCH",
        _ => "OTHER",
    };
    let path: String = request.options.uri_path().map(|part| format!("/{}", text(part))).collect();
    let query: Vec<_> = request.options.uri_query().map(text).collect();
    let mut line = format!("{method} {path}");
    if !query.is_empty() {
        let _ = write!(line, "?{}", query.join("&"));
    }
    let numbers = [("observe", OptionNumber::OBSERVE), ("accept", OptionNumber::ACCEPT)];
    for (name, option) in numbers.into_iter().chain([("format", OptionNumber::CONTENT_FORMAT)]) {
        if let Some(value) = request.options.get_uint(option) {
            let _ = write!(line, " {name}={value}");
        }
    }
    if !request.payload.is_empty() {
        let _ = write!(line, " {:?}", text(&request.payload));
    }
    line
}

impl Engine for Device {
    type Event = ();

    fn handle(&mut self, now: Instant, input: Input<'_>) {
        self.now = now;
        self.link.handle(now, input);
        self.handle_link_events();
    }

    fn poll(&mut self) -> Option<Output<()>> {
        self.handle_link_events();
        self.outputs.poll()
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.link.poll_timeout()
    }
}
