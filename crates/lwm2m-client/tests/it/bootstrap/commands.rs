//! Bootstrap-Request, and what the bootstrap server may do then, and others may not.

use super::*;
use lwm2m_client::ErrorResponse;

// proves: BOOT-01
#[test]
fn a_client_without_servers_asks_for_commands_and_waits() {
    let mut harness = open();
    harness.run(100.0);
    assert!(harness.heard_by(BS).is_empty() && harness.events.is_empty());
    for format in [110, 112, 11_542, 11_544] {
        let mut harness = bare(account().format(ContentFormat(format)));
        harness.start();
        assert!(harness.servers[BS].heard[0].1.payload.is_empty());
        assert!(harness.servers[BS].heard[0].1.confirmable);
        assert_eq!(harness.heard_by(BS), [format!("0 POST /bs ep=test&pct={format}")]);
    }
    let old = account().format(ContentFormat::SENML_CBOR);
    let config = Config::new("test").bootstrap(old).version(Version::V1_0);
    let mut harness = Harness::new(config, objects());
    harness.start();
    assert_eq!(harness.heard_by(BS), ["0 POST /bs ep=test"]);
}

// proves: BOOT-05
#[test]
fn what_is_written_is_there_whatever_was_before() {
    let mut harness = open();
    for _ in 0..2 {
        accepted(
            &mut harness,
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
        assert_eq!(discover(&mut harness, "/1"), links);
    }
    let lifetime = harness.ask_as(BS, get("/1/0").accept(ContentFormat::SENML_JSON.0)).payload;
    assert!(String::from_utf8_lossy(&lifetime).contains("600"));
    accepted(&mut harness, [post("/bs")]);
    assert!(harness.heard_by(1)[0].contains("lt=600"));
}

// proves: BOOT-06
#[test]
fn unknown_resources_are_ignored_and_optional_ones_not_made_up() {
    let mut harness = open();
    let known = settings(1).with(2, 5_i64).with(3, 9_i64);
    accepted(&mut harness, [write("/1/0", known), write("/1/0", settings(1).with(99, 1_i64))]);
    let response = harness.ask_as(BS, get("/1/0").accept(TLV));
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
    let mut harness = open();
    accepted(&mut harness, [write("/1/0", settings(1))]);
    let before = (discover(&mut harness, "/"), harness.ask_as(BS, get("/1").accept(TLV)).payload);
    let whole = write("/1/1", settings(2));
    let cut = Request { payload: whole.payload.slice(..whole.payload.len() - 1), ..whole };
    let both = [(0, settings(2)), (1, settings(3).with(1, "no number"))];
    // The object itself refuses the second instance: this client has no SMS.
    let refused = [(0, settings(2)), (1, settings(3).with(7, "S"))];
    for (request, expected) in [
        (cut, "4.00"),
        (write("/1/1", settings(2).with(6, "no truth")), "4.00"),
        (write_object("/1", both), "4.00"),
        (write_object("/1", refused), "4.00"),
        (write("/3/1", ObjectInstance::default().with(14, "+01")), "4.00"),
        (put("/1").content_format(9999).payload("1"), "4.15"),
        (put("/1/0/1").payload("1"), "4.00"),
        (write("/999/0", settings(1)), "4.00"),
        (write("/1/1", settings(2)).query("x=1"), "4.00"),
        (get("/1").accept(TLV).query("x=1"), "4.00"),
        (Request::delete().path(["1", "0"]).query("x=1"), "4.00"),
        (Request::post().path(["bs"]).query("x=1"), "4.00"),
    ] {
        assert_eq!(code(&mut harness, request), expected);
    }
    let after = (discover(&mut harness, "/"), harness.ask_as(BS, get("/1").accept(TLV)).payload);
    assert_eq!(before, after);
}

// proves: BOOT-09
#[test]
fn discover_begins_with_the_version() {
    let mut harness = open();
    let all = discover(&mut harness, "/");
    assert!(all.starts_with("</>;lwm2m=1.1,</0/0>,</1>"), "{all}");
    assert!(all.contains(",</3/0>,") && all.contains(",</6>,"), "{all}");
    assert_eq!(discover(&mut harness, "/3"), "</>;lwm2m=1.1,</3/0>");
    assert_eq!(code(&mut harness, get("/999").accept(LINK)), "4.04");
}

#[test]
fn discover_tells_accounts_but_not_that_of_the_bootstrap_server() {
    let mut harness = open();
    accepted(&mut harness, [write("/0/1", security_of(1, 1)), write("/1/0", settings(1))]);
    let links = "</>;lwm2m=1.1,</0/0>,</0/1>;ssid=1;uri=\"coap://192.0.2.2:5683\"";
    assert_eq!(discover(&mut harness, "/0"), links);
    assert_eq!(discover(&mut harness, "/1"), "</>;lwm2m=1.1,</1/0>;ssid=1");
}

// proves: BOOT-11
#[test]
fn the_bootstrap_server_reads_servers_and_access_rights_alone() {
    let rights = MemoryObject::new(2).instance(0, |it| {
        it.with(0, 3_i64).with(1, 0_i64).with_multiple(2, [(1, 1_i64)]).with(3, 1_i64)
    });
    let config = Config::new("test").bootstrap(account());
    let mut harness = Harness::new(config, vec![Box::new(device()), Box::new(rights)]);
    harness.start();
    accepted(&mut harness, [write("/1/0", settings(1))]);
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
        assert_eq!(code(&mut harness, request), expected, "{path}");
    }
    assert_eq!(code(&mut harness, get("/1").accept(9999)), "4.06");
}

