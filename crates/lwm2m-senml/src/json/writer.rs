//! Writes records as JSON: RFC 8428 section 5.

use crate::base64;
use crate::error::Error;
use crate::record::{Number, Record, Value};
use alloc::string::String;
use core::fmt::Write;

/// Writes a pack record by record, without blanks. Integers are exact. A float keeps its decimal
/// point or exponent, so that it is read as a float.
#[derive(Debug)]
pub struct Writer {
    /// A comma follows each record and each field. The closing bracket replaces the last one, so no
    /// code checks for the first element.
    output: String,
}

impl Writer {
    /// Creates a pack with room for `records` records of usual length.
    #[must_use]
    pub fn with_capacity(records: usize) -> Self {
        let mut output = String::with_capacity(2 + records * 32);
        output.push('[');
        Self { output }
    }

    /// Writes a record.
    ///
    /// # Errors
    /// [`Error::NotFinite`] for a number that is not finite. The pack is then incomplete.
    #[inline]
    pub fn record(&mut self, record: &Record<'_>) -> Result<(), Error> {
        self.output.push('{');
        fields(record, &mut Fields(&mut self.output))?;
        close(&mut self.output, "},");
        Ok(())
    }

    /// Writes a record that has a name and a value only, which most records do. Faster than
    /// [`record`](Self::record).
    ///
    /// # Errors
    /// As [`record`](Self::record).
    #[inline]
    pub fn named(&mut self, name: &str, value: &Value<'_>) -> Result<(), Error> {
        self.output.push_str("{\"n\":\"");
        escaped(name, &mut self.output);
        self.output.push_str("\",");
        Fields(&mut self.output).value(value)?;
        close(&mut self.output, "},");
        Ok(())
    }

    /// Returns the pack.
    #[must_use]
    pub fn finish(mut self) -> String {
        close(&mut self.output, "]");
        self.output
    }
}

/// Replaces the last comma, if there is one, by `bracket`.
#[inline]
fn close(output: &mut String, bracket: &str) {
    if output.ends_with(',') {
        output.pop();
    }
    output.push_str(bracket);
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
#[inline]
fn fields(record: &Record<'_>, out: &mut Fields<'_>) -> Result<(), Error> {
    if let Some(version) = record.base_version {
        out.number("\"bver\":", Number::Unsigned(version))?;
    }
    out.text("\"bn\":\"", record.base_name.as_deref());
    out.seconds("\"bt\":", record.base_time)?;
    out.text("\"bu\":\"", record.base_unit.as_deref());
    out.maybe_number("\"bv\":", record.base_value)?;
    out.maybe_number("\"bs\":", record.base_sum)?;
    out.text("\"n\":\"", record.name.as_deref());
    out.text("\"u\":\"", record.unit.as_deref());
    if let Some(value) = &record.value {
        out.value(value)?;
    }
    out.maybe_number("\"s\":", record.sum)?;
    out.seconds("\"t\":", record.time)?;
    out.seconds("\"ut\":", record.update_time)
}

/// Writes fields. `key` is the constant text before the value, including quotes.
struct Fields<'o>(&'o mut String);

impl Fields<'_> {
    #[inline]
    fn text(&mut self, key: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            self.0.push_str(key);
            escaped(text, self.0);
            self.0.push_str("\",");
        }
    }

    #[inline]
    fn seconds(&mut self, key: &'static str, seconds: Option<f64>) -> Result<(), Error> {
        self.maybe_number(key, seconds.map(Number::from_seconds))
    }

    #[inline]
    fn maybe_number(&mut self, key: &'static str, number: Option<Number>) -> Result<(), Error> {
        number.map_or(Ok(()), |number| self.number(key, number))
    }

    #[inline]
    fn number(&mut self, key: &'static str, number: Number) -> Result<(), Error> {
        self.0.push_str(key);
        decimal_text(number, self.0)?;
        self.0.push(',');
        Ok(())
    }

    #[inline]
    fn value(&mut self, value: &Value<'_>) -> Result<(), Error> {
        match value {
            Value::Integer(v) => self.number("\"v\":", Number::Integer(*v))?,
            Value::Unsigned(v) => self.number("\"v\":", Number::Unsigned(*v))?,
            Value::Float(v) => self.number("\"v\":", Number::Float(*v))?,
            Value::Boolean(true) => self.0.push_str("\"vb\":true,"),
            Value::Boolean(false) => self.0.push_str("\"vb\":false,"),
            Value::String(v) | Value::Date(v) => self.text("\"vs\":\"", Some(v)),
            Value::ObjectLink(v) => self.text("\"vlo\":\"", Some(v)),
            Value::Data(v) => {
                self.0.push_str("\"vd\":\"");
                base64::encode(v, self.0);
                self.0.push_str("\",");
            }
            Value::Null => self.0.push_str("\"v\":null,"),
        }
        Ok(())
    }
}

/// Appends a number. A float keeps its decimal point or exponent.
#[inline]
pub(super) fn decimal_text(number: Number, output: &mut String) -> Result<(), Error> {
    match number {
        Number::Integer(v) => output.push_str(itoa::Buffer::new().format(v)),
        Number::Unsigned(v) => output.push_str(itoa::Buffer::new().format(v)),
        Number::Float(v) if v.is_finite() => {
            output.push_str(zmij::Buffer::new().format_finite(v));
        }
        Number::Float(_) => return Err(Error::NotFinite),
    }
    Ok(())
}

/// Appends `text` in quotes, with the escapes that JSON requires.
pub(super) fn quoted(text: &str, output: &mut String) {
    output.push('"');
    escaped(text, output);
    output.push('"');
}

const fn is_special(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | 0..=0x1F)
}

#[inline]
fn escaped(text: &str, output: &mut String) {
    // The compiler vectorizes the loop because it has no early exit.
    if text.bytes().fold(false, |found, byte| found | is_special(byte)) {
        with_escapes(text, output);
    } else {
        output.push_str(text);
    }
}

#[cold]
fn with_escapes(text: &str, output: &mut String) {
    let mut rest = text;
    while let Some(place) = rest.bytes().position(is_special) {
        let (plain, tail) = rest.split_at_checked(place).unwrap_or((rest, ""));
        output.push_str(plain);
        let mut chars = tail.chars();
        match chars.next() {
            Some('\n') => output.push_str("\\n"),
            Some(c @ ('"' | '\\')) => output.extend(['\\', c]),
            Some(c) => {
                // Writing to a String cannot fail.
                let _ = write!(output, "\\u{:04x}", u32::from(c));
            }
            None => {}
        }
        rest = chars.as_str();
    }
    output.push_str(rest);
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
            (Value::Float(1e300), r#"[{"v":1e+300}]"#),
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
