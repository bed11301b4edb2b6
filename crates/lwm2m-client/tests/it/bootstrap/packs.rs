//! Bootstrap-Pack-Request: all accounts in one answer.

use super::*;

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

fn packing() -> Harness {
    let format = Some(ContentFormat::LWM2M_CBOR);
    let mut account = account().pack(true);
    account.format = format;
    let config = Config::new("test").bootstrap(account).version(Version::V1_2);
    Harness::new(config, objects())
}

// proves: BOOT-25
#[test]
fn a_pack_takes_the_place_of_the_objects_in_it() {
    let mut harness = packing();
    let first = [
        ("/0/1", security_of(1, 1)),
        ("/1/5", settings(1)),
        ("/16/4", ObjectInstance::default().with_multiple(0, [(0, "new")])),
    ];
    harness.answers(BS).push_back(pack(&first));
    harness.start();
    assert_eq!(harness.heard_by(BS), ["0 GET /bspack ep=test&acc=</0/0>"]);
    assert!(harness.events.contains(&Event::Bootstrapped));
    assert!(harness.heard_by(1)[0].contains("</1/5>,</3/0>"), "registered");
    assert!(harness.discover_as(1, "/16").contains("</16/4>"));
    assert!(!harness.discover_as(1, "/16").contains("</16/0>"));

    let second = [("/0/1", security_of(1, 1)), ("/1/0", settings(1))];
    harness.answers(BS).push_back(pack(&second));
    assert_eq!(harness.ask_as(1, post("/1/5/9")).code, Code::CHANGED);
    let servers = harness.discover_as(1, "/1");
    assert!(servers.contains("</1/0>") && !servers.contains("</1/5>"), "{servers}");
    assert!(harness.discover_as(1, "/16").contains("</16/4>"));

    harness.heard_by(BS);
    harness.answers(BS).push_back(pack(&[("/0/1", security_of(1, 1))]));
    assert_eq!(harness.ask_as(1, post("/1/0/9")).code, Code::CHANGED);
    assert_eq!(
        harness.heard_by(BS),
        ["0 GET /bspack ep=test&acc=</0/0>", "0 POST /bs ep=test&pct=11544"]
    );
    assert_eq!(discover(&mut harness, "/0").matches("</0/").count(), 2);
}

#[test]
fn without_a_pack_there_is_the_other_way() {
    for code in [Code::NOT_IMPLEMENTED, Code::METHOD_NOT_ALLOWED] {
        let mut harness = packing();
        harness.answers(BS).push_back(Response::new(code));
        harness.start();
        assert_eq!(
            harness.heard_by(BS),
            ["0 GET /bspack ep=test&acc=</0/0>", "0 POST /bs ep=test&pct=11544"]
        );
        provision(&mut harness);
    }
}

#[test]
fn a_pack_cannot_take_the_place_of_the_bootstrap_server() {
    let mut harness = packing();
    let instances = [("/0/0", security_of(1, 1)), ("/1/0", settings(1))];
    let more = [("/0/1", security_of(2, 2)), ("/1/1", settings(2))];
    harness.answers(BS).push_back(pack(&[instances, more].concat()));
    harness.start();
    assert_eq!(harness.heard_by(BS).last().unwrap(), "0 POST /bs ep=test&pct=11544");
    assert_eq!(discover(&mut harness, "/0"), "</>;lwm2m=1.2,</0/0>");
}
