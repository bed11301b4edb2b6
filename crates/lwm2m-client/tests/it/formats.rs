//! Content formats that came and went with versions.

use crate::harness::{Harness, config, get, hex, post, put};
use lwm2m_coap::Code;
use lwm2m_core::Version;

// proves: OJSON-02
#[test]
fn oma_json_is_never_sent_since_1_1() {
    for version in [Version::V1_1, Version::V1_2] {
        let mut harness = Harness::registered(config().version(version));
        for path in ["3", "3/0", "3/0/9"] {
            assert_eq!(harness.code(get(path).accept(11_543)), "4.06", "{path}");
            assert_ne!(harness.ask(get(path)).options.content_format(), Some(11_543));
        }
        let text = r#"{"bn":"/1/0/2","e":[{"v":5}]}"#;
        assert_eq!(harness.code(put("1/0/2").content_format(11_543).payload(text)), "4.15");
    }
}

// proves: LCBOR-06
#[test]
fn the_id_65535_in_create_leaves_the_choice_to_the_client() {
    let mut harness = Harness::registered(config().version(Version::V1_2));
    // {[16, 65535]: {0: {0: "abc"}}}, then the same with the id 9.
    let cases = [
        ("A1 82 10 19FFFF A1 00 A1 00 63616263", Some("2")),
        ("A1 82 10 09 A1 00 A1 00 63616263", None),
    ];
    for (payload, chosen) in cases {
        let answer = harness.ask(post("16").content_format(11_544).payload(hex(payload)));
        assert_eq!(answer.code, Code::CREATED);
        let location: Vec<_> = answer.options.location_path().map(<[u8]>::to_vec).collect();
        if let Some(id) = chosen {
            assert_eq!(location, [b"16".to_vec(), id.as_bytes().to_vec()]);
        }
        let path = format!("16/{}/0/0", chosen.unwrap_or("9"));
        assert_eq!(harness.text(&path), "abc");
    }
}
