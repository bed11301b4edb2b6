//! Where images go.

use super::UpdateResult;

/// Where an image goes block by block: flash, a file. One image at a time.
pub trait FirmwareStore: Send + 'static {
    /// Begins an image of this size, if the server has announced it; nothing guarantees it.
    ///
    /// # Errors
    /// The image cannot be stored.
    fn begin(&mut self, size: Option<u64>) -> Result<(), StoreError>;

    /// Adds bytes at this offset, which is where those before ended.
    ///
    /// # Errors
    /// The bytes cannot be stored, or are no package that the device takes.
    fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<(), StoreError>;

    /// Verifies the image, which is complete: its size, its checksum, its signature.
    ///
    /// # Errors
    /// The image is not valid.
    fn finish(&mut self) -> Result<(), StoreError>;

    /// Drops the image, if there is one.
    fn discard(&mut self);
}

/// Why an image is not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is not enough storage.
    #[error("the device has not enough storage for the image; free some, or send a smaller image")]
    NoStorage,
    /// There is not enough memory.
    #[error("the device ran out of memory while it took the image; send it again later")]
    NoMemory,
    /// The image is damaged, or its signature is wrong.
    #[error("the image failed its integrity check; compare it with the original and send it again")]
    Integrity,
    /// The image is not for this device.
    #[error("the device does not support this type of package; send one that is made for it")]
    UnsupportedType,
}

impl StoreError {
    pub(super) const fn result(self) -> UpdateResult {
        match self {
            Self::NoStorage => UpdateResult::NoStorage,
            Self::NoMemory => UpdateResult::NoMemory,
            Self::Integrity => UpdateResult::Integrity,
            Self::UnsupportedType => UpdateResult::UnsupportedType,
        }
    }
}
