//! Events to a real MQTT broker, read by its own client.

use crate::broker::{Program, free_port, installed};
use crate::outputs::{PATIENCE, daemon, table};
use crate::process::{Ports, ask};
use crate::webhooks::register;
use serde_json::Value as Json;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::Receiver;
use tempfile::TempDir;

/// Mosquitto with a folder of its own. What it has acknowledged survives a kill.
struct Mosquitto {
    program: PathBuf,
    folder: PathBuf,
    port: u16,
}

impl Mosquitto {
    fn new(program: PathBuf, folder: &Path, more: &str) -> Self {
        let folder = folder.join("mosquitto");
        std::fs::create_dir(&folder).unwrap();
        let port = free_port();
        let settings = format!(
            "user root\nlistener {port} 127.0.0.1\npersistence true\npersistence_location {}/\n\
             autosave_on_changes true\nautosave_interval 1\n{more}\n",
            folder.display()
        );
        std::fs::write(folder.join("settings"), settings).unwrap();
        Self { program, folder, port }
    }

    fn start(&self) -> Program {
        let mut command = Command::new(&self.program);
        Program::broker(command.arg("-c").arg(self.folder.join("settings")), self.port)
    }

    /// Prints topics and payloads; the broker keeps what it misses.
    fn subscriber(&self, program: &Path, more: &[&str]) -> Program {
        let (port, topic) = (self.port.to_string(), ["-t", "lwm2m/#"]);
        let mut command = Command::new(program);
        // It notices within five seconds that its broker was killed.
        command.args(["-h", "localhost", "-p", &port, "-k", "5"]);
        command.args(["-q", "1", "-c", "-i", "sub", "-v"]);
        Program::start(command.args(topic).args(more).stdout(Stdio::piped()))
    }
}

/// The next message that is not a repetition; its topic and the number of its event.
fn next(lines: &Receiver<String>, last: &mut Option<u64>) -> (String, u64) {
    loop {
        let line = lines.recv_timeout(PATIENCE).expect("a message");
        let (topic, body) = line.split_once(' ').expect("a topic and a payload");
        let event: Json = serde_json::from_str(body).expect("JSON");
        let number = event["id"].as_str().unwrap().parse().unwrap();
        assert_eq!(event["specversion"], "1.0");
        if Some(number) > *last {
            *last = Some(number);
            return (topic.to_owned(), number);
        }
    }
}

/// Waits until the broker knows the subscriber: messages before that are for nobody.
fn subscribed(mosquitto: &Mosquitto, publisher: &Path, lines: &Receiver<String>) {
    let port = mosquitto.port.to_string();
    loop {
        let mut command = Command::new(publisher);
        let arguments =
            ["-h", "localhost", "-p", &port, "-q", "1", "-t", "lwm2m/ready", "-m", "{}"];
        assert!(command.args(arguments).status().unwrap().success());
        if lines.recv_timeout(std::time::Duration::from_millis(200)).is_ok() {
            return while lines.try_recv().is_ok() {};
        }
    }
}

#[test]
fn each_event_reaches_a_broker_that_is_killed_in_the_middle() {
    let programs = installed(["mosquitto", "mosquitto_sub", "mosquitto_pub"]);
    let Some([broker, subscriber, publisher]) = programs else { return };
    let folder = TempDir::new().unwrap();
    let mosquitto = Mosquitto::new(broker, folder.path(), "allow_anonymous true");
    let running = mosquitto.start();
    let mut subscriber = mosquitto.subscriber(&subscriber, &[]);
    let lines = subscriber.lines();
    subscribed(&mosquitto, &publisher, &lines);
    let ports = Ports::free();
    let outputs = table("mqtt", &format!("mqtt://localhost:{}", mosquitto.port), "");
    let (daemon, coap) = daemon(folder.path(), ports, &outputs);
    let mut last = None;
    for device in 0..20 {
        register(coap, &format!("dev/{device}"));
    }
    for device in 0..20 {
        let (topic, number) = next(&lines, &mut last);
        assert_eq!((topic, number), (format!("lwm2m/dev%2F{device}/registration"), device));
    }
    // A power cut of the broker, with more events while it is away.
    drop(running);
    for device in 20..40 {
        register(coap, &format!("dev/{device}"));
    }
    let outputs = || ask(ports.http, "GET", "/api/outputs", "").1;
    let begun = std::time::Instant::now();
    while !outputs().contains("lastError\":{") {
        assert!(begun.elapsed() < PATIENCE, "{}", outputs());
    }
    let running = mosquitto.start();
    for device in 40..60 {
        register(coap, &format!("dev/{device}"));
    }
    for device in 20..60 {
        assert_eq!(next(&lines, &mut last).1, device);
    }
    drop((daemon, running));
}

