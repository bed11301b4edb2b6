//! "Range or Enumeration" of a resource definition: OMA LwM2M Core, Appendix D.

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::RangeInclusive;
use core::str::FromStr;
use lwm2m_core::{DataType, Value};

/// The allowed values: those within any of the listed inclusive bounds.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum Range {
    /// Of an Integer, an Unsigned Integer or a Time.
    Integer(Vec<RangeInclusive<i128>>),
    /// Of a Float.
    Float(Vec<RangeInclusive<f64>>),
    /// Of the length of a String or an Opaque, in bytes.
    Length(Vec<RangeInclusive<u64>>),
    /// The values of a String.
    Enumeration(Vec<String>),
}

/// Why a value violates its definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RangeError {
    /// The value does not have the data type of the definition.
    #[error("resource {resource} is of type {}, but the value is of type {}", .expected.name(), .found.name())]
    Type {
        /// The resource ID.
        resource: u16,
        /// The data type of the definition.
        expected: DataType,
        /// The data type of the value.
        found: DataType,
    },
    /// The value, or its length in bytes, is outside the range of the definition.
    #[error("the value of resource {resource} is outside the range of its definition")]
    OutOfRange {
        /// The resource ID.
        resource: u16,
    },
    /// A single-instance resource has resource instances, or a multiple-instance one has none.
    #[error("resource {resource} is single-instance or multiple-instance against its definition")]
    Instances {
        /// The resource ID.
        resource: u16,
    },
}

impl Range {
    /// Parses the range of a resource of `data_type`. Returns `None` if the text is empty or not
    /// understood.
    ///
    /// Understands `a..b` (also `a...b` and `a-b`), lists of intervals and single values, labelled
    /// values (`0: off 1: on`) and quoted texts. Reversed bounds are swapped. For String and Opaque
    /// the numbers are lengths in bytes: a single number is the longest String, but the only length
    /// of an Opaque. For a numeric resource a single number is ambiguous and not understood.
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

    /// Whether `value` is in this range. `false` for a value of another data type.
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

/// Parses `0..3, 99`, `16,32,48` or `10 or 26`.
fn listed<T: FromStr + PartialOrd + Copy>(text: &str) -> Option<Vec<RangeInclusive<T>>> {
    text.split([',', ';']).flat_map(|part| part.split(" or ")).map(interval).collect()
}

/// Parses `a..b`, `a...b`, `a-b` or `a`.
fn interval<T: FromStr + PartialOrd + Copy>(text: &str) -> Option<RangeInclusive<T>> {
    let text = text.trim();
    let hyphen = || text.split_once('-').filter(|(low, _)| !low.is_empty());
    let bounds = text.split_once("...").or_else(|| text.split_once("..")).or_else(hyphen);
    let (low, high) = bounds.unwrap_or((text, text));
    let (low, high) = (number(low)?, number(high)?);
    Some(if low <= high { low..=high } else { high..=low })
}

/// Parses a decimal number. Refuses words that `f64` accepts, such as `inf`.
fn number<T: FromStr>(text: &str) -> Option<T> {
    let text = text.trim();
    let plain = |b: u8| b.is_ascii_digit() || matches!(b, b'-' | b'.');
    if text.bytes().all(plain) { text.parse().ok() } else { None }
}

/// Parses `0: off 1: on`.
fn labelled<T: FromStr + Copy>(text: &str) -> Option<Vec<RangeInclusive<T>>> {
    let value = |word: &str| word.strip_suffix(':').and_then(number);
    let _starts_with_a_value: T = value(text.split_whitespace().next()?)?;
    Some(text.split_whitespace().filter_map(value).map(|v| v..=v).collect())
}

/// Parses `"on","off"`.
fn quoted(text: &str) -> Option<Vec<String>> {
    let unquote = |part: &str| part.trim().strip_prefix('"')?.strip_suffix('"').map(String::from);
    text.split([',', ';']).map(unquote).collect()
}
