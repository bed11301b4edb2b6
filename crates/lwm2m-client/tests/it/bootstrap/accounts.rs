//! Which accounts a bootstrap leaves, when it begins and when it fails.

use super::*;

// proves: BOOT-13
#[test]
fn incomplete_accounts_are_refused_and_can_be_repaired() {
    let mut harness = open();
    accepted(&mut harness, [put("/1/0/5").content_format(TEXT).payload("60")]);
    assert_eq!(code(&mut harness, post("/bs")), "4.06");
    accepted(&mut harness, [write("/0/1", security_of(1, 1))]);
    assert_eq!(code(&mut harness, post("/bs")), "4.06");
    let without_binding = ObjectInstance::default().with(0, 1_i64).with(1, 300_i64).with(6, true);
    accepted(&mut harness, [write("/1/0", without_binding)]);
    assert_eq!(code(&mut harness, post("/bs")), "4.06");
    provision(&mut harness);
    assert_eq!(
        harness.sim[harness.client].registration_state(1),
        Some(RegistrationState::Registered)
    );
    assert!(harness.events.contains(&Event::Bootstrapped));
    assert!(
        harness.heard_by(1)[0]
            .ends_with(" </1/0>,</3/0>,</6>,</16/0>,</16/1>,</3302/0>,</3303/0>,</3442/0>")
    );
}

// proves: BOOT-26
#[test]
fn short_server_ids_are_checked_and_pair_accounts() {
    for ssid in [0, 65_535] {
        let mut harness = open();
        assert_eq!(code(&mut harness, write("/0/1", security_of(1, ssid))), "4.00", "{ssid}");
        assert_eq!(code(&mut harness, write("/1/0", settings(ssid))), "4.00", "{ssid}");
        assert_eq!(code(&mut harness, post("/bs")), "4.06");
    }
    let mut harness = open();
    let unnamed = security(&format!("coap://{}", address(1)), false);
    accepted(&mut harness, [write("/0/1", unnamed), write("/1/0", settings(1))]);
    assert_eq!(code(&mut harness, post("/bs")), "4.06");
    for ssid in [1, 65_534] {
        let mut harness = open();
        let other = i64::from(ssid == 1) + 1;
        accepted(
            &mut harness,
            [
                write("/0/1", security_of(1, ssid)),
                write_object("/1", [(0, settings(other)), (1, settings(ssid))]),
            ],
        );
        accepted(&mut harness, [post("/bs")]);
        let server = u16::try_from(ssid).unwrap();
        let state = harness.sim[harness.client].registration_state(server);
        assert_eq!(state, Some(RegistrationState::Registered));
    }
}

#[test]
fn accounts_whose_security_cannot_be_used_are_named() {
    let refused = |number: u16, values: ObjectInstance, reason: AccountsError| {
        let mut harness = open();
        let account = format!("/0/{number}");
        accepted(&mut harness, [write(&account, values), write("/1/0", settings(1))]);
        let answer = harness.ask_as(BS, post("/bs"));
        assert_eq!(
            (answer.code, &answer.payload[..]),
            (Code::NOT_ACCEPTABLE, reason.to_string().as_bytes())
        );
        assert!(
            harness.events.contains(&Event::AccountsRefused { reason }),
            "{:?}",
            harness.events
        );
        // The server may mend them.
        accepted(&mut harness, [write(&account, security_of(1, 1)), post("/bs")]);
        assert_eq!(
            harness.sim[harness.client].registration_state(1),
            Some(RegistrationState::Registered)
        );
    };
    let wrong = AccountsError::Security;
    refused(1, security("coaps://192.0.2.2", false), wrong(1, SecurityError::SecureUri));
    let pre_shared = |uri| security(uri, false).with(2, 0_i64).with(3, Bytes::from("device"));
    refused(2, pre_shared("coap://192.0.2.2"), wrong(2, SecurityError::PlainUri));
    refused(1, pre_shared("coaps://192.0.2.2"), wrong(1, SecurityError::PskKey(0)));
    let key =
        || pre_shared("coaps://192.0.2.2").with(5, Bytes::from_static(&[7; 16])).with(10, 1_i64);
    refused(1, key().with_multiple(16, [(0, 0xc0ae_u64)]), wrong(1, SecurityError::Suites));
    refused(1, key().with(2, 4_i64), wrong(1, SecurityError::NotEnrolled));
    let oscore = ObjectLink { object: 21, instance: 0 };
    refused(1, key().with(17, oscore), wrong(1, SecurityError::Oscore));
}

