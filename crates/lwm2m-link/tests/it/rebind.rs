//! A peer that goes on at another address, or in another session or connection.

use crate::harness::{Harness, KEY, address};
use lwm2m_coap::{Code, Config, Event, MessageView, Request, RequestId, Response};
use lwm2m_dtls::{ClientProfile, ClientSecurity};
use lwm2m_link::{Engine, Input, Link, LinkEvent, Outbox, PeerId, RebindError, Transmit};
use lwm2m_testkit::{CoapPeer, Node};
use lwm2m_time::Instant;
use std::net::SocketAddr;
use std::sync::Arc;
use zeroize::Zeroizing;

const NOW: Instant = Instant::from_millis(1_000);

/// A server and a device without security that is made by hand.
struct Plain {
    server: Link,
    out: Outbox<LinkEvent>,
    keep: PeerId,
}

impl Plain {
    fn old() -> SocketAddr {
        address("192.0.2.1:1000")
    }

    fn new_address() -> SocketAddr {
        address("192.0.2.1:2000")
    }

    fn new() -> Self {
        let mut server = Link::new(Config::default(), [1; 32]);
        let keep = server.connect(Self::old()).expect("a peer");
        server.hold(keep);
        Self { server, out: Outbox::default(), keep }
    }

    fn request(&mut self, request: Request) -> RequestId {
        self.server.coap().request(NOW, self.keep, request).expect("room")
    }

    fn sent(&mut self) -> Option<Transmit> {
        self.out.transmit(&mut self.server)
    }

    fn event(&mut self) -> Option<Event> {
        match self.out.event(&mut self.server)? {
            LinkEvent::Coap(event) => Some(event),
            LinkEvent::Unanswered { .. } => None,
            LinkEvent::Security(event) => panic!("{event:?}"),
        }
    }

    fn hear(&mut self, from: SocketAddr, bytes: &[u8]) {
        self.server.handle(NOW, Input::datagram(from, bytes));
    }

    /// The device asks from its new address, and the server lets it go on there.
    fn move_device(&mut self) {
        self.hear(Self::new_address(), &UPDATE);
        let Some(Event::Request { exchange, peer, .. }) = self.event() else { panic!() };
        assert_ne!(peer, self.keep);
        self.server.rebind(NOW, self.keep, peer).expect("the same identity");
        assert_eq!(self.server.peer_address(self.keep), Some(Self::new_address()));
        assert_eq!(self.server.peer_address(peer), Some(Self::old()));
        self.server.coap().respond(NOW, exchange, Response::new(Code::CHANGED)).expect("waiting");
    }
}

/// A confirmable POST.
const UPDATE: [u8; 6] = [0x41, 0x02, 0x77, 0x77, b'u', 0x60];

/// A response to a request, in its acknowledgement or confirmable with a message ID of the device.
fn response(request: &[u8], own_id: Option<u16>, options: &[u8]) -> Vec<u8> {
    let view = MessageView::parse(request).expect("a message");
    let token = view.token();
    let length = token.as_bytes().len() as u8;
    let (kind, id) = match own_id {
        None => (0x60, view.message_id()),
        Some(id) => (0x40, id),
    };
    let head = [&[kind | length, 0x45], &id.to_be_bytes()[..], token.as_bytes()];
    [&head.concat(), options].concat()
}

#[test]
fn peer_without_security_goes_on_at_another_address() {
    let mut plain = Plain::new();
    let observing = plain.request(Request::get().observe(0));
    let observe = plain.sent().unwrap().payload;
    plain.hear(Plain::old(), &response(&observe, None, &[0x61, 1]));
    assert!(matches!(plain.event(), Some(Event::Response { id, .. }) if id == observing));
    let written = plain.request(Request::put().payload("1"));
    let lost = plain.sent().unwrap();
    assert_eq!(lost.to, Plain::old());

    plain.move_device();
    // The request that is under way goes to the new address, with its token.
    let again = plain.sent().unwrap();
    let tokens = [&lost, &again].map(|it| MessageView::parse(&it.payload).unwrap().token());
    assert_eq!((again.to, tokens[0]), (Plain::new_address(), tokens[1]));
    let answer = plain.sent().unwrap();
    assert_eq!(
        (answer.to, &answer.payload[..4]),
        (Plain::new_address(), &[0x61, 0x44, 0x77, 0x77][..])
    );
    // A repeated request is answered as before.
    plain.hear(Plain::new_address(), &UPDATE);
    assert_eq!(plain.sent().unwrap().payload, answer.payload);
    // Answers and notifications match by their tokens.
    plain.hear(Plain::new_address(), &response(&again.payload, None, &[]));
    assert!(matches!(plain.event(), Some(Event::Response { id, .. }) if id == written));
    plain.hear(Plain::new_address(), &response(&observe, Some(5), &[0x61, 2]));
    let Some(Event::Notification { id, peer, .. }) = plain.event() else { panic!() };
    assert_eq!((id, peer), (observing, plain.keep));
    assert!(plain.event().is_none());
    // The old address is that of another peer now.
    plain.sent();
    plain.hear(Plain::old(), &[0x41, 0x01, 0, 9, b'x']);
    assert!(matches!(plain.event(), Some(Event::Request { peer, .. }) if peer != plain.keep));
}

