//! SenML JSON and SenML CBOR (110, 112): any tree, with times. OMA LwM2M Core 1.2, sections 7.4.6 and
//! 7.4.7.
//!
//! Also the JSON of LwM2M 1.0 (11543), which has equivalent records, and the records of SenML-ETCH
//! (320, 322) for [`crate::composite`].

use crate::error::{DecodeCause, DecodeError, EncodeError};
use crate::ids::{ANY_INSTANCE, Chosen, Ids, NameIds};
use crate::quirk::Quirk;
use crate::reading::Reading;
use crate::text::decode_text;
use crate::tree::{Sink, Target};
use crate::typed::{scalar, typed};
use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use bytes::Bytes;
use lwm2m_core::{ContentFormat, DataType, Node, ObjectInstance, Path, Value};
use lwm2m_senml::{Error, Record, Resolver, Value as Scalar, cbor, json};

/// Encodes a tree with names relative to a base name, or a single value with an absolute name.
pub(crate) fn encode(
    root: &str,
    format: ContentFormat,
    path: &Path,
    node: &Node,
) -> Result<Bytes, EncodeError> {
    let leaves = node.leaves(path);
    let depth = match leaves.as_slice() {
        [(leaf, _)] if leaf == path && format != ContentFormat::JSON => 0,
        // OMA JSON always has a base name and a name.
        [(leaf, _)] if leaf == path => path.depth() - 1,
        _ => path.depth(),
    };
    let written = match depth {
        0 => write_absolute(root, format, values(&leaves)),
        _ => write(format, &base_name(root, path.prefix(depth).ids()), depth, values(&leaves)),
    };
    written.map_err(|_| not_finite(format, path, &leaves))
}

/// Encodes an instance for Create, with the ID 65535 in names if it has none.
pub(crate) fn encode_create(
    root: &str,
    format: ContentFormat,
    object: Path,
    id: Option<u16>,
    instance: &ObjectInstance,
) -> Result<Bytes, EncodeError> {
    let base =
        base_name(root, &[object.object_id().unwrap_or_default(), id.unwrap_or(ANY_INSTANCE)]);
    // The relative names are the same for every instance.
    let node = Node::ObjectInstance(instance.clone());
    let leaves = node.leaves(&Path::instance(0, 0));
    write(format, &base, 2, values(&leaves)).map_err(|_| not_finite(format, &object, &leaves))
}

/// The values as scalars.
fn values<'v>(
    leaves: &'v [(Path, &'v Value)],
) -> impl ExactSizeIterator<Item = (Path, Option<Scalar<'v>>)> {
    leaves.iter().map(|(leaf, value)| (*leaf, Some(scalar(value))))
}

/// Writes records with absolute names. The first base name has the alternate path.
pub(crate) fn write_absolute<'v>(
    root: &str,
    format: ContentFormat,
    records: impl ExactSizeIterator<Item = (Path, Option<Scalar<'v>>)>,
) -> Result<Bytes, Error> {
    // A single record needs no base name.
    let (before, base) = if records.len() == 1 { (root, "") } else { ("", root) };
    write_names(format, before, base, 0, records)
}

/// Writes records with names without the first `depth` IDs, which the base name has.
fn write<'v>(
    format: ContentFormat,
    base: &str,
    depth: usize,
    records: impl ExactSizeIterator<Item = (Path, Option<Scalar<'v>>)>,
) -> Result<Bytes, Error> {
    write_names(format, "", base, depth, records)
}

fn write_names<'v>(
    format: ContentFormat,
    before: &str,
    base: &str,
    depth: usize,
    records: impl ExactSizeIterator<Item = (Path, Option<Scalar<'v>>)>,
) -> Result<Bytes, Error> {
    let mut writer = Writer::new(format, records.len());
    let mut base = Some(base).filter(|base| !base.is_empty());
    let mut name = String::with_capacity(24);
    for (path, value) in records {
        name.clear();
        name.push_str(before);
        push_ids(&mut name, &path, depth);
        writer.named(base.take(), &name, value.as_ref())?;
    }
    Ok(writer.finish())
}

