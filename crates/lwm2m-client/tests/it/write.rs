//! Write and Write-Attributes.

use crate::harness::{Harness, JSON, TEXT, TLV, attributes, config, get, hex, post, put};
use lwm2m_client::Event;
use lwm2m_core::Version;

fn json(path: &str, records: &str) -> lwm2m_coap::Request {
    put(path).content_format(JSON).payload(records.to_owned())
}

// proves: WRITE-01
#[test]
fn replace_of_a_resource_in_every_format() {
    let mut harness = Harness::registered(config().version(Version::V1_2));
    for (format, payload) in [
        (0, hex("31 31")),
        (60, hex("0B")),
        (110, b"[{\"n\":\"/1/0/2\",\"v\":11}]".to_vec()),
        (112, hex("81 A2 00 66 2F312F302F32 02 0B")),
        (11542, hex("C1 02 0B")),
        (11544, hex("A1 83 01 00 02 0B")),
    ] {
        harness.ask(put("1/0/2").content_format(TEXT).payload("7"));
        assert_eq!(harness.code(put("1/0/2").content_format(format).payload(payload)), "2.04");
        assert_eq!(harness.text("1/0/2"), "11");
    }
    let path = "/1/0/2".parse().unwrap();
    assert_eq!(harness.events.last(), Some(&Event::Written { server: 1, path }));
}

// proves: WRITE-02
#[test]
fn replace_of_an_instance_removes_what_it_lacks() {
    let mut harness = Harness::registered(config());
    assert_eq!(harness.code(put("1/0/3").content_format(TEXT).payload("60")), "2.04");
    let incomplete = "[{\"bn\":\"/1/0/\",\"n\":\"1\",\"v\":900},{\"n\":\"2\",\"v\":5}]";
    assert_eq!(harness.code(json("1/0", incomplete)), "4.00");
    assert_eq!((harness.text("1/0/1"), harness.text("1/0/3")), ("86400".into(), "60".into()));
    let whole = "[{\"bn\":\"/1/0/\",\"n\":\"1\",\"v\":900},{\"n\":\"2\",\"v\":5},\
                 {\"n\":\"6\",\"vb\":true},{\"n\":\"7\",\"vs\":\"U\"}]";
    assert_eq!(harness.code(json("1/0", whole)), "2.04");
    assert_eq!(harness.code(get("1/0/3")), "4.04");
    assert_eq!((harness.text("1/0/0"), harness.text("1/0/1")), ("1".into(), "900".into()));
}

// proves: WRITE-03
#[test]
fn partial_update_leaves_the_rest() {
    let mut harness = Harness::registered(config());
    harness.ask(put("1/0/3").content_format(TEXT).payload("60"));
    let payload = hex("C10265 C20507D0 C10601 C10755");
    assert_eq!(harness.code(post("1/0").content_format(TLV).payload(payload)), "2.04");
    for (path, value) in [("1/0/2", "101"), ("1/0/5", "2000"), ("1/0/6", "1"), ("1/0/3", "60")] {
        assert_eq!(harness.text(path), value);
    }
}

// proves: WRITE-04, WRITE-05
#[test]
fn arrays_are_merged_or_swapped() {
    let mut harness = Harness::registered(config());
    let record = "[{\"n\":\"/16/0/0/1\",\"vs\":\"B\"},{\"n\":\"/16/0/0/2\",\"vs\":\"C\"}]";
    for path in ["16/0", "16/0/0"] {
        assert_eq!(harness.code(post(path).content_format(JSON).payload(record)), "2.04");
        assert_eq!(harness.text("16/0/0/0") + &harness.text("16/0/0/1"), "aB");
        assert_eq!(harness.text("16/0/0/2"), "C");
    }
    assert_eq!(harness.code(json("16/0/0", "[{\"n\":\"/16/0/0/7\",\"vs\":\"x\"}]")), "2.04");
    assert_eq!(harness.discover("16/0/0"), "</16/0/0>;dim=1,</16/0/0/7>");
    assert_eq!(harness.code(post("16/0/0")), "4.05");
}

// proves: WRITE-06
#[test]
fn one_resource_that_is_not_writable_refuses_all() {
    let mut harness = Harness::registered(config());
    assert_eq!(harness.code(put("1/0/0").content_format(TEXT).payload("123")), "4.05");
    assert_eq!(harness.text("1/0/0"), "1");
    let mixed = "[{\"n\":\"/3/0/0\",\"vs\":\"x\"},{\"n\":\"/3/0/14\",\"vs\":\"+01:00\"}]";
    assert_eq!(harness.code(post("3/0").content_format(JSON).payload(mixed)), "4.05");
    assert_eq!(harness.text("3/0/14"), "+02:00");
}

// proves: WRITE-07
#[test]
fn values_are_checked() {
    let mut harness = Harness::registered(config().version(Version::V1_2));
    for (path, payload) in [("1/0/1", "soon"), ("1/0/26", "2"), ("1/0/7", "X")] {
        assert_eq!(harness.code(put(path).content_format(TEXT).payload(payload)), "4.00", "{path}");
    }
    let truncated = hex("C4 01 00");
    assert_eq!(harness.code(post("1/0").content_format(TLV).payload(truncated)), "4.00");
    assert_eq!((harness.text("1/0/1"), harness.text("1/0/7")), ("86400".into(), "U".into()));
}

