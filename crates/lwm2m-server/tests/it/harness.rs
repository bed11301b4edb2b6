//! A server and the datagrams of devices that talk to it.

use bytes::Bytes;
use lwm2m_coap::{
    Code, MessageBuilder, MessageType, MessageView, Options, Request, Response, Token,
};
use lwm2m_link::{Engine, Input, Output, Table, Write};
use lwm2m_server::records::{RESTORED, name};
use lwm2m_server::{
    Config, Content, Event, Operation, OperationError, OperationId, Restored, Server,
};
use lwm2m_time::Instant;
use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// A message that the server sent.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Message {
    pub(crate) to: SocketAddr,
    pub(crate) kind: MessageType,
    pub(crate) code: Code,
    pub(crate) id: u16,
    pub(crate) token: Token,
    pub(crate) options: Options,
    pub(crate) payload: Vec<u8>,
}

impl Message {
    /// The path and query as text.
    pub(crate) fn uri(&self) -> String {
        let text = |part: &[u8]| String::from_utf8(part.to_vec()).unwrap();
        let path: String = self.options.uri_path().map(|part| format!("/{}", text(part))).collect();
        let query: Vec<_> = self.options.uri_query().map(text).collect();
        if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
    }

    pub(crate) fn location(&self) -> String {
        let parts = self.options.location_path();
        parts.map(|part| format!("/{}", std::str::from_utf8(part).unwrap())).collect()
    }
}

/// The address of device number `n`.
pub(crate) fn device(n: u16) -> SocketAddr {
    (Ipv4Addr::new(198, 51, 100, 7), 40_000 + n).into()
}

pub(crate) const LIST: &str = "</1/0>,</3/0>,</6>,</16>,</19/0>";

/// A Register with the given query (`ep=a&lt=60`) and object list.
pub(crate) fn register(query: &str, list: &str) -> Request {
    let request = Request::post().path(["rd"]).content_format(40);
    with_query(request, query).payload(list.to_owned())
}

/// A POST on a location with the given query.
pub(crate) fn update(location: &str, query: &str) -> Request {
    with_query(at(Request::post(), location), query)
}

pub(crate) fn at(request: Request, location: &str) -> Request {
    request.path(location.split('/').filter(|part| !part.is_empty()))
}

fn with_query(request: Request, query: &str) -> Request {
    query
        .split('&')
        .filter(|part| !part.is_empty())
        .fold(request, |request, part| request.query(part))
}

/// A server in virtual time.
pub(crate) struct Harness {
    pub(crate) server: Server,
    pub(crate) now: Instant,
    pub(crate) sent: VecDeque<Message>,
    pub(crate) events: VecDeque<Event>,
    /// What is durable.
    pub(crate) disk: BTreeMap<(Table, Bytes), Bytes>,
    /// What is not durable yet.
    pub(crate) writes: VecDeque<Write>,
    config: Config,
    next_id: u16,
}

impl Harness {
    pub(crate) fn new() -> Self {
        Self::with(Config::default())
    }

    pub(crate) fn with(config: Config) -> Self {
        Self {
            server: Server::new(config.clone(), [7; 32]),
            now: Instant::from_millis(1_000),
            sent: VecDeque::new(),
            events: VecDeque::new(),
            disk: BTreeMap::new(),
            writes: VecDeque::new(),
            config,
            next_id: 0,
        }
    }

    /// A server with a store, whose writes are durable after [`commit`](Self::commit).
    pub(crate) fn kept() -> Self {
        Self::with(Config::default().is_kept(true))
    }

    /// Makes all writes durable.
    pub(crate) fn commit(&mut self) {
        while let Some(last) = self.writes.back().map(|write| write.lsn) {
            for Write { record, keep_last, .. } in self.writes.drain(..) {
                let key = (record.table, record.key);
                match (record.value, keep_last) {
                    (Some(value), None) => _ = self.disk.insert(key, value),
                    (None, None) => _ = self.disk.remove(&key),
                    (_, Some(last)) => trim(&mut self.disk, &key, last),
                }
            }
            self.server.handle(self.now, Input::Written(last));
            self.drain();
        }
    }

    /// Fails all writes.
    pub(crate) fn fail(&mut self) {
        let last = self.writes.back().unwrap().lsn;
        self.server.handle(self.now, Input::WriteFailed(last));
        self.drain();
    }

    /// Crashes, and goes on from what is durable.
    pub(crate) fn crash(&mut self) -> Restored {
        self.server = Server::new(self.config.clone(), [8; 32]);
        (self.sent, self.events, self.writes) = Default::default();
        let mut restore = self.server.restore(self.now);
        let all = self.disk.iter();
        // The other known ones are not read at a start.
        let needed =
            all.filter(|((table, _), _)| RESTORED.contains(table) || name(*table).is_none());
        needed.for_each(|((table, key), value)| restore.take(*table, key, value));
        let restored = restore.finish();
        self.drain();
        restored
    }

