//! Values against types and ranges.

use lwm2m_core::{DataType, ObjectLink, Operations, Resource, Value};
use lwm2m_objects::{Range, RangeError, Registry, ResourceDefinition};
use std::collections::BTreeMap;

fn resource(object: u16, id: u16) -> &'static ResourceDefinition {
    let object = Registry::builtin().object(object, None).expect("a built-in object");
    object.resource(id).expect("a resource of it")
}

fn with_range(data_type: DataType, range: &str) -> ResourceDefinition {
    ResourceDefinition::new(1, "Example", data_type, Operations::RW).with_range(range)
}

// proves: MODEL-02
#[test]
fn bounds_are_inclusive_and_limit_bytes_of_texts() {
    let battery = resource(3, 9);
    for (value, fits) in [(-1, false), (0, true), (100, true), (101, false)] {
        assert_eq!(battery.check(&Value::Integer(value)).is_ok(), fits, "{value}");
    }
    let uri = resource(0, 0);
    assert!(uri.check(&"u".repeat(255).into()).is_ok());
    assert_eq!(uri.check(&"u".repeat(256).into()), Err(RangeError::OutOfRange { resource: 0 }));
    assert!(uri.check(&"\u{e4}".repeat(128).into()).is_err(), "bytes, not characters");
    let key = resource(0, 8);
    for (length, fits) in [(15, false), (16, true), (17, false), (32, true), (48, true)] {
        assert_eq!(key.check(&Value::Opaque(vec![0; length].into())).is_ok(), fits, "{length}");
    }
    let choice = with_range(DataType::String, "\"on\", \"off\"");
    assert!(choice.check(&"off".into()).is_ok());
    assert!(choice.check(&"of".into()).is_err());
}

#[test]
fn each_type_takes_its_own_values_alone() {
    let values = [
        Value::String("text".into()),
        Value::Integer(1),
        Value::UnsignedInteger(1),
        Value::Float(1.0),
        Value::Boolean(true),
        Value::Opaque(vec![1].into()),
        Value::Time(1),
        Value::ObjectLink(ObjectLink::NULL),
        Value::CoreLink("</3/0>".into()),
    ];
    for expected in values.iter().map(Value::data_type) {
        let definition = ResourceDefinition::new(7, "Example", expected, Operations::R);
        for value in &values {
            let found = value.data_type();
            let error = RangeError::Type { resource: 7, expected, found };
            let result = if found == expected { Ok(()) } else { Err(error) };
            assert_eq!(definition.check(value), result);
        }
    }
    assert!(resource(3, 4).check(&Value::Integer(1)).is_err(), "Reboot has no value");
    let untyped = resource(10482, 5);
    assert!(untyped.check(&Value::Integer(1)).is_ok(), "Read data: the registry tells no type");
}

#[test]
fn numbers_beyond_the_bounds() {
    let all = with_range(DataType::UnsignedInteger, "0..18446744073709551615");
    assert!(all.check(&Value::UnsignedInteger(u64::MAX)).is_ok());
    let float = with_range(DataType::Float, "-1..1");
    assert!(float.check(&Value::Float(-1.0)).is_ok());
    for bad in [1.1, f64::NAN, f64::NEG_INFINITY] {
        assert!(float.check(&Value::Float(bad)).is_err(), "{bad}");
    }
}

#[test]
fn spellings_of_ranges() {
    let integers = |text| Range::parse(text, DataType::Integer);
    let read = |list: &[(i128, i128)]| {
        Some(Range::Integer(list.iter().map(|(low, high)| *low..=*high).collect()))
    };
    assert_eq!(integers("1...63"), read(&[(1, 63)]));
    assert_eq!(integers("0-7"), read(&[(0, 7)]));
    assert_eq!(integers("-30..-120"), read(&[(-120, -30)]));
    assert_eq!(integers("0..247, 255"), read(&[(0, 247), (255, 255)]));
    assert_eq!(integers("1: normal 2: remote 255: none"), read(&[(1, 1), (2, 2), (255, 255)]));
    let floats = Range::parse("0; 3.8..20.5", DataType::Float);
    assert_eq!(floats, Some(Range::Float(vec![0.0..=0.0, 3.8..=20.5])));
    let lengths = |text, kind| match Range::parse(text, kind) {
        Some(Range::Length(list)) => list,
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(lengths("10 or 26 Bytes", DataType::String), [10..=10, 26..=26]);
    assert_eq!(lengths("16-32-48 bytes", DataType::Opaque), [16..=16, 32..=32, 48..=48]);
    assert_eq!(lengths("64 Bytes", DataType::String), [0..=64]);
    assert_eq!(lengths("6 bytes", DataType::Opaque), [6..=6]);
    for prose in [
        "",
        "255",
        "inf..nan",
        "..",
        "1..",
        "-",
        "a: 1: b",
        "0..99999999999999999999999999999999999999999",
    ] {
        assert_eq!(integers(prose), None, "{prose}");
    }
}

#[test]
fn single_and_multiple_resources() {
    let (battery, sources) = (resource(3, 9), resource(3, 6));
    let single = Resource::Single(Value::Integer(1));
    let several = |values: [i64; 2]| {
        Resource::Multiple(BTreeMap::from([(0, values[0].into()), (1, values[1].into())]))
    };
    assert_eq!(battery.check_resource(&single), Ok(()));
    assert_eq!(
        battery.check_resource(&several([1, 2])),
        Err(RangeError::Instances { resource: 9 })
    );
    assert_eq!(sources.check_resource(&several([1, 2])), Ok(()));
    assert_eq!(
        sources.check_resource(&several([1, 99])),
        Err(RangeError::OutOfRange { resource: 6 })
    );
    assert_eq!(sources.check_resource(&single), Err(RangeError::Instances { resource: 6 }));
}
