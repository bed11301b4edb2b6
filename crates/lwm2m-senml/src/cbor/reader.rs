//! Reads records from CBOR: RFC 8428 section 6.

use super::decoder::Decoder;
use crate::error::Error;
use crate::record::{Draft, Field, Number, Record, Source, Value, typed_value};
use alloc::borrow::Cow;

/// Iterates over the records of a pack in CBOR. Borrows strings of definite length from the input. The
/// iteration ends after an error.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    decoder: Decoder<'a>,
    state: State,
    any_type: bool,
    /// The decoder and the state at the record that could not be read.
    broken: Option<(Decoder<'a>, State)>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Begin,
    /// Within the array, with the number of remaining records if its length is definite.
    Within(Option<u64>),
    End,
}

impl<'a> Reader<'a> {
    /// Creates a reader of the pack in `input`.
    #[must_use]
    pub fn new(input: &'a [u8]) -> Self {
        let (decoder, state) = (Decoder::new(input), State::Begin);
        Self { decoder, state, any_type: false, broken: None }
    }

    /// Sets whether a value may have another type than its field. Then it is read by its own type, and
    /// an array or map leaves the record without a value. Default: no.
    #[must_use]
    pub fn any_type(self, any_type: bool) -> Self {
        Self { any_type, ..self }
    }

    /// After an error: skips the record that it is about, so that the next one can be read. `false` if
    /// the pack cannot be read on, or must not be, because a field has to be understood.
    pub fn skip_broken(&mut self) -> bool {
        let Some((decoder, state)) = self.broken.take() else { return false };
        self.decoder = decoder;
        let skipped = self.decoder.skip().is_ok();
        if skipped {
            self.state = state;
        }
        skipped
    }

    /// The number of bytes read.
    #[must_use]
    #[inline]
    pub const fn offset(&self) -> usize {
        self.decoder.offset()
    }

    /// Overwrites `record` with the next record. Returns `false` at the end of the pack. Faster than
    /// the iterator, which moves the large records.
    ///
    /// # Errors
    /// As the iterator. The iteration ends after an error.
    #[inline]
    pub fn read_into(&mut self, record: &mut Record<'a>) -> Result<bool, Error> {
        *record = Record::default();
        self.fill(record)
    }

    /// [`Reader::read_into`] for a default record.
    #[inline]
    fn fill(&mut self, record: &mut Record<'a>) -> Result<bool, Error> {
        let begin = match self.advance() {
            Ok(true) => (self.decoder.clone(), self.state),
            Ok(false) => return Ok(false),
            Err(error) => {
                self.state = State::End;
                return Err(error);
            }
        };
        let read = self.record(record);
        if let Err(error) = &read {
            self.state = State::End;
            self.broken = Some(begin).filter(|_| !matches!(error, Error::MustUnderstand { .. }));
        }
        read.map(|()| true)
    }

    /// Advances to the next record. Returns `false` at the end of the pack.
    #[inline]
    fn advance(&mut self) -> Result<bool, Error> {
        if matches!(self.state, State::Begin) {
            self.state = State::Within(self.decoder.array()?);
        }
        let State::Within(remaining) = &mut self.state else { return Ok(false) };
        if !self.decoder.ends(remaining) {
            return Ok(true);
        }
        self.state = State::End;
        if self.decoder.is_at_end() { Ok(false) } else { Err(self.decoder.syntax("the end")) }
    }

    #[inline]
    fn record(&mut self, record: &mut Record<'a>) -> Result<(), Error> {
        let mut draft = Draft::new(record);
        let mut remaining = self.decoder.map()?;
        while !self.decoder.ends(&mut remaining) {
            match self.field()? {
                Some(field) => draft.set(field, self)?,
                None => self.decoder.skip()?,
            }
        }
        Ok(())
    }

    /// Reads the label of the next field. Returns `None` if it is unknown.
    #[inline]
    fn field(&mut self) -> Result<Option<Field>, Error> {
        if self.decoder.major() != Some(TEXT) {
            return self.decoder.integer().map(Field::from_label);
        }
        let name = self.decoder.text()?;
        if name.ends_with('_') {
            return Err(Error::MustUnderstand { offset: self.offset() });
        }
        Ok(Field::from_name(&name))
    }

