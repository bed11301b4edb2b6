//! Bootstrap: a client and a raw bootstrap server, number 0; servers that it names are 1 and 2.

use crate::world::{
    LINK, TEXT, TLV, World, address, attributes, config, delete, device, get, objects, post, put,
};
use bytes::Bytes;
use lwm2m_client::{
    BootstrapAccount, BootstrapError, Config, Event, Instances, RegistrationState, ServerAccount,
};
use lwm2m_coap::{Code, Request, Response};
use lwm2m_codec::encode;
use lwm2m_core::{ContentFormat, Node, Object, ObjectInstance, Path, Version};

const BS: usize = 0;

fn account() -> BootstrapAccount {
    BootstrapAccount::new(address(BS))
}

/// A client that knows a bootstrap server alone.
fn bare(account: BootstrapAccount) -> World {
    World::new(Config::new("test").bootstrap(account), objects())
}

/// One whose bootstrap server may send commands.
fn open() -> World {
    let mut world = bare(account());
    world.start();
    assert_eq!(world.heard_by(BS), ["0 POST /bs ep=test"]);
    world
}

/// A client that is registered with server 1 and knows the bootstrap server as well.
fn registered() -> World {
    let server = ServerAccount::new(1, address(1));
    let config = Config::new("test").server(server).bootstrap(account());
    let mut world = World::new(config, objects());
    world.start();
    assert_eq!(world.heard_by(1).len(), 1);
    world
}

fn security(uri: &str, bootstrap: bool) -> ObjectInstance {
    let keys = 3..=5_u16;
    let values = ObjectInstance::default().with(0, uri).with(1, bootstrap).with(2, 3_i64);
    keys.fold(values, |values, key| values.with(key, Bytes::new()))
}

fn security_of(server: usize, ssid: i64) -> ObjectInstance {
    security(&format!("coap://{}", address(server)), false).with(10, ssid)
}

fn settings(ssid: i64) -> ObjectInstance {
    ObjectInstance::default().with(0, ssid).with(1, 300_i64).with(6, true).with(7, "U")
}

fn write_as(format: ContentFormat, path: &str, node: &Node) -> Request {
    let payload = encode(format, &path.parse().unwrap(), node).unwrap();
    put(path).content_format(format.0).payload(payload)
}

fn write(path: &str, values: ObjectInstance) -> Request {
    write_as(ContentFormat::TLV, path, &Node::ObjectInstance(values))
}

fn write_object(path: &str, instances: impl IntoIterator<Item = (u16, ObjectInstance)>) -> Request {
    let instances = instances.into_iter().collect();
    write_as(ContentFormat::TLV, path, &Node::Object(Object { instances }))
}

fn code(world: &mut World, request: Request) -> String {
    world.ask_as(BS, request).code.to_string()
}

fn accepted(world: &mut World, requests: impl IntoIterator<Item = Request>) {
    for request in requests {
        let said = format!("{request:?}");
        assert_eq!(code(world, request), "2.04", "{said}");
    }
}

fn discover(world: &mut World, path: &str) -> String {
    let response = world.ask_as(BS, get(path).accept(LINK));
    assert_eq!(response.code, Code::CONTENT, "{path}");
    String::from_utf8(response.payload.to_vec()).unwrap()
}

fn failures(world: &World) -> Vec<BootstrapError> {
    let reason = |event: &Event| match event {
        Event::BootstrapFailed { reason, .. } => Some(*reason),
        _ => None,
    };
    world.events.iter().filter_map(reason).collect()
}

/// Writes the account of server 1 and ends the bootstrap.
fn provision(world: &mut World) {
    accepted(world, [write("/0/1", security_of(1, 1)), write("/1/0", settings(1)), post("/bs")]);
}

