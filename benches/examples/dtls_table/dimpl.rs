//! The crate `dimpl`, with AWS-LC: pre-shared keys alone, as it checks no chains of certificates.

use crate::{End, IDENTITY, KEY, Mode, Stack};
use dimpl::{Config, Dtls, Output, PskResolver};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

struct OneKey;

impl PskResolver for OneKey {
    fn resolve(&self, identity: &[u8]) -> Option<Vec<u8>> {
        (identity == IDENTITY.as_bytes()).then(|| KEY.to_vec())
    }
}

struct Dimpl {
    client: Arc<Config>,
    server: Arc<Config>,
}

pub(crate) fn stack(mode: Mode) -> Option<Box<dyn Stack>> {
    let client = Config::builder().with_psk_client(IDENTITY.into(), Arc::new(OneKey)).build();
    let server = Config::builder().with_psk_server(None, Arc::new(OneKey)).build();
    let stack = Dimpl { client: Arc::new(client.unwrap()), server: Arc::new(server.unwrap()) };
    (mode == Mode::Psk).then(|| Box::new(stack) as Box<dyn Stack>)
}

fn side(config: &Arc<Config>, active: bool) -> Box<dyn End> {
    let mut dtls = Dtls::new_12_psk(Arc::clone(config), Instant::now());
    dtls.set_active(active);
    // A client says its hello when its clock is set.
    dtls.handle_timeout(Instant::now()).unwrap();
    Box::new(Side { dtls, packets: VecDeque::new(), connected: false, received: false })
}

impl Stack for Dimpl {
    fn name(&self) -> &'static str {
        "dimpl, aws-lc"
    }
    fn client(&mut self) -> Box<dyn End> {
        side(&self.client, true)
    }
    fn server(&mut self) -> Box<dyn End> {
        side(&self.server, false)
    }
}

struct Side {
    dtls: Dtls,
    packets: VecDeque<Vec<u8>>,
    connected: bool,
    received: bool,
}

impl Side {
    fn drain(&mut self) {
        let mut buffer = [0; 2048];
        loop {
            match self.dtls.poll_output(&mut buffer) {
                Output::Packet(packet) => self.packets.push_back(packet.to_vec()),
                Output::Connected => self.connected = true,
                Output::ApplicationData(_) => self.received = true,
                Output::Timeout(_) => return,
                _ => {}
            }
        }
    }
}

impl End for Side {
    fn handle(&mut self, datagram: &[u8]) {
        self.dtls.handle_packet(datagram).unwrap();
        self.drain();
    }
    fn poll(&mut self) -> Option<Vec<u8>> {
        if self.packets.is_empty() {
            self.drain();
        }
        self.packets.pop_front()
    }
    fn is_connected(&self) -> bool {
        self.connected
    }
    fn send(&mut self, data: &[u8]) {
        self.dtls.send_application_data(data).unwrap();
    }
    fn received(&mut self) -> bool {
        std::mem::take(&mut self.received)
    }
}