    /// Takes a time with tag 0 (a date as text) or tag 1 (seconds since 1970), if it is next: RFC 8949
    /// sections 3.4.1 and 3.4.2.
    fn tagged_time(&mut self) -> Result<Option<Value<'a>>, Error> {
        let mut ahead = self.decoder.clone();
        let tag = ahead.tag();
        if !matches!(tag, Some(DATE | EPOCH)) {
            return Ok(None);
        }
        self.decoder = ahead;
        match (tag, self.decoder.item()?) {
            (Some(DATE), Value::String(text)) => Ok(Some(Value::Date(text))),
            (Some(EPOCH), value) if value.finite().is_some() => Ok(Some(value)),
            _ => Err(self.wrong_type(Field::Value)),
        }
    }

    /// The error if the next item does not have the type of `field`.
    #[cold]
    fn mismatch(&self, field: Field) -> Error {
        if self.decoder.is_at_end() {
            self.decoder.syntax("a value")
        } else {
            self.wrong_type(field)
        }
    }
}

const BYTES: u8 = 2;
const TEXT: u8 = 3;
const TAG: u8 = 6;
/// The tag of a date as text.
const DATE: u64 = 0;
/// The tag of seconds since 1970.
const EPOCH: u64 = 1;

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Record<'a>, Error>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let mut record = Record::default();
        match self.fill(&mut record) {
            Ok(true) => Some(Ok(record)),
            Ok(false) => None,
            Err(error) => Some(Err(error)),
        }
    }
}

