//! Composite operations (OMA LwM2M Core 6.3.8 to 6.3.10).

use super::Rules;
use crate::error::Invalid;
use lwm2m_codec::composite::Change;
use lwm2m_core::{Path, Version};

impl Rules<'_> {
    /// Paths are not checked: the device leaves out what it lacks or what cannot be read.
    pub(super) fn paths(&self, paths: &[Path]) -> Result<(), Invalid> {
        self.composite(paths.is_empty())
    }

    pub(super) fn changes(&self, changes: &[Change]) -> Result<(), Invalid> {
        self.composite(changes.is_empty())?;
        changes.iter().try_for_each(|(path, value)| {
            self.address(path, 3)?;
            self.writable(path)?;
            match (value, path.depth()) {
                (Some(value), _) => self.value(path, value),
                (None, 4) if self.version >= Version::V1_2 => Ok(()),
                (None, _) => Err(Invalid::Path(*path)),
            }
        })
    }

    fn composite(&self, empty: bool) -> Result<(), Invalid> {
        match (self.version, empty) {
            (Version::V1_0, _) => Err(Invalid::NoComposite),
            (_, true) => Err(Invalid::NoPaths),
            _ => Ok(()),
        }
    }
}
