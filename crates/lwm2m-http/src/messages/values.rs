//! Payloads to values with the names of their resources. Secrets are left out.

use super::framing::Message;
use super::operation::{Asked, Payload};
use super::{Reader, shortened};
use crate::json::value::ValueJson;
use bytes::Bytes;
use lwm2m_codec::composite::decode_paths;
use lwm2m_codec::{DecodeError, Quirk, Reading, Timed};
use lwm2m_core::{ContentFormat, Path, Value, Version};
use lwm2m_objects::default_version;
use serde::Serialize;
use serde_json::Value as Json;

/// The values of a message that are decoded, and that are shown.
const MAX_DECODED: usize = 10_000;
const MAX_VALUES: usize = 64;
/// The bytes of an opaque value, or of a text, that are shown.
const MAX_BYTES: usize = 256;

/// The payload of a message.
#[derive(Serialize, Debug, Default)]
pub(crate) struct ContentJson {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) values: Vec<ShownJson>,
    /// How many values are not shown.
    #[serde(skip_serializing_if = "is_zero")]
    pub(super) further: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) paths: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
    /// Whether there is a payload that is not shown, because it may have secrets.
    #[serde(skip_serializing_if = "is_false")]
    pub(super) hidden: bool,
    /// What the reader forgave.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) quirks: Vec<String>,
    /// What is wrong with the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
const fn is_zero(number: &usize) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// A value with its path and the name of its resource.
#[derive(Serialize, Debug)]
pub(super) struct ShownJson {
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    /// None of a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Json>,
    #[serde(skip_serializing_if = "is_false")]
    hidden: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<f64>,
}

impl Reader {
    /// What is in the payload of a message.
    pub(super) fn content(&self, about: &Asked, message: &Message) -> ContentJson {
        let mut content = ContentJson::default();
        if message.payload.is_empty() {
            return content;
        }
        let is_request = message.code.is_request();
        if !is_request && !message.code.is_success() {
            content.text = Some(text(&message.payload));
            return content;
        }
        match (about.payload, is_request) {
            (Payload::Text, _) if about.path.is_some_and(|path| is_secret_object(&path)) => {
                content.hidden = true;
            }
            (Payload::Text, _) => content.text = Some(text(&message.payload)),
            (Payload::Values, true) => self.values(&mut content, about, message, false),
            (Payload::Instance, true) => self.instance(&mut content, about, message),
            (Payload::Answer | Payload::Paths, false) => {
                self.values(&mut content, about, message, true);
            }
            (Payload::Paths, true) => paths(&mut content, message),
            (Payload::Values | Payload::Instance | Payload::Answer | Payload::Hidden, _) => {
                content.hidden = true;
            }
        }
        content
    }

    fn values(&self, content: &mut ContentJson, about: &Asked, message: &Message, is_answer: bool) {
        let path = about.path.unwrap_or(Path::ROOT);
        let format = format(message, &path);
        self.with_reading(content, is_answer, |reading| {
            reading.decode_timed(format, &path, &message.payload)
        });
        if about.path.is_none() && content.error.take().is_some() {
            // Formats without paths cannot be read where nobody knows what was asked for.
            content.hidden = true;
        }
    }

    fn instance(&self, content: &mut ContentJson, about: &Asked, message: &Message) {
        let object = about.path.and_then(|path| path.object_id()).unwrap_or_default();
        let format = format(message, &Path::object(object));
        self.with_reading(content, false, |reading| {
            let (id, values) = reading.decode_create(format, object, &message.payload)?;
            let base = Path::instance(object, id.unwrap_or_default());
            let node = lwm2m_core::Node::ObjectInstance(values);
            let leaves = node.leaves(&base).into_iter();
            Ok(leaves
                .map(|(path, value)| Timed { time: None, path, value: value.clone() })
                .collect())
        });
    }

