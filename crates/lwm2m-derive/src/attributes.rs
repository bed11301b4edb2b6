//! What the attributes `#[lwm2m(…)]` say.

use lwm2m_core::{ObjectVersion, Operations};
use proc_macro2::Span;
use syn::meta::ParseNestedMeta;
use syn::punctuated::Punctuated;
use syn::{
    Attribute, Data, DeriveInput, Error, Field, Fields, Ident, LitInt, LitStr, Result, Token, Type,
};

/// A struct that is to be an object instance.
pub(crate) struct Object {
    pub(crate) id: u16,
    /// Where the ID stands.
    pub(crate) span: Span,
    pub(crate) version: Option<ObjectVersion>,
    /// The name of an object that the registry does not have.
    pub(crate) name: Option<String>,
    pub(crate) multiple: bool,
    pub(crate) values: Vec<Resource>,
    pub(crate) actions: Vec<Action>,
}

/// A field that is a resource.
pub(crate) struct Resource {
    pub(crate) id: u16,
    pub(crate) span: Span,
    pub(crate) field: Ident,
    pub(crate) ty: Type,
    pub(crate) operations: Operations,
    pub(crate) name: Option<String>,
    pub(crate) units: String,
    pub(crate) range: String,
}

/// A method that servers execute.
pub(crate) struct Action {
    pub(crate) id: u16,
    pub(crate) span: Span,
    pub(crate) method: Ident,
}

impl Object {
    pub(crate) fn read(input: &DeriveInput) -> Result<Self> {
        let Data::Struct(data) = &input.data else {
            return Err(Error::new_spanned(&input.ident, "only a struct can be an object"));
        };
        let Fields::Named(fields) = &data.fields else {
            return Err(Error::new_spanned(&input.ident, "the fields of an object need names"));
        };
        if !input.generics.params.is_empty() {
            return Err(Error::new_spanned(&input.generics, "an object has no parameters"));
        }
        let mut object = Self {
            id: u16::MAX,
            span: input.ident.span(),
            version: None,
            name: None,
            multiple: false,
            values: Vec::new(),
            actions: Vec::new(),
        };
        for attribute in ours(&input.attrs) {
            attribute.parse_nested_meta(|meta| object.take(&meta))?;
        }
        if object.id == u16::MAX {
            let missing = "which object is it? Add #[lwm2m(object = ID)]";
            return Err(Error::new(object.span, missing));
        }
        for field in &fields.named {
            object.values.extend(Resource::read(field)?);
        }
        object.check_ids()?;
        Ok(object)
    }

    fn take(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        if meta.path.is_ident("object") {
            let id: LitInt = meta.value()?.parse()?;
            (self.id, self.span) = (id.base10_parse()?, id.span());
        } else if meta.path.is_ident("version") {
            let version: LitStr = meta.value()?.parse()?;
            let parsed = version.value().parse();
            let wrong = |_| Error::new(version.span(), "a version is written as in \"1.1\"");
            self.version = Some(parsed.map_err(wrong)?);
        } else if meta.path.is_ident("name") {
            self.name = Some(meta.value()?.parse::<LitStr>()?.value());
        } else if meta.path.is_ident("multiple") {
            self.multiple = true;
        } else if meta.path.is_ident("execute") {
            let content;
            syn::parenthesized!(content in meta.input);
            let actions =
                Punctuated::<Action, Token![,]>::parse_terminated_with(&content, Action::read)?;
            self.actions.extend(actions);
        } else {
            return Err(meta.error("an object has object, version, name, multiple and execute(…)"));
        }
        Ok(())
    }

    /// Refuses two resources of one ID.
    fn check_ids(&mut self) -> Result<()> {
        self.values.sort_by_key(|it| it.id);
        self.actions.sort_by_key(|it| it.id);
        let values = self.values.iter().map(|it| (it.id, it.span));
        let actions = self.actions.iter().map(|it| (it.id, it.span));
        let mut seen = std::collections::BTreeSet::new();
        for (id, span) in values.chain(actions) {
            if !seen.insert(id) {
                return Err(Error::new(span, format!("resource {id} stands twice")));
            }
        }
        Ok(())
    }
}

impl Action {
    fn read(input: syn::parse::ParseStream<'_>) -> Result<Self> {
        let id: LitInt = input.parse()?;
        input.parse::<Token![=]>()?;
        Ok(Self { id: id.base10_parse()?, span: id.span(), method: input.parse()? })
    }
}

impl Resource {
    /// `None` for a field that is the device's own.
    fn read(field: &Field) -> Result<Option<Self>> {
        let Some(name) = &field.ident else { return Ok(None) };
        let mut attributes = ours(&field.attrs).peekable();
        if attributes.peek().is_none() {
            return Ok(None);
        }
        let mut resource = Self {
            id: u16::MAX,
            span: name.span(),
            field: name.clone(),
            ty: field.ty.clone(),
            operations: Operations::R,
            name: None,
            units: String::new(),
            range: String::new(),
        };
        for attribute in attributes {
            attribute.parse_nested_meta(|meta| resource.take(&meta))?;
        }
        match resource.id {
            u16::MAX => Err(Error::new(resource.span, "which resource is it? Add resource = ID")),
            _ => Ok(Some(resource)),
        }
    }

    fn take(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let text = || meta.value()?.parse::<LitStr>();
        if meta.path.is_ident("resource") {
            let id: LitInt = meta.value()?.parse()?;
            (self.id, self.span) = (id.base10_parse()?, id.span());
        } else if meta.path.is_ident("operations") {
            let operations = text()?;
            self.operations = match operations.value().as_str() {
                "R" => Operations::R,
                "W" => Operations::W,
                "RW" => Operations::RW,
                _ => return Err(Error::new(operations.span(), "operations are R, W or RW")),
            };
        } else if meta.path.is_ident("name") {
            self.name = Some(text()?.value());
        } else if meta.path.is_ident("units") {
            self.units = text()?.value();
        } else if meta.path.is_ident("range") {
            self.range = text()?.value();
        } else {
            return Err(meta.error("a field has resource, operations, name, units and range"));
        }
        Ok(())
    }
}

fn ours(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes.iter().filter(|it| it.path().is_ident("lwm2m"))
}
