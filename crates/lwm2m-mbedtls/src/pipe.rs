//! The bytes between the library and its caller.

use bytes::Bytes;
use mbedtls::Error;
use mbedtls::error::codes;
use mbedtls::ssl::io::Io;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A queue for each direction; clones share them.
#[derive(Clone, Default)]
pub(crate) struct Pipe {
    queues: Arc<Mutex<Queues>>,
    /// Input may be read in pieces.
    is_stream: bool,
}

#[derive(Default)]
struct Queues {
    incoming: VecDeque<Bytes>,
    outgoing: VecDeque<Vec<u8>>,
}

impl Pipe {
    pub(crate) fn new(is_stream: bool) -> Self {
        Self { is_stream, ..Self::default() }
    }

    fn queues(&self) -> MutexGuard<'_, Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn put_incoming(&self, bytes: &[u8]) {
        self.queues().incoming.push_back(Bytes::copy_from_slice(bytes));
    }

    pub(crate) fn take_outgoing(&self) -> Option<Vec<u8>> {
        self.queues().outgoing.pop_front()
    }
}

impl Io for Pipe {
    fn recv(&mut self, room: &mut [u8]) -> mbedtls::Result<usize> {
        let mut queues = self.queues();
        let Some(mut bytes) = queues.incoming.pop_front() else {
            return Err(Error::from(codes::SslWantRead));
        };
        let length = bytes.len().min(room.len());
        let part = bytes.split_to(length);
        if let Some(room) = room.get_mut(..length) {
            room.copy_from_slice(&part);
        }
        if self.is_stream && !bytes.is_empty() {
            queues.incoming.push_front(bytes);
        }
        Ok(length)
    }

    fn send(&mut self, bytes: &[u8]) -> mbedtls::Result<usize> {
        self.queues().outgoing.push_back(bytes.to_vec());
        Ok(bytes.len())
    }
}
