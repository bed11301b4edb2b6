//! Attacks on Mbed TLS: bytes altered, cut, repeated and made up, at any time.

use super::{modes, pair};
use crate::support::{address, connected, events, received};
use lwm2m_dtls::{Backend, SessionId};
use std::sync::Arc;

/// A repeatable source of chance.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }

    /// Changes some of the datagrams.
    fn spoil(&mut self, bytes: &mut Vec<u8>) {
        match self.below(8) {
            0 => {
                for _ in 0..=self.below(6) {
                    let at = self.below(bytes.len());
                    let value = [0, 1, 0x7f, 0x80, 0xff, self.below(256) as u8][self.below(6)];
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = value;
                    }
                }
            }
            1 => bytes.truncate(self.below(bytes.len())),
            2 => {
                let (from, to) = (self.below(bytes.len()), self.below(bytes.len()));
                let part = bytes.get(from..from.max(to)).unwrap_or_default().to_vec();
                let at = self.below(bytes.len());
                bytes.splice(at..at, part);
            }
            _ => {}
        }
    }
}

/// The number of runs in each mode, by the variable `HOSTILE_RUNS`.
fn runs() -> u64 {
    std::env::var("HOSTILE_RUNS").ok().and_then(|runs| runs.parse().ok()).unwrap_or(60)
}

#[test]
fn datagrams() {
    for seed in 1..=runs() {
        for (config, profile) in modes() {
            let mut chance = Chance(seed * 0x9e37_79b9);
            let mut pair = pair((Backend::MbedTls, Backend::MbedTls), config);
            pair.connect(profile);
            pair.run(&mut |_, datagram| {
                let mut datagram = datagram.to_vec();
                chance.spoil(&mut datagram);
                let copies = [1, 1, 1, 2][chance.below(4)];
                vec![datagram; copies]
            });
            // Both sides have finished or failed.
            assert_eq!((pair.client.handshake_count(), pair.server.handshake_count()), (0, 0));
            events(&mut pair.client);
            events(&mut pair.server);
        }
    }
}

#[test]
fn datagrams_of_a_session() {
    for seed in 1..=runs() {
        for (config, profile) in modes() {
            let mut chance = Chance(seed * 0x9e37_79b9);
            let mut pair = pair((Backend::MbedTls, Backend::MbedTls), config);
            let ours = pair.connect(profile);
            pair.settle();
            let theirs = connected(&mut pair.server);
            connected(&mut pair.client);
            for index in 0..20 {
                pair.client.send(pair.now, ours, &[index; 40]).expect("established");
                pair.server.send(pair.now, theirs, &[index; 90]).expect("established");
                pair.exchange(&mut |_, datagram| {
                    let mut spoilt = datagram.to_vec();
                    chance.spoil(&mut spoilt);
                    vec![spoilt, datagram.to_vec()]
                });
            }
            // Altered records are neither delivered nor end the session, and repeated ones are
            // delivered once.
            let all = |length| (0..20).map(|index| vec![index; length]).collect::<Vec<_>>();
            assert_eq!(received(&mut pair.server), all(40), "run {seed}");
            assert_eq!(received(&mut pair.client), all(90), "run {seed}");
        }
    }
}

#[test]
fn streams() {
    for seed in 1..=runs() {
        for (config, profile) in modes() {
            let mut chance = Chance(seed * 0x9e37_79b9);
            let mut pair = pair((Backend::MbedTls, Backend::MbedTls), config);
            let (now, profile) = (pair.now, Arc::new(profile));
            let ours = pair.client.connect_stream(now, address("192.0.2.2:1"), profile, None);
            let ours: SessionId = ours.expect("a good profile");
            let theirs = pair.server.accept_stream(now, address("192.0.2.1:1")).expect("room");
            while let Some((up, (_, bytes))) = pair
                .client
                .poll_stream()
                .map(|it| (true, it))
                .or_else(|| pair.server.poll_stream().map(|it| (false, it)))
            {
                let mut bytes = bytes.to_vec();
                chance.spoil(&mut bytes);
                match up {
                    true => pair.server.handle_stream(now, theirs, &bytes),
                    false => pair.client.handle_stream(now, ours, &bytes),
                }
            }
            pair.client.handle_stream_end(now, ours);
            pair.server.handle_stream_end(now, theirs);
            assert!(!events(&mut pair.client).is_empty() && !events(&mut pair.server).is_empty());
        }
    }
}
