//! Owned options, kept in the encoding of the wire: RFC 7252 section 3.1.

use super::OptionNumber;
use super::option_encoding::{head, split_option, within_limit};
use core::fmt;
use smallvec::SmallVec;

/// A list of options in the order of their numbers.
///
/// The options live in one buffer, in the very bytes that a message carries, so taking them from
/// a datagram or putting them into one is a copy. Up to 32 bytes of them, as most messages have,
/// allocate nothing.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Options {
    encoded: SmallVec<[u8; 32]>,
    last: u16,
}

impl Options {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self { encoded: SmallVec::new_const(), last: 0 }
    }

    /// The list of an options region that the parser has validated.
    pub(crate) fn from_validated(encoded: &[u8], last: u16) -> Self {
        Self { encoded: SmallVec::from_slice(encoded), last }
    }

    /// The bytes as a message carries them.
    pub(crate) fn as_encoded(&self) -> &[u8] {
        &self.encoded
    }

    /// The number of the last option, or zero.
    pub(crate) const fn last_number(&self) -> u16 {
        self.last
    }

    /// Adds an option after all others of the same number. A value is at most 65,804 bytes; the
    /// rest of a longer one is cut off.
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

    /// Adds an option whose value is an unsigned integer, in the fewest bytes.
    pub fn push_uint(&mut self, number: OptionNumber, value: u64) {
        let bytes = value.to_be_bytes();
        let skip = (value.leading_zeros() / 8) as usize;
        self.push(number, bytes.get(skip..).unwrap_or_default());
    }

    /// Replaces all options of a number by one whose value is an unsigned integer.
    pub fn set_uint(&mut self, number: OptionNumber, value: u64) {
        self.remove(number);
        self.push_uint(number, value);
    }

    /// Removes all options of a number; `false` if there was none.
    pub fn remove(&mut self, number: OptionNumber) -> bool {
        if self.get(number).is_none() {
            return false;
        }
        self.retain(|existing| existing != number);
        true
    }

    /// Keeps only the options whose number the predicate accepts.
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

    /// The values of all options of a number, in their order.
    pub fn get_all(&self, number: OptionNumber) -> impl Iterator<Item = &[u8]> {
        self.iter()
            .skip_while(move |(existing, _)| *existing < number)
            .take_while(move |(existing, _)| *existing == number)
            .map(|(_, value)| value)
    }

    /// The unsigned integer in the first option of a number; `None` if there is no such option
    /// or its value is longer than eight bytes.
    #[must_use]
    pub fn get_uint(&self, number: OptionNumber) -> Option<u64> {
        self.get(number).and_then(uint)
    }

    /// All options in the order of their numbers.
    #[must_use]
    pub fn iter(&self) -> OptionIter<'_> {
        OptionIter::new(&self.encoded)
    }

    /// Whether there is no option.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.encoded.is_empty()
    }

    /// The path segments of the request.
    pub fn uri_path(&self) -> impl Iterator<Item = &[u8]> {
        self.get_all(OptionNumber::URI_PATH)
    }

    /// The query parameters of the request.
    pub fn uri_query(&self) -> impl Iterator<Item = &[u8]> {
        self.get_all(OptionNumber::URI_QUERY)
    }

    /// The path segments of a resource that was created.
    pub fn location_path(&self) -> impl Iterator<Item = &[u8]> {
        self.get_all(OptionNumber::LOCATION_PATH)
    }

    /// The query parameters of a resource that was created.
    pub fn location_query(&self) -> impl Iterator<Item = &[u8]> {
        self.get_all(OptionNumber::LOCATION_QUERY)
    }

    /// The format of the payload.
    #[must_use]
    pub fn content_format(&self) -> Option<u16> {
        self.get_uint(OptionNumber::CONTENT_FORMAT).and_then(|value| u16::try_from(value).ok())
    }

    /// The format that the client wants.
    #[must_use]
    pub fn accept(&self) -> Option<u16> {
        self.get_uint(OptionNumber::ACCEPT).and_then(|value| u16::try_from(value).ok())
    }

    /// Observe: 0 registers and 1 cancels in a request, a sequence number in a notification.
    #[must_use]
    pub fn observe(&self) -> Option<u32> {
        self.get_uint(OptionNumber::OBSERVE).and_then(|value| u32::try_from(value).ok())
    }

    /// How many seconds the response stays fresh; RFC 7252 says 60 when there is no such option.
    #[must_use]
    pub fn max_age(&self) -> Option<u32> {
        self.get_uint(OptionNumber::MAX_AGE).and_then(|value| u32::try_from(value).ok())
    }

    /// The entity tag of the representation in a response.
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

/// The unsigned integer in a value of at most eight bytes.
pub(crate) fn uint(value: &[u8]) -> Option<u64> {
    (value.len() <= 8).then(|| value.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)))
}

/// The options of a message, in the order of their numbers.
#[derive(Clone, Debug)]
pub struct OptionIter<'a> {
    rest: &'a [u8],
    number: u16,
}

impl<'a> OptionIter<'a> {
    /// Walks a region that was validated before: the first fault ends it.
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
    }
}
