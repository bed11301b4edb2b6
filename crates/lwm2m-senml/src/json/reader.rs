//! Reads records from JSON: RFC 8428 section 5.

use super::lexer::{Fault, Parsed, blanks, number, peek, string, symbol, word};
use crate::base64;
use crate::error::Error;
use crate::record::{Draft, Field, Number, Record, Source, Value};
use alloc::borrow::Cow;

/// The deepest nesting of arrays and objects in an unknown field.
const MAX_DEPTH: usize = 16;

/// Iterates over the records of a pack in JSON. Borrows strings without escapes from the input, and
/// allocates only for escapes and `vd`. The iteration ends after an error.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    pub(super) rest: &'a str,
    length: usize,
    state: State,
    forgave_base64: bool,
    any_type: bool,
    /// Where the record begins that could not be read.
    broken: Option<&'a str>,
}

#[derive(Clone, Debug)]
enum State {
    Begin,
    Within,
    Invalid(usize),
    End,
}

impl<'a> Reader<'a> {
    /// Creates a reader of the pack in `input`.
    #[must_use]
    pub fn new(input: &'a [u8]) -> Self {
        let (rest, state) = match core::str::from_utf8(input) {
            Ok(text) => (text, State::Begin),
            Err(error) => ("", State::Invalid(error.valid_up_to())),
        };
        Self {
            rest,
            length: input.len(),
            state,
            forgave_base64: false,
            any_type: false,
            broken: None,
        }
    }

    /// Sets whether a value may have another type than its field. Then it is read by its own type, and
    /// an array or object leaves the record without a value. Default: no.
    #[must_use]
    pub fn any_type(self, any_type: bool) -> Self {
        Self { any_type, ..self }
    }

    /// The number of bytes read.
    #[must_use]
    #[inline]
    pub const fn offset(&self) -> usize {
        self.length.saturating_sub(self.rest.len())
    }

    /// Whether a `vd` had padding or the standard Base64 alphabet instead of base64url without padding
    /// (RFC 8428 section 4.3). The reader accepts both.
    #[must_use]
    pub const fn forgave_base64(&self) -> bool {
        self.forgave_base64
    }