#[test]
fn a_broker_wants_a_certificate_a_password_and_its_rights() {
    let programs = installed(["mosquitto", "mosquitto_sub", "mosquitto_passwd"]);
    let Some([broker, subscriber, passwd]) = programs else { return };
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    for (name, pem) in ["ca", "crt", "key"].iter().zip(certificates()) {
        std::fs::write(path(name), pem).unwrap();
    }
    std::fs::write(path("secret"), "me:word:with:colons\n").unwrap();
    // What it may not write is refused.
    std::fs::write(path("acl"), "user me\ntopic readwrite lwm2m/+/registration\n").unwrap();
    let made =
        Command::new(passwd).args(["-b", "-c", &path("passwd"), "me", "word:with:colons"]).status();
    assert!(made.unwrap().success());
    let mut more = String::new();
    for (name, file) in
        [("certfile", "crt"), ("keyfile", "key"), ("password_file", "passwd"), ("acl_file", "acl")]
    {
        let _ = writeln!(more, "{name} {}", path(file));
    }
    let mosquitto = Mosquitto::new(broker, folder.path(), &more);
    let _running = mosquitto.start();
    let arguments = ["--cafile", &path("ca"), "-u", "me", "-P", "word:with:colons"];
    let mut subscriber = mosquitto.subscriber(&subscriber, &arguments);
    let lines = subscriber.lines();
    let url = format!("mqtts://localhost:{}", mosquitto.port);
    let files = format!("ca = \"{}\"\nsecret = \"{}\"", path("ca"), path("secret"));
    let outputs = [
        table("good", &url, &files),
        table("stranger", &url, &format!("ca = \"{}\"", path("ca"))),
        table("trustless", &url, &format!("secret = \"{}\"", path("secret"))),
        table("forbidden", &url, &format!("{files}\ntopic = \"other/{{ep}}\"")),
    ];
    let ports = Ports::free();
    let (_daemon, coap) = daemon(folder.path(), ports, &outputs.concat());
    let mut last = None;
    // The first messages may be for nobody: the subscriber may be slower than the daemon.
    for device in 0.. {
        register(coap, &format!("d{device}"));
        last = lines.recv_timeout(std::time::Duration::from_millis(200)).ok();
        if last.is_some() || device == 300 {
            break;
        }
    }
    assert!(last.expect("a message").starts_with("lwm2m/d"));
    let outputs = || -> Vec<Json> {
        serde_json::from_str(&ask(ports.http, "GET", "/api/outputs", "").1).unwrap()
    };
    let begun = std::time::Instant::now();
    let why = |output: &Json| output["lastError"]["text"].as_str().unwrap_or_default().to_owned();
    while outputs()[1..].iter().any(|it| why(it).is_empty()) || outputs()[3]["dead"] == 0 {
        assert!(begun.elapsed() < PATIENCE, "{:?}", outputs());
    }
    let all = outputs();
    assert_eq!(why(&all[0]), "");
    assert!(why(&all[1]).contains("NotAuthorized"), "{}", why(&all[1]));
    assert!(why(&all[2]).contains("UnknownIssuer"), "{}", why(&all[2]));
    assert!(why(&all[3]).contains("refuses the event: NotAuthorized"), "{}", why(&all[3]));
    // Who is not let in waits; what is refused for good does not hold up the others.
    assert_eq!((&all[1]["dead"], &all[2]["dead"]), (&0.into(), &0.into()));
}

/// An authority, a certificate of it for localhost, and its key.
fn certificates() -> [String; 3] {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, "authority");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = params.self_signed(&key).unwrap();
    let issuer = rcgen::Issuer::new(params, key);
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    [authority.pem(), certificate.pem(), key.serialize_pem()]
}
