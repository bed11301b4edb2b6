//! Handshakes over bad networks: loss, duplication, reordering, altered bytes, floods.

use crate::support::{
    KEY, Pair, address, at_a_good_time, backends, connected, data, deliver, events, psk_config,
    psk_profile, received, rpk, server_config, x509_profile, x509_store,
};
use lwm2m_dtls::certificate::CertificateUsage;
use lwm2m_dtls::{Backend, ClientProfile, Config, Endpoint, Event};
use std::time::Duration;

/// A repeatable source of chance.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// Loses every second datagram, duplicates some and delays some until others have passed.
struct BadNetwork {
    chance: Chance,
    held: [Vec<Vec<u8>>; 2],
}

impl BadNetwork {
    fn new(seed: u64) -> Self {
        Self { chance: Chance(seed * 2 + 1), held: [Vec::new(), Vec::new()] }
    }

    fn carry(&mut self, up: bool, datagram: &[u8]) -> Vec<Vec<u8>> {
        assert!(datagram.len() <= 256, "{} bytes do not fit the network", datagram.len());
        let held = &mut self.held[usize::from(up)];
        match self.chance.below(16) {
            0..8 => Vec::new(),
            8 => {
                held.push(datagram.to_vec());
                Vec::new()
            }
            9 | 10 => vec![datagram.to_vec(), datagram.to_vec()],
            _ => [vec![datagram.to_vec()], std::mem::take(held)].concat(),
        }
    }
}

/// Returns the number of handshakes until `sessions` sessions are established on both sides.
fn attempts(
    sessions: u64,
    server: impl Fn() -> Config,
    profile: impl Fn() -> ClientProfile,
) -> u64 {
    let mut attempts = 0;
    for seed in 1..=sessions {
        let mut network = BadNetwork::new(seed);
        let [client, server] = [Config::default(), server()].map(|config| {
            let mut config = at_a_good_time(config);
            config.mtu = 256;
            config.handshake_timeout = Duration::from_secs(900);
            config
        });
        let mut pair = Pair::new(client, server);
        let session = loop {
            attempts += 1;
            let session = pair.connect(profile());
            pair.run(&mut |up, datagram| network.carry(up, datagram));
            let established = |event: &Event| matches!(event, Event::Connected { .. });
            if events(&mut pair.client).iter().any(established) {
                break session;
            }
        };
        events(&mut pair.server);
        pair.client.send(pair.now, session, b"through").expect("established");
        pair.settle();
        assert_eq!(received(&mut pair.server), [b"through"], "of run {seed}");
    }
    attempts
}

/// The number of runs: a thousand, or fewer if each runs with several backends.
fn many() -> u64 {
    if backends() == [Backend::Native; 2] { 1000 } else { 100 }
}

#[test]
pub(crate) fn a_thousand_psk_handshakes() {
    assert!(attempts(many(), psk_config, || psk_profile(KEY)) < many() * 11 / 10);
}

#[test]
pub(crate) fn a_thousand_raw_public_key_handshakes() {
    assert!(attempts(1000, || server_config(rpk().1), || rpk().0) < 1100);
}

#[test]
pub(crate) fn a_thousand_certificate_handshakes() {
    let usage = CertificateUsage::TrustAnchorAssertion;
    let profile = || x509_profile(usage, data!("root.cert"));
    assert!(attempts(many(), || server_config(x509_store()), profile) < many() * 11 / 10);
}

/// The lengths of all datagrams of a handshake, in the order they are sent.
fn datagram_lengths() -> Vec<usize> {
    let mut lengths = Vec::new();
    let mut pair = Pair::new(Config::default(), psk_config());
    pair.connect(psk_profile(KEY));
    pair.exchange(&mut |up, datagram| {
        lengths.push(datagram.len());
        deliver(up, datagram)
    });
    lengths
}

#[test]
pub(crate) fn no_altered_byte_of_a_handshake_does_harm() {
    let lengths = datagram_lengths();
    assert_eq!(lengths.len(), 6);
    for (altered, length) in lengths.into_iter().enumerate() {
        for index in 0..length {
            let mut pair = Pair::new(Config::default(), psk_config());
            pair.connect(psk_profile(KEY));
            let mut count = 0;
            pair.run(&mut |_, datagram| {
                let mut datagram = datagram.to_vec();
                if count == altered {
                    datagram[index] ^= 0x55;
                }
                count += 1;
                vec![datagram]
            });
            // Either the handshake recovers, or both sides know that it failed.
            let ends = |event: &Event| matches!(event, Event::Connected { .. });
            let client = events(&mut pair.client);
            let server = events(&mut pair.server);
            assert_eq!(client.iter().any(ends), server.iter().any(ends), "{altered} {index}");
            assert_eq!(pair.client.handshake_count() + pair.server.handshake_count(), 0);
        }
    }
}

