//! Values and data types in the dialect's JSON.
//!
//! JavaScript's numbers lose the last digits of 64-bit integers, so INTEGER, UNSIGNED_INTEGER and
//! FLOAT are written as text; numbers are accepted too. OPAQUE is hexadecimal text, TIME is
//! milliseconds since 1970-01-01T00:00:00Z, and OBJLNK is an object of two ids.

use lwm2m_core::{DataType, ObjectLink, Value};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::Value as Json;

/// The name of a data type in the field `type`.
#[must_use]
pub const fn type_name(data_type: DataType) -> &'static str {
    match data_type {
        DataType::String => "STRING",
        DataType::Integer => "INTEGER",
        DataType::UnsignedInteger => "UNSIGNED_INTEGER",
        DataType::Float => "FLOAT",
        DataType::Boolean => "BOOLEAN",
        DataType::Opaque => "OPAQUE",
        DataType::Time => "TIME",
        DataType::ObjectLink => "OBJLNK",
        DataType::CoreLink => "CORELINK",
        DataType::None => "NONE",
    }
}

/// The data type that a `type` field names, in any case; NONE, which no value has, is not one.
#[must_use]
pub fn type_from_name(name: &str) -> Option<DataType> {
    DataType::OF_VALUES.into_iter().find(|known| type_name(*known).eq_ignore_ascii_case(name))
}

/// Why a JSON value is no value of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// The JSON is not how the type is written.
    #[error("the value is no {}: {} expected", type_name(*.0), expected(*.0))]
    Expected(DataType),
    /// The body names another type than the object definition.
    #[error(
        "the body says {}, but the object definition says {}; send that type, or leave `type` out",
        type_name(*.declared), type_name(*.defined)
    )]
    Mismatch {
        /// The type in the body.
        declared: DataType,
        /// The type in the object definition.
        defined: DataType,
    },
    /// The type can neither be looked up nor guessed.
    #[error("the object definition is unknown here and this JSON does not tell a type; add `type`")]
    Unknown,
}

const fn expected(data_type: DataType) -> &'static str {
    match data_type {
        DataType::String => "text",
        DataType::Integer => {
            "a whole number from -9223372036854775808 to 9223372036854775807, or text of one,"
        }
        DataType::UnsignedInteger => {
            "a whole number from 0 to 18446744073709551615, or text of one,"
        }
        DataType::Float => "a number, or text of one,",
        DataType::Boolean => "true or false",
        DataType::Opaque => "text of hexadecimal digit pairs",
        DataType::Time => "milliseconds since 1970-01-01T00:00:00Z as a whole number",
        DataType::ObjectLink => {
            "{\"objectId\": 0 to 65535, \"objectInstanceId\": 0 to 65535}, or text such as \"3:0\","
        }
        DataType::CoreLink => "text in CoRE Link Format",
        DataType::None => "no value",
    }
}

/// The JSON of a value. A TIME too far from 1970 for milliseconds in 64 bits becomes the nearest
/// that fits.
#[derive(Clone, Copy, Debug)]
pub struct ValueJson<'a>(pub &'a Value);

