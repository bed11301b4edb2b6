//! The JSON format of LwM2M 1.0: OMA LwM2M TS 1.0, section 6.4.4.
//!
//! It follows a draft of SenML: one object with base name, base time, and an array of records with
//! the fields `n`, `v`, `bv`, `sv`, `ov` and `t`. Bytes are Base64 in `sv`, so they are read as
//! strings.

use super::lexer::{Fault, blanks, number, peek, string, symbol};
use super::reader::Reader;
use super::writer::{decimal_text, quoted};
use crate::base64;
use crate::error::Error;
use crate::record::{Field, Number, Record, Value};
use alloc::borrow::Cow;
use alloc::string::String;

/// Iterates over the records of a payload. The first record has the base name and the base time.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    reader: Reader<'a>,
    base_name: Option<Cow<'a, str>>,
    base_time: Option<f64>,
}

/// Reads a payload.
///
/// # Errors
/// [`Error::Syntax`] if the payload is not a JSON object with an array `e`, [`Error::Duplicate`] for
/// a repeated field.
pub fn read(input: &[u8]) -> Result<Records<'_>, Error> {
    let mut reader = Reader::new(input);
    let (mut base_name, mut base_time, mut entries) = (None, None, None);
    reader.begin()?;
    reader.parse(symbol(b'{', "an opening brace"))?;
    let mut more = peek(reader.rest) != Some(b'}');
    while more {
        let name = reader.parse(string)?;
        reader.parse(symbol(b':', "a colon"))?;
        let twice = match &*name {
            "bn" => base_name.replace(reader.parse(string)?).is_some(),
            "bt" => base_time.replace(reader.parse(number)?.as_f64()).is_some(),
            "e" => entries.replace(reader.take_part()?).is_some(),
            _ => reader.skip_value().map(|()| false)?,
        };
        if twice {
            return Err(Error::Duplicate { offset: reader.offset(), field: "bn, bt or e" });
        }
        more = peek(reader.rest) == Some(b',');
        if more {
            reader.parse(symbol(b',', "a comma"))?;
        }
    }
    reader.parse(symbol(b'}', "a comma or closing brace"))?;
    let rest = blanks(reader.rest).len();
    let missing = |expected| reader.syntax(&Fault { remaining: rest, expected });
    match entries {
        _ if rest > 0 => Err(missing("the end")),
        None => Err(missing("the array e")),
        Some(entries) => Ok(Records { reader: entries, base_name, base_time }),
    }
}

impl<'a> Records<'a> {
    /// Overwrites `record` with the next record. Returns `false` at the end of the payload.
    ///
    /// # Errors
    /// As the iterator. The iteration ends after an error.
    pub fn read_into(&mut self, record: &mut Record<'a>) -> Result<bool, Error> {
        *record = Record {
            base_name: self.base_name.take(),
            base_time: self.base_time.take(),
            ..Record::default()
        };
        self.reader.read_fields(record, field)
    }

    /// As [`Reader::skip_broken`].
    pub fn skip_broken(&mut self) -> bool {
        self.reader.skip_broken()
    }

    /// As [`Reader::any_type`].
    #[must_use]
    pub fn any_type(self, any_type: bool) -> Self {
        Self { reader: self.reader.any_type(any_type), ..self }
    }

    /// The number of bytes read.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.reader.offset()
    }
}

