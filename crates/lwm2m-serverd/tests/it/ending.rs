//! A service manager ends the daemon.

use crate::process::{Daemon, Ports};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tempfile::TempDir;

#[test]
fn at_sigterm_streams_end_and_the_store_is_closed() {
    let folder = TempDir::new().unwrap();
    let ports = Ports::free();
    let daemon = Daemon::start(folder.path(), ports);
    let mut stream = TcpStream::connect(ports.http).unwrap();
    write!(stream, "GET /api/event HTTP/1.1\r\nHost: {}\r\n\r\n", ports.http).unwrap();
    let mut head = [0; 12];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 200");
    let begun = Instant::now();
    assert_eq!(daemon.terminate(), Some(0));
    // The patience with requests is 5 s, and an event stream gets none of it.
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    drop(Daemon::start(folder.path(), ports));
}