impl Serialize for ValueJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::String(text) | Value::CoreLink(text) => serializer.serialize_str(text),
            Value::Integer(number) => serializer.collect_str(number),
            Value::UnsignedInteger(number) => serializer.collect_str(number),
            Value::Float(f64::INFINITY) => serializer.serialize_str("Infinity"),
            Value::Float(f64::NEG_INFINITY) => serializer.serialize_str("-Infinity"),
            // The shortest text that reads back as the same number, with a point: 21.0.
            Value::Float(number) => serializer.collect_str(&format_args!("{number:?}")),
            Value::Boolean(flag) => serializer.serialize_bool(*flag),
            Value::Opaque(bytes) => serializer.serialize_str(&hex(bytes)),
            Value::Time(seconds) => serializer.serialize_i64(seconds.saturating_mul(1000)),
            Value::ObjectLink(link) => {
                let mut json = serializer.serialize_struct("ObjectLink", 2)?;
                json.serialize_field("objectId", &link.object)?;
                json.serialize_field("objectInstanceId", &link.instance)?;
                json.end()
            }
        }
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// Reads a value. `declared` is the type that the body names, `defined` that of the object
/// definition. Where both are there and differ, numbers of one kind are read as the other, and
/// text is read as what the definition says; anything else is refused. Where there is neither, the
/// JSON itself decides: true and false are BOOLEAN, whole numbers INTEGER, others FLOAT, text is
/// STRING and an object OBJLNK. So it does for an executable resource: the device refuses the value.
///
/// # Errors
/// Why the JSON is no such value.
pub fn read_value(
    json: &Json,
    declared: Option<DataType>,
    defined: Option<DataType>,
) -> Result<Value, ValueError> {
    let data_type = match (declared, defined.filter(|it| *it != DataType::None)) {
        (Some(declared), Some(defined)) => agreed(declared, defined)?,
        (Some(data_type), None) | (None, Some(data_type)) => data_type,
        (None, None) => guess(json)?,
    };
    let value = match data_type {
        DataType::String => json.as_str().map(Value::from),
        DataType::Integer => whole(json, Json::as_i64).map(Value::Integer),
        DataType::UnsignedInteger => whole(json, Json::as_u64).map(Value::UnsignedInteger),
        DataType::Float => float(json).map(Value::Float),
        DataType::Boolean => boolean(json).map(Value::Boolean),
        DataType::Opaque => json.as_str().and_then(unhex).map(|b| Value::Opaque(b.into())),
        DataType::Time => whole(json, Json::as_i64).map(|ms| Value::Time(ms.div_euclid(1000))),
        DataType::ObjectLink => object_link(json).map(Value::ObjectLink),
        DataType::CoreLink => json.as_str().map(|text| Value::CoreLink(text.to_owned())),
        DataType::None => None,
    };
    value.ok_or(ValueError::Expected(data_type))
}

fn agreed(declared: DataType, defined: DataType) -> Result<DataType, ValueError> {
    let number = |t| matches!(t, DataType::Integer | DataType::UnsignedInteger | DataType::Float);
    let agree = declared == defined
        || declared == DataType::String
        || (number(declared) && number(defined));
    if agree { Ok(defined) } else { Err(ValueError::Mismatch { declared, defined }) }
}

fn guess(json: &Json) -> Result<DataType, ValueError> {
    match json {
        Json::Bool(_) => Ok(DataType::Boolean),
        Json::Number(number) if number.is_i64() => Ok(DataType::Integer),
        Json::Number(number) if number.is_u64() => Ok(DataType::UnsignedInteger),
        Json::Number(_) => Ok(DataType::Float),
        Json::String(_) => Ok(DataType::String),
        Json::Object(_) => Ok(DataType::ObjectLink),
        Json::Null | Json::Array(_) => Err(ValueError::Unknown),
    }
}

fn whole<T: std::str::FromStr>(json: &Json, number: fn(&Json) -> Option<T>) -> Option<T> {
    match json {
        Json::String(text) => text.parse().ok(),
        json => number(json),
    }
}

fn float(json: &Json) -> Option<f64> {
    match json.as_str() {
        Some("Infinity") => Some(f64::INFINITY),
        Some("-Infinity") => Some(f64::NEG_INFINITY),
        Some("NaN") => Some(f64::NAN),
        // Text too large for a float would read as infinity, which its writer did not mean.
        Some(text) => text.parse().ok().filter(|number: &f64| number.is_finite()),
        None => json.as_f64(),
    }
}

fn boolean(json: &Json) -> Option<bool> {
    match json.as_str() {
        Some(text) => text.parse().ok(),
        None => json.as_bool(),
    }
}

