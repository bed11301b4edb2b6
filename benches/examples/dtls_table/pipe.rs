//! Datagrams, or pieces of a stream, on their way into and out of a stack that reads and writes by itself.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::rc::Rc;

#[derive(Debug, Default)]
struct Queues {
    incoming: VecDeque<Vec<u8>>,
    outgoing: VecDeque<Vec<u8>>,
}

/// Both queues of an end; its clones are the same queues.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pipe(Rc<RefCell<Queues>>);

impl Pipe {
    pub(crate) fn put_incoming(&self, datagram: &[u8]) {
        self.0.borrow_mut().incoming.push_back(datagram.to_vec());
    }
    pub(crate) fn take_outgoing(&self) -> Option<Vec<u8>> {
        self.0.borrow_mut().outgoing.pop_front()
    }
}

impl Read for Pipe {
    /// What does not fit is read next: so it is with the pieces of a stream, and datagrams fit.
    fn read(&mut self, mut buffer: &mut [u8]) -> std::io::Result<usize> {
        let incoming = &mut self.0.borrow_mut().incoming;
        let mut piece = incoming.pop_front().ok_or(ErrorKind::WouldBlock)?;
        let length = buffer.write(&piece)?;
        let rest = piece.split_off(length);
        if !rest.is_empty() {
            incoming.push_front(rest);
        }
        Ok(length)
    }
}

impl Write for Pipe {
    fn write(&mut self, datagram: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().outgoing.push_back(datagram.to_vec());
        Ok(datagram.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
