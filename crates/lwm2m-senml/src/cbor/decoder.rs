//! Reads items of CBOR (RFC 8949): texts and bytes of definite and indefinite length, integers of 64
//! bits, floats of any width, decimal fractions, true, false, null, and the heads of arrays, maps and
//! tags.

use crate::error::Error;
use crate::record::{Number, Value};
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use nom::bytes::complete::take;
use nom::number::complete::{be_u8, be_u16, be_u32, be_u64};
use nom::{IResult, Parser};

/// The tag of an array of exponent and mantissa: RFC 8949 section 3.4.4.
const DECIMAL_FRACTION: u64 = 4;
const INDEFINITE: u8 = 31;
const BREAK: u8 = 0xFF;
/// The deepest nesting of arrays, maps and tags in a skipped item.
const MAX_DEPTH: usize = 16;

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;

/// Reads items in sequence. Borrows strings of definite length from the input.
///
/// A method that fails leaves the decoder at or within the invalid item.
#[derive(Clone, Debug)]
pub struct Decoder<'a> {
    rest: &'a [u8],
    length: usize,
}

/// The head of an item: RFC 8949 section 3.
#[derive(Clone, Copy)]
struct Head {
    major: u8,
    info: u8,
    argument: u64,
}

#[inline]
fn head(input: &[u8]) -> IResult<&[u8], Head, ()> {
    let (rest, first) = be_u8(input)?;
    let info = first & 0x1F;
    let (rest, argument) = match info {
        0..=23 => (rest, u64::from(info)),
        24 => be_u8.map(u64::from).parse(rest)?,
        25 => be_u16.map(u64::from).parse(rest)?,
        26 => be_u32.map(u64::from).parse(rest)?,
        27 => be_u64(rest)?,
        INDEFINITE => (rest, 0),
        _ => return Err(nom::Err::Error(())),
    };
    Ok((rest, Head { major: first >> 5, info, argument }))
}

impl<'a> Decoder<'a> {
    /// Creates a decoder of the items in `input`.
    #[must_use]
    pub const fn new(input: &'a [u8]) -> Self {
        Self { rest: input, length: input.len() }
    }

