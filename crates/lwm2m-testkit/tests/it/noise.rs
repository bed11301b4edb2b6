//! Ten thousand malformed datagrams: the daemons keep serving and do not grow.

use lwm2m_testkit::peer::{Device, HandDevice, HandServer, Kind, Noise, Process, Server, barrier};
use std::net::UdpSocket;
use std::time::Duration;

const SEED: u64 = 20_261_122;
const WARM_UP: usize = 2_000;
const DATAGRAMS: usize = 10_000;
/// Sent in one burst, which fits a socket's buffer.
const BURST: usize = 50;
const GROWTH_KIB: u64 = 8 * 1_024;

const TO_SERVER: &[&[u8]] = &[
    b"\x44\x02\x12\x34abcd\xb2rd\x11\x28\x34ep=x\x05lt=60\x09lwm2m=1.1\x03b=U\xff</1/0>,</3/0>",
    b"\x42\x02\x12\x35ab\xb2rd\x027\x00\x44lt=9",
    b"\x42\x04\x12\x36ab\xb2rd\x027\x00",
    b"\x62\x45\x12\x37ab\x60\x62\x2d\x16\xff\xc8\x00\x03abc",
];

const TO_DEVICE: &[&[u8]] = &[
    b"\x42\x01\x12\x34ab\xb13\x010\x010\x62\x2d\x16",
    b"\x42\x01\x12\x35ab\x60\x51\x33\x010\x0214",
    b"\x42\x03\x12\x36ab\xb13\x010\x0214\x12\x2d\x16\xff\xc3\x0e+01",
    b"\x42\x02\x12\x37ab\xb43303\x12\x2d\x16\xff\x08\x05\x09\xe6\x16\x76cellar",
    b"\x42\x03\x12\x38ab\xb13\x010\x47pmin=10\x07pmax=60",
    b"\x42\x04\x12\x39ab\xb43303\x010",
];

/// Sends the noise in bursts from one socket, with a ping from `trusted` after each; returns how
/// much the process grew over the last ten thousand, in KiB.
fn endure(
    process: &mut Process,
    socket: &UdpSocket,
    trusted: &UdpSocket,
    templates: &'static [&'static [u8]],
) -> u64 {
    let mut noise = Noise::new(SEED, templates);
    let mut message_id = 0;
    let mut send = |count: usize| {
        for _ in 0..count / BURST {
            for datagram in noise.by_ref().take(BURST) {
                socket.send(&datagram).unwrap();
            }
            message_id += 1;
            barrier(trusted, message_id).unwrap();
        }
    };
    send(WARM_UP);
    let before = process.resident_kib().unwrap();
    send(DATAGRAMS);
    assert!(process.is_running());
    process.resident_kib().unwrap().saturating_sub(before)
}

/// Reads /3/0/0 from the socket that the device trusts.
fn read_manufacturer(socket: &UdpSocket) {
    socket.send(b"\x42\x01\x7f\xffzz\xb13\x010\x010\x60").unwrap();
    let mut buffer = [0; 2048];
    let code = loop {
        let length = socket.recv(&mut buffer).unwrap();
        if let Some(&[_, code, _, _, b'z', b'z', ..]) = buffer.get(..length) {
            break code;
        }
    };
    assert_eq!(code, 0x45, "2.05 is wanted");
}

#[test]
fn our_server_endures_noise() {
    let mut server = Server::start(Kind::Ours).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(server.coap).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let grown = endure(&mut server.process, &socket, &socket, TO_SERVER);
    println!("grew by {grown} KiB");
    assert!(grown < GROWTH_KIB, "grew by {grown} KiB");

    let _device = HandDevice::register(server.coap).unwrap();
    let answer = server.http.send("GET", "/api/clients/by-hand").unwrap();
    assert_eq!(answer.json()["lifetime"], 86_400, "{answer:?}");
}

#[test]
fn our_device_endures_noise_from_its_server() {
    let server = HandServer::open().unwrap();
    let mut device = Device::start(Kind::Ours, server.address, "noisy", 86_400).unwrap();
    server.accept().unwrap();
    let grown = endure(&mut device.process, &server.socket, &server.socket, TO_DEVICE);
    assert!(grown < GROWTH_KIB, "grew by {grown} KiB");

    read_manufacturer(&server.socket);
}

#[test]
fn our_device_ignores_strangers() {
    let server = HandServer::open().unwrap();
    let mut device = Device::start(Kind::Ours, server.address, "shy", 86_400).unwrap();
    server.accept().unwrap();
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    stranger.connect(server.socket.peer_addr().unwrap()).unwrap();
    for datagram in TO_DEVICE {
        stranger.send(datagram).unwrap();
    }
    let grown = endure(&mut device.process, &stranger, &server.socket, TO_DEVICE);
    assert!(grown < GROWTH_KIB, "grew by {grown} KiB");
    read_manufacturer(&server.socket);

    stranger.set_nonblocking(true).unwrap();
    let mut buffer = [0; 2048];
    while stranger.recv(&mut buffer).is_ok() {
        assert_ne!(buffer[1] >> 5, 2, "a stranger got a success: {:02x?}", &buffer[..4]);
    }
}
