//! Events as lines of JSON in a file.

use super::{OutputError, Untold};
use std::fs::OpenOptions;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Appends events to a file, as lines of JSON, and waits until they are on the disk.
///
/// # Errors
/// The file cannot be written; it has none of these events then.
pub fn append_events(file: &Path, events: &[Untold]) -> Result<(), OutputError> {
    let lines = events.iter().flat_map(|it| [&it.json[..], b"\n"]).flatten().copied();
    let lines: Vec<u8> = lines.collect();
    append(file, &lines).map_err(|error| OutputError::File(file.to_owned(), error))
}

/// Appends lines, which are on the disk afterwards. A line that a crash has torn stands alone.
fn append(path: &Path, lines: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let length = file.metadata()?.len();
    let mut last = [b'\n'];
    if length > 0 {
        file.seek(SeekFrom::Start(length - 1))?;
        file.read_exact(&mut last)?;
    }
    let separator: &[u8] = if last == [b'\n'] { b"" } else { b"\n" };
    let written = file.write_all(&[separator, lines].concat()).and_then(|()| file.sync_data());
    // Half of it would be told twice.
    written.inspect_err(|_| _ = file.set_len(length))
}