    /// The number of bytes read.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.length - self.rest.len()
    }

    /// Whether all bytes are read.
    #[must_use]
    pub const fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The major type of the next item (RFC 8949 section 3.1).
    #[must_use]
    #[inline]
    pub fn major(&self) -> Option<u8> {
        self.rest.first().map(|first| first >> 5)
    }

    pub(super) const fn syntax(&self, expected: &'static str) -> Error {
        Error::Syntax { offset: self.offset(), expected }
    }

    /// Reads a head that `wanted` accepts.
    #[inline]
    fn head(
        &mut self,
        expected: &'static str,
        wanted: impl FnOnce(&Head) -> bool,
    ) -> Result<Head, Error> {
        match head(self.rest) {
            Ok((rest, head)) if wanted(&head) => {
                self.rest = rest;
                Ok(head)
            }
            _ => Err(self.syntax(expected)),
        }
    }

    /// Takes the content of a string.
    #[inline]
    fn take(&mut self, length: u64) -> Result<&'a [u8], Error> {
        let taken: IResult<_, _, ()> = match usize::try_from(length) {
            Ok(length) => take(length)(self.rest),
            Err(_) => Err(nom::Err::Error(())),
        };
        let (rest, bytes) = taken.map_err(|_| self.syntax("the rest of a string"))?;
        self.rest = rest;
        Ok(bytes)
    }

    /// Takes the break that ends an item of indefinite length, if it is next.
    #[inline]
    pub fn take_break(&mut self) -> bool {
        match self.rest.split_first() {
            Some((&BREAK, rest)) => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    #[inline]
    fn container(&mut self, major: u8, expected: &'static str) -> Result<Option<u64>, Error> {
        // Most containers have a head of one byte.
        if let Some((first, rest)) = self.rest.split_first()
            && let count @ 0..0x18 = first.wrapping_sub(major << 5)
        {
            self.rest = rest;
            return Ok(Some(count.into()));
        }
        self.large_container(major, expected)
    }

    fn large_container(&mut self, major: u8, expected: &'static str) -> Result<Option<u64>, Error> {
        let head = self.head(expected, |head| head.major == major)?;
        Ok((head.info != INDEFINITE).then_some(head.argument))
    }

    /// Reads the head of an array. Returns the number of items, or `None` if a break ends them. The
    /// number is untrusted: do not allocate by it.
    ///
    /// # Errors
    /// [`Error::Syntax`] for any other item.
    pub fn array(&mut self) -> Result<Option<u64>, Error> {
        self.container(ARRAY, "an array")
    }

    /// Reads the head of a map. Returns the number of pairs, or `None` if a break ends them.
    ///
    /// # Errors
    /// [`Error::Syntax`] for any other item.
    #[inline]
    pub fn map(&mut self) -> Result<Option<u64>, Error> {
        self.container(MAP, "a map")
    }

    /// Takes a tag, if it is next.
    pub fn tag(&mut self) -> Option<u64> {
        let head = self.head("a tag", |head| head.major == TAG && head.info != INDEFINITE).ok()?;
        Some(head.argument)
    }

    /// Reads an integer that fits `i64`.
    ///
    /// # Errors
    /// [`Error::Syntax`] for any other item.
    #[inline]
    pub fn integer(&mut self) -> Result<i64, Error> {
        self.small().map_or_else(|| self.any_integer(), |small| Ok(small.into()))
    }

    /// Takes an integer from 0 to 23, if it is next.
    #[inline]
    fn small(&mut self) -> Option<u8> {
        let (first @ 0..0x18, rest) = self.rest.split_first()? else { return None };
        self.rest = rest;
        Some(*first)
    }

    /// Takes an integer that fits `i64`, if it is next.
    #[inline]
    pub(super) fn plain_integer(&mut self) -> Option<i64> {
        let (rest, head) = match *self.rest {
            [small @ 0..0x18, ref rest @ ..] => {
                self.rest = rest;
                return Some(small.into());
            }
            [0x18, byte, ref rest @ ..] => {
                self.rest = rest;
                return Some(byte.into());
            }
            [0x19, high, low, ref rest @ ..] => {
                self.rest = rest;
                return Some(u16::from_be_bytes([high, low]).into());
            }
            _ => head(self.rest).ok()?,
        };
        if head.major > NEGATIVE || head.info == INDEFINITE {
            return None;
        }
        let value = i64::try_from(head.argument).ok()?;
        self.rest = rest;
        Some(if head.major == NEGATIVE { -1 - value } else { value })
    }

    fn any_integer(&mut self) -> Result<i64, Error> {
        self.plain_integer().ok_or_else(|| self.syntax("an integer"))
    }

    /// Reads a text.
    ///
    /// # Errors
    /// [`Error::Syntax`] for any other item, or if the text is cut off or not UTF-8.
    #[inline]
    pub fn text(&mut self) -> Result<Cow<'a, str>, Error> {
        // Most texts have a head of one byte.
        if let Some((first @ 0x60..0x78, rest)) = self.rest.split_first()
            && let Some((bytes, rest)) = rest.split_at_checked(usize::from(*first - 0x60))
            && let Ok(text) = core::str::from_utf8(bytes)
        {
            self.rest = rest;
            return Ok(Cow::Borrowed(text));
        }
        self.any_text()
    }

    fn any_text(&mut self) -> Result<Cow<'a, str>, Error> {
        let head = self.head("a text", |head| head.major == TEXT)?;
        if head.info == INDEFINITE {
            return self.text_chunks().map(Cow::Owned);
        }
        let bytes = self.take(head.argument)?;
        core::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| self.syntax("UTF-8"))
    }

    #[cold]
    fn text_chunks(&mut self) -> Result<String, Error> {
        let mut text = String::new();
        while !self.take_break() {
            let definite = |head: &Head| head.major == TEXT && head.info != INDEFINITE;
            let length = self.head("a piece of text", definite)?.argument;
            let bytes = self.take(length)?;
            text += core::str::from_utf8(bytes).map_err(|_| self.syntax("UTF-8"))?;
        }
        Ok(text)
    }

    /// Reads bytes.
    ///
    /// # Errors
    /// [`Error::Syntax`] for any other item, or if the bytes are cut off.
    pub fn bytes(&mut self) -> Result<Cow<'a, [u8]>, Error> {
        self.string_bytes(BYTES, "bytes")
    }

    /// Reads the bytes of a text or of bytes.
    fn string_bytes(&mut self, major: u8, expected: &'static str) -> Result<Cow<'a, [u8]>, Error> {
        let head = self.head(expected, |head| head.major == major)?;
        if head.info != INDEFINITE {
            return self.take(head.argument).map(Cow::Borrowed);
        }
        let mut bytes = Vec::new();
        while !self.take_break() {
            let definite = |head: &Head| head.major == major && head.info != INDEFINITE;
            let length = self.head("a piece of a string", definite)?.argument;
            bytes.extend_from_slice(self.take(length)?);
        }
        Ok(Cow::Owned(bytes))
    }

    /// Reads a number, text, bytes, true, false or null. An object link is a text.
    ///
    /// # Errors
    /// [`Error::Syntax`] for any other item, or if the item is cut off.
    #[inline]
    pub fn item(&mut self) -> Result<Value<'a>, Error> {
        if let Some(small) = self.small() {
            return Ok(Value::Integer(small.into()));
        }
        match self.major() {
            Some(TEXT) => self.text().map(Value::String),
            Some(BYTES) => self.bytes().map(Value::Data),
            Some(TAG) => self.decimal_fraction().map(Value::Float),
            _ => self.plain(),
        }
    }

    /// Reads an integer, float, true, false or null.
    #[inline]
    fn plain(&mut self) -> Result<Value<'a>, Error> {
        const EXPECTED: &str = "a number, text, bytes, true, false or null";
        let known = |head: &Head| matches!(head.major, UNSIGNED | NEGATIVE | 7);
        let before = self.rest;
        let head = self.head(EXPECTED, known)?;
        simple(head).ok_or_else(|| {
            self.rest = before;
            self.syntax(EXPECTED)
        })
    }

    fn decimal_fraction(&mut self) -> Result<f64, Error> {
        let expected = self.syntax("a decimal fraction");
        if self.tag() != Some(DECIMAL_FRACTION) || self.array() != Ok(Some(2)) {
            return Err(expected);
        }
        let exponent = i16::try_from(self.integer()?).map_err(|_| expected)?;
        let mantissa = self.integer()?;
        // Parsing the text rounds correctly.
        alloc::format!("{mantissa}e{exponent}").parse().map_err(|_| expected)
    }

    /// Skips an item. Texts may have any bytes.
    ///
    /// # Errors
    /// [`Error::Syntax`] if the item is malformed or cut off, [`Error::Nesting`] if it has more than
    /// 16 levels.
    pub fn skip(&mut self) -> Result<(), Error> {
        self.skip_within(MAX_DEPTH)
    }

    fn skip_within(&mut self, depth: usize) -> Result<(), Error> {
        let offset = self.offset();
        let inner = || depth.checked_sub(1).ok_or(Error::Nesting { offset });
        match self.major() {
            Some(major @ (TEXT | BYTES)) => self.string_bytes(major, "a string").map(drop),
            Some(TAG) => {
                let _ = self.tag().ok_or_else(|| self.syntax("a tag"))?;
                self.skip_within(inner()?)
            }
            Some(major @ (ARRAY | MAP)) => {
                let each = if major == MAP { 2 } else { 1 };
                let count = self.container(major, "a container")?;
                let mut remaining = count.map(|count| count.saturating_mul(each));
                while !self.ends(&mut remaining) {
                    self.skip_within(inner()?)?;
                }
                Ok(())
            }
            _ => self.head("an item", |head| head.info != INDEFINITE).map(drop),
        }
    }

    /// Whether an array or map ends here. Counts `remaining` items down, or takes the break if there is
    /// no count.
    #[inline]
    pub fn ends(&mut self, remaining: &mut Option<u64>) -> bool {
        match remaining {
            Some(0) => true,
            Some(count) => {
                *count -= 1;
                false
            }
            None => self.take_break(),
        }
    }
}

