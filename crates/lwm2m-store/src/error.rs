//! Why a store cannot do what it should, in one line that tells the operator what to do.

use std::io;
use std::path::PathBuf;

/// Why a store cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process has the store open.
    #[error(
        "the store in {} is in use by another process: stop that process, or choose another folder", folder.display()
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The file is something else.
    #[error("{} is not a store of this program: move it away, or choose another folder", file.display())]
    Foreign {
        /// The file.
        file: PathBuf,
    },
    /// The file has a format that this version does not know.
    #[error(
        "{} has format {format}, written by version {product}, and this version reads up to format {known}: \
         install version {product} or a later one", file.display()
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its format.
        format: u32,
        /// The newest format that is known here.
        known: u32,
        /// The version of the program that wrote it.
        product: String,
    },
    /// The file is torn or was changed by something else.
    #[error(
        "{} is damaged ({detail}): move it away and restore a backup", file.display()
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// There is no store to read.
    #[error("there is no store in {}", folder.display())]
    Missing {
        /// The folder.
        folder: PathBuf,
    },
    /// A store would be overwritten.
    #[error("{} exists: move it away, or allow that it is replaced", file.display())]
    Exists {
        /// The file.
        file: PathBuf,
    },
    /// The disk is full.
    #[error("no space left on the disk of {}: free some", file.display())]
    Full {
        /// The file.
        file: PathBuf,
    },
    /// The file or its folder cannot be written.
    #[error(
        "{} cannot be written ({source}): make it writable for the user of this program, or choose another folder", file.display()
    )]
    ReadOnly {
        /// The file or folder.
        file: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// The operating system failed otherwise.
    #[error("{}: {source}", file.display())]
    Io {
        /// The file or folder.
        file: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// An earlier error closed the store. It opens again with the next commit.
    #[error("{} is closed after an error and will be opened again", file.display())]
    Closed {
        /// The file.
        file: PathBuf,
    },
}

impl StoreError {
    /// The error of the operating system about a file or folder.
    #[must_use]
    pub fn io(file: impl Into<PathBuf>, source: io::Error) -> Self {
        let file = file.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { file },
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::ReadOnly { file, source }
            }
            _ => Self::Io { file, source },
        }
    }
}
