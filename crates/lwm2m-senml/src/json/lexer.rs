//! Tokens of JSON (RFC 8259) in valid UTF-8.

use crate::record::Number;
use alloc::borrow::Cow;
use alloc::string::String;
use nom::bytes::complete::take_while;
use nom::error::{ErrorKind, ParseError};
use nom::{IResult, Parser};

/// A syntax error: the number of remaining bytes, and what the grammar requires there.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) remaining: usize,
    pub(super) expected: &'static str,
}

impl ParseError<&str> for Fault {
    fn from_error_kind(input: &str, _: ErrorKind) -> Self {
        Self { remaining: input.len(), expected: "JSON" }
    }

    fn append(_: &str, _: ErrorKind, other: Self) -> Self {
        other
    }
}

pub(super) type Parsed<'a, T> = IResult<&'a str, T, Fault>;

pub(super) const fn fault<'a, T>(input: &'a str, expected: &'static str) -> Parsed<'a, T> {
    Err(nom::Err::Error(Fault { remaining: input.len(), expected }))
}

/// Skips blanks.
#[inline]
pub(super) fn blanks(input: &str) -> &str {
    match input.as_bytes().first() {
        Some(byte) if *byte > b' ' => input,
        _ => input.trim_start_matches([' ', '\t', '\n', '\r']),
    }
}

/// The next byte after blanks, if there is one.
#[inline]
pub(super) fn peek(input: &str) -> Option<u8> {
    blanks(input).as_bytes().first().copied()
}

/// Parses a structural character after blanks.
#[inline]
pub(super) fn symbol<'a>(
    symbol: u8,
    expected: &'static str,
) -> impl FnOnce(&'a str) -> Parsed<'a, ()> {
    move |input| {
        let input = blanks(input);
        match (input.as_bytes().first(), input.get(1..)) {
            (Some(found), Some(rest)) if *found == symbol => Ok((rest, ())),
            _ => fault(input, expected),
        }
    }
}

/// Parses `true`, `false` or `null` after blanks.
pub(super) fn word<'a>(word: &'static str) -> impl FnOnce(&'a str) -> Parsed<'a, ()> {
    move |input| {
        let input = blanks(input);
        input.strip_prefix(word).map_or_else(|| fault(input, word), |rest| Ok((rest, ())))
    }
}

/// Parses a string. Borrows it unless it has escapes.
#[inline]
pub(super) fn string(input: &str) -> Parsed<'_, Cow<'_, str>> {
    let (rest, ()) = symbol(b'"', "a string")(input)?;
    let (end, plain) = plain(rest)?;
    match end.strip_prefix('"') {
        Some(rest) => Ok((rest, Cow::Borrowed(plain))),
        None => escaped(end, plain),
    }
}

/// Takes the characters before the next quote, backslash or control character.
#[inline]
fn plain(input: &str) -> Parsed<'_, &str> {
    let stop = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..=0x1F);
    let length = input.as_bytes().iter().position(stop).unwrap_or(input.len());
    match input.split_at_checked(length) {
        Some((plain, rest)) => Ok((rest, plain)),
        None => fault(input, "a string"),
    }
}

/// Parses the rest of a string after `begin`, from its first escape on.
#[cold]
fn escaped<'a>(input: &'a str, begin: &str) -> Parsed<'a, Cow<'a, str>> {
    let mut text = String::from(begin);
    let mut input = input;
    loop {
        let (rest, c) = match input.as_bytes().first() {
            Some(b'"') => return Ok((input.get(1..).unwrap_or_default(), Cow::Owned(text))),
            Some(b'\\') => escape(input.get(1..).unwrap_or_default())?,
            _ => return fault(input, "a closing quote"),
        };
        text.push(c);
        let (rest, more) = plain(rest)?;
        text.push_str(more);
        input = rest;
    }
}

fn escape(input: &str) -> Parsed<'_, char> {
    let mut chars = input.chars();
    let c = match chars.next() {
        Some(c @ ('"' | '\\' | '/')) => c,
        Some('b') => '\u{8}',
        Some('f') => '\u{c}',
        Some('n') => '\n',
        Some('r') => '\r',
        Some('t') => '\t',
        Some('u') => return unicode(chars.as_str()),
        _ => return fault(input, "an escape"),
    };
    Ok((chars.as_str(), c))
}

/// Parses four hexadecimal digits, and a second surrogate for a character beyond U+FFFF.
fn unicode(input: &str) -> Parsed<'_, char> {
    let (rest, high) = hex(input)?;
    if !(0xD800..0xDC00).contains(&high) {
        return char::from_u32(high).map_or_else(|| fault(input, "a character"), |c| Ok((rest, c)));
    }
    let Some(rest) = rest.strip_prefix("\\u") else { return fault(rest, "a low surrogate") };
    let (rest, low) = hex(rest)?;
    let code = low.checked_sub(0xDC00).filter(|low| *low < 0x400);
    match code.and_then(|low| char::from_u32(0x1_0000 + ((high - 0xD800) << 10) + low)) {
        Some(c) => Ok((rest, c)),
        None => fault(rest, "a low surrogate"),
    }
}

