//! Key files: never overwritten without --force; only the owner can read secrets.

use lwm2m_app::Failure;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The files that one command makes.
pub(super) struct Files<'a> {
    prefix: &'a str,
    force: bool,
    files: Vec<File>,
}

struct File {
    path: PathBuf,
    content: Vec<u8>,
    secret: bool,
    usage: &'static str,
}

impl<'a> Files<'a> {
    /// An empty list; the names of its files will begin with `prefix`.
    pub(super) fn new(prefix: &'a str, force: bool) -> Self {
        Self { prefix, force, files: Vec::new() }
    }

    /// Adds a file that only its owner may read.
    pub(super) fn secret(&mut self, extension: &str, content: &[u8], usage: &'static str) {
        self.add(extension, content, true, usage);
    }

    /// Adds a file that anybody may read.
    pub(super) fn public(&mut self, extension: &str, content: &[u8], usage: &'static str) {
        self.add(extension, content, false, usage);
    }

    fn add(&mut self, extension: &str, content: &[u8], secret: bool, usage: &'static str) {
        let path = PathBuf::from(format!("{}.{extension}", self.prefix));
        self.files.push(File { path, content: content.to_vec(), secret, usage });
    }

    /// Writes the files.
    ///
    /// # Errors
    /// A file exists, or cannot be written.
    pub(super) fn write(&self) -> Result<(), Failure> {
        if !self.force
            && let Some(file) = self.files.iter().find(|file| file.path.exists())
        {
            return Err(failure(&file.path, "the file exists; --force replaces it"));
        }
        for file in &self.files {
            file.write(self.force).map_err(|error| failure(&file.path, &error.to_string()))?;
        }
        Ok(())
    }

    /// Prints a line for each file.
    pub(super) fn announce(&self) {
        for file in &self.files {
            println!("{}: {}", file.path.display(), file.usage);
        }
    }
}

impl File {
    /// With force, removes the old file first, so that the new one has the right mode from the start.
    fn write(&self, force: bool) -> io::Result<()> {
        if force && self.path.exists() {
            fs::remove_file(&self.path)?;
        }
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        if self.secret {
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        }
        options.open(&self.path)?.write_all(&self.content)
    }
}

fn failure(path: &Path, why: &str) -> Failure {
    Failure::usage(format!("cannot write {}: {why}", path.display()))
}
