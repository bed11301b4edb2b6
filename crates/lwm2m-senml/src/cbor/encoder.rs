//! Writing single items of CBOR (RFC 8949) in their shortest form.

use crate::Value;
use alloc::vec::Vec;

/// Writes items one after another.
#[derive(Debug, Default)]
pub struct Encoder {
    output: Vec<u8>,
}

impl Encoder {
    /// An encoder with room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self { output: Vec::with_capacity(capacity) }
    }

    /// The bytes that were written.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        self.output
    }

    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "within the ranges of the arms")]
    fn head(&mut self, major: u8, argument: u64) {
        let major = major << 5;
        match argument {
            0..=23 => self.output.push(major | argument as u8),
            24..=0xFF => self.output.extend_from_slice(&[major | 24, argument as u8]),
            0x100..=0xFFFF => {
                let [high, low] = (argument as u16).to_be_bytes();
                self.output.extend_from_slice(&[major | 25, high, low]);
            }
            0x1_0000..=0xFFFF_FFFF => {
                self.output.push(major | 26);
                self.output.extend_from_slice(&(argument as u32).to_be_bytes());
            }
            _ => {
                self.output.push(major | 27);
                self.output.extend_from_slice(&argument.to_be_bytes());
            }
        }
    }

    /// The head of an array of `count` items.
    pub fn array(&mut self, count: usize) {
        self.head(4, count as u64);
    }

    /// The head of a map of `count` pairs.
    #[inline]
    pub fn map(&mut self, count: usize) {
        self.head(5, count as u64);
    }

    /// A tag, whose item is to follow.
    pub fn tag(&mut self, tag: u64) {
        self.head(6, tag);
    }

    /// A signed integer.
    #[inline]
    pub fn integer(&mut self, value: i64) {
        match u64::try_from(value) {
            Ok(value) => self.head(0, value),
            Err(_) => self.head(1, !value.cast_unsigned()),
        }
    }

    /// An unsigned integer.
    #[inline]
    pub fn unsigned(&mut self, value: u64) {
        self.head(0, value);
    }

    /// A text.
    #[inline]
    pub fn text(&mut self, text: &str) {
        self.head(3, text.len() as u64);
        self.output.extend_from_slice(text.as_bytes());
    }

    /// An integer from -24 to 23 as key, and a text.
    #[inline]
    pub(super) fn labelled_text(&mut self, label: i8, text: &str) {
        match (label, u8::try_from(text.len())) {
            // Both heads are one byte each.
            (0..=23, Ok(length @ 0..=23)) => {
                self.output.extend_from_slice(&[label.cast_unsigned(), 0x60 | length]);
                self.output.extend_from_slice(text.as_bytes());
            }
            _ => {
                self.integer(label.into());
                self.text(text);
            }
        }
    }

    /// A float, in 4 bytes if they hold it exactly, else in 8. The 2 bytes of half precision are
    /// not written, since small devices do not read them.
    #[expect(clippy::cast_possible_truncation, reason = "tried, and undone if it loses anything")]
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

    /// A value; an object link as text.
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
            Value::Null => self.output.push(0xF6),
        }
    }
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