// proves: BOOT-01
#[test]
fn a_client_without_servers_asks_for_commands_and_waits() {
    let mut world = open();
    world.run(100.0);
    assert!(world.heard_by(BS).is_empty() && world.events.is_empty());
    for format in [110, 112, 11_542, 11_544] {
        let mut world = bare(BootstrapAccount { format: Some(ContentFormat(format)), ..account() });
        world.start();
        assert!(world.servers[BS].heard[0].1.payload.is_empty());
        assert!(world.servers[BS].heard[0].1.confirmable);
        assert_eq!(world.heard_by(BS), [format!("0 POST /bs ep=test&pct={format}")]);
    }
    let old = BootstrapAccount { format: Some(ContentFormat::SENML_CBOR), ..account() };
    let config = Config::new("test").bootstrap(old).version(Version::V1_0);
    let mut world = World::new(config, objects());
    world.start();
    assert_eq!(world.heard_by(BS), ["0 POST /bs ep=test"]);
}

// proves: BOOT-05
#[test]
fn what_is_written_is_there_whatever_was_before() {
    let mut world = open();
    for _ in 0..2 {
        accepted(
            &mut world,
            [
                write_object("/0", [(1, security_of(1, 1)), (2, security_of(2, 2))]),
                write_object("/1", [(0, settings(1)), (1, settings(2))]),
                // Read-only for servers, and bootstrap-only.
                put("/1/0/0").content_format(TEXT).payload("1"),
                put("/0/1/10").content_format(TEXT).payload("1"),
                put("/1/0/1").content_format(TEXT).payload("600"),
            ],
        );
        let links = "</>;lwm2m=1.1,</1/0>;ssid=1,</1/1>;ssid=2";
        assert_eq!(discover(&mut world, "/1"), links);
    }
    let lifetime = world.ask_as(BS, get("/1/0").accept(ContentFormat::SENML_JSON.0)).payload;
    assert!(String::from_utf8_lossy(&lifetime).contains("600"));
    accepted(&mut world, [post("/bs")]);
    assert!(world.heard_by(1)[0].contains("lt=600"));
}

// proves: BOOT-06
#[test]
fn unknown_resources_are_ignored_and_optional_ones_not_made_up() {
    let mut world = open();
    let known = settings(1).with(2, 5_i64).with(3, 9_i64);
    accepted(&mut world, [write("/1/0", known), write("/1/0", settings(1).with(99, 1_i64))]);
    let response = world.ask_as(BS, get("/1/0").accept(TLV));
    let node = lwm2m_codec::decode(
        ContentFormat::TLV,
        &Path::instance(1, 0),
        &response.payload,
        &lwm2m_core::model::NoModel,
    );
    let Ok(Node::ObjectInstance(values)) = node else { panic!("values") };
    assert_eq!(values.resources.keys().copied().collect::<Vec<_>>(), [0, 1, 6, 7]);
}

// proves: BOOT-07
#[test]
fn what_cannot_be_understood_changes_nothing() {
    let mut world = open();
    accepted(&mut world, [write("/1/0", settings(1))]);
    let before = (discover(&mut world, "/"), world.ask_as(BS, get("/1").accept(TLV)).payload);
    let whole = write("/1/1", settings(2));
    let cut = Request { payload: whole.payload.slice(..whole.payload.len() - 1), ..whole };
    let both = [(0, settings(2)), (1, settings(3).with(1, "no number"))];
    // The object itself refuses the second instance: this client has UDP alone.
    let refused = [(0, settings(2)), (1, settings(3).with(7, "T"))];
    for (request, expected) in [
        (cut, "4.00"),
        (write("/1/1", settings(2).with(6, "no truth")), "4.00"),
        (write_object("/1", both), "4.00"),
        (write_object("/1", refused), "4.00"),
        (write("/3/1", ObjectInstance::default().with(14, "+01")), "4.00"),
        (put("/1").content_format(9999).payload("1"), "4.15"),
        (put("/1/0/1").payload("1"), "4.00"),
        (write("/999/0", settings(1)), "4.00"),
    ] {
        assert_eq!(code(&mut world, request), expected);
    }
    let after = (discover(&mut world, "/"), world.ask_as(BS, get("/1").accept(TLV)).payload);
    assert_eq!(before, after);
}

