//! Hostile input.

use crate::model::{TestModel, hex};
use lwm2m_codec::{DecodeCause, Reading, decode, decode_create, decode_timed, encode, supports};
use lwm2m_core::model::NoModel;
use lwm2m_core::{ContentFormat, Node, ObjectInstance, Path};
use proptest::prelude::*;
use rustix::time::{ClockId, clock_gettime};

const PATHS: [Path; 6] = [
    Path::ROOT,
    Path::object(3),
    Path::instance(3, 0),
    Path::resource(3, 0, 6),
    Path::resource(3, 0, 9),
    Path::resource_instance(3, 0, 6, 1),
];

fn survive(payload: &[u8]) {
    for format in ContentFormat::ALL {
        for path in &PATHS {
            let typed = decode(*format, path, payload, &TestModel);
            let untyped = decode(*format, path, payload, &NoModel);
            let timed = decode_timed(*format, path, payload, &TestModel);
            assert!(typed.is_err() || (untyped.is_ok() || timed.is_ok()));
        }
        let _ = decode_create(*format, 3, payload, &TestModel);
    }
}

proptest! {
    #[test]
    fn any_bytes(payload in proptest::collection::vec(any::<u8>(), 0..200)) {
        survive(&payload);
    }

    #[test]
    fn nearly_right_bytes(place in 0usize..121, byte in any::<u8>(), cut in 0usize..122) {
        let mut payload = hex("C800144F70656E204D6F62696C6520416C6C69616E6365
            C801164C69676874776569676874204D324D20436C69656E74 C80209333435303030313233 C303312E30
            8606410001410105 88070842000ED842011388 870841007D42010384 C10964 C10A0F 830B410000
            C40D5182428F C60E2B30323A3030 C11055");
        payload[place] = byte;
        payload.truncate(cut);
        survive(&payload);
    }

    #[test]
    fn nearly_right_text(text in r#"\[(\{"(n|bn|v|vs|vb|t|bv)":("/3/0/9"|-?[0-9.e]{1,6}|true)\},?)*\]?"#) {
        survive(text.as_bytes());
    }
}

// proves: CBOR-04
#[test]
fn nested_and_endless_cbor_is_refused() {
    let nested = [0x81; 10_000];
    let maps = hex(&"A100".repeat(10_000));
    let endless = hex("5BFFFFFFFFFFFFFFFF");
    let unknown = [&hex("81A11864")[..], &nested[..]].concat();
    let tags = [0xC1; 10_000];
    for payload in [&nested[..], &maps, &endless, &unknown, &tags, &hex("9BFFFFFFFFFFFFFFFF")] {
        for format in [ContentFormat::CBOR, ContentFormat::SENML_CBOR, ContentFormat::LWM2M_CBOR] {
            for path in PATHS.iter().skip(4) {
                let result = decode(format, path, payload, &TestModel);
                assert!(result.is_err(), "{format} {path} {result:?}");
            }
        }
        survive(payload);
    }
}

/// The processor time of this thread, in seconds.
fn processor_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Whether `large` takes less than `limit` times as much processor time as `small`. One of several tries
/// suffices, because a busy machine may slow any of them down.
fn is_below(limit: f64, mut large: impl FnMut(), mut small: impl FnMut()) -> bool {
    let fastest = |run: &mut dyn FnMut()| {
        let mut time = || {
            let begin = processor_time();
            run();
            processor_time() - begin
        };
        (0..3).map(|_| time()).fold(f64::MAX, f64::min).max(1e-9)
    };
    (0..10).any(|_| fastest(&mut large) / fastest(&mut small) < limit)
}

#[test]
fn time_is_linear_even_with_a_long_base_name() {
    let pack = |count: usize| {
        let records: Vec<_> = (0..count).map(|id| format!(r#"{{"n":"{id}","v":1}}"#)).collect();
        format!(r#"[{{"bn":"/9/0/","n":"60000","v":1}},{}]"#, records.join(","))
    };
    let (small, large) = (pack(1_000), pack(32_000));
    let path = Path::instance(9, 0);
    assert!(decode(ContentFormat::SENML_JSON, &path, large.as_bytes(), &NoModel).is_ok());
    let read = |pack: &str| {
        drop(decode(ContentFormat::SENML_JSON, &path, pack.as_bytes(), &NoModel));
    };
    assert!(is_below(300.0, || read(&large), || read(&small)), "more than linear");
    let long = format!(
        r#"[{{"bn":"{}"}},{}{{"n":"1"}}]"#,
        "a".repeat(100_000),
        r#"{"n":"1"},"#.repeat(50_000)
    );
    assert!(decode(ContentFormat::SENML_JSON, &path, long.as_bytes(), &NoModel).is_err());
}

#[test]
fn every_tree_format_is_linear_to_ten_thousand_resources() {
    let path = Path::instance(9, 0);
    let node = |count: u16| {
        let instance = ObjectInstance::default();
        Node::ObjectInstance((0..count).fold(instance, |i, id| i.with(id, i64::from(id))))
    };
    let (small, large) = (node(1_000), node(10_000));
    for format in ContentFormat::ALL.iter().filter(|format| supports(**format, &path)) {
        let payload = |node| encode(*format, &path, node).unwrap();
        let read = |payload: &[u8]| drop(decode(*format, &path, payload, &NoModel).unwrap());
        let (short, long) = (payload(&small), payload(&large));
        // Linear time is 10 times as much, quadratic time 100 times. The limit leaves room for noise.
        let writing = is_below(40.0, || drop(payload(&large)), || drop(payload(&small)));
        let reading = is_below(40.0, || read(&long), || read(&short));
        assert!(writing && reading, "{format}: linear to write: {writing}, to read: {reading}");
    }
}

#[test]
fn a_payload_of_more_values_than_wanted_is_refused_in_every_format() {
    let instance = ObjectInstance::default().with_multiple(6, (0..40).map(|id| (id, 1_i64)));
    let (path, node) = (Path::instance(3, 0), Node::ObjectInstance(instance));
    let formats = [ContentFormat::TLV, ContentFormat::SENML_JSON, ContentFormat::SENML_CBOR];
    for format in formats.into_iter().chain([ContentFormat::LWM2M_CBOR]) {
        let payload = encode(format, &path, &node).unwrap();
        let reading = |max| Reading::lenient(&TestModel).at_most(max);
        let timed = |max| reading(max).decode_timed(format, &path, &payload);
        let tree = |max| reading(max).decode(format, &path, &payload);
        assert_eq!(timed(40).unwrap().len(), 40, "{format}");
        assert_eq!(timed(39).unwrap_err().cause, DecodeCause::TooManyValues, "{format}");
        // The resource that holds the values counts as well, where the format has it.
        assert_eq!(tree(41).unwrap(), node, "{format}");
        assert_eq!(tree(39).unwrap_err().cause, DecodeCause::TooManyValues, "{format}");
    }
}
