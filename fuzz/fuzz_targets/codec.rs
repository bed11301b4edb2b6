//! A payload that decodes is encoded in the same format, and that decodes to the same node.
//!
//! The first byte chooses the format, the second the path and whether the model is known.
#![no_main]

use libfuzzer_sys::fuzz_target;
use lwm2m_codec::{decode, decode_create, decode_timed, encode, supports};
use lwm2m_core::{ContentFormat, DataType, Model, Operations, Path, ResourceModel, model::NoModel};

fuzz_target!(|input: &[u8]| {
    let Some((&[format, place], payload)) = input.split_first_chunk() else { return };
    let format = ContentFormat::ALL[usize::from(format) % ContentFormat::ALL.len()];
    let path = Path::from_ids(&[3, 0, 6, 1][..usize::from(place) % 5]).expect("small ids");
    let model: &dyn Model = if place < 128 { &ByNumber } else { &NoModel };
    let _ = decode_timed(format, &path, payload, model);
    let _ = decode_create(format, 3, payload, model);
    if let Ok(node) = decode(format, &path, payload, model) {
        assert!(supports(format, &path), "{format} at {path}");
        let encoded = encode(format, &path, &node).expect("what was decoded");
        let again = decode(format, &path, &encoded, model);
        // As text, since a NaN is not equal to itself.
        assert_eq!(format!("{again:?}"), format!("{:?}", Ok::<_, ()>(node)));
    }
});

/// The id of a resource gives its type and, beyond ten, that it is a multiple one.
struct ByNumber;

impl Model for ByNumber {
    fn resource(&self, _object: u16, resource: u16) -> Option<ResourceModel> {
        let data_type = match resource % 10 {
            0 => DataType::String,
            1 => DataType::Integer,
            2 => DataType::UnsignedInteger,
            3 => DataType::Float,
            4 => DataType::Boolean,
            5 => DataType::Opaque,
            6 => DataType::Time,
            7 => DataType::ObjectLink,
            8 => DataType::CoreLink,
            _ => return None,
        };
        let multiple = resource / 10 % 2 == 1;
        Some(ResourceModel { data_type, multiple, operations: Operations::RW, mandatory: false })
    }

    fn multiple_instances(&self, _object: u16) -> Option<bool> {
        Some(true)
    }
}