// proves: SEC-10
#[test]
pub(crate) fn no_altered_byte_of_a_record_is_answered() {
    let mut pair = Pair::new(Config::default(), psk_config());
    let session = pair.connect(psk_profile(KEY));
    pair.settle();
    connected(&mut pair.client);
    connected(&mut pair.server);
    pair.client.send(pair.now, session, b"genuine").expect("established");
    let record = pair.client.poll_transmit().expect("a record").payload;
    for index in 0..record.len() {
        let mut altered = record.to_vec();
        altered[index] ^= 1;
        pair.server.handle_datagram(pair.now, pair.client_address, &altered);
        assert!(pair.server.poll_transmit().is_none(), "at {index}");
        assert!(pair.server.poll_event().is_none(), "at {index}");
    }
    pair.server.handle_datagram(pair.now, pair.client_address, &record);
    assert_eq!(received(&mut pair.server), [b"genuine"]);
}

// proves: SEC-02
#[test]
pub(crate) fn a_flood_of_hellos_leaves_nothing_behind() {
    let mut pair = Pair::new(Config::default(), psk_config());
    pair.connect(psk_profile(KEY));
    let hello = pair.client.poll_transmit().expect("a hello").payload;
    for index in 0..10_000u32 {
        let ip = std::net::Ipv4Addr::from(0x0a00_0000 + index);
        let from = std::net::SocketAddr::new(ip.into(), 5684);
        pair.server.handle_datagram(pair.now, from, &hello);
        let reply = pair.server.poll_transmit().expect("a HelloVerifyRequest");
        assert_eq!(reply.peer, from);
        assert!(reply.payload.len() <= hello.len());
    }
    assert_eq!((pair.server.handshake_count(), pair.server.poll_timeout()), (0, None));

    // A cookie is valid from its address and for a limited time.
    pair.server.handle_datagram(pair.now, pair.client_address, &hello);
    let request = pair.server.poll_transmit().expect("a HelloVerifyRequest").payload;
    pair.client.handle_datagram(pair.now, address(crate::support::SERVER), &request);
    let second = pair.client.poll_transmit().expect("a hello with cookie").payload;
    pair.server.handle_datagram(pair.now, address("192.0.2.1:1001"), &second);
    pair.server.handle_datagram(pair.now + Duration::from_secs(200), pair.client_address, &second);
    assert_eq!(pair.server.handshake_count(), 0);
    pair.server.handle_datagram(pair.now, pair.client_address, &second);
    assert_eq!(pair.server.handshake_count(), 1);
}

#[test]
pub(crate) fn handshakes_under_way_are_bounded() {
    let mut config = psk_config();
    config.max_handshakes = 3;
    let mut server = Endpoint::new(config, [2; 32]);
    for port in 1000..1010 {
        let mut pair = Pair::new(Config::default(), psk_config());
        pair.client_address.set_port(port);
        std::mem::swap(&mut pair.server, &mut server);
        pair.connect(psk_profile(KEY));
        // The answer to the second hello is lost.
        pair.exchange(&mut |up, datagram| match up || datagram[13] == 3 {
            true => vec![datagram.to_vec()],
            false => Vec::new(),
        });
        std::mem::swap(&mut pair.server, &mut server);
    }
    assert_eq!(server.handshake_count(), 3);
    let given_up = events(&mut server);
    let crowded =
        |it: &Event| matches!(it, Event::Failed { reason: lwm2m_dtls::Reason::Evicted, .. });
    assert!(given_up.len() == 7 && given_up.iter().all(crowded), "{given_up:?}");
    // An honest client gets through, however many handshakes others start and abandon.
    let mut pair = Pair::new(Config::default(), psk_config());
    std::mem::swap(&mut pair.server, &mut server);
    pair.connect(psk_profile(KEY));
    pair.settle();
    connected(&mut pair.client);
}
