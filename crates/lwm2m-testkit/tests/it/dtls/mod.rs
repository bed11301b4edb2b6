//! Our DTLS endpoint against other stacks, in both roles, on loopback.

mod certificate_types;
mod keys;
mod libcoap;
mod links;
mod mbedtls;
mod openssl_gnutls;
mod scandium;
mod shards;
mod tinydtls;

use lwm2m_dtls::{
    CipherSuite, ClientProfile, Config, Event, Identity, Reason, Resumption, SessionId, TicketKey,
};
use lwm2m_testkit::peer::{DtlsEndpoint, SecuredPeer, Stack};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What an endpoint tells of a new session.
struct Established {
    session: SessionId,
    suite: CipherSuite,
    identity: Identity,
    resumed: bool,
    resumption: Option<Arc<Resumption>>,
}

/// An endpoint that resends flights soon, because peers may not listen yet.
fn open(mut config: Config) -> DtlsEndpoint {
    config.retransmit_after = Duration::from_millis(300);
    DtlsEndpoint::open(config).unwrap()
}

/// A configuration with a short handshake timeout: a peer with a wrong key does not answer.
fn hasty(mut config: Config) -> Config {
    config.handshake_timeout = Duration::from_secs(3);
    config
}

/// A configuration that resumes sessions by tickets only.
fn with_tickets(mut config: Config) -> Config {
    config.session_cache = 0;
    config.ticket_key = Some(TicketKey::new([9; 16]));
    config
}

fn established(ours: &mut DtlsEndpoint) -> Established {
    ours.until(|event| match event.clone() {
        Event::Connected { session, suite, identity, resumed, resumption, .. } => {
            Some(Established { session, suite, identity, resumed, resumption })
        }
        Event::Failed { reason, .. } => panic!("failed: {reason}"),
        _ => None,
    })
    .unwrap()
}

fn failed(ours: &mut DtlsEndpoint) -> Reason {
    ours.until(|event| match event {
        Event::Failed { reason, .. } => Some(reason.clone()),
        Event::Connected { .. } => panic!("connected"),
        _ => None,
    })
    .unwrap()
}

/// Waits until data with this text come, in any session.
fn receive(ours: &mut DtlsEndpoint, text: &str) {
    ours.until(|event| match event {
        Event::Data { data, .. } => String::from_utf8_lossy(data).contains(text).then_some(()),
        _ => None,
    })
    .unwrap();
}

/// Our client sends data to an echo server.
fn echo(ours: &mut DtlsEndpoint, session: SessionId, text: &str) {
    ours.send(session, text).unwrap();
    receive(ours, text);
}

/// Connects our client to an echo server and exchanges data.
fn talk_to(
    ours: &mut DtlsEndpoint,
    server: SocketAddr,
    profile: ClientProfile,
    resumption: Option<Arc<Resumption>>,
) -> Established {
    ours.connect(server, profile, resumption).unwrap();
    let established = established(ours);
    echo(ours, established.session, "from our client");
    established
}

/// Makes the peer connect to our server and exchanges data both ways.
fn talk_with(ours: &mut DtlsEndpoint, client: &mut SecuredPeer) -> Established {
    client.process.tell("from their client").unwrap();
    let established = established(ours);
    receive(ours, "from their client");
    ours.send(established.session, "from our server").unwrap();
    ours.turn();
    assert_eq!(client.wait_for("data").unwrap(), "from our server");
    established
}

/// Our server and the peer as its client. `None` if the peer is not installed.
fn their_client(
    stack: Stack,
    config: Config,
    options: &[&str],
) -> Option<(DtlsEndpoint, SecuredPeer)> {
    stack.is_available().then(|| {
        let ours = open(config);
        let to = ours.address().unwrap();
        let client = SecuredPeer::client(stack, &keys::folder(), to, options).unwrap();
        (ours, client)
    })
}

/// The peer as server and our client. `None` if the peer is not installed.
fn their_server(
    stack: Stack,
    config: Config,
    options: &[&str],
) -> Option<(DtlsEndpoint, SecuredPeer)> {
    stack.is_available().then(|| {
        let server = SecuredPeer::server(stack, &keys::folder(), options).unwrap();
        (open(config), server)
    })
}
