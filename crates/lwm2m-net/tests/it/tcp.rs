//! Connections that behave, and those that do not.

use crate::harness::{ABORT, CSM, PATIENCE, PING, PONG, Raw, V4, V6, serve};
use lwm2m_coap::uri::Scheme;
use lwm2m_coap::{Code, Config, Request};
use lwm2m_link::ConnectionConfig;
use lwm2m_net::coap::{Answer, CoapClient};
use lwm2m_net::uri::Remote;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

async fn client() -> CoapClient {
    CoapClient::bind(SocketAddr::new(V4, 0), Config::default(), [1; 32]).await.unwrap()
}

async fn ask(client: &CoapClient, to: SocketAddr, request: Request) -> Answer {
    let server = Remote { scheme: Scheme::CoapTcp, address: to };
    let mut answers = client.request(server, request).await.unwrap();
    timeout(PATIENCE, answers.recv()).await.unwrap().unwrap()
}

#[tokio::test]
async fn bodies_of_all_sizes_go_both_ways_over_both_families() {
    for ip in [V4, V6] {
        let (server, address) = serve(ip, ConnectionConfig::default()).await;
        let client = client().await;
        for size in [1, 1_000, 5_000, 100 << 10, 1_000_000] {
            let body = vec![b'x'; size];
            let answer = ask(&client, address, Request::put().payload(body.clone())).await;
            let Answer::Response(response) = answer else { panic!("{size}: {answer:?}") };
            assert_eq!(response.code, Code::CONTENT);
            assert!(response.payload == body, "{size}: {} came back", response.payload.len());
        }
        assert_eq!(server.peer_count().await.unwrap(), 1, "one connection for all");
    }
}

