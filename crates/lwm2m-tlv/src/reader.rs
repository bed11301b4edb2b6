//! Reads entries without copying: OMA LwM2M Core 1.2, section 7.4.5.

use crate::error::Error;
use crate::kind::Kind;
use crate::value;
use nom::bytes::streaming::take;
use nom::number::streaming::{be_u8, be_u16, be_u24};
use nom::{IResult, Needed, Parser};

/// Iterates over the entries of one level.
///
/// The iteration ends after an error. Nothing is copied or allocated.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    input: &'a [u8],
    offset: usize,
    parent: Option<Kind>,
}

/// An entry: header and value, borrowed from the input.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry<'a> {
    /// The kind of the entry.
    pub kind: Kind,
    /// The ID of the object instance, resource or resource instance.
    pub id: u16,
    /// The value. [`Kind::ObjectInstance`] and [`Kind::MultipleResource`] contain entries.
    pub value: &'a [u8],
    /// The offset of the entry in the outermost input, in bytes.
    pub offset: usize,
    header: usize,
}

impl<'a> Reader<'a> {
    /// Creates a reader of the entries of a payload.
    #[must_use]
    pub const fn new(input: &'a [u8]) -> Self {
        Self { input, offset: 0, parent: None }
    }

    fn fail(&mut self, error: Error) -> Option<Result<Entry<'a>, Error>> {
        self.input = &[];
        Some(Err(error))
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Entry<'a>, Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.input.is_empty() {
            return None;
        }
        let offset = self.offset;
        let (rest, (kind, id, value)) = match entry(self.input) {
            Ok(parsed) => parsed,
            Err(nom::Err::Incomplete(Needed::Size(missing))) => {
                return self.fail(Error::Truncated { offset, missing: missing.get() });
            }
            Err(_) => return self.fail(Error::Truncated { offset, missing: 1 }),
        };
        if !kind.fits_in(self.parent) {
            return self.fail(Error::Nesting { offset, kind });
        }
        let length = self.input.len() - rest.len();
        self.input = rest;
        self.offset += length;
        Some(Ok(Entry { kind, id, value, offset, header: length - value.len() }))
    }
}

impl<'a> Entry<'a> {
    /// Reads the entries within this one. Only object instances and multiple resources contain
    /// entries. For other kinds the reader returns an error unless the value is empty.
    #[must_use]
    #[inline]
    pub const fn children(&self) -> Reader<'a> {
        Reader { input: self.value, offset: self.offset + self.header, parent: Some(self.kind) }
    }

    /// Decodes the value as Integer or Time.
    ///
    /// # Errors
    /// As [`value::integer`].
    pub fn integer(&self) -> Result<i64, Error> {
        value::integer(self.value)
    }
}

impl Kind {
    const fn fits_in(self, parent: Option<Self>) -> bool {
        match parent {
            None => true,
            Some(Self::ObjectInstance) => matches!(self, Self::Resource | Self::MultipleResource),
            Some(Self::MultipleResource) => matches!(self, Self::ResourceInstance),
            Some(Self::Resource | Self::ResourceInstance) => false,
        }
    }
}

type Parsed<'a, T> = IResult<&'a [u8], T, ()>;

#[inline]
fn entry(input: &[u8]) -> Parsed<'_, (Kind, u16, &[u8])> {
    let (input, head) = be_u8.parse(input)?;
    let (input, id) = match head & 0b0010_0000 {
        0 => be_u8.map(u16::from).parse(input)?,
        _ => be_u16.parse(input)?,
    };
    let (input, length) = match head & 0b0001_1000 {
        0 => (input, u32::from(head & 0b111)),
        0b0000_1000 => be_u8.map(u32::from).parse(input)?,
        0b0001_0000 => be_u16.map(u32::from).parse(input)?,
        _ => be_u24.parse(input)?,
    };
    let (input, value) = take(length).parse(input)?;
    Ok((input, (Kind::of(head), id, value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn read(input: &[u8]) -> Result<Vec<Entry<'_>>, Error> {
        Reader::new(input).collect()
    }

    // proves: TLV-02
    #[test]
    fn low_bits_are_ignored_if_a_length_field_follows() {
        let plain = [0xC8, 0x01, 0x02, 0xAA, 0xBB];
        let noisy = [0xC9, 0x01, 0x02, 0xAA, 0xBB];
        assert_eq!(read(&plain), read(&noisy));
        let known: Vec<_> = Reader::new(&[0xE1, 0x03, 0xE7, 0x01, 0xC1, 0x05, 0x02])
            .filter_map(Result::ok)
            .filter(|entry| entry.id == 5)
            .collect();
        assert_eq!(known[0].integer(), Ok(2));
    }

    #[test]
    fn entries_have_their_offset_in_the_payload() {
        let input = [0x08, 0x00, 0x05, 0x83, 0x06, 0x41, 0x00, 0x01, 0xC0, 0x07];
        let top = read(&input[..8]).unwrap();
        let multiple: Vec<_> = top[0].children().collect::<Result<_, _>>().unwrap();
        let values: Vec<_> = multiple[0].children().collect::<Result<_, _>>().unwrap();
        assert_eq!((top[0].offset, multiple[0].offset, values[0].offset), (0, 3, 5));
        assert_eq!(values[0].value, [1]);
        assert_eq!(read(&input).unwrap()[1].offset, 8);
    }

    #[test]
    fn errors_have_offset_and_missing_bytes() {
        let cut = Error::Truncated { offset: 3, missing: 2 };
        assert_eq!(read(&[0xC1, 0x00, 0x05, 0xC4, 0x01, 0x00, 0x00]), Err(cut));
        assert_eq!(read(&[0xC8]), Err(Error::Truncated { offset: 0, missing: 1 }));
        let huge = [0xD8, 0x00, 0xFF, 0xFF, 0xFF];
        assert_eq!(read(&huge), Err(Error::Truncated { offset: 0, missing: 0x00FF_FFFF }));
        let mut reader = Reader::new(&huge);
        assert!(reader.next().unwrap().is_err());
        assert_eq!(reader.next(), None);
    }

    // proves: TLV-10
    #[test]
    fn entries_nest_as_the_standard_allows() {
        // An object instance in a multiple resource, and a resource in a resource instance.
        let outer = [0x82, 0x06, 0x00, 0x00];
        let entry = read(&outer).unwrap()[0];
        let inner = Error::Nesting { offset: 2, kind: Kind::ObjectInstance };
        assert_eq!(entry.children().next(), Some(Err(inner)));
        let deep = [0x07, 0x00, 0x85, 0x06, 0x43, 0x00, 0x41, 0x00, 0x01];
        let instance = read(&deep).unwrap()[0];
        let multiple = instance.children().next().unwrap().unwrap();
        let value = multiple.children().next().unwrap().unwrap();
        let fourth = Error::Nesting { offset: 6, kind: Kind::ResourceInstance };
        assert_eq!(value.children().next(), Some(Err(fourth)));
        for length in 0..deep.len() {
            assert!(length == 0 || read(&deep[..length]).is_err(), "{length}");
        }
    }
}
