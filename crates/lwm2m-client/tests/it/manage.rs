//! Execute, Create and Delete.

use crate::composite::fetch;
use crate::harness::{
    Harness, JSON, LINK, TEXT, TLV, config, delete, device, get, hex, objects, post, put,
};
use lwm2m_client::{Event, MemoryObject, Refusal};
use lwm2m_coap::Code;
use lwm2m_core::Version;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Two identities in a new instance 1, as in the Create of ETS 1630.
fn portfolio(instance: u8) -> Vec<u8> {
    let mut bytes = hex("08 00 0B 88 00 08 48 00 05 61 62 63 64 65");
    bytes[1] = instance;
    bytes
}

// proves: EXEC-01
#[test]
fn an_execute_runs_the_action_once() {
    let runs = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&runs);
    let device = device().on_execute(5, move |_, arguments| {
        assert_eq!(arguments.text(0), Some("x"));
        count.fetch_add(1, Ordering::Relaxed);
        Ok(())
    });
    let mut harness = Harness::new(config(), vec![Box::new(device)]);
    harness.start();
    assert_eq!(harness.code(post("3/0/4")), "2.04");
    assert_eq!(harness.code(post("3/0/5").content_format(TEXT).payload("0='x'")), "2.04");
    assert_eq!(harness.code(post("1/0/8").content_format(TEXT)), "2.04");
    assert_eq!(runs.load(Ordering::Relaxed), 1);
    let executed = |event: &&Event| matches!(event, Event::Executed { .. });
    assert_eq!(harness.events.iter().filter(executed).count(), 3);
}

// proves: EXEC-02
#[test]
fn only_executables_are_executed() {
    let mut harness = Harness::registered(config());
    for path in ["3/0/0", "3/0/6/0", "16/0/0"] {
        assert_eq!(harness.code(post(path)), "4.05", "{path}");
    }
    for path in ["3/0/9999", "3/9/4", "50/0/1", "3/0/5"] {
        assert_eq!(harness.code(post(path)), "4.04", "{path}");
    }
}

// proves: COAP-30
#[test]
fn a_query_that_the_operation_does_not_have_is_refused() {
    let refused = [
        get("3/0/9"),
        get("3/0").accept(LINK),
        post("3/0/4"),
        post("16").content_format(TLV).payload(portfolio(1)),
        post("16/0").content_format(TLV).payload(hex("08 00 00")),
        put("3/0/14").content_format(TEXT).payload("+01:00"),
        delete("16/0"),
        fetch(&["/3/0/9"]),
    ];
    let mut harness = Harness::registered(config().version(Version::V1_2));
    for request in refused {
        let said = format!("{request:?}");
        assert_eq!(harness.code(request.query("x=1")), "4.00", "{said}");
    }
    assert!(harness.events.is_empty(), "nothing is done: {:?}", harness.events);
    // An empty parameter says nothing, and a cancellation repeats the query of its Observe.
    assert_eq!(harness.code(get("3/0/9").query("")), "2.05");
    assert_eq!(harness.code(get("3/0/9").query("pmin=1").observe(0)), "2.05");
    assert_eq!(harness.code(get("3/0/9").query("pmin=1").observe(1)), "2.05");
    // Discover has its depth since 1.2.
    assert_eq!(harness.code(get("3/0").accept(LINK).query("depth=1")), "2.05");
    let mut older = Harness::registered(config());
    assert_eq!(older.code(get("3/0").accept(LINK).query("depth=1")), "4.00");
}

#[test]
fn arguments_follow_their_grammar() {
    let mut harness = Harness::registered(config());
    for (payload, code) in
        [("0='a',1", "2.04"), ("0='a',0='b'", "4.00"), ("a", "4.00"), ("12", "4.00")]
    {
        let request = post("3/0/4").content_format(TEXT).payload(payload);
        assert_eq!(harness.code(request), code, "{payload}");
    }
}

