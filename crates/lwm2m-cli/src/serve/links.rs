//! `/.well-known/core`: the resources in CoRE Link Format (RFC 6690), filtered (section 4.1).

use super::resources::Entry;

/// The links to the `entries` that match all filters of a query.
pub(super) fn list<'a>(
    entries: impl Iterator<Item = (&'a str, &'a Entry)>,
    query: impl Iterator<Item = &'a [u8]>,
) -> String {
    let filters: Vec<(&str, &str)> = query
        .filter_map(|parameter| std::str::from_utf8(parameter).ok()?.split_once('='))
        .collect();
    let mut links = String::new();
    for (path, entry) in entries {
        if filters.iter().all(|(name, pattern)| fits(path, entry, name, pattern)) {
            if !links.is_empty() {
                links.push(',');
            }
            links.push_str(&link(path, entry));
        }
    }
    links
}

fn link(path: &str, entry: &Entry) -> String {
    let mut link = format!("</{path}>");
    if !entry.title.is_empty() {
        link.push_str(&format!(";title=\"{}\"", entry.title));
    }
    if !entry.resource_type.is_empty() {
        link.push_str(&format!(";rt=\"{}\"", entry.resource_type));
    }
    if !entry.interface.is_empty() {
        link.push_str(&format!(";if=\"{}\"", entry.interface));
    }
    if let Some(size) = entry.size() {
        link.push_str(&format!(";sz={size}"));
    }
    if let Some(format) = entry.format {
        link.push_str(&format!(";ct={format}"));
    }
    if entry.observable {
        link.push_str(";obs");
    }
    link
}

/// Whether an attribute has the value, or begins with the text before a final star.
fn fits(path: &str, entry: &Entry, name: &str, pattern: &str) -> bool {
    let matches = |value: &str| match pattern.strip_suffix('*') {
        Some(prefix) => value.starts_with(prefix),
        None => value == pattern,
    };
    match name {
        "href" => matches(&format!("/{path}")),
        "title" => matches(entry.title),
        "rt" => entry.resource_type.split(' ').any(matches),
        "if" => entry.interface.split(' ').any(matches),
        "sz" => entry.size().is_some_and(|size| matches(&size.to_string())),
        "ct" => entry.format.is_some_and(|format| matches(&format.to_string())),
        _ => false,
    }
}