/// Appends the IDs of `path` after the first `depth` ones: `/3/0/6`, or `6` after a base name. The root
/// is `/`.
pub(crate) fn push_ids(name: &mut String, path: &Path, depth: usize) {
    if *path == Path::ROOT {
        name.push('/');
    }
    for (place, id) in path.ids().iter().enumerate().skip(depth) {
        if depth == 0 || place > depth {
            name.push('/');
        }
        push_digits(name, *id);
    }
}

/// The base name of these IDs, such as `/3/0/`, with the alternate path.
pub(crate) fn base_name(root: &str, ids: &[u16]) -> String {
    let mut name = String::with_capacity(24 + root.len());
    name.push_str(root);
    name.push('/');
    for id in ids {
        push_digits(&mut name, *id);
        name.push('/');
    }
    name
}

fn push_digits(name: &mut String, id: u16) {
    name.push_str(itoa::Buffer::new().format(id));
}

/// Writes records in one of the formats.
#[derive(Debug)]
pub(crate) enum Writer {
    Json(json::Writer),
    Cbor(cbor::Writer),
    Oma(json::oma::Writer),
}

impl Writer {
    fn new(format: ContentFormat, records: usize) -> Self {
        match format {
            ContentFormat::SENML_CBOR | ContentFormat::SENML_ETCH_CBOR => {
                Self::Cbor(cbor::Writer::new(records))
            }
            ContentFormat::JSON => Self::Oma(json::oma::Writer::with_capacity(records)),
            _ => Self::Json(json::Writer::with_capacity(records)),
        }
    }

    /// Creates a writer for an unknown number of records.
    pub(crate) fn streaming(format: ContentFormat) -> Self {
        match format {
            ContentFormat::SENML_CBOR => Self::Cbor(cbor::Writer::streaming()),
            _ => Self::Json(json::Writer::with_capacity(0)),
        }
    }

    /// Writes a record with these fields.
    pub(crate) fn named(
        &mut self,
        base_name: Option<&str>,
        name: &str,
        value: Option<&Scalar<'_>>,
    ) -> Result<(), Error> {
        match (self, base_name, value) {
            (Self::Json(writer), None, Some(value)) => writer.named(name, value),
            (Self::Cbor(writer), None, Some(value)) => writer.named(name, value),
            (writer, ..) => writer.record(&Record {
                base_name: base_name.map(Cow::Borrowed),
                name: Some(Cow::Borrowed(name)),
                value: value.cloned(),
                ..Record::default()
            }),
        }
    }

    fn record(&mut self, record: &Record<'_>) -> Result<(), Error> {
        match self {
            Self::Json(writer) => writer.record(record),
            Self::Cbor(writer) => writer.record(record),
            Self::Oma(writer) => writer.record(record),
        }
    }

    pub(crate) fn finish(self) -> Bytes {
        match self {
            Self::Json(writer) => writer.finish().into(),
            Self::Cbor(writer) => writer.finish().into(),
            Self::Oma(writer) => writer.finish().into(),
        }
    }
}

/// The only error of writing: a number that is not finite.
fn not_finite(format: ContentFormat, path: &Path, leaves: &[(Path, &Value)]) -> EncodeError {
    let culprit =
        leaves.iter().find(|(_, value)| matches!(value, Value::Float(v) if !v.is_finite()));
    EncodeError::NotFinite { format, path: culprit.map_or(*path, |(leaf, _)| *leaf) }
}

/// Passes the values of `payload` to `sink`.
pub(crate) fn decode(
    format: ContentFormat,
    target: Target<'_>,
    payload: &[u8],
    sink: &mut dyn Sink,
) -> Result<(), DecodeError> {
    let decoded = decode_pack(format, target, payload, false, sink);
    let is_json = !matches!(format, ContentFormat::SENML_CBOR | ContentFormat::SENML_ETCH_CBOR);
    match decoded {
        // Nothing has been read so far: JSON as a whole has to be UTF-8.
        Err(_)
            if target.reading.is_answer() && is_json && core::str::from_utf8(payload).is_err() =>
        {
            let mended = String::from_utf8_lossy(payload);
            decode_pack(format, target, mended.as_bytes(), true, sink)
        }
        decoded => decoded,
    }
}

