//! TLS on a real connection against OpenSSL and GnuTLS, as client and as server.

use crate::interop::{ECDSA_SUITES, KEY_HEX, PATIENCE, PSK_SUITES, Peer, free_address};
use crate::support::{
    IDENTITY, KEY, at_a_good_time, backends, data, psk_config, psk_profile, rpk, server_config,
    x509_profile, x509_store,
};
use lwm2m_dtls::certificate::CertificateUsage;
use lwm2m_dtls::{CipherSuite, ClientProfile, Config, Endpoint, Event, SessionId};
use lwm2m_time::Instant;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// The endpoint with one connection and a clock.
struct Driver {
    endpoint: Endpoint,
    session: SessionId,
    socket: TcpStream,
    start: std::time::Instant,
}

impl Driver {
    fn new(
        mut config: Config,
        socket: TcpStream,
        begin: impl FnOnce(&mut Endpoint) -> SessionId,
    ) -> Self {
        socket.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
        let [client, server] = backends();
        config.backend = if config.credentials.is_some() { server } else { client };
        let mut endpoint = Endpoint::new(at_a_good_time(config), [7; 32]);
        let session = begin(&mut endpoint);
        Self { endpoint, session, socket, start: std::time::Instant::now() }
    }

    fn now(&self) -> Instant {
        Instant::ZERO + self.start.elapsed()
    }

