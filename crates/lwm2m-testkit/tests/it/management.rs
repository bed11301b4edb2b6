//! A server manages a device over its HTTP API: our server with Leshan's device, Leshan's server
//! with our device, and ours with ours. Each test is the same in all directions; Leshan with itself
//! shows that the tests ask for nothing but what LwM2M implementations do. Leshan's device also comes
//! over TCP.

use lwm2m_testkit::peer::{Answer, Device, Events, Http, Kind, Server};
use serde_json::{Value, json};

/// A device that has registered with a server.
struct Managed {
    server: Server,
    device: Device,
    events: Events,
    registration: Value,
    binding: &'static str,
}

impl Managed {
    /// `None` if a peer is not installed.
    fn start(server: Kind, device: Kind) -> Option<Self> {
        if !server.is_available() || !device.is_available() {
            return None;
        }
        let server = Server::start(server).unwrap();
        let coap = server.coap;
        let start = || Device::start(device, coap, "device-1", 300).unwrap();
        Some(Self::registered(server, "U", start))
    }

    /// Our server with Leshan's device over TCP.
    fn over_tcp() -> Option<Self> {
        if !Kind::Leshan.is_available() {
            return None;
        }
        let mut server = Server::start_ours_with(&["--coap-tcp", "127.0.0.1:0"]).unwrap();
        let uri = format!("coap+tcp://{}", server.listens_for("coap+tcp").unwrap());
        let start = || Device::start_leshan_at(&uri, "device-1", 300, &[]).unwrap();
        Some(Self::registered(server, "T", start))
    }

    fn registered(server: Server, binding: &'static str, start: impl FnOnce() -> Device) -> Self {
        let mut events = server.http.events().unwrap();
        let mut device = start();
        let registration =
            events.wait_for("REGISTRATION", |it| it["endpoint"] == "device-1").unwrap();
        device.wait_until_registered().unwrap();
        Self { server, device, events, registration, binding }
    }

    fn http(&self) -> Http {
        self.server.http
    }

    fn target(&self, rest: &str) -> String {
        format!("/api/clients/{}{rest}", self.device.endpoint)
    }

    fn send(&self, method: &str, rest: &str) -> Value {
        device_answer(self.http().send(method, &self.target(rest)).unwrap())
    }

    fn put_json(&self, rest: &str, body: &Value) -> Value {
        let target = self.target(rest);
        let answer = self.http().send_body("PUT", &target, "application/json", &body.to_string());
        device_answer(answer.unwrap())
    }

    fn put_text(&self, rest: &str, body: &str) -> Value {
        let answer = self.http().send_body("PUT", &self.target(rest), "text/plain", body);
        device_answer(answer.unwrap())
    }

    fn post_json(&self, rest: &str, body: &Value) -> Value {
        let target = self.target(rest);
        let answer = self.http().send_body("POST", &target, "application/json", &body.to_string());
        device_answer(answer.unwrap())
    }

    /// The value of a path in a canonical order.
    fn content(&self, rest: &str) -> Value {
        let answer = self.send("GET", rest);
        assert_eq!(answer["status"], "CONTENT(205)", "GET {rest}: {answer}");
        sorted(answer["content"].clone())
    }

    /// The attributes that a Discover of `path` tells of `link`.
    fn discovered(&self, path: &str, link: &str) -> Option<Value> {
        let answer = self.send("GET", &format!("{path}/discover"));
        assert_eq!(answer["status"], "CONTENT(205)", "Discover {path}: {answer}");
        let links = answer["objectLinks"].as_array().cloned().unwrap_or_default();
        links.into_iter().find(|it| it["url"] == link).map(|it| it["attributes"].clone())
    }

    fn update_trigger(&self) {
        assert_eq!(self.send("POST", "/1/0/8")["status"], "CHANGED(204)");
    }
}

