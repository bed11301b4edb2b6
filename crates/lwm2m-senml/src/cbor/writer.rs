//! Writing records as CBOR.

use super::item::{Written, write_float};
use crate::Error;
use crate::json::whole;
use crate::record::{Field, Number, Record, Value};
use alloc::vec::Vec;
use minicbor::Encoder;
use minicbor::encode::Error as Refused;

/// Writes a pack with definite lengths. Integers are exact; a float takes 4 bytes if they hold it,
/// else 8 (2 are not written, since small devices do not read them).
///
/// # Errors
/// [`Error::NotFinite`] for a number that is not finite.
pub fn write(records: &[Record<'_>]) -> Result<Vec<u8>, Error> {
    if !records.iter().all(is_finite) {
        return Err(Error::NotFinite);
    }
    let mut encoder = Encoder::new(Vec::with_capacity(1 + records.len() * 16));
    // Writing to a vector cannot fail.
    let _ = pack(records, &mut Output { encoder: &mut encoder });
    Ok(encoder.into_writer())
}

fn is_finite(record: &Record<'_>) -> bool {
    let number = record.value.as_ref().and_then(Value::number);
    let numbers = [number, record.base_value, record.base_sum, record.sum];
    let times = [record.base_time, record.time, record.update_time];
    numbers.into_iter().flatten().all(Number::is_finite)
        && times.into_iter().flatten().all(f64::is_finite)
}

fn pack(records: &[Record<'_>], out: &mut Output<'_>) -> Written {
    out.encoder.array(records.len() as u64)?;
    records.iter().try_for_each(|record| out.record(record))
}

struct Output<'o> {
    encoder: &'o mut Encoder<Vec<u8>>,
}

impl Output<'_> {
    fn record(&mut self, record: &Record<'_>) -> Written {
        let Record { base_version, base_name, base_time, base_unit, base_value, base_sum, .. } =
            record;
        let Record { name, unit, value, sum, time, update_time, .. } = record;
        let count = usize::from(base_version.is_some())
            + [base_name, base_unit, name, unit].into_iter().flatten().count()
            + [base_time, time, update_time].into_iter().flatten().count()
            + [base_value, base_sum, sum].into_iter().flatten().count()
            + usize::from(value.is_some());
        self.encoder.map(count as u64)?;
        self.number(Field::BaseVersion, base_version.map(Number::Unsigned))?;
        self.text(Field::BaseName, base_name.as_deref())?;
        self.number(Field::BaseTime, base_time.map(whole))?;
        self.text(Field::BaseUnit, base_unit.as_deref())?;
        self.number(Field::BaseValue, *base_value)?;
        self.number(Field::BaseSum, *base_sum)?;
        self.text(Field::Name, name.as_deref())?;
        self.text(Field::Unit, unit.as_deref())?;
        if let Some(value) = value {
            self.value(value)?;
        }
        self.number(Field::Sum, *sum)?;
        self.number(Field::Time, time.map(whole))?;
        self.number(Field::UpdateTime, update_time.map(whole))
    }

    #[inline]
    fn key(
        &mut self,
        field: Field,
    ) -> Result<&mut Encoder<Vec<u8>>, Refused<core::convert::Infallible>> {
        match field.label() {
            Some(label) => self.encoder.i8(label),
            None => self.encoder.str(field.name()),
        }
    }

    #[inline]
    fn text(&mut self, field: Field, text: Option<&str>) -> Written {
        match text {
            Some(text) => self.key(field)?.str(text).map(drop),
            None => Ok(()),
        }
    }

    #[inline]
    fn number(&mut self, field: Field, number: Option<Number>) -> Written {
        let Some(number) = number else { return Ok(()) };
        let encoder = self.key(field)?;
        match number {
            Number::Integer(v) => encoder.i64(v).map(drop),
            Number::Unsigned(v) => encoder.u64(v).map(drop),
            Number::Float(v) => write_float(encoder, v),
        }
    }

    fn value(&mut self, value: &Value<'_>) -> Written {
        match value {
            Value::Integer(v) => self.number(Field::Value, Some(Number::Integer(*v))),
            Value::Unsigned(v) => self.number(Field::Value, Some(Number::Unsigned(*v))),
            Value::Float(v) => self.number(Field::Value, Some(Number::Float(*v))),
            Value::Boolean(v) => self.key(Field::Boolean)?.bool(*v).map(drop),
            Value::String(v) => self.text(Field::String, Some(v)),
            Value::ObjectLink(v) => self.text(Field::ObjectLink, Some(v)),
            Value::Data(v) => self.key(Field::Data)?.bytes(v).map(drop),
            Value::Null => self.key(Field::Value)?.null().map(drop),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cbor;

    #[test]
    fn values_of_each_type() {
        let cases: [(Value<'_>, &[u8]); 9] = [
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
