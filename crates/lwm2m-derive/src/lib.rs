//! `#[derive(Object)]`: a struct is an instance of an LwM2M object.
//!
//! See `lwm2m_client::Instance`, the trait that it implements, for an example.

mod attributes;
mod check;
mod expand;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Makes a struct an instance of an object: its fields are the resources, and methods are what servers may
/// execute.
///
/// On the struct, `#[lwm2m(object = 3303, execute(5605 = reset))]`:
/// - `object`: the Object ID.
/// - `execute(ID = method, …)`: what servers may execute: methods that take `&mut self` and `&Arguments`, and
///   return `Result<(), Refusal>`.
/// - `version = "1.1"`: the version of the object. Default: that of LwM2M 1.1, which for objects other than those
///   of the core is 1.0.
/// - `name = "Pump"`: the name of an object that the registry of OMA does not have; with `multiple`, it may
///   have several instances.
///
/// On each field, `#[lwm2m(resource = 5700)]`; other fields are the device's own. For an object with a `name`
/// a field also has:
/// - `operations = "R"`: what servers may do: `R`, `W`, `RW`. Default: `R`.
/// - `name`, `units`, `range`. Default: the name of the field, and none.
///
/// The type of a field is that of its resource: `bool`, `i64`, `u64`, `f64`, `String`, `Bytes`, `Time`,
/// `ObjectLink`; `Option` of one for a resource that may be missing, and `BTreeMap<u16, _>` for one with
/// several instances. Where the registry has the object, the compiler checks numbers, types, whether there may
/// be several instances, and that nothing mandatory is missing.
#[proc_macro_derive(Object, attributes(lwm2m))]
pub fn derive_object(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand::expand(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}
