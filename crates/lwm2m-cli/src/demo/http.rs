//! A minimal HTTP client for the API of the demo.

use serde_json::Value;
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sends a request with an optional JSON body and returns the JSON of the answer.
///
/// # Errors
/// The connection fails, the status is not 200, or the body is not JSON.
pub(super) async fn call(
    server: SocketAddr,
    method: &str,
    target: &str,
    body: Option<&Value>,
) -> io::Result<Value> {
    let body = body.map(Value::to_string).unwrap_or_default();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(server).await?;
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if !head.starts_with("HTTP/1.1 200") {
        let line = head.lines().next().unwrap_or_default();
        return Err(io::Error::other(format!("{method} {target}: {line}: {body}")));
    }
    match body.is_empty() {
        true => Ok(Value::Null),
        false => serde_json::from_str(body).map_err(io::Error::from),
    }
}