/// Decodes the head of an integer, float, true, false or null. Returns `None` for other heads and for
/// integers below the range of `i64`.
#[inline]
fn simple(head: Head) -> Option<Value<'static>> {
    let argument = head.argument;
    Some(match (head.major, head.info) {
        (_, INDEFINITE) => return None,
        (UNSIGNED, _) => match i64::try_from(argument) {
            Ok(value) => Value::Integer(value),
            Err(_) => Value::Unsigned(argument),
        },
        (NEGATIVE, _) => Value::Integer(-1 - i64::try_from(argument).ok()?),
        (_, 20) => Value::Boolean(false),
        (_, 21) => Value::Boolean(true),
        (_, 22) => Value::Null,
        (_, 25) => Value::Float(half(u16::try_from(argument).ok()?)),
        (_, 26) => Value::Float(f32::from_bits(u32::try_from(argument).ok()?).into()),
        (_, 27) => Value::Float(f64::from_bits(argument)),
        _ => return None,
    })
}

/// Decodes a float of half precision: RFC 8949 appendix D.
fn half(bits: u16) -> f64 {
    let exponent = i32::from(bits >> 10 & 0x1F);
    let mantissa = f64::from(bits & 0x3FF);
    let power = |exponent: i32| f64::from_bits(u64::from((1023 + exponent).unsigned_abs()) << 52);
    let magnitude = match exponent {
        0 => mantissa * power(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (mantissa + 1024.0) * power(exponent - 25),
    };
    if bits & 0x8000 == 0 { magnitude } else { -magnitude }
}

impl Value<'_> {
    /// The value, if it is a finite number.
    pub(super) fn finite(&self) -> Option<Number> {
        self.number().filter(|number| number.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves() {
        let cases = [
            (0x0000, 0.0),
            (0x3C00, 1.0),
            (0xC400, -4.0),
            (0x7BFF, 65504.0),
            (0x0001, 5.960_464_477_539_063e-8),
            (0x0400, 0.000_061_035_156_25),
            (0x7C00, f64::INFINITY),
            (0xFC00, f64::NEG_INFINITY),
        ];
        for (bits, value) in cases {
            assert_eq!(half(bits), value, "{bits:04x}");
        }
        assert!(half(0x7E00).is_nan());
    }

    #[test]
    fn skipping() {
        for whole in [
            &[0x00][..],
            &[0x1B, 0, 0, 0, 0, 0, 0, 0, 1],
            &[0x63, b'a', b'b', b'c'],
            &[0x9F, 0x01, 0x82, 0xF5, 0xF6, 0xFF],
            &[0xA2, 0x01, 0x80, 0x61, b'a', 0xC1, 0xF9, 0, 0],
            &[0xBF, 0x01, 0x5F, 0x41, 0, 0xFF, 0xFF],
        ] {
            let mut decoder = Decoder::new(whole);
            assert_eq!(decoder.skip(), Ok(()), "{whole:02x?}");
            assert!(decoder.is_at_end());
            for length in 0..whole.len() {
                assert!(Decoder::new(&whole[..length]).skip().is_err(), "{whole:02x?} {length}");
            }
        }
        assert!(Decoder::new(&[0xFF]).skip().is_err());
        assert!(Decoder::new(&[0x1C]).skip().is_err());
        assert_eq!(Decoder::new(&[0x81; 20]).skip(), Err(Error::Nesting { offset: 16 }));
        assert!(Decoder::new(&[0xBB, 255, 255, 255, 255, 255, 255, 255, 255]).skip().is_err());
    }
}
