//! Malformed datagrams, the same in each run of a seed.

use super::Error;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::net::UdpSocket;

const LARGEST: u32 = 1_200;

/// An endless sequence of datagrams: a third are random, the others are well-formed requests with
/// bits flipped or the end cut off.
#[derive(Debug)]
pub struct Noise {
    random: ChaCha8Rng,
    templates: &'static [&'static [u8]],
}

impl Noise {
    /// Creates the sequence of a seed from well-formed datagrams.
    #[must_use]
    pub fn new(seed: u64, templates: &'static [&'static [u8]]) -> Self {
        Self { random: ChaCha8Rng::seed_from_u64(seed), templates }
    }

    fn below(&mut self, limit: usize) -> usize {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX).max(1);
        usize::try_from(self.random.next_u32() % limit).unwrap_or_default()
    }

    fn chance(&mut self) -> Vec<u8> {
        let mut datagram = vec![0; self.below(LARGEST as usize)];
        self.random.fill_bytes(&mut datagram);
        datagram
    }

    fn damaged(&mut self) -> Vec<u8> {
        let which = self.below(self.templates.len());
        let mut datagram = self.templates.get(which).map(|it| it.to_vec()).unwrap_or_default();
        for _ in 0..=self.below(4) {
            let place = self.below(datagram.len());
            let mask = self.random.next_u32().to_le_bytes()[0];
            if let Some(byte) = datagram.get_mut(place) {
                *byte ^= mask;
            }
        }
        if self.below(4) == 0 {
            datagram.truncate(self.below(datagram.len()));
        }
        datagram
    }
}

impl Iterator for Noise {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        Some(if self.below(3) == 0 { self.chance() } else { self.damaged() })
    }
}

/// Sends a CoAP ping with a message id and reads until its Reset comes: everything sent before
/// has then been handled.
///
/// # Errors
/// The Reset does not come within the socket's read timeout.
pub fn barrier(socket: &UdpSocket, message_id: u16) -> Result<(), Error> {
    let [high, low] = message_id.to_be_bytes();
    socket.send(&[0x40, 0, high, low]).map_err(Error::io("ping"))?;
    let mut buffer = [0; 2048];
    loop {
        let length = socket.recv(&mut buffer).map_err(Error::io("answer to a ping"))?;
        if buffer.get(..length) == Some(&[0x70, 0, high, low]) {
            return Ok(());
        }
    }
}
