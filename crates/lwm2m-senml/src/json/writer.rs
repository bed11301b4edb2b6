//! Writing records as JSON.

use crate::record::{Field, Number, Record, Value};
use crate::{Error, base64};
use alloc::string::String;
use core::fmt::Write;

/// Writes a pack of records one after another, without blanks. Integers are exact; a float keeps
/// its decimal point or exponent, so that it is read as one.
#[derive(Debug)]
pub struct Writer {
    output: String,
}

impl Writer {
    /// A pack with room for `records` records of usual length.
    #[must_use]
    pub fn with_capacity(records: usize) -> Self {
        let mut output = String::with_capacity(2 + records * 32);
        output.push('[');
        Self { output }
    }

    /// Writes a record.
    ///
    /// # Errors
    /// [`Error::NotFinite`] for a number that is not finite; the pack is then broken.
    #[inline]
    pub fn record(&mut self, record: &Record<'_>) -> Result<(), Error> {
        self.output.push_str(if self.output.len() == 1 { "{" } else { ",{" });
        let start = self.output.len();
        fields(record, &mut Fields { output: &mut self.output, start })?;
        self.output.push('}');
        Ok(())
    }

    /// The whole pack.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.output.push(']');
        self.output
    }
}

/// Writes a pack with [`Writer`].
///
/// # Errors
/// [`Error::NotFinite`] for a number that is not finite.
pub fn write(records: &[Record<'_>]) -> Result<String, Error> {
    let mut writer = Writer::with_capacity(records.len());
    records.iter().try_for_each(|record| writer.record(record))?;
    Ok(writer.finish())
}

/// Writes the fields of one record in the order of RFC 8428.
fn fields(record: &Record<'_>, out: &mut Fields<'_>) -> Result<(), Error> {
    if let Some(version) = record.base_version {
        out.number(Field::BaseVersion, Number::Unsigned(version))?;
    }
    out.text(Field::BaseName, record.base_name.as_deref());
    out.seconds(Field::BaseTime, record.base_time)?;
    out.text(Field::BaseUnit, record.base_unit.as_deref());
    out.maybe_number(Field::BaseValue, record.base_value)?;
    out.maybe_number(Field::BaseSum, record.base_sum)?;
    out.text(Field::Name, record.name.as_deref());
    out.text(Field::Unit, record.unit.as_deref());
    if let Some(value) = &record.value {
        out.value(value)?;
    }
    out.maybe_number(Field::Sum, record.sum)?;
    out.seconds(Field::Time, record.time)?;
    out.seconds(Field::UpdateTime, record.update_time)
}

struct Fields<'o> {
    output: &'o mut String,
    /// Where the first field begins.
    start: usize,
}

impl Fields<'_> {
    #[inline]
    fn key(&mut self, field: Field) {
        self.output.push_str(if self.output.len() == self.start { "\"" } else { ",\"" });
        self.output.push_str(field.name());
        self.output.push_str("\":");
    }

    #[inline]
    fn text(&mut self, field: Field, text: Option<&str>) {
        if let Some(text) = text {
            self.key(field);
            quoted(text, self.output);
        }
    }

    fn seconds(&mut self, field: Field, seconds: Option<f64>) -> Result<(), Error> {
        self.maybe_number(field, seconds.map(whole))
    }

    fn maybe_number(&mut self, field: Field, number: Option<Number>) -> Result<(), Error> {
        number.map_or(Ok(()), |number| self.number(field, number))
    }

    fn number(&mut self, field: Field, number: Number) -> Result<(), Error> {
        self.key(field);
        decimal_text(number, self.output)
    }

    fn value(&mut self, value: &Value<'_>) -> Result<(), Error> {
        match value {
            Value::Integer(v) => self.number(Field::Value, Number::Integer(*v))?,
            Value::Unsigned(v) => self.number(Field::Value, Number::Unsigned(*v))?,
            Value::Float(v) => self.number(Field::Value, Number::Float(*v))?,
            Value::Boolean(v) => {
                self.key(Field::Boolean);
                self.output.push_str(if *v { "true" } else { "false" });
            }
            Value::String(v) => self.text(Field::String, Some(v)),
            Value::ObjectLink(v) => self.text(Field::ObjectLink, Some(v)),
            Value::Data(v) => {
                self.key(Field::Data);
                self.output.push('"');
                base64::encode(v, self.output);
                self.output.push('"');
            }
            Value::Null => {
                self.key(Field::Value);
                self.output.push_str("null");
            }
        }
        Ok(())
    }
}

