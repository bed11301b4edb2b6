//! The API on a TCP socket.

use crate::support::{Bench, within};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

async fn serve(bench: &Bench) -> (SocketAddr, oneshot::Sender<()>, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = oneshot::channel::<()>();
    let end = async { stopped.await.unwrap_or_default() };
    let serving = lwm2m_http::serve(listener, bench.api.clone(), end);
    (address, stop, tokio::spawn(async { serving.await.expect("an orderly end") }))
}

async fn ask(address: SocketAddr, uri: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = format!("GET {uri} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("a sent request");
    stream
}

#[tokio::test]
async fn requests_over_tcp() {
    let bench = Bench::new().await;
    let (address, stop, serving) = serve(&bench).await;
    let mut text = String::new();
    within(ask(address, "/api/clients").await.read_to_string(&mut text)).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n") && text.ends_with("\r\n\r\n[]"), "{text}");
    stop.send(()).unwrap();
    within(serving).await.unwrap();
}

#[tokio::test]
async fn an_open_event_stream_does_not_keep_the_server_from_stopping() {
    let bench = Bench::new().await;
    let (address, stop, serving) = serve(&bench).await;
    let mut stream = ask(address, "/api/event").await;
    let mut head = [0; 12];
    within(stream.read_exact(&mut head)).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    let before = std::time::Instant::now();
    stop.send(()).unwrap();
    within(serving).await.unwrap();
    // Well before the patience with requests is over.
    assert!(before.elapsed().as_secs() < 4);
    within(stream.read_to_end(&mut Vec::new())).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_head_that_does_not_end_costs_the_connection() {
    let bench = Bench::new().await;
    let (address, _stop, _serving) = serve(&bench).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: ").await.unwrap();
    within(stream.read_to_end(&mut Vec::new())).await.unwrap();
}

#[tokio::test]
async fn heads_are_bounded() {
    let bench = Bench::new().await;
    let (address, _stop, _serving) = serve(&bench).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!("GET / HTTP/1.1\r\nHost: {address}\r\nX: {}", "x".repeat(40 << 10));
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    within(stream.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 431");
}

/// RFC 9112 section 3.2.
#[tokio::test]
async fn a_request_has_one_host() {
    let bench = Bench::new().await;
    let (address, _stop, _serving) = serve(&bench).await;
    for (path, hosts, status) in [
        ("/", "Host: localhost\r\n", "200"),
        ("/api/clients", "Host: localhost\r\n", "200"),
        ("/api/clients", "Host: localhost\r\nHost: localhost\r\n", "400"),
        ("/", "Host: localhost\r\nHost: evil.example\r\n", "400"),
        ("/api/clients", "", "400"),
        ("http://evil.example/api/clients", "Host: localhost\r\n", "403"),
        ("http://localhost/api/clients", "Host: localhost\r\n", "200"),
    ] {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        within(stream.read_exact(&mut answer)).await.unwrap();
        assert_eq!(&answer[9..], status.as_bytes(), "{path} {hosts:?}");
    }
}

/// Writes a new certificate for `localhost` and its key.
fn certify(folder: &std::path::Path) -> rustls::pki_types::CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    std::fs::write(folder.join("http.crt"), made.cert.pem()).expect("a file");
    std::fs::write(folder.join("http.key"), made.signing_key.serialize_pem()).expect("a file");
    made.cert.der().clone()
}

/// The head of an answer by TLS, if the server has that certificate.
async fn ask_by_tls(
    address: SocketAddr,
    certificate: &rustls::pki_types::CertificateDer<'static>,
) -> std::io::Result<String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.clone()).map_err(std::io::Error::other)?;
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(std::io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(config));
    let stream = TcpStream::connect(address).await?;
    let name = "localhost".try_into().map_err(std::io::Error::other)?;
    let mut stream = connector.connect(name, stream).await?;
    let request = "GET /api/clients HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

#[tokio::test]
async fn requests_over_tls_by_a_certificate_that_is_replaced() {
    let bench = Bench::new().await;
    let folder = crate::security::folder("https");
    let path = |name| folder.join(name);
    let first = certify(&folder);
    let https = lwm2m_http::Https::load(path("http.crt"), path("http.key")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (api, serving) = (bench.api.clone(), https.clone());
    tokio::spawn(async move {
        let never = std::future::pending();
        lwm2m_http::serve_by_tls(8, listener, &serving, api, never).await
    });
    let answer = within(ask_by_tls(address, &first)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    // Whoever speaks HTTP there, or nothing at all, gets nothing.
    let mut text = String::new();
    let clear = within(ask(address, "/api/clients").await.read_to_string(&mut text)).await;
    assert!(clear.is_err() || !text.contains("HTTP"), "{text}");
    let second = certify(&folder);
    https.reload().unwrap();
    assert!(within(ask_by_tls(address, &first)).await.is_err());
    assert!(within(ask_by_tls(address, &second)).await.is_ok());
    // What cannot be used changes nothing.
    std::fs::write(path("http.key"), "no key").unwrap();
    let refused = https.reload().unwrap_err().to_string();
    assert!(refused.contains("http.key"), "{refused}");
    assert!(within(ask_by_tls(address, &second)).await.is_ok());
}