/// As [`decode`]; in a `mended` text, U+FFFD stands for what is not UTF-8.
fn decode_pack(
    format: ContentFormat,
    target: Target<'_>,
    payload: &[u8],
    mended: bool,
    sink: &mut dyn Sink,
) -> Result<(), DecodeError> {
    each(format, target, payload, |name, time, value| {
        let path = name.ids.path().ok_or(DecodeCause::Name { entry: name.entry })?;
        target.reading.forgive_name(&name.ids)?;
        if mended && matches!(&value, Some(Scalar::String(text)) if text.contains('\u{FFFD}')) {
            return target.leave_out(path, DecodeCause::Utf8 { path });
        }
        take(format, target, path, time, value, sink)
    })
}

/// Decodes the payload of Create, as [`crate::tlv::decode_create`] does.
pub(crate) fn decode_create(
    format: ContentFormat,
    target: Target<'_>,
    payload: &[u8],
    sink: &mut dyn Sink,
) -> Result<Option<u16>, DecodeError> {
    let mut chosen = Chosen::new(target.path);
    each(format, target, payload, |name, time, value| {
        let path = chosen.path(&name.ids)?.ok_or(DecodeCause::Name { entry: name.entry })?;
        take(format, target, path, time, value, sink)
    })?;
    Ok(chosen.instance())
}

/// Passes a value to `sink`, if it is allowed at `path`.
fn take(
    format: ContentFormat,
    target: Target<'_>,
    path: Path,
    time: Option<f64>,
    value: Option<Scalar<'_>>,
    sink: &mut dyn Sink,
) -> Result<(), DecodeCause> {
    let read = |path, data_type| {
        let value = value.ok_or(DecodeCause::NoValue { path })?;
        self::value(format, target.reading, path, data_type, value)
    };
    target.take(path, sink, time, read).map(drop)
}

/// The name of a record, and its index.
struct Named {
    ids: Ids,
    entry: usize,
}

/// Calls `take` with name, time and value of each record.
fn each<'a>(
    format: ContentFormat,
    target: Target<'_>,
    payload: &'a [u8],
    mut take: impl FnMut(Named, Option<f64>, Option<Scalar<'a>>) -> Result<(), DecodeCause>,
) -> Result<(), DecodeError> {
    each_resolved(format, target, payload, |entry, ids, record| {
        take(Named { ids, entry }, record.time, record.value.take())
    })
}

/// Calls `take` with the index, the name and each record.
pub(crate) fn each_resolved<'a>(
    format: ContentFormat,
    target: Target<'_>,
    payload: &'a [u8],
    take: impl FnMut(usize, Ids, &mut Record<'a>) -> Result<(), DecodeCause>,
) -> Result<(), DecodeError> {
    let any_type = target.reading.is_answer();
    match format {
        ContentFormat::SENML_CBOR | ContentFormat::SENML_ETCH_CBOR => {
            each_of(target, false, cbor::Reader::new(payload).any_type(any_type), take).map(drop)
        }
        ContentFormat::JSON => {
            let records = json::oma::read(payload).map_err(broken)?.any_type(any_type);
            // In Create, a relative name has a meaning of its own.
            let relative = any_type || target.path.depth() > 1;
            each_of(target, relative, records, take).map(drop)
        }
        _ => {
            let reader = json::Reader::new(payload).any_type(any_type);
            let reader = each_of(target, false, reader, take)?;
            let other = reader.forgave_base64();
            let forgiven = target.reading.forgive_if(other, Quirk::OtherBase64);
            forgiven.map_err(|cause| cause.at(reader.offset()))
        }
    }
}

/// A reader of records in one of the formats.
trait Records<'a> {
    fn read_into(&mut self, record: &mut Record<'a>) -> Result<bool, Error>;
    fn skip_broken(&mut self) -> bool;
    fn offset(&self) -> usize;
}

