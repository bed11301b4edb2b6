//! LwM2M payloads to and from the JSON of the HTTP API.

use super::ConvertError;
use lwm2m_codec::link::{self, Link, ParamValue};
use lwm2m_codec::{Reading, Timed, Writing};
use lwm2m_core::{ContentFormat, Node, Path, Value};
use lwm2m_http::json::node::{self, NodeJson};
use lwm2m_http::json::registration::LinksJson;
use lwm2m_objects::Registry;
use serde_json::{Value as Json, json};

pub(super) fn decode(
    format: ContentFormat,
    path: &Path,
    bytes: &[u8],
    reading: &Reading<'_>,
) -> Result<Json, ConvertError> {
    if format == ContentFormat::LINK {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| link::LinkError::Utf8 { offset: error.valid_up_to() })?;
        return Ok(serde_json::to_value(LinksJson(&reading.links(text)?))?);
    }
    if is_etch(format) {
        return decode_etch(format, bytes, reading);
    }
    Ok(serde_json::to_value(NodeJson::new(path, &reading.decode(format, path, bytes)?))?)
}

/// The values with their times, in the order of the payload.
pub(super) fn decode_times(
    format: ContentFormat,
    path: &Path,
    bytes: &[u8],
    reading: &Reading<'_>,
) -> Result<Json, ConvertError> {
    let values = reading.decode_timed(format, path, bytes)?;
    let row = |timed: &Timed| {
        let node = serde_json::to_value(NodeJson::of_value(&timed.path, &timed.value))?;
        Ok(json!({ "time": timed.time, "path": timed.path.to_string(), "value": node }))
    };
    values.iter().map(row).collect()
}

/// The new instance, without `id` where the client is to choose it.
pub(super) fn decode_create(
    format: ContentFormat,
    path: &Path,
    bytes: &[u8],
    reading: &Reading<'_>,
) -> Result<Json, ConvertError> {
    let object = object(path)?;
    let (id, values) = reading.decode_create(format, object, bytes)?;
    let node = Node::ObjectInstance(values);
    let place = Path::instance(object, id.unwrap_or_default());
    let mut json = serde_json::to_value(NodeJson::new(&place, &node))?;
    if let (None, Some(members)) = (id, json.as_object_mut()) {
        members.remove("id");
    }
    Ok(json)
}

pub(super) fn encode_create(
    format: ContentFormat,
    path: &Path,
    json: &Json,
    writing: Writing<'_>,
) -> Result<Vec<u8>, ConvertError> {
    let object = object(path)?;
    let model = Registry::builtin().model(&[]);
    let (id, values) = node::read_new_instance(object, json, &model)?;
    Ok(writing.encode_create(format, object, id, &values)?.to_vec())
}

fn object(path: &Path) -> Result<u16, ConvertError> {
    match path.ids() {
        [object] => Ok(*object),
        _ => Err(ConvertError::Shape("a Create needs the path of an object, such as --path /1")),
    }
}

pub(super) fn encode(
    format: ContentFormat,
    path: &Path,
    json: &Json,
    writing: Writing<'_>,
) -> Result<Vec<u8>, ConvertError> {
    if format == ContentFormat::LINK {
        return Ok(link::write(&links(json)?).into_bytes());
    }
    if is_etch(format) {
        return encode_etch(format, json, writing);
    }
    let model = Registry::builtin().model(&[]);
    let node = node::read_node(path, json, &model)?;
    Ok(writing.encode(format, path, &node)?.to_vec())
}

const fn is_etch(format: ContentFormat) -> bool {
    matches!(format, ContentFormat::SENML_ETCH_JSON | ContentFormat::SENML_ETCH_CBOR)
}

/// A Fetch Pack is `["/3/0/9"]`, a Patch Pack `{"/3/0/9": node}` as in composite notifications, with
/// null for what it removes.
fn decode_etch(
    format: ContentFormat,
    bytes: &[u8],
    reading: &Reading<'_>,
) -> Result<Json, ConvertError> {
    if let Ok(paths) = reading.decode_paths(format, bytes) {
        return Ok(paths.iter().map(ToString::to_string).collect());
    }
    let node = |(path, value): (Path, Option<Value>)| {
        let json = value.as_ref().map(|value| NodeJson::of_value(&path, value));
        Ok((path.to_string(), serde_json::to_value(json)?))
    };
    reading.decode_changes(format, bytes)?.into_iter().map(node).collect()
}

