//! A UDP proxy on loopback that loses datagrams, for real peers, which use real time.

use super::Error;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// The proxy. It runs until the process ends.
#[derive(Debug)]
pub struct LossyProxy {
    /// The address for clients.
    pub address: SocketAddr,
    lost: Arc<AtomicU64>,
}

/// Decides which datagrams are lost.
#[derive(Debug)]
struct Loss {
    random: ChaCha8Rng,
    percent: u32,
    in_a_row: u32,
    /// After two losses in a row, this many datagrams pass: a message and its answer.
    spared: u32,
}

impl Loss {
    fn loses(&mut self) -> bool {
        if self.spared > 0 {
            self.spared -= 1;
            return false;
        }
        let lost = self.random.next_u32() % 100 < self.percent;
        self.in_a_row = if lost { self.in_a_row + 1 } else { 0 };
        if self.in_a_row == 2 {
            (self.in_a_row, self.spared) = (0, 2);
        }
        lost
    }
}

impl LossyProxy {
    /// Stands between one client and the server at `server`. It loses `percent` of the datagrams
    /// both ways, but never three in a row, so that no message is lost as often as it is sent.
    ///
    /// # Errors
    /// The operating system refuses a socket.
    pub fn start(server: SocketAddr, percent: u32, seed: u64) -> Result<Self, Error> {
        let open = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
        let sockets = open().and_then(|front| Ok((Arc::new(front), Arc::new(open()?))));
        let (front, back) = sockets.map_err(Error::io("a UDP socket"))?;
        let address = front.local_addr().map_err(Error::io("a UDP socket"))?;
        let random = ChaCha8Rng::seed_from_u64(seed);
        let loss = Arc::new(Mutex::new(Loss { random, percent, in_a_row: 0, spared: 0 }));
        let lost = Arc::new(AtomicU64::new(0));
        let client = Arc::new(Mutex::new(None));
        let known = Arc::clone(&client);
        let there = move |from| {
            *known.lock().unwrap_or_else(PoisonError::into_inner) = Some(from);
            Some(server)
        };
        let back_again = move |_| *client.lock().unwrap_or_else(PoisonError::into_inner);
        forward(Arc::clone(&front), Arc::clone(&back), Arc::clone(&loss), Arc::clone(&lost), there);
        forward(back, front, loss, Arc::clone(&lost), back_again);
        Ok(Self { address, lost })
    }

    /// The number of datagrams lost so far.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

fn forward(
    from: Arc<UdpSocket>,
    through: Arc<UdpSocket>,
    loss: Arc<Mutex<Loss>>,
    lost: Arc<AtomicU64>,
    to: impl Fn(SocketAddr) -> Option<SocketAddr> + Send + 'static,
) {
    thread::spawn(move || {
        let mut buffer = [0; 2_048];
        loop {
            // An error is an ICMP message that the peer's socket is closed.
            let Ok((length, sender)) = from.recv_from(&mut buffer) else { continue };
            let Some(to) = to(sender) else { continue };
            if loss.lock().unwrap_or_else(PoisonError::into_inner).loses() {
                lost.fetch_add(1, Ordering::Relaxed);
            } else {
                let _ = through.send_to(buffer.get(..length).unwrap_or_default(), to);
            }
        }
    });
}
