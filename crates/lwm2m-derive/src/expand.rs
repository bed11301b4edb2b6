//! The implementation of `Instance` for a struct.

use crate::attributes::Object;
use crate::check;
use proc_macro_crate::{FoundCrate, crate_name};
use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{DeriveInput, Error, Path, Result, parse_str};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let object = Object::read(input)?;
    let client = client()?;
    let (checks, definition) = match check::definition(&object)? {
        Some(known) => {
            (check::check(&object, known, &client)?, quote! { ::core::option::Option::None })
        }
        None => (TokenStream::new(), own_definition(&object, &client)),
    };
    let (ident, id) = (&input.ident, object.id);
    let version = object.version.map(|it| (it.major, it.minor));
    let version = match version {
        Some((major, minor)) => {
            quote! { ::core::option::Option::Some(#client::ObjectVersion::new(#major, #minor)) }
        }
        None => quote! { ::core::option::Option::None },
    };
    let mut ids: Vec<_> = object.values.iter().map(|it| it.id).collect();
    ids.extend(object.actions.iter().map(|it| it.id));
    ids.sort_unstable();
    let value_ids: Vec<_> = object.values.iter().map(|it| it.id).collect();
    let fields: Vec<_> = object.values.iter().map(|it| &it.field).collect();
    let action_ids: Vec<_> = object.actions.iter().map(|it| it.id).collect();
    let methods = object.actions.iter().map(|it| &it.method);
    Ok(quote! {
        #checks
        #[automatically_derived]
        impl #client::Instance for #ident {
            const OBJECT: u16 = #id;
            const VERSION: ::core::option::Option<#client::ObjectVersion> = #version;
            const RESOURCES: &'static [u16] = &[#(#ids),*];

            fn definition() -> ::core::option::Option<#client::ObjectDefinition> {
                #definition
            }

            fn has(&self, resource: u16) -> bool {
                match resource {
                    #(#value_ids => #client::Field::is_present(&self.#fields),)*
                    #(#action_ids => true,)*
                    _ => false,
                }
            }

            fn read(&self, resource: u16) -> ::core::option::Option<#client::Resource> {
                match resource {
                    #(#value_ids => #client::Field::read(&self.#fields),)*
                    _ => ::core::option::Option::None,
                }
            }

            fn write(
                &mut self,
                resource: u16,
                value: ::core::option::Option<#client::Resource>,
            ) -> ::core::result::Result<(), #client::Refusal> {
                match resource {
                    #(#value_ids => #client::Field::write(&mut self.#fields, value),)*
                    _ => ::core::result::Result::Err(#client::Refusal::NotFound),
                }
            }

            fn execute(
                &mut self,
                resource: u16,
                arguments: &#client::Arguments,
            ) -> ::core::result::Result<(), #client::Refusal> {
                match resource {
                    #(#action_ids => self.#methods(arguments),)*
                    _ => ::core::result::Result::Err(#client::Refusal::MethodNotAllowed),
                }
            }
        }
    })
}

/// The definition of an object that the registry does not have.
fn own_definition(object: &Object, client: &Path) -> TokenStream {
    let (id, name) = (object.id, object.name.as_deref().unwrap_or_default());
    let (major, minor) = object.version.map_or((1, 0), |it| (it.major, it.minor));
    let multiple = object.multiple.then(|| quote! { .with_multiple_instances() });
    let values = object.values.iter().map(|it| {
        let (id, ty, units, range) = (it.id, &it.ty, &it.units, &it.range);
        let name = it.name.clone().unwrap_or_else(|| it.field.to_string());
        let operations = match (it.operations.readable(), it.operations.writable()) {
            (true, true) => quote! { RW },
            (false, true) => quote! { W },
            _ => quote! { R },
        };
        quote! {
            .with_resource(#client::own_resource::<#ty>(
                #id, #name, #client::Operations::#operations, #units, #range,
            ))
        }
    });
    let actions = object.actions.iter().map(|it| {
        let (id, name) = (it.id, it.method.to_string());
        quote! {
            .with_resource(#client::ResourceDefinition::new(
                #id, #name, #client::DataType::None, #client::Operations::E,
            ))
        }
    });
    quote! {
        ::core::option::Option::Some(
            #client::ObjectDefinition::new(#id, #client::ObjectVersion::new(#major, #minor), #name)
                #multiple #(#values)* #(#actions)*
        )
    }
}

/// The path of the client's crate, for who uses it alone and for who uses the facade.
fn client() -> Result<Path> {
    let path = match (crate_name("lwm2m-client"), crate_name("lwm2m")) {
        (Ok(FoundCrate::Name(name)), _) => format!("::{name}::typed"),
        // Its own tests and examples.
        (Ok(FoundCrate::Itself), _) => "::lwm2m_client::typed".to_owned(),
        (Err(_), Ok(FoundCrate::Name(name))) => format!("::{name}::client::typed"),
        (Err(_), Ok(FoundCrate::Itself)) => "::lwm2m::client::typed".to_owned(),
        (Err(_), Err(_)) => {
            let missing = "add lwm2m or lwm2m-client to the dependencies";
            return Err(Error::new(Span::call_site(), missing));
        }
    };
    parse_str(&path)
}
