//! JSON lines in, JSON lines out: many conversions in one process.

use super::{ConvertError, Direction, Format, Shape, decode, encode, input};
use lwm2m_codec::{Reading, Writing};
use lwm2m_core::Path;
use lwm2m_objects::Registry;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::io::{BufRead, Write};

/// A line of the input.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    format: String,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    hex: Option<String>,
    #[serde(default)]
    json: Option<Json>,
}

/// Converts line by line until the input ends. A bad line gets an error as its answer, and makes
/// the whole fail when the input has ended.
pub(super) fn run(direction: Direction) -> Result<(), ConvertError> {
    let mut out = std::io::stdout().lock();
    let (mut lines, mut bad) = (0, 0);
    // Lines are bytes: a line that is not UTF-8 is a bad line.
    for line in std::io::stdin().lock().split(b'\n') {
        let line = line?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let answer = match convert(&line, direction) {
            Ok(ok) => json!({ "ok": ok }),
            Err(error) => {
                bad += 1;
                json!({ "error": error.to_string() })
            }
        };
        lines += 1;
        writeln!(out, "{answer}")?;
        // The sender may wait for this answer before it sends the next line.
        out.flush()?;
    }
    if bad > 0 { Err(ConvertError::Lines { bad, lines }) } else { Ok(()) }
}

fn convert(line: &[u8], direction: Direction) -> Result<Json, ConvertError> {
    let line: Line = serde_json::from_slice(line)?;
    let format: Format = line.format.parse().map_err(ConvertError::Format)?;
    let path = line.path.as_deref().unwrap_or("/").parse::<Path>();
    let path = path.map_err(|error| ConvertError::Format(error.to_string()))?;
    match direction {
        Direction::Decode => {
            let hex = line.hex.ok_or(ConvertError::Shape("the line has no hex"))?;
            let model = Registry::builtin().model(&[]);
            let reading = Reading::answer(&model);
            decode(format, &path, Shape::Node, &input::from_hex(hex.as_bytes())?, &reading)
        }
        Direction::Encode => {
            let json = line.json.ok_or(ConvertError::Shape("the line has no json"))?;
            Ok(Json::String(input::to_hex(&encode(
                format,
                &path,
                Shape::Node,
                &json,
                Writing::default(),
            )?)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_decoded_and_encoded_again() {
        let line = r#"{"format":"tlv","path":"/3/0/9","hex":"c10964"}"#;
        let decoded = convert(line.as_bytes(), Direction::Decode).unwrap();
        assert_eq!(
            decoded,
            json!({"kind": "singleResource", "id": 9, "type": "INTEGER", "value": "100"})
        );
        let line = json!({"format": "tlv", "path": "/3/0/9", "json": decoded}).to_string();
        assert_eq!(convert(line.as_bytes(), Direction::Encode).unwrap(), json!("c10964"));
    }

    #[test]
    fn no_bytes_are_a_node_without_values() {
        let line = br#"{"format":"senml-cbor","path":"/3303","hex":""}"#;
        let decoded = convert(line, Direction::Decode).unwrap();
        assert_eq!(decoded, json!({"kind": "obj", "id": 3303, "instances": []}));
    }

    #[test]
    fn bad_lines_have_one_clear_error() {
        for (line, word) in [
            ("{", "JSON"),
            (r#"{"format":"xml","hex":""}"#, "unknown format"),
            (r#"{"format":"tlv","path":"/x","hex":""}"#, "path"),
            (r#"{"format":"tlv","path":"/3/0","hex":"c8"}"#, "TLV"),
            (r#"{"format":"tlv","path":"/3/0","hex":"c"}"#, "hex"),
            (r#"{"format":"tlv","path":"/3/0"}"#, "no hex"),
            (r#"{"format":"text","path":"/3/0/9","hex":""}"#, "not a valid Integer"),
        ] {
            let error = convert(line.as_bytes(), Direction::Decode).unwrap_err().to_string();
            assert!(error.contains(word), "{line}: {error}");
            assert!(!error.contains('\n'), "{error}");
        }
    }
}