#[test]
fn servers_may_have_names_that_are_looked_up() {
    let mut own = account();
    own.uri = "coap://bootstrap.example.com".into();
    let mut harness = bare(own);
    harness.start();
    let named = |uri| security(uri, false).with(10, 1_i64);
    let server = write("/0/1", named("coap://server.example.com"));
    accepted(&mut harness, [server, write("/1/0", settings(1)), post("/bs")]);
    let uri = "coap://server.example.com".into();
    assert!(harness.events.contains(&Event::AddressWanted { server: 1, uri }));
    harness.sim.with(harness.client, |it, now| it.set_address(now, 1, address(1))).unwrap();
    harness.settle();
    assert_eq!(
        harness.sim[harness.client].registration_state(1),
        Some(RegistrationState::Registered)
    );
    // The same account once more leaves its address as it is.
    assert_eq!(harness.ask_as(1, post("/1/0/9")).code, Code::CHANGED);
    harness.events.clear();
    accepted(&mut harness, [write("/0/1", named("coap://server.example.com")), post("/bs")]);
    assert_eq!(harness.events, [Event::Bootstrapped]);
    // What cannot be asked for is the address of the bootstrap server itself.
    assert_eq!(harness.ask_as(1, post("/1/0/9")).code, Code::CHANGED);
    accepted(&mut harness, [write("/0/0", security("coap://other.example.com", true))]);
    assert_eq!(code(&mut harness, post("/bs")), "4.06");
    let reason = AccountsError::BootstrapName(0);
    assert!(harness.events.contains(&Event::AccountsRefused { reason }));
}

// proves: BOOT-14
#[test]
fn a_bootstrap_without_an_end_has_failed() {
    let mut harness = open();
    let elsewhere = security("coap://192.0.2.3:5683", true);
    accepted(&mut harness, [write("/0/0", elsewhere), write("/1/0", settings(1))]);
    harness.run(246.0);
    assert!(failures(&harness).is_empty());
    harness.run(2.0);
    assert_eq!(failures(&harness), [BootstrapError::Unfinished]);
    assert!(harness.heard_by(2).is_empty());
    harness.run(60.0);
    assert_eq!(harness.heard_by(BS), ["307 POST /bs ep=test"]);
    // What the second attempt leaves alone is the account from before the first.
    provision(&mut harness);
    assert_eq!(harness.ask_as(1, post("/1/0/9")).code, Code::CHANGED);
    assert_eq!((harness.heard_by(BS).len(), harness.heard_by(2).len()), (1, 0));
}

// proves: BOOT-15
#[test]
fn two_bootstrap_servers_are_one_too_many() {
    let elsewhere = || security("coap://192.0.2.3:5683", true);
    let accounts = || [write("/0/1", security_of(1, 1)), write("/1/0", settings(1))];
    let mut harness = open();
    accepted(&mut harness, accounts());
    accepted(&mut harness, [write("/0/2", elsewhere())]);
    assert_eq!(code(&mut harness, post("/bs")), "4.06");
    harness.run(400.0);
    assert_eq!(harness.heard_by(BS).len(), 1, "the old account is used");
    assert!(harness.heard_by(2).is_empty());
    assert!(!discover(&mut harness, "/0").contains("</0/2>"));

    let mut harness = open();
    accepted(&mut harness, accounts());
    accepted(&mut harness, [write("/0/0", elsewhere()), post("/bs")]);
    harness.run(1.0);
    assert_eq!(harness.ask_as(1, post("/1/0/9")).code, Code::CHANGED);
    assert_eq!((harness.heard_by(BS).len(), harness.heard_by(2).len()), (0, 1));
}

// proves: BOOT-16
#[test]
fn a_server_whose_account_is_deleted_hears_no_more() {
    let mut harness = bare(account());
    harness.start();
    accepted(
        &mut harness,
        [
            write_object("/0", [(1, security_of(1, 1)), (2, security_of(2, 2))]),
            write_object("/1", [(0, settings(1)), (1, settings(2))]),
            post("/bs"),
        ],
    );
    for server in [1, 2] {
        assert_eq!(harness.ask_as(server, get("/3303/0/5700").observe(0)).code, Code::CONTENT);
        harness.servers[server].heard.clear();
    }
    assert_eq!(harness.ask_as(1, post("/1/0/9")).code, Code::CHANGED);
    assert_eq!(code(&mut harness, delete("/0/2")), "2.02");
    assert_eq!(code(&mut harness, delete("/1/1")), "2.02");
    accepted(&mut harness, [post("/bs")]);
    harness.set("/3303/0/5700", 30.0);
    harness.run(600.0);
    assert_eq!(harness.servers[1].notified.len(), 1);
    let updates = harness.heard_by(1);
    assert!(!updates.is_empty() && updates.iter().all(|line| line.contains("POST /rd/5a3f")));
    assert!(harness.servers[2].notified.is_empty() && harness.heard_by(2).is_empty());
    assert_eq!(harness.sim[harness.client].registration_state(2), None);
}

