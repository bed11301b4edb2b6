//! Reading (with `nom`) and writing of vectors and numbers: RFC 5246 section 4.3.

use alloc::vec::Vec;
use nom::Parser;
use nom::bytes::complete::take;
use nom::combinator::all_consuming;
use nom::multi::{length_data, many0};
use nom::number::complete::{be_u8, be_u16, be_u24};

/// A parser result without error detail.
pub(crate) type Parsed<'a, T> = nom::IResult<&'a [u8], T, ()>;

/// Reads a vector with a length of one byte.
pub(crate) fn vector8(input: &[u8]) -> Parsed<'_, &[u8]> {
    length_data(be_u8).parse(input)
}

/// Reads a vector with a length of two bytes.
pub(crate) fn vector16(input: &[u8]) -> Parsed<'_, &[u8]> {
    length_data(be_u16).parse(input)
}

/// Reads a vector with a length of three bytes.
pub(crate) fn vector24(input: &[u8]) -> Parsed<'_, &[u8]> {
    length_data(be_u24).parse(input)
}

/// Reads `N` bytes.
pub(crate) fn array<const N: usize>(input: &[u8]) -> Parsed<'_, [u8; N]> {
    let (rest, bytes) = take(N)(input)?;
    let mut out = [0; N];
    out.copy_from_slice(bytes);
    Ok((rest, out))
}

/// Reads numbers of two bytes up to the end of the input.
pub(crate) fn numbers(input: &[u8]) -> Option<Vec<u16>> {
    complete(many0(be_u16), input)
}

/// Applies a parser to all of the input; `None` if bytes remain.
pub(crate) fn complete<'a, T>(
    parser: impl Parser<&'a [u8], Output = T, Error = ()>,
    input: &'a [u8],
) -> Option<T> {
    all_consuming(parser).parse(input).ok().map(|(_, value)| value)
}

/// Appends a vector with a length of one byte. The callers keep it within 255 bytes.
pub(crate) fn put_vector8(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(u8::try_from(bytes.len()).unwrap_or(u8::MAX));
    out.extend(bytes.iter().take(usize::from(u8::MAX)));
}

/// Appends a vector with a length of two bytes.
pub(crate) fn put_vector16(out: &mut Vec<u8>, bytes: &[u8]) {
    put_u16(out, u16::try_from(bytes.len()).unwrap_or(u16::MAX));
    out.extend(bytes.iter().take(usize::from(u16::MAX)));
}

/// Appends a vector with a length of three bytes.
pub(crate) fn put_vector24(out: &mut Vec<u8>, bytes: &[u8]) {
    put_u24(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Appends a number of two bytes.
pub(crate) fn put_u16(out: &mut Vec<u8>, number: u16) {
    out.extend_from_slice(&number.to_be_bytes());
}

/// Appends a number of three bytes.
pub(crate) fn put_u24(out: &mut Vec<u8>, number: usize) {
    let [.., a, b, c] = (number as u64).to_be_bytes();
    out.extend_from_slice(&[a, b, c]);
}
