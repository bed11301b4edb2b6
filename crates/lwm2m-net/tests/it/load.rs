//! The load against servers that answer, lose, refuse and are not there.

use crate::harness::{V4, serve};
use crate::secured;
use lwm2m_coap::{Code, MessageBuilder, MessageType, MessageView, Request};
use lwm2m_link::ConnectionConfig;
use lwm2m_net::load::{Load, LoadError, Report, run};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::UdpSocket;

fn load(server: SocketAddr) -> Load {
    Load {
        server,
        request: Request::put().payload("x"),
        requests: 1_000,
        security: None,
        sockets: 3,
        window: 4,
        at_most: Duration::from_secs(60),
    }
}

#[tokio::test]
async fn every_request_is_counted_once() {
    let (server, _) = serve(V4, ConnectionConfig::default()).await;
    let report = run(&load(server.local_addr()), [3; 32]).await.unwrap();
    assert_eq!((report.succeeded, report.latencies.len()), (1_000, 1_000));
    assert_eq!((report.refused, report.failed, report.unfinished), (0, 0, 0));
    assert!(report.latency(0.5) <= report.latency(0.99));
    assert!(report.latency(1.0) <= report.elapsed && report.rate() > 0.0);
}

#[tokio::test]
async fn each_socket_has_a_session_of_its_own() {
    let server = secured::serve(V4).await;
    let known = Load {
        security: Some(secured::security("device")),
        ..load(server.local_dtls_addr().unwrap())
    };
    let report = run(&known, [3; 32]).await.unwrap();
    assert_eq!((report.succeeded, server.peer_count().await.unwrap()), (1_000, 3));
    assert!(report.handshakes > Duration::ZERO);
    let stranger = Load { security: Some(secured::security("stranger")), ..known };
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
    let socket = UdpSocket::bind((V4, 0)).await.unwrap();
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
    let silent = UdpSocket::bind((V4, 0)).await.unwrap();
    let short = Load { at_most: Duration::from_millis(100), ..load(silent.local_addr().unwrap()) };
    let report = run(&short, [3; 32]).await.unwrap();
    assert_eq!((report.succeeded, report.unfinished), (0, 1_000));
}
