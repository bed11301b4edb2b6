//! Outputs of the settings file: what goes where, and receivers that do everything wrong.

use crate::process::{Daemon, Ports, ask};
use crate::webhooks::register;
use serde_json::Value as Json;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tempfile::TempDir;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A daemon with outputs, and the address for its devices.
pub(crate) fn daemon(folder: &Path, ports: Ports, outputs: &str) -> (Daemon, SocketAddr) {
    let coap = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
    let settings = folder.join("settings.toml");
    std::fs::write(&settings, outputs).unwrap();
    let arguments = ["--coap", &coap.to_string(), "--config", settings.to_str().unwrap()];
    (Daemon::start_with(&folder.join("data"), ports, &arguments), coap)
}

/// An `[[outputs]]` table.
pub(crate) fn table(name: &str, url: &str, more: &str) -> String {
    format!("[[outputs]]\nname = \"{name}\"\nurl = \"{url}\"\n{more}\n")
}

/// Reads the head of a request and its body.
fn read(stream: &TcpStream) -> Option<Json> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|bytes| *bytes > 0)?;
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}

/// A receiver that handles each connection by `handle`; returns its address and what that returned.
fn receiver<T: Send + 'static>(
    mut handle: impl FnMut(TcpStream) -> T + Send + 'static,
) -> (String, Receiver<T>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (sender, seen) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            // The test may be over.
            let _ = sender.send(handle(stream));
        }
    });
    (url, seen)
}

/// Answers each request, on a connection of its own; the subjects of the events.
fn inbox() -> (String, Receiver<String>) {
    receiver(|mut stream| {
        let event = read(&stream).unwrap();
        let answer = "HTTP/1.1 204 Yes\r\nConnection: close\r\n\r\n";
        stream.write_all(answer.as_bytes()).unwrap();
        event["subject"].as_str().unwrap_or_default().to_owned()
    })
}

#[test]
fn an_output_gets_the_events_that_it_wants() {
    let folder = TempDir::new().unwrap();
    let ((all, told_all), (some, told_some), (ended, told_ended)) = (inbox(), inbox(), inbox());
    let file = folder.path().join("events.jsonl");
    let outputs = [
        table("all", &all, ""),
        table("some", &some, "prefix = \"b-\""),
        table("ended", &ended, "kinds = [\"DEREGISTRATION\"]"),
        table("file", &format!("file://{}", file.display()), "prefix = \"a-\""),
    ];
    let ports = Ports::free();
    let (_daemon, coap) = daemon(folder.path(), ports, &outputs.concat());
    for endpoint in ["a-1", "b-1", "a-2", "b-2"] {
        register(coap, endpoint);
    }
    let next = |told: &Receiver<String>| told.recv_timeout(PATIENCE).unwrap();
    let four: Vec<_> = (0..4).map(|_| next(&told_all)).collect();
    assert_eq!(four, ["a-1", "b-1", "a-2", "b-2"]);
    assert_eq!([next(&told_some), next(&told_some)], ["b-1", "b-2"]);
    assert_eq!(ask(ports.http, "DELETE", "/api/clients/b-2", "").0, 204);
    assert_eq!([next(&told_ended), next(&told_all), next(&told_some)], ["b-2", "b-2", "b-2"]);
    let metrics = ask(ports.http, "GET", "/metrics", "").1;
    assert!(metrics.contains("lwm2m_output_dead{output=\"all\"} 0"), "{metrics}");
    // The last event was for others, and the file's cursor is past it as soon as it is seen.
    let behind = || {
        let outputs: Json =
            serde_json::from_str(&ask(ports.http, "GET", "/api/outputs", "").1).unwrap();
        outputs[3]["behind"].as_u64().unwrap()
    };
    while behind() > 0 {}
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().map(|it| &it["ep"]).collect::<Vec<_>>(), ["a-1", "a-2"]);
}

#[test]
fn receivers_that_do_everything_wrong_hold_up_nobody() {
    let folder = TempDir::new().unwrap();
    let mut held = Vec::new();
    let (silent, silences) = receiver(move |stream| held.push(stream));
    let (closing, closed) = receiver(|mut stream| {
        let event = read(&stream);
        let _ = stream.write_all(b"HTTP/1.1 2");
        event.unwrap()["id"].clone()
    });
    let (elsewhere, led_astray) = receiver(|_| ());
    let (leading, led) = receiver(move |mut stream| {
        let event = read(&stream);
        let answer =
            format!("HTTP/1.1 307 There\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\n\r\n");
        let _ = stream.write_all(answer.as_bytes());
        event.unwrap()["id"].clone()
    });
    let (talking, talked) = receiver(|mut stream| {
        let event = read(&stream);
        let _ = stream.write_all(b"HTTP/1.1 200 Yes\r\nContent-Length: 1073741824\r\n\r\n");
        let block = [b'x'; 65_536];
        let blocks = (0..16_384).take_while(|_| stream.write_all(&block).is_ok()).count();
        (event.unwrap()["id"].clone(), blocks)
    });
    let (good, told) = inbox();
    let names = ["silent", "closing", "leading", "talking", "good"];
    let urls = [&silent, &closing, &leading, &talking, &good];
    let outputs: Vec<_> = names.iter().zip(urls).map(|(name, url)| table(name, url, "")).collect();
    let ports = Ports::free();
    let (_daemon, coap) = daemon(folder.path(), ports, &outputs.concat());
    register(coap, "a");
    register(coap, "b");
    for subject in ["a", "b"] {
        assert_eq!(told.recv_timeout(PATIENCE).unwrap(), subject);
    }
    // What was answered is taken, and no more than the buffers of the sockets is read.
    let [first, second] = [(); 2].map(|()| talked.recv_timeout(PATIENCE).unwrap());
    assert!(first.0 != second.0 && first.1 < 1_024, "{first:?} {second:?}");
    // The others are asked again for the same event, and none is left out.
    for asked in [closed, led] {
        let [first, second] = [(); 2].map(|()| asked.recv_timeout(PATIENCE).unwrap());
        assert_eq!(first, second);
    }
    assert!(led_astray.try_recv().is_err(), "a redirection was followed");
    for _ in 0..2 {
        silences.recv_timeout(PATIENCE).unwrap();
    }
    let outputs: Json =
        serde_json::from_str(&ask(ports.http, "GET", "/api/outputs", "").1).unwrap();
    for output in &outputs.as_array().unwrap()[..3] {
        assert!(output["lastError"]["text"].is_string(), "{output}");
        assert_eq!((&output["dead"], &output["delivered"]), (&0.into(), &0.into()), "{output}");
    }
}
