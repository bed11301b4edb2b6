//! Object definitions in the XML of the OMA registry (`LWM2M.xsd`), feature `xml`.
//!
//! Descriptions are not kept. What the schema leaves open is read leniently: names of elements that are
//! unknown are passed over, and an empty `LWM2MVersion` or `ObjectVersion` is 1.0.

use crate::definition::{ObjectDefinition, ResourceDefinition};
use alloc::borrow::ToOwned;
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;
use core::str::FromStr;
use lwm2m_core::{DataType, ObjectVersion, Operations, Version};
use roxmltree::{Document, Node, ParsingOptions};

/// The most elements and texts of a document.
const MAX_NODES: u32 = 200_000;
/// The deepest element, and the most attributes and namespaces of one: what these cost grows with their
/// square or cube. Those of the registry have 5 and 3.
const MAX_DEPTH: usize = 16;
const MAX_ATTRIBUTES: usize = 16;
/// The longest name, range and unit in bytes.
const MAX_TEXT: usize = 4_096;
/// The largest ID: 65535 is reserved (OMA LwM2M Core, section 7.1).
const MAX_ID: u16 = 65_534;

/// An object of a document.
#[derive(Clone, Debug)]
pub struct XmlObject {
    /// Its definition.
    pub definition: ObjectDefinition,
    /// Where the element `Object` stands in the text, in bytes.
    pub range: Range<usize>,
}

/// Why a text defines no objects.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct XmlError {
    /// The line, from 1 on.
    pub line: u32,
    /// What is wrong there, and what to write instead.
    pub what: String,
}

/// Reads the definitions of a document: one element `LWM2M` with elements `Object`.
///
/// # Errors
/// It is no XML, has a DTD or another root, or something in it contradicts the schema.
pub fn parse(text: &str) -> Result<Vec<XmlObject>, XmlError> {
    let options = ParsingOptions { nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    check_shape(text)?;
    let document = Document::parse_with_options(text, options);
    let document = document
        .map_err(|error| XmlError { line: error.pos().row, what: alloc::format!("{error}") })?;
    let root = document.root_element();
    if root.tag_name().name() != "LWM2M" {
        return Err(error(root, "the root must be the element LWM2M, as in the OMA registry"));
    }
    let objects = root.children().filter(|node| node.has_tag_name("Object"));
    let read =
        |node: Node<'_, '_>| Ok(XmlObject { definition: object(node)?, range: node.range() });
    let objects = objects.map(read).collect::<Result<Vec<_>, XmlError>>()?;
    let mut known = BTreeSet::new();
    for XmlObject { definition, range } in &objects {
        if !known.insert((definition.id, definition.version)) {
            let line = document.text_pos_at(range.start).row;
            let what = alloc::format!(
                "object {} is defined twice in version {}; leave one of them out",
                definition.id,
                definition.version
            );
            return Err(XmlError { line, what });
        }
    }
    match objects.is_empty() {
        true => Err(error(root, "there is no element Object; write one for each definition")),
        false => Ok(objects),
    }
}

/// Refuses elements that are too deep or have too many attributes. Where a text is no XML it looks no
/// further: the parser tells.
fn check_shape(text: &str) -> Result<(), XmlError> {
    let (mut rest, mut depth) = (text, 0_usize);
    while let Some((_, from)) = rest.split_once('<') {
        let others = [("!--", "-->"), ("![CDATA[", "]]>"), ("?", "?>"), ("!", ">"), ("/", ">")];
        let after = if let Some((begin, end)) = others.into_iter().find(|it| from.starts_with(it.0))
        {
            depth = depth.saturating_sub(usize::from(begin == "/"));
            from.get(begin.len()..).and_then(|it| it.split_once(end)).map(|(_, after)| after)
        } else if let Some((attributes, is_empty, after)) = tag(from) {
            if attributes > MAX_ATTRIBUTES || depth >= MAX_DEPTH {
                let before = text.len().checked_sub(from.len()).and_then(|at| text.get(..at));
                let line = 1 + before.unwrap_or_default().matches('\n').count();
                let what = alloc::format!(
                    "an element has {MAX_ATTRIBUTES} attributes at most, and stands in {MAX_DEPTH} \
                     others at most; leave some out"
                );
                return Err(XmlError { line: u32::try_from(line).unwrap_or(u32::MAX), what });
            }
            depth += usize::from(!is_empty);
            Some(after)
        } else {
            None
        };
        let Some(after) = after else { return Ok(()) };
        rest = after;
    }
    Ok(())
}

/// The number of attributes of a start tag, whether its element is empty, and what comes after it.
fn tag(from: &str) -> Option<(usize, bool, &str)> {
    let (mut attributes, mut quote) = (0, None);
    for (at, byte) in from.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), _) => quote = Some(open).filter(|_| byte != open),
            (None, b'"' | b'\'') => quote = Some(byte),
            (None, b'=') => attributes += 1,
            (None, b'>') => {
                return Some((attributes, from.get(..at)?.ends_with('/'), from.get(at + 1..)?));
            }
            (None, _) => {}
        }
    }
    None
}

