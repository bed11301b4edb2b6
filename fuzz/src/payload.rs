//! What holds for a payload of any format: it never takes more memory than a multiple of its bytes,
//! and what decodes is encoded in the same format and decodes to the same again. Strict and lenient
//! reading agree on every payload of which nothing is to be forgiven, and a record means the same
//! alone as among others.
//!
//! The first byte of the input chooses path, alternate path and model, the others are the payload.

use crate::allocation::within;
use core::fmt::Debug;
use lwm2m_codec::link::{parse, write};
use lwm2m_codec::{Reading, Writing, composite, supports};
use lwm2m_core::{ContentFormat, DataType, Model, Operations, Path, ResourceModel, model::NoModel};
use lwm2m_senml::{Record, Resolved, cbor, json, resolve};
use std::collections::BTreeSet;

/// Bytes of a tree for each byte of the payload: four bytes may be a map with one value, and a node
/// of a map has room for eleven.
const TREE: usize = 192;
/// What a payload of no bytes may take.
const BASE: usize = 4096;

/// Checks a payload of a format for trees or single values.
pub fn check(format: ContentFormat, input: &[u8]) {
    let Some((&place, payload)) = input.split_first() else { return };
    let path = Path::from_ids(&[3, 0, 6, 1][..usize::from(place) % 5]).expect("small ids");
    let model: &dyn Model = if place < 128 { &ByNumber } else { &NoModel };
    let root = if place & 64 == 0 { "" } else { "/r" };
    let readings = Readings { model, root };
    let limit = BASE + TREE * payload.len();
    let _ = readings.agree_on_request(limit, |it| it.decode_create(format, 3, payload));
    let timed = readings.agree(limit, |it| it.decode_timed(format, &path, payload));
    if let Ok(timed) = &timed {
        let alone = |record: &[u8]| readings.lenient().decode_timed(format, &path, record);
        if let Some(records) = records(format, payload) {
            let alone: Result<Vec<_>, _> = records.iter().map(|record| alone(record)).collect();
            let alone: Vec<_> = alone.expect("a record of the pack").concat();
            assert_eq!(format!("{alone:?}"), format!("{timed:?}"), "a record changes others");
        }
    }
    let Ok(node) = readings.agree(limit, |it| it.decode(format, &path, payload)) else { return };
    let leaves: BTreeSet<_> = node.leaves(&path).into_iter().map(|(leaf, _)| leaf).collect();
    let timed = timed.expect("what is a tree is a list of values");
    assert_eq!(leaves, timed.iter().map(|it| it.path).collect(), "values are lost");
    assert!(supports(format.canonical(), &path), "{format} at {path}");
    let encoded = Writing::below(root).encode(format, &path, &node).expect("what was decoded");
    let again = readings.strict().decode(format, &path, &encoded);
    // Times of LwM2M CBOR are written without a tag, as in OMA's samples: only a model that knows the
    // resource tells them again.
    let text = |result: &dyn Debug| match format {
        ContentFormat::LWM2M_CBOR => format!("{result:?}").replace("Time(", "Integer("),
        _ => format!("{result:?}"),
    };
    assert_eq!(text(&again.map_err(|_| ())), text(&Ok::<_, ()>(&node)));
}

/// A strict and a lenient reading of the same payload.
struct Readings<'m> {
    model: &'m dyn Model,
    root: &'m str,
}