    /// Runs `parser` on the remaining input.
    #[inline]
    pub(super) fn parse<T>(
        &mut self,
        parser: impl FnOnce(&'a str) -> Parsed<'a, T>,
    ) -> Result<T, Error> {
        match parser(self.rest) {
            Ok((rest, value)) => {
                self.rest = rest;
                Ok(value)
            }
            Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => Err(self.syntax(&fault)),
            Err(nom::Err::Incomplete(_)) => {
                Err(self.syntax(&Fault { remaining: 0, expected: "more" }))
            }
        }
    }

    pub(super) fn syntax(&self, fault: &Fault) -> Error {
        let offset = self.length.saturating_sub(fault.remaining);
        Error::Syntax { offset, expected: fault.expected }
    }

    /// Overwrites `record` with the next record. Returns `false` at the end of the pack. Faster than
    /// the iterator, which moves the large records.
    ///
    /// # Errors
    /// As the iterator. The iteration ends after an error.
    #[inline]
    pub fn read_into(&mut self, record: &mut Record<'a>) -> Result<bool, Error> {
        *record = Record::default();
        self.read_fields(record, Field::from_name)
    }

    /// Reads the next record into `record`, which must not have any of its fields. Returns `false` at
    /// the end of the pack. `field` maps names to fields.
    #[inline]
    pub(super) fn read_fields(
        &mut self,
        record: &mut Record<'a>,
        field: impl Fn(&str) -> Option<Field>,
    ) -> Result<bool, Error> {
        let begin = match self.advance() {
            Ok(true) => self.rest,
            Ok(false) => return Ok(false),
            Err(error) => {
                self.state = State::End;
                return Err(error);
            }
        };
        let read = self.record(record, field);
        if let Err(error) = &read {
            self.state = State::End;
            self.broken = Some(begin).filter(|_| !matches!(error, Error::MustUnderstand { .. }));
        }
        read.map(|()| true)
    }

    /// After an error: skips the record that it is about, so that the next one can be read. `false` if
    /// the pack cannot be read on, or must not be, because a field has to be understood.
    pub fn skip_broken(&mut self) -> bool {
        let Some(begin) = self.broken.take() else { return false };
        self.rest = begin;
        let skipped = self.skip_value().is_ok();
        if skipped {
            self.state = State::Within;
        }
        skipped
    }

    /// Fails if the input is not UTF-8.
    pub(super) const fn begin(&self) -> Result<(), Error> {
        match self.state {
            State::Invalid(offset) => Err(Error::Syntax { offset, expected: "UTF-8" }),
            _ => Ok(()),
        }
    }

    /// Takes the next value. Returns a reader for it.
    pub(super) fn take_part(&mut self) -> Result<Self, Error> {
        let begin = self.rest;
        self.skip_value()?;
        let part = begin.get(..begin.len() - self.rest.len()).unwrap_or_default();
        Ok(Self {
            rest: part,
            length: self.offset(),
            state: State::Begin,
            forgave_base64: false,
            any_type: self.any_type,
            broken: None,
        })
    }

    /// Skips the next value.
    pub(super) fn skip_value(&mut self) -> Result<(), Error> {
        self.skip(MAX_DEPTH)
    }

    /// Advances to the next record. Returns `false` at the end of the pack.
    #[inline]
    fn advance(&mut self) -> Result<bool, Error> {
        let first = matches!(self.state, State::Begin);
        match self.state {
            State::End => return Ok(false),
            State::Invalid(_) => self.begin()?,
            State::Begin => self.parse(symbol(b'[', "an opening bracket"))?,
            State::Within => {}
        }
        self.state = State::Within;
        if peek(self.rest) == Some(b']') {
            return self.end().map(|()| false);
        }
        if !first {
            self.parse(symbol(b',', "a comma or closing bracket"))?;
        }
        Ok(true)
    }

    fn end(&mut self) -> Result<(), Error> {
        self.parse(symbol(b']', "a closing bracket"))?;
        self.state = State::End;
        match blanks(self.rest) {
            "" => Ok(()),
            rest => Err(self.syntax(&Fault { remaining: rest.len(), expected: "the end" })),
        }
    }

    #[inline]
    fn record(
        &mut self,
        record: &mut Record<'a>,
        field: impl Fn(&str) -> Option<Field>,
    ) -> Result<(), Error> {
        let mut draft = Draft::new(record);
        self.parse(symbol(b'{', "a record"))?;
        if peek(self.rest) != Some(b'}') {
            loop {
                let name = self.parse(string)?;
                match field(&name) {
                    Some(field) => {
                        self.parse(symbol(b':', "a colon"))?;
                        draft.set(field, self)?;
                    }
                    None => self.unknown(&name)?,
                }
                if peek(self.rest) != Some(b',') {
                    break;
                }
                self.parse(symbol(b',', "a comma"))?;
            }
        }
        self.parse(symbol(b'}', "a comma or closing brace"))
    }

    #[cold]
    fn unknown(&mut self, name: &str) -> Result<(), Error> {
        if name.ends_with('_') {
            return Err(Error::MustUnderstand { offset: self.offset() });
        }
        self.parse(symbol(b':', "a colon"))?;
        self.skip_value()
    }

    /// Skips a value with at most `depth` levels of nesting.
    fn skip(&mut self, depth: usize) -> Result<(), Error> {
        match peek(self.rest) {
            Some(b'"') => self.parse(string).map(drop),
            Some(b't') => self.parse(word("true")),
            Some(b'f') => self.parse(word("false")),
            Some(b'n') => self.parse(word("null")),
            Some(open @ (b'[' | b'{')) => {
                let offset = self.length - blanks(self.rest).len();
                let depth = depth.checked_sub(1).ok_or(Error::Nesting { offset })?;
                self.parse(symbol(open, "a value"))?;
                self.skip_members(depth, open == b'{')
            }
            _ => self.parse(number).map(drop),
        }
    }

    fn skip_members(&mut self, depth: usize, object: bool) -> Result<(), Error> {
        let close = if object { b'}' } else { b']' };
        if peek(self.rest) != Some(close) {
            loop {
                if object {
                    self.parse(string)?;
                    self.parse(symbol(b':', "a colon"))?;
                }
                self.skip(depth)?;
                if peek(self.rest) != Some(b',') {
                    break;
                }
                self.parse(symbol(b',', "a comma"))?;
            }
        }
        self.parse(symbol(close, "a closing bracket or brace"))
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Record<'a>, Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let mut record = Record::default();
        match self.read_fields(&mut record, Field::from_name) {
            Ok(true) => Some(Ok(record)),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

impl<'a> Source<'a> for Reader<'a> {
    fn offset(&self) -> usize {
        Reader::offset(self)
    }

    #[inline]
    fn string(&mut self, field: Field) -> Result<Cow<'a, str>, Error> {
        match peek(self.rest) {
            Some(b'"') => self.parse(string),
            _ => Err(self.wrong_type(field)),
        }
    }

    fn data(&mut self, field: Field) -> Result<Cow<'a, [u8]>, Error> {
        let text = self.string(field)?;
        self.forgave_base64 |= text.bytes().any(|byte| matches!(byte, b'+' | b'/' | b'='));
        base64::decode(&text).map(Cow::Owned).ok_or_else(|| self.wrong_type(field))
    }

    fn boolean(&mut self, field: Field) -> Result<bool, Error> {
        match peek(self.rest) {
            Some(b't') => self.parse(word("true")).map(|()| true),
            Some(b'f') => self.parse(word("false")).map(|()| false),
            _ => Err(self.wrong_type(field)),
        }
    }

    #[inline]
    fn number_or_null(&mut self, field: Field) -> Result<Option<Number>, Error> {
        match peek(self.rest) {
            Some(b'-' | b'0'..=b'9') => self.parse(number).map(Some),
            Some(b'n') => self.parse(word("null")).map(|()| None),
            _ => Err(self.wrong_type(field)),
        }
    }

    fn any_value(&mut self) -> Result<Option<Value<'a>>, Error> {
        Ok(match peek(self.rest) {
            Some(b'"') => Some(Value::String(self.parse(string)?)),
            Some(b'-' | b'0'..=b'9') => Some(self.parse(number)?.into()),
            Some(b't') => self.parse(word("true")).map(|()| Some(Value::Boolean(true)))?,
            Some(b'f') => self.parse(word("false")).map(|()| Some(Value::Boolean(false)))?,
            Some(b'n') => self.parse(word("null")).map(|()| Some(Value::Null))?,
            _ => self.skip_value().map(|()| None)?,
        })
    }

