//! Events to a real NATS server, read by its own protocol.

use crate::broker::{Program, free_port, installed};
use crate::outputs::{PATIENCE, daemon, table};
use crate::process::{Ports, ask};
use crate::webhooks::register;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value as Json, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::time::Instant;
use tempfile::TempDir;

/// Asks JetStream for something.
fn stream(port: u16, what: &str, body: &Json) -> Json {
    let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    let body = body.to_string();
    let log_in = "CONNECT {\"verbose\":false,\"user\":\"me\",\"pass\":\"word\"}";
    let length = body.len();
    write!(
        connection,
        "{log_in}\r\nSUB answer 1\r\nPUB $JS.API.{what} answer {length}\r\n{body}\r\n"
    )
    .unwrap();
    let mut reader = BufReader::new(connection);
    loop {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).unwrap() > 0, "the connection ended");
        assert!(!line.starts_with("-ERR"), "{line}");
        if line.starts_with("MSG ") {
            let length = line.trim_end().rsplit(' ').next().unwrap().parse().unwrap();
            let mut payload = vec![0; length];
            reader.read_exact(&mut payload).unwrap();
            return serde_json::from_slice(&payload).unwrap();
        }
    }
}

#[test]
fn each_event_is_in_a_stream_of_a_server_that_is_killed_in_the_middle() {
    let Some([program]) = installed(["nats-server"]) else { return };
    let folder = TempDir::new().unwrap();
    let port = free_port();
    let start = || {
        let mut command = Command::new(&program);
        command.args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "--user", "me"]);
        command.args(["--pass", "word", "-sd"]).arg(folder.path().join("nats"));
        Program::broker(&mut command, port)
    };
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "me:word\n").unwrap();
    let url = format!("nats://127.0.0.1:{port}");
    let file = format!("secret = \"{}\"", secret.display());
    let outputs = [
        table("nats", &url, &file),
        table("stranger", &url, ""),
        table("nobody", &url, &format!("{file}\ntopic = \"nobody.has.it\"")),
    ];
    let running = start();
    let ports = Ports::free();
    let (_daemon, coap) = daemon(folder.path(), ports, &outputs.concat());
    let output = |which: usize| -> Json {
        let (_, outputs) = ask(ports.http, "GET", "/api/outputs", "");
        serde_json::from_str::<Json>(&outputs).unwrap()[which].clone()
    };
    let why = |which| output(which)["lastError"]["text"].as_str().unwrap_or_default().to_owned();
    let wait = |what: &str, is_so: &dyn Fn() -> bool| {
        let begun = Instant::now();
        while !is_so() {
            assert!(
                begun.elapsed() < PATIENCE,
                "{what}: {} {} {}",
                output(0),
                output(1),
                output(2)
            );
        }
    };
    register(coap, "dev.0");
    // Nothing is lost while there is no stream.
    wait("a hint", &|| why(0).contains("no stream of the server has the subject lwm2m.dev%2E0."));
    wait("a refusal", &|| why(1).to_lowercase().contains("auth"));
    let made = stream(port, "STREAM.CREATE.E", &json!({"name": "E", "subjects": ["lwm2m.>"]}));
    assert!(made["error"].is_null(), "{made}");
    for device in 1..20 {
        register(coap, &format!("dev.{device}"));
    }
    wait("events", &|| output(0)["delivered"] == 20);
    drop(running);
    for device in 20..40 {
        register(coap, &format!("dev.{device}"));
    }
    let failed = output(0)["failed"].as_u64().unwrap();
    wait("a failure", &|| output(0)["failed"].as_u64().unwrap() > failed);
    let _running = start();
    for device in 40..60 {
        register(coap, &format!("dev.{device}"));
    }
    wait("all events", &|| output(0)["behind"] == 0);
    // An event may be there twice, but none is missing, and their first copies are in order.
    let (mut next, mut place) = (0, 0);
    while next < 60 {
        place += 1;
        let found = stream(port, "STREAM.MSG.GET.E", &json!({"seq": place}));
        let message = &found["message"];
        let data = BASE64_STANDARD.decode(message["data"].as_str().expect("a message")).unwrap();
        let event: Json = serde_json::from_slice(&data).unwrap();
        let number: u64 = event["id"].as_str().unwrap().parse().unwrap();
        assert!(number <= next, "event {next} is missing: {event}");
        if number == next {
            assert_eq!(message["subject"], format!("lwm2m.dev%2E{next}.registration"));
            next += 1;
        }
    }
    // The others wait.
    for which in [1, 2] {
        assert_eq!((&output(which)["delivered"], &output(which)["dead"]), (&0.into(), &0.into()));
    }
}
