//! Objects that are structs.
//!
//! `#[derive(Object)]` (feature `derive`) makes a struct an [`Instance`]; [`Instances`] holds some of one
//! object, and is what the client gets.

use super::object::Object;
pub use crate::error::Refusal;
use alloc::borrow::Cow;
use alloc::collections::BTreeMap;
use alloc::string::String;
use bytes::Bytes;
pub use lwm2m_core::{Arguments, DataType, ObjectVersion, Operations, Resource};
use lwm2m_core::{ObjectInstance, ObjectLink, Value};
pub use lwm2m_objects::{ObjectDefinition, ResourceDefinition};

/// An instance of an object: its fields are the resources.
///
/// ```
/// # #[cfg(feature = "derive")] {
/// use lwm2m_client::typed::{Arguments, Instances};
/// use lwm2m_client::{Object, Refusal};
///
/// #[derive(Object, Clone)]
/// #[lwm2m(object = 3303, execute(5605 = reset))]
/// struct Thermometer {
///     #[lwm2m(resource = 5700)]
///     value: f64,
///     #[lwm2m(resource = 5601)]
///     min: f64,
///     #[lwm2m(resource = 5602)]
///     max: f64,
/// }
///
/// impl Thermometer {
///     fn measured(&mut self, value: f64) {
///         (self.value, self.min, self.max) = (value, self.min.min(value), self.max.max(value));
///     }
///
///     fn reset(&mut self, _: &Arguments) -> Result<(), Refusal> {
///         (self.min, self.max) = (self.value, self.value);
///         Ok(())
///     }
/// }
///
/// let thermometer = Instances::new().with(0, Thermometer { value: 20.0, min: 20.0, max: 20.0 });
/// // Later: client.update_instance(now, 0, |it: &mut Thermometer| it.measured(21.9))
/// # }
/// ```
///
/// What does not fit the registry does not compile: a field of another type,
///
/// ```compile_fail
/// #[derive(lwm2m_client::Object, Clone)]
/// #[lwm2m(object = 3303)]
/// struct Thermometer {
///     #[lwm2m(resource = 5700)]
///     value: String,
/// }
/// ```
///
/// a resource that the object does not have,
///
/// ```compile_fail
/// #[derive(lwm2m_client::Object, Clone)]
/// #[lwm2m(object = 3303)]
/// struct Thermometer {
///     #[lwm2m(resource = 5700)]
///     value: f64,
///     #[lwm2m(resource = 1)]
///     other: f64,
/// }
/// ```
///
/// several instances of what has one, an executable that is a field, or a mandatory resource that is missing:
///
/// ```compile_fail
/// #[derive(lwm2m_client::Object, Clone)]
/// #[lwm2m(object = 3303)]
/// struct Thermometer {
///     #[lwm2m(resource = 5700)]
///     value: std::collections::BTreeMap<u16, f64>,
/// }
/// ```
///
/// ```compile_fail
/// #[derive(lwm2m_client::Object, Clone)]
/// #[lwm2m(object = 3303)]
/// struct Thermometer {
///     #[lwm2m(resource = 5700)]
///     value: f64,
///     #[lwm2m(resource = 5605)]
///     reset: bool,
/// }
/// ```
///
/// ```compile_fail
/// #[derive(lwm2m_client::Object, Clone)]
/// #[lwm2m(object = 3303)]
/// struct Thermometer {
///     #[lwm2m(resource = 5601)]
///     min: f64,
/// }
/// ```
pub trait Instance: Clone + Send + Sized + 'static {
    /// The Object ID.
    const OBJECT: u16;
    /// The version of the object; `None` as in [`Object::version`].
    const VERSION: Option<ObjectVersion>;
    /// The IDs of the resources that an instance can have, executable ones included, ascending.
    const RESOURCES: &'static [u16];

    /// The definition of an object that the registry does not have, for
    /// [`Config::definition`](crate::Config::definition).
    fn definition() -> Option<ObjectDefinition>;

    /// Whether the instance has a resource at present.
    fn has(&self, resource: u16) -> bool;

    /// The value of a resource; `None` if it has none.
    fn read(&self, resource: u16) -> Option<Resource>;

    /// Sets a resource, or removes it (`None`).
    ///
    /// # Errors
    /// There is no such resource, it cannot be missing, or the value does not fit.
    fn write(&mut self, resource: u16, value: Option<Resource>) -> Result<(), Refusal>;

    /// Runs an executable resource.
    ///
    /// # Errors
    /// The response to the server.
    fn execute(&mut self, resource: u16, arguments: &Arguments) -> Result<(), Refusal>;
}

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

