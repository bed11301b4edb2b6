//! Events by webhooks: signed, in order, and at least once, whatever becomes of receiver and daemon.

use crate::process::{Daemon, Ports, ask};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value as Json;
use sha2::Sha256;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;
use tempfile::TempDir;

const SECRET: [u8; 24] = [7; 24];
const PATIENCE: Duration = Duration::from_secs(60);

/// An event as it came, and the status that it was answered by.
struct Told {
    id: String,
    body: Json,
    status: u16,
}

/// Takes events, and answers with a status that can be changed.
struct Inbox {
    address: SocketAddr,
    status: Arc<AtomicU16>,
    connections: Arc<AtomicUsize>,
    told: Receiver<Told>,
}

impl Inbox {
    /// With the length of its answers' bodies.
    fn open(body: usize) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let status = Arc::new(AtomicU16::new(503));
        let (sender, told) = channel();
        let (answer, connections) = (Arc::clone(&status), Arc::new(AtomicUsize::new(0)));
        let counted = Arc::clone(&connections);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                counted.fetch_add(1, Ordering::SeqCst);
                let (answer, sender) = (Arc::clone(&answer), sender.clone());
                std::thread::spawn(move || {
                    let mut reader = BufReader::new(stream);
                    while take(&mut reader, &answer, body, &sender).is_some() {}
                });
            }
        });
        Self { address, status, connections, told }
    }

    fn answers(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    fn next(&self) -> Told {
        self.told.recv_timeout(PATIENCE).expect("an event")
    }

    /// The next event that is taken; its name and device.
    fn taken(&self) -> (String, String) {
        let told = std::iter::repeat_with(|| self.next()).find(|it| it.status == 204).unwrap();
        let text = |name: &str| told.body[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(told.id, format!("lwm2m-{}", text("id")));
        assert_eq!(told.body["data"]["number"].to_string(), text("id"));
        (text("type"), text("subject"))
    }
}

/// Reads a request, checks its signature, and answers it; `None` at the end of the connection.
fn take(
    reader: &mut BufReader<TcpStream>,
    answer: &AtomicU16,
    answered: usize,
    told: &Sender<Told>,
) -> Option<()> {
    let mut headers = HashMap::new();
    for line in reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()) {
        if let Some((name, value)) = line.split_once(": ") {
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
    }
    let mut body = vec![0; headers.get("content-length")?.parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    let (id, timestamp) = (&headers["webhook-id"], &headers["webhook-timestamp"]);
    let signed = [id.as_bytes(), b".", timestamp.as_bytes(), b".", &body].concat();
    let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&SECRET).unwrap().chain_update(signed);
    let expected = format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(headers["webhook-signature"], expected);
    let status = answer.load(Ordering::SeqCst);
    let text = "x".repeat(answered);
    let _ =
        write!(reader.get_mut(), "HTTP/1.1 {status} X\r\nContent-Length: {answered}\r\n\r\n{text}");
    let body = serde_json::from_slice(&body).unwrap();
    // The test may be over.
    told.send(Told { id: id.clone(), body, status }).ok()
}

/// A device registers in the clear (RFC 7252 section 3, OMA LwM2M Core 6.2.1).
pub(crate) fn register(coap: SocketAddr, endpoint: &str) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let query = format!("ep={endpoint}");
    let mut message = vec![0x40, 2, 0, 1, 0xb2, b'r', b'd', 0x11, 40];
    message.push(0x30 | u8::try_from(query.len()).unwrap());
    message.extend_from_slice(query.as_bytes());
    message.extend_from_slice(b"\x05lt=60\x09lwm2m=1.1\xff</3/0>");
    socket.send_to(&message, coap).unwrap();
    let mut answer = [0; 64];
    socket.recv(&mut answer).unwrap();
    assert_eq!(answer[1], 0x41, "2.01 Created");
}

