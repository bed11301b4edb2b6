//! Data types and values: OMA LwM2M Core, Appendix C.

use alloc::string::String;
use bytes::Bytes;
use core::fmt;
use core::str::FromStr;

/// The data type of a resource.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum DataType {
    /// UTF-8 text.
    String,
    /// A signed integer of 8 to 64 bits.
    Integer,
    /// An unsigned integer of up to 64 bits (since LwM2M 1.1).
    UnsignedInteger,
    /// An IEEE 754 floating point number of 32 or 64 bits.
    Float,
    /// True or false.
    Boolean,
    /// Bytes.
    Opaque,
    /// Seconds since 1970-01-01T00:00:00Z.
    Time,
    /// A link to an object instance.
    ObjectLink,
    /// Links in CoRE Link Format, RFC 6690 (since LwM2M 1.1).
    CoreLink,
    /// No value: the type of executable resources.
    None,
}

impl DataType {
    /// The types that values have: all but [`None`](Self::None).
    pub const OF_VALUES: [Self; 9] = [
        Self::String,
        Self::Integer,
        Self::UnsignedInteger,
        Self::Float,
        Self::Boolean,
        Self::Opaque,
        Self::Time,
        Self::ObjectLink,
        Self::CoreLink,
    ];

    /// The name that the OMA registry uses.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::String => "String",
            Self::Integer => "Integer",
            Self::UnsignedInteger => "Unsigned Integer",
            Self::Float => "Float",
            Self::Boolean => "Boolean",
            Self::Opaque => "Opaque",
            Self::Time => "Time",
            Self::ObjectLink => "Objlnk",
            Self::CoreLink => "Corelnk",
            Self::None => "none",
        }
    }
}

/// A link to an object instance, written `object:instance`. `65535:65535` is the null link.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ObjectLink {
    /// The object ID; 65535 in the null link.
    pub object: u16,
    /// The object instance ID; 65535 for no instance.
    pub instance: u16,
}

impl ObjectLink {
    /// The null link, `65535:65535`.
    pub const NULL: Self = Self { object: u16::MAX, instance: u16::MAX };
}

/// A text is not an object link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an object link is written object:instance in decimal, for example 3:0, or 65535:65535")]
pub struct ObjectLinkError;

impl FromStr for ObjectLink {
    type Err = ObjectLinkError;

    fn from_str(text: &str) -> Result<Self, ObjectLinkError> {
        let id = |digits: &str| match digits.bytes().all(|b| b.is_ascii_digit()) {
            true => digits.parse().map_err(|_| ObjectLinkError),
            false => Err(ObjectLinkError),
        };
        let (object, instance) = text.split_once(':').ok_or(ObjectLinkError)?;
        Ok(Self { object: id(object)?, instance: id(instance)? })
    }
}

impl fmt::Display for ObjectLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.object, self.instance)
    }
}

/// The value of a resource or resource instance.
#[derive(Clone, PartialEq, Debug)]
pub enum Value {
    /// UTF-8 text.
    String(String),
    /// A signed integer.
    Integer(i64),
    /// An unsigned integer.
    UnsignedInteger(u64),
    /// A floating point number.
    Float(f64),
    /// True or false.
    Boolean(bool),
    /// Bytes.
    Opaque(Bytes),
    /// Seconds since 1970-01-01T00:00:00Z.
    Time(i64),
    /// A link to an object instance.
    ObjectLink(ObjectLink),
    /// Links in CoRE Link Format.
    CoreLink(String),
}

impl Value {
    /// The data type of this value.
    #[must_use]
    pub const fn data_type(&self) -> DataType {
        match self {
            Self::String(_) => DataType::String,
            Self::Integer(_) => DataType::Integer,
            Self::UnsignedInteger(_) => DataType::UnsignedInteger,
            Self::Float(_) => DataType::Float,
            Self::Boolean(_) => DataType::Boolean,
            Self::Opaque(_) => DataType::Opaque,
            Self::Time(_) => DataType::Time,
            Self::ObjectLink(_) => DataType::ObjectLink,
            Self::CoreLink(_) => DataType::CoreLink,
        }
    }

    /// The value as a number, for the attributes gt, lt and st. `None` for other types.
    /// Integers beyond 2^53 lose precision.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "thresholds are decimals")]
    pub const fn as_number(&self) -> Option<f64> {
        match self {
            Self::Integer(v) | Self::Time(v) => Some(*v as f64),
            Self::UnsignedInteger(v) => Some(*v as f64),
            Self::Float(v) => Some(*v),
            _ => None,
        }
    }
}

macro_rules! value_from {
    ($($from:ty => $variant:ident),* $(,)?) => {$(
        impl From<$from> for Value {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}

value_from! {
    &str => String, String => String, i64 => Integer, i32 => Integer, u64 => UnsignedInteger,
    f64 => Float, bool => Boolean, Bytes => Opaque, ObjectLink => ObjectLink,
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn object_links_are_two_decimal_ids() {
        let link = ObjectLink { object: 66, instance: 0 };
        assert_eq!("66:0".parse(), Ok(link));
        assert_eq!(link.to_string(), "66:0");
        assert_eq!("65535:65535".parse(), Ok(ObjectLink::NULL));
        for bad in ["66", "66:", ":0", "66:70000", "+6:0", "66:0:1", ""] {
            assert_eq!(bad.parse::<ObjectLink>(), Err(ObjectLinkError), "{bad}");
        }
    }
}
