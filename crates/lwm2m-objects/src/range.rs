//! The column "Range or Enumeration" of a resource definition (OMA LwM2M Core, Appendix D).

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::RangeInclusive;
use core::str::FromStr;
use lwm2m_core::{DataType, Value};

/// What values are allowed: those within any of the listed bounds, which are inclusive.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Range {
    /// Of an Integer, an Unsigned Integer or a Time; single numbers are bounds of one value.
    Integer(Vec<RangeInclusive<i128>>),
    /// Of a Float.
    Float(Vec<RangeInclusive<f64>>),
    /// Of the length of a String or an Opaque, in bytes.
    Length(Vec<RangeInclusive<u64>>),
    /// The texts that a String can be.
    Enumeration(Vec<String>),
}

/// Why a value does not fit its definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RangeError {
    /// The value is of another type than the definition says.
    #[error("resource {resource} is of type {}, but got {}", .expected.name(), .found.name())]
    Type {
        /// The resource id.
        resource: u16,
        /// The type of the definition.
        expected: DataType,
        /// The type of the value.
        found: DataType,
    },
    /// The value, or its length in bytes, is not in the range of the definition.
    #[error("the value of resource {resource} is outside the range of its definition")]
    OutOfRange {
        /// The resource id.
        resource: u16,
    },
    /// A single resource came with resource instances, or a multiple one without.
    #[error("resource {resource} is single or multiple other than its definition says")]
    Instances {
        /// The resource id.
        resource: u16,
    },
}

impl Range {
    /// Reads a range text for a resource of `data_type`; `None` if it is empty or not understood.
    ///
    /// Understood are `a..b` (also `a...b` and `a-b`), lists of these and of single values,
    /// labelled values (`0: off 1: on`) and quoted texts. The bounds are put in order. For String
    /// and Opaque the numbers are byte lengths; a lone number is the longest String, but the only
    /// length of an Opaque. A lone number says nothing certain about a numeric resource.
    #[must_use]
    pub fn parse(text: &str, data_type: DataType) -> Option<Self> {
        use DataType::{Float, Integer, Opaque, String, Time, UnsignedInteger};
        let text = text.trim();
        match data_type {
            Integer | UnsignedInteger | Time => numbers(text).map(Self::Integer),
            Float => numbers(text).map(Self::Float),
            String if text.starts_with('"') => quoted(text).map(Self::Enumeration),
            String | Opaque => lengths(text, data_type == String).map(Self::Length),
            _ => None,
        }
    }

    /// Whether `value` is in this range; false for a value that such a range can't be about.
    #[must_use]
    pub fn contains(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Integer(list), Value::Integer(v) | Value::Time(v)) => any(list, &i128::from(*v)),
            (Self::Integer(list), Value::UnsignedInteger(v)) => any(list, &i128::from(*v)),
            (Self::Float(list), Value::Float(v)) => any(list, v),
            (Self::Length(list), Value::String(v)) => any(list, &(v.len() as u64)),
            (Self::Length(list), Value::Opaque(v)) => any(list, &(v.len() as u64)),
            (Self::Enumeration(list), Value::String(v)) => list.contains(v),
            _ => false,
        }
    }
}

fn any<T: PartialOrd>(list: &[RangeInclusive<T>], value: &T) -> bool {
    list.iter().any(|bounds| bounds.contains(value))
}

fn numbers<T: FromStr + PartialOrd + Copy>(text: &str) -> Option<Vec<RangeInclusive<T>>> {
    if let Some(list) = labelled(text) {
        return Some(list);
    }
    let list: Vec<RangeInclusive<T>> = listed(text)?;
    let lone = matches!(list.as_slice(), [one] if one.start() == one.end());
    if lone { None } else { Some(list) }
}

fn lengths(text: &str, at_most: bool) -> Option<Vec<RangeInclusive<u64>>> {
    let text = text.strip_suffix("ytes").and_then(|t| t.strip_suffix(['b', 'B'])).unwrap_or(text);
    let hyphens = text.matches('-').count() > 1;
    let list = if hyphens { text.split('-').map(interval).collect() } else { listed(text) }?;
    match list.as_slice() {
        [one] if at_most && one.start() == one.end() => Some(Vec::from([0..=*one.end()])),
        _ => Some(list),
    }
}

/// `0..3, 99`, `16,32,48`, `10 or 26`
fn listed<T: FromStr + PartialOrd + Copy>(text: &str) -> Option<Vec<RangeInclusive<T>>> {
    text.split([',', ';']).flat_map(|part| part.split(" or ")).map(interval).collect()
}

/// `a..b`, `a...b`, `a-b` or `a`
fn interval<T: FromStr + PartialOrd + Copy>(text: &str) -> Option<RangeInclusive<T>> {
    let text = text.trim();
    let hyphen = || text.split_once('-').filter(|(low, _)| !low.is_empty());
    let bounds = text.split_once("...").or_else(|| text.split_once("..")).or_else(hyphen);
    let (low, high) = bounds.unwrap_or((text, text));
    let (low, high) = (number(low)?, number(high)?);
    Some(if low <= high { low..=high } else { high..=low })
}

/// A decimal; words that `f64` would read, such as `inf`, are none.
fn number<T: FromStr>(text: &str) -> Option<T> {
    let text = text.trim();
    let plain = |b: u8| b.is_ascii_digit() || matches!(b, b'-' | b'.');
    if text.bytes().all(plain) { text.parse().ok() } else { None }
}

/// `0: off 1: on`
fn labelled<T: FromStr + Copy>(text: &str) -> Option<Vec<RangeInclusive<T>>> {
    let value = |word: &str| word.strip_suffix(':').and_then(number);
    let _starts_with_a_value: T = value(text.split_whitespace().next()?)?;
    Some(text.split_whitespace().filter_map(value).map(|v| v..=v).collect())
}

/// `"on","off"`
fn quoted(text: &str) -> Option<Vec<String>> {
    let unquote = |part: &str| part.trim().strip_prefix('"')?.strip_suffix('"').map(String::from);
    text.split([',', ';']).map(unquote).collect()
}
