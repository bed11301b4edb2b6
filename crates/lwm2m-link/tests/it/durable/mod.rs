//! Sessions that survive a crash of the server or the reboot of the device.

mod attacker;
mod device;
mod going_on;
mod keeper;

use crate::harness::{address, server_security};
use keeper::{Disk, Keeper};
use lwm2m_coap::{Code, Config, Event, Request, RequestId};
use lwm2m_dtls::{ClientProfile, TicketKey};
use lwm2m_link::{Link, LinkEvent, PeerId};
use lwm2m_testkit::{Conditions, Node, Sim};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// A server that keeps sessions.
fn security(has_cids: bool) -> lwm2m_dtls::Config {
    let mut config = server_security();
    config.durable_sessions = Some(TicketKey::new([5; 16]));
    if !has_cids {
        config.connection_ids = None;
    }
    config
}

/// A device, and a server with a disk.
struct World {
    sim: Sim,
    device: Node<Link>,
    server: Node<Keeper>,
    disk: Rc<RefCell<Disk>>,
}

impl World {
    const DEVICE: &str = "192.0.2.1:1000";
    const SERVER: &str = "192.0.2.2:5684";

    fn new(security: lwm2m_dtls::Config) -> Self {
        let mut sim = Sim::new(Conditions::INSTANT, 1);
        sim.network.capture = Some(Vec::new());
        let device = sim.add(address(Self::DEVICE), |starts| {
            let mut device = Link::new(Config::default(), [50 + starts; 32]);
            let mut own = lwm2m_dtls::Config::default();
            own.durable_sessions = Some(TicketKey::new([6; 16]));
            device.set_security(own);
            device
        });
        let disk = Rc::new(RefCell::new(Disk::default()));
        let of_server = Rc::clone(&disk);
        let server = sim.add(address(Self::SERVER), move |starts| {
            Keeper::new(security.clone(), Rc::clone(&of_server), 10 + starts)
        });
        Self { sim, device, server, disk }
    }

    fn connect(&mut self, profile: &Arc<ClientProfile>) -> PeerId {
        let profile = Arc::clone(profile);
        self.sim.with(self.device, |it, now| {
            let peer = it.connect_secured(now, address(Self::SERVER), profile).expect("room");
            it.hold(peer);
            peer
        })
    }

    /// Restarts the device, whose requests are numbered anew.
    fn reboot(&mut self) {
        self.sim.restart(self.device);
        self.sim.take_events(self.device);
    }

    fn request(&mut self, peer: PeerId, request: Request) -> RequestId {
        let ask = |it: &mut Link, now| it.coap().request(now, peer, request);
        self.sim.with(self.device, ask).expect("a request")
    }

    /// Asks for a thing that the server has to keep.
    fn post(&mut self, peer: PeerId, thing: &str) -> RequestId {
        self.request(peer, Request::post().payload(thing.as_bytes().to_vec()))
    }

    /// Whether a request was answered with success within a time.
    fn is_answered(&mut self, id: RequestId, patience: Duration) -> bool {
        let device = self.device;
        self.sim.run_until(patience, |sim| {
            let of_it = |event: &LinkEvent| match event {
                LinkEvent::Coap(Event::Response { id: of, response, .. }) if *of == id => {
                    Some(matches!(response.code, Code::CHANGED | Code::CONTENT))
                }
                _ => None,
            };
            sim.events(device).iter().any(|(_, event)| of_it(event) == Some(true))
        })
    }

    /// How many datagrams of handshakes were sent since the last call.
    fn handshakes(&mut self) -> usize {
        let sent = self.sim.network.capture.replace(Vec::new()).expect("captured");
        sent.iter().filter(|it| it.payload[0] == 22).count()
    }
}

/// Nobody resends within this time.
const AT_ONCE: Duration = Duration::from_millis(1);
