//! `lwm2m coap serve` and `lwm2m load`

use crate::{failure, lwm2m, success};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A server that ends with its test.
struct Server {
    child: Child,
    udp: String,
    tcp: String,
}

impl Server {
    fn start(more: &[&str]) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lwm2m"));
        command.args(["coap", "serve", "--coap", "127.0.0.1:0", "--coap-tcp", "127.0.0.1:0"]);
        let mut child = command.args(more).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut address =
            |before| lines.next().unwrap().unwrap().strip_prefix(before).unwrap().to_owned();
        let udp = format!("coap://{}", address("coap on "));
        let tcp = format!("coap+tcp://{}", address("coap+tcp on "));
        Self { child, udp, tcp }
    }

    /// The code and the text of an answer over UDP; it is the same over TCP.
    fn ask(&self, method: &str, target: &str, more: &[&str]) -> (String, String) {
        let [udp, tcp] = [&self.udp, &self.tcp].map(|server| {
            let uri = format!("{server}{target}");
            let output = lwm2m(&[&["coap", method, &uri, "--json"], more].concat(), b"");
            let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
            let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
            (text("code"), text("text"))
        });
        assert_eq!(udp, tcp, "{method} {target}");
        udp
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended on its own.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn resources_of_the_plugtests_answer_as_they_should() {
    let server = Server::start(&[]);
    for (method, target, more, code, text) in [
        ("get", "/test", &[][..], "2.05", "test"),
        ("put", "/test", &["new"], "2.04", ""),
        ("get", "/test", &[], "2.05", "new"),
        ("post", "/test", &["x"], "2.01", ""),
        ("delete", "/test", &[], "2.02", ""),
        ("get", "/seg1/seg2/seg3", &[], "2.05", "seg3"),
        ("get", "/query?a=1&b=2", &[], "2.05", "a=1&b=2"),
        ("get", "/separate", &[], "2.05", "step 0"),
        ("get", "/multi-format", &["-a", "0"], "2.05", "multi"),
        ("fetch", "/query", &["what"], "2.05", "what"),
        ("fetch", "/test", &["what"], "4.05", ""),
        ("ipatch", "/validate", &["newer"], "2.04", ""),
        ("get", "/validate", &[], "2.05", "newer"),
        ("ipatch", "/validate", &["x", "-c", "60"], "4.15", ""),
        ("ipatch", "/nothing", &["x"], "4.04", ""),
        ("get", "/multi-format", &["-a", "41"], "2.05", "<text>multi</text>"),
        ("get", "/multi-format", &["-a", "60"], "4.06", ""),
        ("post", "/large-post", &["back"], "2.04", "back"),
        ("post", "/location-query", &["x"], "2.01", ""),
        ("get", "/create1", &[], "4.04", ""),
        ("get", "/nothing", &[], "4.04", ""),
        ("put", "/nothing", &["x"], "4.05", ""),
        ("put", "/large", &["x"], "4.05", ""),
        ("fetch", "/test", &[], "4.05", ""),
    ] {
        let answer = server.ask(method, target, more);
        assert_eq!(answer, (code.to_owned(), text.to_owned()), "{method} {target} {more:?}");
    }
    assert_eq!(server.ask("get", "/large", &[]).1.len(), 1_700);
}

#[test]
fn what_is_created_can_be_read_and_is_bounded() {
    let server = Server::start(&[]);
    let create = format!("{}/large-create", server.udp);
    let answer = success(&["coap", "post", &create, "made", "--json"], b"");
    assert!(answer.contains("\"value\":\"large-create\"") && answer.contains("\"value\":\"1\""));
    assert_eq!(server.ask("get", "/large-create/1", &[]), ("2.05".into(), "made".into()));
    for _ in 0..255 {
        success(&["coap", "post", &create, "made"], b"");
    }
    assert!(failure(&["coap", "post", &create, "made"], 1).contains("5.03"));
    success(&["coap", "delete", &format!("{create}/1")], b"");
    assert_eq!(server.ask("get", "/large-create/1", &[]).0, "4.04");
    success(&["coap", "post", &create, "made"], b"");
}

#[test]
fn links_are_filtered() {
    let server = Server::start(&[]);
    let links = |filter: &str| {
        let (code, text) = server.ask("get", &format!("/.well-known/core{filter}"), &[]);
        assert_eq!(code, "2.05");
        text.split(',').filter_map(|link| Some(link.split_once('>')?.0.to_owned())).collect()
    };
    let all: Vec<String> = links("");
    assert!(all.len() > 20 && !all.contains(&"</create1".to_owned()), "{all:?}");
    assert_eq!(links("?rt=Type1"), ["</link1", "</link3"]);
    assert_eq!(links("?href=/path/*"), ["</path/sub1", "</path/sub2", "</path/sub3"]);
    assert_eq!(links("?ct=40"), ["</path"]);
    assert_eq!(links("?if=If*"), ["</link1", "</link2"]);
    assert_eq!(links("?sz=1700"), ["</large", "</large-update", "</obs-large"]);
    assert_eq!(links("?rt=none"), [""; 0]);
}

#[test]
fn observation_tells_what_was_written() {
    let server = Server::start(&[]);
    let uri = format!("{}/obs-large", server.tcp);
    let mut command = Command::new(env!("CARGO_BIN_EXE_lwm2m"));
    command.args(["coap", "observe", &uri, "--count", "1"]).stdout(Stdio::piped());
    let mut observer = command.spawn().unwrap();
    let mut lines = BufReader::new(observer.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("This is line"));
    success(&["coap", "put", &format!("{}/obs-large", server.udp), "written"], b"");
    assert!(lines.any(|line| line.unwrap() == "written"));
    assert!(observer.wait().unwrap().success());
}

#[test]
fn observation_ends_with_its_resource_or_its_format() {
    for (change, error) in [(&["delete"][..], "4.04"), (&["put", "<x/>", "-c", "41"], "4.06")] {
        let server = Server::start(&[]);
        let uri = format!("{}/obs", server.tcp);
        let mut command = Command::new(env!("CARGO_BIN_EXE_lwm2m"));
        command.args(["coap", "observe", &uri]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut observer = command.spawn().unwrap();
        let mut lines = BufReader::new(observer.stdout.take().unwrap()).lines();
        assert!(lines.next().unwrap().unwrap().starts_with("step "));
        let (method, more) = change.split_first().unwrap();
        success(&[&["coap", method, &format!("{}/obs", server.udp)], more].concat(), b"");
        let ended = observer.wait_with_output().unwrap();
        let said = String::from_utf8(ended.stderr).unwrap();
        assert!(!ended.status.success() && said.contains(error), "{change:?}: {said}");
    }
}

#[test]
fn no_other_port_is_opened_than_those_asked_for() {
    let folder = std::env::temp_dir().join(format!("lwm2m-ports-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let prefix = folder.join("device");
    success(&["keys", "psk", "--identity", "urn:device", prefix.to_str().unwrap()], b"");
    let file = folder.join("device.psk");
    let mut server = Command::new(env!("CARGO_BIN_EXE_lwm2m"));
    server.args(["coap", "serve", "--coaps", "127.0.0.1:0", "--psk-file", file.to_str().unwrap()]);
    let mut child = server.stdout(Stdio::piped()).spawn().unwrap();
    let first = BufReader::new(child.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(first.starts_with("coaps on "), "{first}");
}

/// A pipe and a file get the bytes of the payload and nothing else.
#[test]
fn a_payload_goes_to_a_pipe_or_a_file_as_it_is() {
    let server = Server::start(&[]);
    let create = format!("{}/large-create", server.udp);
    for (number, hex, bytes) in [(1, "00ff1b0a", &b"\x00\xff\x1b\n"[..]), (2, "6162", b"ab")] {
        success(&["coap", "post", &create, "--input", "hex", hex], b"");
        let uri = format!("{create}/{number}");
        assert_eq!(lwm2m(&["coap", "get", &uri], b"").stdout, bytes);
        let file = std::env::temp_dir().join(format!("lwm2m-payload-{}", std::process::id()));
        success(&["coap", "get", &uri, "--output", file.to_str().unwrap()], b"");
        assert_eq!(std::fs::read(&file).unwrap(), bytes);
        std::fs::remove_file(file).unwrap();
    }
}

#[test]
fn load_goes_through_sessions() {
    let folder = std::env::temp_dir().join(format!("lwm2m-load-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let prefix = folder.join("device");
    success(&["keys", "psk", "--identity", "urn:device", prefix.to_str().unwrap()], b"");
    let file = folder.join("device.psk");
    let keys = ["--psk-file", file.to_str().unwrap()];
    let mut server = Command::new(env!("CARGO_BIN_EXE_lwm2m"));
    server.args(["coap", "serve", "--coap", "127.0.0.1:0", "--coaps", "127.0.0.1:0"]);
    let mut child = server.args(keys).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines.map(|line| line.unwrap()).find_map(|line| {
        line.strip_prefix("coaps on ").map(|address| format!("coaps://{address}/test"))
    });
    let mut arguments = vec!["load", address.as_deref().unwrap(), "--requests", "1000"];
    assert!(failure(&arguments, 2).contains("needs keys"));
    arguments.extend(keys);
    let table = success(&arguments, b"");
    child.kill().unwrap();
    child.wait().unwrap();
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(table.contains("seconds of handshakes"), "{table}");
}

#[test]
fn load_counts_what_shards_answer() {
    let server = Server::start(&["--shards", "2"]);
    let (uri, pid) = (format!("{}/test", server.udp), server.child.id().to_string());
    let report = success(&["load", &uri, "--requests", "5000", "--pid", &pid, "--json"], b"");
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["succeeded"], &report["failed"]), (&5_000.into(), &0.into()));
    let table = success(&["load", &uri, "--requests", "100", "--put", "x"], b"");
    assert!(table.contains("requests/s") && table.contains("p99"), "{table}");
    let nothing = format!("{}/nothing", server.udp);
    let refused = failure(&["load", &nothing, "--requests", "100"], 1);
    assert!(refused.contains("refused every request"), "{refused}");
    assert!(
        failure(&["load", &uri, "--requests", "40000", "--sockets", "1"], 2).contains("2 sockets")
    );
}