macro_rules! records {
    ($($reader:ty),*) => {$(
        impl<'a> Records<'a> for $reader {
            #[inline]
            fn read_into(&mut self, record: &mut Record<'a>) -> Result<bool, Error> {
                <$reader>::read_into(self, record)
            }

            fn skip_broken(&mut self) -> bool {
                <$reader>::skip_broken(self)
            }

            #[inline]
            fn offset(&self) -> usize {
                <$reader>::offset(self)
            }
        }
    )*};
}

records!(cbor::Reader<'a>, json::Reader<'a>, json::oma::Records<'a>);

fn broken(error: Error) -> DecodeError {
    DecodeCause::Senml(error).at(error.offset().unwrap_or(0))
}

/// Calls `take` with each record. Returns the reader, which is at its end. With `relative`, names may
/// be relative to the path of the request.
fn each_of<'a, R: Records<'a>>(
    target: Target<'_>,
    relative: bool,
    mut records: R,
    mut take: impl FnMut(usize, Ids, &mut Record<'a>) -> Result<(), DecodeCause>,
) -> Result<R, DecodeError> {
    let mut resolver = Resolver::new();
    let none = NameIds::below(target.reading.root);
    let mut base = Some(none);
    let mut record = Record::default();
    for entry in 0.. {
        let begin = records.offset();
        let at = |cause: DecodeCause| cause.at(begin);
        let mut lost = None;
        match records.read_into(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) if target.reading.is_answer() && records.skip_broken() => {
                // Base fields that come before the fault are those of the other records, too.
                (record.name, record.value, record.time) = (None, None, None);
                lost = Some(DecodeCause::Senml(error));
            }
            Err(error) => return Err(broken(error)),
        }
        if let Some(name) = &record.base_name {
            base = none.read(name);
        }
        // `take` needs the base fields too, because a Fetch Pack must not have them.
        let bases = (record.base_value, record.base_sum);
        match resolver.apply(&mut record) {
            Ok(()) => {}
            Err(error @ Error::Version(_)) => return Err(at(error.into())),
            Err(error) => _ = lost.get_or_insert_with(|| error.into()),
        }
        (record.base_value, record.base_sum) = bases;
        if let Some(cause) = lost {
            target.leave_out(target.path, cause).map_err(at)?;
            continue;
        }
        let own = record.name.as_deref().unwrap_or_default();
        let ids = match base.and_then(|base| base.read(own)?.finish()) {
            ids if relative && !ids.is_some_and(|ids| target.has_value_at(&ids)) => {
                relative_name(&target, base, own).map_err(at)?.or(ids)
            }
            ids => ids,
        };
        let taken = match ids {
            Some(ids) => take(entry, ids, &mut record),
            None => Err(DecodeCause::Name { entry }),
        };
        taken.or_else(|cause| target.leave_out_misplaced(cause)).map_err(at)?;
    }
    Ok(records)
}

/// A name of OMA JSON that is relative to a base name without a slash at its end, or to the path of the
/// request.
#[cold]
fn relative_name(
    target: &Target<'_>,
    base: Option<NameIds<'_>>,
    own: &str,
) -> Result<Option<Ids>, DecodeCause> {
    let Some(base) = base else { return Ok(None) };
    let below = |base: NameIds<'_>| match own {
        "" => base.finish(),
        _ => base.read("/")?.read(own)?.finish(),
    };
    let path = target.path.to_string();
    let to_target = || NameIds::below("").read(&path).filter(|_| base.is_empty()).and_then(below);
    let within = |ids: &Ids| target.has_value_at(ids);
    let found = below(base).filter(within).or_else(|| to_target().filter(within));
    target.reading.forgive_if(found.is_some(), Quirk::RelativeToTarget)?;
    Ok(found)
}

/// The value of a record. In OMA JSON, Opaque is Base64 in a string.
fn value(
    format: ContentFormat,
    reading: &Reading<'_>,
    path: Path,
    data_type: Option<DataType>,
    value: Scalar<'_>,
) -> Result<Value, DecodeCause> {
    match value {
        Scalar::String(text)
            if format == ContentFormat::JSON && data_type == Some(DataType::Opaque) =>
        {
            decode_text(reading, path, data_type, text.as_bytes())
        }
        value => typed(reading, path, data_type, value),
    }
}
