//! The first start of the daemon, and who gets in.

use crate::process::Ports;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// A daemon without `--trust-loopback`, and the lines that it printed.
struct Guarded(Child, Vec<String>);

impl Guarded {
    fn start(folder: &Path, http: SocketAddr) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lwm2m-serverd"))
            .args(["--coap", "off", "--coaps", "127.0.0.1:0", "--log", "warn", "--data"])
            .arg(folder)
            .args(["--http", &http.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let mut said = Vec::new();
        for line in lines {
            let listens = line.contains("for http");
            said.push(line);
            if listens {
                break;
            }
        }
        Self(child, said)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn status(http: SocketAddr, token: Option<&str>) -> u16 {
    let mut stream = TcpStream::connect(http).unwrap();
    let bearer = token.map(|it| format!("Authorization: Bearer {it}\r\n")).unwrap_or_default();
    let head =
        format!("GET /api/clients HTTP/1.1\r\nHost: {http}\r\n{bearer}Connection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

fn token(line: &str) -> String {
    line.split_whitespace().find(|word| word.starts_with("lwm2m_")).unwrap().to_owned()
}

#[test]
fn the_first_start_prints_a_token_once_and_a_lost_one_is_replaced() {
    let folder = TempDir::new().unwrap();
    let Ports { http, .. } = Ports::free();
    let first = Guarded::start(folder.path(), http);
    let admin = token(first.1.iter().find(|it| it.contains("admin token")).unwrap());
    assert!(first.1.iter().any(|it| it.contains("/#link=lwm2m_")), "{:?}", first.1);
    assert_eq!((status(http, None), status(http, Some(&admin))), (401, 200));
    drop(first);
    let made = Command::new(env!("CARGO_BIN_EXE_lwm2m-serverd"))
        .args(["--log", "warn", "--data"])
        .arg(folder.path())
        .arg("admin-token")
        .output()
        .unwrap();
    let another = token(&String::from_utf8(made.stdout).unwrap());
    let second = Guarded::start(folder.path(), http);
    assert!(!second.1.iter().any(|it| it.contains("token")), "{:?}", second.1);
    assert_eq!((status(http, Some(&admin)), status(http, Some(&another))), (200, 200));
    assert_eq!((status(http, None), status(http, Some("lwm2m_x"))), (401, 401));
}

#[test]
fn a_network_wants_tls_or_a_proxy() {
    let refused = Command::new(env!("CARGO_BIN_EXE_lwm2m-serverd"))
        .args(["--ephemeral", "--coap", "off", "--coaps", "off", "--http", "0.0.0.0:0"])
        .output()
        .unwrap();
    let says = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{says}");
    assert!(says.contains("--http-cert") && says.contains("--behind-proxy"), "{says}");
    assert_eq!(says.lines().count(), 1, "{says}");
}
