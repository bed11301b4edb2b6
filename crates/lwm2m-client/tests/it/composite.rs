//! Read-Composite, Write-Composite, Observe-Composite.

use crate::harness::{Harness, JSON, TEXT, attributes, config, get, hex, objects, post, put};
use lwm2m_client::{Event, MemoryObject, Refusal};
use lwm2m_coap::{Request, RequestId, Response};
use lwm2m_core::{ContentFormat, Version};

const CBOR: u16 = ContentFormat::SENML_CBOR.0;
const ETCH_JSON: u16 = ContentFormat::SENML_ETCH_JSON.0;
const ETCH_CBOR: u16 = ContentFormat::SENML_ETCH_CBOR.0;
const LWM2M_CBOR: u16 = ContentFormat::LWM2M_CBOR.0;

fn harness(version: Version) -> Harness {
    Harness::registered(config().version(version))
}

pub(crate) fn fetch(paths: &[&str]) -> Request {
    let names: Vec<_> = paths.iter().map(|path| format!("{{\"n\":\"{path}\"}}")).collect();
    Request::fetch().content_format(JSON).payload(format!("[{}]", names.join(",")))
}

fn ipatch(records: &str) -> Request {
    Request::ipatch().content_format(JSON).payload(records.to_owned())
}

fn text(response: &Response) -> String {
    String::from_utf8(response.payload.to_vec()).unwrap()
}

/// The names and values of a plain SenML answer in JSON.
fn content(response: &Response) -> String {
    assert_eq!(response.code.to_string(), "2.05", "{}", text(response));
    text(response)
}

