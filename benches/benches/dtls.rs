//! What DTLS costs: handshakes at the server, records both ways.

use criterion::{Criterion, criterion_group, criterion_main};
use lwm2m_dtls::certificate::subject_public_key_info;
use lwm2m_dtls::crypto::{AwsLc, Provider, SigningKey};
use lwm2m_dtls::{ClientProfile, ClientSecurity, Config, Credentials, Endpoint, Event, SessionId};
use lwm2m_time::Instant;
use std::hint::black_box;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

const KEY: &[u8] = b"0123456789abcdef";
const CLIENT_KEY: &[u8] = include_bytes!("../../crates/lwm2m-dtls/tests/data/client.key.der");
const SERVER_KEY: &[u8] = include_bytes!("../../crates/lwm2m-dtls/tests/data/server.key.der");

struct Keys {
    server: Arc<dyn SigningKey>,
    client: Vec<u8>,
}

impl Credentials for Keys {
    fn uses_psk(&self) -> bool {
        true
    }
    fn psk(&self, _: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        Some(Zeroizing::new(KEY.to_vec()))
    }
    fn raw_key(&self) -> Option<Arc<dyn SigningKey>> {
        Some(self.server.clone())
    }
    fn trusts_raw_key(&self, spki: &[u8]) -> bool {
        spki == self.client
    }
}

fn spki(key: &[u8]) -> Vec<u8> {
    let key = AwsLc.signing_key(key).expect("a key");
    subject_public_key_info(&key.public_key())
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

fn server() -> Endpoint {
    let mut config = Config::default();
    config.provider = Arc::new(AwsLc);
    let server = AwsLc.signing_key(SERVER_KEY).expect("a key");
    config.credentials = Some(Arc::new(Keys { server, client: spki(CLIENT_KEY) }));
    Endpoint::new(config, [1; 32])
}

fn client() -> Endpoint {
    let mut config = Config::default();
    config.provider = Arc::new(AwsLc);
    Endpoint::new(config, [2; 32])
}

fn psk() -> Arc<ClientProfile> {
    let key = Zeroizing::new(KEY.to_vec());
    Arc::new(ClientProfile::new(ClientSecurity::Psk { identity: "device".into(), key }))
}

fn rpk() -> Arc<ClientProfile> {
    let key = AwsLc.signing_key(CLIENT_KEY).expect("a key");
    let server = spki(SERVER_KEY).into();
    Arc::new(ClientProfile::new(ClientSecurity::RawPublicKey { key, server }))
}

/// Carries a handshake; the time that the server took of it.
fn handshake(
    client: &mut Endpoint,
    server: &mut Endpoint,
    profile: &Arc<ClientProfile>,
    port: u16,
) -> (Duration, SessionId) {
    let now = Instant::ZERO;
    let session = client.connect(now, address(5684), profile.clone()).expect("a profile");
    let mut spent = Duration::ZERO;
    loop {
        let mut idle = true;
        while let Some(datagram) = client.poll_transmit() {
            idle = false;
            let start = std::time::Instant::now();
            server.handle_datagram(now, address(port), &datagram.payload);
            spent += start.elapsed();
        }
        while let Some(datagram) = server.poll_transmit() {
            client.handle_datagram(now, address(5684), &datagram.payload);
        }
        if idle {
            break;
        }
    }
    let connected = |event| matches!(event, Event::Connected { .. });
    assert!(std::iter::from_fn(|| client.poll_event()).any(connected));
    while server.poll_event().is_some() {}
    (spent, session)
}

fn handshakes(c: &mut Criterion) {
    for (name, profile) in [("psk", psk()), ("rpk", rpk())] {
        c.bench_function(&format!("dtls/handshake/{name}/server"), |bencher| {
            bencher.iter_custom(|count| {
                let (mut client, mut server) = (client(), server());
                (0..count).map(|_| handshake(&mut client, &mut server, &profile, 1000).0).sum()
            });
        });
    }
}

fn records(c: &mut Criterion) {
    let (mut client, mut server) = (client(), server());
    let (_, session) = handshake(&mut client, &mut server, &psk(), 1000);
    let now = Instant::ZERO;
    c.bench_function("dtls/record/write 64 B", |bencher| {
        bencher.iter(|| {
            client.send(now, session, black_box(&[7; 64])).expect("established");
            client.poll_transmit()
        });
    });
    c.bench_function("dtls/record/read 64 B", |bencher| {
        bencher.iter_custom(|count| {
            let mut spent = Duration::ZERO;
            for _ in 0..count.div_ceil(64) {
                let sealed: Vec<_> = (0..64)
                    .map(|_| {
                        client.send(now, session, &[7; 64]).expect("established");
                        client.poll_transmit().expect("a record").payload
                    })
                    .collect();
                let start = std::time::Instant::now();
                for record in &sealed {
                    server.handle_datagram(now, address(1000), record);
                    assert!(black_box(server.poll_event()).is_some());
                }
                spent += start.elapsed();
            }
            spent.mul_f64(count as f64 / (count.div_ceil(64) * 64) as f64)
        });
    });
}

criterion_group!(benches, handshakes, records);
criterion_main!(benches);
