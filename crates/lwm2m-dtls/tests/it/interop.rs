//! The endpoint on a real socket against OpenSSL and GnuTLS, as client and as server.

use crate::support::{
    IDENTITY, KEY, at_a_good_time, backends, psk_config, psk_profile, rpk, server_config,
    x509_profile, x509_store,
};
use lwm2m_dtls::certificate::CertificateUsage;
use lwm2m_dtls::{CipherSuite, ClientProfile, Config, Endpoint, Event, SessionId};
use lwm2m_time::Instant;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// The pre-shared key of `support` in hex.
pub(crate) const KEY_HEX: &str = "30313233343536373839616263646566";

/// A program as the peer. It ends with the test.
pub(crate) struct Peer {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<String>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The program may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Peer {
    /// Starts the program in the directory of keys; `None` if it is not installed and optional.
    pub(crate) fn start(program: &str, arguments: &str) -> Option<Self> {
        let spawned = Command::new(program)
            .args(arguments.split_whitespace())
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut child) = spawned else {
            let required = std::env::var("LWM2M_PEERS").is_ok_and(|value| value == "require");
            assert!(!required, "{program} is not installed; LWM2M_PEERS=require wants it");
            eprintln!("skipped: {program} is not installed");
            return None;
        };
        let (stdin, stdout) = (child.stdin.take()?, child.stdout.take()?);
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    return;
                }
            }
        });
        Some(Self { child, stdin, lines })
    }

    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.stdin, "{line}").expect("the peer reads its input");
        self.stdin.flush().expect("the peer reads its input");
    }

    /// Whether the program has written a line with this text.
    pub(crate) fn has_said(&self, text: &str) -> bool {
        self.lines.try_iter().any(|line| line.contains(text))
    }
}

/// The endpoint with a socket and a clock.
struct Driver {
    endpoint: Endpoint,
    socket: UdpSocket,
    start: std::time::Instant,
}

impl Driver {
    fn new(mut config: Config) -> Self {
        let [client, server] = backends();
        config.backend = if config.credentials.is_some() { server } else { client };
        config.retransmit_after = Duration::from_millis(200);
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
        socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
        let endpoint = Endpoint::new(config, [7; 32]);
        Self { endpoint, socket, start: std::time::Instant::now() }
    }

    fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }

    /// Drives the endpoint until `done` returns a value.
    fn until<T>(&mut self, mut done: impl FnMut(Option<Event>) -> Option<T>) -> T {
        let mut buffer = [0; 2048];
        let mut log = Vec::new();
        while self.start.elapsed() < PATIENCE {
            while let Some(sent) = self.endpoint.poll_transmit() {
                // The peer may not listen yet; the flight will be retransmitted.
                let _ = self.socket.send_to(&sent.payload, sent.peer);
            }
            let mut event = self.endpoint.poll_event();
            loop {
                log.extend(event.clone());
                if let Some(found) = done(event) {
                    return found;
                }
                event = self.endpoint.poll_event();
                if event.is_none() {
                    break;
                }
            }
            if let Ok((length, from)) = self.socket.recv_from(&mut buffer) {
                self.endpoint.handle_datagram(self.now(), from, &buffer[..length]);
            }
            self.endpoint.handle_timeout(self.now());
        }
        panic!("nothing came of it in {PATIENCE:?}: {log:?}");
    }

    fn connected(&mut self) -> SessionId {
        self.until(|event| match event? {
            Event::Connected { session, .. } => Some(session),
            Event::Failed { reason, .. } => panic!("failed: {reason}"),
            _ => None,
        })
    }

    fn data(&mut self, expected: &str) {
        self.until(|event| match event? {
            Event::Data { data, .. } => {
                String::from_utf8_lossy(&data).contains(expected).then_some(())
            }
            _ => None,
        });
    }
}

/// A loopback address whose UDP and TCP port was free a moment ago.
///
/// The ports are below the ephemeral ones. Otherwise another connection could take the port before
/// the program does, or a connection to it could connect to itself.
pub(crate) fn free_address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let free = std::iter::repeat_with(|| {
        // The tests of other processes start at other ports.
        let offset = std::process::id().wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % 2_000;
        SocketAddr::from(([127, 0, 0, 1], 30_000 + offset as u16))
    });
    let mut free = free
        .take(2_000)
        .filter(|address| UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok());
    free.next().expect("a free port")
}

/// Exchanges data between our client and the server that `arguments` start, where `PORT` stands for
/// its port.
fn against_server(program: &str, arguments: &str, profile: ClientProfile, suite: CipherSuite) {
    against_server_by(Config::default(), program, arguments, profile, suite);
}

