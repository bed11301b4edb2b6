//! The API on a TCP socket, within bounds that hold against slow and many peers.

use crate::routes::events::Closing;
use axum::serve::Listener;
use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};

/// How many connections are served at a time; others wait in the queue of the operating system.
const MAX_CONNECTIONS: usize = 512;

/// How long a connection may take to send the head of its next request, idle time included.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// The bytes that a connection may hold in memory unread, and the largest head of a request.
const MAX_BUFFER: usize = 32 << 10;

/// How long requests that are being answered may go on after the end was asked for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Serves `router` on `listener` until `shutdown` ends. Event streams then end at once, and other
/// requests have five seconds left.
///
/// At most 512 connections are served at a time; more wait. A connection that takes longer than
/// 10 s to send the head of a request is closed, and a head may have 32 KiB.
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

async fn serve_at_most(
    max: usize,
    mut listener: TcpListener,
    router: Router,
    shutdown: impl Future<Output = ()>,
) {
    let (close, closing) = watch::channel(false);
    let service = TowerToHyperService::new(router.layer(Extension(Closing(closing))));
    let seats = Arc::new(Semaphore::new(max));
    let graceful = GracefulShutdown::new();
    let http = http();
    let accepting = async {
        // The semaphore is never closed.
        while let Ok(permit) = Arc::clone(&seats).acquire_owned().await {
            let (stream, _) = Listener::accept(&mut listener).await;
            // Answers are written whole; Nagle's algorithm would only delay them. It is harmless
            // where it cannot be switched off.
            let _ = stream.set_nodelay(true);
            let connection = http.serve_connection(TokioIo::new(stream), service.clone());
            let connection = graceful.watch(connection);
            tokio::spawn(async move {
                // A peer that breaks HTTP, or goes away, has lost its connection: all there is to do.
                let _ = connection.await;
                drop(permit);
            });
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

    #[tokio::test]
    async fn connections_above_the_limit_wait() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async || "hello"));
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