#[test]
fn request_that_may_have_been_handled_is_not_sent_again_but_waits() {
    let mut plain = Plain::new();
    let executed = plain.request(Request::post());
    let lost = plain.sent().unwrap().payload;
    plain.move_device();
    let answer = plain.sent().unwrap();
    assert_eq!(answer.payload[1], 0x44);
    assert_eq!(plain.sent(), None);
    plain.hear(Plain::new_address(), &response(&lost, Some(6), &[]));
    assert!(matches!(plain.event(), Some(Event::Response { id, .. }) if id == executed));
}

#[test]
fn request_of_the_old_path_is_answered_on_the_new_one() {
    let mut plain = Plain::new();
    plain.hear(Plain::old(), &[0x41, 0x01, 0x77, 0x77, b'o']);
    let Some(Event::Request { exchange, .. }) = plain.event() else { panic!() };
    plain.move_device();
    let acknowledgement = plain.sent().unwrap();
    assert_eq!(acknowledgement.payload[..5], [0x61, 0x44, 0x77, 0x77, b'u']);
    // The message ID is that of another request on this path: the answer is a message of its own.
    plain.server.coap().respond(NOW, exchange, Response::new(Code::CONTENT)).expect("waiting");
    let answer = plain.sent().unwrap();
    assert_eq!((answer.to, &answer.payload[..2]), (Plain::new_address(), &[0x41, 0x45][..]));
    assert_eq!(answer.payload[4], b'o');
}

/// The old path of a device to a server, and the new one.
struct Paths {
    harness: Harness,
    /// The peer of the server at the old path, and the server's peer there.
    old: PeerId,
    keep: PeerId,
    /// Where the new path begins: an engine of its own, which has the device's keys.
    device: Node<Link>,
    from: PeerId,
}

impl Paths {
    fn new(identity: &str, stream: bool) -> Self {
        let mut harness = Harness::new();
        let old = if stream { harness.open_connection(KEY) } else { harness.connect(KEY) };
        harness.ask(old);
        harness.settle();
        let mut link = Link::new(Config::default(), [2; 32]);
        link.set_security(lwm2m_dtls::Config::default());
        let device = harness.sim.add_engine(address("192.0.2.7:2000"), link);
        let (to, key) = (harness.server_address, Zeroizing::new(KEY.to_vec()));
        let identity = identity.to_owned().into();
        let profile = Arc::new(ClientProfile::new(ClientSecurity::Psk { identity, key }));
        let ask = |it: &mut Link, now| {
            let peer = match stream {
                false => it.connect_secured(now, to, profile),
                true => it.open_secured_connection(now, to, profile),
            };
            let peer = peer.expect("a peer");
            it.hold(peer);
            it.coap().request(now, peer, Request::get()).expect("room");
        };
        harness.sim.with(device, ask);
        harness.settle();
        let [(keep, _), (from, _)] = harness.asked[..] else { panic!("{:?}", harness.asked) };
        harness.server().hold(keep);
        harness.sim.take_events(device);
        Self { harness, old, keep, device, from }
    }

    fn rebind(&mut self, keep: PeerId, from: PeerId) -> Result<(), RebindError> {
        let server = self.harness.server;
        self.harness.sim.with(server, |it, now| it.link.rebind(now, keep, from))
    }
}

/// A request that the old path has lost is answered on the new one.
fn goes_on(stream: bool) {
    let mut paths = Paths::new("device", stream);
    let (keep, from, device) = (paths.keep, paths.from, paths.device);
    let server = paths.harness.server;
    let ask = |it: &mut CoapPeer, now| {
        let id = it.link.coap().request(now, keep, Request::put().payload("1")).expect("room");
        // What the old path carries is lost.
        while it.link.poll().is_some() {}
        id
    };
    let id = paths.harness.sim.with(server, ask);
    paths.rebind(keep, from).expect("the same identity");
    paths.harness.settle();
    let events = paths.harness.sim.take_events(device);
    let asked = events.into_iter().find_map(|(_, event)| match event {
        LinkEvent::Coap(Event::Request { exchange, .. }) => Some(exchange),
        _ => None,
    });
    let exchange = asked.expect("the request comes by the new path");
    let respond = |it: &mut Link, now| {
        it.coap().respond(now, exchange, Response::new(Code::CHANGED)).expect("waiting");
    };
    paths.harness.sim.with(device, respond);
    paths.harness.settle();
    let answer = |it: &Event| matches!(it, Event::Response { id: of, peer, .. } if (*of, *peer) == (id, keep));
    assert!(paths.harness.heard.iter().any(answer), "{:?}", paths.harness.heard);
    let link = paths.harness.server();
    assert!(link.is_reachable(keep) && !link.is_reachable(from));
    let old = paths.harness.device;
    assert!(!paths.harness.sim[old].is_reachable(paths.old), "the old path is closed");
}

#[test]
fn peer_goes_on_in_another_session_of_its_identity() {
    goes_on(false);
}

#[test]
fn peer_goes_on_by_another_connection_of_its_identity() {
    goes_on(true);
}

#[test]
fn another_identity_inherits_nothing() {
    for stream in [false, true] {
        let mut paths = Paths::new("other", stream);
        let (keep, from) = (paths.keep, paths.from);
        let before = paths.harness.server().peer_address(keep);
        let plain = paths.harness.server().connect(address("192.0.2.8:1")).unwrap();
        for stranger in [from, plain] {
            assert_eq!(paths.rebind(keep, stranger), Err(RebindError::OtherIdentity));
        }
        assert_eq!(paths.rebind(keep, PeerId(99)), Err(RebindError::UnknownPeer));
        assert_eq!(paths.harness.server().peer_address(keep), before);
        assert!(paths.harness.server().is_reachable(from));
    }
}
