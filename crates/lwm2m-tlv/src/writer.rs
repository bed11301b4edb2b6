//! Writes entries in their shortest form: OMA LwM2M Core 1.2, section 7.4.5.

use crate::error::Error;
use crate::kind::Kind;
use alloc::vec::Vec;

/// The longest value, in bytes: the limit of a length field of three bytes.
const MAX_LENGTH: usize = 0x00FF_FFFF;

/// Writes entries. Each entry has the shortest ID and length fields, and numbers take the fewest
/// bytes.
///
/// A value that is too long is skipped, and [`Writer::finish`] returns an error.
#[derive(Debug, Default)]
pub struct Writer {
    output: Vec<u8>,
    failure: Option<Error>,
}

impl Writer {
    /// Creates a writer.
    #[must_use]
    pub const fn new() -> Self {
        Self { output: Vec::new(), failure: None }
    }

    /// Creates a writer with room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { output: Vec::with_capacity(capacity), failure: None }
    }

    /// Writes an entry with the bytes of a String, Opaque or Corelnk, or with encoded entries.
    #[inline]
    pub fn bytes(&mut self, kind: Kind, id: u16, value: &[u8]) {
        if value.len() > MAX_LENGTH {
            self.failure = self.failure.or(Some(Error::TooLong { id }));
            return;
        }
        self.header(kind, id, value.len());
        self.output.extend_from_slice(value);
    }

    /// Writes an Integer or Time in 1, 2, 4 or 8 bytes.
    #[inline]
    pub fn integer(&mut self, kind: Kind, id: u16, value: i64) {
        if let Ok(value) = i8::try_from(value) {
            self.fixed(kind, id, value.to_be_bytes());
        } else if let Ok(value) = i16::try_from(value) {
            self.fixed(kind, id, value.to_be_bytes());
        } else if let Ok(value) = i32::try_from(value) {
            self.fixed(kind, id, value.to_be_bytes());
        } else {
            self.fixed(kind, id, value.to_be_bytes());
        }
    }

    /// Writes an Unsigned Integer in 1, 2, 4 or 8 bytes.
    #[inline]
    pub fn unsigned(&mut self, kind: Kind, id: u16, value: u64) {
        if let Ok(value) = u8::try_from(value) {
            self.fixed(kind, id, value.to_be_bytes());
        } else if let Ok(value) = u16::try_from(value) {
            self.fixed(kind, id, value.to_be_bytes());
        } else if let Ok(value) = u32::try_from(value) {
            self.fixed(kind, id, value.to_be_bytes());
        } else {
            self.fixed(kind, id, value.to_be_bytes());
        }
    }

    /// Writes a Float in 4 bytes if that is exact, else in 8.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "used only if exact")]
    pub fn float(&mut self, kind: Kind, id: u16, value: f64) {
        let short = value as f32;
        if f64::from(short).to_bits() == value.to_bits() {
            self.fixed(kind, id, short.to_be_bytes());
        } else {
            self.fixed(kind, id, value.to_be_bytes());
        }
    }

    /// Writes a Boolean.
    #[inline]
    pub fn boolean(&mut self, kind: Kind, id: u16, value: bool) {
        self.fixed(kind, id, [u8::from(value)]);
    }

    /// Writes an Objlnk.
    #[inline]
    pub fn object_link(&mut self, kind: Kind, id: u16, object: u16, instance: u16) {
        let [o1, o0] = object.to_be_bytes();
        let [i1, i0] = instance.to_be_bytes();
        self.fixed(kind, id, [o1, o0, i1, i0]);
    }

    /// Writes an entry that contains the entries which `body` writes.
    pub fn nested(&mut self, kind: Kind, id: u16, body: impl FnOnce(&mut Self)) {
        // The header has room for a body of up to 7 bytes, and is widened for a longer one.
        let start = self.output.len();
        self.header(kind, id, 0);
        let inner = self.output.len();
        body(self);
        let length = self.output.len() - inner;
        if length > MAX_LENGTH {
            self.failure = self.failure.or(Some(Error::TooLong { id }));
            return;
        }
        let (bits, extra) = length_field(length);
        if let Some(head) = self.output.get_mut(start) {
            *head |= bits;
        }
        let [_, field @ ..] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        let field = field.iter().skip(field.len() - extra);
        if extra > 0 {
            self.output.splice(inner..inner, field.copied());
        }
    }

    /// Returns the written bytes.
    ///
    /// # Errors
    /// [`Error::TooLong`] for the first value that was too long.
    pub fn finish(self) -> Result<Vec<u8>, Error> {
        self.failure.map_or(Ok(self.output), Err)
    }

    /// Writes an entry with a value of 1 to 8 bytes.
    #[inline]
    fn fixed<const N: usize>(&mut self, kind: Kind, id: u16, value: [u8; N]) {
        self.header(kind, id, N);
        self.output.extend_from_slice(&value);
    }

    #[inline]
    fn header(&mut self, kind: Kind, id: u16, length: usize) {
        let (bits, extra) = length_field(length);
        let head = kind.bits() | bits;
        match u8::try_from(id) {
            Ok(id) => self.output.extend_from_slice(&[head, id]),
            Err(_) => {
                let [high, low] = id.to_be_bytes();
                self.output.extend_from_slice(&[head | 0b0010_0000, high, low]);
            }
        }
        let [_, b2, b1, b0] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        match extra {
            0 => {}
            1 => self.output.push(b0),
            2 => self.output.extend_from_slice(&[b1, b0]),
            _ => self.output.extend_from_slice(&[b2, b1, b0]),
        }
    }
}

