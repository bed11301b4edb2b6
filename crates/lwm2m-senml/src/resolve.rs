//! Resolved records, with base fields applied: RFC 8428 section 4.6.

use crate::error::Error;
use crate::record::{Number, Record, Value};
use alloc::borrow::Cow;
use core::fmt;

/// The longest resolved name, in bytes.
pub const MAX_NAME: usize = 1_024;

/// The highest supported version of SenML.
const VERSION: u64 = 10;

/// The name of a resolved record: the concatenation of base name and name.
#[derive(Clone, Debug, Default)]
pub struct Name<'a> {
    base: Cow<'a, str>,
    own: Cow<'a, str>,
}

/// A resolved record, which does not depend on others.
#[derive(Clone, PartialEq, Debug)]
pub struct Resolved<'a> {
    /// The base name and the name.
    pub name: Name<'a>,
    /// The base time plus the time, in seconds. Values of 2^28 and more are relative to 1970-01-01,
    /// smaller ones to now (RFC 8428 section 4.5.3). `None` means now.
    pub time: Option<f64>,
    /// The value, plus the base value.
    pub value: Option<Value<'a>>,
    /// The sum, plus the base sum.
    pub sum: Option<Number>,
    /// The unit, or else the base unit.
    pub unit: Option<Cow<'a, str>>,
    /// The update time: the longest time in seconds until the sender updates the value.
    pub update_time: Option<f64>,
}

/// Applies base fields to the records of a pack in sequence.
#[derive(Clone, Debug, Default)]
pub struct Resolver<'a> {
    name: Cow<'a, str>,
    time: Option<f64>,
    unit: Option<Cow<'a, str>>,
    value: Option<Number>,
    sum: Option<Number>,
}

impl<'a> Resolver<'a> {
    /// Creates a resolver for a new pack.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Resolves the next record of the pack.
    ///
    /// # Errors
    /// The version is above 10, the name is too long, or the sum of value and base value is not
    /// finite.
    pub fn resolve(&mut self, mut record: Record<'a>) -> Result<Resolved<'a>, Error> {
        self.apply(&mut record)?;
        Ok(Resolved {
            name: Name { base: self.name.clone(), own: record.name.unwrap_or_default() },
            time: record.time,
            value: record.value,
            sum: record.sum,
            unit: record.unit,
            update_time: record.update_time,
        })
    }

    /// Resolves the next record of the pack in place: removes its base fields and applies them to
    /// time, value, sum and unit. Does not change the name; [`Resolver::base_name`] has the base name.
    ///
    /// # Errors
    /// As [`Resolver::resolve`].
    #[inline]
    pub fn apply(&mut self, record: &mut Record<'a>) -> Result<(), Error> {
        if let Some(version) = record.base_version.take().filter(|version| *version > VERSION) {
            return Err(Error::Version(version));
        }
        if let Some(name) = record.base_name.take() {
            self.name = name;
        }
        if self.name.len() + record.name.as_ref().map_or(0, |name| name.len()) > MAX_NAME {
            return Err(Error::NameTooLong);
        }
        self.time = record.base_time.take().or(self.time);
        if let Some(unit) = record.base_unit.take() {
            self.unit = Some(unit);
        }
        self.value = record.base_value.take().or(self.value);
        self.sum = record.base_sum.take().or(self.sum);
        record.time = match (self.time, record.time) {
            (None, None) => None,
            // Either is 0 by default, which also makes zero of minus zero.
            (base, time) => Some(base.unwrap_or(0.0) + time.unwrap_or(0.0)),
        };
        if let (Some(base), Some(number)) =
            (self.value, record.value.as_ref().and_then(Value::number))
        {
            record.value = Some(add(base, number)?.into());
        }
        record.sum = match (self.sum, record.sum) {
            (Some(base), Some(sum)) => Some(add(base, sum)?),
            (base, sum) => sum.or(base),
        };
        if record.unit.is_none() {
            record.unit.clone_from(&self.unit);
        }
        Ok(())
    }

    /// The base name of the latest record.
    #[must_use]
    pub fn base_name(&self) -> &str {
        &self.name
    }
}

/// Resolves the records of a pack.
pub fn resolve<'a>(
    records: impl IntoIterator<Item = Record<'a>>,
) -> impl Iterator<Item = Result<Resolved<'a>, Error>> {
    let mut resolver = Resolver::new();
    records.into_iter().map(move |record| resolver.resolve(record))
}

/// Adds two numbers. The sum is exact if both are integers and it fits 64 bits.
fn add(base: Number, number: Number) -> Result<Number, Error> {
    if let (Some(a), Some(b)) = (integer(base), integer(number)) {
        if let Ok(sum) = i64::try_from(a + b) {
            return Ok(Number::Integer(sum));
        }
        if let Ok(sum) = u64::try_from(a + b) {
            return Ok(Number::Unsigned(sum));
        }
    }
    let sum = base.as_f64() + number.as_f64();
    if sum.is_finite() { Ok(Number::Float(sum)) } else { Err(Error::NotFinite) }
}

