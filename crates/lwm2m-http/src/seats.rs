//! The connections of the API: how many, and which gives way when there is no room.
//!
//! A connection is *waited for* while its peer owes the rest of a request: the head or the body. That
//! costs the peer nothing, so with all seats taken, such a connection gives way to a new one: the
//! oldest of the host that has most of them. A connection whose request is being answered never does.

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

/// All seats.
#[derive(Debug)]
pub(crate) struct Seats {
    max: usize,
    taken: Mutex<Taken>,
    freed: Notify,
}

#[derive(Debug, Default)]
struct Taken {
    next: u64,
    /// The oldest first.
    seats: BTreeMap<u64, Place>,
}

#[derive(Debug)]
struct Place {
    host: IpAddr,
    is_waited_for: bool,
    task: Option<AbortHandle>,
}

/// The seat of a connection, which it leaves when this is dropped.
#[derive(Debug)]
pub(crate) struct Seat {
    id: u64,
    seats: Arc<Seats>,
}

impl Seats {
    pub(crate) fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, taken: Mutex::default(), freed: Notify::new() })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a seat, for which another connection may have to give way.
    pub(crate) async fn take(self: &Arc<Self>, host: IpAddr) -> Arc<Seat> {
        loop {
            let freed = self.freed.notified();
            if let Some(id) = self.taken().take(owner(host), self.max) {
                return Arc::new(Seat { id, seats: Arc::clone(self) });
            }
            freed.await;
        }
    }
}

/// The address, or with IPv6 its network: one owner has all addresses of that.
pub(crate) fn owner(host: IpAddr) -> IpAddr {
    match host.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        ip => ip,
    }
}

impl Taken {
    fn take(&mut self, host: IpAddr, max: usize) -> Option<u64> {
        if self.seats.len() >= max {
            self.give_way()?;
        }
        let id = self.next;
        self.next += 1;
        self.seats.insert(id, Place { host, is_waited_for: true, task: None });
        Some(id)
    }

    /// Ends the oldest connection that is waited for, of the host that has most of them.
    fn give_way(&mut self) -> Option<()> {
        let waited_for = || self.seats.iter().filter(|(_, place)| place.is_waited_for);
        let mut counts = HashMap::new();
        waited_for().for_each(|(_, place)| *counts.entry(place.host).or_insert(0_usize) += 1);
        let most = *counts.values().max()?;
        let (&oldest, _) =
            waited_for().find(|(_, place)| counts.get(&place.host) == Some(&most))?;
        let task = self.seats.remove(&oldest)?.task;
        task.into_iter().for_each(|task| task.abort());
        Some(())
    }
}

impl Seat {
    fn change(&self, change: impl FnOnce(&mut Place)) {
        if let Some(place) = self.seats.taken().seats.get_mut(&self.id) {
            change(place);
        }
    }

    /// Names the task that ends with the seat.
    pub(crate) fn belongs_to(&self, task: AbortHandle) {
        self.change(|place| place.task = Some(task));
    }

    /// The request is there as a whole, and is being answered.
    pub(crate) fn is_answered(&self) {
        self.change(|place| place.is_waited_for = false);
    }

    /// The peer owes a request.
    fn waits(&self) {
        self.change(|place| place.is_waited_for = true);
        // A connection that waits for a seat may have it.
        self.seats.freed.notify_one();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.seats.taken().seats.remove(&self.id);
        self.seats.freed.notify_one();
    }
}

/// The body of an answer. After it, the next request is waited for.
#[derive(Debug)]
pub(crate) struct Answer {
    body: Body,
    seat: Arc<Seat>,
}

impl Answer {
    pub(crate) const fn new(body: Body, seat: Arc<Seat>) -> Self {
        Self { body, seat }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.seat.waits();
    }
}

impl hyper::body::Body for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const fn host(last: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))
    }

    #[test]
    fn an_owner_of_addresses_is_one_host() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(owner(ip("2001:db8::1")), owner(ip("2001:db8::ffff:2")));
        assert_ne!(owner(ip("2001:db8::1")), owner(ip("2001:db8:0:1::1")));
        assert_eq!(owner(ip("::ffff:192.0.2.1")), host(1));
    }

    /// The ids of the connections that have seats.
    fn seated(seats: &Seats) -> Vec<u64> {
        seats.taken().seats.keys().copied().collect()
    }

    #[tokio::test]
    async fn the_oldest_of_the_host_that_keeps_most_waiting_gives_way() {
        let seats = Seats::new(4);
        let first = seats.take(host(1)).await;
        first.is_answered();
        let _honest = seats.take(host(2)).await;
        let _flood = [seats.take(host(1)).await, seats.take(host(1)).await];
        let _new = seats.take(host(3)).await;
        assert_eq!(seated(&seats), [0, 1, 3, 4], "the second of host 1 gave way");
        // Once answered, the first is the oldest that is waited for.
        drop(Answer::new(Body::empty(), first));
        let _more = seats.take(host(1)).await;
        assert_eq!(seated(&seats), [1, 3, 4, 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_is_answered_keeps_its_seat() {
        let seats = Seats::new(1);
        let first = seats.take(host(1)).await;
        first.is_answered();
        let soon = std::time::Duration::from_secs(1);
        assert!(tokio::time::timeout(soon, seats.take(host(2))).await.is_err());
        drop(first);
        assert!(tokio::time::timeout(soon, seats.take(host(2))).await.is_ok());
    }
}
