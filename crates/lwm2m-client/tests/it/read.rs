//! Read and Discover.

use crate::harness::{
    Harness, JSON, LINK, TEXT, TLV, attributes, config, delete, get, hex, post, put,
};
use lwm2m_coap::{Code, OptionNumber, Request};
use lwm2m_core::Version;

fn codes(harness: &mut Harness, requests: Vec<Request>, expected: &str) {
    for request in requests {
        let shown = format!("{request:?}");
        assert_eq!(harness.code(request), expected, "{shown}");
    }
}

// proves: READ-01
#[test]
fn every_level_is_readable() {
    let mut harness = Harness::registered(config());
    for (path, records) in [("3", 10), ("3/0", 10), ("3/0/7", 2), ("3/0/0", 1), ("3/0/7/1", 1)] {
        let answer = harness.ask(get(path).accept(JSON));
        assert_eq!((answer.code, answer.options.content_format()), (Code::CONTENT, Some(JSON)));
        let text = String::from_utf8(answer.payload.to_vec()).unwrap();
        assert_eq!(text.matches('{').count(), records, "{text}");
    }
    assert_eq!(harness.text("3/0/7/1"), "5000");
}

// proves: READ-02
#[test]
fn accept_is_honoured() {
    let mut harness = Harness::registered(config().version(Version::V1_2));
    for format in [0, 60, 110, 112, 11542, 11544] {
        let answer = harness.ask(get("3/0/0").accept(format));
        assert_eq!(answer.options.content_format(), Some(format));
    }
    for format in [110, 112, 11542, 11544] {
        assert_eq!(harness.ask(get("3").accept(format)).options.content_format(), Some(format));
    }
    codes(&mut harness, vec![get("3/0/0").accept(9999), get("3/0").accept(60)], "4.06");
}

#[test]
fn without_accept_the_format_goes_with_the_version() {
    for (version, tree) in [(Version::V1_0, TLV), (Version::V1_1, 112), (Version::V1_2, 112)] {
        let mut harness = Harness::registered(config().version(version));
        assert_eq!(harness.ask(get("3/0")).options.content_format(), Some(tree));
        assert_eq!(harness.ask(get("3/0/0")).options.content_format(), Some(TEXT));
    }
}

// proves: READ-04
#[test]
fn what_is_missing_is_not_found() {
    let mut harness = Harness::registered(config());
    codes(
        &mut harness,
        vec![get("50"), get("3/1"), get("3/0/50"), get("3/0/11/9"), get("3/0/1")],
        "4.04",
    );
}

// proves: READ-05
#[test]
fn what_is_not_readable_is_refused_or_left_out() {
    let mut harness = Harness::registered(config());
    codes(&mut harness, vec![get("3/0/4"), get("1/0/8")], "4.05");
    let answer = harness.ask(get("3/0").accept(JSON));
    assert!(!String::from_utf8_lossy(&answer.payload).contains("\"4\""));
}

// proves: READ-06
#[test]
fn nothing_is_told_of_the_security_object() {
    let mut harness = Harness::registered(config());
    let requests = vec![
        get("0"),
        get("0").accept(LINK),
        get("0/0/0").observe(0),
        put("0/0/0").content_format(TEXT).payload("x"),
        attributes("0", "pmin=30&pmax=45"),
        post("0").content_format(TLV),
        delete("0/0"),
        get("21").observe(0),
    ];
    codes(&mut harness, requests, "4.01");
}

// proves: READ-07
#[test]
fn an_object_without_instances_is_empty() {
    let mut harness = Harness::registered(config());
    for format in [TLV, 110, 112] {
        assert_eq!(harness.code(get("6").accept(format)), "2.05");
    }
}

// proves: PATH-03
#[test]
fn paths_that_break_the_rules_are_refused() {
    let mut harness = Harness::registered(config());
    codes(&mut harness, vec![get("3/0/6/0/1"), get("3/0/0/0"), get("")], "4.05");
}

// proves: TEXT-06
#[test]
fn text_serves_single_values() {
    let mut harness = Harness::registered(config());
    codes(&mut harness, vec![get("3/0").accept(TEXT), get("3/0/7").accept(TEXT)], "4.06");
    assert_eq!(harness.text("3/0/9"), "100");
}

// proves: OPAQ-02
#[test]
fn octets_serve_opaque_values() {
    let mut harness = Harness::registered(config());
    codes(&mut harness, vec![get("3/0/0").accept(42), get("3/0").accept(42)], "4.06");
    assert_eq!(harness.code(put("1/0/1").content_format(42).payload("x")), "4.15");
    assert_eq!(harness.text("1/0/1"), "86400");
}

#[test]
fn methods_and_options_beyond_lwm2m() {
    let mut harness = Harness::registered(config());
    for code in [Code::PATCH, Code::new(0, 31)] {
        codes(&mut harness, vec![Request::new(code).path(["3", "0", "0"])], "4.05");
    }
    let mut with_host = get("3/0/0");
    with_host.options.push(OptionNumber::URI_HOST, b"device.example");
    with_host.options.push_uint(OptionNumber::URI_PORT, 5683);
    codes(&mut harness, vec![with_host], "2.05");
    let mut by_proxy = get("3/0/0");
    by_proxy.options.push(OptionNumber::PROXY_URI, b"coap://x.example/");
    codes(&mut harness, vec![by_proxy], "5.05");
}