// proves: COMP-01, COMP-02, ETCH-03
#[test]
fn what_is_there_and_readable_is_read_once() {
    let mut harness = harness(Version::V1_2);
    let exact = r#"[{"n":"/1/0/0","v":1},{"n":"/3/0/11/0","v":0},{"n":"/3/0/16","vs":"U"}]"#;
    let names = ["/3/0/16", "/3/0/11/0", "/1/0/0"];
    assert_eq!(content(&harness.ask(fetch(&names))), exact);
    // Missing, executable and unreadable ones are left out, repeated ones named once.
    let names = ["/1/0/0", "/1/0/8", "/3339/0/5522", "/0/0/0", "/3/0/16", "/3/0/16", "/1/0/0"];
    let two = r#"[{"n":"/1/0/0","v":1},{"n":"/3/0/16","vs":"U"}]"#;
    assert_eq!(content(&harness.ask(fetch(&names))), two);
    let whole = content(&harness.ask(fetch(&["/16/0/0/1", "/16/0", "/16"])));
    let values = ["a\"},", "b\"},", "c\"}]"];
    assert!(values.iter().all(|value| whole.matches(value).count() == 1), "{whole}");
    assert_eq!(content(&harness.ask(fetch(&["/9999/0/1"]))), "[]");
    for (content_format, body) in
        [(JSON, fetch(&["/3/0/16"]).payload), (ETCH_JSON, fetch(&["/3/0/16"]).payload)]
    {
        for (accept, answer) in [
            (JSON, br#"[{"n":"/3/0/16","vs":"U"}]"#.to_vec()),
            (CBOR, hex("81 a2 00 67 2f332f302f3136 03 61 55")),
            (LWM2M_CBOR, hex("a1 82 03 00 a1 10 61 55")),
        ] {
            let request = Request::fetch().content_format(content_format).accept(accept);
            let response = harness.ask(request.payload(body.clone()));
            assert_eq!(response.options.content_format(), Some(accept));
            assert_eq!(response.payload, answer, "{content_format} {accept}");
        }
    }
}

// proves: COMP-03
#[test]
fn the_root_is_everything_but_secrets() {
    let mut harness = harness(Version::V1_1);
    let everything = content(&harness.ask(fetch(&["/"])));
    let mut singly = Vec::new();
    for path in ["1/0", "3/0", "16", "3302/0", "3303/0", "3442/0"] {
        let prefix = format!("/{path}");
        singly.push(content(&harness.ask(fetch(&[prefix.as_str()]))));
    }
    let singly: Vec<_> = singly.iter().map(|part| part.trim_matches(['[', ']'])).collect();
    assert_eq!(everything, format!("[{}]", singly.join(",")));
    assert!(!everything.contains("\"/0") && !everything.contains("\"/21"));
}

// proves: COMP-04
#[test]
fn what_cannot_be_read_is_refused() {
    let mut harness = harness(Version::V1_1);
    let good = fetch(&["/3/0/16"]);
    for (request, code) in [
        (fetch(&["/3/0/16"]).content_format(60), "4.15"),
        (fetch(&["/3/0/16"]).content_format(ETCH_JSON), "4.15"),
        (fetch(&["/3/0/16"]).content_format(LWM2M_CBOR), "4.15"),
        (fetch(&["/3/0/16"]).accept(0), "4.06"),
        (fetch(&["/3/0/16"]).accept(LWM2M_CBOR), "4.06"),
        (Request::fetch().content_format(CBOR).payload("garbage"), "4.00"),
        (Request::fetch().payload(good.payload.clone()), "4.00"),
        (fetch(&["/3/0/16"]).path(["3"]), "4.05"),
    ] {
        assert_eq!(harness.code(request.clone()), code, "{request:?}");
    }
    let mut old = self::harness(Version::V1_0);
    assert_eq!(old.code(good), "4.05");
    assert_eq!(old.code(ipatch(r#"[{"n":"/3/0/14","vs":"Z"}]"#)), "4.05");
    assert_eq!(old.text("3/0/16"), "U");
}

// proves: COMP-05
#[test]
fn listed_resources_are_written_and_others_stay() {
    let mut harness = harness(Version::V1_2);
    let sample = hex("83 a3 21 61 2f 00 65 312f302f32 02 18 65 a2 00 65 312f302f36 04 f5 \
                      a2 00 66 332f302f3133 02 00");
    assert_eq!(sample.len(), 36);
    let plain = Request::ipatch().content_format(CBOR).payload(sample);
    let before = harness.text("3/0/14");
    assert_eq!(harness.code(plain), "2.04");
    assert_eq!((harness.text("1/0/2"), harness.text("1/0/6")), ("101".into(), "1".into()));
    assert_eq!((harness.text("3/0/13"), harness.text("3/0/14")), ("0".into(), before));
    let path = "/1/0/2".parse().unwrap();
    assert!(harness.events.contains(&Event::Written { server: 1, path }));
    for (format, body) in [
        (JSON, br#"[{"n":"/1/0/2","v":5},{"n":"/3/0/13","v":0}]"#.to_vec()),
        (ETCH_JSON, br#"[{"n":"/1/0/2","v":6},{"n":"/3/0/13","v":0}]"#.to_vec()),
        (ETCH_CBOR, hex("81 a2 00 66 2f312f302f32 02 07")),
        (LWM2M_CBOR, hex("a1 01 a1 00 a1 02 08")),
    ] {
        let answer = harness.ask(Request::ipatch().content_format(format).payload(body));
        assert_eq!(answer.code.to_string(), "2.04", "{format}: {}", text(&answer));
    }
    assert_eq!(harness.text("1/0/2"), "8");
}

// proves: COMP-06, ETCH-05
#[test]
fn one_bad_target_keeps_all_from_being_written() {
    let mut harness = harness(Version::V1_2);
    assert_eq!(harness.code(put("1/0/2").content_format(TEXT).payload("1")), "2.04");
    let good = r#"{"n":"/1/0/2","v":55},{"n":"/3442/0/110","vs":"new"}"#;
    for (bad, code) in [
        (r#"{"n":"/3/0/0","vs":"x"}"#, "4.05"),
        (r#"{"n":"/1/0/8","vs":"x"}"#, "4.05"),
        (r#"{"n":"/77/0/0","v":1}"#, "4.04"),
        (r#"{"n":"/16/9/0/0","vs":"x"}"#, "4.04"),
        (r#"{"n":"/0/0/0","vs":"x"}"#, "4.01"),
        (r#"{"n":"/3442/0/120","vs":"x"}"#, "4.00"),
        // The object itself refuses this one, after others have been written.
        (r#"{"n":"/1/0/1","v":-1}"#, "4.00"),
        (r#"{"n":"/3/0/14"}"#, "4.00"),
    ] {
        for format in [JSON, ETCH_JSON] {
            let request = ipatch(&format!("[{good},{bad}]")).content_format(format);
            assert_eq!(harness.code(request), code, "{bad}");
            assert_eq!(
                (harness.text("1/0/2"), harness.text("3442/0/110")),
                ("1".into(), "text".into())
            );
        }
    }
    let last_wins = r#"[{"n":"/1/0/2","v":3},{"n":"/1/0/2","v":4}]"#;
    assert_eq!(harness.code(ipatch(last_wins).content_format(ETCH_JSON)), "2.04");
    assert_eq!(harness.text("1/0/2"), "4");
}

#[test]
fn what_an_object_accepted_is_put_back_when_another_refuses() {
    let mut objects = objects();
    let stubborn = MemoryObject::new(3441)
        .instance(0, |v| v.with(110, "stays"))
        .on_write(|_, _| Err(Refusal::Internal));
    objects.push(Box::new(stubborn));
    let mut harness = Harness::new(config(), objects);
    harness.start();
    let changes =
        r#"[{"n":"/1/0/2","v":9},{"n":"/16/0/0/0","vs":"x"},{"n":"/3441/0/110","vs":"x"}]"#;
    assert_eq!(harness.code(ipatch(changes)), "5.00");
    assert_eq!(harness.code(get("1/0/2")), "4.04");
    assert_eq!(
        (harness.text("16/0/0/0"), harness.text("3441/0/110")),
        ("a".into(), "stays".into())
    );
    assert!(!harness.events.iter().any(|event| matches!(event, Event::Written { .. })));
}

// proves: ETCH-04
#[test]
fn null_removes_a_resource_instance() {
    let mut harness = harness(Version::V1_2);
    let body = hex("81 a2 00 69 2f31362f302f302f31 02 f6");
    let answer = harness.ask(Request::ipatch().content_format(ETCH_CBOR).payload(body));
    assert_eq!(answer.code.to_string(), "2.04", "{}", text(&answer));
    assert_eq!(harness.code(get("16/0/0/1")), "4.04");
    assert_eq!((harness.text("16/0/0/0"), harness.text("16/1/0/0")), ("a".into(), "c".into()));
    let link = r#"[{"n":"/3442/0/170","vlo":"3:0"}]"#;
    assert_eq!(harness.code(ipatch(link).content_format(ETCH_JSON)), "2.04");
    assert_eq!(harness.text("3442/0/170"), "3:0");
    for (records, code) in [
        (r#"[{"n":"/16/0/0/0"}]"#, "4.00"),
        (r#"[{"n":"/16/0/0/7","v":null}]"#, "4.04"),
        (r#"[{"n":"/3442/0/110","v":null}]"#, "4.00"),
    ] {
        assert_eq!(harness.code(ipatch(records).content_format(ETCH_JSON)), code, "{records}");
    }
    assert_eq!(harness.text("16/0/0/0"), "a");
}

fn observe(harness: &mut Harness, request: Request) -> (RequestId, Response) {
    let id = harness.send(0, request.observe(0));
    let answer = harness.answer(0, id).unwrap();
    assert!(answer.options.observe().is_some(), "{}", text(&answer));
    (id, answer)
}

// proves: COMP-07
#[test]
fn what_is_not_there_yet_is_told_when_it_is() {
    let mut harness = harness(Version::V1_1);
    assert_eq!(harness.code(crate::harness::delete("16/1")), "2.02");
    let (_, first) = observe(&mut harness, fetch(&["/16/0", "/16/1"]));
    assert_eq!(content(&first), r#"[{"n":"/16/0/0/0","vs":"a"},{"n":"/16/0/0/1","vs":"b"}]"#);
    let instance = r#"[{"n":"/16/1/0/0","vs":"c"}]"#;
    assert_eq!(harness.code(post("16").content_format(JSON).payload(instance)), "2.01");
    let notified = harness.notified();
    assert_eq!(notified.len(), 1);
    assert!(notified[0].1.contains("/16/0/0/0") && notified[0].1.contains("/16/1/0/0"));
    assert_eq!(harness.code(crate::harness::delete("16/0")), "2.02");
    assert_eq!(harness.notified(), [(0.0, r#"[{"n":"/16/1/0/0","vs":"c"}]"#.to_owned())]);
}

// proves: COMP-08
#[test]
fn one_notification_holds_all_targets() {
    let mut harness = harness(Version::V1_1);
    assert_eq!(harness.code(attributes("1/0/1", "pmin=30&pmax=45")), "2.04");
    observe(&mut harness, fetch(&["/1/0/1", "/3/0/11/0", "/3/0/16"]));
    harness.run(46.0);
    let notified = harness.notified();
    assert_eq!(notified.len(), 1);
    assert!((30.0..=45.5).contains(&notified[0].0), "{notified:?}");
    let all = r#"[{"n":"/1/0/1","v":86400},{"n":"/3/0/11/0","v":0},{"n":"/3/0/16","vs":"U"}]"#;
    assert_eq!(notified[0].1, all);
    // A change within pmin of its target waits; one of another target does not.
    harness.run(1.0);
    assert_eq!(harness.code(put("1/0/1").content_format(TEXT).payload("500")), "2.04");
    assert!(harness.notified().is_empty());
    harness.set("3/0/16", "UQ");
    assert_eq!(harness.notified().len(), 1);
}

#[test]
fn each_target_has_conditions_of_its_own() {
    let mut harness = harness(Version::V1_1);
    harness.ask(attributes("3303/0/5700", "gt=30"));
    observe(&mut harness, fetch(&["/3303/0/5700", "/3302/0/5500"]));
    harness.set("3303/0/5700", 25.0);
    assert!(harness.notified().is_empty());
    harness.set("3302/0/5500", true);
    harness.set("3303/0/5700", 31.0);
    let notified = harness.notified();
    assert_eq!(notified.len(), 2);
    assert!(notified[0].1.contains("25") && notified[1].1.contains("31"), "{notified:?}");
}

#[test]
fn a_cancelled_composite_is_silent() {
    let mut harness = harness(Version::V1_1);
    let (id, _) = observe(&mut harness, fetch(&["/3303/0/5700", "/3302/0/5500"]));
    let other = harness.ask(fetch(&["/3303/0/5700"]).observe(1));
    assert_eq!((other.code.to_string().as_str(), other.options.observe()), ("2.05", None));
    harness.set("3303/0/5700", 25.0);
    assert_eq!(harness.notified().len(), 1);
    let now = harness.sim.now;
    let cancel = harness.coap(0).cancel_observation(now, id).unwrap();
    harness.settle();
    let answer = harness.answer(0, cancel).unwrap();
    assert!(content(&answer).contains("25") && answer.options.observe().is_none());
    harness.set("3303/0/5700", 26.0);
    assert!(harness.notified().is_empty());
    let path = lwm2m_core::Path::ROOT;
    assert!(harness.events.contains(&Event::ObservationEnded { server: 1, path }));
}

// proves: COMP-10
#[test]
fn a_composite_may_bring_its_own_attributes() {
    let mut harness = harness(Version::V1_2);
    harness.ask(attributes("3303", "pmax=300"));
    let before = harness.discover("3303");
    for query in ["gt=5", "hqmax=3", "x=1"] {
        let refused = fetch(&["/3303/0/5700", "/3/0/9"]).query(query).observe(0);
        assert_eq!(harness.code(refused), "4.00", "{query}");
    }
    let own = fetch(&["/3303/0/5700", "/3/0/9"]).query("pmin=2").query("pmax=10");
    observe(&mut harness, own);
    harness.run(31.0);
    let times: Vec<_> = harness.notified().iter().map(|(time, _)| time.round()).collect();
    assert_eq!(times, [10.0, 20.0, 30.0]);
    harness.set("3303/0/5700", 25.0);
    assert!(harness.notified().is_empty());
    harness.run(1.5);
    assert_eq!(harness.notified().len(), 1);
    assert_eq!(harness.discover("3303"), before);
}

#[test]
fn the_last_instance_of_a_mandatory_resource_stays() {
    let mut harness = harness(Version::V1_2);
    let records = r#"[{"n":"/16/1/0/0","v":null}]"#;
    assert_eq!(harness.code(ipatch(records).content_format(ETCH_JSON)), "4.05");
    assert_eq!(harness.text("16/1/0/0"), "c");
}
