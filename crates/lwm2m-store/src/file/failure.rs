//! Errors of `redb` as errors of a store, and the panics that damaged pages can cause.

use crate::error::StoreError;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Calls `f`. `redb` believes most of what it reads, so a damaged page may make it panic: that is an
/// error, too.
pub(super) fn guarded<T>(
    file: &Path,
    f: impl FnOnce() -> Result<T, redb::Error>,
) -> Result<T, StoreError> {
    // What is broken by a panic is not used again: the file is closed after each error.
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(result) => result.map_err(|error| about(file, error)),
        Err(_) => Err(damaged(file, "reading it failed")),
    }
}

pub(super) fn damaged(file: &Path, detail: impl Into<String>) -> StoreError {
    StoreError::Damaged { file: file.to_owned(), detail: detail.into() }
}

pub(super) fn foreign(file: &Path) -> StoreError {
    StoreError::Foreign { file: file.to_owned() }
}

fn about(file: &Path, error: redb::Error) -> StoreError {
    use redb::Error as E;
    match error {
        E::DatabaseAlreadyOpen | E::LockProtocolMismatch => {
            StoreError::InUse { folder: file.parent().unwrap_or(file).to_owned() }
        }
        E::Io(error) => match error.kind() {
            // No magic number.
            io::ErrorKind::InvalidData => foreign(file),
            io::ErrorKind::UnexpectedEof => damaged(file, "it is too short"),
            _ => StoreError::io(file, error),
        },
        E::Corrupted(detail) => damaged(file, detail),
        // Other tables than ours.
        E::TableDoesNotExist(_)
        | E::TableTypeMismatch { .. }
        | E::TableIsMultimap(_)
        | E::TypeDefinitionChanged { .. } => foreign(file),
        E::PreviousIo | E::DatabaseClosed => StoreError::Closed { file: file.to_owned() },
        other => StoreError::io(file, io::Error::other(other)),
    }
}
