//! Records as they stand in a pack (RFC 8428, section 4), before base fields are applied.

use crate::Error;
use alloc::borrow::Cow;

/// A number, exact as long as it is an integer of 64 bits.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Number {
    /// An integer that fits `i64`.
    Integer(i64),
    /// An integer; read from a pack, it is one that fits `u64` only.
    Unsigned(u64),
    /// A number with a fraction or exponent, or out of the range of 64-bit integers.
    Float(f64),
}

/// The value of a record.
#[derive(Clone, PartialEq, Debug)]
pub enum Value<'a> {
    /// `v`: an integer that fits `i64`.
    Integer(i64),
    /// `v`: an integer; read from a pack, it is one that fits `u64` only.
    Unsigned(u64),
    /// `v`: any other number.
    Float(f64),
    /// `vb`
    Boolean(bool),
    /// `vs`
    String(Cow<'a, str>),
    /// `vd`, decoded.
    Data(Cow<'a, [u8]>),
    /// `vlo` of LwM2M: a link as `object:instance`.
    ObjectLink(Cow<'a, str>),
    /// `v` without a value, which removes what it names (RFC 8790).
    Null,
}

/// A record: base fields (`b…`) hold for this record and those that follow.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Record<'a> {
    /// `bver`
    pub base_version: Option<u64>,
    /// `bn`
    pub base_name: Option<Cow<'a, str>>,
    /// `bt`, in seconds.
    pub base_time: Option<f64>,
    /// `bu`
    pub base_unit: Option<Cow<'a, str>>,
    /// `bv`
    pub base_value: Option<Number>,
    /// `bs`
    pub base_sum: Option<Number>,
    /// `n`
    pub name: Option<Cow<'a, str>>,
    /// `u`
    pub unit: Option<Cow<'a, str>>,
    /// One of `v`, `vb`, `vs`, `vd`, `vlo`.
    pub value: Option<Value<'a>>,
    /// `s`
    pub sum: Option<Number>,
    /// `t`, in seconds.
    pub time: Option<f64>,
    /// `ut`, in seconds.
    pub update_time: Option<f64>,
}

impl Number {
    /// The number as floating point; integers beyond 2^53 lose digits.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "documented")]
    pub const fn as_f64(self) -> f64 {
        match self {
            Self::Integer(v) => v as f64,
            Self::Unsigned(v) => v as f64,
            Self::Float(v) => v,
        }
    }

    pub(crate) fn is_finite(self) -> bool {
        self.as_f64().is_finite()
    }
}

impl From<Number> for Value<'_> {
    fn from(number: Number) -> Self {
        match number {
            Number::Integer(v) => Self::Integer(v),
            Number::Unsigned(v) => Self::Unsigned(v),
            Number::Float(v) => Self::Float(v),
        }
    }
}

impl Value<'_> {
    /// The value as number, if it is one.
    #[must_use]
    pub const fn number(&self) -> Option<Number> {
        match self {
            Self::Integer(v) => Some(Number::Integer(*v)),
            Self::Unsigned(v) => Some(Number::Unsigned(*v)),
            Self::Float(v) => Some(Number::Float(*v)),
            _ => None,
        }
    }
}

macro_rules! fields {
    ($($field:ident = $label:literal, $name:literal;)*) => {
        /// A field of a record that RFC 8428 or LwM2M defines.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub(crate) enum Field { $($field),*, ObjectLink }

        impl Field {
            #[inline]
            pub(crate) fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$field),)*
                    "vlo" => Some(Self::ObjectLink),
                    _ => None,
                }
            }

            #[inline]
            pub(crate) const fn from_label(label: i64) -> Option<Self> {
                match label {
                    $($label => Some(Self::$field),)*
                    _ => None,
                }
            }

            /// The label in CBOR; `vlo` has none and is written as text.
            pub(crate) const fn label(self) -> Option<i8> {
                match self {
                    $(Self::$field => Some($label),)*
                    Self::ObjectLink => None,
                }
            }

            pub(crate) const fn name(self) -> &'static str {
                match self {
                    $(Self::$field => $name,)*
                    Self::ObjectLink => "vlo",
                }
            }
        }
    };
}