    #[inline]
    fn takes_any_type(&self) -> bool {
        self.any_type
    }
}

/// All records of a pack. For tests only: a record in memory can be twenty times as large as in the
/// pack.
#[cfg(test)]
pub(crate) fn read(input: &[u8]) -> Result<Vec<Record<'_>>, Error> {
    Reader::new(input).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Result<Option<Value<'_>>, Error> {
        read(text.as_bytes()).map(|records| records[0].value.clone())
    }

    #[test]
    fn all_fields_are_read() {
        let text = r#" [ {"bver":10, "bn":"a", "bt":1.5, "bu":"K", "bv":1, "bs":2, "n":"b",
            "u":"C", "v":3, "s":4, "t":5, "ut":6} , {} ] "#;
        let records = read(text.as_bytes()).unwrap();
        let expected = Record {
            base_version: Some(10),
            base_name: Some("a".into()),
            base_time: Some(1.5),
            base_unit: Some("K".into()),
            base_value: Some(Number::Integer(1)),
            base_sum: Some(Number::Integer(2)),
            name: Some("b".into()),
            unit: Some("C".into()),
            value: Some(Value::Integer(3)),
            sum: Some(Number::Integer(4)),
            time: Some(5.0),
            update_time: Some(6.0),
        };
        assert_eq!(records, [expected, Record::default()]);
        assert_eq!(read(b"[]"), Ok(Vec::new()));
    }

    #[test]
    fn strings_are_borrowed() {
        let records = read(br#"[{"n":"/3/0/0","vs":"x"}]"#).unwrap();
        assert!(matches!(records[0].name, Some(Cow::Borrowed("/3/0/0"))));
        assert!(matches!(records[0].value, Some(Value::String(Cow::Borrowed("x")))));
        let escaped = read(br#"[{"\u006e":"a\n"}]"#).unwrap();
        assert_eq!(escaped[0].name.as_deref(), Some("a\n"));
    }

    #[test]
    fn values_of_each_type() {
        assert_eq!(value(r#"[{"vb":true}]"#), Ok(Some(Value::Boolean(true))));
        assert_eq!(value(r#"[{"vlo":"3:0"}]"#), Ok(Some(Value::ObjectLink("3:0".into()))));
        assert_eq!(value(r#"[{"v":null}]"#), Ok(Some(Value::Null)));
        assert_eq!(value(r#"[{"v":-1.5}]"#), Ok(Some(Value::Float(-1.5))));
        let wrong = |field, offset| Err(Error::Type { offset, field });
        assert_eq!(value(r#"[{"v":"1"}]"#), wrong("v", 6));
        assert_eq!(value(r#"[{"vb":1}]"#), wrong("vb", 7));
        assert_eq!(value(r#"[{"vs":null}]"#), wrong("vs", 7));
        assert_eq!(value(r#"[{"vd":"*"}]"#), wrong("vd", 10));
        assert_eq!(value(r#"[{"bver":-1}]"#), wrong("bver", 11));
    }

    #[test]
    fn values_of_another_type_than_their_field_lose_no_record() {
        let text = br#"[{"v":"1"},{"vs":1},{"vb":[{}]},{"vd":"*"},{"v":7}]"#;
        let loose: Result<Vec<_>, _> = Reader::new(text).any_type(true).collect();
        let values: Vec<_> = loose.unwrap().into_iter().map(|record| record.value).collect();
        let text = |text: &'static str| Some(Value::String(text.into()));
        let number = |number| Some(Value::Integer(number));
        assert_eq!(values, [text("1"), number(1), None, text("*"), number(7)]);
        assert!(Reader::new(b"[{\"vs\":1").any_type(true).any(|record| record.is_err()));
    }

    #[test]
    fn a_broken_record_can_be_skipped() {
        let text = br#"[{"n":1,"v":7},{"n":"a","v":{"x":[1]}},{"n":"b","n":"c"},{"n":"d","v":8}]"#;
        let mut reader = Reader::new(text);
        let mut record = Record::default();
        for _ in 0..3 {
            assert!(reader.read_into(&mut record).is_err());
            assert!(reader.skip_broken() && !reader.skip_broken());
        }
        assert_eq!(reader.read_into(&mut record), Ok(true));
        assert_eq!(record.name.as_deref(), Some("d"));
        assert_eq!(reader.read_into(&mut record), Ok(false));
        for text in [&br#"[{"n":1,"v":}]"#[..], b"[{\"n\":1", b"{}", b"[{\"x_\":1}]", b"[\xff]"] {
            let mut reader = Reader::new(text);
            assert!(reader.read_into(&mut record).is_err() && !reader.skip_broken(), "{text:?}");
            assert_eq!(reader.read_into(&mut record), Ok(false), "{text:?}");
        }
    }

    #[test]
    fn two_values_or_the_same_field_twice_are_refused() {
        let twice = |offset, field| Err(Error::Duplicate { offset, field });
        assert_eq!(value(r#"[{"v":1,"vs":"a"}]"#), twice(16, "vs"));
        assert_eq!(value(r#"[{"n":"a","n":"a"}]"#), twice(17, "n"));
    }

    #[test]
    fn malformed_packs_are_refused() {
        for text in [
            "",
            "{}",
            "[",
            "[{]",
            "[{}",
            "[{},]",
            "[,{}]",
            "[{}]x",
            "[{}{}]",
            "[1]",
            "[{\"v\"}]",
            "[{\"v\":}]",
            "[{\"v\":1,}]",
            "[{v:1}]",
            "[{\"x\":[1,]}]",
            "[{\"x\":nul}]",
            "[[]]",
        ] {
            assert!(
                matches!(
                    read(text.as_bytes()),
                    Err(Error::Syntax { .. }) | Err(Error::Type { .. })
                ),
                "{text}"
            );
        }
        let text = br#"[{"n":"/3/0/0","vs":"\u00e9","t":1},{"n":"b","x":{"y":[1,2]},"vb":false}]"#;
        for length in 0..text.len() {
            assert!(read(&text[..length]).is_err(), "{length}");
        }
        assert_eq!(read(b"[\xff]"), Err(Error::Syntax { offset: 1, expected: "UTF-8" }));
    }

    #[test]
    fn deep_nesting_is_refused() {
        let nest =
            |depth| alloc::format!("[{{\"x\":{}1{}}}]", "[".repeat(depth), "]".repeat(depth));
        assert!(read(nest(16).as_bytes()).is_ok());
        assert_eq!(read(nest(17).as_bytes()), Err(Error::Nesting { offset: 22 }));
        assert!(read(nest(100_000).as_bytes()).is_err());
    }
}
