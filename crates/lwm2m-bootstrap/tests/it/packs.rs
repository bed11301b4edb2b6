//! Bootstrap-Pack-Request: all at once, in the answer.

use crate::harness::{Harness, bspack};
use lwm2m_bootstrap::{Config, Event, Packs};
use lwm2m_coap::Code;
use lwm2m_core::{ContentFormat, Path};
use lwm2m_objects::Registry;

#[test]
fn a_pack_has_all_that_is_written() {
    for format in [110, 112, 11_544] {
        let mut harness = Harness::new(Config::default());
        let answer = harness.ask(bspack("ep=a&acc=</0/0>", format));
        let answered = (answer.code, answer.options.content_format());
        assert_eq!(answered, (Code::CONTENT, Some(format)));
        let model = Registry::builtin().model(&[]);
        let format = ContentFormat(format);
        let node = lwm2m_codec::decode(format, &Path::ROOT, &answer.payload, &model).unwrap();
        let leaves = node.leaves(&Path::ROOT);
        let paths: Vec<_> = leaves.iter().map(|(path, _)| path.to_string()).collect();
        assert_eq!(paths, ["/0/1/0", "/0/1/10", "/1/0/0", "/1/0/1", "/1/0/23"]);
        assert_eq!(harness.events, [Event::Packed { endpoint: "a".to_owned() }]);
        assert!(harness.commands().is_empty());
    }
}

#[test]
fn packs_are_refused_as_configured_and_for_strangers() {
    for (packs, code) in
        [(Packs::Unsupported, Code::NOT_IMPLEMENTED), (Packs::Refused, Code::METHOD_NOT_ALLOWED)]
    {
        let mut harness = Harness::new(Config { packs, ..Config::default() });
        assert_eq!(harness.ask(bspack("ep=a", 112)).code, code);
    }
    let mut harness = Harness::new(Config::default());
    for (query, accept, code) in [
        ("ep=b", 112, Code::BAD_REQUEST),
        ("", 112, Code::BAD_REQUEST),
        ("ep=a", 11_542, Code::NOT_ACCEPTABLE),
        ("ep=a", 9999, Code::NOT_ACCEPTABLE),
    ] {
        assert_eq!(harness.ask(bspack(query, accept)).code, code, "{query} {accept}");
    }
    assert!(harness.events.is_empty());
}
