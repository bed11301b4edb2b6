//! Bodies of composite operations: OMA LwM2M Core, sections 6.3.8 to 6.3.10 and 7.4.6.
//!
//! Read-Composite and Observe-Composite have lists of paths, Write-Composite has a list of changes.
//! LwM2M 1.1 writes them in SenML (110, 112), LwM2M 1.2 in SenML-ETCH (320, 322; RFC 8790), where a
//! change may also remove a resource instance. Changes in LwM2M CBOR (since 1.2) are a tree at the
//! root, as [`crate::encode`] writes it; [`decode_changes`] reads it, too. Responses are trees at the
//! root: decode them with [`crate::decode`] and [`Path::ROOT`].

use crate::error::{DecodeCause, DecodeError, EncodeError};
use crate::reading::Reading;
use crate::senml::{self, each_resolved};
use crate::tree::Target;
use crate::typed::{scalar, typed};
use crate::writing::Writing;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use bytes::Bytes;
use lwm2m_core::model::NoModel;
use lwm2m_core::{ContentFormat, Model, Path, Value};
use lwm2m_senml::Value as Scalar;

/// A change: sets a resource or resource instance, or removes a resource instance (`None`).
pub type Change = (Path, Option<Value>);

pub(crate) const fn is_etch(format: ContentFormat) -> bool {
    matches!(format, ContentFormat::SENML_ETCH_JSON | ContentFormat::SENML_ETCH_CBOR)
}

/// Whether `format` can carry a list of paths.
#[must_use]
pub const fn supports_paths(format: ContentFormat) -> bool {
    is_etch(format) || matches!(format, ContentFormat::SENML_JSON | ContentFormat::SENML_CBOR)
}

/// Encodes the paths of a Read-Composite or Observe-Composite.
///
/// # Errors
/// [`EncodeError::UnsupportedFormat`] for other formats than SenML and SenML-ETCH.
pub fn encode_paths(format: ContentFormat, paths: &[Path]) -> Result<Bytes, EncodeError> {
    Writing::default().encode_paths(format, paths)
}

/// Decodes the paths of a Read-Composite or Observe-Composite without duplicates, leniently.
///
/// # Errors
/// [`DecodeCause::UnsupportedFormat`] for formats other than SenML and SenML-ETCH. Other errors if the
/// payload is not a pack of records that have only names, times and units.
pub fn decode_paths(format: ContentFormat, payload: &[u8]) -> Result<Vec<Path>, DecodeError> {
    Reading::lenient(&NoModel).decode_paths(format, payload)
}

/// Encodes the changes of a Write-Composite.
///
/// # Errors
/// [`EncodeError::UnsuitableFormat`] for a removal in a format other than SenML-ETCH,
/// [`EncodeError::NotFinite`], and [`EncodeError::UnsupportedFormat`] for formats other than SenML and
/// SenML-ETCH.
pub fn encode_changes(format: ContentFormat, changes: &[Change]) -> Result<Bytes, EncodeError> {
    Writing::default().encode_changes(format, changes)
}

/// Decodes the changes of a Write-Composite in their order, leniently. Later changes override earlier
/// ones.
///
/// # Errors
/// As [`crate::decode`]. [`DecodeCause::NoValue`] for the removal of anything but a resource instance.
pub fn decode_changes(
    format: ContentFormat,
    payload: &[u8],
    model: &dyn Model,
) -> Result<Vec<Change>, DecodeError> {
    Reading::lenient(model).decode_changes(format, payload)
}

impl Writing<'_> {
    /// As [`encode_paths`].
    ///
    /// # Errors
    /// As [`encode_paths`].
    pub fn encode_paths(
        &self,
        format: ContentFormat,
        paths: &[Path],
    ) -> Result<Bytes, EncodeError> {
        if !supports_paths(format) {
            return Err(EncodeError::UnsupportedFormat(format));
        }
        let records = paths.iter().map(|path| (*path, None));
        senml::write_absolute(self.root, format, records)
            .map_err(|_| EncodeError::UnsupportedFormat(format))
    }

    /// As [`encode_changes`].
    ///
    /// # Errors
    /// As [`encode_changes`].
    pub fn encode_changes(
        &self,
        format: ContentFormat,
        changes: &[Change],
    ) -> Result<Bytes, EncodeError> {
        if !supports_paths(format) {
            return Err(EncodeError::UnsupportedFormat(format));
        }
        for (path, value) in changes {
            match value {
                Some(Value::Float(v)) if !v.is_finite() => {
                    return Err(EncodeError::NotFinite { format, path: *path });
                }
                None if !is_etch(format) => {
                    return Err(EncodeError::UnsuitableFormat { format, path: *path });
                }
                _ => {}
            }
        }
        let records = changes
            .iter()
            .map(|(path, value)| (*path, Some(value.as_ref().map_or(Scalar::Null, scalar))));
        senml::write_absolute(self.root, format, records)
            .map_err(|_| EncodeError::UnsupportedFormat(format))
    }
}

impl Reading<'_> {
    /// As [`decode_paths`].
    ///
    /// # Errors
    /// As [`decode_paths`].
    pub fn decode_paths(
        &self,
        format: ContentFormat,
        payload: &[u8],
    ) -> Result<Vec<Path>, DecodeError> {
        if !supports_paths(format) {
            return Err(DecodeError::unsupported(format));
        }
        let target = Target { path: Path::ROOT, reading: self };
        let (mut paths, mut known) = (Vec::new(), BTreeSet::new());
        each_resolved(format, target, payload, |entry, ids, record| {
            let bases = record.base_value.is_some() || record.base_sum.is_some();
            let values = record.value.is_some() || record.sum.is_some();
            if bases || values || record.update_time.is_some() {
                return Err(DecodeCause::Field { entry });
            }
            let path = ids.path().ok_or(DecodeCause::Name { entry })?;
            self.forgive_name(&ids)?;
            if known.insert(path) {
                paths.push(path);
            }
            Ok(())
        })?;
        Ok(paths)
    }

    /// As [`decode_changes`].
    ///
    /// # Errors
    /// As [`decode_changes`].
    pub fn decode_changes(
        &self,
        format: ContentFormat,
        payload: &[u8],
    ) -> Result<Vec<Change>, DecodeError> {
        if !is_etch(format) {
            let values = self.decode_timed(format, &Path::ROOT, payload)?;
            return Ok(values.into_iter().map(|timed| (timed.path, Some(timed.value))).collect());
        }
        let target = Target { path: Path::ROOT, reading: self };
        let mut changes = Vec::new();
        each_resolved(format, target, payload, |entry, ids, record| {
            let named = ids.path().ok_or(DecodeCause::Name { entry })?;
            self.forgive_name(&ids)?;
            let (path, data_type) = target.admit(&named)?;
            let value = match record.value.take() {
                // Only a name of a resource instance removes one, not that of the resource.
                Some(Scalar::Null) if named.depth() == 4 => None,
                value => Some(typed(self, path, data_type, value.unwrap_or(Scalar::Null))?),
            };
            changes.push((path, value));
            Ok(())
        })?;
        Ok(changes)
    }
}
