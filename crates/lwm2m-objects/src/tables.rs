//! The built-in tables, which `build.rs` generates from `data/registry.tsv`.

use crate::definition::{ObjectDefinition, ResourceDefinition, Resources};
use crate::text::Text;
use lwm2m_core::{DataType, ObjectVersion, Operations, Version};

include!(concat!(env!("OUT_DIR"), "/tables.rs"));

const fn text((start, len): (u32, u8)) -> Text {
    Text::pooled(start, len)
}

#[expect(clippy::too_many_arguments, reason = "one row of the table")]
const fn resource(
    id: u16,
    name: (u32, u8),
    operations: Operations,
    multiple: bool,
    mandatory: bool,
    data_type: DataType,
    range: (u32, u8),
    units: (u32, u8),
) -> ResourceDefinition {
    ResourceDefinition {
        id,
        data_type,
        operations,
        multiple,
        mandatory,
        name: text(name),
        range: text(range),
        units: text(units),
    }
}

#[expect(clippy::too_many_arguments, reason = "one row of the table")]
const fn object(
    id: u16,
    (major, minor): (u8, u8),
    lwm2m_version: Version,
    name: (u32, u8),
    urn: (u32, u8),
    multiple: bool,
    mandatory: bool,
    (start, len): (u16, u16),
) -> ObjectDefinition {
    ObjectDefinition {
        id,
        version: ObjectVersion::new(major, minor),
        lwm2m_version,
        multiple,
        mandatory,
        name: text(name),
        urn: text(urn),
        resources: Resources::Shared { start, len },
    }
}
