//! The load against servers that answer, lose, refuse and are silent.

use super::generator::{Load, LoadError, Report, run};
use crate::serve::Plugtest;
use lwm2m_app::secured::Secured;
use lwm2m_coap::uri::Uri;
use lwm2m_coap::{Code, MessageBuilder, MessageType, MessageView, Request};
use lwm2m_net::Sockets;
use lwm2m_net::coap::Security;
use lwm2m_net::service::{CoapServer, ServiceConfig};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;

const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

fn load(server: SocketAddr) -> Load {
    let mut request = Request::put().payload("x");
    Uri::parse("coap://localhost/test").unwrap().push_options(&mut request.options);
    Load {
        server,
        request,
        requests: 1_000,
        security: None,
        sockets: 3,
        window: 4,
        at_most: Duration::from_secs(60),
    }
}

fn keys(identity: &str) -> Secured {
    Secured {
        psk_identity: Some(identity.to_owned()),
        psk_key: Some("00112233445566778899aabbccddeeff".to_owned().into()),
        ..Secured::default()
    }
}

fn security(identity: &str) -> Security {
    let (config, profile) = keys(identity).client("localhost").unwrap();
    Security { config, profile: Arc::new(profile) }
}

async fn serve(secured: bool) -> CoapServer<Plugtest> {
    let sockets = Sockets { dtls: secured.then_some(ANY), ..Sockets::from(ANY) };
    let security = secured.then(|| keys("device").server().unwrap());
    let config = ServiceConfig { security, ..ServiceConfig::default() };
    CoapServer::bind(sockets, config, [5; 32], Plugtest::default()).await.unwrap()
}

#[tokio::test]
async fn every_request_is_counted_once() {
    let server = serve(false).await;
    let report = run(&load(server.local().udp.unwrap()), [3; 32]).await.unwrap();
    assert_eq!((report.succeeded, report.latencies.len()), (1_000, 1_000));
    assert_eq!((report.refused, report.failed, report.unfinished), (0, 0, 0));
    assert!(report.latency(0.5) <= report.latency(0.99));
    assert!(report.latency(1.0) <= report.elapsed && report.rate() > 0.0);
}

#[tokio::test]
async fn each_socket_has_a_session_of_its_own() {
    let server = serve(true).await;
    let known = Load { security: Some(security("device")), ..load(server.local().dtls.unwrap()) };
    let report = run(&known, [3; 32]).await.unwrap();
    assert_eq!((report.succeeded, server.peer_count().await.unwrap()), (1_000, 3));
    assert!(report.handshakes > Duration::ZERO);
    let stranger = Load { security: Some(security("stranger")), ..known };
    let refused = run(&stranger, [3; 32]).await.unwrap_err();
    assert!(matches!(refused, LoadError::NoSession(_)), "{refused}");
}

/// Answers every request but the first of each message ID, as `kind` and `code`.
async fn answer(socket: UdpSocket, kind: MessageType, code: Code) {
    let mut seen = std::collections::BTreeSet::new();
    let mut datagram = [0; 100];
    loop {
        let (length, from) = socket.recv_from(&mut datagram).await.unwrap();
        let view = MessageView::parse(&datagram[..length]).unwrap();
        if seen.insert((from, view.message_id())) {
            continue;
        }
        let mut buffer = Vec::new();
        MessageBuilder::new(&mut buffer, kind, code, view.message_id(), view.token()).payload(b"");
        socket.send_to(&buffer, from).await.unwrap();
    }
}

async fn with_loss(kind: MessageType, code: Code) -> Report {
    let socket = UdpSocket::bind(ANY).await.unwrap();
    let address = socket.local_addr().unwrap();
    let server = tokio::spawn(answer(socket, kind, code));
    let few = Load { requests: 12, ..load(address) };
    let report = run(&few, [3; 32]).await.unwrap();
    server.abort();
    report
}

#[tokio::test]
async fn what_is_lost_is_sent_again_and_errors_are_told_from_success() {
    let (answered, refused) = tokio::join!(
        with_loss(MessageType::Acknowledgement, Code::CONTENT),
        with_loss(MessageType::NonConfirmable, Code::NOT_FOUND)
    );
    assert_eq!((answered.succeeded, answered.retransmitted), (12, 12));
    assert_eq!((refused.refused, refused.retransmitted), (12, 12));
    assert!(answered.latency(0.0) >= Duration::from_secs(2), "it waited for ACK_TIMEOUT");
}

#[tokio::test]
async fn it_ends_when_its_time_is_over() {
    let silent = UdpSocket::bind(ANY).await.unwrap();
    let short = Load { at_most: Duration::from_millis(100), ..load(silent.local_addr().unwrap()) };
    let report = run(&short, [3; 32]).await.unwrap();
    assert_eq!((report.succeeded, report.unfinished), (0, 1_000));
}