impl<'m> Readings<'m> {
    fn strict(&self) -> Reading<'m> {
        Reading::strict(self.model).below(self.root)
    }

    fn lenient(&self) -> Reading<'m> {
        Reading::lenient(self.model).below(self.root)
    }

    /// What lenient reading returns; reading as an answer loses nothing of it.
    fn agree<T: Debug, E: Debug>(
        &self,
        limit: usize,
        read: impl Fn(&Reading<'m>) -> Result<T, E>,
    ) -> Result<T, E> {
        let leniently = self.agree_on_request(limit, &read);
        let answer = Reading::answer(self.model).below(self.root);
        let answered = within(limit, || read(&answer));
        if leniently.is_ok() {
            assert_eq!(format!("{answered:?}"), format!("{leniently:?}"));
            assert!(answer.left_out().is_empty());
        }
        leniently
    }

    /// What lenient reading returns. Strict reading returns the same where nothing is to be forgiven,
    /// and an error elsewhere. Create is a request only: in its names of OMA JSON, an answer would
    /// look for what is relative to an instance.
    fn agree_on_request<T: Debug, E: Debug>(
        &self,
        limit: usize,
        read: impl Fn(&Reading<'m>) -> Result<T, E>,
    ) -> Result<T, E> {
        let lenient = self.lenient();
        let leniently = within(limit, || read(&lenient));
        let strictly = within(limit, || read(&self.strict()));
        match strictly {
            Err(_) if leniently.is_err() || lenient.forgiven().next().is_some() => {}
            // As text, since a NaN is not equal to itself.
            _ => {
                assert_eq!(format!("{strictly:?}"), format!("{leniently:?}"));
                assert_eq!(lenient.forgiven().next(), None, "strict reading accepts it");
            }
        }
        leniently
    }
}

/// A record that does not depend on others.
fn alone(it: Resolved<'_>) -> Record<'_> {
    let name = Some(it.name.to_string().into());
    Record { name, time: it.time, value: it.value, ..Record::default() }
}

/// The records of a SenML pack that can be read, each as a pack of its own.
fn records(format: ContentFormat, payload: &[u8]) -> Option<Vec<Vec<u8>>> {
    match format {
        ContentFormat::SENML_JSON => {
            let records: Vec<_> = json::Reader::new(payload).collect::<Result<_, _>>().ok()?;
            let write = |it| Some(json::write(&[alone(Result::ok(it)?)]).ok()?.into_bytes());
            resolve(records).map(write).collect()
        }
        ContentFormat::SENML_CBOR => {
            let records: Vec<_> = cbor::Reader::new(payload).collect::<Result<_, _>>().ok()?;
            resolve(records).map(|it| cbor::write(&[alone(it.ok()?)]).ok()).collect()
        }
        _ => None,
    }
}

/// Checks a Fetch Pack or Patch Pack.
pub fn check_pack(format: ContentFormat, payload: &[u8]) {
    let readings = Readings { model: &ByNumber, root: "" };
    let limit = BASE + TREE * payload.len();
    if let Ok(paths) = readings.agree(limit, |it| it.decode_paths(format, payload)) {
        let encoded = composite::encode_paths(format, &paths).expect("what was decoded");
        assert_eq!(composite::decode_paths(format, &encoded), Ok(paths));
    }
    if let Ok(changes) = readings.agree(limit, |it| it.decode_changes(format, payload)) {
        let encoded = composite::encode_changes(format, &changes).expect("what was decoded");
        let again = composite::decode_changes(format, &encoded, &ByNumber);
        assert_eq!(again, Ok(changes));
    }
}

/// Checks a text of links: strict and lenient reading agree, each link means the same alone, and what
/// is written is read again.
pub fn check_links(text: &str) {
    let readings = Readings { model: &NoModel, root: "" };
    let limit = 1024 + 128 * text.len();
    let Ok(links) = readings.agree(limit, |it| it.links(text)) else { return };
    let written = write(&links);
    let again = if readings.strict().links(text).is_ok() {
        readings.strict().links(&written)
    } else {
        readings.lenient().links(&written)
    };
    assert_eq!(again.as_deref().map(write), Ok(written.clone()));
    let alone: Result<Vec<_>, _> = links.iter().map(|link| parse(&link.to_string())).collect();
    assert_eq!(alone.map(|alone| write(&alone.concat())), Ok(written));
}

/// The id of a resource gives its type and, beyond ten, that it is a multiple one.
struct ByNumber;

impl Model for ByNumber {
    fn resource(&self, _object: u16, resource: u16) -> Option<ResourceModel> {
        let data_type = match resource % 10 {
            0 => DataType::String,
            1 => DataType::Integer,
            2 => DataType::UnsignedInteger,
            3 => DataType::Float,
            4 => DataType::Boolean,
            5 => DataType::Opaque,
            6 => DataType::Time,
            7 => DataType::ObjectLink,
            8 => DataType::CoreLink,
            _ => return None,
        };
        let multiple = resource / 10 % 2 == 1;
        Some(ResourceModel { data_type, multiple, operations: Operations::RW, mandatory: false })
    }

    fn multiple_instances(&self, _object: u16) -> Option<bool> {
        Some(true)
    }
}
