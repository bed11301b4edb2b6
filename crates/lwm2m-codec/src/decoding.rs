//! Decodes payloads of all content formats.

use crate::error::{DecodeCause, DecodeError};
use crate::formats::{is_known, is_senml, supports};
use crate::quirk::Quirk;
use crate::reading::Reading;
use crate::tree::{Sink, Target, Timed, Tree, Values};
use crate::{cbor, lwm2m_cbor, senml, text, tlv};
use alloc::vec::Vec;
use lwm2m_core::{ContentFormat, Model, Node, ObjectInstance, Path, Value};

/// Decodes the node at `path`, leniently. The number of IDs in the path determines the kind of the node.
/// Of several values of a path, the newest is used.
///
/// `model` provides data types and multiplicity where the format does not carry them; where it does,
/// they are checked. A resource that the model does not know has the type of the format, or else
/// Opaque in TLV and String in text. The format numbers before registration (1541 to 1543) are
/// accepted. [`Reading`] reports tolerated deviations, or decodes strictly.
///
/// # Errors
/// The format is not supported, or the payload is malformed, contradicts the model, or has values
/// outside of `path`.
pub fn decode(
    format: ContentFormat,
    path: &Path,
    payload: &[u8],
    model: &dyn Model,
) -> Result<Node, DecodeError> {
    Reading::lenient(model).decode(format, path, payload)
}

/// Decodes the values at or below `path` with their times, in the order of the payload, leniently.
///
/// # Errors
/// As [`decode`], except that a path may have several values.
pub fn decode_timed(
    format: ContentFormat,
    path: &Path,
    payload: &[u8],
    model: &dyn Model,
) -> Result<Vec<Timed>, DecodeError> {
    Reading::lenient(model).decode_timed(format, path, payload)
}

/// Whether a payload has no values: it is empty, or null or an empty object where SenML and OMA JSON
/// have a list.
fn is_nothing(format: ContentFormat, payload: &[u8]) -> bool {
    let is_json = matches!(
        format,
        ContentFormat::SENML_JSON | ContentFormat::SENML_ETCH_JSON | ContentFormat::JSON
    );
    match payload.trim_ascii() {
        b"" => payload.is_empty(),
        b"null" | b"{}" => is_json,
        [0xF6 | 0xA0] => {
            matches!(format, ContentFormat::SENML_CBOR | ContentFormat::SENML_ETCH_CBOR)
        }
        _ => false,
    }
}

impl Reading<'_> {
    /// As [`decode()`].
    ///
    /// # Errors
    /// As [`decode()`].
    pub fn decode(
        &self,
        format: ContentFormat,
        path: &Path,
        payload: &[u8],
    ) -> Result<Node, DecodeError> {
        let target = Target { path: *path, reading: self };
        let mut tree = Tree::at_most(self.max_values);
        self.begin();
        if is_nothing(format, payload) && self.is_answer() && target.is_container() {
            if format != ContentFormat::TLV {
                self.forgive(Quirk::NoPayload).map_err(|cause| cause.at(0))?;
            }
        } else {
            decode_into(format, target, payload, &mut tree)?;
        }
        self.check_rest().map_err(|cause| cause.at(0))?;
        tree.into_node(&target).map_err(|cause| cause.at(payload.len()))
    }

    /// As [`decode_timed`].
    ///
    /// # Errors
    /// As [`decode_timed`].
    pub fn decode_timed(
        &self,
        format: ContentFormat,
        path: &Path,
        payload: &[u8],
    ) -> Result<Vec<Timed>, DecodeError> {
        let expected = (1 + payload.len() / 16).min(self.max_values);
        let mut values = Values { list: Vec::with_capacity(expected), max: self.max_values };
        self.begin();
        decode_into(format, Target { path: *path, reading: self }, payload, &mut values)?;
        self.check_rest().map_err(|cause| cause.at(0))?;
        Ok(values.list)
    }

    /// As [`decode_create`].
    ///
    /// # Errors
    /// As [`decode_create`].
    pub fn decode_create(
        &self,
        format: ContentFormat,
        object: u16,
        payload: &[u8],
    ) -> Result<(Option<u16>, ObjectInstance), DecodeError> {
        let path = Path::object(object);
        let target = Target { path, reading: self };
        let format = known(format, self)?;
        let mut tree = Tree::at_most(self.max_values);
        let id = match format {
            ContentFormat::TLV => tlv::decode_create(target, payload, &mut tree)?,
            ContentFormat::LWM2M_CBOR => lwm2m_cbor::decode_create(target, payload, &mut tree)?,
            _ if is_senml(format) => senml::decode_create(format, target, payload, &mut tree)?,
            _ => return Err(DecodeCause::UnsuitableFormat { format, path }.at(0)),
        };
        let instance = Target { path: Path::instance(object, id.unwrap_or(0)), ..target };
        match tree.into_node(&instance).map_err(|cause| cause.at(payload.len()))? {
            Node::ObjectInstance(values) => Ok((id, values)),
            _ => Err(DecodeCause::NoValue { path }.at(payload.len())),
        }
    }
}

/// The supported format of a number.
fn known(format: ContentFormat, reading: &Reading<'_>) -> Result<ContentFormat, DecodeError> {
    let canonical = format.canonical();
    if !is_known(canonical) {
        return Err(DecodeError::unsupported(canonical));
    }
    let forgiven = reading.forgive_if(canonical != format, Quirk::LegacyNumber);
    forgiven.map(|()| canonical).map_err(|cause| cause.at(0))
}

fn decode_into(
    format: ContentFormat,
    target: Target<'_>,
    payload: &[u8],
    sink: &mut dyn Sink,
) -> Result<(), DecodeError> {
    let (format, path) = (known(format, target.reading)?, target.path);
    if !supports(format, &path) {
        return Err(DecodeCause::UnsuitableFormat { format, path }.at(0));
    }
    match format {
        ContentFormat::TLV => tlv::decode(target, payload, sink),
        ContentFormat::LWM2M_CBOR => lwm2m_cbor::decode(target, payload, sink),
        _ if is_senml(format) => senml::decode(format, target, payload, sink),
        _ => {
            let value = decode_value(format, target, payload)?;
            sink.value(path, None, value).map_err(|cause| cause.at(0))
        }
    }
}

/// Decodes a format that carries one value.
fn decode_value(
    format: ContentFormat,
    target: Target<'_>,
    payload: &[u8],
) -> Result<Value, DecodeError> {
    let (path, reading) = (target.path, target.reading);
    if path.depth() == 3 && target.is_multiple() {
        return Err(DecodeCause::UnsuitableFormat { format, path }.at(0));
    }
    let (_, data_type) = target.admit(&path).map_err(|cause| cause.at(0))?;
    let value = match format {
        ContentFormat::TEXT => text::decode_text(reading, path, data_type, payload),
        ContentFormat::OPAQUE => text::decode_opaque(path, data_type, payload),
        _ => return cbor::decode(reading, path, data_type, payload),
    };
    value.map_err(|cause| cause.at(0))
}

/// Decodes the payload of Create on `/object`: the ID of the new instance, if the server chose one,
/// and its resources.
///
/// In SenML, names are `/o/i/r`. Without an ID, they are `/o/65535/r`, `/o/r`, or `r` without a
/// leading slash.
///
/// # Errors
/// As [`decode`]. Also if the payload has more than one instance.
pub fn decode_create(
    format: ContentFormat,
    object: u16,
    payload: &[u8],
    model: &dyn Model,
) -> Result<(Option<u16>, ObjectInstance), DecodeError> {
    Reading::lenient(model).decode_create(format, object, payload)
}
