//! A device from the factory and a server that bootstraps it, as an operator sets them up by the API.

use lwm2m_serverd::{Running, Settings};
use serde_json::{Value as Json, json};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const NAME: &str = "factory-fresh";
const PATIENCE: Duration = Duration::from_secs(30);

fn start(runtime: &Runtime, folder: &Path) -> Running {
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let settings = Settings {
        coap: Some(lwm2m_app::Listen::Off),
        coaps: Some(any.into()),
        bootstrap_coaps: Some(any),
        http: Some(any),
        data: Some(folder.to_owned()),
        trust_loopback: true,
        ..Settings::default()
    };
    runtime.block_on(lwm2m_serverd::start(&settings)).unwrap()
}

fn ask(method: &str, running: &Running, path: &str, body: Option<&Json>) -> Json {
    let uri = format!("http://{}/api/{path}", running.http);
    let request = ureq::http::Request::builder().method(method).uri(&uri);
    let body = body.map(Json::to_string).unwrap_or_default();
    let request = request.header("Content-Type", "application/json").body(body).unwrap();
    let mut answer = ureq::run(request).unwrap_or_else(|error| panic!("{method} {path}: {error}"));
    let text = answer.body_mut().read_to_string().unwrap();
    serde_json::from_str(&text).unwrap_or_default()
}

fn psk(key: &str) -> Json {
    let details = json!({"identity": NAME, "key": key});
    json!({"endpoint": NAME, "tls": {"mode": "psk", "details": details}})
}

fn until(what: &str, is: impl Fn() -> bool) {
    let since = Instant::now();
    while !is() {
        assert!(since.elapsed() < PATIENCE, "{what}");
        std::thread::yield_now();
    }
}

/// The device has the key of the factory only. It gets the server and another key.
fn come_in(runtime: &Runtime, running: &Running, key: &str) {
    let bootstrap = running.bootstrap.as_ref().unwrap().local().unwrap().dtls.unwrap();
    let mut settings = lwm2m_clientd::Settings {
        bootstrap: Some(format!("coaps://{bootstrap}")),
        endpoint: Some(NAME.to_owned()),
        bind: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        ephemeral: true,
        ..Default::default()
    };
    settings.security.psk_identity = Some(NAME.to_owned());
    settings.security.psk_key = Some(key.to_owned().into());
    let device = runtime.block_on(lwm2m_clientd::start(&settings)).unwrap();
    until("registered", || running.server.directory().get(NAME).is_some());
    let attempts = || ask("GET", running, &format!("bootstrap/{NAME}/history"), None);
    until("the history has it", || attempts()[0]["state"] == "finished");
    // The operator has it come once more.
    let before = attempts().as_array().unwrap().len();
    ask("POST", running, &format!("clients/{NAME}/1/0/9"), None);
    until("bootstrapped again", || attempts()[before]["state"] == "finished");
    until("registered again", || running.server.directory().get(NAME).is_some());
    assert!(runtime.block_on(device.stop()));
}

#[test]
fn a_device_comes_in_by_the_bootstrap_server_also_after_a_restart() {
    let (runtime, folder) = (Runtime::new().unwrap(), TempDir::new().unwrap());
    let running = start(&runtime, folder.path());
    let server = running.server.local().dtls.unwrap();
    ask("PUT", &running, "bootstrap/security/clients", Some(&psk("00112233")));
    ask("PUT", &running, "security/clients", Some(&psk("445566778899")));
    let account = json!({
        "toDelete": ["/0", "/1"],
        "security": {"1": {
            "uri": format!("coaps://{server}"), "securityMode": "PSK", "serverId": 7,
            "publicKeyOrId": NAME.as_bytes(), "secretKey": "445566778899",
        }},
        "servers": {"0": {"shortId": 7, "lifetime": 300}},
    });
    ask("POST", &running, &format!("bootstrap/{NAME}"), Some(&account));
    come_in(&runtime, &running, "00112233");
    runtime.block_on(running.stop()).unwrap();

    // The address of the server has changed; all else is as it was.
    let running = start(&runtime, folder.path());
    let mut kept = ask("GET", &running, &format!("bootstrap/{NAME}?reveal"), None);
    assert_eq!(kept, account);
    let server = running.server.local().dtls.unwrap();
    kept["security"]["1"]["uri"] = format!("coaps://{server}").into();
    ask("POST", &running, &format!("bootstrap/{NAME}"), Some(&kept));
    come_in(&runtime, &running, "00112233");
    runtime.block_on(running.stop()).unwrap();
}

fn lwm2m(running: &Running, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lwm2m"));
    command.args(arguments).env("LWM2M_API", format!("http://{}", running.http));
    command.env_remove("LWM2M_TOKEN").output().unwrap()
}

#[test]
fn one_command_makes_a_device_that_comes_in_also_after_a_restart() {
    let (runtime, folder) = (Runtime::new().unwrap(), TempDir::new().unwrap());
    let (data, answers) = (folder.path().join("data"), folder.path().join("made.jsonl"));
    let running = start(&runtime, &data);
    let list = folder.path().join("devices");
    let lines = format!("{NAME}\n\n{{\"endpoint\": \"second\", \"lifetime\": 60}}\n{NAME}\n");
    std::fs::write(&list, lines).unwrap();
    let (list, file) = (list.to_str().unwrap(), answers.to_str().unwrap());
    let import = ["provision", "import", list, "--output", file, "--lifetime", "300"];
    let output = lwm2m(&running, &import);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains(":4: ") && told.contains("1 of 3 devices"), "{told}");
    assert_eq!(lwm2m(&running, &import).status.code(), Some(2), "keys are not overwritten");
    let made = std::fs::read_to_string(&answers).unwrap();
    let made: Vec<Json> = made.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let lifetime = |name: &str| {
        ask("GET", &running, &format!("bootstrap/{name}"), None)["servers"]["0"]["lifetime"].take()
    };
    assert_eq!((lifetime(NAME), lifetime("second")), (json!(300), json!(60)));
    let key = made[0]["bootstrap"]["key"].as_str().unwrap();
    come_in(&runtime, &running, key);
    let shown = lwm2m(&running, &["provision", "show", NAME]).stdout;
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains("finished") && shown.contains("psk"), "{shown}");
    let history = ask("GET", &running, &format!("bootstrap/{NAME}/history"), None);
    let steps = history[0]["steps"].as_array().unwrap().iter();
    let steps: Vec<_> = steps.map(|it| format!("{} {}", it["command"], it["path"])).collect();
    let expected = ["DISCOVER /0", "DELETE /0", "DELETE /1", "WRITE /0/1", "WRITE /1/0"];
    let plain: Vec<_> = steps.iter().map(|step| step.replace('"', "")).collect();
    assert_eq!(plain, expected);
    runtime.block_on(running.stop()).unwrap();

    // Its ports have changed, so the device is told another address; its keys stay.
    let running = start(&runtime, &data);
    let mut kept = ask("GET", &running, &format!("bootstrap/{NAME}?reveal"), None);
    let server = running.server.local().dtls.unwrap();
    kept["security"]["1"]["uri"] = format!("coaps://{server}").into();
    ask("POST", &running, &format!("bootstrap/{NAME}"), Some(&kept));
    come_in(&runtime, &running, key);
    assert!(lwm2m(&running, &["provision", "delete", NAME]).status.success());
    assert_eq!(lwm2m(&running, &["provision", "show", NAME]).status.code(), Some(1));
    assert_eq!(ask("GET", &running, "security/clients", None).as_array().map(Vec::len), Some(1));
    runtime.block_on(running.stop()).unwrap();
}
