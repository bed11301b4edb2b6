//! A server made by hand, datagram by datagram: it accepts one registration and lets a test send
//! whatever it likes from the socket that the device trusts.

use super::{Error, PATIENCE};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

/// A UDP socket on loopback that answers Register.
#[derive(Debug)]
pub struct HandServer {
    /// The socket; connected to the device once it has registered.
    pub socket: UdpSocket,
    /// Its address.
    pub address: SocketAddr,
}

impl HandServer {
    /// Opens the socket.
    ///
    /// # Errors
    /// The operating system refuses it.
    pub fn open() -> Result<Self, Error> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::io("UDP socket"))?;
        socket.set_read_timeout(Some(PATIENCE)).map_err(Error::io("UDP socket"))?;
        let address = socket.local_addr().map_err(Error::io("UDP socket"))?;
        Ok(Self { socket, address })
    }

    /// Answers the first datagram, a Register, with 2.01 and Location-Path `rd/7`.
    ///
    /// # Errors
    /// None comes.
    pub fn accept(&self) -> Result<(), Error> {
        let mut buffer = [0; 2048];
        let (length, from) = self.socket.recv_from(&mut buffer).map_err(Error::io("Register"))?;
        self.socket.connect(from).map_err(Error::io("UDP socket"))?;
        let Some((&[first, _, id_high, id_low], rest)) =
            buffer.get(..length).and_then(|datagram| datagram.split_first_chunk())
        else {
            return Err(Error::Garbled { what: "a Register", text: String::new() });
        };
        let token = rest.get(..usize::from(first & 0x0f)).unwrap_or_default();
        let mut answer = vec![0x60 | (first & 0x0f), 0x41, id_high, id_low];
        answer.extend_from_slice(token);
        answer.extend_from_slice(b"\x82rd\x017");
        self.socket.send(&answer).map_err(Error::io("answer to Register"))?;
        Ok(())
    }
}
