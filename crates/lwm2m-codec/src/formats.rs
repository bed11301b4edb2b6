//! What the content formats carry: OMA LwM2M Core 1.2, section 7.4.

use lwm2m_core::{ContentFormat, Path};

/// Whether `format` can carry a node at `path`, as far as the path alone tells.
#[must_use]
pub const fn supports(format: ContentFormat, path: &Path) -> bool {
    match format {
        ContentFormat::TEXT | ContentFormat::OPAQUE | ContentFormat::CBOR => path.depth() >= 3,
        ContentFormat::TLV | ContentFormat::JSON => path.depth() >= 1,
        ContentFormat::SENML_JSON | ContentFormat::SENML_CBOR | ContentFormat::LWM2M_CBOR => true,
        _ => false,
    }
}

/// Whether `format` consists of records with names and values.
pub(crate) const fn is_senml(format: ContentFormat) -> bool {
    matches!(format, ContentFormat::SENML_JSON | ContentFormat::SENML_CBOR | ContentFormat::JSON)
}

/// Whether `format` can carry nodes at all.
pub(crate) const fn is_known(format: ContentFormat) -> bool {
    supports(format, &Path::resource(0, 0, 0))
}