// proves: BOOT-17
#[test]
fn servers_are_tried_before_the_bootstrap_server() {
    let server = ServerAccount::new(1, address(1));
    let mut harness =
        Harness::new(Config::new("test").server(server).bootstrap(account()), objects());
    harness.set_reachable(1, false);
    harness.start();
    harness.run(900.0);
    assert!(harness.heard_by(BS).is_empty());
    for _ in 0..90 {
        harness.run(10.0);
        if !harness.servers[BS].heard.is_empty() {
            break;
        }
    }
    assert_eq!(harness.heard_by(BS).len(), 1);
    accepted(
        &mut harness,
        [write("/0/1", security_of(2, 1)), write("/1/0", settings(1)), post("/bs")],
    );
    assert_eq!(harness.heard_by(2).len(), 1);
    assert_eq!(
        harness.sim[harness.client].registration_state(1),
        Some(RegistrationState::Registered)
    );
}

// proves: BOOT-18
#[test]
fn the_hold_off_time_delays_the_request() {
    let mut harness = bare(account().hold_off(10));
    harness.start();
    harness.run(9.9);
    assert!(harness.heard_by(BS).is_empty());
    harness.run(0.2);
    assert_eq!(harness.heard_by(BS), ["10 POST /bs ep=test"]);
}

// proves: BOOT-19
#[test]
fn the_account_of_the_bootstrap_server_may_end() {
    for (timeout, ends) in [(60, true), (0, false)] {
        let mut harness = bare(account().account_timeout(timeout));
        harness.start();
        provision(&mut harness);
        harness.heard_by(BS);
        harness.run(if ends { 61.0 } else { 86_400.0 });
        assert_eq!(harness.ask_as(1, post("/1/0/9")).code, Code::CHANGED);
        assert_eq!(harness.heard_by(BS).is_empty(), ends, "timeout {timeout}");
    }
}

// proves: BOOT-20
#[test]
fn a_server_can_ask_for_a_bootstrap() {
    let mut harness = registered();
    assert_eq!(harness.ask_as(1, post("/1/0/9")).code, Code::CHANGED);
    assert_eq!(harness.heard_by(BS), ["0 POST /bs ep=test"]);
    accepted(&mut harness, [write("/0/1", security_of(2, 2)), write("/1/0", settings(2))]);
    accepted(&mut harness, [post("/bs")]);
    assert!(harness.heard_by(2)[0].starts_with("0 POST /rd ep=test&lt=300"));
    // Without a bootstrap server there is no such resource.
    let mut harness = Harness::registered(config());
    assert_eq!(harness.code(post("/1/0/9")), "4.04");
}

#[test]
fn the_account_may_end_while_its_server_is_busy() {
    let mut harness = bare(account().account_timeout(60));
    harness.start();
    provision(&mut harness);
    harness.run(50.0);
    assert_eq!(harness.ask_as(1, post("/1/0/9")).code, Code::CHANGED);
    assert_eq!(code(&mut harness, delete("/1")), "2.02");
    harness.run(11.0);
    let id = harness.send(BS, write("/1/0", settings(1)));
    assert_eq!(harness.answer(BS, id), None);
    harness.run(300.0);
    assert_eq!(harness.heard_by(BS).len(), 2);
}

#[test]
fn attributes_end_with_what_they_are_about_and_with_their_server() {
    let mut harness = registered();
    let shown = |harness: &mut Harness, server, path: &str| harness.discover_as(server, path);
    for path in ["/16/0", "/3303/0"] {
        let set = harness.ask_as(1, attributes(path, "pmin=7"));
        assert_eq!(set.code, Code::CHANGED);
        assert!(shown(&mut harness, 1, path).contains("pmin=7"));
    }
    harness.ask_as(1, post("/1/0/9"));
    assert_eq!(code(&mut harness, delete("/16/0")), "2.02");
    let again = ObjectInstance::default().with_multiple(0, [(0, "new")]);
    accepted(&mut harness, [write("/16/0", again), post("/bs")]);
    assert!(!shown(&mut harness, 1, "/16/0").contains("pmin"));
    assert!(shown(&mut harness, 1, "/3303/0").contains("pmin=7"));
    // Another server in the place of the first.
    harness.ask_as(1, post("/1/0/9"));
    accepted(&mut harness, [write("/0/1", security_of(2, 2)), write("/1/0", settings(2))]);
    accepted(&mut harness, [post("/bs")]);
    assert!(!shown(&mut harness, 2, "/3303/0").contains("pmin"));
}