fn against_server_by(
    config: Config,
    program: &str,
    arguments: &str,
    mut profile: ClientProfile,
    suite: CipherSuite,
) {
    let address = free_address();
    let arguments = arguments.replace("PORT", &address.port().to_string());
    let Some(mut peer) = Peer::start(program, &arguments) else { return };
    profile.suites = vec![suite];
    let mut driver = Driver::new(at_a_good_time(config));
    let now = driver.now();
    driver.endpoint.connect(now, address, Arc::new(profile)).expect("a good profile");
    let session = driver.connected();
    let now = driver.now();
    driver.endpoint.send(now, session, b"from the client\n").expect("established");
    if program == "openssl" {
        driver.until(|_| peer.has_said("from the client").then_some(()));
        peer.say("from the server");
        driver.data("from the server");
    } else {
        // GnuTLS's server echoes what it receives.
        driver.data("from the client");
    }
}

/// Exchanges data between the client that `arguments` start and our server.
fn against_client(program: &str, arguments: &str, config: Config) {
    let mut driver = Driver::new(at_a_good_time(config));
    let port = driver.socket.local_addr().expect("an address").port().to_string();
    let Some(mut peer) = Peer::start(program, &arguments.replace("PORT", &port)) else { return };
    let session = driver.connected();
    peer.say("from the client");
    driver.data("from the client");
    let now = driver.now();
    driver.endpoint.send(now, session, b"from the server\n").expect("established");
    driver.until(|_| peer.has_said("from the server").then_some(()));
}

/// OpenSSL's name of a suite.
pub(crate) const PSK_SUITES: [(&str, CipherSuite); 5] = [
    ("PSK-AES128-CCM8", CipherSuite::PSK_WITH_AES_128_CCM_8),
    ("PSK-AES128-CCM", CipherSuite::PSK_WITH_AES_128_CCM),
    ("PSK-AES128-GCM-SHA256", CipherSuite::PSK_WITH_AES_128_GCM_SHA256),
    ("PSK-AES128-CBC-SHA256", CipherSuite::PSK_WITH_AES_128_CBC_SHA256),
    ("ECDHE-PSK-AES128-CBC-SHA256", CipherSuite::ECDHE_PSK_WITH_AES_128_CBC_SHA256),
];

