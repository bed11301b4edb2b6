//! The version of an object that is registered without one: OMA LwM2M Core, section 7.2.

use lwm2m_core::{ObjectVersion, Version};

/// The version of an object without `ver` in the registration of a client of version `enabler`. Core
/// objects have the version that the enabler defines, all others have 1.0.
#[must_use]
pub const fn default_version(enabler: Version, object_id: u16) -> ObjectVersion {
    let (major, minor) = match (enabler, object_id) {
        (Version::V1_1, 0 | 1 | 3) => (1, 1),
        (Version::V1_1, 4) => (1, 2),
        (Version::V1_2, 0 | 1 | 3) => (1, 2),
        (Version::V1_2, 2 | 5) => (1, 1),
        (Version::V1_2, 4) => (1, 3),
        (Version::V1_2, 21) => (2, 0),
        _ => (1, 0),
    };
    ObjectVersion::new(major, minor)
}
