//! Object definitions in the dialect's JSON. The registry holds facts and no prose, so the
//! descriptions are empty.

use super::value::type_name;
use lwm2m_core::Operations;
use lwm2m_objects::{ObjectDefinition, ResourceDefinition};
use serde::Serialize;

/// The definition of an object.
#[derive(Serialize, Debug)]
pub struct ObjectSpecJson<'a> {
    id: u16,
    name: &'a str,
    #[serde(rename = "instancetype")]
    instance_type: &'static str,
    mandatory: bool,
    urn: &'a str,
    version: String,
    #[serde(rename = "lwm2mversion")]
    lwm2m_version: &'static str,
    description: &'static str,
    description2: &'static str,
    #[serde(rename = "resourcedefs")]
    resources: Vec<ResourceSpecJson<'a>>,
}

#[derive(Serialize, Debug)]
struct ResourceSpecJson<'a> {
    id: u16,
    name: &'a str,
    operations: &'static str,
    #[serde(rename = "instancetype")]
    instance_type: &'static str,
    mandatory: bool,
    #[serde(rename = "type")]
    data_type: String,
    range: &'a str,
    units: &'a str,
    description: &'static str,
}

impl<'a> From<&'a ObjectDefinition> for ObjectSpecJson<'a> {
    fn from(definition: &'a ObjectDefinition) -> Self {
        Self {
            id: definition.id(),
            name: definition.name(),
            instance_type: instance_type(definition.multiple()),
            mandatory: definition.mandatory(),
            urn: definition.urn(),
            version: definition.version().to_string(),
            lwm2m_version: definition.lwm2m_version().as_str(),
            description: "",
            description2: "",
            resources: definition.resources().map(ResourceSpecJson::from).collect(),
        }
    }
}

impl<'a> From<&'a ResourceDefinition> for ResourceSpecJson<'a> {
    fn from(definition: &'a ResourceDefinition) -> Self {
        Self {
            id: definition.id(),
            name: definition.name(),
            operations: operations(definition.operations()),
            instance_type: instance_type(definition.multiple()),
            mandatory: definition.mandatory(),
            data_type: type_name(definition.data_type()).to_ascii_lowercase(),
            range: definition.range_text(),
            units: definition.units(),
            description: "",
        }
    }
}

const fn instance_type(multiple: bool) -> &'static str {
    if multiple { "multiple" } else { "single" }
}

const fn operations(operations: Operations) -> &'static str {
    match (operations.readable(), operations.writable(), operations.executable()) {
        (true, true, _) => "RW",
        (true, false, _) => "R",
        (false, true, _) => "W",
        (false, false, true) => "E",
        (false, false, false) => "NONE",
    }
}
