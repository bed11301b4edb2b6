//! Encoding of options by deltas: RFC 7252 section 3.1.

use nom::number::complete::{be_u8, be_u16};

/// Splits the first option off: its delta, its value, and the remaining bytes. Returns `None` at the
/// end of the input, at a payload marker, and at a malformed option.
#[inline]
pub(super) fn split_option(input: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let (first, rest) = input.split_first()?;
    let (delta, rest) = extended(first >> 4, rest)?;
    let (length, rest) = extended(first & 15, rest)?;
    let (value, rest) = rest.split_at_checked(length)?;
    Some((u16::try_from(delta).ok()?, value, rest))
}

#[inline]
pub(super) fn extended(nibble: u8, input: &[u8]) -> Option<(usize, &[u8])> {
    match nibble {
        13 => {
            let (rest, byte) = be_u8::<_, ()>(input).ok()?;
            Some((usize::from(byte) + 13, rest))
        }
        14 => {
            let (rest, number) = be_u16::<_, ()>(input).ok()?;
            Some((usize::from(number) + 269, rest))
        }
        15 => None,
        _ => Some((usize::from(nibble), input)),
    }
}

/// The longest value of an option, in bytes.
const MAX_VALUE: usize = 269 + u16::MAX as usize;

#[inline]
pub(super) fn within_limit(value: &[u8]) -> &[u8] {
    value.get(..MAX_VALUE).unwrap_or(value)
}

/// The bytes before the value of an option, whose number is `delta` above that of the last one: at
/// most five, and their count.
#[inline]
pub(super) const fn head(delta: u16, length: usize) -> ([u8; 5], usize) {
    let (delta_nibble, delta, delta_length) = extend(delta as usize);
    let (length_nibble, [l0, l1], length_length) = extend(length);
    let first = (delta_nibble << 4) | length_nibble;
    let [d0, d1] = delta;
    let bytes = match delta_length {
        0 => [first, l0, l1, 0, 0],
        1 => [first, d0, l0, l1, 0],
        _ => [first, d0, d1, l0, l1],
    };
    (bytes, 1 + delta_length + length_length)
}

/// The nibble of a delta or a length, and its extended bytes.
const fn extend(number: usize) -> (u8, [u8; 2], usize) {
    match number {
        0..=12 => (number as u8, [0; 2], 0),
        13..=268 => (13, [(number - 13) as u8, 0], 1),
        _ => (14, ((number - 269) as u16).to_be_bytes(), 2),
    }
}
