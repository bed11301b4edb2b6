//! Records of a pack, before base fields are applied: RFC 8428 section 4.

use crate::error::Error;
use alloc::borrow::Cow;

/// A number. Integers of 64 bits are exact.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Number {
    /// An integer that fits `i64`.
    Integer(i64),
    /// An integer. Readers use it for integers that do not fit `i64`.
    Unsigned(u64),
    /// A number with a fraction or exponent, or beyond 64-bit integers.
    Float(f64),
}

/// The value of a record.
#[derive(Clone, PartialEq, Debug)]
pub enum Value<'a> {
    /// `v`: an integer that fits `i64`.
    Integer(i64),
    /// `v`: an integer. Readers use it for integers that do not fit `i64`.
    Unsigned(u64),
    /// `v`: any other number.
    Float(f64),
    /// `vb`: a Boolean.
    Boolean(bool),
    /// `vs`: a text.
    String(Cow<'a, str>),
    /// `vd`: bytes, decoded.
    Data(Cow<'a, [u8]>),
    /// `vlo` of LwM2M: an object link, `object:instance`.
    ObjectLink(Cow<'a, str>),
    /// `v` in CBOR: a date as text (RFC 3339) with tag 0 (OMA LwM2M Core 1.1.1, table C-2). JSON
    /// writes it as `vs`.
    Date(Cow<'a, str>),
    /// `v`: null, which removes what the record names (RFC 8790 section 3.1).
    Null,
}

/// A record. Base fields apply to this record and the following ones (RFC 8428 section 4.1).
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Record<'a> {
    /// `bver`: the version of the format.
    pub base_version: Option<u64>,
    /// `bn`: the base name.
    pub base_name: Option<Cow<'a, str>>,
    /// `bt`: the base time, in seconds.
    pub base_time: Option<f64>,
    /// `bu`: the base unit.
    pub base_unit: Option<Cow<'a, str>>,
    /// `bv`: the base value.
    pub base_value: Option<Number>,
    /// `bs`: the base sum.
    pub base_sum: Option<Number>,
    /// `n`: the name.
    pub name: Option<Cow<'a, str>>,
    /// `u`: the unit.
    pub unit: Option<Cow<'a, str>>,
    /// `v`, `vb`, `vs`, `vd` or `vlo`: the value.
    pub value: Option<Value<'a>>,
    /// `s`: the sum.
    pub sum: Option<Number>,
    /// `t`: the time, in seconds.
    pub time: Option<f64>,
    /// `ut`: the update time, in seconds.
    pub update_time: Option<f64>,
}

impl Number {
    /// The number as floating point. Integers beyond 2^53 lose precision.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "documented")]
    pub const fn as_f64(self) -> f64 {
        match self {
            Self::Integer(v) => v as f64,
            Self::Unsigned(v) => v as f64,
            Self::Float(v) => v,
        }
    }

    /// Seconds as an integer if they are whole and below 2^53.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "used only if exact"
    )]
    pub(crate) fn from_seconds(seconds: f64) -> Self {
        let integer = seconds as i64;
        let exact = integer as f64 == seconds && integer.unsigned_abs() < 1 << 53;
        if exact { Self::Integer(integer) } else { Self::Float(seconds) }
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
    /// The value, if it is a number.
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
        /// A field of RFC 8428 section 4.3 or of LwM2M.
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

            /// The CBOR label (RFC 8428 section 6). `vlo` has no label and is written as text.
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

/// Reads the values of fields from JSON or CBOR. Each method takes the next value. It fails with
/// [`Error::Type`] if the value has another type.
pub(crate) trait Source<'a> {
    fn offset(&self) -> usize;
    fn string(&mut self, field: Field) -> Result<Cow<'a, str>, Error>;
    fn data(&mut self, field: Field) -> Result<Cow<'a, [u8]>, Error>;
    fn boolean(&mut self, field: Field) -> Result<bool, Error>;
    /// A number, or `None` for null.
    fn number_or_null(&mut self, field: Field) -> Result<Option<Number>, Error>;

    /// The value of one of the fields for values, which has the type of the field.
    #[inline]
    fn value(&mut self, field: Field) -> Result<Value<'a>, Error> {
        typed_value(self, field)
    }

    /// A value of whatever type, or `None` for one that no field for values has.
    fn any_value(&mut self) -> Result<Option<Value<'a>>, Error>;

    /// Whether values may have another type than their field.
    fn takes_any_type(&self) -> bool;

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

/// A value with the type of its field.
#[inline]
pub(crate) fn typed_value<'a, S: Source<'a> + ?Sized>(
    source: &mut S,
    field: Field,
) -> Result<Value<'a>, Error> {
    Ok(match field {
        Field::String => Value::String(source.string(field)?),
        Field::Boolean => Value::Boolean(source.boolean(field)?),
        Field::Data => Value::Data(source.data(field)?),
        Field::ObjectLink => Value::ObjectLink(source.string(field)?),
        _ => source.number_or_null(field)?.map_or(Value::Null, Value::from),
    })
}

/// The value of one of the fields for values. If `source` takes any type, a value of another type than
/// that of its field is read by its own type, and `None` stands for one that no field has.
#[inline]
fn value<'a, S: Source<'a> + Clone>(
    source: &mut S,
    field: Field,
) -> Result<Option<Value<'a>>, Error> {
    if !source.takes_any_type() {
        return source.value(field).map(Some);
    }
    let begin = source.clone();
    match source.value(field) {
        Err(Error::Type { .. } | Error::Syntax { .. }) => {
            *source = begin;
            source.any_value()
        }
        value => value.map(Some),
    }
}

/// A record that is being read. Remembers which fields were set.
pub(crate) struct Draft<'r, 'a> {
    record: &'r mut Record<'a>,
    seen: u32,
}

impl<'r, 'a> Draft<'r, 'a> {
    /// Creates a draft that sets fields of `record`, which must be a default record.
    pub(crate) const fn new(record: &'r mut Record<'a>) -> Self {
        Self { record, seen: 0 }
    }

    /// Reads the value of `field` from `source`.
    #[inline]
    pub(crate) fn set<S: Source<'a> + Clone>(
        &mut self,
        field: Field,
        source: &mut S,
    ) -> Result<(), Error> {
        let record = &mut *self.record;
        match field {
            Field::Name => record.name = Some(source.string(field)?),
            Field::Value | Field::String | Field::Boolean | Field::Data | Field::ObjectLink => {
                record.value = value(source, field)?
            }
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
        // All kinds of values share one bit, because a record has at most one value.
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