// proves: BOOT-09
#[test]
fn discover_begins_with_the_version() {
    let mut world = open();
    let all = discover(&mut world, "/");
    assert!(all.starts_with("</>;lwm2m=1.1,</0/0>,</1>"), "{all}");
    assert!(all.contains(",</3/0>,") && all.contains(",</6>,"), "{all}");
    assert_eq!(discover(&mut world, "/3"), "</>;lwm2m=1.1,</3/0>");
    assert_eq!(code(&mut world, get("/999").accept(LINK)), "4.04");
}

#[test]
fn discover_tells_accounts_but_not_that_of_the_bootstrap_server() {
    let mut world = open();
    accepted(&mut world, [write("/0/1", security_of(1, 1)), write("/1/0", settings(1))]);
    let links = "</>;lwm2m=1.1,</0/0>,</0/1>;ssid=1;uri=\"coap://192.0.2.2:5683\"";
    assert_eq!(discover(&mut world, "/0"), links);
    assert_eq!(discover(&mut world, "/1"), "</>;lwm2m=1.1,</1/0>;ssid=1");
}

// proves: BOOT-11
#[test]
fn the_bootstrap_server_reads_servers_and_access_rights_alone() {
    let rights = Instances::new(2).instance(0, |it| {
        it.with(0, 3_i64).with(1, 0_i64).with_multiple(2, [(1, 1_i64)]).with(3, 1_i64)
    });
    let config = Config::new("test").bootstrap(account());
    let mut world = World::new(config, vec![Box::new(device()), Box::new(rights)]);
    world.start();
    accepted(&mut world, [write("/1/0", settings(1))]);
    for (path, expected) in [
        ("/1", "2.05"),
        ("/1/0", "2.05"),
        ("/2", "2.05"),
        ("/2/0", "2.05"),
        ("/0", "4.01"),
        ("/0/0", "4.01"),
        ("/3", "4.01"),
        ("/3/0", "4.01"),
        ("/1/0/1", "4.01"),
        ("/1/7", "4.04"),
    ] {
        let request = get(path).accept(ContentFormat::SENML_CBOR.0);
        assert_eq!(code(&mut world, request), expected, "{path}");
    }
    assert_eq!(code(&mut world, get("/1").accept(9999)), "4.06");
}

// proves: BOOT-08
#[test]
fn deleting_spares_the_account_of_the_bootstrap_server_and_the_device() {
    let mut world = open();
    accepted(&mut world, [write("/0/1", security_of(1, 1)), write("/1/0", settings(1))]);
    assert_eq!(code(&mut world, delete("/0")), "2.02");
    assert_eq!(code(&mut world, delete("/1")), "2.02");
    assert_eq!(discover(&mut world, "/0"), "</>;lwm2m=1.1,</0/0>");
    assert_eq!(discover(&mut world, "/1"), "</>;lwm2m=1.1,</1>");
    accepted(&mut world, [write("/0/1", security_of(1, 1)), write("/1/0", settings(1))]);
    assert_eq!(code(&mut world, delete("/")), "2.02");
    let left = discover(&mut world, "/");
    let instances: Vec<_> = left.split(',').filter(|link| link.matches('/').count() > 1).collect();
    assert_eq!(instances, ["</0/0>", "</3/0>"]);
    for path in ["/0/0", "/3/0"] {
        assert_eq!(code(&mut world, delete(path)), "4.00");
    }
    provision(&mut world);
}

// proves: BOOT-13
#[test]
fn incomplete_accounts_are_refused_and_can_be_repaired() {
    let mut world = open();
    accepted(&mut world, [put("/1/0/5").content_format(TEXT).payload("60")]);
    assert_eq!(code(&mut world, post("/bs")), "4.06");
    accepted(&mut world, [write("/0/1", security_of(1, 1))]);
    assert_eq!(code(&mut world, post("/bs")), "4.06");
    let without_binding = ObjectInstance::default().with(0, 1_i64).with(1, 300_i64).with(6, true);
    accepted(&mut world, [write("/1/0", without_binding)]);
    assert_eq!(code(&mut world, post("/bs")), "4.06");
    provision(&mut world);
    assert_eq!(world.client.registration_state(1), Some(RegistrationState::Registered));
    assert!(world.events.contains(&Event::Bootstrapped));
    assert!(
        world.heard_by(1)[0]
            .ends_with(" </1/0>,</3/0>,</6>,</16/0>,</16/1>,</3302/0>,</3303/0>,</3442/0>")
    );
}