/// An object whose instances are structs.
#[derive(Clone, Debug)]
pub struct Instances<T> {
    instances: BTreeMap<u16, T>,
    /// Makes what a server creates, and how many there may be; `None` if servers create none.
    make: Option<(fn() -> T, usize)>,
}

impl<T: Instance> Default for Instances<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Instance> Instances<T> {
    /// An object without instances, of which servers create and delete none.
    #[must_use]
    pub const fn new() -> Self {
        Self { instances: BTreeMap::new(), make: None }
    }

    /// Adds an instance.
    #[must_use]
    pub fn with(mut self, id: u16, instance: T) -> Self {
        self.instances.insert(id, instance);
        self
    }

    /// Lets servers create instances, up to `max` in all, and delete any.
    #[must_use]
    pub fn creatable(mut self, max: usize) -> Self
    where
        T: Default,
    {
        self.make = Some((T::default, max));
        self
    }

    /// An instance.
    #[must_use]
    pub fn get(&self, id: u16) -> Option<&T> {
        self.instances.get(&id)
    }

    /// An instance, to be changed within [`Client::update`](crate::Client::update).
    pub fn get_mut(&mut self, id: u16) -> Option<&mut T> {
        self.instances.get_mut(&id)
    }

    /// Adds an instance, or replaces it.
    pub fn insert(&mut self, id: u16, instance: T) {
        self.instances.insert(id, instance);
    }

    /// Removes an instance.
    pub fn remove(&mut self, id: u16) -> Option<T> {
        self.instances.remove(&id)
    }

    /// Their IDs and values, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &T)> {
        self.instances.iter().map(|(id, instance)| (*id, instance))
    }
}

/// An instance with resources set and removed; the one before stays as it is.
fn changed<T: Instance>(before: &T, values: ObjectInstance, removed: &[u16]) -> Result<T, Refusal> {
    let mut after = before.clone();
    for (id, value) in values.resources {
        after.write(id, Some(value))?;
    }
    removed.iter().try_for_each(|id| after.write(*id, None))?;
    Ok(after)
}

impl<T: Instance> Object for Instances<T> {
    fn id(&self) -> u16 {
        T::OBJECT
    }

    fn version(&self) -> Option<ObjectVersion> {
        T::VERSION
    }

    fn for_each_instance(&self, visit: &mut dyn FnMut(u16)) {
        self.instances.keys().for_each(|id| visit(*id));
    }

    fn has_instance(&self, instance: u16) -> bool {
        self.instances.contains_key(&instance)
    }

    fn for_each_resource(&self, instance: u16, visit: &mut dyn FnMut(u16)) {
        let Some(instance) = self.get(instance) else { return };
        T::RESOURCES.iter().filter(|id| instance.has(**id)).for_each(|id| visit(*id));
    }

    fn has_resource(&self, instance: u16, resource: u16) -> bool {
        self.get(instance).is_some_and(|it| it.has(resource))
    }

    fn supports(&self, resource: u16) -> bool {
        T::RESOURCES.binary_search(&resource).is_ok()
    }

    fn read(&self, instance: u16, resource: u16) -> Result<Cow<'_, Resource>, Refusal> {
        let value = self.get(instance).and_then(|it| it.read(resource));
        value.map(Cow::Owned).ok_or(Refusal::NotFound)
    }

    fn write(
        &mut self,
        instance: u16,
        values: ObjectInstance,
        removed: &[u16],
    ) -> Result<(), Refusal> {
        let known = self.get_mut(instance).ok_or(Refusal::NotFound)?;
        *known = changed(known, values, removed)?;
        Ok(())
    }

    fn execute(
        &mut self,
        instance: u16,
        resource: u16,
        arguments: &Arguments,
    ) -> Result<(), Refusal> {
        self.get_mut(instance).ok_or(Refusal::NotFound)?.execute(resource, arguments)
    }

    fn create(&mut self, instance: u16, values: ObjectInstance) -> Result<(), Refusal> {
        let (make, max) = self.make.ok_or(Refusal::MethodNotAllowed)?;
        // None of the codes that a Create may be answered with says "full" (Core 6.3.6).
        if self.instances.len() >= max {
            return Err(Refusal::BadRequest);
        }
        self.instances.insert(instance, changed(&make(), values, &[])?);
        Ok(())
    }

    fn delete(&mut self, instance: u16) -> Result<(), Refusal> {
        match (&self.make, self.instances.contains_key(&instance)) {
            (Some(_), true) => {
                self.instances.remove(&instance);
                Ok(())
            }
            (Some(_), false) => Err(Refusal::NotFound),
            (None, _) => Err(Refusal::MethodNotAllowed),
        }
    }
}