/// The device answered: HTTP returns 200 whatever the device's code is.
fn device_answer(answer: Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

/// Instances and resources come in any order.
fn sorted(mut node: Value) -> Value {
    for children in ["instances", "resources"] {
        if let Some(list) = node.get_mut(children).and_then(Value::as_array_mut) {
            let mut nodes: Vec<Value> = list.drain(..).map(sorted).collect();
            nodes.sort_by_key(|it| it["id"].as_u64());
            *list = nodes;
        }
    }
    node
}

/// Removes the current time, which changes between two reads.
fn without_current_time(mut instance: Value) -> Value {
    if let Some(resources) = instance.get_mut("resources").and_then(Value::as_array_mut) {
        resources.retain(|it| it["id"] != 13);
    }
    instance
}

fn string(id: u16, value: &str) -> Value {
    json!({"id": id, "kind": "singleResource", "type": "STRING", "value": value})
}

fn registration_is_listed(managed: &mut Managed) {
    let registration = &managed.registration;
    assert_eq!(registration["lifetime"], 300);
    assert_eq!(registration["lwM2mVersion"], "1.1");
    assert_eq!(registration["bindingMode"], managed.binding);
    let links = registration["objectLinks"].as_array().unwrap();
    for wanted in ["/1/0", "/3/0"] {
        assert!(links.iter().any(|it| it["url"] == wanted), "no {wanted} in {registration}");
    }
    let listed = managed.http().send("GET", "/api/clients").unwrap();
    assert_eq!(listed.status, 200);
    let listed = listed.json();
    assert_eq!(listed[0]["registrationId"], registration["registrationId"]);
    assert_eq!(listed.as_array().map(Vec::len), Some(1), "{listed}");
    let one = managed.send("GET", "");
    assert_eq!(one["registrationId"], registration["registrationId"]);
}

fn device_deregisters(managed: &mut Managed) {
    managed.device.stop().unwrap();
    managed.events.wait_for("DEREGISTRATION", |it| it["endpoint"] == "device-1").unwrap();
    let answer = managed.http().send("GET", &managed.target("")).unwrap();
    // Leshan: 400.
    assert!(matches!(answer.status, 404 | 400), "{answer:?}");
    assert_eq!(managed.http().send("GET", "/api/clients").unwrap().json(), json!([]));
}

fn reads_resource_in_every_format(managed: &mut Managed) {
    let manufacturer = managed.content("/3/0/0");
    assert_eq!(manufacturer["kind"], "singleResource");
    assert_eq!(manufacturer["type"], "STRING");
    assert!(manufacturer["value"].as_str().is_some_and(|it| !it.is_empty()));
    for format in ["TLV", "SENML_JSON", "SENML_CBOR", "TEXT", "CBOR"] {
        let content = managed.content(&format!("/3/0/0?format={format}"));
        assert_eq!(content, manufacturer, "{format}");
    }
}

fn reads_instance_in_every_format(managed: &mut Managed) {
    let reference = without_current_time(managed.content("/3/0?format=TLV"));
    assert_eq!(reference["kind"], "instance");
    assert!(reference["resources"].as_array().is_some_and(|it| it.len() >= 5), "{reference}");
    for format in ["SENML_JSON", "SENML_CBOR"] {
        let content = without_current_time(managed.content(&format!("/3/0?format={format}")));
        assert_eq!(content, reference, "{format}");
    }
}

fn reads_object_and_resource_instances(managed: &mut Managed) {
    let object = managed.content("/3");
    assert_eq!(object["kind"], "obj");
    let resources = object["instances"][0]["resources"].as_array().unwrap();
    let multiple = resources.iter().find(|it| it["kind"] == "multiResource").unwrap();
    let id = &multiple["id"];
    assert_eq!(managed.content(&format!("/3/0/{id}")), *multiple);
    let (instance, value) = multiple["values"].as_object().unwrap().iter().next().unwrap();
    let one = managed.content(&format!("/3/0/{id}/{instance}"));
    assert_eq!(one["kind"], "resourceInstance");
    assert_eq!(one["value"], *value);
}

fn says_what_is_not_there(managed: &mut Managed) {
    for path in ["/3/0/99", "/3/7", "/4242/0"] {
        let answer = managed.send("GET", path);
        assert_eq!(answer["status"], "NOT_FOUND(404)", "{path}: {answer}");
        assert_eq!(answer["failure"], true);
    }
}

fn writes_in_every_format(managed: &mut Managed) {
    for (format, offset) in [
        ("TLV", "+01"),
        ("SENML_JSON", "+02"),
        ("SENML_CBOR", "+03"),
        ("TEXT", "+04"),
        ("CBOR", "+11"),
    ] {
        let answer = managed.put_json(&format!("/3/0/14?format={format}"), &string(14, offset));
        assert_eq!(answer["status"], "CHANGED(204)", "{format}: {answer}");
        assert_eq!(managed.content("/3/0/14")["value"], offset, "{format}");
    }
    let answer = managed.put_text("/3/0/14", "+05:30");
    assert_eq!(answer["status"], "CHANGED(204)", "{answer}");
    assert_eq!(managed.content("/3/0/14")["value"], "+05:30");
}

fn updates_an_instance(managed: &mut Managed) {
    let before = managed.content("/3/0/0");
    let body = json!({"id": 0, "kind": "instance", "resources": [string(14, "-03")]});
    let answer = managed.put_json("/3/0?replace=false", &body);
    assert_eq!(answer["status"], "CHANGED(204)", "{answer}");
    assert_eq!(managed.content("/3/0/14")["value"], "-03");
    assert_eq!(managed.content("/3/0/0"), before, "a partial update leaves the others");
}

fn refuses_what_is_not_allowed(managed: &mut Managed) {
    let before = managed.content("/3/0/0");
    let json = "application/json";
    let body = string(0, "x").to_string();
    let write = managed.http().send_body("PUT", &managed.target("/3/0/0"), json, &body);
    let execute = managed.http().send("POST", &managed.target("/3/0/0"));
    let read = managed.http().send("GET", &managed.target("/3/0/4"));
    let delete = managed.http().send("DELETE", &managed.target("/3/0"));
    for answer in [write, execute, read, delete] {
        let answer = answer.unwrap();
        // A server may refuse without asking the device.
        let refused = answer.json()["status"] == "METHOD_NOT_ALLOWED(405)" || answer.status == 400;
        assert!(refused, "{answer:?}");
    }
    assert_eq!(managed.content("/3/0/0"), before);
}

fn answers_many_at_once(managed: &mut Managed) {
    let (http, target) = (managed.http(), managed.target("/3/0/14"));
    let asker = |_| {
        let target = target.clone();
        std::thread::spawn(move || http.send("GET", &target).unwrap())
    };
    let askers: Vec<_> = (0..16).map(asker).collect();
    for asker in askers {
        assert_eq!(device_answer(asker.join().unwrap())["status"], "CONTENT(205)");
    }
}

fn moves_long_values_in_blocks(managed: &mut Managed) {
    let long: String = ('a'..='z').cycle().take(3_000).collect();
    for format in ["TLV", "SENML_CBOR", "TEXT"] {
        let text = format!("{format} {long}");
        let answer = managed.put_json(&format!("/3/0/15?format={format}"), &string(15, &text));
        assert_eq!(answer["status"], "CHANGED(204)", "{format}: {answer}");
        assert_eq!(managed.content(&format!("/3/0/15?format={format}"))["value"], text, "{format}");
    }
}

fn lifetime_written_makes_an_update(managed: &mut Managed) {
    let body = json!({"id": 1, "kind": "singleResource", "type": "INTEGER", "value": "261"});
    let answer = managed.put_json("/1/0/1", &body);
    assert_eq!(answer["status"], "CHANGED(204)", "{answer}");
    managed.events.wait_for("UPDATED", |it| it["registration"]["lifetime"] == 261).unwrap();
    assert_eq!(managed.content("/1/0/1")["value"], "261");
    assert_eq!(managed.send("GET", "")["lifetime"], 261);
}

fn update_trigger_makes_an_update(managed: &mut Managed) {
    managed.update_trigger();
    let id = &managed.registration["registrationId"];
    managed.events.wait_for("UPDATED", |it| it["registration"]["registrationId"] == *id).unwrap();
}

fn discovers_and_writes_attributes(managed: &mut Managed) {
    for (path, link) in
        [("/3", "/3/0"), ("/3", "/3/0/0"), ("/3/0", "/3/0/14"), ("/3/0/14", "/3/0/14")]
    {
        assert!(managed.discovered(path, link).is_some(), "no {link} in Discover {path}");
    }
    let answer = managed.send("PUT", "/3/0/14/attributes?pmin=1&pmax=50");
    assert_eq!(answer["status"], "CHANGED(204)", "{answer}");
    for path in ["/3/0/14", "/3/0"] {
        let attributes = managed.discovered(path, "/3/0/14").unwrap();
        assert_eq!(attributes, json!({"pmin": "1", "pmax": "50"}), "Discover {path}");
    }
}

fn observes_a_resource(managed: &mut Managed) {
    managed.put_json("/3/0/14", &string(14, "+00"));
    let answer = managed.send("POST", "/3/0/14/observe");
    assert_eq!(answer["status"], "CONTENT(205)", "{answer}");
    assert_eq!(answer["content"]["value"], "+00");
    for offset in ["+06", "+07"] {
        managed.put_json("/3/0/14", &string(14, offset));
        let event =
            managed.events.wait_for("NOTIFICATION", |it| it["val"]["value"] == offset).unwrap();
        assert_eq!(event["ep"], "device-1");
        assert_eq!(event["kind"], "single");
        assert_eq!(event["res"], "/3/0/14");
        assert_eq!(sorted(event["val"].clone()), managed.content("/3/0/14"));
    }
}

fn cancelled_observation_is_silent(managed: &mut Managed) {
    assert_eq!(managed.send("POST", "/3/0/14/observe")["status"], "CONTENT(205)");
    managed.put_json("/3/0/14", &string(14, "+08"));
    managed.events.wait_for("NOTIFICATION", |it| it["val"]["value"] == "+08").unwrap();
    let answer = managed.http().send("DELETE", &managed.target("/3/0/14/observe")).unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    managed.events.skipped();
    managed.put_json("/3/0/14", &string(14, "+09"));
    // What the device sends after the write arrives before the Update that follows it.
    managed.update_trigger();
    managed.events.wait_for("UPDATED", |_| true).unwrap();
    assert!(!managed.events.skipped().contains(&"NOTIFICATION".to_owned()));
}

fn observes_an_instance(managed: &mut Managed) {
    let answer = managed.send("POST", "/3/0/observe");
    assert_eq!(answer["content"]["kind"], "instance", "{answer}");
    managed.put_json("/3/0/14", &string(14, "+10"));
    let has_offset = |it: &Value| {
        let resources = it["val"]["resources"].as_array();
        resources.is_some_and(|it| it.iter().any(|it| it["id"] == 14 && it["value"] == "+10"))
    };
    let event = managed.events.wait_for("NOTIFICATION", has_offset).unwrap();
    assert_eq!(event["res"], "/3/0");
}

fn creates_and_deletes_instances(managed: &mut Managed) {
    let links = managed.registration["objectLinks"].to_string();
    assert!(links.contains("/3303"), "the tests need an object that can be created: {links}");
    let room = json!({"id": 5, "kind": "instance", "resources": [string(5750, "cellar")]});
    let answer = managed.post_json("/3303", &room);
    assert_eq!(answer["status"], "CREATED(201)", "{answer}");
    let listed = |it: &Value, wanted: bool| it.to_string().contains("\"/3303/5\"") == wanted;
    managed
        .events
        .wait_for("UPDATED", |it| listed(&it["registration"]["objectLinks"], true))
        .unwrap();
    assert_eq!(managed.content("/3303/5/5750")["value"], "cellar");
    let again = managed.post_json("/3303", &room);
    assert_eq!(again["status"], "BAD_REQUEST(400)", "the id is taken: {again}");

    let anywhere = json!({"kind": "instance", "resources": [string(5750, "attic")]});
    let answer = managed.post_json("/3303", &anywhere);
    assert_eq!(answer["status"], "CREATED(201)", "{answer}");
    let location = answer["location"].as_str().unwrap().trim_start_matches('/').to_owned();
    assert_eq!(managed.content(&format!("/{location}/5750"))["value"], "attic");

    assert_eq!(managed.send("DELETE", "/3303/5")["status"], "DELETED(202)");
    managed
        .events
        .wait_for("UPDATED", |it| listed(&it["registration"]["objectLinks"], false))
        .unwrap();
    assert_eq!(managed.send("GET", "/3303/5")["status"], "NOT_FOUND(404)");
}

const SEVERAL: &str = "/composite?paths=/3/0/14,/1/0/1,/3/0/99";

fn reads_several_in_every_format(managed: &mut Managed) {
    let offset = managed.content("/3/0/14");
    let lifetime = managed.content("/1/0/1");
    for path_format in ["SENML_JSON", "SENML_CBOR"] {
        for format in ["SENML_JSON", "SENML_CBOR"] {
            let rest = format!("{SEVERAL}&pathformat={path_format}&nodeformat={format}");
            let content = managed.content(&rest);
            assert_eq!(content["/3/0/14"], offset, "{path_format} {format}");
            assert_eq!(content["/1/0/1"], lifetime, "{path_format} {format}");
            assert_eq!(content["/3/0/99"], Value::Null, "it is not there");
        }
    }
}

fn writes_several_or_none(managed: &mut Managed) {
    let lifetime =
        |value: &str| json!({"id": 1, "kind": "singleResource", "type": "INTEGER", "value": value});
    for (format, offset, seconds) in [("SENML_JSON", "+02", "262"), ("SENML_CBOR", "+03", "263")] {
        let body = json!({"/3/0/14": string(14, offset), "/1/0/1": lifetime(seconds)});
        let answer = managed.put_json(&format!("/composite?nodeformat={format}"), &body);
        assert_eq!(answer["status"], "CHANGED(204)", "{format}: {answer}");
        assert_eq!(managed.content("/3/0/14")["value"], offset, "{format}");
        assert_eq!(managed.content("/1/0/1")["value"], seconds, "{format}");
    }
}

fn observes_several(managed: &mut Managed) {
    managed.put_json("/3/0/14", &string(14, "+00"));
    let list = "/composite/observe?paths=/3/0/14,/3/0/15\
                &pathformat=SENML_CBOR&nodeformat=SENML_CBOR";
    let answer = managed.send("POST", list);
    assert_eq!(answer["content"]["/3/0/14"]["value"], "+00", "{answer}");
    managed.put_json("/3/0/14", &string(14, "+06"));
    let moved = |it: &Value| it["val"]["/3/0/14"]["value"] == "+06";
    let event = managed.events.wait_for("NOTIFICATION", moved).unwrap();
    assert_eq!(event["kind"], "composite");
    assert_eq!(event["paths"], json!(["/3/0/14", "/3/0/15"]));
    assert_eq!(event["val"]["/3/0/15"], managed.content("/3/0/15"), "all of them are told");
    assert_eq!(managed.http().send("DELETE", &managed.target(list)).unwrap().status, 200);
    managed.events.skipped();
    managed.put_json("/3/0/14", &string(14, "+09"));
    managed.update_trigger();
    managed.events.wait_for("UPDATED", |_| true).unwrap();
    assert!(!managed.events.skipped().contains(&"NOTIFICATION".to_owned()));
}

macro_rules! directions {
    ($($direction:ident: $start:expr, $($test:ident)*;)*) => {$(
        fn $direction() -> Option<Managed> {
            $start
        }

        mod $direction {
            $(#[test]
            fn $test() {
                if let Some(mut managed) = super::$direction() {
                    super::$test(&mut managed);
                }
            })*
        }
    )*};
}

macro_rules! all_tests {
    ($($direction:ident: $start:expr;)*) => {directions! {$(
        $direction: $start,
            registration_is_listed
            device_deregisters
            reads_resource_in_every_format
            reads_instance_in_every_format
            reads_object_and_resource_instances
            says_what_is_not_there
            writes_in_every_format
            updates_an_instance
            refuses_what_is_not_allowed
            answers_many_at_once
            moves_long_values_in_blocks
            lifetime_written_makes_an_update
            update_trigger_makes_an_update
            discovers_and_writes_attributes
            observes_a_resource
            cancelled_observation_is_silent
            observes_an_instance
            reads_several_in_every_format
            writes_several_or_none
            observes_several
            creates_and_deletes_instances;
    )*}};
}

all_tests! {
    leshan_device_on_our_server: Managed::start(Kind::Ours, Kind::Leshan);
    leshan_device_on_our_server_over_tcp: Managed::over_tcp();
    our_device_on_leshan_server: Managed::start(Kind::Leshan, Kind::Ours);
    our_device_on_our_server: Managed::start(Kind::Ours, Kind::Ours);
    leshan_device_on_leshan_server: Managed::start(Kind::Leshan, Kind::Leshan);
}
