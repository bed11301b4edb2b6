//! A server and its devices. What the server does is measured, what the devices do is not.

use crate::adapter::{Keys, Server};
use crate::device::{Device, address, endpoint_name, number_at};
use bytes::Bytes;
use lwm2m_core::Path;
use lwm2m_time::Instant;
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

/// Devices that act at the same time: few enough that no client's timer ends within a handshake.
const BATCH: u32 = 200;
/// Between two datagrams: 10,000 a second.
const STEP: Duration = Duration::from_micros(100);

/// Runs what is measured, and returns its CPU time. The name is what callgrind collects within.
#[inline(never)]
pub(crate) fn measured(work: impl FnOnce()) -> Duration {
    let before = thread_time();
    work();
    thread_time() - before
}

fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// What the devices do next.
pub(crate) type Act<'a> = &'a dyn Fn(&mut Device, Instant);

pub(crate) struct Fleet {
    pub(crate) server: Server,
    /// Their numbers are their indices; dropped devices are `None`.
    devices: Vec<Option<Device>>,
    secured: bool,
    now: Instant,
}

impl Fleet {
    pub(crate) fn new(keys: Option<&Keys>) -> Self {
        Self {
            server: Server::new(keys),
            devices: Vec::new(),
            secured: keys.is_some(),
            now: Instant::from_millis(1_000),
        }
    }

    /// Registers so many more devices; returns the CPU time of the server. Devices that nothing is
    /// asked of any more need not be kept.
    pub(crate) fn register(&mut self, count: u32, keep: bool) -> Duration {
        let mut spent = Duration::ZERO;
        let first = self.devices.len() as u32;
        let numbers: Vec<u32> = (first..first + count).collect();
        for batch in numbers.chunks(BATCH as usize) {
            let start = |number| Some(Device::start(self.now, number, self.secured));
            self.devices.extend(batch.iter().map(|&number| start(number)));
            spent += self.exchange(batch);
            for &number in batch {
                let device = &mut self.devices[number as usize];
                assert!(device.as_ref().is_some_and(Device::is_registered));
                if !keep {
                    *device = None;
                }
            }
        }
        spent
    }

    /// Lets devices act, and returns the CPU time of the server. They come in an order in which
    /// no cache helps.
    pub(crate) fn act(&mut self, count: u32, act: Act<'_>) -> Duration {
        self.in_batches(count, |fleet, batch| {
            let now = fleet.now;
            batch.iter().for_each(|&number| act(fleet.device(number), now));
            fleet.exchange(batch)
        })
    }

    /// The server asks devices, which answer; returns the CPU time of the server.
    pub(crate) fn ask(
        &mut self,
        count: u32,
        ask: &dyn Fn(&mut Server, Instant, &str),
        answer: Act<'_>,
    ) -> Duration {
        self.in_batches(count, |fleet, batch| {
            let names: Vec<_> = batch.iter().map(|&number| endpoint_name(number)).collect();
            let (server, now, mut sent) = (&mut fleet.server, fleet.now, Vec::new());
            let mut spent = measured(|| {
                for name in &names {
                    ask(server, now, name);
                    server.poll(|to, bytes| sent.push((to, bytes)));
                }
            });
            fleet.deliver(sent);
            batch.iter().for_each(|&number| answer(fleet.device(number), now));
            spent += fleet.exchange(batch);
            spent
        })
    }

    fn in_batches(
        &mut self,
        count: u32,
        mut step: impl FnMut(&mut Self, &[u32]) -> Duration,
    ) -> Duration {
        let size = self.devices.len() as u64;
        let stride = [7_919, 7_907].into_iter().find(|it| !size.is_multiple_of(*it)).unwrap_or(1);
        let numbers: Vec<u32> =
            (0..u64::from(count)).map(|it| (it * stride % size) as u32).collect();
        numbers.chunks(BATCH as usize).map(|batch| step(self, batch)).sum()
    }

    fn device(&mut self, number: u32) -> &mut Device {
        self.devices[number as usize].as_mut().expect("a device that was kept")
    }

    /// Moves datagrams between some devices and the server until none is left.
    fn exchange(&mut self, batch: &[u32]) -> Duration {
        let mut spent = Duration::ZERO;
        loop {
            let mut arriving: Vec<(SocketAddr, Bytes)> = Vec::new();
            for &number in batch {
                let device = self.device(number);
                arriving
                    .extend(std::iter::from_fn(|| device.poll()).map(|it| (address(number), it)));
            }
            if arriving.is_empty() {
                return spent;
            }
            let (server, now, secured) = (&mut self.server, &mut self.now, self.secured);
            let mut sent = Vec::with_capacity(2 * arriving.len());
            spent += measured(|| {
                for (from, bytes) in &arriving {
                    *now = *now + STEP;
                    server.datagram(*now, *from, secured, black_box(bytes));
                    server.poll(|to, bytes| sent.push((to, bytes)));
                }
            });
            self.deliver(sent);
        }
    }

    fn deliver(&mut self, sent: Vec<(SocketAddr, Bytes)>) {
        let now = self.now;
        for (to, bytes) in sent {
            self.device(number_at(to)).handle(now, &bytes);
        }
    }

    /// Lets all that CoAP and DTLS remember of past messages expire, but no registration.
    pub(crate) fn fall_silent(&mut self) {
        let end = self.now + Duration::from_secs(600);
        while let Some(next) = self.server.poll_timeout().filter(|next| *next <= end) {
            self.now = self.now.max(next);
            self.server.pass_time(self.now);
            self.server.poll(|_, _| {});
        }
        self.now = end;
    }
}

pub(crate) fn keys(count: u32) -> Keys {
    Keys::new((0..count).map(endpoint_name))
}

pub(crate) fn path(text: &str) -> Path {
    text.parse().expect("a path")
}
