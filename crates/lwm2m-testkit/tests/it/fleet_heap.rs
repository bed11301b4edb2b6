//! Memory of a registered device in a server, counted, so that results repeat exactly.

use allocation_counter::measure;
use lwm2m_coap::{Event, Request};
use lwm2m_dtls::{ClientProfile, ClientSecurity};
use lwm2m_link::{Engine, Input, Link, LinkEvent, Output, Transmit};
use lwm2m_server::security::{Credential, SecurityStore};
use lwm2m_server::{Config, Server};
use lwm2m_time::Instant;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

const SERVER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5683);
const KEY: [u8; 16] = [7; 16];
const LIST: &str =
    "</1/0>,</3/0>,</4/0>,</5/0>,</6/0>,</7/0>,</3303/0>,</3303/1>,</3304/0>,</3305/0>";

fn endpoint(number: u32) -> String {
    format!("urn:dev:ops:000001-{number:08}")
}

fn register(number: u32) -> Request {
    let endpoint = format!("ep={}", endpoint(number));
    let request = Request::post().path(["rd"]).content_format(40);
    request.query(&endpoint).query("lt=86400").query("lwm2m=1.1").query("b=U").payload(LIST)
}

/// Registers a device and drops its client.
fn visit(server: &mut Server, now: Instant, number: u32, secured: bool) {
    let mut seed = [0; 32];
    seed[..4].copy_from_slice(&number.to_le_bytes());
    let mut device = Link::new(lwm2m_coap::Config::default(), seed);
    let peer = if secured {
        device.set_security(lwm2m_dtls::Config::default());
        let (identity, key) = (endpoint(number).into(), Zeroizing::new(KEY.to_vec()));
        let profile = ClientProfile::new(ClientSecurity::Psk { identity, key });
        device.connect_secured(now, SERVER, Arc::new(profile))
    } else {
        device.connect(SERVER)
    };
    device.coap().request(now, peer.unwrap(), register(number)).unwrap();
    let from = (Ipv4Addr::from_bits(0x0a00_0000 + number), 5683).into();
    loop {
        while let Some(output) = device.poll() {
            match output {
                Output::Transmit(Transmit { payload, .. }) => {
                    server.handle(now, Input::Datagram { from, secured, bytes: &payload });
                }
                Output::Event(LinkEvent::Coap(Event::Response { response, .. })) => {
                    assert_eq!(response.code, lwm2m_coap::Code::CREATED);
                    return;
                }
                _ => {}
            }
        }
        while let Some(output) = server.poll() {
            if let Output::Transmit(Transmit { payload, .. }) = output {
                device.handle(now, Input::Datagram { from: SERVER, secured, bytes: &payload });
            }
        }
    }
}

/// A server that knows so many devices by their keys, if it has security.
fn server(devices: u32, secured: bool) -> Server {
    let mut config = Config::default();
    config.coap.max_peers = 1 << 20;
    if secured {
        let store = SecurityStore::default();
        for number in 0..devices {
            let credential = Credential::psk(endpoint(number).as_bytes(), &KEY).unwrap();
            store.put(&endpoint(number), credential).unwrap();
        }
        config.security = Arc::new(store);
        let mut dtls = lwm2m_dtls::Config::default();
        dtls.session_cache = 0;
        config.dtls = Some(dtls);
    }
    Server::new(config, [1; 32])
}

/// Registers devices, and lets time pass.
fn visit_all(server: &mut Server, devices: u32, secured: bool, time: Duration) {
    let mut now = Instant::ZERO;
    for number in 0..devices {
        now = now + Duration::from_millis(1);
        visit(server, now, number, secured);
    }
    let end = now + time;
    while let Some(next) = server.poll_timeout().filter(|next| *next <= end) {
        now = now.max(next);
        server.handle(now, Input::Timeout);
        while server.poll().is_some() {}
    }
}

/// The bytes per registered, silent device in a fleet of one kind.
fn bytes_each(devices: u32, secured: bool) -> i64 {
    let mut server = server(devices, secured);
    let silence = Duration::from_secs(600);
    let info = measure(|| visit_all(&mut server, devices, secured, silence));
    assert_eq!(server.registrations().count(), devices as usize);
    info.bytes_current / i64::from(devices)
}

#[test]
fn memory_is_given_back_when_devices_leave() {
    let devices = 12_000;
    let mut server = server(devices, false);
    let lifetime = Duration::from_secs(86_400 + 600);
    let left = measure(|| visit_all(&mut server, devices, false, lifetime)).bytes_current;
    assert_eq!((server.registrations().count(), server.peer_count()), (0, 0));
    // It took 8 MB.
    assert!(left < 400_000, "{left} B are left");
}

#[test]
fn device_of_a_fleet_takes_seven_hundred_bytes_at_most() {
    let each = bytes_each(12_000, false);
    println!("a registered device in the clear: {each} B");
    assert!(each <= 700, "{each} B");
}

#[test]
fn device_of_a_fleet_with_its_session_takes_thirteen_hundred_bytes_at_most() {
    let each = bytes_each(1_500, true);
    println!("a registered device with its session: {each} B");
    assert!(each <= 1_300, "{each} B");
}