#[tokio::test]
async fn many_clients_are_served_at_once() {
    let (_server, address) = serve(V4, ConnectionConfig::default()).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..50_u32 {
        tasks.spawn(async move {
            let client = client().await;
            for round in 0..20 {
                let body = format!("{number} {round}");
                let answer = ask(&client, address, Request::put().payload(body.clone())).await;
                let Answer::Response(response) = answer else { panic!("{answer:?}") };
                assert_eq!(response.payload, body);
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

#[tokio::test]
async fn nobody_there_fails_at_once() {
    let closed = std::net::TcpListener::bind((V4, 0)).unwrap().local_addr().unwrap();
    let answer = ask(&client().await, closed, Request::get()).await;
    assert!(matches!(answer, Answer::Failed(_)), "{answer:?}");
}

#[tokio::test]
async fn requests_fail_when_the_connection_is_lost_and_the_next_opens_another() {
    let listener = tokio::net::TcpListener::bind((V4, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = client().await;
    for _ in 0..2 {
        let (answer, ()) = tokio::join!(ask(&client, address, Request::get()), async {
            let mut peer = Raw(listener.accept().await.unwrap().0);
            assert_eq!(peer.message().await.unwrap().0, CSM[1]);
            assert_eq!(peer.message().await.unwrap().0, Code::GET.as_byte());
        });
        assert!(matches!(answer, Answer::Failed(_)), "{answer:?}");
    }
}

#[tokio::test]
async fn a_stream_may_be_cut_anywhere() {
    let (_server, address) = serve(V4, ConnectionConfig::default()).await;
    let mut raw = Raw::connect(address).await;
    raw.0.set_nodelay(true).unwrap();
    // PUT with token 9 and payload "ab".
    let session = [&CSM[..], &PING, &[0x31, 0x03, 9, 0xFF, b'a', b'b'], &PING].concat();
    for byte in session {
        raw.send(&[byte]).await;
        tokio::task::yield_now().await;
    }
    let mut codes = Vec::new();
    for _ in 0..4 {
        codes.push(raw.message().await.unwrap().0);
    }
    assert_eq!(codes, [CSM[1], PONG[1], Code::CONTENT.as_byte(), PONG[1]]);
}

#[tokio::test]
async fn what_was_asked_before_the_end_of_the_stream_is_answered() {
    let (server, address) = serve(V4, ConnectionConfig::default()).await;
    let mut raw = Raw::connect(address).await;
    raw.send(&[&CSM[..], &[0x31, 0x03, 9, 0xFF, b'a', b'b']].concat()).await;
    raw.0.shutdown().await.unwrap();
    assert_eq!(raw.message().await.unwrap().0, CSM[1]);
    assert_eq!(raw.message().await.unwrap().0, Code::CONTENT.as_byte());
    assert_eq!(raw.message().await, None);
    assert_eq!(server.peer_count().await.unwrap(), 0);
}

// proves: TCP-02
#[tokio::test]
async fn who_does_not_begin_with_a_csm_is_aborted() {
    let (_server, address) = serve(V4, ConnectionConfig::default()).await;
    let mut raw = Raw::connect(address).await;
    // POST /rd
    raw.send(&[0x30, 0x02, 0xB2, b'r', b'd']).await;
    assert_eq!(raw.message().await.unwrap().0, CSM[1]);
    assert_eq!(raw.message().await.unwrap().0, ABORT);
    assert_eq!(raw.message().await, None);
    let mut good = Raw::connect(address).await;
    good.greet().await;
    assert!(good.is_alive().await);
}

#[tokio::test]
async fn garbage_ends_its_own_connection_only() {
    let (server, address) = serve(V4, ConnectionConfig::default()).await;
    let mut good = Raw::connect(address).await;
    good.greet().await;
    let mut garbage: Vec<Vec<u8>> = vec![
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec(),
        vec![0xFF; 4_096],
        [&CSM[..], &[0x0F, 0x01]].concat(),
        [&CSM[..], &[0xF0, 0x7F, 0xFF, 0xFF, 0xFF, 0x01]].concat(),
    ];
    // The same bytes in every run, none of them chosen.
    let mut state = 1_u32;
    garbage.extend((0..200).map(|_| {
        (0..64)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                state.to_be_bytes()[0]
            })
            .collect()
    }));
    for bytes in garbage {
        let mut raw = Raw::connect(address).await;
        // The server may close before all is written.
        let _ = raw.0.write_all(&bytes).await;
        let _ = raw.0.shutdown().await;
        while raw.message().await.is_some() {}
    }
    assert!(good.is_alive().await);
    assert_eq!(server.peer_count().await.unwrap(), 1);
}

#[tokio::test]
async fn hundreds_of_slow_connections_hinder_nobody_and_are_given_up() {
    let greeting = Duration::from_secs(5);
    let config = ConnectionConfig { max_connections: 1000, greeting, ..Default::default() };
    let (server, address) = serve(V4, config).await;
    let mut slow = Vec::new();
    for _ in 0..500 {
        let mut raw = Raw::connect(address).await;
        raw.send(&CSM[..1]).await;
        slow.push(raw);
    }
    let mut good = Raw::connect_from_elsewhere(address).await;
    good.greet().await;
    assert!(good.is_alive().await);
    let mut refused = Raw::connect(address).await;
    assert_eq!(refused.message().await, None, "one too many");
    for mut raw in slow {
        assert_eq!(raw.message().await.unwrap().0, CSM[1]);
        assert_eq!(raw.message().await.unwrap().0, ABORT);
        assert_eq!(raw.message().await, None);
    }
    assert!(good.is_alive().await, "who has said hello stays");
    assert_eq!(server.peer_count().await.unwrap(), 1);
}

#[tokio::test]
async fn who_does_not_read_is_not_read_from() {
    let (server, address) = serve(V4, ConnectionConfig::default()).await;
    let mut raw = Raw::connect(address).await;
    raw.send(&CSM).await;
    // PUT of 4,000 bytes, that many of which come back in blocks.
    let request = [&[0xE0, 0x0E, 0x94, 0x03, 0xFF][..], &[b'x'; 4_000]].concat();
    let mut written = 0;
    // What the server does not take fills the buffers of the kernel, and then nothing moves.
    while let Ok(done) = timeout(Duration::from_secs(1), raw.0.write_all(&request)).await {
        done.unwrap();
        written += request.len();
        assert!(written < 64 << 20, "the server reads on and on");
    }
    assert_eq!(server.peer_count().await.unwrap(), 1, "it is patient with it");
    let mut good = Raw::connect(address).await;
    good.greet().await;
    assert!(good.is_alive().await);
}

#[tokio::test]
async fn who_asks_for_far_more_than_it_reads_is_cut_off() {
    let (server, address) = serve(V4, ConnectionConfig::default()).await;
    let mut raw = Raw::connect(address).await;
    // CSM with a Max-Message-Size of 131,072 and no block-wise transfer: whole answers are wanted.
    raw.send(&[0x40, 0xE1, 0x23, 0x02, 0x00, 0x00]).await;
    let requests = [0x00, 0x01].repeat(4 << 10);
    while let Ok(Ok(_)) = timeout(PATIENCE, raw.0.write(&requests)).await {}
    let mut good = Raw::connect(address).await;
    good.greet().await;
    assert!(good.is_alive().await);
    assert_eq!(server.peer_count().await.unwrap(), 1);
}