fn encode_etch(
    format: ContentFormat,
    json: &Json,
    writing: Writing<'_>,
) -> Result<Vec<u8>, ConvertError> {
    const SHAPE: ConvertError =
        ConvertError::Shape("a pack is written [\"/3/0/9\"] or {\"/3/0/9\": node or null}");
    let path = |text: &str| text.parse::<Path>().map_err(|_| SHAPE);
    if let Some(paths) = json.as_array() {
        let paths = paths.iter().map(|text| path(text.as_str().ok_or(SHAPE)?));
        let paths = paths.collect::<Result<Vec<_>, _>>()?;
        return Ok(writing.encode_paths(format, &paths)?.to_vec());
    }
    let model = Registry::builtin().model(&[]);
    let mut changes = Vec::new();
    for (text, json) in json.as_object().ok_or(SHAPE)? {
        let path = path(text)?;
        if json.is_null() {
            changes.push((path, None));
            continue;
        }
        let node = node::read_node(&path, json, &model)?;
        let leaves = node.leaves(&path);
        changes.extend(leaves.into_iter().map(|(path, value)| (path, Some(value.clone()))));
    }
    Ok(writing.encode_changes(format, &changes)?.to_vec())
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
                Json::String(text) => Some(link_value(text)),
                Json::Number(number) => Some(number.to_string().into()),
                _ => return Err(SHAPE),
            };
            link.params.push((name.clone(), value));
        }
        Ok(link)
    };
    json.as_array().ok_or(SHAPE)?.iter().map(read).collect()
}

/// The value that stands in a link as `text`; what could not stand there is taken as it is.
fn link_value(text: &str) -> ParamValue {
    let parsed = link::parse(&format!("<>;value={text}")).unwrap_or_default();
    match &parsed[..] {
        [Link { params, .. }] if params.len() == 1 => params.iter().find_map(|it| it.1.clone()),
        _ => None,
    }
    .unwrap_or_else(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(format: ContentFormat, path: &Path, json: &Json) -> Result<Vec<u8>, ConvertError> {
        super::encode(format, path, json, Writing::default())
    }

    fn read(format: ContentFormat, path: &Path, bytes: &[u8]) -> Json {
        let model = Registry::builtin().model(&[]);
        decode(format, path, bytes, &Reading::strict(&model)).unwrap()
    }

    #[test]
    fn links_go_both_ways() {
        let text =
            "</>;rt=\"oma.lwm2m\";ct=\"60 110\",</1/0>,</3>;ver=1.1,</3/0>;a=\"7\";b=7;c=\"\\\"\"";
        let json = read(ContentFormat::LINK, &Path::ROOT, text.as_bytes());
        let back = encode(ContentFormat::LINK, &Path::ROOT, &json).unwrap();
        let ordered =
            "</>;ct=\"60 110\";rt=\"oma.lwm2m\",</1/0>,</3>;ver=1.1,</3/0>;a=\"7\";b=7;c=\"\\\"\"";
        assert_eq!(String::from_utf8_lossy(&back), ordered);
        assert_eq!(json[2]["attributes"]["ver"], "1.1");
    }

    #[test]
    fn every_format_goes_both_ways() {
        let value = serde_json::json!({"type": "OPAQUE", "value": "0102"});
        let path = Path::resource(5, 0, 0);
        for format in ContentFormat::ALL {
            if *format == ContentFormat::LINK || is_etch(*format) {
                continue;
            }
            let bytes = encode(*format, &path, &value).unwrap();
            assert_eq!(read(*format, &path, &bytes)["value"], "0102", "{format}");
        }
        for json in [
            serde_json::json!(["/3/0/9", "/1"]),
            serde_json::json!({"/16/0/0/1": null, "/3/0/13":
                {"kind": "singleResource", "id": 13, "type": "TIME", "value": 1_367_491_215_000_i64}}),
        ] {
            for format in [ContentFormat::SENML_ETCH_JSON, ContentFormat::SENML_ETCH_CBOR] {
                let bytes = encode(format, &Path::ROOT, &json).unwrap();
                assert_eq!(read(format, &Path::ROOT, &bytes), json, "{format}");
            }
        }
    }
}
