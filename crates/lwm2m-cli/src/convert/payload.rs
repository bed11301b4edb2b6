//! LwM2M payloads to and from the JSON of the HTTP API.

use super::ConvertError;
use lwm2m_codec::link::{self, Link};
use lwm2m_core::{ContentFormat, Path};
use lwm2m_http::json::{node, registration};
use lwm2m_registry::Registry;
use serde_json::Value as Json;

pub(super) fn decode(
    format: ContentFormat,
    path: &Path,
    bytes: &[u8],
) -> Result<Json, ConvertError> {
    if format == ContentFormat::LINK {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| link::LinkError::Utf8 { offset: error.valid_up_to() })?;
        return Ok(serde_json::to_value(registration::links(&link::parse(text)?))?);
    }
    let model = Registry::builtin().model(&[]);
    Ok(node::write_node(path, &lwm2m_codec::decode(format, path, bytes, &model)?))
}

pub(super) fn encode(
    format: ContentFormat,
    path: &Path,
    json: &Json,
) -> Result<Vec<u8>, ConvertError> {
    if format == ContentFormat::LINK {
        return Ok(link::write(&links(json)?).into_bytes());
    }
    let model = Registry::builtin().model(&[]);
    let node = node::read_node(path, json, &model)?;
    Ok(lwm2m_codec::encode(format, path, &node)?.to_vec())
}

/// Reads `[{"url":"/3","attributes":{"ver":"1.1"}}]`; values are link-format text as in the API,
/// so a text is quoted inside its JSON string.
fn links(json: &Json) -> Result<Vec<Link>, ConvertError> {
    const SHAPE: ConvertError = ConvertError::Shape(
        "links are written [{\"url\":\"/3\",\"attributes\":{\"ver\":\"1.1\"}}]",
    );
    let read = |entry: &Json| {
        let mut link = Link::new(entry.get("url").and_then(Json::as_str).ok_or(SHAPE)?);
        let attributes = entry.get("attributes").and_then(Json::as_object);
        for (name, value) in attributes.into_iter().flatten() {
            let value = match value {
                Json::Null => None,
                Json::String(text) => Some(text.trim_matches('"').to_owned()),
                Json::Number(number) => Some(number.to_string()),
                _ => return Err(SHAPE),
            };
            link.params.push((name.clone(), value));
        }
        Ok(link)
    };
    json.as_array().ok_or(SHAPE)?.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_go_both_ways() {
        let text = "</>;rt=\"oma.lwm2m\";ct=110,</1/0>,</3>;ver=1.1,</3/0>";
        let json = decode(ContentFormat::LINK, &Path::ROOT, text.as_bytes()).unwrap();
        let back = encode(ContentFormat::LINK, &Path::ROOT, &json).unwrap();
        let again = decode(ContentFormat::LINK, &Path::ROOT, &back).unwrap();
        assert_eq!(json, again, "{}", String::from_utf8_lossy(&back));
        assert_eq!(json[2]["attributes"]["ver"], "1.1");
    }
}
