//! Owned options: RFC 7252 sections 3.1 and 5.10.

use super::OptionNumber;
use super::option_encoding::{head, split_option, within_limit};
use core::fmt;
use smallvec::SmallVec;

/// A list of options in ascending order of their numbers.
///
/// The options are kept in the encoding of the wire, so that reading them from a message or writing
/// them into one is a copy. Up to 32 bytes, enough for most messages, are stored inline.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Options {
    encoded: SmallVec<[u8; 32]>,
    last: u16,
}

impl Options {
    /// Creates an empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self { encoded: SmallVec::new_const(), last: 0 }
    }

    /// Copies options that a parser has validated.
    pub(crate) fn from_validated(encoded: &[u8], last: u16) -> Self {
        Self { encoded: SmallVec::from_slice(encoded), last }
    }

    /// The options as a message carries them.
    pub(crate) fn as_encoded(&self) -> &[u8] {
        &self.encoded
    }

    /// The number of the last option, or 0.
    pub(crate) const fn last_number(&self) -> u16 {
        self.last
    }

    /// Adds an option after all others of the same number. Values longer than 65,804 bytes are
    /// truncated.
    pub fn push(&mut self, number: OptionNumber, value: &[u8]) {
        if number.0 >= self.last {
            let value = within_limit(value);
            let (head, length) = head(number.0 - self.last, value.len());
            self.encoded.extend_from_slice(head.get(..length).unwrap_or_default());
            self.encoded.extend_from_slice(value);
            self.last = number.0;
        } else {
            self.insert(number, value);
        }
    }

    fn insert(&mut self, number: OptionNumber, value: &[u8]) {
        let old = core::mem::take(self);
        self.encoded.reserve(old.encoded.len() + value.len() + 5);
        let mut new = Some(value);
        for (existing, existing_value) in old.iter() {
            if existing > number
                && let Some(value) = new.take()
            {
                self.push(number, value);
            }
            self.push(existing, existing_value);
        }
    }

    /// Adds an option with an unsigned integer in its shortest form (RFC 7252 section 3.2).
    pub fn push_uint(&mut self, number: OptionNumber, value: u64) {
        let bytes = value.to_be_bytes();
        let skip = (value.leading_zeros() / 8) as usize;
        self.push(number, bytes.get(skip..).unwrap_or_default());
    }

    /// Replaces all options of a number by one with an unsigned integer.
    pub fn set_uint(&mut self, number: OptionNumber, value: u64) {
        self.remove(number);
        self.push_uint(number, value);
    }

    /// Removes all options of a number. Returns `false` if there were none.
    pub fn remove(&mut self, number: OptionNumber) -> bool {
        if self.get(number).is_none() {
            return false;
        }
        self.retain(|existing| existing != number);
        true
    }

    /// Keeps the options whose number `keep` accepts.
    pub fn retain(&mut self, mut keep: impl FnMut(OptionNumber) -> bool) {
        let old = core::mem::take(self);
        self.encoded.reserve(old.encoded.len());
        for (number, value) in old.iter().filter(|(number, _)| keep(*number)) {
            self.push(number, value);
        }
    }

    /// The value of the first option of a number.
    #[must_use]
    pub fn get(&self, number: OptionNumber) -> Option<&[u8]> {
        self.get_all(number).next()
    }

    /// The values of all options of a number, in order.
    pub fn get_all(&self, number: OptionNumber) -> impl Iterator<Item = &[u8]> {
        self.iter()
            .skip_while(move |(existing, _)| *existing < number)
            .take_while(move |(existing, _)| *existing == number)
            .map(|(_, value)| value)
    }

    /// The unsigned integer in the first option of a number, or `None` if there is no such option or
    /// its value is longer than eight bytes.
    #[must_use]
    pub fn get_uint(&self, number: OptionNumber) -> Option<u64> {
        self.get(number).and_then(uint)
    }

    /// All options in ascending order of their numbers.
    #[must_use]
    pub fn iter(&self) -> OptionIter<'_> {
        OptionIter::new(&self.encoded)
    }

    /// Whether there are no options.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.encoded.is_empty()
    }

    /// The path segments of a request (RFC 7252 section 5.10.1).
    pub fn uri_path(&self) -> impl Iterator<Item = &[u8]> {
        self.get_all(OptionNumber::URI_PATH)
    }

    /// The query parameters of a request (RFC 7252 section 5.10.1).
    pub fn uri_query(&self) -> impl Iterator<Item = &[u8]> {
        self.get_all(OptionNumber::URI_QUERY)
    }

    /// The path segments of a created resource (RFC 7252 section 5.10.7).
    pub fn location_path(&self) -> impl Iterator<Item = &[u8]> {
        self.get_all(OptionNumber::LOCATION_PATH)
    }

    /// The query parameters of a created resource (RFC 7252 section 5.10.7).
    pub fn location_query(&self) -> impl Iterator<Item = &[u8]> {
        self.get_all(OptionNumber::LOCATION_QUERY)
    }

    /// The format of the payload (RFC 7252 section 5.10.3).
    #[must_use]
    pub fn content_format(&self) -> Option<u16> {
        self.get_uint(OptionNumber::CONTENT_FORMAT).and_then(|value| u16::try_from(value).ok())
    }

    /// The format that the client accepts (RFC 7252 section 5.10.4).
    #[must_use]
    pub fn accept(&self) -> Option<u16> {
        self.get_uint(OptionNumber::ACCEPT).and_then(|value| u16::try_from(value).ok())
    }

    /// Observe: in a request 0 registers and 1 deregisters; in a notification it is the sequence
    /// number (RFC 7641 section 2).
    #[must_use]
    pub fn observe(&self) -> Option<u32> {
        self.get_uint(OptionNumber::OBSERVE).and_then(|value| u32::try_from(value).ok())
    }

    /// How many seconds the response stays fresh. `None` without the option, which means 60 s (RFC 7252
    /// section 5.10.5).
    #[must_use]
    pub fn max_age(&self) -> Option<u32> {
        self.get_uint(OptionNumber::MAX_AGE).and_then(|value| u32::try_from(value).ok())
    }

    /// The first entity tag (RFC 7252 section 5.10.6).
    #[must_use]
    pub fn etag(&self) -> Option<&[u8]> {
        self.get(OptionNumber::ETAG)
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Decodes an unsigned integer of at most eight bytes.
pub(crate) fn uint(value: &[u8]) -> Option<u64> {
    (value.len() <= 8).then(|| value.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)))
}