/// Seconds as an integer, if they are whole and small enough to be exact.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "tried and tested"
)]
pub(crate) fn whole(seconds: f64) -> Number {
    let integer = seconds as i64;
    let exact = integer as f64 == seconds && integer.unsigned_abs() < 1 << 53;
    if exact { Number::Integer(integer) } else { Number::Float(seconds) }
}

/// Appends a number; a float keeps its decimal point or exponent.
#[inline]
pub(super) fn decimal_text(number: Number, output: &mut String) -> Result<(), Error> {
    match number {
        Number::Integer(v) => {
            if v < 0 {
                output.push('-');
            }
            decimal(v.unsigned_abs(), output);
        }
        Number::Unsigned(v) => decimal(v, output),
        Number::Float(v) if v.is_finite() => {
            // Writing to a String cannot fail.
            let _ = write!(output, "{v:?}");
        }
        Number::Float(_) => return Err(Error::NotFinite),
    }
    Ok(())
}

/// Appends `value` in decimal.
fn decimal(mut value: u64, output: &mut String) {
    let mut digits = [0u8; 20];
    let mut begin = digits.len();
    for (place, digit) in digits.iter_mut().enumerate().rev() {
        let last = (value % 10) as u8;
        *digit = b'0' + last;
        begin = place;
        value /= 10;
        if value == 0 {
            break;
        }
    }
    let text = digits.get(begin..).and_then(|digits| core::str::from_utf8(digits).ok());
    output.push_str(text.unwrap_or_default());
}

/// Appends `text` in quotes, with escapes where JSON demands them.
pub(super) fn quoted(text: &str, output: &mut String) {
    let special = |byte: u8| matches!(byte, b'"' | b'\\' | 0..=0x1F);
    output.push('"');
    let mut rest = text;
    while let Some(place) = rest.bytes().position(special) {
        let (plain, tail) = rest.split_at_checked(place).unwrap_or((rest, ""));
        output.push_str(plain);
        let mut chars = tail.chars();
        match chars.next() {
            Some('\n') => output.push_str("\\n"),
            Some(c @ ('"' | '\\')) => output.extend(['\\', c]),
            Some(c) => {
                let _ = write!(output, "\\u{:04x}", u32::from(c));
            }
            None => {}
        }
        rest = chars.as_str();
    }
    output.push_str(rest);
    output.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;

    fn one(value: Value<'_>) -> Result<String, Error> {
        write(&[Record { value: Some(value), ..Record::default() }])
    }

    #[test]
    fn values_of_each_type() {
        let cases = [
            (Value::Integer(i64::MIN), r#"[{"v":-9223372036854775808}]"#),
            (Value::Integer(0), r#"[{"v":0}]"#),
            (Value::Unsigned(u64::MAX), r#"[{"v":18446744073709551615}]"#),
            (Value::Float(22.4), r#"[{"v":22.4}]"#),
            (Value::Float(5.0), r#"[{"v":5.0}]"#),
            (Value::Float(1e300), r#"[{"v":1e300}]"#),
            (Value::Float(-0.0), r#"[{"v":-0.0}]"#),
            (Value::Boolean(true), r#"[{"vb":true}]"#),
            (Value::String("a\"\\\n\u{1}é".into()), "[{\"vs\":\"a\\\"\\\\\\n\\u0001é\"}]"),
            (Value::ObjectLink("66:0".into()), r#"[{"vlo":"66:0"}]"#),
            (Value::Data([1, 2, 3, 4, 5][..].into()), r#"[{"vd":"AQIDBAU"}]"#),
            (Value::Null, r#"[{"v":null}]"#),
        ];
        for (value, text) in cases {
            assert_eq!(one(value.clone()).as_deref(), Ok(text));
            assert_eq!(json::read(text.as_bytes()).unwrap()[0].value, Some(value));
        }
        assert_eq!(one(Value::Float(f64::NAN)), Err(Error::NotFinite));
        assert_eq!(one(Value::Float(f64::INFINITY)), Err(Error::NotFinite));
        assert_eq!(write(&[]).as_deref(), Ok("[]"));
    }
}