// proves: BOOT-26
#[test]
fn short_server_ids_are_checked_and_pair_accounts() {
    for ssid in [0, 65_535] {
        let mut world = open();
        assert_eq!(code(&mut world, write("/0/1", security_of(1, ssid))), "4.00", "{ssid}");
        assert_eq!(code(&mut world, write("/1/0", settings(ssid))), "4.00", "{ssid}");
        assert_eq!(code(&mut world, post("/bs")), "4.06");
    }
    let mut world = open();
    let unnamed = security(&format!("coap://{}", address(1)), false);
    accepted(&mut world, [write("/0/1", unnamed), write("/1/0", settings(1))]);
    assert_eq!(code(&mut world, post("/bs")), "4.06");
    for ssid in [1, 65_534] {
        let mut world = open();
        let other = i64::from(ssid == 1) + 1;
        accepted(
            &mut world,
            [
                write("/0/1", security_of(1, ssid)),
                write_object("/1", [(0, settings(other)), (1, settings(ssid))]),
            ],
        );
        accepted(&mut world, [post("/bs")]);
        let server = u16::try_from(ssid).unwrap();
        let state = world.client.registration_state(server);
        assert_eq!(state, Some(RegistrationState::Registered));
    }
}

// proves: BOOT-14
#[test]
fn a_bootstrap_without_an_end_has_failed() {
    let mut world = open();
    let elsewhere = security("coap://192.0.2.3:5683", true);
    accepted(&mut world, [write("/0/0", elsewhere), write("/1/0", settings(1))]);
    world.run(246.0);
    assert!(failures(&world).is_empty());
    world.run(2.0);
    assert_eq!(failures(&world), [BootstrapError::Unfinished]);
    assert!(world.heard_by(2).is_empty());
    world.run(60.0);
    assert_eq!(world.heard_by(BS), ["307 POST /bs ep=test"]);
    // What the second attempt leaves alone is the account from before the first.
    provision(&mut world);
    assert_eq!(world.ask_as(1, post("/1/0/9")).code, Code::CHANGED);
    assert_eq!((world.heard_by(BS).len(), world.heard_by(2).len()), (1, 0));
}

// proves: BOOT-15
#[test]
fn two_bootstrap_servers_are_one_too_many() {
    let elsewhere = || security("coap://192.0.2.3:5683", true);
    let accounts = || [write("/0/1", security_of(1, 1)), write("/1/0", settings(1))];
    let mut world = open();
    accepted(&mut world, accounts());
    accepted(&mut world, [write("/0/2", elsewhere())]);
    assert_eq!(code(&mut world, post("/bs")), "4.06");
    world.run(400.0);
    assert_eq!(world.heard_by(BS).len(), 1, "the old account is used");
    assert!(world.heard_by(2).is_empty());
    assert!(!discover(&mut world, "/0").contains("</0/2>"));

    let mut world = open();
    accepted(&mut world, accounts());
    accepted(&mut world, [write("/0/0", elsewhere()), post("/bs")]);
    world.run(1.0);
    assert_eq!(world.ask_as(1, post("/1/0/9")).code, Code::CHANGED);
    assert_eq!((world.heard_by(BS).len(), world.heard_by(2).len()), (0, 1));
}

