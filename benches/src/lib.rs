//! What the benchmarks measure with: the same messages and values for us and for the peers.
//!
//! `cargo bench -p lwm2m-benches --features peers` runs the peers too. Only times of one run on
//! one machine compare.

use lwm2m_core::{Node, ObjectInstance};

/// A value of a resource.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Value {
    /// An Integer.
    Integer(i64),
    /// A String.
    String(&'static str),
}

/// A resource with its id.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Resource {
    /// One value.
    Single(u16, Value),
    /// Values with the ids of their resource instances.
    Multiple(u16, Vec<(u16, i64)>),
}

/// The base name of SenML packs with these resources.
pub const BASE_NAME: &str = "/3/0/";

/// The 16 values of the device object in the example of OMA LwM2M Core 7.4.
#[must_use]
pub fn device() -> Vec<Resource> {
    use Resource::{Multiple, Single};
    use Value::{Integer, String};
    vec![
        Single(0, String("Open Mobile Alliance")),
        Single(1, String("Lightweight M2M Client")),
        Single(2, String("345000123")),
        Single(3, String("1.0")),
        Multiple(6, vec![(0, 1), (1, 5)]),
        Multiple(7, vec![(0, 3800), (1, 5000)]),
        Multiple(8, vec![(0, 125), (1, 900)]),
        Single(9, Integer(100)),
        Single(10, Integer(15)),
        Multiple(11, vec![(0, 0)]),
        Single(13, Integer(1_367_491_215)),
        Single(14, String("+02:00")),
        Single(16, String("U")),
    ]
}

/// What a device of some size answers to a Read of `/3/0`: 15 values.
#[must_use]
pub fn device_object() -> Node {
    let instance = ObjectInstance::default()
        .with(0, "Open Mobile Alliance")
        .with(1, "Lightweight M2M Client")
        .with(2, "345000123")
        .with(3, "1.0")
        .with_multiple(6, [(0, 1_i64), (1, 5)])
        .with_multiple(7, [(0, 3_800_i64), (1, 5_000)])
        .with_multiple(8, [(0, 125_i64), (1, 900)])
        .with(9, 100_i64)
        .with(10, 15_i64)
        .with_multiple(11, [(0, 0_i64)])
        .with(14, "+02:00")
        .with(16, "U");
    Node::ObjectInstance(instance)
}

/// A thousand integers of different lengths.
#[must_use]
pub fn big() -> Vec<Resource> {
    let integer = |id: u16| Resource::Single(id, Value::Integer(i64::from(id) * i64::from(id)));
    (0..1000).map(integer).collect()
}

/// The values with their names below the object instance: `0` or `6/1`.
#[must_use]
pub fn leaves(resources: &[Resource]) -> Vec<(String, Value)> {
    let mut leaves = Vec::new();
    for resource in resources {
        match resource {
            Resource::Single(id, value) => leaves.push((id.to_string(), *value)),
            Resource::Multiple(id, values) => leaves.extend(
                values.iter().map(|(ri, value)| (format!("{id}/{ri}"), Value::Integer(*value))),
            ),
        }
    }
    leaves
}

/// GET with a token of 4 bytes, Observe and four Uri-Path options: 23 bytes.
pub const GET: &[u8] = b"\x44\x01\x12\x34\x01\x02\x03\x04\x60\x543303\x010\x045700\x011";

/// 2.05 with a token of 4 bytes, Observe, Content-Format and 64 bytes of payload: 79 bytes.
pub const CONTENT: &[u8] = b"\x44\x45\x12\x34\x01\x02\x03\x04\x62\x12\x34\x62\x2d\x16\xff\
    0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_is_what_it_says() {
        assert_eq!(leaves(&device()).len(), 16);
        assert_eq!(leaves(&big()).len(), 1000);
        assert_eq!((GET.len(), CONTENT.len()), (23, 79));
    }
}
