//! The API on a TCP socket, within bounds that hold against slow and many peers.

use crate::https::Https;
use crate::patient::Patient;
use crate::routes::events::Closing;
use crate::seats::{Answer, Seat, Seats};
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::serve::Listener;
use axum::{Extension, Router};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

/// How many connections are served at a time, unless the caller wants fewer.
pub const MAX_CONNECTIONS: usize = 512;

/// How long a write may make no progress, so that a peer that does not read keeps no seat.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a connection may take to send the head of its next request, idle time included.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The bytes that a connection may hold in memory unread, and the largest head of a request.
const MAX_BUFFER: usize = 32 << 10;

/// How long requests that are being answered may go on after the end was asked for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Serves `router` on `listener` until `shutdown` ends. Event streams then end at once, and other
/// requests have five seconds left.
///
/// At most [`MAX_CONNECTIONS`] are served at a time. Beyond that, the oldest connection that owes the
/// rest of a request gives way to a new one; if all requests are being answered, a new one waits. A
/// connection is closed when the head of a request takes longer than 10 s, or when it takes nothing of
/// an answer for 30 s; a head may have 32 KiB.
///
/// # Errors
/// None at present: a connection that cannot be accepted is no reason to end.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    serve_at_most(MAX_CONNECTIONS, listener, router, shutdown).await;
    Ok(())
}

/// Like [`serve`], with at most `max` connections at a time, at least one.
pub async fn serve_at_most(
    max: usize,
    listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    serve_all(max, listener, None, router, shutdown).await;
}

/// Like [`serve_at_most`], by TLS 1.2 and 1.3. A handshake has the time of the head of a request.
///
/// # Errors
/// TLS cannot be set up.
pub async fn serve_by_tls(
    max: usize,
    listener: TcpListener,
    https: &Https,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let acceptor = https.acceptor().map_err(io::Error::other)?;
    serve_all(max, listener, Some(acceptor), router, shutdown).await;
    Ok(())
}

async fn serve_all(
    max: usize,
    mut listener: TcpListener,
    acceptor: Option<TlsAcceptor>,
    router: Router,
    shutdown: impl Future<Output = ()> + Send + 'static,
) {
    let (close, closing) = watch::channel(false);
    let service = TowerToHyperService::new(router.layer(Extension(Closing(closing))));
    let seats = Seats::new(max.max(1));
    let graceful = GracefulShutdown::new();
    let http = http();
    let accepting = async {
        loop {
            let (stream, from) = Listener::accept(&mut listener).await;
            let seat = seats.take(from.ip()).await;
            // Answers are written whole; Nagle's algorithm would only delay them. It is harmless
            // where it cannot be switched off.
            let _ = stream.set_nodelay(true);
            let stream = Patient::new(stream, WRITE_TIMEOUT);
            let (service, held) = (service.clone(), Arc::clone(&seat));
            let answer = service_fn(move |request| answer(request, Peer(from), &service, &held));
            let (http, watcher, acceptor) = (http.clone(), graceful.watcher(), acceptor.clone());
            // A peer that breaks TLS or HTTP, or goes away, has lost its connection: all there is
            // to do.
            let task = tokio::spawn(async move {
                let Some(acceptor) = acceptor else {
                    let connection = http.serve_connection(TokioIo::new(stream), answer);
                    let _ = watcher.watch(connection).await;
                    return;
                };
                let handshake = tokio::time::timeout(HEAD_TIMEOUT, acceptor.accept(stream));
                if let Ok(Ok(stream)) = handshake.await {
                    let connection = http.serve_connection(TokioIo::new(stream), answer);
                    let _ = watcher.watch(connection).await;
                }
            });
            seat.belongs_to(task.abort_handle());
        }
    };
    tokio::select! {
        () = accepting => {}
        () = shutdown => {}
    }
    drop(listener);
    // No stream listening is no error, and neither are requests that outlast the patience.
    let _ = close.send(true);
    let _ = tokio::time::timeout(PATIENCE, graceful.shutdown()).await;
}

/// Where a request comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

impl Peer {
    /// Whether that is this machine.
    pub(crate) const fn is_loopback(self) -> bool {
        self.0.ip().to_canonical().is_loopback()
    }
}

/// Answers a request, and keeps the seat told whether the peer owes anything.
fn answer(
    mut request: Request<Incoming>,
    peer: Peer,
    service: &TowerToHyperService<Router>,
    seat: &Arc<Seat>,
) -> impl Future<Output = Result<Response, std::convert::Infallible>> + use<> {
    use hyper::body::Body as _;
    let seat = Arc::clone(seat);
    if request.body().is_end_stream() {
        seat.is_answered();
    }
    request.extensions_mut().insert(Arc::clone(&seat));
    request.extensions_mut().insert(peer);
    let response = service.call(request);
    async move { Ok(response.await?.map(|body| Body::new(Answer::new(body, seat)))) }
}

fn http() -> http1::Builder {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(MAX_BUFFER);
    http
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::time::timeout;

    /// Connections that send `said` and wait for ever.
    async fn flood(address: SocketAddr, said: &[u8]) -> Vec<TcpStream> {
        let mut flood = Vec::new();
        for _ in 0..20 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(said).await.unwrap();
            flood.push(stream);
        }
        flood
    }

    #[tokio::test]
    async fn requests_without_their_rest_do_not_keep_others_out() {
        let head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n";
        for said in [&b""[..], b"GET / HT", head] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let router =
                Router::new().route("/", get(async || "hello").post(async |body: String| body));
            tokio::spawn(serve_at_most(8, listener, router, std::future::pending()));
            let _flood = flood(address, said).await;
            let mut honest = TcpStream::connect(address).await.unwrap();
            honest.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
            let mut answer = [0; 12];
            let soon = Duration::from_secs(5);
            timeout(soon, honest.read_exact(&mut answer)).await.unwrap().unwrap();
            assert_eq!(&answer, b"HTTP/1.1 200");
        }
    }

    #[tokio::test]
    async fn connections_above_the_limit_wait_while_all_are_answered() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // An answer that does not end.
        let endless =
            async || Body::from_stream(futures_util::stream::pending::<io::Result<String>>());
        let router = Router::new().route("/", get(endless));
        tokio::spawn(serve_at_most(1, listener, router, std::future::pending()));
        let request = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        let mut answer = [0; 12];
        let mut first = TcpStream::connect(address).await.unwrap();
        first.write_all(request).await.unwrap();
        first.read_exact(&mut answer).await.unwrap();
        let mut second = TcpStream::connect(address).await.unwrap();
        second.write_all(request).await.unwrap();
        let early = timeout(Duration::from_millis(100), second.read(&mut answer)).await;
        assert!(early.is_err(), "answered while the only permit was taken");
        drop(first);
        let patience = Duration::from_secs(20);
        timeout(patience, second.read_exact(&mut answer)).await.unwrap().unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
    }
}
