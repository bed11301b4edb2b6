//! The types of fields that are resources.

use crate::error::Refusal;
use alloc::collections::BTreeMap;
use alloc::string::String;
use bytes::Bytes;
use lwm2m_core::{DataType, ObjectLink, Operations, Resource, Value};
use lwm2m_objects::ResourceDefinition;

/// The type of a field that is a resource.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the type of a resource",
    note = "use bool, i64, i32, u64, u32, f64, String, Bytes, Time or ObjectLink, an Option of one, or a BTreeMap<u16, _>"
)]
pub trait Field: Sized {
    /// The data type of its values.
    const TYPE: DataType;
    /// Whether it has several instances.
    const MULTIPLE: bool = false;

    /// Whether there is a value. Default: there is.
    fn is_present(&self) -> bool {
        true
    }

    /// The resource; `None` if there is no value.
    fn read(&self) -> Option<Resource>;

    /// Sets the value, or removes it.
    ///
    /// # Errors
    /// There must be a value, or it is of another type.
    fn write(&mut self, value: Option<Resource>) -> Result<(), Refusal>;
}

/// The type of a value of a resource.
pub trait FieldValue: Clone {
    /// The data type.
    const TYPE: DataType;

    /// As a value of LwM2M.
    fn to_value(&self) -> Value;

    /// From a value of LwM2M; `None` if it does not fit.
    fn from_value(value: Value) -> Option<Self>;
}

/// A point in time: seconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Time(pub i64);

macro_rules! field_values {
    ($($ty:ty: $kind:ident, $to:expr, $from:expr;)*) => {$(
        impl FieldValue for $ty {
            const TYPE: DataType = DataType::$kind;

            fn to_value(&self) -> Value {
                Value::$kind($to(self))
            }

            fn from_value(value: Value) -> Option<Self> {
                match value {
                    Value::$kind(value) => $from(value),
                    _ => None,
                }
            }
        }
    )*};
}

field_values! {
    bool: Boolean, |it: &Self| *it, Some;
    i64: Integer, |it: &Self| *it, Some;
    i32: Integer, |it: &Self| i64::from(*it), |it: i64| Self::try_from(it).ok();
    u64: UnsignedInteger, |it: &Self| *it, Some;
    u32: UnsignedInteger, |it: &Self| u64::from(*it), |it: u64| Self::try_from(it).ok();
    f64: Float, |it: &Self| *it, Some;
    String: String, Self::clone, Some;
    Bytes: Opaque, Self::clone, Some;
    Time: Time, |it: &Self| it.0, |it: i64| Some(Self(it));
    ObjectLink: ObjectLink, |it: &Self| *it, Some;
}

impl<T: FieldValue> Field for T {
    const TYPE: DataType = T::TYPE;

    fn read(&self) -> Option<Resource> {
        Some(Resource::Single(self.to_value()))
    }

    fn write(&mut self, value: Option<Resource>) -> Result<(), Refusal> {
        // A resource that is always there cannot be removed.
        *self = single(value.ok_or(Refusal::MethodNotAllowed)?)?;
        Ok(())
    }
}

impl<T: FieldValue> Field for Option<T> {
    const TYPE: DataType = T::TYPE;

    fn is_present(&self) -> bool {
        self.is_some()
    }

    fn read(&self) -> Option<Resource> {
        self.as_ref().map(|it| Resource::Single(it.to_value()))
    }

    fn write(&mut self, value: Option<Resource>) -> Result<(), Refusal> {
        *self = value.map(single).transpose()?;
        Ok(())
    }
}

impl<T: FieldValue> Field for BTreeMap<u16, T> {
    const TYPE: DataType = T::TYPE;
    const MULTIPLE: bool = true;

    fn is_present(&self) -> bool {
        !self.is_empty()
    }

    fn read(&self) -> Option<Resource> {
        let values = self.iter().map(|(id, value)| (*id, value.to_value()));
        (!self.is_empty()).then(|| Resource::Multiple(values.collect()))
    }

    fn write(&mut self, value: Option<Resource>) -> Result<(), Refusal> {
        let values = match value {
            None => BTreeMap::new(),
            Some(Resource::Multiple(values)) => values,
            Some(Resource::Single(_)) => return Err(Refusal::BadRequest),
        };
        let values = values.into_iter().map(|(id, value)| Some((id, T::from_value(value)?)));
        *self = values.collect::<Option<_>>().ok_or(Refusal::BadRequest)?;
        Ok(())
    }
}

fn single<T: FieldValue>(value: Resource) -> Result<T, Refusal> {
    match value {
        Resource::Single(value) => T::from_value(value).ok_or(Refusal::BadRequest),
        Resource::Multiple(_) => Err(Refusal::BadRequest),
    }
}

/// The definition of a resource of an own object; `#[derive(Object)]` calls it.
#[doc(hidden)]
#[must_use]
pub fn own_resource<T: Field>(
    id: u16,
    name: &str,
    operations: Operations,
    units: &str,
    range: &str,
) -> ResourceDefinition {
    let resource = ResourceDefinition::new(id, name, T::TYPE, operations);
    let resource = resource.with_units(units).with_range(range);
    if T::MULTIPLE { resource.with_multiple_instances() } else { resource }
}
