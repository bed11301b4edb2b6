//! A device, a bootstrap server and a server on a perfect network, with a capture of the messages.

use lwm2m_bootstrap::BootstrapServer;
use lwm2m_client::{Client, MemoryObject, Object};
use lwm2m_coap::{Code, MessageView, Options};
use lwm2m_link::Engine;
use lwm2m_server::{Operation, OperationError, Response, Server};
use lwm2m_testkit::{Conditions, Node, Sim};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

pub(crate) const DEVICE: SocketAddr = address(1);
pub(crate) const BOOTSTRAP: SocketAddr = address(2);
pub(crate) const SERVER: SocketAddr = address(3);
pub(crate) const ENDPOINT: &str = "trio";

const fn address(host: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, host)), 5683)
}

/// A captured message.
pub(crate) struct Sent {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) code: Code,
    pub(crate) options: Options,
}

impl Sent {
    /// The path of a request.
    pub(crate) fn path(&self) -> String {
        let text = |segment: &[u8]| String::from_utf8(segment.to_vec()).unwrap();
        self.options.uri_path().map(|segment| format!("/{}", text(segment))).collect()
    }
}

pub(crate) struct Trio<D> {
    pub(crate) sim: Sim,
    pub(crate) device: Node<D>,
    pub(crate) bootstrap: Node<BootstrapServer>,
    pub(crate) server: Node<Server>,
    /// The captured messages that were not encrypted.
    pub(crate) wire: Vec<Sent>,
}

impl<D: Engine<Event: 'static> + 'static> Trio<D> {
    pub(crate) fn new(device: D, bootstrap: lwm2m_bootstrap::Config) -> Self {
        let bootstrap = BootstrapServer::new(bootstrap, [2; 32]);
        Self::of(device, bootstrap, Server::new(lwm2m_server::Config::default(), [3; 32]))
    }

    pub(crate) fn of(device: D, bootstrap: BootstrapServer, server: Server) -> Self {
        let mut sim = Sim::new(Conditions::INSTANT, 1);
        sim.network.capture = Some(Vec::new());
        let device = sim.add_engine(DEVICE, device);
        let bootstrap = sim.add_engine(BOOTSTRAP, bootstrap);
        let server = sim.add_engine(SERVER, server);
        Self { sim, device, bootstrap, server, wire: Vec::new() }
    }

    /// Delivers datagrams until none is in flight.
    pub(crate) fn settle(&mut self) {
        self.sim.settle();
        let sent = self.sim.network.capture.replace(Vec::new()).unwrap_or_default();
        self.wire.extend(sent.iter().filter(|it| !it.secured).map(|it| {
            let view = MessageView::parse(&it.payload).unwrap();
            Sent { from: it.from, to: it.to, code: view.code(), options: view.to_options() }
        }));
    }

    /// The device's answer to an operation.
    pub(crate) fn complete(&mut self, operation: Operation) -> Result<Response, OperationError> {
        let submit = |it: &mut Server, now| it.submit(now, ENDPOINT, operation);
        let wanted = self.sim.with(self.server, submit).unwrap();
        self.settle();
        let result = self.server_events().find_map(|event| match event {
            lwm2m_server::Event::Completed { id, result, .. } if *id == wanted => Some(result),
            _ => None,
        });
        result.expect("an answer at once").clone()
    }

    pub(crate) fn device_events(&self) -> impl DoubleEndedIterator<Item = &D::Event> {
        self.sim.events(self.device).iter().map(|(_, event)| event)
    }

    pub(crate) fn bootstrap_events(
        &self,
    ) -> impl DoubleEndedIterator<Item = &lwm2m_bootstrap::Event> {
        self.sim.events(self.bootstrap).iter().map(|(_, event)| event)
    }

    pub(crate) fn server_events(&self) -> impl DoubleEndedIterator<Item = &lwm2m_server::Event> {
        self.sim.events(self.server).iter().map(|(_, event)| event)
    }
}

impl Trio<Client> {
    pub(crate) fn start(&mut self) {
        self.sim.with(self.device, |it, now| it.start(now));
        self.settle();
    }

    pub(crate) fn is_registered(&self, endpoint: &str) -> bool {
        self.sim[self.server].registration(endpoint).is_some()
    }
}

/// A device with a thermometer, and portfolios that can be created.
pub(crate) fn objects() -> Vec<Box<dyn Object>> {
    let device = MemoryObject::new(3)
        .instance(0, |it| it.with(0, "Maker").with(16, "U").with_multiple(11, [(0, 0_i64)]))
        .on_execute(4, |_, _| Ok(()));
    let thermometer = MemoryObject::new(3303).instance(0, |it| it.with(5700, 21.0));
    let portfolio =
        MemoryObject::new(16).instance(0, |it| it.with_multiple(0, [(0, "a"), (1, "b")]));
    vec![Box::new(device), Box::new(thermometer), Box::new(portfolio)]
}