impl<'a> Source<'a> for Reader<'a> {
    #[inline]
    fn offset(&self) -> usize {
        Reader::offset(self)
    }

    #[inline]
    fn string(&mut self, field: Field) -> Result<Cow<'a, str>, Error> {
        match self.decoder.major() {
            Some(TEXT) => self.decoder.text(),
            _ => Err(self.mismatch(field)),
        }
    }

    fn data(&mut self, field: Field) -> Result<Cow<'a, [u8]>, Error> {
        match self.decoder.major() {
            Some(BYTES) => self.decoder.bytes(),
            _ => Err(self.mismatch(field)),
        }
    }

    fn boolean(&mut self, field: Field) -> Result<bool, Error> {
        match self.decoder.item()? {
            Value::Boolean(value) => Ok(value),
            _ => Err(self.wrong_type(field)),
        }
    }

    #[inline]
    fn number_or_null(&mut self, field: Field) -> Result<Option<Number>, Error> {
        if let Some(integer) = self.decoder.plain_integer() {
            return Ok(Some(Number::Integer(integer)));
        }
        match self.decoder.item()? {
            Value::Null => Ok(None),
            value => value.finite().map(Some).ok_or_else(|| self.wrong_type(field)),
        }
    }

    #[inline]
    fn value(&mut self, field: Field) -> Result<Value<'a>, Error> {
        if field == Field::Value
            && self.decoder.major() == Some(TAG)
            && let Some(time) = self.tagged_time()?
        {
            return Ok(time);
        }
        typed_value(self, field)
    }

    fn any_value(&mut self) -> Result<Option<Value<'a>>, Error> {
        let mut ahead = self.decoder.clone();
        if let Ok(value) = ahead.item() {
            self.decoder = ahead;
            return Ok(Some(value));
        }
        self.decoder.skip().map(|()| None)
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
    use crate::Value;

    fn value(record: &[u8]) -> Result<Option<Value<'_>>, Error> {
        let mut reader = Reader::new(record);
        reader.state = State::Within(Some(1));
        reader.next().unwrap().map(|record| record.value)
    }

    #[test]
    fn numbers_of_each_width() {
        let cases: [(&[u8], Value<'_>); 8] = [
            (&[0xA1, 2, 0x20], Value::Integer(-1)),
            (&[0xA1, 2, 0x1B, 0, 0x20, 0, 0, 0, 0, 0, 1], Value::Integer(9_007_199_254_740_993)),
            (&[0xA1, 2, 0x3B, 0x7F, 255, 255, 255, 255, 255, 255, 255], Value::Integer(i64::MIN)),
            (&[0xA1, 2, 0x1B, 255, 255, 255, 255, 255, 255, 255, 255], Value::Unsigned(u64::MAX)),
            (&[0xA1, 2, 0xF9, 0x3C, 0], Value::Float(1.0)),
            (&[0xA1, 2, 0xFA, 0x3F, 0x80, 0, 0], Value::Float(1.0)),
            (&[0xA1, 2, 0xC4, 0x82, 0x20, 0x18, 215], Value::Float(21.5)),
            (&[0xA1, 2, 0xF6], Value::Null),
        ];
        for (bytes, expected) in cases {
            assert_eq!(value(bytes), Ok(Some(expected)), "{bytes:02x?}");
            for length in 0..bytes.len() {
                assert!(value(&bytes[..length]).is_err(), "{bytes:02x?} {length}");
            }
        }
        let date = [0xA1, 2, 0xC0, 0x64, b'1', b'9', b'7', b'0'];
        assert_eq!(value(&date), Ok(Some(Value::Date("1970".into()))), "tag 0");
        assert_eq!(value(&[0xA1, 2, 0xC1, 0x18, 100]), Ok(Some(Value::Integer(100))), "tag 1");
        assert!(value(&[0xA1, 2, 0xC1, 0x61, b'1']).is_err(), "tag 1 is for numbers");
        assert!(value(&[0xA1, 2, 0xC0, 1]).is_err(), "tag 0 is for texts");
        let wrong = Err(Error::Type { offset: 4, field: "v" });
        assert_eq!(value(&[0xA1, 2, 0x61, b'1']), wrong);
        assert!(value(&[0xA1, 2, 0xF9, 0x7C, 0]).is_err(), "infinity");
        assert!(value(&[0xA1, 2, 0x3B, 255, 255, 255, 255, 255, 255, 255, 255]).is_err());
    }

    #[test]
    fn values_of_another_type_than_their_field_lose_no_record() {
        let pack =
            [0x85, 0xA1, 2, 0x61, b'1', 0xA1, 3, 1, 0xA1, 4, 0x81, 0x80, 0xA1, 8, 0xF7, 0xA1, 2, 7];
        assert!(read(&pack).is_err());
        let loose: Result<Vec<_>, _> = Reader::new(&pack).any_type(true).collect();
        let values: Vec<_> = loose.unwrap().into_iter().map(|record| record.value).collect();
        let text = Some(Value::String("1".into()));
        assert_eq!(values, [text, Some(Value::Integer(1)), None, None, Some(Value::Integer(7))]);
        for length in 0..pack.len() {
            let cut: Result<Vec<_>, _> = Reader::new(&pack[..length]).any_type(true).collect();
            assert!(cut.is_err(), "{length}");
        }
    }

    #[test]
    fn a_broken_record_can_be_skipped() {
        let pack =
            [0x83, 0xA2, 0, 1, 2, 7, 0xA2, 0, 0x62, 0xC3, 0x28, 2, 7, 0xA2, 0, 0x61, b'd', 2, 8];
        let mut reader = Reader::new(&pack);
        let mut record = Record::default();
        for _ in 0..2 {
            assert!(reader.read_into(&mut record).is_err());
            assert!(reader.skip_broken() && !reader.skip_broken());
        }
        assert_eq!(reader.read_into(&mut record), Ok(true));
        assert_eq!(record.name.as_deref(), Some("d"));
        assert_eq!(reader.read_into(&mut record), Ok(false));
        for pack in [&[0x81, 0xA2, 0, 1, 2][..], &[0x81, 0xA1], &[7], &[0x81, 0xA1, 0x61, b'_', 0]]
        {
            let mut reader = Reader::new(pack);
            assert!(reader.read_into(&mut record).is_err() && !reader.skip_broken(), "{pack:?}");
            assert_eq!(reader.read_into(&mut record), Ok(false), "{pack:?}");
        }
    }

    #[test]
    fn indefinite_lengths_are_read() {
        let bytes = [
            0x9F, 0xBF, 0x00, 0x7F, 0x62, b'/', b'3', 0x61, b'/', 0xFF, 0x08, 0x5F, 0x41, 1, 0x41,
            2, 0xFF, 0xFF, 0xFF,
        ];
        let records = read(&bytes).unwrap();
        assert_eq!(records[0].name.as_deref(), Some("/3/"));
        assert_eq!(records[0].value, Some(Value::Data([1, 2][..].into())));
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn hostile_packs_are_refused() {
        let many = [0x9B, 255, 255, 255, 255, 255, 255, 255, 255];
        assert!(read(&many).is_err());
        assert!(read(&[0x81, 0xBB, 255, 255, 255, 255, 255, 255, 255, 255]).is_err());
        assert!(read(&[0x81, 0xA1, 8, 0x5B, 255, 255, 255, 255, 255, 255, 255, 255]).is_err());
        assert!(read(&[0x81, 0xA1, 3, 0x62, 0xC3, 0x28]).is_err(), "no UTF-8");
        assert!(read(&[0x80, 0x00]).is_err(), "trailing byte");
        let mut nested = Vec::from([0x81, 0xA1, 0x18, 100]);
        nested.extend([0x81; 10_000]);
        assert!(read(&nested).is_err());
        let duplicate = [0x81, 0xA2, 2, 1, 3, 0x61, b'a'];
        assert_eq!(read(&duplicate), Err(Error::Duplicate { offset: 7, field: "vs" }));
        let unknown = [0x81, 0xA1, 0x62, b'x', b'_', 0];
        assert_eq!(read(&unknown), Err(Error::MustUnderstand { offset: 5 }));
    }
}
