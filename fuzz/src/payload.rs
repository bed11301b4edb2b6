//! What holds for a payload of any format: it never takes more memory than a multiple of its bytes,
//! and what decodes is encoded in the same format and decodes to the same again.
//!
//! The first byte of the input chooses path, alternate path and model, the others are the payload.

use crate::allocation::within;
use core::fmt::Debug;
use lwm2m_codec::{Reading, Writing, composite, supports};
use lwm2m_core::{ContentFormat, DataType, Model, Operations, Path, ResourceModel, model::NoModel};

/// Bytes of a tree for each byte of the payload: four bytes may be a map with one value, and a node
/// of a map has room for eleven.
const TREE: usize = 192;
/// What a payload of no bytes may take.
const BASE: usize = 4096;

/// Checks a payload of a format for trees or single values.
pub fn check(format: ContentFormat, input: &[u8]) {
    let Some((&place, payload)) = input.split_first() else { return };
    let path = Path::from_ids(&[3, 0, 6, 1][..usize::from(place) % 5]).expect("small ids");
    let model: &dyn Model = if place < 128 { &ByNumber } else { &NoModel };
    let root = if place & 64 == 0 { "" } else { "/r" };
    let lenient = Reading::lenient(model).below(root);
    let strict = Reading::strict(model).below(root);
    let limit = BASE + TREE * payload.len();
    let _ = within(limit, || lenient.decode_timed(format, &path, payload));
    let _ = within(limit, || lenient.decode_create(format, 3, payload));
    let strictly = within(limit, || strict.decode(format, &path, payload));
    let Ok(node) = within(limit, || lenient.decode(format, &path, payload)) else {
        assert!(strictly.is_err(), "strict reads no more than lenient");
        return;
    };
    // As text, since a NaN is not equal to itself. Times of LwM2M CBOR are written without a tag, as
    // in OMA's samples: only a model that knows the resource tells them again.
    let text = |result: &dyn Debug| match format {
        ContentFormat::LWM2M_CBOR => format!("{result:?}").replace("Time(", "Integer("),
        _ => format!("{result:?}"),
    };
    assert_eq!(strictly.is_ok(), lenient.forgiven().count() == 0, "{strictly:?} {lenient:?}");
    assert!(supports(format.canonical(), &path), "{format} at {path}");
    let encoded = Writing::below(root).encode(format, &path, &node).expect("what was decoded");
    let again = strict.decode(format, &path, &encoded);
    assert_eq!(text(&again.map_err(|_| ())), text(&Ok::<_, ()>(&node)));
}

/// Checks a Fetch Pack or Patch Pack.
pub fn check_pack(format: ContentFormat, payload: &[u8]) {
    let reading = Reading::lenient(&ByNumber);
    let limit = BASE + TREE * payload.len();
    if let Ok(paths) = within(limit, || reading.decode_paths(format, payload)) {
        let encoded = composite::encode_paths(format, &paths).expect("what was decoded");
        assert_eq!(composite::decode_paths(format, &encoded), Ok(paths));
    }
    if let Ok(changes) = within(limit, || reading.decode_changes(format, payload)) {
        let encoded = composite::encode_changes(format, &changes).expect("what was decoded");
        let again = composite::decode_changes(format, &encoded, &ByNumber);
        assert_eq!(again, Ok(changes));
    }
}

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