// proves: BOOT-16
#[test]
fn a_server_whose_account_is_deleted_hears_no_more() {
    let mut world = bare(account());
    world.start();
    accepted(
        &mut world,
        [
            write_object("/0", [(1, security_of(1, 1)), (2, security_of(2, 2))]),
            write_object("/1", [(0, settings(1)), (1, settings(2))]),
            post("/bs"),
        ],
    );
    for server in [1, 2] {
        assert_eq!(world.ask_as(server, get("/3303/0/5700").observe(0)).code, Code::CONTENT);
        world.servers[server].heard.clear();
    }
    assert_eq!(world.ask_as(1, post("/1/0/9")).code, Code::CHANGED);
    assert_eq!(code(&mut world, delete("/0/2")), "2.02");
    assert_eq!(code(&mut world, delete("/1/1")), "2.02");
    accepted(&mut world, [post("/bs")]);
    world.set("/3303/0/5700", 30.0);
    world.run(600.0);
    assert_eq!(world.servers[1].notified.len(), 1);
    let updates = world.heard_by(1);
    assert!(!updates.is_empty() && updates.iter().all(|line| line.contains("POST /rd/5a3f")));
    assert!(world.servers[2].notified.is_empty() && world.heard_by(2).is_empty());
    assert_eq!(world.client.registration_state(2), None);
}

// proves: BOOT-17
#[test]
fn servers_are_tried_before_the_bootstrap_server() {
    let server = ServerAccount::new(1, address(1));
    let mut world = World::new(Config::new("test").server(server).bootstrap(account()), objects());
    world.servers[1].reachable = false;
    world.start();
    world.run(900.0);
    assert!(world.heard_by(BS).is_empty());
    for _ in 0..90 {
        world.run(10.0);
        if !world.servers[BS].heard.is_empty() {
            break;
        }
    }
    assert_eq!(world.heard_by(BS).len(), 1);
    accepted(
        &mut world,
        [write("/0/1", security_of(2, 1)), write("/1/0", settings(1)), post("/bs")],
    );
    assert_eq!(world.heard_by(2).len(), 1);
    assert_eq!(world.client.registration_state(1), Some(RegistrationState::Registered));
}

// proves: BOOT-18
#[test]
fn the_hold_off_time_delays_the_request() {
    let mut world = bare(BootstrapAccount { hold_off: 10, ..account() });
    world.start();
    world.run(9.9);
    assert!(world.heard_by(BS).is_empty());
    world.run(0.2);
    assert_eq!(world.heard_by(BS), ["10 POST /bs ep=test"]);
}

// proves: BOOT-19
#[test]
fn the_account_of_the_bootstrap_server_may_end() {
    for (timeout, ends) in [(60, true), (0, false)] {
        let mut world = bare(BootstrapAccount { account_timeout: timeout, ..account() });
        world.start();
        provision(&mut world);
        world.heard_by(BS);
        world.run(if ends { 61.0 } else { 86_400.0 });
        assert_eq!(world.ask_as(1, post("/1/0/9")).code, Code::CHANGED);
        assert_eq!(world.heard_by(BS).is_empty(), ends, "timeout {timeout}");
    }
}

// proves: BOOT-20
#[test]
fn a_server_can_ask_for_a_bootstrap() {
    let mut world = registered();
    assert_eq!(world.ask_as(1, post("/1/0/9")).code, Code::CHANGED);
    assert_eq!(world.heard_by(BS), ["0 POST /bs ep=test"]);
    accepted(&mut world, [write("/0/1", security_of(2, 2)), write("/1/0", settings(2))]);
    accepted(&mut world, [post("/bs")]);
    assert!(world.heard_by(2)[0].starts_with("0 POST /rd ep=test&lt=300"));
    // Without a bootstrap server there is no such resource.
    let mut world = World::registered(config());
    assert_eq!(world.code(post("/1/0/9")), "4.04");
}

// proves: BOOT-22
#[test]
fn commands_of_others_and_at_other_times_are_refused() {
    let mut world = registered();
    let before = world.discover_as(1, "/1");
    let commands = || {
        [
            delete("/"),
            write_object("/0", [(1, security_of(2, 2))]),
            write_object("/1", [(0, settings(2))]),
            post("/bs"),
        ]
    };
    for request in commands() {
        let code = world.ask_as(1, request.clone()).code;
        assert!(matches!(code, Code::UNAUTHORIZED | Code::METHOD_NOT_ALLOWED), "{request:?}");
    }
    // Outside of a bootstrap its server is a stranger, who gets no answer.
    for request in commands() {
        let id = world.send(BS, request);
        assert_eq!(world.answer(BS, id), None);
    }
    assert_eq!(world.discover_as(1, "/1"), before);
    assert_eq!(world.client.registration_state(1), Some(RegistrationState::Registered));
    assert!(world.heard_by(1).is_empty() && world.heard_by(2).is_empty());
}

