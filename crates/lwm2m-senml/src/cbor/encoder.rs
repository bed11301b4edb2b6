//! Writes items of CBOR in their shortest form: RFC 8949 section 4.2.1.

use crate::record::Value;
use alloc::vec::Vec;

/// Writes items in sequence.
#[derive(Debug, Default)]
pub struct Encoder {
    output: Vec<u8>,
}

impl Encoder {
    /// Creates an encoder with room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { output: Vec::with_capacity(capacity) }
    }

    /// Returns the written bytes.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.output
    }

    /// Returns the written items as an array of `count` items.
    pub(crate) fn finish_array(mut self, count: usize) -> Vec<u8> {
        let (bytes, length) = head(4, count as u64);
        self.output.splice(..0, bytes.into_iter().take(length));
        self.output
    }

    #[inline]
    fn head(&mut self, major: u8, argument: u64) {
        let (head, length) = head(major, argument);
        self.put(head, length);
    }

    /// Appends the first `length` bytes of `bytes`. Copies all of them first, because a copy of fixed
    /// size takes a few instructions and no call.
    #[inline]
    fn put<const N: usize>(&mut self, bytes: [u8; N], length: usize) {
        let end = self.output.len() + length;
        self.output.extend_from_slice(&bytes);
        self.output.truncate(end);
    }

    /// Writes the head of an array of `count` items.
    pub fn array(&mut self, count: usize) {
        self.head(4, count as u64);
    }

    /// Writes the head of a map of `count` pairs.
    #[inline]
    pub fn map(&mut self, count: usize) {
        self.head(5, count as u64);
    }

    /// Writes a tag. Its item must follow.
    pub fn tag(&mut self, tag: u64) {
        self.head(6, tag);
    }

    /// Writes a signed integer.
    #[inline]
    pub fn integer(&mut self, value: i64) {
        let (head, length) = integer(value);
        self.put(head, length);
    }

    /// Writes an unsigned integer.
    #[inline]
    pub fn unsigned(&mut self, value: u64) {
        self.head(0, value);
    }

    /// Writes a text.
    #[inline]
    pub fn text(&mut self, text: &str) {
        self.head(3, text.len() as u64);
        self.output.extend_from_slice(text.as_bytes());
    }

    /// Writes the head of a map of at most 23 pairs, and its first pair of label 0 and a text. Most
    /// records begin so.
    #[inline]
    pub(super) fn map_with_text(&mut self, count: u8, text: &str) {
        let map = 0xA0 | count;
        match *text.as_bytes() {
            [a] => self.output.extend_from_slice(&[map, 0, 0x61, a]),
            [a, b] => self.output.extend_from_slice(&[map, 0, 0x62, a, b]),
            [a, b, c] => self.output.extend_from_slice(&[map, 0, 0x63, a, b, c]),
            _ => {
                self.output.extend_from_slice(&[map, 0]);
                self.text(text);
            }
        }
    }

    /// Writes a label from 0 to 23 and an integer.
    #[inline]
    pub(super) fn labelled_integer(&mut self, label: u8, value: i64) {
        let ([a, b, c, d, e, f, g, h, i], length) = integer(value);
        self.put([label, a, b, c, d, e, f, g, h, i], 1 + length);
    }

    /// Writes a float in 4 bytes if that is exact, else in 8. Half precision is not used, because
    /// small devices do not read it.
    #[expect(clippy::cast_possible_truncation, reason = "used only if exact")]
    pub fn float(&mut self, value: f64) {
        let short = value as f32;
        if f64::from(short).to_bits() == value.to_bits() {
            self.output.push(0xFA);
            self.output.extend_from_slice(&short.to_be_bytes());
        } else {
            self.output.push(0xFB);
            self.output.extend_from_slice(&value.to_be_bytes());
        }
    }

    /// Writes a value. An object link is a text.
    #[inline]
    pub fn item(&mut self, value: &Value<'_>) {
        match value {
            Value::Integer(v) => self.integer(*v),
            Value::Unsigned(v) => self.unsigned(*v),
            Value::Float(v) => self.float(*v),
            Value::Boolean(v) => self.output.push(if *v { 0xF5 } else { 0xF4 }),
            Value::String(v) | Value::ObjectLink(v) => self.text(v),
            Value::Data(v) => {
                self.head(2, v.len() as u64);
                self.output.extend_from_slice(v);
            }
            Value::Date(v) => {
                self.tag(0);
                self.text(v);
            }
            Value::Null => self.output.push(0xF6),
        }
    }
}

/// The head of an item with this major type and argument, and its length.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "within the ranges of the arms")]
const fn head(major: u8, argument: u64) -> ([u8; 9], usize) {
    let major = major << 5;
    match argument {
        0..=23 => ([major | argument as u8, 0, 0, 0, 0, 0, 0, 0, 0], 1),
        24..=0xFF => ([major | 24, argument as u8, 0, 0, 0, 0, 0, 0, 0], 2),
        0x100..=0xFFFF => {
            let [a, b] = (argument as u16).to_be_bytes();
            ([major | 25, a, b, 0, 0, 0, 0, 0, 0], 3)
        }
        0x1_0000..=0xFFFF_FFFF => {
            let [a, b, c, d] = (argument as u32).to_be_bytes();
            ([major | 26, a, b, c, d, 0, 0, 0, 0], 5)
        }
        _ => {
            let [a, b, c, d, e, f, g, h] = argument.to_be_bytes();
            ([major | 27, a, b, c, d, e, f, g, h], 9)
        }
    }
}

/// A signed integer, as [`head`].
#[inline]
const fn integer(value: i64) -> ([u8; 9], usize) {
    // A negative one is its complement, which has the sign bit clear.
    let negative = value < 0;
    head(negative as u8, if negative { !value } else { value }.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_the_shortest() {
        let cases: [(i64, &[u8]); 9] = [
            (0, &[0]),
            (23, &[23]),
            (24, &[0x18, 24]),
            (-1, &[0x20]),
            (-257, &[0x39, 1, 0]),
            (256, &[0x19, 1, 0]),
            (65536, &[0x1A, 0, 1, 0, 0]),
            (1 << 32, &[0x1B, 0, 0, 0, 1, 0, 0, 0, 0]),
            (i64::MIN, &[0x3B, 0x7F, 255, 255, 255, 255, 255, 255, 255]),
        ];
        for (value, bytes) in cases {
            let mut encoder = Encoder::default();
            encoder.integer(value);
            assert_eq!(encoder.finish(), bytes, "{value}");
        }
    }
}
