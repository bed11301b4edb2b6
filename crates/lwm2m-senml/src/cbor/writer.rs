//! Writes records as CBOR: RFC 8428 section 6.

use super::encoder::Encoder;
use crate::error::Error;
use crate::record::{Field, Number, Record, Value};
use alloc::vec::Vec;

/// Writes a pack of definite length record by record. Integers are exact. A float takes 4 bytes if
/// that is exact, else 8; half precision is not used, because small devices do not read it.
#[derive(Debug)]
pub struct Writer {
    encoder: Encoder,
    /// The number of records, if the head of the pack is written at the end.
    counted: Option<usize>,
}

/// Writes a pack with [`Writer`].
///
/// # Errors
/// [`Error::NotFinite`] for a number that is not finite.
pub fn write(records: &[Record<'_>]) -> Result<Vec<u8>, Error> {
    let mut writer = Writer::new(records.len());
    records.iter().try_for_each(|record| writer.record(record))?;
    Ok(writer.finish())
}

impl Writer {
    /// Creates a pack of `count` records. The caller must write all of them.
    #[must_use]
    pub fn new(count: usize) -> Self {
        let mut encoder = Encoder::with_capacity(1 + count * 16);
        encoder.array(count);
        Self { encoder, counted: None }
    }

    /// Creates a pack of an unknown number of records, whose head is written at the end.
    #[must_use]
    pub fn streaming() -> Self {
        Self { encoder: Encoder::with_capacity(0), counted: Some(0) }
    }

    /// Returns the pack.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        match self.counted {
            Some(count) => self.encoder.finish_array(count),
            None => self.encoder.finish(),
        }
    }

    /// Writes a record.
    ///
    /// # Errors
    /// [`Error::NotFinite`] for a number that is not finite. The pack is then incomplete.
    #[inline]
    pub fn record(&mut self, record: &Record<'_>) -> Result<(), Error> {
        match (rare(record), &record.base_name, &record.name, &record.value) {
            (0, None, Some(name), Some(value)) => self.named(name, value),
            (rare, base, name, value) => {
                self.count();
                let usual = [base.is_some(), name.is_some(), value.is_some()].map(usize::from);
                self.encoder.map(rare + usual.iter().sum::<usize>());
                self.all_fields(record)
            }
        }
    }

    /// Writes a record that has a name and a value only, which most records do. Faster than
    /// [`record`](Self::record).
    ///
    /// # Errors
    /// As [`record`](Self::record).
    #[inline]
    pub fn named(&mut self, name: &str, value: &Value<'_>) -> Result<(), Error> {
        self.count();
        self.encoder.map_with_text(2, name);
        match value {
            Value::Integer(value) => {
                self.encoder.labelled_integer(2, *value);
                Ok(())
            }
            value => self.value(value),
        }
    }

    fn count(&mut self) {
        self.counted = self.counted.map(|count| count + 1);
    }

    fn all_fields(&mut self, record: &Record<'_>) -> Result<(), Error> {
        self.number(Field::BaseVersion, record.base_version.map(Number::Unsigned))?;
        self.text(Field::BaseName, record.base_name.as_deref());
        self.number(Field::BaseTime, record.base_time.map(Number::from_seconds))?;
        self.text(Field::BaseUnit, record.base_unit.as_deref());
        self.number(Field::BaseValue, record.base_value)?;
        self.number(Field::BaseSum, record.base_sum)?;
        self.text(Field::Name, record.name.as_deref());
        self.text(Field::Unit, record.unit.as_deref());
        if let Some(value) = &record.value {
            self.value(value)?;
        }
        self.number(Field::Sum, record.sum)?;
        self.number(Field::Time, record.time.map(Number::from_seconds))?;
        self.number(Field::UpdateTime, record.update_time.map(Number::from_seconds))
    }

    #[inline]
    fn key(&mut self, field: Field) {
        match field.label() {
            Some(label) => self.encoder.integer(label.into()),
            None => self.encoder.text(field.name()),
        }
    }

    #[inline]
    fn text(&mut self, field: Field, text: Option<&str>) {
        if let Some(text) = text {
            self.key(field);
            self.encoder.text(text);
        }
    }

    #[inline]
    fn number(&mut self, field: Field, number: Option<Number>) -> Result<(), Error> {
        number.map_or(Ok(()), |number| self.value_of(field, &number.into()))
    }

    #[inline]
    fn value(&mut self, value: &Value<'_>) -> Result<(), Error> {
        let field = match value {
            Value::Boolean(_) => Field::Boolean,
            Value::String(_) => Field::String,
            Value::ObjectLink(_) => Field::ObjectLink,
            Value::Data(_) => Field::Data,
            Value::Integer(_)
            | Value::Unsigned(_)
            | Value::Float(_)
            | Value::Date(_)
            | Value::Null => Field::Value,
        };
        self.value_of(field, value)
    }

    #[inline]
    fn value_of(&mut self, field: Field, value: &Value<'_>) -> Result<(), Error> {
        if matches!(value, Value::Float(v) if !v.is_finite()) {
            return Err(Error::NotFinite);
        }
        self.key(field);
        self.encoder.item(value);
        Ok(())
    }
}

/// The number of fields besides base name, name and value.
#[inline]
fn rare(record: &Record<'_>) -> usize {
    usize::from(record.base_version.is_some())
        + usize::from(record.base_time.is_some())
        + usize::from(record.base_unit.is_some())
        + usize::from(record.base_value.is_some())
        + usize::from(record.base_sum.is_some())
        + usize::from(record.unit.is_some())
        + usize::from(record.sum.is_some())
        + usize::from(record.time.is_some())
        + usize::from(record.update_time.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;

    #[test]
    fn values_of_each_type() {
        let cases: [(Value<'_>, &[u8]); 10] = [
            (Value::Date("19".into()), &[0x02, 0xC0, 0x62, b'1', b'9']),
            (Value::Integer(-1), &[0x02, 0x20]),
            (Value::Unsigned(u64::MAX), &[0x02, 0x1B, 255, 255, 255, 255, 255, 255, 255, 255]),
            (Value::Float(1.5), &[0x02, 0xFA, 0x3F, 0xC0, 0, 0]),
            (Value::Float(1.1), &[2, 0xFB, 0x3F, 0xF1, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9A]),
            (Value::Boolean(true), &[0x04, 0xF5]),
            (Value::String("a".into()), &[0x03, 0x61, b'a']),
            (Value::ObjectLink("3:0".into()), &[0x63, b'v', b'l', b'o', 0x63, b'3', b':', b'0']),
            (Value::Data([1, 2][..].into()), &[0x08, 0x42, 1, 2]),
            (Value::Null, &[0x02, 0xF6]),
        ];
        for (value, bytes) in cases {
            let record = Record { value: Some(value.clone()), ..Record::default() };
            let written = write(&[record]).unwrap();
            assert_eq!(written[2..], *bytes);
            assert_eq!(cbor::read(&written).unwrap()[0].value, Some(value));
        }
        let infinite = Record { time: Some(f64::INFINITY), ..Record::default() };
        assert_eq!(write(&[infinite]), Err(Error::NotFinite));
    }
}
