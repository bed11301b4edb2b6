//! A device whose sessions are OpenSSL's. It sleeps, makes an abbreviated handshake when it wakes up,
//! and sends no Update: its registration goes on in the new session.

use lwm2m_coap::{Code, Config, Endpoint, Event, Observer, PeerId, Request, Response};
use lwm2m_testkit::peer::{Material, Server, available};
use lwm2m_time::Instant;
use std::fs::File;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

const SERVER: PeerId = PeerId(0);
const KEY: &str = "000102030405060708090a0b0c0d0e0f";
const REGISTRATION: &str = "/api/clients/openssl";
const PATIENCE: Duration = Duration::from_secs(20);

/// A process that carries bytes through a session.
struct Session {
    child: Child,
    input: ChildStdin,
    output: Receiver<Vec<u8>>,
}

impl Session {
    /// Connects, and resumes the session in `file` or saves its own there. The steps of the handshake
    /// are listed in `trace`.
    fn begin(to: SocketAddr, stream: bool, resume: bool, file: &Path, trace: &Path) -> Self {
        let version = if stream { "-tls1_2" } else { "-dtls1_2" };
        let saved = if resume { "-sess_in" } else { "-sess_out" };
        let mut command = Command::new("openssl");
        command.args(["s_client", version, "-quiet", "-connect", &to.to_string()]);
        command.args(["-psk_identity", "openssl", "-psk", KEY]);
        command.args(["-cipher", "PSK-AES128-CCM8:@SECLEVEL=0"]);
        command.args([Path::new("-state"), Path::new(saved), file]);
        let trace = File::create(trace).unwrap();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(trace);
        let mut child = command.spawn().unwrap();
        let (input, mut from) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, output) = channel();
        thread::spawn(move || {
            let mut bytes = [0; 2_048];
            while let Ok(count @ 1..) = from.read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { child, input, output }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // It may have ended on its own.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CoAP over such sessions.
struct Device {
    coap: Endpoint,
    stream: bool,
    session: Session,
    observer: Option<Observer>,
    registered: bool,
}

impl Device {
    fn new(stream: bool, session: Session) -> Self {
        let coap = Endpoint::new(Config::default(), [5; 32]);
        let mut device = Self { coap, stream, session, observer: None, registered: false };
        device.connected();
        device
    }

    /// Goes on in another session, of which CoAP does not notice on datagrams.
    fn go_on_in(&mut self, session: Session) {
        self.session = session;
        if self.stream {
            self.coap.disconnected(Instant::ZERO, SERVER);
            self.observer = None;
        }
        self.connected();
    }

    fn connected(&mut self) {
        if self.stream {
            self.coap.connected(Instant::ZERO, SERVER).unwrap();
        }
    }

    fn register(&mut self) {
        let register = Request::post().path(["rd"]).content_format(40);
        let queries =
            ["ep=openssl", "lt=300", "lwm2m=1.1", if self.stream { "b=T" } else { "b=U" }];
        let register = queries.into_iter().fold(register, |request, query| request.query(query));
        let register = register.payload("</1/0>,</3/0>");
        self.coap.request(Instant::ZERO, SERVER, register).unwrap();
        self.run_until(|it| it.registered);
    }

    fn notify(&mut self, value: &str) {
        self.run_until(|it| it.observer.is_some());
        let state = Response::new(Code::CONTENT).content_format(0).payload(value.to_owned());
        let observer = self.observer.unwrap();
        self.coap.notify(Instant::ZERO, observer, state.observe(), false).unwrap();
        self.settle();
    }

    /// Answers the server until `done`.
    fn run_until(&mut self, mut done: impl FnMut(&mut Self) -> bool) {
        let end = std::time::Instant::now() + PATIENCE;
        loop {
            self.settle();
            if done(self) {
                return;
            }
            assert!(std::time::Instant::now() < end, "the server is silent");
            if let Ok(bytes) = self.session.output.recv_timeout(Duration::from_millis(20)) {
                match self.stream {
                    true => self.coap.handle_stream(Instant::ZERO, SERVER, &bytes),
                    false => self.coap.handle_datagram(Instant::ZERO, SERVER, &bytes),
                }
            }
        }
    }

    fn settle(&mut self) {
        while let Some(event) = self.coap.poll_event() {
            match event {
                Event::Request { exchange, request, token, .. } => {
                    let value = Response::new(Code::CONTENT).content_format(0).payload("5");
                    let answer = match request.options.observe() {
                        Some(0) => {
                            self.observer = Some(Observer { peer: SERVER, token });
                            value.observe()
                        }
                        _ => value,
                    };
                    self.coap.respond(Instant::ZERO, exchange, answer).unwrap();
                }
                Event::Response { response, .. } => {
                    self.registered = response.code == Code::CREATED
                }
                _ => {}
            }
        }
        while let Some(sent) = self.coap.poll_transmit() {
            self.session.input.write_all(&sent.payload).unwrap();
            self.session.input.flush().unwrap();
        }
    }

    /// What the API answers while the device answers the server.
    fn api(&mut self, server: &Server, method: &'static str, path: &str) -> serde_json::Value {
        let (http, target) = (server.http, format!("{REGISTRATION}{path}"));
        let asked = thread::spawn(move || http.send(method, &target).unwrap().json());
        self.run_until(|_| asked.is_finished());
        asked.join().unwrap()
    }
}

fn continues(stream: bool) {
    let installed = Command::new("openssl").arg("version").output().is_ok();
    if !available("OpenSSL", installed) {
        return;
    }
    let material = Material::new("openssl").unwrap();
    let credentials = material.file("credentials.toml");
    let entry = format!(
        "[[client]]\nendpoint = 'openssl'\nmode = 'psk'\nidentity = 'openssl'\nkey = '{KEY}'"
    );
    std::fs::write(&credentials, entry).unwrap();
    let any = "127.0.0.1:0";
    let flags =
        ["--coaps", any, "--coaps-tcp", any, "--credentials", credentials.to_str().unwrap()];
    let mut server = Server::start_ours_with(&flags).unwrap();
    let to = match stream {
        true => server.listens_for("coaps+tcp").unwrap(),
        false => server.coaps.unwrap(),
    };
    let (file, traces) = (material.file("session"), [material.file("1"), material.file("2")]);
    let mut events = server.http.events().unwrap();

    let mut device = Device::new(stream, Session::begin(to, stream, false, &file, &traces[0]));
    device.register();
    let before = device.api(&server, "GET", "")["address"].clone();
    assert_eq!(device.api(&server, "POST", "/3/0/9/observe")["status"], "CONTENT(205)");

    device.go_on_in(Session::begin(to, stream, true, &file, &traces[1]));
    let mut address = before.clone();
    while address == before {
        address = device.api(&server, "GET", "")["address"].clone();
    }
    assert_eq!(device.api(&server, "GET", "/3/0/9")["status"], "CONTENT(205)");
    device.notify("77");
    events.wait_for("NOTIFICATION", |it| it.to_string().contains("77")).unwrap();
    let exchanges =
        traces.map(|it| std::fs::read_to_string(it).unwrap().contains("write client key exchange"));
    assert_eq!(exchanges, [true, false], "the second handshake is an abbreviated one");
}

#[test]
fn resumed_dtls_continues_the_registration() {
    continues(false);
}

#[test]
fn resumed_tls_continues_the_registration() {
    continues(true);
}