/// The bits of the type byte that tell the length, and how many bytes of length field follow.
#[inline]
const fn length_field(length: usize) -> (u8, usize) {
    match length {
        #[expect(clippy::cast_possible_truncation, reason = "at most 7")]
        0..=7 => (length as u8, 0),
        8..=0xFF => (0b0000_1000, 1),
        0x100..=0xFFFF => (0b0001_0000, 2),
        _ => (0b0001_1000, 3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Reader;
    use alloc::vec;

    fn one(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
        let mut writer = Writer::new();
        write(&mut writer);
        writer.finish().unwrap()
    }

    // proves: TLV-01
    #[test]
    fn headers_have_their_shortest_form() {
        let heads: [(usize, &[u8]); 7] = [
            (0, &[0xC0, 1]),
            (7, &[0xC7, 1]),
            (8, &[0xC8, 1, 8]),
            (255, &[0xC8, 1, 255]),
            (256, &[0xD0, 1, 1, 0]),
            (65535, &[0xD0, 1, 0xFF, 0xFF]),
            (65536, &[0xD8, 1, 1, 0, 0]),
        ];
        for (length, head) in heads {
            let value = vec![0x5A; length];
            let bytes = one(|w| w.bytes(Kind::Resource, 1, &value));
            assert_eq!(bytes[..head.len()], *head, "{length}");
            let entry = Reader::new(&bytes).next().unwrap().unwrap();
            assert_eq!((entry.id, entry.value), (1, &value[..]));
            // The same as body of a nested entry.
            let nested = one(|w| w.nested(Kind::Resource, 1, |w| w.output.extend(&value)));
            assert_eq!(nested, bytes);
        }
        assert_eq!(one(|w| w.integer(Kind::Resource, 255, 1)), [0xC1, 0xFF, 1]);
        assert_eq!(one(|w| w.integer(Kind::Resource, 256, 1)), [0xE1, 1, 0, 1]);
        assert_eq!(one(|w| w.integer(Kind::Resource, 300, 1)), [0xE1, 1, 0x2C, 1]);
        assert_eq!(one(|w| w.integer(Kind::ResourceInstance, 0, 1)), [0x41, 0, 1]);
    }

    // proves: TLV-03
    #[test]
    fn integers_take_the_fewest_bytes() {
        let cases: [(i64, &[u8]); 9] = [
            (-1, &[0xC1, 5, 0xFF]),
            (127, &[0xC1, 5, 0x7F]),
            (128, &[0xC2, 5, 0, 0x80]),
            (-128, &[0xC1, 5, 0x80]),
            (-129, &[0xC2, 5, 0xFF, 0x7F]),
            (40_000, &[0xC4, 5, 0, 0, 0x9C, 0x40]),
            (1 << 31, &[0xC8, 5, 8, 0, 0, 0, 0, 0x80, 0, 0, 0]),
            (i64::MIN, &[0xC8, 5, 8, 0x80, 0, 0, 0, 0, 0, 0, 0]),
            (i64::MAX, &[0xC8, 5, 8, 0x7F, 255, 255, 255, 255, 255, 255, 255]),
        ];
        for (value, bytes) in cases {
            assert_eq!(one(|w| w.integer(Kind::Resource, 5, value)), bytes, "{value}");
            assert_eq!(Reader::new(bytes).next().unwrap().unwrap().integer(), Ok(value));
        }
        let three = Reader::new(&[0xC3, 5, 0, 0, 1]).next().unwrap().unwrap();
        assert_eq!(three.integer(), Err(Error::Value { expected: "Integer", length: 3 }));
    }

    // proves: TLV-04
    #[test]
    fn unsigned_integers_have_no_sign_bit() {
        let cases: [(u64, &[u8]); 4] = [
            (255, &[0xC1, 5, 0xFF]),
            (256, &[0xC2, 5, 1, 0]),
            (65536, &[0xC4, 5, 0, 1, 0, 0]),
            (u64::MAX, &[0xC8, 5, 8, 255, 255, 255, 255, 255, 255, 255, 255]),
        ];
        for (value, bytes) in cases {
            assert_eq!(one(|w| w.unsigned(Kind::Resource, 5, value)), bytes, "{value}");
            let entry = Reader::new(bytes).next().unwrap().unwrap();
            assert_eq!(crate::value::unsigned(entry.value), Ok(value));
        }
    }

    // proves: TLV-05
    #[test]
    fn floats_booleans_and_links() {
        let short = one(|w| w.float(Kind::Resource, 0, -1.5));
        assert_eq!(short, [0xC4, 0, 0xBF, 0xC0, 0, 0]);
        let long = one(|w| w.float(Kind::Resource, 0, 1.1));
        assert_eq!(long, [0xC8, 0, 8, 0x3F, 0xF1, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9A]);
        assert_eq!(crate::value::float(&long[3..]), Ok(1.1));
        assert_eq!(one(|w| w.boolean(Kind::Resource, 6, false)), [0xC1, 6, 0]);
        let link = one(|w| w.object_link(Kind::ResourceInstance, 0, 66, 0));
        assert_eq!(link, [0x44, 0, 0, 66, 0, 0]);
    }

    #[test]
    fn long_values_are_refused() {
        let value = vec![0; MAX_LENGTH + 1];
        let mut writer = Writer::new();
        writer.bytes(Kind::Resource, 3, &value);
        assert_eq!(writer.finish(), Err(Error::TooLong { id: 3 }));
        let mut writer = Writer::new();
        writer.nested(Kind::MultipleResource, 7, |w| {
            w.bytes(Kind::ResourceInstance, 0, &value[..MAX_LENGTH]);
        });
        assert_eq!(writer.finish(), Err(Error::TooLong { id: 7 }));
        let mut writer = Writer::with_capacity(MAX_LENGTH + 5);
        let reserved = writer.output.capacity();
        writer.nested(Kind::MultipleResource, 7, |w| w.output.extend(&value[..MAX_LENGTH]));
        assert_eq!(writer.output.capacity(), reserved, "it did not grow");
        assert_eq!(writer.finish().map(|bytes| bytes.len()), Ok(MAX_LENGTH + 5), "the longest");
    }
}