#[test]
fn a_device_that_fails_says_so() {
    let device = device().on_execute(5, |_, _| Err(Refusal::Internal));
    let mut harness = Harness::new(config(), vec![Box::new(device)]);
    harness.start();
    assert_eq!(harness.code(post("3/0/5")), "5.00");
}

// proves: CREATE-01
#[test]
fn create_makes_an_instance_with_values() {
    let mut harness = Harness::registered(config());
    assert_eq!(harness.code(post("16").content_format(TLV).payload(portfolio(7))), "2.01");
    assert_eq!(harness.text("16/7/0/0"), "abcde");
    assert!(harness.events.contains(&Event::Created { server: 1, path: "/16/7".parse().unwrap() }));
}

// proves: CREATE-02
#[test]
fn create_without_an_id_tells_the_one_it_chose() {
    let mut harness = Harness::registered(config());
    for expected in ["2", "3"] {
        assert_eq!(harness.code(post("16").content_format(TLV)), "4.00", "identity is mandatory");
        let answer =
            harness.ask(post("16").content_format(TLV).payload(hex("8800 06 480003616263")));
        assert_eq!(answer.code, Code::CREATED);
        let location: Vec<_> = answer.options.location_path().map(<[u8]>::to_vec).collect();
        assert_eq!(location, [b"16".to_vec(), expected.as_bytes().to_vec()]);
    }
}

// proves: CREATE-03
#[test]
fn single_instance_objects_have_instance_0() {
    let mut harness = Harness::registered(config());
    assert_eq!(harness.code(post("3").content_format(TLV)), "4.05");
    let location =
        MemoryObject::new(6).optional(0).optional(1).optional(5).new_instances(|values| {
            values.with(0, 1.0).with(1, 2.0).with(5, lwm2m_core::Value::Time(0))
        });
    let mut harness = Harness::new(config(), vec![Box::new(device()), Box::new(location)]);
    harness.start();
    assert_eq!(harness.code(post("6").content_format(TLV)), "2.01");
    assert_eq!(harness.text("6/0/0"), "1");
    assert_eq!(harness.code(post("6").content_format(TLV)), "4.05");
}

// proves: CREATE-04
#[test]
fn an_id_in_use_refuses_all_instances() {
    let mut harness = Harness::registered(config());
    let both = [portfolio(1), portfolio(2)].concat();
    assert_eq!(harness.code(post("16").content_format(TLV).payload(both)), "4.00");
    assert_eq!(harness.code(get("16/2")), "4.04");
    assert_eq!(harness.text("16/1/0/0"), "c");
}

// proves: CREATE-05
#[test]
fn an_incomplete_instance_refuses_all() {
    let mut harness = Harness::registered(config());
    let mut payload = portfolio(5);
    payload.extend([0x00, 6]);
    assert_eq!(harness.code(post("16").content_format(TLV).payload(payload)), "4.00");
    for path in ["16/5", "16/6"] {
        assert_eq!(harness.code(get(path)), "4.04");
    }
}

// proves: CREATE-06
#[test]
fn read_only_and_unknown_values_are_passed_over() {
    let portfolio = MemoryObject::new(16).optional(0).new_instances(|values| values.with(3, 1_i64));
    let mut harness = Harness::new(config(), vec![Box::new(device()), Box::new(portfolio)]);
    harness.start();
    let payload = "[{\"bn\":\"/16/4/\",\"n\":\"0/0\",\"vs\":\"x\"},{\"n\":\"3\",\"v\":2},\
                   {\"n\":\"77\",\"v\":9}]";
    assert_eq!(harness.code(post("16").content_format(JSON).payload(payload)), "2.01");
    assert_eq!(harness.text("16/4/3"), "1");
    assert_eq!(harness.code(get("16/4/77")), "4.04");
}

// proves: CREATE-07
#[test]
fn create_needs_an_object_and_a_format() {
    let mut harness = Harness::registered(config());
    assert_eq!(harness.code(post("50").content_format(TLV).payload(portfolio(7))), "4.04");
    assert_eq!(harness.code(post("16").payload(portfolio(7))), "4.00");
    assert_eq!(harness.code(post("16").content_format(9999).payload(portfolio(7))), "4.15");
}

