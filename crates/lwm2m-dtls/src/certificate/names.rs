//! The common name of a subject: RFC 5280 section 4.1.2.6.

use alloc::string::String;
use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::be_u8;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT_IDENTIFIER: u8 = 0x06;
/// The attribute type 2.5.4.3.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];

/// Tag, content and what follows of a DER element of up to 64 KiB.
fn element(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (rest, (tag, short)) = (be_u8::<_, ()>, be_u8).parse(input).ok()?;
    let (rest, length) = match short {
        0x00..=0x7f => (rest, usize::from(short)),
        0x81 => be_u8::<_, ()>(rest).map(|(rest, n)| (rest, usize::from(n))).ok()?,
        0x82 => nom::number::complete::be_u16::<_, ()>(rest)
            .map(|(rest, n)| (rest, usize::from(n)))
            .ok()?,
        _ => return None,
    };
    let (rest, content) = take::<_, _, ()>(length)(rest).ok()?;
    Some((tag, content, rest))
}

/// The first common name of a subject (with or without its outer SEQUENCE).
pub(super) fn common_name(subject: &[u8]) -> Option<String> {
    let mut names = match element(subject)? {
        (SEQUENCE, content, _) => content,
        _ => subject,
    };
    while let Some((SET, mut attributes, rest)) = element(names) {
        while let Some((SEQUENCE, attribute, more)) = element(attributes) {
            if let Some((OBJECT_IDENTIFIER, kind, value)) = element(attribute)
                && kind == COMMON_NAME
            {
                let (_, text, _) = element(value)?;
                return core::str::from_utf8(text).ok().map(String::from);
            }
            attributes = more;
        }
        names = rest;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_common_name_is_found_behind_other_attributes() {
        let subject = b"\x30\x1c\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x13\x02DE\
                        \x31\x0d\x30\x0b\x06\x03\x55\x04\x03\x0c\x04urn1";
        assert_eq!(common_name(subject).as_deref(), Some("urn1"));
        assert_eq!(common_name(&subject[2..]).as_deref(), Some("urn1"));
        for length in 0..subject.len() {
            assert_eq!(common_name(&subject[..length]), None);
        }
    }
}