fn field(name: &str) -> Option<Field> {
    match name {
        "n" => Some(Field::Name),
        "v" => Some(Field::Value),
        "bv" => Some(Field::Boolean),
        "sv" => Some(Field::String),
        "ov" => Some(Field::ObjectLink),
        "t" => Some(Field::Time),
        _ => None,
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut record = Record::default();
        match self.read_into(&mut record) {
            Ok(true) => Some(Ok(record)),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

/// Writes a payload record by record.
#[derive(Debug)]
pub struct Writer {
    output: String,
    first: bool,
}

impl Writer {
    /// Creates a payload with room for `records` records of usual length.
    #[must_use]
    pub fn with_capacity(records: usize) -> Self {
        let mut output = String::with_capacity(32 + records * 24);
        output.push('{');
        Self { output, first: true }
    }

    /// Writes a record. The first record sets the base name and the base time of the payload.
    ///
    /// # Errors
    /// [`Error::NotFinite`] for a number that is not finite. The payload is then incomplete.
    pub fn record(&mut self, record: &Record<'_>) -> Result<(), Error> {
        if core::mem::take(&mut self.first) {
            write_base(record, &mut self.output)?;
            self.output.push_str("\"e\":[{");
        } else {
            self.output.push_str(",{");
        }
        write_entry(record, &mut self.output)?;
        self.output.push('}');
        Ok(())
    }

    /// Returns the payload.
    #[must_use]
    pub fn finish(mut self) -> String {
        self.output.push_str(if self.first { "\"e\":[]}" } else { "]}" });
        self.output
    }
}

/// Writes a payload with [`Writer`].
///
/// # Errors
/// [`Error::NotFinite`] for a number that is not finite.
pub fn write(records: &[Record<'_>]) -> Result<String, Error> {
    let mut writer = Writer::with_capacity(records.len());
    records.iter().try_for_each(|record| writer.record(record))?;
    Ok(writer.finish())
}

fn write_base(record: &Record<'_>, output: &mut String) -> Result<(), Error> {
    if let Some(name) = &record.base_name {
        output.push_str("\"bn\":");
        quoted(name, output);
        output.push(',');
    }
    if let Some(time) = record.base_time {
        output.push_str("\"bt\":");
        decimal_text(Number::from_seconds(time), output)?;
        output.push(',');
    }
    Ok(())
}

fn write_entry(record: &Record<'_>, output: &mut String) -> Result<(), Error> {
    if let Some(name) = &record.name {
        output.push_str("\"n\":");
        quoted(name, output);
    }
    if let Some(value) = &record.value {
        output.push_str(if record.name.is_some() { "," } else { "" });
        write_value(value, output)?;
    }
    if let Some(time) = record.time {
        output.push_str(",\"t\":");
        decimal_text(Number::from_seconds(time), output)?;
    }
    Ok(())
}

fn write_value(value: &Value<'_>, output: &mut String) -> Result<(), Error> {
    let number = |number, output: &mut String| {
        output.push_str("\"v\":");
        decimal_text(number, output)
    };
    match value {
        Value::Integer(v) => number(Number::Integer(*v), output)?,
        Value::Unsigned(v) => number(Number::Unsigned(*v), output)?,
        Value::Float(v) => number(Number::Float(*v), output)?,
        Value::Null => output.push_str("\"v\":null"),
        Value::Boolean(v) => {
            output.push_str(if *v { "\"bv\":true" } else { "\"bv\":false" });
        }
        Value::String(v) | Value::Date(v) => {
            output.push_str("\"sv\":");
            quoted(v, output);
        }
        Value::ObjectLink(v) => {
            output.push_str("\"ov\":");
            quoted(v, output);
        }
        Value::Data(v) => {
            output.push_str("\"sv\":\"");
            base64::encode_padded(v, output);
            output.push('"');
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn records(text: &str) -> Result<Vec<Record<'_>>, Error> {
        read(text.as_bytes())?.collect()
    }

    #[test]
    fn a_payload_round_trips() {
        let text = r#"{"bn":"/3/0/","bt":25462634,"e":[{"n":"0","sv":"a\"b"},{"n":"6/0","v":1,"t":-5},{"n":"1","bv":true},{"n":"2","ov":"3:0"},{"n":"4","v":1.5}]}"#;
        let all = records(text).unwrap();
        assert_eq!(all.len(), 5);
        assert_eq!(all[0].base_name.as_deref(), Some("/3/0/"));
        assert_eq!(all[1].time, Some(-5.0));
        assert_eq!(all[3].value, Some(Value::ObjectLink("3:0".into())));
        assert_eq!(write(&all).as_deref(), Ok(text));
        for length in 0..text.len() {
            assert!(records(&text[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn base_name_may_be_last() {
        let all = records(r#" { "e" : [ {"sv":"x"} ] , "bn" : "/3/0/0" , "z":[1] } "#).unwrap();
        assert_eq!(all[0].base_name.as_deref(), Some("/3/0/0"));
        assert_eq!(records(r#"{"e":[]}"#), Ok(Vec::new()));
    }

    #[test]
    fn malformed_payloads_are_refused() {
        for text in [
            "",
            "{}",
            "[]",
            r#"{"bn":"a"}"#,
            r#"{"e":{}}"#,
            r#"{"e":[]}x"#,
            r#"{"e":[{}{}]}"#,
            r#"{"e":[],"e":[]}"#,
            r#"{"e":[{"v":1,"sv":"a"}]}"#,
            r#"{"e":[],}"#,
            r#"{"e":[{"v":"1"}]}"#,
        ] {
            assert!(records(text).is_err(), "{text}");
        }
        assert!(read(b"{\"e\":[\xff]}").is_err());
    }
}