#[test]
fn events_are_told_in_order_and_at_least_once() {
    let folder = TempDir::new().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, format!("whsec_{}\n", BASE64_STANDARD.encode(SECRET))).unwrap();
    let inbox = Inbox::open(0);
    let ports = Ports::free();
    let coap = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let (port, url) = (coap.to_string(), format!("http://{}/events?key=1", inbox.address));
    let arguments =
        ["--coap", &port, "--webhook", &url, "--webhook-secret", secret.to_str().unwrap()];
    let data = folder.path().join("data");
    let start = || Daemon::start_with(&data, ports, &arguments);
    let daemon = start();
    register(coap, "first");
    register(coap, "second");
    // Not taken: it comes again, and the other waits behind it.
    assert_eq!(inbox.next().id, inbox.next().id);
    inbox.answers(204);
    let registered = |name: &str| ("lwm2m.registration".to_owned(), name.to_owned());
    assert_eq!([inbox.taken(), inbox.taken()], [registered("first"), registered("second")]);
    inbox.answers(500);
    register(coap, "third");
    let id = inbox.next().id;
    daemon.kill();
    inbox.answers(204);
    let daemon = start();
    let again = std::iter::repeat_with(|| inbox.next()).find(|it| it.status == 204).unwrap();
    assert_eq!(again.id, id, "what was not taken comes again after a crash");
    // For good: it does not keep the next one waiting for ever.
    inbox.answers(410);
    register(coap, "fourth");
    let refused: Vec<_> = (0..5).map(|_| inbox.next().id).collect();
    assert!(refused.iter().all(|it| *it == refused[0]), "{refused:?}");
    inbox.answers(204);
    register(coap, "fifth");
    assert_eq!(inbox.taken(), registered("fifth"));
    // It is kept apart, and comes again when somebody asks for it.
    let name = format!("webhook%20http:%2F%2F{}%2Fevents", inbox.address);
    let ask = |method, path: &str| {
        let (status, body) = ask(ports.http, method, &format!("/api/outputs{path}"), "");
        (status, serde_json::from_str::<Json>(&body).unwrap())
    };
    let (_, letters) = ask("GET", &format!("/{name}/dead"));
    let letter = &letters[0];
    assert_eq!((&letter["event"]["ep"], letters.as_array().unwrap().len()), (&"fourth".into(), 1));
    assert!(letter["why"].as_str().unwrap().contains("410"), "{letter}");
    let (status, body) = ask("POST", &format!("/{name}/dead/retry"));
    assert_eq!((status, &body["letters"]), (202, &1.into()));
    assert_eq!(inbox.taken(), registered("fourth"));
    // The next event is told when the letter is gone.
    register(coap, "sixth");
    assert_eq!(inbox.taken(), registered("sixth"));
    let (_, outputs) = ask("GET", "");
    let output = &outputs[0];
    assert_eq!((&output["dead"], &output["kind"]), (&0.into(), &"webhook".into()), "{output}");
    assert!(output["lastError"]["text"].as_str().unwrap().contains("410"), "{output}");
    let target = output["target"].as_str().unwrap();
    assert_eq!(target, format!("http://{}/events", inbox.address), "without the key");
    assert_eq!(ask("GET", "/other/dead").0, 404);
    drop(daemon);
}

#[test]
fn a_connection_is_used_again_and_a_long_answer_is_not_read() {
    for (body, expected) in [(10_000, 1..2), (10_000_000, 12..13)] {
        let folder = TempDir::new().unwrap();
        let secret = folder.path().join("secret");
        std::fs::write(&secret, format!("whsec_{}\n", BASE64_STANDARD.encode(SECRET))).unwrap();
        let inbox = Inbox::open(body);
        inbox.answers(200);
        let coap = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let (port, url) = (coap.to_string(), format!("http://{}/", inbox.address));
        let arguments =
            ["--coap", &port, "--webhook", &url, "--webhook-secret", secret.to_str().unwrap()];
        let _daemon = Daemon::start_with(&folder.path().join("data"), Ports::free(), &arguments);
        for number in 0..12 {
            register(coap, &format!("dev-{number}"));
        }
        for number in 0..12 {
            assert_eq!(inbox.next().body["subject"], format!("dev-{number}"));
        }
        let connections = inbox.connections.load(Ordering::SeqCst);
        assert!(expected.contains(&connections), "{body}: {connections}");
    }
}

#[cfg(unix)]
#[test]
fn what_goes_on_besides_requests_does_not_hold_up_the_end() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (data, file, models) = (folder.path().join("data"), path("events"), path("models"));
    std::fs::create_dir(&models).unwrap();
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let coap = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let (port, url) = (coap.to_string(), format!("http://{}/", silent.local_addr().unwrap()));
    let others = ["--coap", &port, "--events-file", &file, "--models", &models];
    let daemon =
        Daemon::start_with(&data, Ports::free(), &[&others[..], &["--webhook", &url]].concat());
    register(coap, "first");
    // The event is on its way.
    let _held = silent.accept().unwrap();
    let begun = std::time::Instant::now();
    assert_eq!(daemon.terminate(), Some(0));
    assert!(begun.elapsed() < Duration::from_secs(8), "the receiver has 10 s");
}
