//! The built-in definitions are complete.

use lwm2m_core::{DataType, ObjectVersion, Operations, Version};
use lwm2m_objects::{ObjectDefinition, Registry, default_version};
use std::collections::BTreeSet;

const V1_1: ObjectVersion = ObjectVersion::new(1, 1);

fn object(id: u16, minor: u8) -> &'static ObjectDefinition {
    let version = ObjectVersion::new(1, minor);
    let object = Registry::builtin().object(id, Some(version)).expect("a built-in object");
    assert_eq!((object.id(), object.version()), (id, version));
    object
}

#[test]
fn all_objects_and_resources_are_there() {
    let objects: Vec<_> = Registry::builtin().objects().collect();
    assert_eq!(objects.len(), 424);
    assert_eq!(objects.iter().map(|o| o.resources().count()).sum::<usize>(), 4506);
    assert!(objects.is_sorted_by(|a, b| (a.id(), a.version()) < (b.id(), b.version())));
    for object in objects {
        assert!(object.resources().is_sorted_by(|a, b| a.id() < b.id()), "{}", object.urn());
        assert!(!object.name().is_empty());
        assert!(object.urn().contains(&format!(":{}", object.id())), "{}", object.urn());
        for resource in object.resources() {
            assert_eq!(object.resource(resource.id()), Some(resource));
            assert!(!resource.name().is_empty());
        }
    }
}

#[test]
fn security_server_and_device() {
    let security = object(0, 0);
    assert_eq!(
        (security.name(), security.multiple(), security.mandatory()),
        ("LWM2M Security", true, true)
    );
    assert_eq!(security.urn(), "urn:oma:lwm2m:oma:0");
    assert_eq!(security.resource(0).unwrap().operations(), Operations::NONE);
    assert_eq!(object(0, 2).resources().count(), 31);
    assert_eq!(object(1, 0).resource(8).unwrap().data_type(), DataType::None);
    assert!(object(1, 0).resource(8).unwrap().operations().executable());
    let device = object(3, 1);
    assert!(!device.multiple());
    assert_eq!((device.urn(), device.lwm2m_version()), ("urn:oma:lwm2m:oma:3:1.1", Version::V1_1));
    let sources = device.resource(6).unwrap();
    assert_eq!((sources.name(), sources.multiple()), ("Available Power Sources", true));
    assert_eq!(device.resource(9).unwrap().units(), "%");
    assert_eq!(device.resource(77), None);
    assert_eq!(object(5, 1).resource(0).unwrap().operations(), Operations::W);
}

#[test]
fn temperature_has_two_versions() {
    let old: Vec<_> = object(3303, 0).resources().map(|r| r.id()).collect();
    let new: Vec<_> = object(3303, 1).resources().map(|r| r.id()).collect();
    assert_eq!(old, [5601, 5602, 5603, 5604, 5605, 5700, 5701]);
    assert_eq!(new, [5518, 5601, 5602, 5603, 5604, 5605, 5700, 5701, 5750, 6042, 6049, 6050]);
    let value = object(3303, 0).resource(5700).unwrap();
    assert_eq!((value.data_type(), value.mandatory()), (DataType::Float, true));
    let versions = Registry::builtin().versions(3303);
    assert!(versions.iter().map(|d| d.version()).eq([ObjectVersion::V1_0, V1_1]));
}

/// Ranges that are too vague to be enforced. Each was reviewed.
const PROSE: &[(DataType, &str)] = &[
    (DataType::Boolean, "0..65535"),
    (DataType::Float, "ON;OFF"),
    (DataType::Integer, "1 bytes"),
    (DataType::Integer, "16-bit"),
    (DataType::Integer, "2 Instances"),
    (DataType::Integer, "2 bytes"),
    (DataType::Integer, "255"),
    (DataType::Integer, "8 bit"),
    (DataType::Integer, "8-Bits"),
    (DataType::Integer, "<7 to >12.5"),
    (DataType::Integer, "[1:4]"),
    (DataType::Opaque, "8 bit"),
    (DataType::String, "The possible values are those listed in the LwM2M Core Specification"),
    (DataType::String, "The possible values of Resource are listed in 5.3.1.1"),
];

#[test]
fn every_range_is_read_or_known_to_be_prose() {
    let resources = Registry::builtin().objects().flat_map(ObjectDefinition::resources);
    let unread: BTreeSet<_> = resources
        .filter(|r| !r.range_text().is_empty() && r.range().is_none())
        .map(|r| (r.data_type().name(), r.range_text()))
        .collect();
    let known: BTreeSet<_> = PROSE.iter().map(|(kind, text)| (kind.name(), *text)).collect();
    assert_eq!(unread, known);
}

// The table of requirement MODEL-04; a test of the server proves the rest.
#[test]
fn versions_that_registrations_leave_out() {
    let resolved = |enabler| {
        [0, 1, 2, 3, 4, 5, 6, 7, 21, 3303, 10300].map(|id| default_version(enabler, id).to_string())
    };
    assert_eq!(resolved(Version::V1_0), ["1.0"; 11]);
    let of_1_1 = ["1.1", "1.1", "1.0", "1.1", "1.2", "1.0", "1.0", "1.0", "1.0", "1.0", "1.0"];
    assert_eq!(resolved(Version::V1_1), of_1_1);
    let of_1_2 = ["1.2", "1.2", "1.1", "1.2", "1.3", "1.1", "1.0", "1.0", "2.0", "1.0", "1.0"];
    assert_eq!(resolved(Version::V1_2), of_1_2);
}

#[test]
fn default_versions_are_built_in() {
    for (enabler, ids) in [(Version::V1_1, 0..=7), (Version::V1_2, 0..=7)] {
        for id in ids {
            let version = default_version(enabler, id);
            let found = Registry::builtin().object(id, Some(version)).unwrap();
            assert_eq!(found.version(), version, "object {id} of {enabler}");
        }
    }
}