fn integer(number: Number) -> Option<i128> {
    match number {
        Number::Integer(v) => Some(v.into()),
        Number::Unsigned(v) => Some(v.into()),
        Number::Float(_) => None,
    }
}

impl Name<'_> {
    /// The bytes of the name.
    pub fn bytes(&self) -> impl Iterator<Item = u8> + '_ {
        self.base.bytes().chain(self.own.bytes())
    }

    /// Whether the name begins with `byte`.
    #[must_use]
    pub fn starts_with(&self, byte: u8) -> bool {
        self.bytes().next() == Some(byte)
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.base)?;
        f.write_str(&self.own)
    }
}

impl PartialEq for Name<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes().eq(other.bytes())
    }
}

impl PartialEq<str> for Name<'_> {
    fn eq(&self, other: &str) -> bool {
        self.bytes().eq(other.bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    type Plain<'a> = (String, Option<f64>, Option<Value<'a>>);

    fn resolved(text: &str) -> Result<Vec<Plain<'_>>, Error> {
        let records = json::read(text.as_bytes())?;
        let all = resolve(records).map(|r| r.map(|r| (r.name.to_string(), r.time, r.value)));
        all.collect()
    }

    // proves: SENML-01
    #[test]
    fn base_name_and_name_make_the_name() {
        for text in [
            r#"[{"bn":"/3/0/0","vs":"x"}]"#,
            r#"[{"n":"/3/0/0","vs":"x"}]"#,
            r#"[{"bn":"/3/","n":"0/0","vs":"x"}]"#,
        ] {
            let value = Some(Value::String("x".into()));
            assert_eq!(resolved(text), Ok(Vec::from([("/3/0/0".to_string(), None, value)])));
        }
        let pack = r#"[{"bn":"/4/0/","n":"0"},{"n":"1"},{"bn":"/6/","n":"0"},{"n":"1"}]"#;
        let names: Vec<_> = resolved(pack).unwrap().into_iter().map(|(name, ..)| name).collect();
        assert_eq!(names, ["/4/0/0", "/4/0/1", "/6/0", "/6/1"]);
    }

    #[test]
    fn a_time_of_minus_zero_is_zero() {
        let times = resolved(r#"[{"n":"/1","t":-0.0,"v":1},{"n":"/2","bt":-0.0,"v":1}]"#).unwrap();
        let signs: Vec<_> = times.iter().map(|(_, time, _)| time.map(f64::to_bits)).collect();
        assert_eq!(signs, [Some(0), Some(0)]);
    }

    // proves: SENML-06
    #[test]
    fn base_time_and_time_make_the_time() {
        let pack = r#"[{"bn":"/72/","bt":1700000000,"n":"1/2","v":22.4,"t":-5},
            {"n":"1/2","v":22.9,"t":-30},{"n":"1/2","v":24.1}]"#;
        let times: Vec<_> = resolved(pack).unwrap().into_iter().map(|(_, time, _)| time).collect();
        assert_eq!(times, [Some(1_699_999_995.0), Some(1_699_999_970.0), Some(1_700_000_000.0)]);
        assert_eq!(resolved(r#"[{"n":"a","v":1,"t":-5}]"#).unwrap()[0].1, Some(-5.0));
        assert_eq!(resolved(r#"[{"n":"a","v":1}]"#).unwrap()[0].1, None);
    }

    // proves: SENML-07
    #[test]
    fn base_value_is_added_and_newer_versions_are_refused() {
        let sum = |text| resolved(text).map(|all| all[0].2.clone());
        assert_eq!(sum(r#"[{"bv":10,"n":"a","v":5}]"#), Ok(Some(Value::Integer(15))));
        assert_eq!(sum(r#"[{"bv":0.5,"n":"a","v":5}]"#), Ok(Some(Value::Float(5.5))));
        let large = r#"[{"bv":9223372036854775807,"n":"a","v":9223372036854775808}]"#;
        assert_eq!(sum(large), Ok(Some(Value::Unsigned(u64::MAX))));
        assert_eq!(sum(r#"[{"bver":10,"n":"a","v":1}]"#), Ok(Some(Value::Integer(1))));
        assert_eq!(sum(r#"[{"bver":11,"n":"a","v":1}]"#), Err(Error::Version(11)));
        let text = r#"[{"n":"a","v":1,"x_":2}]"#;
        assert_eq!(sum(text), Err(Error::MustUnderstand { offset: 20 }));
        assert_eq!(sum(r#"[{"n":"a","foo":[{"x_":2}],"v":1}]"#), Ok(Some(Value::Integer(1))));
        let strings = r#"[{"bv":10,"n":"a","vs":"5"}]"#;
        assert_eq!(sum(strings), Ok(Some(Value::String("5".into()))));
    }

    #[test]
    fn long_names_are_refused() {
        let long = alloc::format!(r#"[{{"bn":"{}","n":"{}"}}]"#, "a".repeat(1000), "b".repeat(25));
        assert_eq!(resolved(&long), Err(Error::NameTooLong));
    }
}
