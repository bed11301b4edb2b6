//! Object definitions of the operator: from files, and from the API.
//!
//! They lie above the built-in ones: a definition of the API replaces one of a file, and that a built-in
//! one of the same ID and version. Those of the API are records of the server's store, as XML.

use bytes::Bytes;
use lwm2m_core::ObjectVersion;
use lwm2m_link::{Record, Table};
use lwm2m_objects::xml::{self, XmlError};
use lwm2m_objects::{ObjectDefinition, Registry};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Definitions that came by the API, by ID and version.
pub const MODELS: Table = Table(131);

/// The most bytes of XML that the definitions of the API have together.
pub(crate) const MAX_BYTES: usize = 16 << 20;

/// ID and version of a definition.
pub(crate) type Key = (u16, ObjectVersion);

/// Object definitions of the operator; cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Models(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    layers: Mutex<Layers>,
    /// Held while the engine gets a registry, so that the last one is the newest.
    changing: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Layers {
    files: Vec<ObjectDefinition>,
    of_api: BTreeMap<Key, Own>,
}

/// A definition of the API.
#[derive(Clone, Debug)]
pub(crate) struct Own {
    pub(crate) definition: ObjectDefinition,
    xml: Bytes,
}

/// Where a definition comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Source {
    BuiltIn,
    File,
    Api,
}

impl Source {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::BuiltIn => "oma",
            Self::File => "file",
            Self::Api => "api",
        }
    }
}

impl Models {
    /// Restores a definition from its record. Returns `false` if it cannot be read.
    pub fn take(&self, table: Table, key: &[u8], value: &[u8]) -> bool {
        let own =
            (table == MODELS).then(|| std::str::from_utf8(value).ok().and_then(own)).flatten();
        let own = own.filter(|own| key_bytes(own.key()) == key);
        own.map(|own| self.layers().of_api.insert(own.key(), own)).is_some()
    }

    /// Sets the definitions of files.
    pub fn set_files(&self, files: Vec<ObjectDefinition>) {
        self.layers().files = files;
    }

    /// The built-in definitions under those of the operator.
    #[must_use]
    pub fn registry(&self) -> Registry {
        let layers = self.layers();
        let of_api = layers.of_api.values().map(|own| own.definition.clone());
        Registry::with(layers.files.iter().cloned().chain(of_api))
    }

    pub(crate) fn source(&self, definition: &ObjectDefinition) -> Source {
        let key = (definition.id(), definition.version());
        let layers = self.layers();
        match layers.of_api.contains_key(&key) {
            true => Source::Api,
            false if layers.files.iter().any(|it| (it.id(), it.version()) == key) => Source::File,
            false => Source::BuiltIn,
        }
    }

    /// The definitions of the API of an object.
    pub(crate) fn of_api(&self, id: u16) -> Vec<Own> {
        let layers = self.layers();
        layers.of_api.values().filter(|own| own.definition.id() == id).cloned().collect()
    }

    /// Whether there is room for these definitions.
    pub(crate) fn have_room_for(&self, new: &[Own]) -> bool {
        let layers = self.layers();
        let stay = layers.of_api.iter().filter(|(key, _)| !new.iter().any(|it| it.key() == **key));
        let bytes = stay.map(|(_, own)| own.xml.len()).chain(new.iter().map(|it| it.xml.len()));
        bytes.sum::<usize>() <= MAX_BYTES
    }

    /// Adds definitions. Returns those that they replace.
    pub(crate) fn put(&self, new: Vec<Own>) -> Vec<Own> {
        let mut layers = self.layers();
        new.into_iter().filter_map(|own| layers.of_api.insert(own.key(), own)).collect()
    }

    pub(crate) fn remove(&self, key: Key) {
        self.layers().of_api.remove(&key);
    }

    /// The right to change the definitions, of which there is one.
    pub(crate) async fn begin_change(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.0.changing.lock().await
    }

    fn layers(&self) -> MutexGuard<'_, Layers> {
        self.0.layers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Own {
    pub(crate) const fn key(&self) -> Key {
        (self.definition.id(), self.definition.version())
    }

    pub(crate) fn record(&self) -> Record {
        Record { table: MODELS, key: key_bytes(self.key()).into(), value: Some(self.xml.clone()) }
    }

    pub(crate) fn removal(&self) -> Record {
        Record { value: None, ..self.record() }
    }
}

/// Reads the definitions of a document, each with a document of its own to be kept.
pub(crate) fn read(text: &str) -> Result<Vec<Own>, XmlError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let read = |object: xml::XmlObject| {
        let part = text.get(object.range.clone()).unwrap_or_default();
        own(&format!("<LWM2M>{part}</LWM2M>")).ok_or_else(|| {
            let before = text.get(..object.range.start).unwrap_or_default();
            XmlError {
                line: u32::try_from(before.split('\n').count()).unwrap_or(u32::MAX),
                what: "the object has names with prefixes; declare their namespaces within it"
                    .to_owned(),
            }
        })
    };
    xml::parse(text)?.into_iter().map(read).collect()
}

/// The definition of a document that has one.
fn own(text: &str) -> Option<Own> {
    let [object] = <[_; 1]>::try_from(xml::parse(text).ok()?).ok()?;
    Some(Own { definition: object.definition, xml: Bytes::copy_from_slice(text.as_bytes()) })
}

fn key_bytes((id, version): Key) -> Vec<u8> {
    [&id.to_be_bytes()[..], &[version.major, version.minor]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kettle(name: &str, version: &str) -> String {
        format!(
            "<LWM2M><Object><Name>{name}</Name><ObjectID>33000</ObjectID>\
             <ObjectVersion>{version}</ObjectVersion><MultipleInstances>Single</MultipleInstances>\
             <Mandatory>Optional</Mandatory></Object></LWM2M>"
        )
    }

    #[test]
    fn a_definition_of_the_api_lies_above_one_of_a_file_and_survives_its_record() {
        let models = Models::default();
        let name =
            |models: &Models| models.registry().object(33_000, None).map(|it| it.name().to_owned());
        assert_eq!(name(&models), None);
        let files = read(&kettle("File", "1.0")).unwrap();
        models.set_files(files.into_iter().map(|own| own.definition).collect());
        assert_eq!(name(&models).as_deref(), Some("File"));
        let own = read(&kettle("Api", "1.0")).unwrap();
        assert!(models.put(own.clone()).is_empty());
        assert_eq!(name(&models).as_deref(), Some("Api"));
        let kept = own[0].record();
        let restored = Models::default();
        assert!(restored.take(kept.table, &kept.key, kept.value.as_deref().unwrap()));
        assert_eq!(name(&restored).as_deref(), Some("Api"));
        assert!(!restored.take(kept.table, b"\0\0\x01\0", kept.value.as_deref().unwrap()));
        assert!(!restored.take(kept.table, &kept.key, b"<a/>"));
        models.remove(own[0].key());
        assert_eq!(name(&models).as_deref(), Some("File"));
    }

    #[test]
    fn all_definitions_together_have_a_bound() {
        let models = Models::default();
        let large = |version: &str| {
            let text = kettle(&"x".repeat(4_000), version);
            let filler = format!("<!--{}-->", "y".repeat(MAX_BYTES / 2 - 5_000));
            read(&text.replace("</Object>", &format!("{filler}</Object>"))).unwrap()
        };
        for version in ["1.0", "1.1"] {
            assert!(models.have_room_for(&large(version)));
            models.put(large(version));
        }
        assert!(models.have_room_for(&large("1.1")), "it replaces one");
        assert!(!models.have_room_for(&large("1.2")));
    }
}