fn object(node: Node<'_, '_>) -> Result<ObjectDefinition, XmlError> {
    let id = id(node, "ObjectID", text(node, "ObjectID"))?;
    let version = or_1_0(node, "ObjectVersion", ObjectVersion::V1_0)?;
    let mut object = ObjectDefinition::new(id, version, name(node)?);
    object.lwm2m_version = or_1_0(node, "LWM2MVersion", Version::V1_0)?;
    object.multiple = is_multiple(node)?;
    object.mandatory = is_mandatory(node)?;
    object.urn = short(node, "ObjectURN")?.into();
    let items = child(node, "Resources").into_iter().flat_map(|it| it.children());
    let mut known = BTreeSet::new();
    let mut resources = Vec::new();
    for item in items.filter(|node| node.has_tag_name("Item")) {
        let resource = resource(item)?;
        if !known.insert(resource.id) {
            let what = alloc::format!("resource {} is defined twice", resource.id);
            return Err(error(item, &what));
        }
        resources.push(resource);
    }
    resources.sort_by_key(|resource| resource.id);
    object.resources = crate::definition::Resources::Owned(resources);
    Ok(object)
}

fn resource(node: Node<'_, '_>) -> Result<ResourceDefinition, XmlError> {
    let id = id(node, "the attribute ID of Item", node.attribute("ID").unwrap_or_default())?;
    let operations = match text(node, "Operations") {
        "" => Operations::NONE,
        "R" => Operations::R,
        "W" => Operations::W,
        "RW" => Operations::RW,
        "E" => Operations::E,
        other => return Err(wrong(node, "Operations", other, "R, W, RW, E or nothing")),
    };
    let data_type = match text(node, "Type") {
        "" => DataType::None,
        word => DataType::OF_VALUES
            .into_iter()
            .find(|it| it.name().eq_ignore_ascii_case(word))
            .ok_or_else(|| {
                let expected = "String, Integer, Unsigned Integer, Float, Boolean, Opaque, Time, \
                                Objlnk or Corelnk, or for an executable resource nothing";
                wrong(node, "Type", word, expected)
            })?,
    };
    let mut resource = ResourceDefinition::new(id, name(node)?, data_type, operations);
    resource.multiple = is_multiple(node)?;
    resource.mandatory = is_mandatory(node)?;
    resource.range = short(node, "RangeEnumeration")?.into();
    resource.units = short(node, "Units")?.into();
    Ok(resource)
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|child| child.has_tag_name(name))
}

/// The text of an element below `node`; empty if there is none.
fn text<'a>(node: Node<'a, '_>, name: &str) -> &'a str {
    child(node, name).and_then(|child| child.text()).unwrap_or_default().trim()
}

fn short<'a>(node: Node<'a, '_>, name: &str) -> Result<&'a str, XmlError> {
    let text = text(node, name);
    match text.len() <= MAX_TEXT {
        true => Ok(text),
        false => Err(error(node, &alloc::format!("{name} is longer than {MAX_TEXT} bytes"))),
    }
}

fn name<'a>(node: Node<'a, '_>) -> Result<&'a str, XmlError> {
    match short(node, "Name")? {
        "" => Err(error(node, "there is no Name; write <Name>…</Name>")),
        name => Ok(name),
    }
}

fn id(node: Node<'_, '_>, name: &str, text: &str) -> Result<u16, XmlError> {
    let id = text.parse().ok().filter(|id| *id <= MAX_ID);
    id.ok_or_else(|| wrong(node, name, text, "a number from 0 to 65534"))
}

fn or_1_0<V: FromStr>(node: Node<'_, '_>, name: &str, default: V) -> Result<V, XmlError> {
    match text(node, name) {
        "" => Ok(default),
        word => word.parse().map_err(|_| wrong(node, name, word, "a version such as 1.0 or 1.1")),
    }
}

fn is_multiple(node: Node<'_, '_>) -> Result<bool, XmlError> {
    choice(node, "MultipleInstances", "Multiple", "Single")
}

fn is_mandatory(node: Node<'_, '_>) -> Result<bool, XmlError> {
    choice(node, "Mandatory", "Mandatory", "Optional")
}

/// Whether an element says `yes`, and not `no`.
fn choice(node: Node<'_, '_>, name: &str, yes: &str, no: &str) -> Result<bool, XmlError> {
    let word = text(node, name);
    match word.eq_ignore_ascii_case(yes) {
        true => Ok(true),
        false if word.eq_ignore_ascii_case(no) => Ok(false),
        false => Err(wrong(node, name, word, &alloc::format!("{yes} or {no}"))),
    }
}

fn wrong(node: Node<'_, '_>, name: &str, found: &str, expected: &str) -> XmlError {
    let at = child(node, name).unwrap_or(node);
    let found: String = found.chars().take(40).collect();
    let what = match found.is_empty() {
        true => alloc::format!("{name} is missing or empty; write {expected}"),
        false => alloc::format!("{name} is `{found}`; write {expected}"),
    };
    error(at, &what)
}

fn error(node: Node<'_, '_>, what: &str) -> XmlError {
    let line = node.document().text_pos_at(node.range().start).row;
    XmlError { line, what: what.to_owned() }
}