    pub(crate) fn drain(&mut self) {
        while let Some(output) = self.server.poll() {
            let transmit = match output {
                Output::Transmit(transmit) => transmit,
                Output::Event(event) => {
                    self.events.push_back(event);
                    continue;
                }
                Output::Stream(action) => panic!("{action:?}"),
                Output::Write(write) => {
                    self.writes.push_back(write);
                    continue;
                }
            };
            let view = MessageView::parse(&transmit.payload).unwrap();
            self.sent.push_back(Message {
                to: transmit.to,
                kind: view.kind(),
                code: view.code(),
                id: view.message_id(),
                token: view.token(),
                options: view.to_options(),
                payload: view.payload().to_vec(),
            });
        }
    }

    pub(crate) fn datagram(&mut self, from: SocketAddr, datagram: &[u8]) {
        self.server.handle(self.now, Input::datagram(from, datagram));
        self.drain();
    }

    /// Sends a request of a device and returns the answer on the acknowledgement.
    pub(crate) fn ask(&mut self, from: SocketAddr, request: Request) -> Message {
        self.ask_for(from, request).expect("an answer")
    }

    /// Sends a request of a device, and returns the answer if there is one at once.
    pub(crate) fn ask_for(&mut self, from: SocketAddr, request: Request) -> Option<Message> {
        self.next_id += 1;
        let token = Token::new(&self.next_id.to_be_bytes()).unwrap();
        let kind = MessageType::Confirmable;
        self.message(
            from,
            kind,
            request.code,
            self.next_id,
            token,
            &request.options,
            &request.payload,
        );
        let answer = self.sent.iter().position(|message| message.token == token)?;
        self.sent.remove(answer)
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a message")]
    pub(crate) fn message(
        &mut self,
        from: SocketAddr,
        kind: MessageType,
        code: Code,
        id: u16,
        token: Token,
        options: &Options,
        payload: &[u8],
    ) {
        let mut datagram = Vec::new();
        MessageBuilder::new(&mut datagram, kind, code, id, token).options(options).payload(payload);
        self.datagram(from, &datagram);
    }

    /// Registers device `n` as `ep` with LwM2M 1.1, the list above and a day of lifetime.
    pub(crate) fn registered(&mut self, n: u16, ep: &str) -> String {
        let query = format!("ep={ep}&lt=86400&lwm2m=1.1&b=U");
        self.registered_as(n, &query, LIST)
    }

    pub(crate) fn registered_as(&mut self, n: u16, query: &str, list: &str) -> String {
        let answer = self.ask(device(n), register(query, list));
        assert_eq!(answer.code, Code::CREATED, "{query}");
        self.events.clear();
        answer.location()
    }

    /// The next message that the server sent on its own account.
    pub(crate) fn request(&mut self) -> Message {
        self.sent.pop_front().expect("a request of the server")
    }

    /// Sends an operation that is accepted, and takes the request off the wire.
    pub(crate) fn order(&mut self, ep: &str, operation: Operation) -> (OperationId, Message) {
        let id = self.server.submit(self.now, ep, operation).expect("the operation is legal");
        self.drain();
        (id, self.request())
    }

    /// Answers a request on its acknowledgement.
    pub(crate) fn answer(&mut self, request: &Message, response: Response) {
        let Response { code, options, payload } = response;
        let kind = MessageType::Acknowledgement;
        self.message(request.to, kind, code, request.id, request.token, &options, &payload);
    }

    /// Sends a notification.
    pub(crate) fn notify(&mut self, request: &Message, kind: MessageType, response: Response) {
        self.next_id += 1;
        let Response { code, options, payload } = response;
        let id = 0x8000 | self.next_id;
        self.message(request.to, kind, code, id, request.token, &options, &payload);
    }

    /// The outcome of an operation, if it has one.
    pub(crate) fn outcome(
        &mut self,
        wanted: OperationId,
    ) -> Option<Result<lwm2m_server::Response, OperationError>> {
        let of = |event: &Event| matches!(event, Event::Completed { id, .. } if *id == wanted);
        let place = self.events.iter().position(of)?;
        match self.events.remove(place) {
            Some(Event::Completed { result, .. }) => Some(result),
            _ => None,
        }
    }

    pub(crate) fn content(&mut self, id: OperationId) -> Content {
        self.outcome(id).expect("an outcome").expect("a response").content
    }

    /// Lets the time pass, waking the server whenever it wants.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.server.poll_timeout().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.server.handle(self.now, Input::Timeout);
            self.drain();
        }
        self.now = end;
    }
}

/// Removes the records whose keys begin with a key, but for the last ones.
fn trim(disk: &mut BTreeMap<(Table, Bytes), Bytes>, prefix: &(Table, Bytes), last: u32) {
    let below: Vec<_> = disk
        .range(prefix.clone()..)
        .map(|(key, _)| key.clone())
        .take_while(|(table, key)| *table == prefix.0 && key.starts_with(&prefix.1))
        .collect();
    let gone = below.len().saturating_sub(last as usize);
    below.iter().take(gone).for_each(|key| _ = disk.remove(key));
}
