//! Plays a script of bytes to an engine: datagrams, replies to what it sent, time and what its
//! application does. The engine must not panic, must send well-formed messages only, and its timers
//! must come to an end.
//!
//! A script is a list of steps, each `operation, length, bytes`:
//!
//! | operation | step |
//! |---|---|
//! | 0, 1 | the bytes arrive as a datagram, from one of two addresses |
//! | 2, 3 | the bytes are code, options and payload of a reply to the latest message sent: piggybacked, or separate and confirmable |
//! | 4 | so many milliseconds pass |
//! | others | left to the application |

pub mod allocation;
pub mod dtls;
pub mod dtls_model;
pub mod dtls_restore;
pub mod payload;
pub mod tls;

use lwm2m_coap::{MessageType, MessageView};
use lwm2m_link::{Engine, Output, Transmit};
use lwm2m_time::Instant;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// More output than any step of a script can ask for.
const MOST_OUTPUT: usize = 10_000;
/// The largest datagram: 1,024 bytes of payload and 128 of header and options.
const MOST_BYTES: usize = 1152;

/// What the application of the engine gets.
#[derive(Debug)]
pub enum Input<'a, E> {
    /// The engine's event.
    Event(E),
    /// A step of the script that is left to the application: operation and bytes.
    Step(u8, &'a [u8]),
}

/// The address of one of the two peers.
pub fn address(peer: u8) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 5683 + u16::from(peer)))
}

/// Plays the script, then lets the time run until nothing is due any more.
pub fn play<E: Engine>(
    engine: &mut E,
    script: &[u8],
    application: impl FnMut(&mut E, Instant, Input<'_, E::Event>),
) {
    let mut player = Player { engine, application, now: Instant::from_millis(1), latest: None };
    player.drain();
    let mut rest = script;
    while let Some((operation, bytes, after)) = next_step(rest) {
        player.step(operation, bytes);
        rest = after;
    }
    player.run_out();
}

fn next_step(script: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[operation, length], rest) = script.split_first_chunk()?;
    let (bytes, rest) = rest.split_at(rest.len().min(length.into()));
    Some((operation, bytes, rest))
}

struct Player<'e, E, A> {
    engine: &'e mut E,
    application: A,
    now: Instant,
    /// The latest message of the engine, and where it went.
    latest: Option<(SocketAddr, Vec<u8>)>,
}

impl<E: Engine, A: FnMut(&mut E, Instant, Input<'_, E::Event>)> Player<'_, E, A> {
    fn step(&mut self, operation: u8, bytes: &[u8]) {
        match operation {
            0 | 1 => self.datagram(address(operation), bytes),
            2 => self.reply(MessageType::Acknowledgement, bytes),
            3 => self.reply(MessageType::Confirmable, bytes),
            4 => self.pass(bytes),
            _ => (self.application)(self.engine, self.now, Input::Step(operation, bytes)),
        }
        self.drain();
    }

    fn reply(&mut self, kind: MessageType, bytes: &[u8]) {
        let Some((from, message)) = self.latest.clone() else { return };
        let message = MessageView::parse(&message).expect("checked when it was sent");
        let (&code, rest) = bytes.split_first().unwrap_or((&0, &[]));
        let token = message.token();
        let first = 0x40 | (kind as u8) << 4 | token.as_bytes().len() as u8;
        let id = message.message_id().to_be_bytes();
        let head = [first, code, id[0], id[1]];
        let datagram = [&head, token.as_bytes(), rest].concat();
        self.datagram(from, &datagram);
    }

    fn datagram(&mut self, from: SocketAddr, bytes: &[u8]) {
        self.engine.handle(self.now, lwm2m_link::Input::datagram(from, bytes));
    }

    fn pass(&mut self, bytes: &[u8]) {
        let millis = bytes.iter().take(4).fold(0, |sum: u64, &byte| sum << 8 | u64::from(byte));
        let until = self.now + Duration::from_millis(millis);
        for _ in 0..MOST_OUTPUT {
            match self.engine.poll_timeout() {
                Some(due) if due <= until => self.timeout(due),
                _ => break,
            }
        }
        self.now = until;
    }

    /// Lets timeouts fire until none is left, ten thousand at most.
    fn run_out(&mut self) {
        for _ in 0..MOST_OUTPUT {
            let Some(due) = self.engine.poll_timeout() else { break };
            self.timeout(due);
        }
    }

    fn timeout(&mut self, due: Instant) {
        self.now = self.now.max(due);
        for _ in 0..MOST_OUTPUT {
            self.engine.handle(self.now, lwm2m_link::Input::Timeout);
            self.drain();
            if self.engine.poll_timeout().is_none_or(|next| next > self.now) {
                return;
            }
        }
        panic!("the engine asks for the same timeout again and again");
    }

    fn drain(&mut self) {
        for _ in 0..MOST_OUTPUT {
            match self.engine.poll() {
                None => return,
                Some(Output::Transmit(transmit)) => self.check(&transmit),
                Some(Output::Stream(_) | Output::Write(_)) => {}
                Some(Output::Event(event)) => {
                    (self.application)(self.engine, self.now, Input::Event(event));
                }
            }
        }
        panic!("the engine has output without end");
    }

    fn check(&mut self, transmit: &Transmit) {
        let well_formed = MessageView::parse(&transmit.payload);
        assert!(well_formed.is_ok(), "{well_formed:?}: {:02x?}", &transmit.payload[..]);
        assert!(transmit.payload.len() <= MOST_BYTES);
        self.latest = Some((transmit.to, transmit.payload.to_vec()));
    }
}
