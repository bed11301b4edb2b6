//! An address translator on loopback that can drop its mapping, as real ones do with idle devices.

use super::Error;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// The translator of one client. It runs until the process ends.
#[derive(Debug)]
pub struct Nat {
    /// The address for the client.
    pub address: SocketAddr,
    server: SocketAddr,
    front: Arc<UdpSocket>,
    client: Arc<Mutex<Option<SocketAddr>>>,
    /// The socket towards the server.
    back: Arc<Mutex<Arc<UdpSocket>>>,
}

impl Nat {
    /// Stands between one client and the server at `server`.
    ///
    /// # Errors
    /// The operating system refuses a socket.
    pub fn start(server: SocketAddr) -> Result<Self, Error> {
        let front = Arc::new(open()?);
        let address = front.local_addr().map_err(Error::io("a UDP socket"))?;
        let client = Arc::new(Mutex::new(None));
        let back = Arc::new(Mutex::new(Arc::new(open()?)));
        let nat = Self { address, server, front, client, back };
        nat.forward_to_client();
        nat.forward_to_server();
        Ok(nat)
    }

    /// From now on the server sees the client at another port; datagrams to the old one are lost.
    ///
    /// # Errors
    /// The operating system refuses a socket.
    pub fn rebind(&self) -> Result<(), Error> {
        *self.back.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(open()?);
        self.forward_to_client();
        Ok(())
    }

    fn forward_to_server(&self) {
        let (front, server) = (Arc::clone(&self.front), self.server);
        let (client, back) = (Arc::clone(&self.client), Arc::clone(&self.back));
        thread::spawn(move || {
            let mut buffer = [0; 2_048];
            loop {
                // An error is an ICMP message that the peer's socket is closed.
                let Ok((length, from)) = front.recv_from(&mut buffer) else { continue };
                *client.lock().unwrap_or_else(PoisonError::into_inner) = Some(from);
                let back = Arc::clone(&back.lock().unwrap_or_else(PoisonError::into_inner));
                let _ = back.send_to(buffer.get(..length).unwrap_or_default(), server);
            }
        });
    }

    fn forward_to_client(&self) {
        let (front, client) = (Arc::clone(&self.front), Arc::clone(&self.client));
        let current = Arc::clone(&self.back);
        let back = Arc::clone(&current.lock().unwrap_or_else(PoisonError::into_inner));
        thread::spawn(move || {
            let mut buffer = [0; 2_048];
            loop {
                let Ok((length, _)) = back.recv_from(&mut buffer) else { continue };
                let now = Arc::clone(&current.lock().unwrap_or_else(PoisonError::into_inner));
                if !Arc::ptr_eq(&now, &back) {
                    break;
                }
                let client = *client.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(client) = client {
                    let _ = front.send_to(buffer.get(..length).unwrap_or_default(), client);
                }
            }
        });
    }
}

fn open() -> Result<UdpSocket, Error> {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::io("a UDP socket"))
}
