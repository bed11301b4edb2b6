//! Deviations from RFC 6690 in lists of links, which parsing tolerates.

use crate::quirk::Quirk;

/// Where a byte of a list of links stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Between links and parameters, or in a parameter without quotes.
    Plain,
    Target,
    Quoted,
    /// After a backslash in quotes.
    Literal,
}

/// The deviations of a list with the offsets of their first occurrences.
pub(super) fn quirks(text: &str) -> impl Iterator<Item = (Quirk, usize)> {
    let mut found: [Option<usize>; Quirk::ALL.len()] = [None; Quirk::ALL.len()];
    let mut note = |quirk: Quirk, offset: usize| {
        if let Some(first) = found.get_mut(quirk as usize) {
            first.get_or_insert(offset);
        }
    };
    let list = text.strip_suffix('\0').unwrap_or(text);
    if list.len() < text.len() {
        note(Quirk::TrailingNul, list.len());
    }
    if list.trim_start().starts_with("lwm2m=") {
        note(Quirk::BareVersion, 0);
    }
    let bytes = list.as_bytes();
    let mut place = Place::Plain;
    // Whether a separator, or the beginning, precedes.
    let mut empty = true;
    let mut value = false;
    for (offset, byte) in bytes.iter().copied().enumerate() {
        let after = |count: usize| bytes.get(offset + 1..offset + 1 + count);
        match (place, byte) {
            // A value without quotes may have one, too.
            (Place::Plain, b'<') if !value => (place, empty) = (Place::Target, false),
            (Place::Plain, b'"') => (place, empty) = (Place::Quoted, false),
            (Place::Plain, b',' | b';') => {
                if empty {
                    note(Quirk::EmptyLink, offset);
                }
                (empty, value) = (true, false);
            }
            (Place::Plain, byte) if byte.is_ascii_whitespace() => note(Quirk::Blanks, offset),
            (Place::Plain, byte) => {
                if !byte.is_ascii() && !value {
                    note(Quirk::NotAscii, offset);
                }
                (empty, value) = (false, value || byte == b'=');
            }
            (Place::Target, b'>') => place = Place::Plain,
            (Place::Target, b'/') if after(1) == Some(b">") => {
                // The root is a slash.
                if offset.checked_sub(1).and_then(|before| bytes.get(before)) != Some(&b'<') {
                    note(Quirk::TrailingSlash, offset);
                }
            }
            (Place::Target, b'%') => {
                let escape = after(2).is_some_and(|it| it.iter().all(u8::is_ascii_hexdigit));
                if !escape {
                    note(Quirk::BadEscape, offset);
                }
            }
            (Place::Target, byte) if !byte.is_ascii() => note(Quirk::NotAscii, offset),
            (Place::Quoted, b'"') => place = Place::Plain,
            (Place::Quoted, b'\\') => place = Place::Literal,
            (Place::Literal, _) => place = Place::Quoted,
            (Place::Target | Place::Quoted, _) => {}
        }
    }
    if empty && !list.is_empty() {
        note(Quirk::EmptyLink, list.len());
    }
    Quirk::ALL.iter().zip(found).filter_map(|(quirk, offset)| Some((*quirk, offset?)))
}
