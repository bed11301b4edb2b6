//! The kind of value that a resource has: its data type, and single or multiple (OMA LwM2M Core,
//! Appendix D).

use crate::error::ValueError;
use core::slice;
use lwm2m_core::{DataType, Path, Resource, ResourceModel, Value};

/// What values of a resource have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// `None` if any type will do.
    data_type: Option<DataType>,
    multiple: bool,
}

impl Kind {
    /// The kind that a definition asks for. The registry lacks the type of one readable resource:
    /// it may have any.
    pub(crate) fn of_definition(model: &ResourceModel) -> Self {
        let untyped = model.data_type == DataType::None && !model.operations.executable();
        Self { data_type: (!untyped).then_some(model.data_type), multiple: model.multiple }
    }

    /// The kind that a value has; `None` if it is empty.
    pub(crate) fn of_value(value: &Resource) -> Option<Self> {
        let data_type = Some(values(value).next()?.data_type());
        Some(Self { data_type, multiple: matches!(value, Resource::Multiple(_)) })
    }

    /// Checks that a value is of this kind.
    pub(crate) fn check(self, path: Path, value: &Resource) -> Result<(), ValueError> {
        if matches!(value, Resource::Multiple(_)) != self.multiple {
            return Err(ValueError::Instances(path));
        }
        let Some(expected) = self.data_type else { return Ok(()) };
        match values(value).map(Value::data_type).find(|found| *found != expected) {
            Some(found) => Err(ValueError::Type { path, expected, found }),
            None => Ok(()),
        }
    }
}

fn values(resource: &Resource) -> impl Iterator<Item = &Value> {
    let (single, multiple) = match resource {
        Resource::Single(value) => (slice::from_ref(value), None),
        Resource::Multiple(values) => (&[][..], Some(values.values())),
    };
    single.iter().chain(multiple.into_iter().flatten())
}
