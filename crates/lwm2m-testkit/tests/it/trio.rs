//! A device, a bootstrap server and a server, with a perfect network between them and a look at
//! what goes over the wire.

use lwm2m_bootstrap::BootstrapServer;
use lwm2m_client::{Client, MemoryObject, Object};
use lwm2m_coap::{Code, MessageView, Options};
use lwm2m_link::{Engine, Input, Outbox};
use lwm2m_server::{Operation, OperationError, Response, Server};
use lwm2m_time::Instant;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

pub(crate) const DEVICE: SocketAddr = address(1);
pub(crate) const BOOTSTRAP: SocketAddr = address(2);
pub(crate) const SERVER: SocketAddr = address(3);
pub(crate) const ENDPOINT: &str = "trio";

const fn address(host: u8) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, host)), 5683)
}

/// A message that went over the wire.
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

pub(crate) struct Trio<D: Engine> {
    pub(crate) device: D,
    pub(crate) bootstrap: BootstrapServer,
    pub(crate) server: Server,
    pub(crate) now: Instant,
    pub(crate) device_events: Vec<D::Event>,
    pub(crate) bootstrap_events: Vec<lwm2m_bootstrap::Event>,
    pub(crate) server_events: Vec<lwm2m_server::Event>,
    pub(crate) wire: Vec<Sent>,
    pub(crate) from_device: Outbox<D::Event>,
    from_bootstrap: Outbox<lwm2m_bootstrap::Event>,
    from_server: Outbox<lwm2m_server::Event>,
}

impl<D: Engine> Trio<D> {
    pub(crate) fn new(device: D, bootstrap: lwm2m_bootstrap::Config) -> Self {
        Self {
            device,
            bootstrap: BootstrapServer::new(bootstrap, [2; 32]),
            server: Server::new(lwm2m_server::Config::default(), [3; 32]),
            now: Instant::ZERO,
            device_events: Vec::new(),
            bootstrap_events: Vec::new(),
            server_events: Vec::new(),
            wire: Vec::new(),
            from_device: Outbox::default(),
            from_bootstrap: Outbox::default(),
            from_server: Outbox::default(),
        }
    }

    /// Moves all datagrams until none is left.
    pub(crate) fn settle(&mut self) {
        loop {
            self.from_device.collect(&mut self.device);
            self.from_bootstrap.collect(&mut self.bootstrap);
            self.from_server.collect(&mut self.server);
            let device = self.from_device.transmits.drain(..).map(|it| (DEVICE, it));
            let bootstrap = self.from_bootstrap.transmits.drain(..).map(|it| (BOOTSTRAP, it));
            let server = self.from_server.transmits.drain(..).map(|it| (SERVER, it));
            let moving: Vec<_> = device.chain(bootstrap).chain(server).collect();
            if moving.is_empty() {
                break;
            }
            for (from, transmit) in moving {
                self.deliver(from, transmit.to, &transmit.payload);
            }
        }
        self.device_events.extend(self.from_device.events.drain(..));
        self.bootstrap_events.extend(self.from_bootstrap.events.drain(..));
        self.server_events.extend(self.from_server.events.drain(..));
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, datagram: &[u8]) {
        let view = MessageView::parse(datagram).unwrap();
        self.wire.push(Sent { from, to, code: view.code(), options: view.to_options() });
        match to {
            DEVICE => self.device.handle(self.now, Input::datagram(from, datagram)),
            BOOTSTRAP => self.bootstrap.handle(self.now, Input::datagram(from, datagram)),
            SERVER => self.server.handle(self.now, Input::datagram(from, datagram)),
            other => panic!("nobody is at {other}"),
        }
    }

    /// What the server hears from the device about an operation.
    pub(crate) fn complete(&mut self, operation: Operation) -> Result<Response, OperationError> {
        let wanted = self.server.submit(self.now, ENDPOINT, operation).unwrap();
        self.settle();
        let result = self.server_events.iter().rev().find_map(|event| match event {
            lwm2m_server::Event::Completed { id, result, .. } if *id == wanted => Some(result),
            _ => None,
        });
        result.expect("an answer at once").clone()
    }
}

impl Trio<Client> {
    pub(crate) fn start(&mut self) {
        self.device.start(self.now);
        self.settle();
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
