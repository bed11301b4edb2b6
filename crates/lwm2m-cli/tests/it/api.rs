//! The commands that use the HTTP API, on a server in this process.

use lwm2m_clientd::Device;
use lwm2m_serverd::Running;
use serde_json::Value as Json;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output};
use tokio::runtime::Runtime;

/// A server with access control, and a folder for the contexts of its user.
struct Place {
    runtime: Runtime,
    running: Option<Running>,
    token: String,
    http: SocketAddr,
    folder: PathBuf,
}

impl Place {
    fn new(name: &str) -> Self {
        let runtime = Runtime::new().unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let settings = lwm2m_serverd::Settings {
            coap: Some(any.into()),
            coaps: Some(any.into()),
            http: Some(any),
            ephemeral: true,
            ..Default::default()
        };
        let running = runtime.block_on(lwm2m_serverd::start(&settings)).unwrap();
        let words = running.first.iter().flat_map(|line| line.split_whitespace());
        let token = words.clone().find(|it| it.starts_with("lwm2m_")).unwrap().to_owned();
        let folder = std::env::temp_dir().join(format!("lwm2m-cli-{name}-{}", std::process::id()));
        let http = running.http;
        Self { runtime, running: Some(running), token, http, folder }
    }

    fn device(&self, endpoint: &str) -> Device {
        let server = &self.running.as_ref().unwrap().server;
        let coap = server.local().iter().next().unwrap().1;
        let settings = lwm2m_clientd::Settings {
            server: Some(format!("coap://{coap}")),
            endpoint: Some(endpoint.to_owned()),
            bind: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
            period: Some(1),
            ephemeral: true,
            ..Default::default()
        };
        let device = self.runtime.block_on(lwm2m_clientd::start(&settings)).unwrap();
        // The device registers by itself.
        let registered = || server.directory().get(endpoint).is_some();
        self.runtime.block_on(async {
            while !registered() {
                tokio::task::yield_now().await;
            }
        });
        device
    }

    /// Runs a command, with the token in the environment if `proof` is set.
    fn run(&self, arguments: &[&str], proof: bool) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lwm2m"));
        command.args(arguments).env("LWM2M_CONFIG_DIR", &self.folder).env_remove("LWM2M_TOKEN");
        // It would learn the token, so nothing in the clear goes there.
        for name in ["ALL_PROXY", "HTTP_PROXY", "http_proxy"] {
            command.env(name, "http://127.0.0.1:9");
        }
        if proof {
            command.env("LWM2M_TOKEN", &self.token);
        }
        command.env("LWM2M_API", format!("http://{}", self.http)).output().unwrap()
    }

    fn success(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments, true);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {error}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Json {
        let text = self.success(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"))
    }

    fn failure(&self, arguments: &[&str], proof: bool) -> String {
        let output = self.run(arguments, proof);
        assert!(!output.status.success(), "{arguments:?}");
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(error.lines().count(), 1, "{error}");
        error
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
        if let Some(running) = self.running.take() {
            let _ = self.runtime.block_on(running.stop());
        }
    }
}

#[test]
fn a_device_is_managed_from_the_command_line() {
    let place = Place::new("manage");
    let device = place.device("a/b c");
    let table = place.success(&["devices"]);
    assert!(table.contains("ENDPOINT") && table.contains("a/b c"), "{table}");
    assert_eq!(place.json(&["devices", "--prefix", "a"])["endpoint"], "a/b c");
    let lifetime = place.success(&["read", "a/b c", "/1/0/1"]);
    assert!(lifetime.contains("Lifetime") && lifetime.contains("300"), "{lifetime}");
    place.success(&["write", "a/b c", "/1/0/1", "600"]);
    assert_eq!(place.json(&["read", "a/b c", "1/0/1"])["content"]["value"], "600");
    let made = place.success(&["create", "a/b c", "/3303", "5700=21.5"]);
    let made = made.trim();
    assert!(made.starts_with("/3303/"), "{made}");
    place.success(&["write", "a/b c", "/1/0", "1=700", "--partial"]);
    let read = place.success(&["read", "a/b c", "/1/0"]);
    assert!(read.contains("700") && read.contains("/1/0/7"), "{read}");
    place.success(&["delete", "a/b c", made]);
    let refused = place.failure(&["read", "a/b c", made], true);
    assert!(refused.contains("NOT_FOUND"), "{refused}");
    let seen = place.success(&["observe", "a/b c", "/3303/0/5700", "--count", "1"]);
    assert!(seen.lines().last().unwrap().starts_with("/3303/0/5700  "), "{seen}");
    place.success(&["observe", "a/b c", "/3303/0/5700", "--stop"]);
    let unknown = place.failure(&["read", "nobody", "/3"], true);
    assert!(unknown.contains("nobody"), "{unknown}");
    place.runtime.block_on(device.stop());
}

#[test]
fn what_is_left_to_the_server_is_a_command_with_a_result() {
    let place = Place::new("commands");
    let device = place.device("a");
    let id = place.json(&["read", "a", "/3/0/0", "--later"])["id"].as_str().unwrap().to_owned();
    let ended = place.json(&["commands", &id, "--wait"]);
    assert_eq!(ended["state"], "done");
    let list = place.success(&["commands"]);
    assert!(list.contains("CONTENT") && list.contains("/3/0/0"), "{list}");
    place.success(&["commands", &id, "--remove"]);
    assert!(place.failure(&["commands", &id], true).contains(&id));
    place.runtime.block_on(device.stop());
}