#[test]
fn a_refused_request_is_made_again_later() {
    let mut world = bare(account());
    world.servers[BS].answers.push_back(Response::new(Code::BAD_REQUEST));
    world.start();
    assert_eq!(failures(&world), [BootstrapError::Refused(Code::BAD_REQUEST)]);
    world.heard_by(BS);
    world.run(61.0);
    assert_eq!(world.heard_by(BS), ["60 POST /bs ep=test"]);
    provision(&mut world);
}

fn pack(instances: &[(&str, ObjectInstance)]) -> Response {
    let mut tree = Node::Root(std::collections::BTreeMap::new());
    for (path, values) in instances {
        let path: Path = path.parse().unwrap();
        let node = Node::ObjectInstance(values.clone());
        for (leaf, value) in node.leaves(&path) {
            assert!(tree.insert(&Path::ROOT, &leaf, value.clone()));
        }
    }
    let format = ContentFormat::LWM2M_CBOR;
    let payload = encode(format, &Path::ROOT, &tree).unwrap();
    Response::new(Code::CONTENT).content_format(format.0).payload(payload)
}

fn packing() -> World {
    let format = Some(ContentFormat::LWM2M_CBOR);
    let account = BootstrapAccount { pack: true, format, ..account() };
    let config = Config::new("test").bootstrap(account).version(Version::V1_2);
    World::new(config, objects())
}

// proves: BOOT-25
#[test]
fn a_pack_takes_the_place_of_the_objects_in_it() {
    let mut world = packing();
    let first = [
        ("/0/1", security_of(1, 1)),
        ("/1/5", settings(1)),
        ("/16/4", ObjectInstance::default().with_multiple(0, [(0, "new")])),
    ];
    world.servers[BS].answers.push_back(pack(&first));
    world.start();
    assert_eq!(world.heard_by(BS), ["0 GET /bspack ep=test&acc=</0/0>"]);
    assert!(world.events.contains(&Event::Bootstrapped));
    assert!(world.heard_by(1)[0].contains("</1/5>,</3/0>"), "registered");
    assert!(world.discover_as(1, "/16").contains("</16/4>"));
    assert!(!world.discover_as(1, "/16").contains("</16/0>"));

    let second = [("/0/1", security_of(1, 1)), ("/1/0", settings(1))];
    world.servers[BS].answers.push_back(pack(&second));
    assert_eq!(world.ask_as(1, post("/1/5/9")).code, Code::CHANGED);
    let servers = world.discover_as(1, "/1");
    assert!(servers.contains("</1/0>") && !servers.contains("</1/5>"), "{servers}");
    assert!(world.discover_as(1, "/16").contains("</16/4>"));

    world.heard_by(BS);
    world.servers[BS].answers.push_back(pack(&[("/0/1", security_of(1, 1))]));
    assert_eq!(world.ask_as(1, post("/1/0/9")).code, Code::CHANGED);
    assert_eq!(
        world.heard_by(BS),
        ["0 GET /bspack ep=test&acc=</0/0>", "0 POST /bs ep=test&pct=11544"]
    );
    assert_eq!(discover(&mut world, "/0").matches("</0/").count(), 2);
}

#[test]
fn without_a_pack_there_is_the_other_way() {
    for code in [Code::NOT_IMPLEMENTED, Code::METHOD_NOT_ALLOWED] {
        let mut world = packing();
        world.servers[BS].answers.push_back(Response::new(code));
        world.start();
        assert_eq!(
            world.heard_by(BS),
            ["0 GET /bspack ep=test&acc=</0/0>", "0 POST /bs ep=test&pct=11544"]
        );
        provision(&mut world);
    }
}