// proves: DISC-01, DISC-02
#[test]
fn discover_shows_the_levels_below() {
    let mut harness = Harness::registered(config());
    let resources = "</16/0/0>;dim=2";
    assert_eq!(
        harness.discover("16"),
        format!("</16>,</16/0>,{resources},</16/1>,</16/1/0>;dim=1")
    );
    assert_eq!(harness.discover("16/0"), format!("</16/0>,{resources}"));
    assert_eq!(harness.discover("16/0/0"), format!("{resources},</16/0/0/0>,</16/0/0/1>"));
    assert_eq!(harness.discover("3/0/4"), "</3/0/4>");
    harness.ask(delete("16/0/0/1"));
    assert_eq!(harness.discover("16/0"), "</16/0>,</16/0/0>;dim=1");
}

// proves: DISC-04
#[test]
fn the_target_shows_what_it_inherits() {
    let mut harness = Harness::registered(config());
    harness.ask(attributes("3", "pmin=10&pmax=200"));
    harness.ask(attributes("3/0/7", "lt=1&gt=50&st=2"));
    let own = "</3/0/7>;dim=2;pmin=10;pmax=200;gt=50;lt=1;st=2,</3/0/7/0>,</3/0/7/1>";
    assert_eq!(harness.discover("3/0/7"), own);
    assert!(harness.discover("3").contains("</3/0/7>;dim=2;gt=50;lt=1;st=2,"));
}

// proves: DISC-05
#[test]
fn depth_limits_the_levels() {
    let mut harness = Harness::registered(config().version(Version::V1_2));
    let mut levels = |depth: &str| {
        let answer = harness.ask(get("16").accept(LINK).query(&format!("depth={depth}")));
        (answer.code.to_string(), answer.payload.split(|byte| *byte == b',').count())
    };
    for (depth, expected) in [("0", 1), ("1", 3), ("2", 5), ("3", 8)] {
        assert_eq!(levels(depth), ("2.05".to_owned(), expected));
    }
    assert_eq!(levels("4").0, "4.00");
}

#[test]
fn discover_of_what_is_missing() {
    let mut harness = Harness::registered(config());
    let missing = ["50", "3/1", "3/0/1"].map(|path| get(path).accept(LINK)).to_vec();
    codes(&mut harness, missing, "4.04");
    codes(&mut harness, vec![get("3/0/7/0").accept(LINK)], "4.05");
}

#[test]
fn object_reads_have_instances_in_tlv() {
    let mut harness = Harness::registered(config());
    let answer = harness.ask(get("3302").accept(TLV));
    assert_eq!(answer.payload.to_vec(), hex("0400 E1157C 00"));
}

#[test]
fn formats_go_by_their_old_numbers_too() {
    let mut harness = Harness::registered(config());
    for (path, old, canonical) in [("3/0/16", 1541, TEXT), ("3/0", 1542, TLV)] {
        let old = harness.ask(get(path).accept(old));
        let new = harness.ask(get(path).accept(canonical));
        assert_eq!((old.options.content_format(), &old.payload), (Some(canonical), &new.payload));
    }
    assert_eq!(harness.code(get("3/0").accept(1543)), "4.06");
}

#[test]
fn refusals_say_why() {
    let mut harness = Harness::registered(config());
    for (request, code, reason) in [
        (get("50"), "4.04", "does not exist"),
        (get("3/0/4"), "4.05", "operation"),
        (get("0/0"), "4.01", "no right"),
        (get("3/0").accept(9999), "4.06", "format"),
    ] {
        let answer = harness.ask(request);
        let text = String::from_utf8(answer.payload.to_vec()).unwrap();
        assert_eq!(answer.code.to_string(), code);
        assert!(text.contains(reason) && answer.options.content_format().is_none(), "{text}");
    }
}

// The rest of OBJ-04 is a bootstrap server's.
#[test]
fn the_server_object_has_defaults_and_keeps_what_is_its_own() {
    let mut harness = Harness::registered(config());
    assert_eq!((harness.text("1/0/5"), harness.text("1/0/6")), ("86400".into(), "0".into()));
    let write = |path, value: &str| put(path).content_format(TEXT).payload(value.to_owned());
    assert_eq!(harness.code(write("1/0/0", "7")), "4.05");
    for transport in ["S", "US", "N", ""] {
        assert_eq!(harness.code(write("1/0/7", transport)), "4.00", "{transport}");
    }
    for transport in ["T", "UT", "U"] {
        assert_eq!(harness.code(write("1/0/7", transport)), "2.04", "{transport}");
    }
}

#[test]
fn discover_shows_what_the_version_of_the_object_has() {
    let shown = |version| {
        let mut harness = Harness::registered(config().version(version));
        let links = harness.discover("1/0");
        [17, 20, 26].map(|resource| links.contains(&format!("</1/0/{resource}>")))
    };
    use lwm2m_core::Version;
    assert_eq!(shown(Version::V1_0), [false, false, false]);
    assert_eq!(shown(Version::V1_1), [true, true, false]);
    assert_eq!(shown(Version::V1_2), [true, true, true]);
}