/// Iterates over the options of a message in ascending order of their numbers.
#[derive(Clone, Debug)]
pub struct OptionIter<'a> {
    rest: &'a [u8],
    number: u16,
}

impl<'a> OptionIter<'a> {
    /// Iterates over options that a parser has validated. A malformed option ends the iteration.
    pub(crate) const fn new(region: &'a [u8]) -> Self {
        Self { rest: region, number: 0 }
    }
}

impl<'a> Iterator for OptionIter<'a> {
    type Item = (OptionNumber, &'a [u8]);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let (delta, value, rest) = split_option(self.rest)?;
        self.number = self.number.checked_add(delta)?;
        self.rest = rest;
        Some((OptionNumber(self.number), value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    // proves: COAP-03
    #[test]
    fn numbers_and_lengths_extend_at_13_and_269() {
        let numbers = [6_u16, 11, 12, 17, 60, 252, 292];
        for length in [0, 12, 13, 268, 269] {
            let mut options = Options::new();
            for number in numbers.iter().rev() {
                options.push(OptionNumber(*number), &vec![7; length]);
            }
            let seen: Vec<u16> = options.iter().map(|(number, _)| number.0).collect();
            assert_eq!(seen, numbers);
            assert!(options.iter().all(|(_, value)| value == vec![7; length]));
        }
        let mut options = Options::new();
        options.push_uint(OptionNumber::CONTENT_FORMAT, 0);
        options.push_uint(OptionNumber::OBSERVE, 0);
        options.push_uint(OptionNumber::SIZE1, 256);
        options.push(OptionNumber(1_000), &[1; 13]);
        let golden: &[u8] = &[0x60, 0x60, 0xD2, 35, 1, 0, 0xED, 0x02, 0x9F, 0];
        assert_eq!(&options.as_encoded()[..golden.len()], golden);
        assert_eq!(options.as_encoded().len(), golden.len() + 13);
    }

    #[test]
    fn the_order_of_pushes_does_not_matter_between_numbers() {
        let mut options = Options::new();
        options.push(OptionNumber::URI_QUERY, b"b=U");
        options.push(OptionNumber::URI_PATH, b"3");
        options.push(OptionNumber::URI_PATH, b"0");
        options.push_uint(OptionNumber::ACCEPT, 112);
        options.set_uint(OptionNumber::ACCEPT, 110);
        assert_eq!(options.uri_path().collect::<Vec<_>>(), [b"3", b"0"]);
        assert_eq!(options.uri_query().collect::<Vec<_>>(), [b"b=U"]);
        assert_eq!(options.accept(), Some(110));
        assert!(options.remove(OptionNumber::URI_PATH));
        assert!(!options.remove(OptionNumber::URI_PATH));
        assert_eq!(options.uri_path().count(), 0);
        assert_eq!((options.observe(), options.content_format()), (None, None));
    }

    #[test]
    fn a_number_too_big_for_its_option_is_no_number() {
        let mut options = Options::new();
        options.push(OptionNumber::ACCEPT, &[1, 0, 0]);
        options.push(OptionNumber::MAX_AGE, &[1; 9]);
        assert_eq!((options.accept(), options.max_age()), (None, None));
        options.set_uint(OptionNumber::MAX_AGE, 90);
        assert_eq!(options.max_age(), Some(90));
    }
}