#[test]
fn a_host_name_is_no_address() {
    let mut world = open();
    let named = security("coap://example.com", false).with(10, 1_i64);
    accepted(&mut world, [write("/0/1", named), write("/1/0", settings(1))]);
    assert_eq!(code(&mut world, post("/bs")), "4.06");
}

#[test]
fn a_shutdown_ends_a_bootstrap() {
    let mut world = open();
    world.client.shutdown(world.now);
    world.settle();
    assert_eq!(world.events, [Event::Stopped]);
    let id = world.send(BS, write("/1/0", settings(1)));
    assert_eq!(world.answer(BS, id), None);
}

// proves: BOOT-21
#[test]
fn an_old_client_may_take_commands_that_it_did_not_ask_for() {
    for (unasked, version, taken) in
        [(true, Version::V1_0, true), (false, Version::V1_0, false), (true, Version::V1_1, false)]
    {
        let server = ServerAccount::new(1, address(1));
        let account = BootstrapAccount { unasked, ..account() };
        let config = Config::new("test").server(server).bootstrap(account).version(version);
        let mut world = World::new(config, objects());
        world.start();
        let commands = [write("/0/1", security_of(2, 2)), write("/1/0", settings(2)), post("/bs")];
        for request in commands {
            let id = world.send(BS, request);
            let code = world.answer(BS, id).map(|response| response.code);
            assert_eq!(code, taken.then_some(Code::CHANGED));
        }
        assert!(world.heard_by(BS).is_empty());
        assert_eq!(world.client.registration_state(2).is_some(), taken);
    }
}

#[test]
fn the_account_may_end_while_its_server_is_busy() {
    let mut world = bare(BootstrapAccount { account_timeout: 60, ..account() });
    world.start();
    provision(&mut world);
    world.run(50.0);
    assert_eq!(world.ask_as(1, post("/1/0/9")).code, Code::CHANGED);
    assert_eq!(code(&mut world, delete("/1")), "2.02");
    world.run(11.0);
    let id = world.send(BS, write("/1/0", settings(1)));
    assert_eq!(world.answer(BS, id), None);
    world.run(300.0);
    assert_eq!(world.heard_by(BS).len(), 2);
}

#[test]
fn attributes_end_with_what_they_are_about_and_with_their_server() {
    let mut world = registered();
    let shown = |world: &mut World, server, path: &str| world.discover_as(server, path);
    for path in ["/16/0", "/3303/0"] {
        let set = world.ask_as(1, attributes(path, "pmin=7"));
        assert_eq!(set.code, Code::CHANGED);
        assert!(shown(&mut world, 1, path).contains("pmin=7"));
    }
    world.ask_as(1, post("/1/0/9"));
    assert_eq!(code(&mut world, delete("/16/0")), "2.02");
    let again = ObjectInstance::default().with_multiple(0, [(0, "new")]);
    accepted(&mut world, [write("/16/0", again), post("/bs")]);
    assert!(!shown(&mut world, 1, "/16/0").contains("pmin"));
    assert!(shown(&mut world, 1, "/3303/0").contains("pmin=7"));
    // Another server in the place of the first.
    world.ask_as(1, post("/1/0/9"));
    accepted(&mut world, [write("/0/1", security_of(2, 2)), write("/1/0", settings(2))]);
    accepted(&mut world, [post("/bs")]);
    assert!(!shown(&mut world, 2, "/3303/0").contains("pmin"));
}

#[test]
fn a_pack_cannot_take_the_place_of_the_bootstrap_server() {
    let mut world = packing();
    let instances = [("/0/0", security_of(1, 1)), ("/1/0", settings(1))];
    let more = [("/0/1", security_of(2, 2)), ("/1/1", settings(2))];
    world.servers[BS].answers.push_back(pack(&[instances, more].concat()));
    world.start();
    assert_eq!(world.heard_by(BS).last().unwrap(), "0 POST /bs ep=test&pct=11544");
    assert_eq!(discover(&mut world, "/0"), "</>;lwm2m=1.2,</0/0>");
}