// proves: DELETE-01
#[test]
fn what_is_deleted_is_gone_with_all_that_hung_on_it() {
    let mut harness = Harness::registered(config());
    harness.ask(crate::harness::attributes("16/1", "pmin=9"));
    harness.ask(get("16/1").observe(0));
    assert_eq!(harness.code(delete("16/1")), "2.02");
    assert_eq!(harness.code(get("16/1")), "4.04");
    let (_, last) = harness.servers[0].notified.last().expect("a last notification");
    assert_eq!((last.code, last.options.observe()), (Code::NOT_FOUND, None));
    let updates = harness.heard();
    assert!(updates.len() == 1 && updates[0].contains("POST /rd/5a3f  </1/0>"), "{updates:?}");
    assert!(!updates[0].contains("</16/1>") && updates[0].contains("</16/0>"));
    harness.insert(16, 1, lwm2m_core::ObjectInstance::default().with_multiple(0, [(0, "new")]));
    assert_eq!(harness.discover("16/1"), "</16/1>,</16/1/0>;dim=1");
    assert_eq!(harness.servers[0].notified.len(), 1);
}

#[test]
fn a_mandatory_resource_keeps_its_last_instance() {
    let mut harness = Harness::registered(config());
    assert_eq!(harness.code(delete("16/0/0/0")), "2.02");
    assert_eq!(harness.code(delete("16/0/0/1")), "4.05");
    assert_eq!(harness.text("16/0/0/1"), "b");
}

// proves: DELETE-02, DELETE-03
#[test]
fn what_cannot_be_deleted() {
    let mut harness = Harness::registered(config());
    for path in ["3/0", "", "16", "16/0/0", "3303/0", "1/0"] {
        assert_eq!(harness.code(delete(path)), "4.05", "{path}");
    }
    assert_eq!(harness.code(delete("16/99")), "4.04");
    assert_eq!(harness.code(get("3/0")), "2.05");
    assert_eq!(harness.code(get("16/0")), "2.05");
}

// proves: DELETE-04
#[test]
fn one_resource_instance_is_deleted() {
    let mut harness = Harness::registered(config());
    assert_eq!(harness.code(delete("16/0/0/1")), "2.02");
    assert_eq!(harness.discover("16/0/0"), "</16/0/0>;dim=1,</16/0/0/0>");
    assert_eq!(harness.code(delete("16/0/0/1")), "4.04");
    assert_eq!(harness.code(delete("3/0/6/0")), "4.05");
}

// proves: ACL-01
#[test]
fn a_single_server_has_all_rights() {
    let mut harness = Harness::new(config(), objects());
    harness.start();
    assert_eq!(harness.code(get("16/0")), "2.05");
    assert_eq!(
        harness.code(
            post("16/0/0").content_format(JSON).payload("[{\"n\":\"/16/0/0/0\",\"vs\":\"x\"}]")
        ),
        "2.04"
    );
    assert_eq!(harness.code(post("3/0/4")), "2.04");
    assert_eq!(harness.code(post("16").content_format(TLV).payload(portfolio(7))), "2.01");
    assert_eq!(harness.code(delete("16/7")), "2.02");
}

#[test]
fn servers_create_instances_up_to_a_limit() {
    let two = MemoryObject::new(16).optional(0).max_instances(2);
    let mut harness = Harness::new(config(), vec![Box::new(device()), Box::new(two)]);
    harness.start();
    let create = |instance| post("16").content_format(TLV).payload(portfolio(instance));
    assert_eq!(harness.code(create(1)), "2.01");
    assert_eq!(harness.code(create(2)), "2.01");
    assert_eq!(harness.code(create(3)), "4.00");
    assert_eq!(harness.code(get("16/3")), "4.04");
    assert_eq!(harness.code(delete("16/1")), "2.02");
    assert_eq!(harness.code(create(3)), "2.01");
}