fn hex(input: &str) -> Parsed<'_, u32> {
    let digits = input.get(..4).filter(|text| text.bytes().all(|b| b.is_ascii_hexdigit()));
    match digits.map(|text| u32::from_str_radix(text, 16)) {
        Some(Ok(code)) => Ok((input.get(4..).unwrap_or_default(), code)),
        _ => fault(input, "four hexadecimal digits"),
    }
}

/// Parses a number after blanks. Exact for integers of 64 bits without fraction and exponent.
#[inline]
pub(super) fn number(input: &str) -> Parsed<'_, Number> {
    let input = blanks(input);
    let (negative, digits) = match input.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, input),
    };
    let (magnitude, length) = magnitude(digits.as_bytes());
    let rest = digits.get(length..).unwrap_or_default();
    let leading_zero = length > 1 && digits.starts_with('0');
    if length == 0 || leading_zero {
        return fault(input, "a number");
    }
    let plain = !matches!(rest.as_bytes().first(), Some(b'.' | b'e' | b'E'));
    let exact = match magnitude.filter(|_| plain) {
        Some(v) if negative => 0i64.checked_sub_unsigned(v).map(Number::Integer),
        Some(v) => Some(i64::try_from(v).map_or(Number::Unsigned(v), Number::Integer)),
        None => None,
    };
    exact.map_or_else(|| float(input, rest), |number| Ok((rest, number)))
}

/// The value of the leading digits if it fits 64 bits, and their count.
#[inline]
fn magnitude(digits: &[u8]) -> (Option<u64>, usize) {
    let mut value = Some(0u64);
    let mut length = 0;
    for byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = value.and_then(|v| v.checked_mul(10)?.checked_add(digit.into()));
        length += 1;
    }
    (value, length)
}

/// Parses the float at the begin of `input`. `rest` follows its integer digits.
#[cold]
fn float<'a>(input: &'a str, rest: &'a str) -> Parsed<'a, Number> {
    let (rest, ()) = match rest.strip_prefix('.') {
        Some(fraction) => some_digits(fraction)?,
        None => (rest, ()),
    };
    let (rest, ()) = match rest.strip_prefix(['e', 'E']) {
        Some(exponent) => some_digits(exponent.strip_prefix(['+', '-']).unwrap_or(exponent))?,
        None => (rest, ()),
    };
    let text = input.get(..input.len() - rest.len()).unwrap_or_default();
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok((rest, Number::Float(value))),
        _ => fault(input, "a number of the range of a double"),
    }
}

fn some_digits(input: &str) -> Parsed<'_, ()> {
    let (rest, digits) = take_while(|c: char| c.is_ascii_digit()).parse(input)?;
    if digits.is_empty() { fault(input, "a digit") } else { Ok((rest, ())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    // proves: SENML-04
    #[test]
    fn integers_are_exact() {
        let whole = |text| number(text).map(|(_, number)| number).unwrap();
        assert_eq!(whole("9007199254740993"), Number::Integer(9_007_199_254_740_993));
        assert_eq!(whole("-9223372036854775808"), Number::Integer(i64::MIN));
        assert_eq!(whole("9223372036854775808"), Number::Unsigned(1 << 63));
        assert_eq!(whole("18446744073709551615"), Number::Unsigned(u64::MAX));
        assert_eq!(whole("18446744073709551616"), Number::Float(18_446_744_073_709_551_616.0));
        assert_eq!(whole("-9223372036854775809"), Number::Float(-9_223_372_036_854_775_808.0));
        assert_eq!(whole("-0"), Number::Integer(0));
        assert_eq!(whole("5.0"), Number::Float(5.0));
        assert_eq!(whole("5e0"), Number::Float(5.0));
        assert_eq!(whole("-2.5E-1"), Number::Float(-0.25));
    }

    #[test]
    fn invalid_numbers_are_refused() {
        for text in ["", "-", "01", "-01", ".5", "1.", "1e", "1e+", "+1", "NaN", "1e999", "x"] {
            assert!(number(text).is_err(), "{text}");
        }
        assert_eq!(number("12x").unwrap().0, "x");
    }

    #[test]
    fn strings() {
        let read = |text| string(text).map(|(_, text)| text).ok();
        assert_eq!(read(r#""""#), Some("".into()));
        assert_eq!(read(r#" "größe""#), Some("größe".into()));
        assert!(matches!(read(r#""abc""#), Some(Cow::Borrowed("abc"))));
        let escapes = r#""a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00z""#;
        assert_eq!(read(escapes), Some("a\"\\/\u{8}\u{c}\n\r\té😀z".into()));
        for bad in [
            r#"abc"#,
            r#""abc"#,
            r#""a\"#,
            r#""\x""#,
            r#""\u12""#,
            r#""\ud83d""#,
            r#""\ude00""#,
            r#""\ud83d\u0041""#,
            "\"a\nb\"",
            r#""\u+123""#,
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