    /// Drives the endpoint until `done` returns a value.
    fn until<T>(&mut self, mut done: impl FnMut(Option<Event>) -> Option<T>) -> T {
        let mut buffer = [0; 2048];
        let mut log = Vec::new();
        while self.start.elapsed() < PATIENCE {
            while let Some((_, bytes)) = self.endpoint.poll_stream() {
                self.socket.write_all(&bytes).expect("the peer is there");
            }
            loop {
                let event = self.endpoint.poll_event();
                let last = event.is_none();
                log.extend(event.clone());
                if let Some(found) = done(event) {
                    return found;
                }
                if last {
                    break;
                }
            }
            let now = self.now();
            match self.socket.read(&mut buffer) {
                Ok(0) => self.endpoint.handle_stream_end(now, self.session),
                Ok(length) => self.endpoint.handle_stream(now, self.session, &buffer[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => panic!("{error}: {log:?}"),
            }
        }
        panic!("nothing came of it in {PATIENCE:?}: {log:?}");
    }

    fn connected(&mut self) {
        self.until(|event| match event? {
            Event::Connected { .. } => Some(()),
            other => panic!("{other:?}"),
        });
    }

    fn data(&mut self, expected: &str) {
        self.until(|event| match event? {
            Event::Data { data, .. } => {
                String::from_utf8_lossy(&data).contains(expected).then_some(())
            }
            other => panic!("{other:?}"),
        });
    }

    fn send(&mut self, text: &str) {
        let now = self.now();
        self.endpoint.send(now, self.session, text.as_bytes()).expect("established");
    }
}

/// Exchanges data between our client and the server that `arguments` start, where `PORT` stands for
/// its port.
pub(crate) fn against_server(
    program: &str,
    arguments: &str,
    mut profile: ClientProfile,
    suite: CipherSuite,
) {
    let address = free_address();
    let arguments = arguments.replace("PORT", &address.port().to_string());
    let Some(mut peer) = Peer::start(program, &arguments) else { return };
    let start = std::time::Instant::now();
    let socket = loop {
        match TcpStream::connect(address) {
            Ok(socket) => break socket,
            Err(error) => assert!(start.elapsed() < PATIENCE, "{program}: {error}"),
        }
        std::thread::yield_now();
    };
    if !profile.tls13 {
        profile.suites = vec![suite];
    }
    let mut config = Config::default();
    config.application_protocol = Some("coap".into());
    let mut driver = Driver::new(config, socket, |endpoint| {
        endpoint.connect_stream(Instant::ZERO, address, Arc::new(profile), None).expect("a profile")
    });
    driver.connected();
    driver.send("from the client\n");
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
pub(crate) fn against_client(program: &str, arguments: &str, mut config: Config) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port().to_string();
    let Some(mut peer) = Peer::start(program, &arguments.replace("PORT", &port)) else { return };
    let (socket, from) = listener.accept().expect("a connection");
    config.application_protocol = Some("coap".into());
    let mut driver = Driver::new(config, socket, |endpoint| {
        endpoint.accept_stream(Instant::ZERO, from).expect("room")
    });
    driver.connected();
    peer.say("from the client");
    driver.data("from the client");
    driver.send("from the server\n");
    driver.until(|_| peer.has_said("from the server").then_some(()));
}

#[test]
pub(crate) fn psk_with_the_server_of_openssl() {
    for (name, suite) in PSK_SUITES {
        let arguments = format!(
            "s_server -tls1_2 -accept 127.0.0.1:PORT -nocert -psk {KEY_HEX} -alpn coap \
             -cipher {name}:@SECLEVEL=0"
        );
        against_server("openssl", &arguments, psk_profile(KEY), suite);
    }
}

#[test]
fn a_client_that_wants_to_renegotiate_gets_no_second_handshake() {
    let identity = std::str::from_utf8(IDENTITY).expect("text");
    let arguments = format!(
        "s_client -tls1_2 -connect 127.0.0.1:PORT -psk {KEY_HEX} -psk_identity {identity} \
         -cipher PSK-AES128-GCM-SHA256:@SECLEVEL=0"
    );
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port().to_string();
    let Some(mut peer) = Peer::start("openssl", &arguments.replace("PORT", &port)) else { return };
    let (socket, from) = listener.accept().expect("a connection");
    let mut driver = Driver::new(psk_config(), socket, |endpoint| {
        endpoint.accept_stream(Instant::ZERO, from).expect("room")
    });
    driver.connected();
    // OpenSSL's command to renegotiate.
    peer.say("R");
    driver.until(|event| match event? {
        Event::Closed { .. } => Some(()),
        other => panic!("{other:?}"),
    });
}

#[test]
pub(crate) fn psk_with_the_client_of_openssl() {
    for (name, _) in PSK_SUITES {
        let identity = std::str::from_utf8(IDENTITY).expect("text");
        // The client offers TLS 1.3, too, and accepts our 1.2.
        let arguments = format!(
            "s_client -connect 127.0.0.1:PORT -psk {KEY_HEX} -psk_identity {identity} -alpn coap \
             -cipher {name}:@SECLEVEL=0 -quiet"
        );
        against_client("openssl", &arguments, psk_config());
    }
}

#[test]
pub(crate) fn certificates_with_the_server_of_openssl() {
    for (name, suite) in ECDSA_SUITES {
        let arguments = format!(
            "s_server -accept 127.0.0.1:PORT -cert server.cert.pem -key server.key.pem \
             -cert_chain intermediate.cert.pem -CAfile root.cert.pem -Verify 2 \
             -verify_return_error -cipher {name}:@SECLEVEL=0"
        );
        let profile = x509_profile(CertificateUsage::TrustAnchorAssertion, data!("root.cert"));
        against_server("openssl", &arguments, profile, suite);
    }
}

#[test]
pub(crate) fn certificates_with_the_client_of_openssl_and_small_fragments() {
    for (name, _) in ECDSA_SUITES {
        let arguments = format!(
            "s_client -tls1_2 -connect 127.0.0.1:PORT -cert client.cert.pem -key client.key.pem \
             -CAfile root.cert.pem -verify_return_error -servername server.example.com \
             -verify_hostname server.example.com -maxfraglen 512 -cipher {name}:@SECLEVEL=0 -quiet"
        );
        against_client("openssl", &arguments, server_config(x509_store()));
    }
}

const RPK_PRIORITY: &str = "--priority NORMAL:-VERS-ALL:+VERS-TLS1.2:-CTYPE-ALL:\
                            +CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK:-CIPHER-ALL:+AES-128-CCM-8";

#[test]
pub(crate) fn raw_public_keys_with_the_server_of_gnutls() {
    let arguments = format!(
        "--port PORT --echo --rawpkkeyfile server.key.pem --rawpkfile server.pub.pem {RPK_PRIORITY}"
    );
    let suite = CipherSuite::ECDHE_ECDSA_WITH_AES_128_CCM_8;
    against_server("gnutls-serv", &arguments, rpk().0, suite);
}

#[test]
pub(crate) fn raw_public_keys_with_the_client_of_gnutls() {
    let arguments = format!(
        "--port PORT 127.0.0.1 --insecure --rawpkkeyfile client.key.pem \
         --rawpkfile client.pub.pem {RPK_PRIORITY}"
    );
    against_client("gnutls-cli", &arguments, server_config(rpk().1));
}

#[test]
pub(crate) fn psk_with_the_client_of_gnutls() {
    for exchange in ["PSK:+AES-128-CCM-8", "PSK:+AES-128-GCM"] {
        let identity = std::str::from_utf8(IDENTITY).expect("text");
        let arguments = format!(
            "--port PORT 127.0.0.1 --pskusername {identity} --pskkey {KEY_HEX} --alpn coap \
             --priority NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:-CIPHER-ALL:+{exchange}"
        );
        against_client("gnutls-cli", &arguments, psk_config());
    }
}
