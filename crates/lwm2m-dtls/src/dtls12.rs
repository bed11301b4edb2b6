//! The native DTLS 1.2 handshake: the state machine, its flight and its keys.

use crate::alert::Alert;
use crate::channel::{Channel, Opened};
use crate::config::ClientProfile;
use crate::error::Reason;
use crate::flight::Flight;
use crate::handshake::client::ClientHandshake;
use crate::handshake::context::Context;
use crate::handshake::fragment::{Fragment, Message};
use crate::handshake::machine::Machine;
use crate::handshake::output::{Completed, Output};
use crate::handshake::server::ServerHandshake;
use crate::mode::Mode;
use crate::record::header::{ContentType, Record};
use crate::resumption::Resumption;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// A native handshake on datagrams.
pub(crate) struct Dtls12 {
    machine: Machine,
    pub(crate) mode: Mode,
    pub(crate) flight: Flight,
    pub(crate) channel: Option<Box<Channel>>,
}

impl Dtls12 {
    /// The client's side. With `cid`, Connection IDs are offered, and it is ours.
    pub(crate) fn client(
        profile: Arc<ClientProfile>,
        resumption: Option<Arc<Resumption>>,
        cid: Option<Vec<u8>>,
        context: &mut Context<'_>,
    ) -> Self {
        let mode = profile.security.mode();
        let mut output = Output::default();
        let client = ClientHandshake::start(profile, resumption, cid, context, &mut output);
        Self::new(Machine::Client(Box::new(client)), mode, Flight::starting_at(0), output)
    }

    /// The server's side. Our records are numbered from that of the hello: RFC 6347 section 4.2.1.
    pub(crate) fn server(
        hello: &Fragment<'_>,
        record_sequence: u64,
        cid: Option<Vec<u8>>,
        context: &mut Context<'_>,
    ) -> Result<Self, Reason> {
        let mut output = Output::default();
        let message = Message::whole(hello, 0);
        let server = ServerHandshake::start(&message, cid, context, &mut output)?;
        let mut flight = Flight::starting_at(record_sequence);
        flight.limit(server.max_plaintext());
        let mode = server.mode();
        Ok(Self::new(Machine::Server(Box::new(server)), mode, flight, output))
    }

    fn new(machine: Machine, mode: Mode, mut flight: Flight, output: Output) -> Self {
        flight.replace(output.flight);
        let channel = output.keys.map(|keys| Box::new(Channel::new(*keys)));
        Self { machine, mode, flight, channel }
    }

    /// Handles the next message. Returns whether there is a new flight, and the finished handshake.
    pub(crate) fn handle(
        &mut self,
        message: &Message,
        context: &mut Context<'_>,
    ) -> Result<(bool, Option<Box<Completed>>), Reason> {
        let mut output = Output::default();
        self.machine.handle(message, context, &mut output)?;
        if let Some(keys) = output.keys {
            self.flight.limit(keys.max_plaintext);
            self.channel = Some(Box::new(Channel::new(*keys)));
        }
        let has_flight = !output.flight.is_empty();
        if has_flight {
            self.flight.replace(output.flight);
        }
        Ok((has_flight, output.completed))
    }

    /// Opens a protected record: `None` if it is not due, `Some(None)` if it is not authentic.
    pub(crate) fn open(&mut self, record: &Record<'_>) -> Option<Option<Opened>> {
        let channel = self.channel.as_mut().filter(|it| it.expects(&record.header))?;
        Some(channel.open(record))
    }

    /// The flight as datagrams.
    pub(crate) fn datagrams(&mut self, context: &mut Context<'_>) -> Vec<Vec<u8>> {
        self.flight.datagrams(context.config.mtu, self.channel.as_deref_mut(), context.rng)
    }

    /// A datagram with an alert, protected once we have sent our Finished.
    pub(crate) fn alert(&mut self, alert: Alert, context: &mut Context<'_>) -> Vec<u8> {
        let (body, mut out) = (alert.encode(), Vec::new());
        match &mut self.channel {
            Some(channel) if self.flight.has_changed_cipher() => {
                // An alert that cannot be sealed is not sent; the handshake ends either way.
                let _ = channel.seal(ContentType::ALERT, &body, context.rng, &mut out);
            }
            _ => self.flight.write_plain(ContentType::ALERT, &body, &mut out),
        }
        out
    }
}