pub(crate) const ECDSA_SUITES: [(&str, CipherSuite); 4] = [
    ("ECDHE-ECDSA-AES128-CCM8", CipherSuite::ECDHE_ECDSA_WITH_AES_128_CCM_8),
    ("ECDHE-ECDSA-AES128-CCM", CipherSuite::ECDHE_ECDSA_WITH_AES_128_CCM),
    ("ECDHE-ECDSA-AES128-GCM-SHA256", CipherSuite::ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ("ECDHE-ECDSA-AES128-SHA256", CipherSuite::ECDHE_ECDSA_WITH_AES_128_CBC_SHA256),
];

#[test]
pub(crate) fn psk_with_the_server_of_openssl() {
    for (name, suite) in PSK_SUITES {
        let arguments = format!(
            "s_server -dtls1_2 -accept 127.0.0.1:PORT -nocert -psk {KEY_HEX} -psk_hint hello \
             -cipher {name}:@SECLEVEL=0"
        );
        against_server("openssl", &arguments, psk_profile(KEY), suite);
    }
}

#[test]
pub(crate) fn psk_with_the_client_of_openssl() {
    for (name, _) in PSK_SUITES {
        let identity = std::str::from_utf8(IDENTITY).expect("text");
        let arguments = format!(
            "s_client -dtls1_2 -connect 127.0.0.1:PORT -psk {KEY_HEX} -psk_identity {identity} \
             -cipher {name}:@SECLEVEL=0 -quiet"
        );
        against_client("openssl", &arguments, psk_config());
    }
}

#[test]
pub(crate) fn encrypt_then_mac_is_not_a_must_with_openssl() {
    let arguments = format!(
        "s_server -dtls1_2 -accept 127.0.0.1:PORT -nocert -psk {KEY_HEX} \
         -cipher PSK-AES128-CBC-SHA256:@SECLEVEL=0 -no_etm"
    );
    let suite = CipherSuite::PSK_WITH_AES_128_CBC_SHA256;
    against_server("openssl", &arguments, psk_profile(KEY), suite);
}

#[test]
pub(crate) fn certificates_with_the_server_of_openssl() {
    for (name, suite) in ECDSA_SUITES {
        let arguments = format!(
            "s_server -dtls1_2 -accept 127.0.0.1:PORT -cert server.cert.pem -key server.key.pem \
             -cert_chain intermediate.cert.pem -CAfile root.cert.pem -Verify 2 \
             -verify_return_error -cipher {name}:@SECLEVEL=0"
        );
        let root = crate::support::data!("root.cert");
        let profile = x509_profile(CertificateUsage::TrustAnchorAssertion, root);
        against_server("openssl", &arguments, profile, suite);
    }
}

#[test]
pub(crate) fn certificates_with_the_client_of_openssl_and_small_datagrams() {
    for (name, _) in ECDSA_SUITES {
        let arguments = format!(
            "s_client -dtls1_2 -connect 127.0.0.1:PORT -cert client.cert.pem -key client.key.pem \
             -CAfile root.cert.pem -verify_return_error -servername server.example.com \
             -verify_hostname server.example.com -mtu 300 -cipher {name}:@SECLEVEL=0 -quiet"
        );
        let mut config = server_config(x509_store());
        config.mtu = 200;
        against_client("openssl", &arguments, config);
    }
}

// proves: SEC-04
#[test]
pub(crate) fn messages_in_parts_are_hashed_whole_with_openssl_in_both_roles() {
    // A datagram of 128 bytes has room for 103 bytes of a message.
    let (name, suite) = ECDSA_SUITES[0];
    let arguments = format!(
        "s_server -dtls1_2 -accept 127.0.0.1:PORT -cert server.cert.pem -key server.key.pem \
         -cert_chain intermediate.cert.pem -CAfile root.cert.pem -Verify 2 -mtu 256 \
         -verify_return_error -cipher {name}:@SECLEVEL=0"
    );
    let root = crate::support::data!("root.cert");
    let profile = x509_profile(CertificateUsage::TrustAnchorAssertion, root);
    let mut config = Config::default();
    config.mtu = 128;
    against_server_by(config, "openssl", &arguments, profile, suite);
    let arguments = format!(
        "s_client -dtls1_2 -connect 127.0.0.1:PORT -cert client.cert.pem -key client.key.pem \
         -CAfile root.cert.pem -verify_return_error -mtu 256 -cipher {name}:@SECLEVEL=0 -quiet"
    );
    let mut config = server_config(x509_store());
    config.mtu = 128;
    against_client("openssl", &arguments, config);
}

const RPK_PRIORITY: &str = "--priority NORMAL:-VERS-ALL:+VERS-DTLS1.2:-CTYPE-ALL:\
                            +CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK:-CIPHER-ALL:+AES-128-CCM-8";

#[test]
pub(crate) fn raw_public_keys_with_the_server_of_gnutls() {
    let arguments = format!(
        "--udp --port PORT --rawpkkeyfile server.key.pem --rawpkfile server.pub.pem {RPK_PRIORITY}"
    );
    let suite = CipherSuite::ECDHE_ECDSA_WITH_AES_128_CCM_8;
    against_server("gnutls-serv", &arguments, rpk().0, suite);
}

#[test]
pub(crate) fn raw_public_keys_with_the_client_of_gnutls() {
    let arguments = format!(
        "--udp --port PORT 127.0.0.1 --insecure --rawpkkeyfile client.key.pem \
         --rawpkfile client.pub.pem {RPK_PRIORITY}"
    );
    against_client("gnutls-cli", &arguments, server_config(rpk().1));
}

#[test]
pub(crate) fn psk_with_the_client_of_gnutls() {
    for exchange in ["PSK:+AES-128-CCM-8", "PSK:+AES-128-GCM"] {
        let identity = std::str::from_utf8(IDENTITY).expect("text");
        let arguments = format!(
            "--udp --port PORT 127.0.0.1 --pskusername {identity} --pskkey {KEY_HEX} \
             --priority NORMAL:-VERS-ALL:+VERS-DTLS1.2:-KX-ALL:-CIPHER-ALL:+{exchange}"
        );
        against_client("gnutls-cli", &arguments, psk_config());
    }
}

// proves: SEC-40
#[test]
pub(crate) fn hellos_in_parts_with_the_clients_of_openssl_and_gnutls() {
    let identity = std::str::from_utf8(IDENTITY).expect("text");
    let arguments = format!(
        "s_client -dtls1_2 -connect 127.0.0.1:PORT -psk {KEY_HEX} -psk_identity {identity} \
         -cipher ALL:@SECLEVEL=0 -mtu 256 -quiet"
    );
    against_client("openssl", &arguments, psk_config());
    let arguments = format!(
        "--udp --port PORT 127.0.0.1 --mtu 128 --pskusername {identity} --pskkey {KEY_HEX} \
         --priority NORMAL:-VERS-ALL:+VERS-DTLS1.2:+PSK:+ECDHE-PSK:+AES-128-CCM-8"
    );
    against_client("gnutls-cli", &arguments, psk_config());
}

#[test]
pub(crate) fn a_client_with_a_wrong_key_is_not_let_in() {
    let mut config = psk_config();
    config.handshake_timeout = Duration::from_secs(3);
    let mut driver = Driver::new(config);
    let port = driver.socket.local_addr().expect("an address").port();
    let arguments = format!(
        "s_client -dtls1_2 -connect 127.0.0.1:{port} -psk 00 -psk_identity urn:dev:1 \
         -cipher PSK-AES128-CCM8:@SECLEVEL=0 -quiet"
    );
    let Some(_peer) = Peer::start("openssl", &arguments) else { return };
    let reason = driver.until(|event| match event? {
        Event::Failed { reason, .. } => Some(reason),
        other => panic!("{other:?}"),
    });
    assert_eq!(reason, lwm2m_dtls::Reason::WrongKey);
}
