//! An object beside what the registry says of it.

use crate::attributes::{Object, Resource};
use lwm2m_core::{DataType, ObjectVersion, Version};
use lwm2m_objects::{ObjectDefinition, Registry, ResourceDefinition, default_version};
use proc_macro2::TokenStream;
use quote::{format_ident, quote_spanned};
use syn::{Error, Path, Result};

/// The definition in the registry; `None` for an object that has a name of its own.
///
/// # Errors
/// The object has neither, or it has both.
pub(crate) fn definition(object: &Object) -> Result<Option<&'static ObjectDefinition>> {
    // Without a version the client registers the object in the default version of its LwM2M, so that is the
    // definition that holds at run time.
    let version = object.version.unwrap_or_else(|| default_version(Version::V1_1, object.id));
    let versions = Registry::builtin().versions(object.id);
    let known = versions.iter().copied().find(|it| it.version() == version);
    match (&object.name, known) {
        (None, Some(known)) => Ok(Some(known)),
        (Some(_), None) => Ok(None),
        (Some(_), Some(known)) => {
            let taken = format!(
                "object {} is {} in the registry of OMA; drop the name",
                object.id,
                known.name()
            );
            Err(Error::new(object.span, taken))
        }
        (None, None) => Err(Error::new(object.span, unknown(object.id, version, &versions))),
    }
}

fn unknown(id: u16, version: ObjectVersion, versions: &[&ObjectDefinition]) -> String {
    let others: Vec<_> =
        versions.iter().map(|it| format!("version = \"{}\"", it.version())).collect();
    match others.is_empty() {
        true => {
            format!("the registry of OMA has no object {id}; give an object of your own a name")
        }
        false => format!(
            "the registry of OMA has no version {version} of object {id}; add {}",
            others.join(" or ")
        ),
    }
}

/// Code that does not compile if a field does not fit its resource.
///
/// # Errors
/// A resource does not exist, or a mandatory one is missing.
pub(crate) fn check(
    object: &Object,
    definition: &ObjectDefinition,
    client: &Path,
) -> Result<TokenStream> {
    let name = definition.name();
    let find = |id, span| {
        let missing = || Error::new(span, no_resource(object.id, definition, id));
        definition.resources().find(|it| it.id() == id).ok_or_else(missing)
    };
    let mut checks = TokenStream::new();
    for value in &object.values {
        let resource = find(value.id, value.span)?;
        if resource.operations().executable() {
            let use_execute = format!("{} is executed; it belongs in execute(…)", resource.name());
            return Err(Error::new(value.span, use_execute));
        }
        checks.extend(check_type(value, resource, client));
    }
    for action in &object.actions {
        let resource = find(action.id, action.span)?;
        if !resource.operations().executable() {
            let is_value = format!("{} is a value; it belongs on a field", resource.name());
            return Err(Error::new(action.span, is_value));
        }
    }
    let has = |id| {
        object.values.iter().any(|it| it.id == id) || object.actions.iter().any(|it| it.id == id)
    };
    match definition.resources().find(|it| it.mandatory() && !has(it.id())) {
        Some(missing) => {
            let text = format!("every {name} has resource {} ({})", missing.id(), missing.name());
            Err(Error::new(object.span, text))
        }
        None => Ok(checks),
    }
}

fn no_resource(object: u16, definition: &ObjectDefinition, id: u16) -> String {
    let (name, version) = (definition.name(), definition.version());
    let has = |it: &&ObjectDefinition| it.resources().any(|resource| resource.id() == id);
    let advice = match Registry::builtin().versions(object).into_iter().find(has) {
        Some(other) => format!("; version = \"{}\" has it", other.version()),
        None => String::new(),
    };
    format!("object {object} ({name}) has no resource {id} in version {version}{advice}")
}

fn check_type(value: &Resource, resource: &ResourceDefinition, client: &Path) -> TokenStream {
    let (ty, id, multiple) = (&value.ty, value.id, resource.multiple());
    let count = format!(
        "resource {id} ({}) {} several instances",
        resource.name(),
        if multiple { "has" } else { "does not have" }
    );
    let mut checks = quote_spanned! {value.span=>
        const _: () = assert!(<#ty as #client::Field>::MULTIPLE == #multiple, #count);
    };
    if resource.data_type() != DataType::None {
        let kind = variant(resource.data_type());
        let text = format!(
            "resource {id} ({}) is of type {}",
            resource.name(),
            resource.data_type().name()
        );
        checks.extend(quote_spanned! {value.span=>
            const _: () = assert!(matches!(<#ty as #client::Field>::TYPE, #client::DataType::#kind), #text);
        });
    }
    checks
}

fn variant(data_type: DataType) -> syn::Ident {
    format_ident!("{data_type:?}")
}