pub(super) fn unhex(text: &str) -> Option<Vec<u8>> {
    let nibble = |byte: &u8| char::from(*byte).to_digit(16).and_then(|n| u8::try_from(n).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let byte = |[high, low]: &[u8; 2]| Some(nibble(high)? << 4 | nibble(low)?);
    if rest.is_empty() { pairs.iter().map(byte).collect() } else { None }
}

fn object_link(json: &Json) -> Option<ObjectLink> {
    if let Some(text) = json.as_str() {
        return text.parse().ok();
    }
    let id = |field| json.get(field).and_then(Json::as_u64).and_then(|id| u16::try_from(id).ok());
    Some(ObjectLink { object: id("objectId")?, instance: id("objectInstanceId")? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use serde_json::json;

    fn read(json: Json, data_type: DataType) -> Result<Value, ValueError> {
        read_value(&json, None, Some(data_type))
    }

    #[test]
    fn each_type_is_written_as_the_dialect_does() {
        let golden = [
            (Value::from("text"), json!("text")),
            (Value::Integer(-5), json!("-5")),
            (Value::UnsignedInteger(u64::MAX), json!("18446744073709551615")),
            (Value::Float(21.5), json!("21.5")),
            (Value::Float(21.0), json!("21.0")),
            (Value::Float(f64::INFINITY), json!("Infinity")),
            (Value::Boolean(true), json!(true)),
            (Value::Opaque(Bytes::from_static(&[0, 0xAB, 0xFF])), json!("00abff")),
            (Value::Time(1_367_491_215), json!(1_367_491_215_000_i64)),
            (
                Value::ObjectLink(ObjectLink { object: 66, instance: 0 }),
                json!({"objectId": 66, "objectInstanceId": 0}),
            ),
            (Value::CoreLink("</3/0>".to_owned()), json!("</3/0>")),
        ];
        for (value, json) in golden {
            assert_eq!(serde_json::to_value(ValueJson(&value)).unwrap(), json);
            assert_eq!(read(json, value.data_type()), Ok(value));
        }
    }

    #[test]
    fn numbers_are_accepted_where_text_is_written() {
        assert_eq!(read(json!(7), DataType::Integer), Ok(Value::Integer(7)));
        assert_eq!(read(json!(7), DataType::Float), Ok(Value::Float(7.0)));
        assert_eq!(read(json!(u64::MAX), DataType::UnsignedInteger), Ok(u64::MAX.into()));
        assert_eq!(read(json!("1999"), DataType::Time), Ok(Value::Time(1)));
        assert_eq!(read(json!(-1), DataType::Time), Ok(Value::Time(-1)));
    }

    #[test]
    fn what_is_not_of_the_type_is_refused() {
        let bad = [
            (json!(1), DataType::String),
            (json!(1.5), DataType::Integer),
            (json!("1e3"), DataType::Integer),
            (json!(u64::MAX), DataType::Integer),
            (json!(-1), DataType::UnsignedInteger),
            (json!("1e999"), DataType::Float),
            (json!("inf"), DataType::Float),
            (json!(1), DataType::Boolean),
            (json!("abc"), DataType::Opaque),
            (json!("zz"), DataType::Opaque),
            (json!("äb"), DataType::Opaque),
            (json!("now"), DataType::Time),
            (json!({"objectId": 65536, "objectInstanceId": 0}), DataType::ObjectLink),
            (json!({"objectId": 3}), DataType::ObjectLink),
            (json!(null), DataType::String),
            (json!([]), DataType::CoreLink),
        ];
        for (json, data_type) in bad {
            let answer = read(json.clone(), data_type);
            assert_eq!(answer, Err(ValueError::Expected(data_type)), "{json}");
        }
        assert_eq!(read(json!("x"), DataType::None), Ok(Value::from("x")));
    }

    #[test]
    fn the_definition_settles_what_the_body_declares() {
        let read = |json, declared, defined| read_value(&json, Some(declared), Some(defined));
        use DataType::{Boolean, Float, Integer, Opaque, String};
        assert_eq!(read(json!("3"), Integer, Float), Ok(Value::Float(3.0)));
        assert_eq!(read(json!("3"), String, Integer), Ok(Value::Integer(3)));
        assert_eq!(read(json!("true"), String, Boolean), Ok(Value::Boolean(true)));
        assert_eq!(
            read(json!("00"), Opaque, String),
            Err(ValueError::Mismatch { declared: Opaque, defined: String })
        );
    }

    #[test]
    fn without_any_type_the_json_decides() {
        let guess = |json| read_value(&json, None, None);
        assert_eq!(guess(json!(true)), Ok(Value::Boolean(true)));
        assert_eq!(guess(json!(1)), Ok(Value::Integer(1)));
        assert_eq!(guess(json!(1.5)), Ok(Value::Float(1.5)));
        assert_eq!(guess(json!("1")), Ok(Value::from("1")));
        assert_eq!(guess(json!(null)), Err(ValueError::Unknown));
    }

    #[test]
    fn type_names_read_back() {
        for data_type in DataType::OF_VALUES {
            assert_eq!(type_from_name(type_name(data_type)), Some(data_type));
        }
        assert_eq!(type_from_name("integer"), Some(DataType::Integer));
        assert_eq!(type_from_name("NONE"), None);
        assert_eq!(type_from_name("int"), None);
    }
}
