//! Objects that are structs.
//!
//! `#[derive(Object)]` (feature `derive`) makes a struct an [`Instance`]; [`Instances`] holds some of one
//! object, and is what the client gets.

mod field;
mod instances;

pub use self::field::{Field, FieldValue, Time, own_resource};
pub use self::instances::Instances;
pub use crate::error::Refusal;
pub use lwm2m_core::{Arguments, DataType, ObjectVersion, Operations, Resource};
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
/// a resource that the object does not have, or only in another version,
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
/// ```compile_fail
/// #[derive(lwm2m_client::Object, Clone)]
/// #[lwm2m(object = 3303)] // With version = "1.1" it has an application type.
/// struct Thermometer {
///     #[lwm2m(resource = 5700)]
///     value: f64,
///     #[lwm2m(resource = 5750)]
///     application: Option<String>,
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
    /// The version of the object; `None` as in [`Object::version`](crate::Object::version).
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