// proves: WRITE-08
#[test]
fn the_format_has_to_be_told_and_known() {
    let mut harness = Harness::registered(config());
    let payload = hex("C1 01 0B");
    assert_eq!(harness.code(put("1/0").payload(payload.clone())), "4.00");
    assert_eq!(harness.code(put("1/0").content_format(9999).payload(payload)), "4.15");
    assert_eq!(harness.code(put("1/0").content_format(TEXT).payload("x")), "4.15");
    assert_eq!(harness.code(put("1/0/1").content_format(11544).payload(hex("00"))), "4.15");
    assert_eq!(harness.text("1/0/1"), "86400");
}

// proves: WRITE-09
#[test]
fn object_links_name_what_exists() {
    let mut harness = Harness::registered(config());
    for link in ["3:0", "3:65535", "65535:65535"] {
        assert_eq!(harness.code(put("3442/0/170").content_format(TEXT).payload(link)), "2.04");
    }
    for link in ["3:7", "999:0", "999:65535"] {
        assert_eq!(harness.code(put("3442/0/170").content_format(TEXT).payload(link)), "4.00");
    }
    assert_eq!(harness.text("3442/0/170"), "65535:65535");
}

// proves: WRITE-10
#[test]
fn a_resource_instance_has_to_exist() {
    let mut harness = Harness::registered(config());
    assert_eq!(harness.code(put("16/0/0/9").content_format(TEXT).payload("x")), "4.04");
    assert_eq!(harness.code(get("16/0/0/9")), "4.04");
    assert_eq!(harness.code(put("16/0/0/1").content_format(TEXT).payload("x")), "2.04");
    assert_eq!(harness.text("16/0/0/0") + &harness.text("16/0/0/1"), "ax");
}

// proves: WRITE-11
#[test]
fn unknown_resources_are_passed_over_and_missing_targets_refused() {
    let mut harness = Harness::registered(config());
    let payload = "[{\"n\":\"/1/0/1\",\"v\":500},{\"n\":\"/1/0/99\",\"v\":1}]";
    assert_eq!(harness.code(post("1/0").content_format(JSON).payload(payload)), "2.04");
    assert_eq!(harness.text("1/0/1"), "500");
    for path in ["1/9/1", "50/0/1", "1/0/99"] {
        assert_eq!(harness.code(put(path).content_format(TEXT).payload("1")), "4.04", "{path}");
    }
}

// proves: ATTR-01, ATTR-03
#[test]
fn attributes_are_merged_and_removed_at_their_level() {
    let mut harness = Harness::registered(config());
    harness.ask(attributes("3", "pmin=10&pmax=200"));
    assert_eq!(harness.code(attributes("3", "pmin=20")), "2.04");
    assert!(harness.discover("3").starts_with("</3>;pmin=20;pmax=200,"));
    harness.ask(attributes("3/0", "pmax=320"));
    assert!(harness.discover("3/0/11").starts_with("</3/0/11>;dim=1;pmin=20;pmax=320"));
    assert_eq!(harness.code(attributes("3/0", "pmax")), "2.04");
    assert!(harness.discover("3/0/11").starts_with("</3/0/11>;dim=1;pmin=20;pmax=200"));
}

// proves: ATTR-04, ATTR-12
#[test]
fn attributes_have_their_levels_and_values() {
    let mut harness = Harness::registered(config().version(Version::V1_2));
    for (path, query) in [
        ("3", "gt=5"),
        ("3/0/0", "st=1"),
        ("3/0/9", "edge=1"),
        ("3/0/9", "dim=2"),
        ("3/0/9", "pmin=-1"),
        ("3/0/9", "pmin=1.5"),
        ("3/0/9", "gt=abc"),
        ("3/0/9", "pmin=1&gt=1e9"),
    ] {
        assert_eq!(harness.code(attributes(path, query)), "4.00", "{path}?{query}");
    }
    assert_eq!(harness.discover("3/0/9"), "</3/0/9>");
    assert_eq!(harness.code(attributes("3/0/4", "pmin=1")), "4.05");
    assert_eq!(harness.code(attributes("3/0/50", "pmin=1")), "4.04");
    for (path, query) in [("3/0/9", "gt=-85.5"), ("3302/0/5500", "edge=1"), ("3/0/7/0", "st=2")] {
        assert_eq!(harness.code(attributes(path, query)), "2.04", "{path}?{query}");
    }
}

#[test]
fn attributes_come_with_their_version() {
    for (version, query) in [(Version::V1_0, "epmin=1"), (Version::V1_1, "con=1")] {
        let mut harness = Harness::registered(config().version(version));
        assert_eq!(harness.code(attributes("3/0/9", query)), "4.00", "{query}");
        assert_eq!(harness.code(attributes("3/0/9", "pmin=1")), "2.04");
    }
}

// proves: ATTR-05
#[test]
fn thresholds_of_one_request_agree() {
    let mut harness = Harness::registered(config());
    assert_eq!(harness.code(attributes("3/0/9", "gt=50&lt=20&st=1")), "2.04");
    let before = harness.discover("3/0/9");
    for query in ["lt=20&gt=10", "gt=14&lt=10&st=2", "epmin=20&epmax=10"] {
        assert_eq!(harness.code(attributes("3/0/9", query)), "4.00");
    }
    assert_eq!(harness.discover("3/0/9"), before);
    for query in ["gt=11", "lt=20"] {
        assert_eq!(harness.code(attributes("3/0/9", query)), "2.04");
    }
    // Now they contradict each other, and every change is told.
    harness.ask(get("3/0/9").observe(0));
    harness.set("3/0/9", 99_i64);
    assert_eq!(harness.notified().len(), 1);
}
