//! Below `lwm2m-net` there is no socket, clock, thread or async runtime: time and datagrams are
//! handed in.

use super::{Violation, edges};
use crate::source::{Source, lines_with};

const FORBIDDEN: &[&str] =
    &["UdpSocket", "TcpStream", "TcpListener", "tokio", "Instant::now", "SystemTime", "thread::"];

pub(super) fn check(source: &Source) -> Vec<Violation> {
    if !source.crate_src().is_some_and(edges::is_sans_io) {
        return Vec::new();
    }
    let mut violations = Vec::new();
    for word in FORBIDDEN {
        for line in lines_with(&source.code, word) {
            let message = format!("`{word}` below lwm2m-net; pass time and datagrams in");
            violations.push(Violation::new(&source.path, line, message));
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> usize {
        check(&Source::new(path, text)).len()
    }

    #[test]
    fn each_kind_of_io_is_found() {
        for text in [
            "use std::net::UdpSocket;",
            "use std::net::{IpAddr, TcpListener};",
            "std::net::TcpStream::connect(a)",
            "tokio::spawn(f)",
            "let now = Instant::now();",
            "std::time::SystemTime::now()",
            "std::thread::spawn(f)",
        ] {
            assert_eq!(found("crates/lwm2m-coap/src/a.rs", text), 1, "{text}");
        }
    }

    #[test]
    fn net_its_users_and_comments_are_free() {
        assert_eq!(found("crates/lwm2m-net/src/a.rs", "tokio::spawn(f)"), 0);
        assert_eq!(found("crates/lwm2m-coap/src/a.rs", "// tokio\nlet a = \"tokio\";"), 0);
        assert_eq!(found("crates/lwm2m-coap/tests/it/main.rs", "tokio::spawn(f)"), 0);
    }
}