// proves: BOOT-08
#[test]
fn deleting_spares_the_account_of_the_bootstrap_server_and_the_device() {
    let mut harness = open();
    accepted(&mut harness, [write("/0/1", security_of(1, 1)), write("/1/0", settings(1))]);
    assert_eq!(code(&mut harness, delete("/0")), "2.02");
    assert_eq!(code(&mut harness, delete("/1")), "2.02");
    assert_eq!(discover(&mut harness, "/0"), "</>;lwm2m=1.1,</0/0>");
    assert_eq!(discover(&mut harness, "/1"), "</>;lwm2m=1.1,</1>");
    accepted(&mut harness, [write("/0/1", security_of(1, 1)), write("/1/0", settings(1))]);
    assert_eq!(code(&mut harness, delete("/")), "2.02");
    let left = discover(&mut harness, "/");
    let instances: Vec<_> = left.split(',').filter(|link| link.matches('/').count() > 1).collect();
    assert_eq!(instances, ["</0/0>", "</3/0>"]);
    for path in ["/0/0", "/3/0"] {
        assert_eq!(code(&mut harness, delete(path)), "4.00");
    }
    provision(&mut harness);
}

// proves: BOOT-22
#[test]
fn commands_of_others_and_at_other_times_are_refused() {
    let mut harness = registered();
    let before = harness.discover_as(1, "/1");
    let commands = || {
        [
            delete("/"),
            write_object("/0", [(1, security_of(2, 2))]),
            write_object("/1", [(0, settings(2))]),
            post("/bs"),
        ]
    };
    for request in commands() {
        let code = harness.ask_as(1, request.clone()).code;
        assert!(matches!(code, Code::UNAUTHORIZED | Code::METHOD_NOT_ALLOWED), "{request:?}");
    }
    // Outside of a bootstrap its server is a stranger, who gets no answer.
    for request in commands() {
        let id = harness.send(BS, request);
        assert_eq!(harness.answer(BS, id), None);
    }
    assert_eq!(harness.discover_as(1, "/1"), before);
    assert_eq!(
        harness.sim[harness.client].registration_state(1),
        Some(RegistrationState::Registered)
    );
    assert!(harness.heard_by(1).is_empty() && harness.heard_by(2).is_empty());
}

#[test]
fn a_refused_request_is_made_again_later() {
    let mut harness = bare(account());
    harness.answers(BS).push_back(Response::new(Code::BAD_REQUEST));
    harness.start();
    assert_eq!(
        failures(&harness),
        [BootstrapError::Refused(ErrorResponse {
            code: Code::BAD_REQUEST,
            diagnostic: String::new()
        })]
    );
    harness.heard_by(BS);
    harness.run(61.0);
    assert_eq!(harness.heard_by(BS), ["60 POST /bs ep=test"]);
    provision(&mut harness);
}

#[test]
fn a_shutdown_ends_a_bootstrap() {
    let mut harness = open();
    harness.sim.with(harness.client, |it, now| it.shutdown(now));
    harness.settle();
    assert_eq!(harness.events, [Event::Stopped]);
    let id = harness.send(BS, write("/1/0", settings(1)));
    assert_eq!(harness.answer(BS, id), None);
}

// proves: BOOT-21
#[test]
fn an_old_client_may_take_commands_that_it_did_not_ask_for() {
    for (unasked, version, taken) in
        [(true, Version::V1_0, true), (false, Version::V1_0, false), (true, Version::V1_1, false)]
    {
        let server = ServerAccount::new(1, address(1));
        let account = account().unasked(unasked);
        let config = Config::new("test").server(server).bootstrap(account).version(version);
        let mut harness = Harness::new(config, objects());
        harness.start();
        let commands = [write("/0/1", security_of(2, 2)), write("/1/0", settings(2)), post("/bs")];
        for request in commands {
            let id = harness.send(BS, request);
            let code = harness.answer(BS, id).map(|response| response.code);
            assert_eq!(code, taken.then_some(Code::CHANGED));
        }
        assert!(harness.heard_by(BS).is_empty());
        assert_eq!(harness.sim[harness.client].registration_state(2).is_some(), taken);
    }
}
