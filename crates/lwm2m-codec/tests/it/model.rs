//! The object definitions that the tests use.

use lwm2m_core::{DataType, Model, Operations, ResourceModel};

/// Some resources of OMA's objects, and object 1000 with a resource of each type: IDs 0 to 8 are
/// single-instance, IDs 10 to 18 multiple-instance.
pub(crate) struct TestModel;

const SINGLE: [(u16, u16, DataType); 30] = [
    (1, 0, DataType::Integer),
    (1, 1, DataType::Integer),
    (1, 2, DataType::Integer),
    (1, 3, DataType::Integer),
    (1, 5, DataType::Integer),
    (1, 6, DataType::Boolean),
    (1, 7, DataType::String),
    (2, 0, DataType::Integer),
    (2, 1, DataType::Integer),
    (2, 3, DataType::Integer),
    (3, 0, DataType::String),
    (3, 1, DataType::String),
    (3, 2, DataType::String),
    (3, 3, DataType::String),
    (3, 4, DataType::None),
    (3, 9, DataType::Integer),
    (3, 10, DataType::Integer),
    (3, 13, DataType::Time),
    (3, 14, DataType::String),
    (3, 15, DataType::String),
    (3, 16, DataType::String),
    (5, 0, DataType::Opaque),
    (65, 1, DataType::String),
    (65, 2, DataType::Integer),
    (66, 0, DataType::String),
    (66, 1, DataType::String),
    (66, 2, DataType::ObjectLink),
    (72, 2, DataType::Float),
    (3303, 5700, DataType::Float),
    (3311, 5850, DataType::Boolean),
];

const MULTIPLE: [(u16, u16, DataType); 8] = [
    (2, 2, DataType::Integer),
    (3, 6, DataType::Integer),
    (3, 7, DataType::Integer),
    (3, 8, DataType::Integer),
    (3, 11, DataType::Integer),
    (16, 0, DataType::String),
    (19, 0, DataType::Opaque),
    (65, 0, DataType::ObjectLink),
];

impl Model for TestModel {
    fn resource(&self, object: u16, resource: u16) -> Option<ResourceModel> {
        let find = |table: &[(u16, u16, DataType)]| {
            let row = table.iter().find(|(o, r, _)| (*o, *r) == (object, resource));
            row.map(|(.., data_type)| *data_type)
        };
        let (data_type, multiple) = match (object, find(&SINGLE), find(&MULTIPLE)) {
            (1000, ..) => (*DataType::OF_VALUES.get(usize::from(resource % 10))?, resource >= 10),
            (_, Some(data_type), _) => (data_type, false),
            (_, None, Some(data_type)) => (data_type, true),
            _ => return None,
        };
        (resource < 20 || object != 1000).then_some(ResourceModel {
            data_type,
            multiple,
            operations: Operations::RW,
            mandatory: false,
        })
    }

    fn multiple_instances(&self, object: u16) -> Option<bool> {
        Some(object != 3)
    }
}

/// Decodes hexadecimal text, ignoring blanks.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}
