//! A server and a device as bare sockets: they register, and then a test sends
//! and answers datagrams of its own from the address that the other side knows.

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
    /// No datagram comes.
    pub fn accept(&self) -> Result<(), Error> {
        let mut buffer = [0; 2048];
        let (length, from) = self.socket.recv_from(&mut buffer).map_err(Error::io("Register"))?;
        self.socket.connect(from).map_err(Error::io("UDP socket"))?;
        let answer = piggybacked(buffer.get(..length).unwrap_or_default(), 0x41, b"\x82rd\x017")?;
        self.socket.send(&answer).map_err(Error::io("answer to Register"))?;
        Ok(())
    }
}

/// A device that registers and then only does what a test tells it.
#[derive(Debug)]
pub struct HandDevice(UdpSocket);

impl HandDevice {
    /// Registers as `by-hand` with `/1/0` and `/3/0` for a day.
    ///
    /// # Errors
    /// The server does not answer 2.01.
    pub fn register(server: SocketAddr) -> Result<Self, Error> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::io("UDP socket"))?;
        socket.set_read_timeout(Some(PATIENCE)).map_err(Error::io("UDP socket"))?;
        socket.connect(server).map_err(Error::io("UDP socket"))?;
        let register = b"\x44\x02\x00\x01hand\xb2rd\x11\x28\x3aep=by-hand\x08lt=86400\x09lwm2m=1.1\xff</1/0>,</3/0>";
        socket.send(register).map_err(Error::io("Register"))?;
        let device = Self(socket);
        let answer = device.receive()?;
        if answer.get(1) != Some(&0x41) {
            return Err(Error::Garbled {
                what: "the answer to Register",
                text: format!("{answer:x?}"),
            });
        }
        Ok(device)
    }

    /// The next datagram from the server.
    ///
    /// # Errors
    /// No datagram comes.
    pub fn receive(&self) -> Result<Vec<u8>, Error> {
        let mut buffer = [0; 2048];
        let length = self.0.recv(&mut buffer).map_err(Error::io("a datagram from the server"))?;
        Ok(buffer.get(..length).unwrap_or_default().to_vec())
    }

    /// Answers a request in its acknowledgement with a code and the encoded options and payload.
    ///
    /// # Errors
    /// The datagram is not a request, or the socket fails.
    pub fn answer(&self, request: &[u8], code: u8, rest: &[u8]) -> Result<(), Error> {
        self.send(&piggybacked(request, code, rest)?)
    }

    /// Resets a request.
    ///
    /// # Errors
    /// The datagram is not a request, or the socket fails.
    pub fn reset(&self, request: &[u8]) -> Result<(), Error> {
        match request {
            [_, _, high, low, ..] => self.send(&[0x70, 0, *high, *low]),
            _ => Err(Error::Garbled { what: "a request", text: format!("{request:x?}") }),
        }
    }

    fn send(&self, datagram: &[u8]) -> Result<(), Error> {
        self.0.send(datagram).map(|_| ()).map_err(Error::io("a datagram to the server"))
    }
}

fn piggybacked(request: &[u8], code: u8, rest: &[u8]) -> Result<Vec<u8>, Error> {
    let Some((&[first, _, id_high, id_low], after)) = request.split_first_chunk() else {
        return Err(Error::Garbled { what: "a request", text: format!("{request:x?}") });
    };
    let token = after.get(..usize::from(first & 0x0f)).unwrap_or_default();
    Ok([&[0x60 | (first & 0x0f), code, id_high, id_low], token, rest].concat())
}