#[test]
fn keys_are_made_set_and_removed() {
    let place = Place::new("creds");
    let made = place.json(&["creds", "set", "a", "--generate-psk"]);
    assert_eq!(made["identity"], "a");
    assert_eq!(made["key"].as_str().unwrap().len(), 32);
    let list = place.success(&["creds"]);
    assert!(list.contains("psk") && !list.contains(made["key"].as_str().unwrap()), "{list}");
    let shown = place.json(&["creds", "get", "a", "--reveal"]);
    assert_eq!(shown["tls"]["details"]["key"], made["key"]);
    place.success(&["creds", "delete", "a"]);
    assert!(place.failure(&["creds", "get", "a"], true).contains("no credentials"));
}

#[test]
fn a_log_in_is_kept_for_its_owner_alone() {
    let place = Place::new("login");
    let refused = place.failure(&["devices"], false);
    assert!(refused.contains("lwm2m login"), "{refused}");
    let mut unknown = place.token.clone();
    unknown.replace_range(10..11, if &unknown[10..11] == "A" { "B" } else { "A" });
    assert!(!place.run(&["login", "--token", &unknown], false).status.success());
    place.success(&["login", "--name", "here"]);
    assert!(place.run(&["devices"], false).status.success());
    let file = place.folder.join("contexts.json");
    assert!(std::fs::read_to_string(&file).unwrap().contains(&place.token));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(place.json(&["context"])["current"], true);
    place.success(&["context", "here", "--remove"]);
    assert!(place.failure(&["devices"], false).contains("token"));
}

#[test]
fn a_server_that_is_not_there_is_told_with_the_remedy() {
    let place = Place::new("gone");
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = place.failure(&["devices", "--server", &format!("http://{nobody}")], true);
    assert!(error.contains("--server") && error.contains(&nobody.to_string()), "{error}");
}

#[test]
fn definitions_are_listed_and_shown() {
    let place = Place::new("models");
    let list = place.success(&["models"]);
    assert!(list.contains("3303"), "{list}");
    let shown = place.success(&["models", "get", "3303"]);
    assert!(shown.contains("Sensor Value") && shown.contains("5700"), "{shown}");
}

#[test]
fn messages_and_quirks_are_listed() {
    let place = Place::new("capture");
    let _device = place.device("a");
    place.success(&["read", "a", "/3/0/9"]);
    let log = place.success(&["capture", "a"]);
    assert!(log.contains("<-  0.02 Register /rd"), "{log}");
    assert!(log.contains("->  0.01 Read /3/0/9"), "{log}");
    assert!(log.contains("<-  2.05 Read /3/0/9  /3/0/9 Battery Level="), "{log}");
    let last = place.json(&["capture", "a", "--limit", "1", "--raw"]);
    assert!(last["raw"].is_string(), "{last}");
    std::fs::create_dir_all(&place.folder).unwrap();
    let file = place.folder.join("a.pcapng");
    std::fs::write(&file, "of before, which others may read").unwrap();
    place.success(&["capture", "a", "--output", file.to_str().unwrap()]);
    assert!(std::fs::read(&file).unwrap().starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]));
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "it has keys");
    assert!(place.success(&["quirks", "a"]).starts_with("KIND"));
    assert!(place.failure(&["capture", "b"], true).contains("`b`"));
}

#[test]
fn shells_complete_the_commands() {
    let script = crate::success(&["completions", "bash"], b"");
    assert!(script.contains("observe") && script.contains("--allow-http"), "no completions");
}

/// The URI of a server for a scheme.
fn uri(place: &Place, scheme: &str) -> String {
    let server = &place.running.as_ref().unwrap().server;
    let address = server.local().iter().find(|(it, _)| it.name() == scheme).unwrap().1;
    format!("{scheme}://{address}")
}

#[test]
fn the_doctor_says_which_step_fails_and_what_to_do() {
    let place = Place::new("doctor");
    let plain = place.success(&["doctor", &uri(&place, "coap")]);
    assert!(plain.contains("deregistration  ok") && plain.ends_with("gets in\n"), "{plain}");
    let key =
        place.json(&["creds", "set", "a", "--generate-psk"])["key"].as_str().unwrap().to_owned();
    let coaps = uri(&place, "coaps");
    let doctor = ["doctor", &coaps, "--endpoint", "a", "--psk-identity", "a", "--psk-key"];
    let secured = place.success(&[&doctor[..], &[&key]].concat());
    assert!(secured.contains("handshake       ok"), "{secured}");
    let unknown = ["doctor", &coaps, "--endpoint", "a", "--psk-identity", "c", "--psk-key", &key];
    let unknown = place.failure(&unknown, true);
    assert!(unknown.contains("the handshake fails"), "{unknown}");
    let why = place.success(&["why", "c"]);
    assert!(
        why.starts_with("refused: ") && why.contains("no key is stored for the identity"),
        "{why}"
    );
    let rejected = place.success(&["rejected"]);
    assert!(rejected.contains("pre-shared key"), "{rejected}");
    assert_eq!(place.json(&["rejected", "--limit", "1"])["name"], "c");
    let other = ["doctor", &coaps, "--endpoint", "b", "--psk-identity", "a", "--psk-key", &key];
    let other = place.failure(&other, true);
    assert!(other.contains("the registration fails") && other.contains("`b`"), "{other}");
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = format!("coap://{}", nobody.local_addr().unwrap());
    let silent = place.failure(&["doctor", &silent, "--timeout", "1"], true);
    assert!(silent.contains("no answer within 1 s") && silent.contains("firewall"), "{silent}");
    let name = place.failure(&["doctor", "coap://no-such-host.invalid"], true);
    assert!(name.contains("the address fails") && name.contains("DNS"), "{name}");
}