    fn with_reading(
        &self,
        content: &mut ContentJson,
        is_answer: bool,
        decode: impl FnOnce(&Reading<'_>) -> Result<Vec<Timed>, DecodeError>,
    ) {
        let objects = self.registration.iter().flat_map(|it| it.list.objects.keys());
        let versions: Vec<_> = objects.map(|id| (*id, self.version(*id))).collect();
        let model = self.registry.model(&versions);
        let root = self.registration.as_ref().map_or("", |it| &it.list.root_path);
        let reading = if is_answer { Reading::answer(&model) } else { Reading::lenient(&model) };
        let reading = reading.below(root).at_most(MAX_DECODED);
        match decode(&reading) {
            Ok(values) => {
                content.further = values.len().saturating_sub(MAX_VALUES);
                content.values = values.iter().take(MAX_VALUES).map(|it| self.shown(it)).collect();
            }
            // The texts of errors have no values in them.
            Err(error) => content.error = Some(error.to_string()),
        }
        content.quirks = reading.forgiven().map(|quirk: Quirk| quirk.to_string()).collect();
    }

    fn version(&self, object: u16) -> lwm2m_core::ObjectVersion {
        match &self.registration {
            Some(registration) => registration.object_version(object),
            None => default_version(Version::V1_1, object),
        }
    }

    fn shown(&self, Timed { time, path, value }: &Timed) -> ShownJson {
        let name = self.name(path);
        let hidden = is_secret(path, name.as_deref());
        let value = (!hidden).then(|| shown(value));
        ShownJson { path: path.to_string(), name, value, hidden, time: *time }
    }

    fn name(&self, path: &Path) -> Option<String> {
        let (object, resource) = (path.object_id()?, path.resource_id()?);
        let version = self.version(object);
        let definition = self
            .registry
            .object(object, Some(version))
            .or_else(|| self.registry.object(object, None));
        Some(definition?.resource(resource)?.name().to_owned())
    }
}

/// The format of a payload; a payload without one is text, or TLV, as far as there is a rule.
fn format(message: &Message, path: &Path) -> ContentFormat {
    let default = if path.depth() >= 3 { ContentFormat::TEXT } else { ContentFormat::TLV };
    message.options.content_format().map_or(default, ContentFormat)
}

fn paths(content: &mut ContentJson, message: &Message) {
    let format = message.options.content_format().map_or(ContentFormat::SENML_CBOR, ContentFormat);
    match decode_paths(format, &message.payload) {
        Ok(paths) => {
            content.further = paths.len().saturating_sub(MAX_VALUES);
            content.paths = paths.iter().take(MAX_VALUES).map(Path::to_string).collect();
        }
        Err(error) => content.error = Some(error.to_string()),
    }
}

fn text(payload: &Bytes) -> String {
    shortened(&String::from_utf8_lossy(payload))
}

fn shown(value: &Value) -> Json {
    let short = match value {
        Value::Opaque(bytes) => Value::Opaque(bytes.slice(..bytes.len().min(MAX_BYTES))),
        Value::String(text) => Value::String(beginning(text)),
        Value::CoreLink(text) => Value::CoreLink(beginning(text)),
        value => value.clone(),
    };
    serde_json::to_value(ValueJson(&short)).unwrap_or_default()
}

fn beginning(text: &str) -> String {
    text.get(..text.floor_char_boundary(MAX_BYTES)).unwrap_or_default().to_owned()
}

/// Whether all of an object is secret: OSCORE has keys of other resources' names.
fn is_secret_object(path: &Path) -> bool {
    matches!(path.object_id(), Some(0 | 21))
}

/// Whether a value is a secret: keys of the Security object (resources 3 to 5), all of OSCORE, and what
/// is called so.
fn is_secret(path: &Path, name: Option<&str>) -> bool {
    let is_key = match (path.object_id(), path.resource_id()) {
        (Some(0), Some(3..=5)) | (Some(21), _) => true,
        // A value at a place that no resource has.
        (Some(0), None) => true,
        _ => false,
    };
    let name = name.unwrap_or_default().to_lowercase();
    is_key || ["password", "secret", "key", "passphrase"].iter().any(|it| name.contains(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_told_by_their_places_and_their_names() {
        let secret = [
            ("/0/0/3", None),
            ("/0/0/4", None),
            ("/0/1/5", None),
            ("/0/1/5/0", None),
            ("/0/0", None),
            ("/21/0/1", Some("OSCORE Sender ID")),
            ("/11/0/4", Some("Secret")),
            ("/12/0/15", Some("WEP Key 1")),
            ("/33000/0/7", Some("Admin PASSWORD")),
        ];
        for (path, name) in secret {
            assert!(is_secret(&path.parse().unwrap(), name), "{path} {name:?}");
        }
        for (path, name) in [
            ("/0/0/0", Some("LwM2M Server URI")),
            ("/3/0/3", Some("Firmware Version")),
            ("/1/0/5", None),
        ] {
            assert!(!is_secret(&path.parse().unwrap(), name), "{path} {name:?}");
        }
    }
}