fields! {
    BaseVersion = -1, "bver";
    BaseName = -2, "bn";
    BaseTime = -3, "bt";
    BaseUnit = -4, "bu";
    BaseValue = -5, "bv";
    BaseSum = -6, "bs";
    Name = 0, "n";
    Unit = 1, "u";
    Value = 2, "v";
    String = 3, "vs";
    Boolean = 4, "vb";
    Sum = 5, "s";
    Time = 6, "t";
    UpdateTime = 7, "ut";
    Data = 8, "vd";
}

/// What JSON and CBOR have in common for reading the value of a field. Each method takes the next
/// value, and fails with [`Error::Type`] if it is of another type.
pub(crate) trait Source<'a> {
    fn offset(&self) -> usize;
    fn string(&mut self, field: Field) -> Result<Cow<'a, str>, Error>;
    fn data(&mut self, field: Field) -> Result<Cow<'a, [u8]>, Error>;
    fn boolean(&mut self, field: Field) -> Result<bool, Error>;
    /// A number, or nothing for null.
    fn number_or_null(&mut self, field: Field) -> Result<Option<Number>, Error>;

    #[inline]
    fn number(&mut self, field: Field) -> Result<Number, Error> {
        self.number_or_null(field)?.ok_or_else(|| self.wrong_type(field))
    }

    #[inline]
    fn seconds(&mut self, field: Field) -> Result<f64, Error> {
        self.number(field).map(Number::as_f64)
    }

    fn wrong_type(&self, field: Field) -> Error {
        Error::Type { offset: self.offset(), field: field.name() }
    }
}

/// A record while its fields are read in place; remembers which ones there were.
pub(crate) struct Draft<'r, 'a> {
    record: &'r mut Record<'a>,
    seen: u32,
}

impl<'r, 'a> Draft<'r, 'a> {
    /// Fields are set in `record`, which is a default one.
    pub(crate) const fn new(record: &'r mut Record<'a>) -> Self {
        Self { record, seen: 0 }
    }

    /// Takes the value of `field` from `source`.
    #[inline]
    pub(crate) fn set<S: Source<'a>>(&mut self, field: Field, source: &mut S) -> Result<(), Error> {
        let record = &mut *self.record;
        match field {
            Field::Name => record.name = Some(source.string(field)?),
            Field::Value => {
                record.value = Some(source.number_or_null(field)?.map_or(Value::Null, Value::from));
            }
            Field::String => record.value = Some(Value::String(source.string(field)?)),
            Field::Boolean => record.value = Some(Value::Boolean(source.boolean(field)?)),
            Field::Data => record.value = Some(Value::Data(source.data(field)?)),
            Field::ObjectLink => record.value = Some(Value::ObjectLink(source.string(field)?)),
            Field::BaseName => record.base_name = Some(source.string(field)?),
            Field::Time => record.time = Some(source.seconds(field)?),
            Field::BaseTime => record.base_time = Some(source.seconds(field)?),
            Field::Unit => record.unit = Some(source.string(field)?),
            Field::BaseUnit => record.base_unit = Some(source.string(field)?),
            Field::Sum => record.sum = Some(source.number(field)?),
            Field::BaseSum => record.base_sum = Some(source.number(field)?),
            Field::BaseValue => record.base_value = Some(source.number(field)?),
            Field::UpdateTime => record.update_time = Some(source.seconds(field)?),
            Field::BaseVersion => record.base_version = Some(version(source)?),
        }
        self.mark(field, source)
    }

    #[inline]
    fn mark<S: Source<'a>>(&mut self, field: Field, source: &S) -> Result<(), Error> {
        // All values share one mark, since a record may have one value only.
        let mark = match field {
            Field::String | Field::Boolean | Field::Data | Field::ObjectLink => Field::Value,
            other => other,
        };
        let bit = 1u32 << mark as u32;
        if self.seen & bit != 0 {
            return Err(Error::Duplicate { offset: source.offset(), field: field.name() });
        }
        self.seen |= bit;
        Ok(())
    }
}

fn version<'a, S: Source<'a>>(source: &mut S) -> Result<u64, Error> {
    match source.number(Field::BaseVersion)? {
        Number::Integer(v) => u64::try_from(v).map_err(|_| source.wrong_type(Field::BaseVersion)),
        Number::Unsigned(v) => Ok(v),
        Number::Float(_) => Err(source.wrong_type(Field::BaseVersion)),
    }
}
